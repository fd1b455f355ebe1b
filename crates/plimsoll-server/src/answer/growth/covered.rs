//! What of a growth both samples looked at, in one measure.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::change::{Event, EventKind, RelationId, RelationKind, Sizes};
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::size::signed;
use plimsoll_store::{
    DatabaseKey, Difference, DifferenceQuery, EventQuery, Growth, Store, StoreError, TableName,
};

use crate::ask::Kinds;

/// Where another tool's history ends, and Plimsoll's begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seam {
    /// The last sample of the other tool.
    from: Timestamp,
    /// The first of Plimsoll, to the second.
    pub(super) to: Timestamp,
}

impl Seam {
    /// Any time from the first own sample on, and before the second.
    fn after(self) -> Timestamp {
        let second = SignedDuration::from_secs(1);
        self.to.checked_add(second).unwrap_or(self.to)
    }
}

/// What came into sight between the samples, and is no growth.
#[derive(Debug, Default)]
pub(super) struct InSight {
    /// The last seam between them.
    pub(super) seam: Option<Seam>,
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
            // to the second, which is what a seam is known to
            let is_between = to.as_second() > between.from.sampled_at.as_second()
                && to.as_second() <= between.to.sampled_at.as_second();
            if !is_between {
                continue;
            }
            match (relation, named.event.bytes_before, named.event.bytes_after) {
                (None, ..) if seen.seam.is_none_or(|seam| seam.to < to) => {
                    seen.seam = Some(Seam { from, to });
                }
                (Some(id), None, Some(bytes)) if named.index_name.is_none() => {
                    *seen.toast.entry(id).or_default() += bytes;
                }
                _ => {}
            }
        }
        Ok(seen)
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

/// The difference on one side of a seam: what Plimsoll measured where that is two samples, or else what the other
/// tool did. None where neither has two.
pub(super) async fn on_one_side(
    store: &dyn Store,
    of: &DatabaseKey,
    ask: &DifferenceQuery,
    seam: Seam,
) -> Result<Option<Difference>, StoreError> {
    // where the seam is known to the second only, its time is before the sample's
    let own = [seam.to, seam.after()].map(|from| DifferenceQuery {
        from,
        ..ask.clone()
    });
    let others = DifferenceQuery {
        to: seam.from,
        ..ask.clone()
    };
    for ask in own.into_iter().chain([others]) {
        let found = store.difference(of, &ask).await?;
        let is_one_measure = |found: &Difference| {
            found.from.id != found.to.id && found.from.is_imported == found.to.is_imported
        };
        if let Some(found) = found.filter(is_one_measure) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Whether both samples know a size, or know that there was none.
pub(super) fn is_covered(growth: &Growth) -> bool {
    let never_measured = |sizes: Option<Sizes>| sizes.map(|sizes| sizes.total_bytes().is_none());
    match (never_measured(growth.before), never_measured(growth.after)) {
        (Some(before), Some(after)) => before == after,
        _ => true,
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

/// Why growth does not go across a seam.
pub(super) fn not_compared(seam: Timestamp, what: &str) -> String {
    format!(
        "what is older than {} UTC was measured by another tool and is not compared with what Plimsoll measures: {what}",
        seam.strftime("%Y-%m-%d %H:%M")
    )
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
        format!("{unread} relations or parts of them could not be read, and may have grown instead")
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
