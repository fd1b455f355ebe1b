//! Where the samples that are taken meet the store's: whether what was measured is the same on both sides.
//!
//! Where it is not, or nobody says that it is, an event tells so: what lies between the two is no growth.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use plimsoll_core::change::{EventKind, IMPORTED_BEFORE, IMPORTED_OTHERWISE};
use plimsoll_core::coverage::meets;
use serde::Deserialize;

use super::row::{EventRow, IMPORT, PGHERO, RelationRow, SampleRow};
use crate::sample::unsigned;

/// A sample at which a history begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct End {
    tick: i64,
    sampled_at: Timestamp,
    /// As [`SampleRow::method`].
    method: String,
    total_bytes: Option<i64>,
}

impl End {
    fn is_imported(&self) -> bool {
        self.method.starts_with(IMPORT)
    }
}

impl From<&SampleRow> for End {
    fn from(row: &SampleRow) -> Self {
        Self {
            tick: row.tick,
            sampled_at: row.sampled_at,
            method: row.method.clone(),
            total_bytes: row.total_bytes,
        }
    }
}

/// The store's sample beside which others are taken, and these.
#[derive(Debug)]
pub(super) struct Meeting {
    store: End,
    /// Whether those that are taken are older.
    is_before: bool,
    taken: Option<End>,
    covers_the_same: bool,
}

impl Meeting {
    /// Of samples that go before the store's, with its first sample and its last one.
    pub(super) fn before(ends: Vec<End>) -> Option<Self> {
        Self::with(ends.into_iter().min_by_key(|end| end.tick), true)
    }

    /// Of samples that go after the store's.
    pub(super) fn after(ends: Vec<End>) -> Option<Self> {
        Self::with(ends.into_iter().max_by_key(|end| end.tick), false)
    }

    fn with(store: Option<End>, is_before: bool) -> Option<Self> {
        Some(Self {
            store: store?,
            is_before,
            taken: None,
            covers_the_same: true,
        })
    }

    /// Compares the relations that the file has where the two meet with those that the store has; `links` are those of
    /// the file that are some of the store.
    pub(super) fn compare_tables<'a>(
        &mut self,
        of_file: impl Iterator<Item = &'a RelationRow>,
        of_store: impl Iterator<Item = &'a RelationRow>,
        links: &HashMap<i32, i32>,
    ) {
        let linked: HashSet<i32> = links.values().copied().collect();
        let mut of_file = of_file.filter(|relation| !relation.is_index());
        let mut of_store = of_store.filter(|relation| !relation.is_index());
        self.covers_the_same = of_file.all(|it| links.contains_key(&it.relation))
            && of_store.all(|it| linked.contains(&it.relation));
    }

    /// Notes a sample that is taken; they come oldest first.
    pub(super) fn take(&mut self, row: &SampleRow) {
        if self.is_before || self.taken.is_none() {
            self.taken = Some(End::from(row));
        }
    }

    /// The event that says that sizes before and after do not compare, where that is so.
    pub(super) fn seam(self) -> Option<EventRow> {
        let taken = self.taken?;
        let tick = taken.tick;
        let (older, newer) = match self.is_before {
            true => (taken, self.store),
            false => (self.store, taken),
        };
        let detail = differ(&older, &newer, self.covers_the_same)?;
        Some(EventRow {
            relation: None,
            kind: EventKind::Coverage.as_str().to_owned(),
            tick,
            from_at: older.sampled_at,
            to_at: newer.sampled_at.max(older.sampled_at),
            bytes_before: older.total_bytes,
            bytes_after: newer.total_bytes,
            detail: Some(detail.to_owned()),
        })
    }
}

/// What is said of two samples, one after the other, that do not compare; none where they do.
fn differ(older: &End, newer: &End, covers_the_same: bool) -> Option<&'static str> {
    match (older.is_imported(), newer.is_imported()) {
        (false, false) => return None,
        (true, true) => {}
        _ => return Some(IMPORTED_BEFORE),
    }
    let is_same_total = match (older.total_bytes, newer.total_bytes) {
        (Some(older), Some(newer)) => meets(unsigned(older), unsigned(newer)),
        (older, newer) => older.is_some() == newer.is_some(),
    };
    // one that measures everything shows by its silence that a table is gone
    let covers_the_same = covers_the_same || older.method == PGHERO;
    let is_one = older.method == newer.method && is_same_total && covers_the_same;
    (!is_one).then_some(IMPORTED_OTHERWISE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(method: &str, total_bytes: Option<i64>) -> End {
        End {
            tick: 0,
            sampled_at: Timestamp::UNIX_EPOCH,
            method: method.to_owned(),
            total_bytes,
        }
    }

    #[test]
    fn a_seam_is_wherever_source_or_coverage_differs() {
        let size = |total| end("import size", Some(total));
        let tables = || end("import tables", None);
        let pghero = || end(PGHERO, None);
        let own = |total| end("files", Some(total));
        for (older, newer, covers_the_same, expected) in [
            (size(100), size(101), true, None),
            // the same name, and something else by it
            (size(100), size(200), true, Some(IMPORTED_OTHERWISE)),
            (
                size(100),
                end("import used", Some(100)),
                true,
                Some(IMPORTED_OTHERWISE),
            ),
            (size(100), tables(), true, Some(IMPORTED_OTHERWISE)),
            (tables(), tables(), true, None),
            (tables(), tables(), false, Some(IMPORTED_OTHERWISE)),
            (tables(), pghero(), true, Some(IMPORTED_OTHERWISE)),
            (pghero(), pghero(), false, None),
            // of an earlier version, which noted no source
            (
                end("import", None),
                pghero(),
                true,
                Some(IMPORTED_OTHERWISE),
            ),
            (size(100), own(100), true, Some(IMPORTED_BEFORE)),
            (own(100), size(100), true, Some(IMPORTED_BEFORE)),
            (own(100), own(900), false, None),
        ] {
            assert_eq!(
                differ(&older, &newer, covers_the_same),
                expected,
                "{older:?} {newer:?}"
            );
        }
    }
}
