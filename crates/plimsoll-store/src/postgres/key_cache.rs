//! The keys of databases as they were last found: a guess that spares a question the wait for them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::DatabaseKey;
use crate::keys::Keys;

/// Keys that were found once. Whoever uses them looks again in the same transaction: another program may have
/// made the store anew since.
#[derive(Debug, Default)]
pub(super) struct KeyCache(Mutex<HashMap<DatabaseKey, Keys>>);

impl KeyCache {
    pub(super) fn get(&self, of: &DatabaseKey) -> Option<Keys> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(of).copied()
    }

    /// Takes down what was found; nothing that is not in the store, so that no asking makes it grow.
    pub(super) fn set(&self, of: &DatabaseKey, found: Option<Keys>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Some(keys) => known.insert(of.clone(), keys),
            None => known.remove(of),
        };
    }
}
