//! How often a follower ran, and how that ended.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Ended;

/// Counts since the start of the process.
#[derive(Debug, Default)]
pub struct Counters {
    finished: AtomicU64,
    failed: AtomicU64,
    stopped: AtomicU64,
    superseded: AtomicU64,
    took_ms: AtomicU64,
}

/// The same at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Runs that ended well.
    pub finished: u64,
    /// Runs that failed, panicked, or took too long.
    pub failed: u64,
    /// Runs that the server's stop ended.
    pub stopped: u64,
    /// Samples whose turn a newer one took.
    pub superseded: u64,
    /// Milliseconds that the finished and failed runs took together.
    pub took_ms: u64,
}

impl Counters {
    pub(super) fn superseded(&self) {
        self.superseded.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, ended: &Ended, took: Duration) {
        let counter = match ended {
            Ended::Well => &self.finished,
            Ended::Failed(_) | Ended::Panicked(_) | Ended::TooLong(_) => &self.failed,
            Ended::Stopped => &self.stopped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if !matches!(ended, Ended::Stopped) {
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            self.took_ms.fetch_add(took_ms, Ordering::Relaxed);
        }
    }

    pub(super) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            finished: read(&self.finished),
            failed: read(&self.failed),
            stopped: read(&self.stopped),
            superseded: read(&self.superseded),
            took_ms: read(&self.took_ms),
        }
    }
}
