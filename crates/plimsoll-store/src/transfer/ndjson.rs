//! Histories as NDJSON: one row a line, the same bytes whichever store they come from.

use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::sync::Arc;

use tokio::sync::mpsc;

use plimsoll_core::counted::{counted, either};
use plimsoll_core::disk::kept::Step;

use super::row::{DiskLookRow, DiskRow, DiskStateRow, EndRow, FORMAT, Row};
use super::{BATCH, ImportProgress, ImportedHistory, TransferError, WAITING, begin, take};
use crate::{DatabaseKey, DiskRange, DiskState, Store, on_this_thread};

/// No row is longer: names have 63 bytes, and few relations were ever renamed often.
const LONGEST_LINE: u64 = 4 << 20;

/// No instance has more: a day of minutes, 14 days of hours, and a day for each daily sample.
const MOST_LOOKS: usize = 100_000;

/// The state that is kept of the last look only: without it nobody knows where an instance's directories lie.
const LAST_LOOK: &str = "last";

/// Bytes read at a time.
const BUFFER: usize = 1 << 16;

/// What was imported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportedHistories {
    /// Of each database.
    pub databases: Vec<ImportedHistory>,
    /// Of each instance's volumes.
    pub disks: Vec<ImportedDisk>,
}

/// What a store took of the looks at an instance's volumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedDisk {
    /// The configured name of the instance.
    pub instance: String,
    /// How many looks were taken.
    pub looks: u64,
    /// How many were not: the store has some of that time.
    pub left_out: u64,
}

/// Writes the looks at the volumes of instances; returns how many rows that were.
pub async fn export_disks(
    store: &dyn Store,
    instances: &[String],
    out: &mut (dyn Write + Send),
) -> Result<u64, TransferError> {
    let mut all = 0;
    for instance in instances {
        let header = DiskRow {
            format: FORMAT,
            instance: instance.clone(),
        };
        let mut rows = vec![Row::Disk(header)];
        for step in Step::ALL {
            let looks = store.disk_rows(instance, DiskRange::all(step)).await?;
            let looks = looks.into_iter().map(|look| DiskLookRow { look });
            rows.extend(looks.map(Row::DiskLook));
        }
        // What was forecast is computed anew.
        let last = store.disk_state(instance, LAST_LOOK).await?;
        rows.extend(last.map(|(at, state)| {
            let name = LAST_LOOK.to_owned();
            Row::DiskState(DiskStateRow { name, at, state })
        }));
        let count = rows.len() as u64;
        rows.push(Row::End(EndRow { rows: count }));
        on_this_thread(|| rows.iter().try_for_each(|row| line(out, row)))?;
        all += count;
    }
    out.flush()?;
    Ok(all)
}

/// Writes the histories of databases; `progress` is told the number of rows so far.
pub async fn export(
    store: &dyn Store,
    databases: &[DatabaseKey],
    out: &mut (dyn Write + Send),
    progress: &(dyn Fn(u64) + Sync),
) -> Result<u64, TransferError> {
    let mut all = 0;
    for of in databases {
        let (to, mut from) = mpsc::channel::<Vec<Row>>(WAITING);
        let writing = async {
            let mut rows = 0;
            while let Some(batch) = from.recv().await {
                rows += batch.len() as u64;
                on_this_thread(|| batch.iter().try_for_each(|row| line(out, row)))?;
                progress(all + rows);
            }
            // an error closes `from`, and so ends the reading
            drop(from);
            Ok::<_, std::io::Error>(rows)
        };
        let (read, written) = tokio::join!(store.read_history(of, to), writing);
        read?;
        let rows = written?;
        if rows > 0 {
            line(out, &Row::End(EndRow { rows }))?;
        }
        all += rows;
    }
    out.flush()?;
    Ok(all)
}

fn line(out: &mut (dyn Write + Send), row: &Row) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

