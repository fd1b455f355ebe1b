//! Whether the schedule moves: what each job waits for, and what has passed by unnoticed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

/// A job that is late by more than this stands still.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// What each job waits for.
#[derive(Debug, Default)]
pub struct Progress {
    /// By job and subject: when it looks again; none while it is at work.
    waits: Mutex<BTreeMap<String, Option<Timestamp>>>,
}

impl Progress {
    /// The jobs that stand still: what they waited for has passed.
    pub fn stalled(&self, now: Timestamp) -> Vec<String> {
        let waits = self.waits();
        let is_late = |until: &Timestamp| now.duration_since(*until) > GRACE;
        waits
            .iter()
            .filter(|(_, until)| until.as_ref().is_some_and(is_late))
            .map(|(name, _)| name.clone())
            .collect()
    }

    pub(super) fn works(&self, name: &str) {
        self.waits().insert(name.to_owned(), None);
    }

    pub(super) fn waits_until(&self, name: &str, until: Timestamp) {
        self.waits().insert(name.to_owned(), Some(until));
    }

    pub(super) fn ended(&self, name: &str) {
        self.waits().remove(name);
    }

    fn waits(&self) -> MutexGuard<'_, BTreeMap<String, Option<Timestamp>>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_what_has_passed_stands_still() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let progress = Progress::default();
        progress.works("a");
        progress.waits_until("b", at(10));
        progress.waits_until("c", at(100));
        assert_eq!(progress.stalled(at(15)), Vec::<String>::new());
        assert_eq!(progress.stalled(at(16)), ["b"]);
        progress.ended("b");
        assert_eq!(progress.stalled(at(99)), Vec::<String>::new());
        assert_eq!(progress.stalled(at(106)), ["c"]);
    }
}
