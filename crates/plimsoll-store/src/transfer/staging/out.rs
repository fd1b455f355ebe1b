//! Rows on their way out.

use tokio::sync::mpsc::Sender;

use crate::transfer::row::{EndRow, Row};
use crate::transfer::{BATCH, ImportProgress, TransferError};

/// Sends rows in batches; goes quiet where nobody takes them.
pub(super) struct Out<'a> {
    to: &'a Sender<Vec<Row>>,
    progress: &'a ImportProgress,
    batch: Vec<Row>,
    rows: u64,
    is_open: bool,
}

impl<'a> Out<'a> {
    pub(super) fn new(to: &'a Sender<Vec<Row>>, progress: &'a ImportProgress) -> Self {
        Self {
            to,
            progress,
            batch: Vec::with_capacity(BATCH),
            rows: 0,
            is_open: true,
        }
    }

    pub(super) fn send(&mut self, row: Row) {
        self.batch.push(row);
        self.rows += 1;
        if self.batch.len() == BATCH {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.is_open = self.is_open
            && self.progress.has_written(batch.len() as u64).is_ok()
            && self.to.blocking_send(batch).is_ok();
    }

    /// Sends the rest. What was stopped has no end, and so the store keeps nothing of it.
    pub(super) fn finish(mut self) -> Result<(), TransferError> {
        self.progress.check()?;
        let rows = self.rows;
        self.send(Row::End(EndRow { rows }));
        self.flush();
        self.progress.check()
    }
}