/// Reads histories and has the store take them, database by database. All of the input is checked
/// before any of it is taken: one that is damaged or cut short changes nothing.
///
/// # Errors
/// [`TransferError`]; of the database at which it happened nothing is kept.
pub async fn import(
    store: &dyn Store,
    input: impl Read + Seek + Send + 'static,
    progress: &Arc<ImportProgress>,
) -> Result<ImportedHistories, TransferError> {
    let checked = Arc::clone(progress);
    let checking = tokio::task::spawn_blocking(move || {
        let mut input = input;
        let mut reader = Reader::new(BufReader::with_capacity(BUFFER, &mut input), &checked);
        while let Some(batch) = reader.batch()? {
            checked.has_read(batch.len() as u64)?;
        }
        input.rewind()?;
        Ok::<_, TransferError>(input)
    });
    let input = checking.await.map_err(std::io::Error::other)??;
    begin(store).await?;
    let (to, mut from) = mpsc::channel(WAITING);
    let progress = Arc::clone(progress);
    let reading = tokio::task::spawn_blocking(move || {
        let mut reader = Reader::new(BufReader::with_capacity(BUFFER, input), &progress);
        loop {
            let next = reader.batch().and_then(|batch| {
                let rows = batch.as_ref().map_or(0, Vec::len);
                progress.has_written(rows as u64).map(|()| batch)
            });
            let is_last = !matches!(&next, Ok(Some(_)));
            let next = match next {
                Ok(Some(batch)) => Ok(batch),
                Ok(None) => return,
                Err(error) => Err(error),
            };
            if to.blocking_send(next).is_err() || is_last {
                return;
            }
        }
    });
    let mut all = ImportedHistories::default();
    while let Some(first) = from.recv().await {
        let first = first?;
        if let Some(Row::Disk(header)) = first.first() {
            let instance = header.instance.clone();
            all.disks
                .push(take_disk(store, instance, first, &mut from).await?);
            continue;
        }
        let history = take(store, async |to| {
            let mut batch = first;
            loop {
                let is_end = matches!(batch.last(), Some(Row::End(_)));
                if to.send(batch).await.is_err() || is_end {
                    return Ok(());
                }
                batch = match from.recv().await {
                    Some(next) => next?,
                    None => return Ok(()),
                };
            }
        })
        .await?;
        all.databases.push(history);
    }
    reading.await.map_err(std::io::Error::other)?;
    Ok(all)
}

/// Has the store take an instance's looks, as a whole or not at all.
async fn take_disk(
    store: &dyn Store,
    instance: String,
    first: Vec<Row>,
    from: &mut mpsc::Receiver<Result<Vec<Row>, TransferError>>,
) -> Result<ImportedDisk, TransferError> {
    let (mut looks, mut states) = (Vec::new(), Vec::new());
    let mut batch = first;
    loop {
        let is_end = matches!(batch.last(), Some(Row::End(_)));
        for row in batch {
            match row {
                Row::DiskLook(row) => looks.push(row.look),
                Row::DiskState(DiskStateRow { name, at, state }) => {
                    states.push(DiskState { name, at, state });
                }
                _ => {}
            }
        }
        if looks.len() > MOST_LOOKS {
            let reason = format!("more than {MOST_LOOKS} looks at the volumes of `{instance}`");
            return Err(TransferError::Rows(reason));
        }
        if is_end {
            break;
        }
        batch = match from.recv().await {
            Some(next) => next?,
            None => {
                return Err(TransferError::Rows(
                    "the rows end before their end".to_owned(),
                ));
            }
        };
    }
    let count = looks.len() as u64;
    let taken = store.take_disk_rows(&instance, looks, states).await?;
    Ok(ImportedDisk {
        instance,
        looks: taken,
        left_out: count - taken,
    })
}

