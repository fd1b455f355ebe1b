//! The last samples that this process kept: of what is as they showed it, the next ones look up nothing.
//!
//! It is a guess, and is used only where the store's newest sample of a database is still the one. What another
//! process kept since, or a store that is another one now, is looked up whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use plimsoll_core::change::{
    Changes, Fingerprint, LastTables, LastVisit, Moved, RelationId, compare, fingerprints,
};
use plimsoll_core::snapshot::Snapshot;

use crate::DatabaseKey;
use crate::keys::{Keys, Place};
use crate::sample::{Before, SampleRow};

/// The last samples, by database.
#[derive(Debug, Default)]
pub(crate) struct LastSamples(Mutex<HashMap<DatabaseKey, Arc<LastSample>>>);

#[derive(Debug)]
struct LastSample {
    state: State,
    tables: LastTables,
}

/// A database in a store, as a sample left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) keys: Keys,
    pub(crate) last_tick: i64,
    pub(crate) next_relation_id: RelationId,
}

/// Which tables are to be looked up, with their indexes, if a database is still as it was.
#[derive(Debug)]
pub(crate) struct Guess {
    state: State,
    pub(crate) ids: Vec<RelationId>,
}

impl Guess {
    pub(crate) fn holds(&self, state: State, last: &LastVisit, sample: &SampleRow) -> bool {
        // what was restored has other OIDs
        self.state == state
            && last.database_oid == sample.database_oid
            && last.system_identifier == sample.system_identifier
    }
}

/// A snapshot that is to be kept, with what is remembered of the sample before.
pub(crate) struct Comparison<'a> {
    snapshot: &'a Snapshot,
    of: DatabaseKey,
    fingerprints: Vec<Fingerprint>,
    last: Option<Arc<LastSample>>,
    moved: Option<Snapshot>,
    left_out: u64,
    /// What is to be looked up.
    pub(crate) guess: Option<Arc<Guess>>,
}

impl LastSamples {
    pub(crate) fn comparison<'a>(&self, snapshot: &'a Snapshot) -> Comparison<'a> {
        let of = DatabaseKey {
            instance: snapshot.instance.to_string(),
            database: snapshot.database.to_string(),
        };
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let last = known.get(&of).cloned();
        drop(known);
        let mut comparison = Comparison {
            snapshot,
            of,
            fingerprints: fingerprints(snapshot),
            last: None,
            moved: None,
            left_out: 0,
            guess: None,
        };
        if let Some(last) = last
            && let Some(moved) = last.tables.moved(snapshot, &comparison.fingerprints)
        {
            let Moved {
                snapshot,
                ids,
                left_out,
            } = moved;
            let state = last.state;
            comparison.guess = Some(Arc::new(Guess { state, ids }));
            comparison.moved = Some(snapshot);
            comparison.left_out = left_out;
            comparison.last = Some(last);
        }
        comparison
    }

    /// Remembers a sample that was kept.
    pub(crate) fn keep(
        &self,
        comparison: &Comparison<'_>,
        before: &Before,
        changes: &Changes,
        place: Place,
    ) {
        let whole = (!before.is_part).then_some(&before.known);
        let nothing = LastTables::default();
        let last = comparison.last.as_ref();
        let last = last.map_or(&nothing, |last| &last.tables);
        let tables = last.after(
            whole,
            changes,
            comparison.snapshot,
            &comparison.fingerprints,
        );
        let state = State {
            keys: place.keys,
            last_tick: place.tick,
            next_relation_id: changes.next_relation_id,
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sample = Arc::new(LastSample { state, tables });
        known.insert(comparison.of.clone(), sample);
    }
}

impl Comparison<'_> {
    /// What the snapshot changes, of the part that was looked up or of all.
    pub(crate) fn changes(&self, before: &Before) -> Changes {
        match &self.moved {
            Some(moved) if before.is_part => {
                let mut changes = compare(&before.known, moved);
                changes.table_count += self.left_out;
                changes
            }
            _ => compare(&before.known, self.snapshot),
        }
    }
}
