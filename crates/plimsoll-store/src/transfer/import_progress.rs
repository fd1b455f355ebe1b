//! How far an import has come, and whether it is to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

use super::TransferError;

/// Shared by an import and whoever watches it.
#[derive(Debug, Default)]
pub struct ImportProgress {
    /// Sizes read from the file.
    read: AtomicU64,
    /// Rows given to the store.
    written: AtomicU64,
    is_stopped: AtomicBool,
    /// What the clock says, in seconds since 1970; 0 where nobody said.
    now: i64,
}

/// The first of January 1996: PostgreSQL 6.0, the first of that name, is of January 1997.
const FIRST: i64 = 820_454_400;

/// How far the clocks of two machines may be apart.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

impl ImportProgress {
    /// An import at this time: what was measured later is an error.
    pub fn at(now: Timestamp) -> Self {
        Self {
            now: now.as_second(),
            ..Self::default()
        }
    }

    /// Has the import end soon, and keep nothing.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Sizes that were read, and rows that the store was given.
    pub fn so_far(&self) -> (u64, u64) {
        let so_far = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (so_far(&self.read), so_far(&self.written))
    }

    /// Counts sizes that were read.
    pub(crate) fn has_read(&self, sizes: u64) -> Result<(), TransferError> {
        self.read.fetch_add(sizes, Ordering::Relaxed);
        self.check()
    }

    /// Counts rows that the store was given.
    pub(crate) fn has_written(&self, rows: u64) -> Result<(), TransferError> {
        self.written.fetch_add(rows, Ordering::Relaxed);
        self.check()
    }

    pub(crate) fn check(&self) -> Result<(), TransferError> {
        if self.is_stopped.load(Ordering::Relaxed) {
            return Err(TransferError::Stopped);
        }
        Ok(())
    }

    /// An error where nobody can have measured at this time: not yet, or no PostgreSQL was there. A wrong date
    /// would move everything else.
    pub(crate) fn check_time(&self, at: Timestamp) -> Result<(), TransferError> {
        if self.now != 0 && at.as_second() > self.now + AHEAD.as_secs() {
            return Err(TransferError::ToCome(at));
        }
        if at.as_second() < FIRST {
            return Err(TransferError::TooOld(at));
        }
        Ok(())
    }
}
