//! What can be asked of a history: series, the state at a time, the difference between two times.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use plimsoll_core::change::{Event, EventKind, RelationId, RelationKind, Sizes};
use plimsoll_core::name::{Letters, read_table};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::size::signed;
use plimsoll_core::snapshot::TableKind;

use crate::Step;

/// A table's raw name, with its schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName {
    /// `pg_namespace.nspname`.
    pub schema_name: String,
    /// `pg_class.relname`.
    pub table_name: String,
}

impl TableName {
    /// A table's name.
    pub fn new(schema_name: impl Into<String>, table_name: impl Into<String>) -> Self {
        Self {
            schema_name: schema_name.into(),
            table_name: table_name.into(),
        }
    }

    /// Its key in `table_sizes`, as a server of major version `major` quotes it.
    pub fn key(&self, major: u32) -> String {
        plimsoll_core::name::table_key(&self.schema_name, &self.table_name, major)
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema_name, self.table_name)
    }
}

/// A text that names no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no table's name: write table, schema.table, or \"Quoted\".\"Names\"")]
pub struct TableNameError(pub String);

impl FromStr for TableName {
    type Err = TableNameError;

    /// Reads a key of `table_sizes`: `table` in `public`, `schema.table` elsewhere, quotes where
    /// there are any. Letters are taken as they are: `Orders` without quotes is `"Orders"` too.
    fn from_str(text: &str) -> Result<Self, TableNameError> {
        let (schema, table) =
            read_table(text, Letters::Keep).ok_or_else(|| TableNameError(text.to_owned()))?;
        Ok(Self::new(
            schema.unwrap_or_else(|| "public".to_owned()),
            table,
        ))
    }
}

/// Which samples a series is read at.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SeriesQuery {
    /// Of which kinds; empty means all.
    pub kinds: Vec<SampleKind>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// Not newer than this.
    pub until: Option<Timestamp>,
    /// The last one of each hour or day only.
    pub step: Step,
}

/// One point of a series, oldest first in every series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// The sample's id.
    pub sample_id: i64,
    /// When the sample was taken.
    pub sampled_at: Timestamp,
    /// Why it was taken.
    pub kind: SampleKind,
    /// The sizes. Of several tables their sum: without `heap_bytes` where one of them was never measured.
    pub sizes: Sizes,
    /// How many tables the sum is over.
    pub tables: u32,
    /// How many of them were never measured until then.
    pub unmeasured: u32,
    /// Whether a part of it could not be measured then, and stands at its last good value.
    pub is_last_good: bool,
    /// Whether another tool measured it: its size is known, and not what that is made of.
    pub is_imported: bool,
}

impl Point {
    /// Heap, toast and indexes; `None` while a part of the sum was never measured.
    pub fn total_bytes(&self) -> Option<u64> {
        self.sizes.total_bytes()
    }
}

/// The series of one table, of each of its indexes, and what happened to them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSeries {
    /// Its name now, or its last one.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// Whether the newest sample no longer shows it.
    pub is_gone: bool,
    /// Its sizes at each sample that shows it.
    pub points: Vec<Point>,
    /// Its indexes, present ones first.
    pub indexes: Vec<IndexSeries>,
    /// What happened to it and its indexes, oldest first.
    pub events: Vec<NamedEvent>,
}

/// What of a table lies in some place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The table.
    pub table: TableName,
    /// Whether its heap, with its toast table, does.
    pub has_heap: bool,
    /// Which of its indexes do.
    pub indexes: Vec<String>,
}

/// The sum of what lies in some place.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredSeries {
    /// Bytes at each sample, from the first at which any of it was measured.
    pub points: Vec<plimsoll_core::forecast::Point>,
    /// What happened to the heaps and the indexes that lie there, oldest first.
    pub events: Vec<NamedEvent>,
}

/// The series of one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexSeries {
    /// Its name now, or its last one.
    pub index_name: String,
    /// Whether the newest sample no longer shows it.
    pub is_gone: bool,
    /// Its sizes at each sample that shows it: only `heap_bytes` is of use.
    pub points: Vec<Point>,
}