/// Cuts an input into rows, and says at which line it is wrong.
struct Reader<'a, R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    /// The database or the instance whose rows are being read, and how many there were.
    within: Option<(String, u64)>,
    /// The order of the last row: rows of one database come kind by kind.
    rank: u8,
    progress: &'a ImportProgress,
}

impl<'a, R: BufRead> Reader<'a, R> {
    const fn new(input: R, progress: &'a ImportProgress) -> Self {
        Self {
            input,
            line: Vec::new(),
            number: 0,
            within: None,
            rank: 0,
            progress,
        }
    }

    /// The next rows of one database; `None` at the input's end.
    fn batch(&mut self) -> Result<Option<Vec<Row>>, TransferError> {
        let mut batch = Vec::with_capacity(BATCH);
        while batch.len() < BATCH {
            let Some(row) = self.row()? else {
                return match self.within.take() {
                    None => Ok(None),
                    Some((database, _)) => Err(TransferError::CutShort {
                        number: self.number,
                        database,
                    }),
                };
            };
            let is_end = matches!(row, Row::End(_));
            batch.push(row);
            if is_end {
                break;
            }
        }
        Ok(Some(batch))
    }

    fn row(&mut self) -> Result<Option<Row>, TransferError> {
        loop {
            self.line.clear();
            let read = (&mut self.input)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut self.line)?;
            if read == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        if !self.line.ends_with(b"\n") && self.line.len() as u64 == LONGEST_LINE {
            return Err(self.wrong("it is longer than a row can be"));
        }
        let row: Row = serde_json::from_slice(&self.line).map_err(|error| {
            // its own position is that of the line, which is always the first
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or(&text);
            self.wrong(format!("it is no row of an export: {text}"))
        })?;
        row.check().map_err(|reason| self.wrong(reason))?;
        if let Row::Sample(sample) = &row {
            let tick = jiff::Timestamp::from_second(sample.tick).unwrap_or(sample.sampled_at);
            let times = [tick, sample.sampled_at];
            let check = times
                .into_iter()
                .try_for_each(|at| self.progress.check_time(at));
            check.map_err(|error| self.wrong(format!("its sample: {error}")))?;
        }
        self.order(&row)?;
        Ok(Some(row))
    }

    fn order(&mut self, row: &Row) -> Result<(), TransferError> {
        let rank = match row {
            Row::Database(_) => 0,
            Row::Relation(_) => 1,
            Row::Sample(_) => 2,
            Row::TableValue(_) => 3,
            Row::IndexValue(_) => 4,
            Row::Unread(_) => 5,
            Row::Event(_) => 6,
            Row::Disk(_) => 0,
            Row::DiskLook(_) => 7,
            Row::DiskState(_) => 8,
            Row::End(_) => 9,
        };
        match (row, &mut self.within) {
            (Row::Database(row), None) => self.within = Some((row.database.clone(), 1)),
            (Row::Disk(row), None) => {
                self.within = Some((format!("the volumes of {}", row.instance), 1));
            }
            (Row::Database(_) | Row::Disk(_), Some((database, _))) => {
                let reason = format!("database `{database}` has no end before this line");
                return Err(self.wrong(reason));
            }
            (_, None) => return Err(self.wrong("it belongs to no database")),
            (Row::End(end), Some((_, rows))) => {
                if end.rows != *rows {
                    let reason = format!(
                        "{} {} exported, and {rows} {} here: lines are missing",
                        counted(end.rows, "row"),
                        either(end.rows, "was", "were"),
                        either(*rows, "is", "are")
                    );
                    return Err(self.wrong(reason));
                }
                self.within = None;
            }
            (_, Some((_, rows))) => {
                *rows += 1;
                if rank < self.rank {
                    return Err(self.wrong("it comes too late: rows come kind by kind"));
                }
            }
        }
        self.rank = rank;
        Ok(())
    }

    fn wrong(&self, reason: impl Into<String>) -> TransferError {
        TransferError::Line {
            number: self.number,
            reason: reason.into(),
        }
    }
}
