//! What of a growth both samples looked at, in one measure.

use std::collections::HashMap;

use jiff::Timestamp;
use plimsoll_core::change::{Event, EventKind, RelationId, RelationKind, Sizes};
use plimsoll_core::counted::counted;
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::size::signed;
use plimsoll_store::{DatabaseKey, Difference, EventQuery, Growth, Store, StoreError, TableName};

use crate::ask::Kinds;
use crate::coverage::{Seam, is_covered, not_compared};

/// What came into sight between the samples, and is no growth.
#[derive(Debug, Default)]
pub(super) struct InSight {
    /// The seams between them, oldest first.
    pub(super) seams: Vec<Seam>,
    /// Toast tables that could not be read before, by their tables.
    toast: HashMap<RelationId, u64>,
    /// Indexes that could not be read before, by their tables.
    indexes: HashMap<TableName, u64>,
}

impl InSight {
    /// Of tables, from the recorded events.
    pub(super) async fn of_tables(
        store: &dyn Store,
        of: &DatabaseKey,
        between: &Difference,
    ) -> Result<Self, StoreError> {
        let query = EventQuery {
            table: None,
            kinds: vec![EventKind::Coverage],
            since: Some(between.from.sampled_at),
            limit: None,
        };
        let mut seen = Self::default();
        for named in store.events(of, &query).await? {
            let Event {
                relation, from, to, ..
            } = named.event;
            if !(Seam { from, to }).is_between(between.from.sampled_at, between.to.sampled_at) {
                continue;
            }
            match (relation, named.event.bytes_before, named.event.bytes_after) {
                (None, ..) => seen.seams.extend(Seam::of(&named)),
                (Some(id), None, Some(bytes)) if named.index_name.is_none() => {
                    *seen.toast.entry(id).or_default() += bytes;
                }
                _ => {}
            }
        }
        seen.seams.sort_by_key(|seam| seam.to);
        Ok(seen)
    }

    /// The seam that growth from a sample on goes up to, or else begins at, and that in words.
    pub(super) fn note(&self, from: &SampleHeader) -> Option<(Timestamp, String)> {
        let is_newer = |seam: &&Seam| seam.to.as_second() > from.sampled_at.as_second();
        let (seam, what) = match self.seams.iter().find(is_newer) {
            Some(seam) => (
                seam,
                "this is up to there, as there is one newer sample yet",
            ),
            None => (self.seams.last()?, "this is from there on"),
        };
        let note = capitalized(&format!("{}: {what}", not_compared(seam.to)));
        Some((seam.to, note))
    }

    #[cfg(test)]
    pub(super) fn with_toast(table: RelationId, bytes: u64) -> Self {
        Self {
            toast: HashMap::from([(table, bytes)]),
            ..Self::default()
        }
    }

    /// Of indexes, from what is known of them at each end.
    pub(super) fn add_indexes(&mut self, all: &Difference) {
        for growth in all.growth.iter().filter(|growth| !is_covered(growth)) {
            if let Some(bytes) = growth.after.and_then(|sizes| sizes.heap_bytes) {
                *self.indexes.entry(growth.name.clone()).or_default() += bytes;
            }
        }
    }

    /// What heap, toast and indexes of a table grew by; together what the table grew by.
    pub(super) fn parts(&self, growth: &Growth) -> [i64; 3] {
        // A table that was never measured counts as nothing, and so do its parts.
        let of = |sizes: Option<Sizes>| match sizes
            .and_then(|sizes| Some((sizes.heap_bytes?, sizes)))
        {
            None => [0; 3],
            Some((heap, sizes)) => [heap, sizes.all_toast_bytes(), sizes.index_bytes].map(signed),
        };
        let (before, after) = (of(growth.before), of(growth.after));
        let mut parts = [0, 1, 2].map(|part| after[part] - before[part]);
        if growth.before.is_some() {
            let seen = |bytes: Option<&u64>| bytes.map_or(0, |bytes| signed(*bytes));
            parts[1] -= seen(self.toast.get(&growth.id));
            parts[2] -= seen(self.indexes.get(&growth.name));
        }
        parts
    }
}

/// Tables of some kinds of which only one sample knows a size; where another tool measured, also those that only one
/// sample shows.
pub(super) fn uncovered(all: &Difference, kinds: &Kinds) -> u64 {
    let is_foreign = all.from.is_imported || all.to.is_imported;
    let is_uncovered = |growth: &&Growth| {
        let is_asked = matches!(growth.kind, RelationKind::Table(kind) if kinds.include(kind));
        is_asked && !(is_covered(growth) && (!is_foreign || is_on_both_sides(growth)))
    };
    all.growth.iter().filter(is_uncovered).count() as u64
}

/// Whether both samples show it.
pub(super) const fn is_on_both_sides(growth: &Growth) -> bool {
    growth.before.is_some() && growth.after.is_some()
}

/// Why nobody can tell what belongs to no relation, where that is so.
pub(super) fn not_told_apart(from: &SampleHeader, to: &SampleHeader) -> Option<String> {
    if from.is_imported || to.is_imported {
        return Some("another tool measured, and who knows what it covered".to_owned());
    }
    if from.total_bytes.is_none() || to.total_bytes.is_none() {
        return Some("the size of the database is not known in both samples".to_owned());
    }
    let unread = from.unread_count.max(to.unread_count);
    (unread > 0).then(|| {
        format!(
            "{} could not be read, and may have grown instead",
            counted(unread, "relation or part")
        )
    })
}

pub(super) fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().map(char::to_uppercase);
    first
        .into_iter()
        .flatten()
        .chain(letters)
        .chain(['.'])
        .collect()
}