/// The series of a partitioned table or an inheritance tree as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetSeries {
    /// The name of its root.
    pub name: TableName,
    /// The sum over everything that belonged to it at each sample.
    pub points: Vec<Point>,
    /// Everything that belongs to it or did, on every level, the root too where it has bytes of its
    /// own; largest first.
    pub members: Vec<SetMember>,
    /// What happened to any of them, oldest first.
    pub events: Vec<NamedEvent>,
}

/// A table that belongs to a set, or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetMember {
    /// Its name now, or its last one.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// Whether it still belongs to the set.
    pub is_member: bool,
    /// Its sizes at the last sample at which it belonged to the set.
    pub sizes: Sizes,
}

/// Every table as one sample saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The sample.
    pub sample: SampleHeader,
    /// Its tables, largest first.
    pub tables: Vec<TableState>,
}

/// A table as one sample saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    /// Its id in the history.
    pub id: RelationId,
    /// Its name then.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// The table that it was a partition of, or inherited from.
    pub parent: Option<RelationId>,
    /// Its sizes; without `heap_bytes` where it was never measured.
    pub sizes: Sizes,
    /// Since when a part of it could not be measured, where that was so: the time of the last good
    /// value.
    pub last_good_at: Option<Timestamp>,
}

/// What changed between two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DifferenceQuery {
    /// From the state at this time: the last sample not after it, or else the first one there is.
    pub from: Timestamp,
    /// To the state at this time.
    pub to: Timestamp,
    /// Tables of these kinds; empty means tables and materialized views.
    pub kinds: Vec<TableKind>,
    /// Each index instead of each table.
    pub indexes: bool,
    /// Only so many, those that grew most.
    pub limit: Option<usize>,
}

/// What changed between two samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The earlier sample.
    pub from: SampleHeader,
    /// The later sample.
    pub to: SampleHeader,
    /// What changed, what grew most first. What did not change in size is left out.
    pub growth: Vec<Growth>,
    /// How many changed in all.
    pub total: usize,
}

/// How one table or index changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// Its id in the history.
    pub id: RelationId,
    /// The table's name now, or its last one.
    pub name: TableName,
    /// The index, where it is about one.
    pub index_name: Option<String>,
    /// What it is.
    pub kind: RelationKind,
    /// The table that it is a partition of, or inherits from.
    pub parent: Option<RelationId>,
    /// Its sizes at the earlier sample; `None` where it was not there yet.
    pub before: Option<Sizes>,
    /// Its sizes at the later sample; `None` where it was there no more.
    pub after: Option<Sizes>,
}

impl Growth {
    /// Bytes by which it grew; negative where it shrank. What was never measured counts as 0.
    pub fn bytes(&self) -> i64 {
        let bytes =
            |sizes: Option<Sizes>| signed(sizes.and_then(|sizes| sizes.total_bytes()).unwrap_or(0));
        bytes(self.after) - bytes(self.before)
    }
}

/// An event with the name of what it happened to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedEvent {
    /// What happened.
    pub event: Event,
    /// The table's name now, or its last one; `None` for the whole database.
    pub table: Option<TableName>,
    /// The index, where it happened to one.
    pub index_name: Option<String>,
}

/// Which events to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventQuery {
    /// Of this table and its indexes only.
    pub table: Option<TableName>,
    /// Of these kinds; empty means all.
    pub kinds: Vec<EventKind>,
    /// Which ended not before this.
    pub since: Option<Timestamp>,
    /// At most so many, newest first; all when `None`.
    pub limit: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_table_sizes_are_read_back() {
        for (schema, table) in [
            ("public", "events"),
            ("sales", "events"),
            ("public", "Weird.Na\"me é"),
            ("a.b", "c"),
            ("a", "b.c"),
            ("public", "\""),
            ("público", "🦀"),
        ] {
            let name = TableName::new(schema, table);
            assert_eq!(name.key(18).parse(), Ok(name));
        }
        assert_eq!("Orders".parse(), Ok(TableName::new("public", "Orders")));
        for wrong in [
            "", ".", "a.", ".a", "a.b.c", "\"a", "\"a\"b", "a\"b", "\"\"",
        ] {
            assert!(wrong.parse::<TableName>().is_err(), "{wrong}");
        }
    }
}
