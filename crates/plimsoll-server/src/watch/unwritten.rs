//! What the store did not take for want of space, or of the right to write: until it takes such a thing again, nothing
//! that is measured is kept.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use plimsoll_store::StoreError;

use super::Watch;

/// What is written of each visit.
pub(super) const SAMPLES: &str = "samples";

/// By what was to be written: why it was not.
#[derive(Debug, Default)]
pub(super) struct Unwritten(Mutex<BTreeMap<String, String>>);

impl Unwritten {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Notes how a write went. Where the store does not answer, or is busy, the next question tells.
    pub(crate) fn note_write<T>(&self, what: &str, result: &Result<T, StoreError>) {
        let mut all = self.parts.unwritten.all();
        match result {
            // the largest of all that is written, so there is room for the others
            Ok(_) if what == SAMPLES => all.clear(),
            Ok(_) => drop(all.remove(what)),
            Err(error @ (StoreError::Full { .. } | StoreError::ReadOnly { .. })) => {
                all.insert(what.to_owned(), error.to_string());
            }
            Err(_) => {}
        }
    }

    /// Why something was not written when that was last tried; none where all was.
    pub fn unwritten(&self) -> Option<String> {
        self.parts.unwritten.all().values().next().cloned()
    }
}
