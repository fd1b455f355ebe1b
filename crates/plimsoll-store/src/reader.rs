//! The reads that the history's questions need of a store.
//!
//! Queries are worked out once for both stores, in `queries`, over these.

use jiff::Timestamp;
use plimsoll_core::change::{RelationId, RelationKind, Sizes};
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::snapshot::TableKind;

use crate::StoreError;
use crate::history::{SeriesQuery, TableName};
pub(crate) use crate::keys::Keys;
use crate::rows::Transaction;
use crate::series::{Interval, Tick, Value};

/// A relation as `relations` has it.
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub(crate) id: RelationId,
    pub(crate) kind: RelationKind,
    pub(crate) owner: Option<RelationId>,
    pub(crate) schema_name: String,
    pub(crate) relation_name: String,
    pub(crate) parent: Option<RelationId>,
    pub(crate) first_tick: i64,
    pub(crate) gone_tick: Option<i64>,
}

impl Relation {
    /// Its name now, or its last one.
    pub(crate) fn name(&self) -> TableName {
        TableName::new(&*self.schema_name, &*self.relation_name)
    }

    /// From when to when samples show it.
    pub(crate) fn exists(&self) -> Interval {
        Interval {
            from: self.first_tick,
            until: self.gone_tick.unwrap_or(i64::MAX),
        }
    }

    pub(crate) fn table_kind(&self) -> Option<TableKind> {
        match self.kind {
            RelationKind::Table(kind) => Some(kind),
            RelationKind::Index => None,
        }
    }
}

/// What a relation was called, and belonged to, before a tick.
#[derive(Debug, Clone)]
pub(crate) struct FormerName {
    pub(crate) id: RelationId,
    pub(crate) until: i64,
    pub(crate) schema_name: String,
    pub(crate) relation_name: String,
    pub(crate) parent: Option<RelationId>,
}

/// A part that could not be measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnreadPart {
    pub(crate) id: RelationId,
    pub(crate) interval: Interval,
    pub(crate) last_good_at: Option<Timestamp>,
}

/// Which relations.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Which<'a> {
    /// Tables with this name now, or before.
    Named(&'a TableName),
    /// Of these ids.
    Ids(&'a [RelationId]),
    /// The indexes of a table.
    IndexesOf(RelationId),
    /// The indexes of some tables.
    IndexesOfAny(&'a [RelationId]),
    /// The tables directly below some tables.
    ChildrenOf(&'a [RelationId]),
    /// Tables that have a parent, or had one.
    WithParent,
    /// Tables in this schema, now or before.
    InSchema(&'a str),
    /// All that are not indexes.
    Tables,
    /// At most so many of those that are not indexes, with ids above this one, in their order.
    After(RelationId, usize),
}

/// Which relations' rows: those of these ids, or all of the database.
pub(crate) type Ids<'a> = Option<&'a [RelationId]>;

/// The reads that each store implements. All are of one state of the store.
pub(crate) trait Reader {
    type Error: From<StoreError>;

    /// For the kinds of rows that both stores read alike.
    fn rows(&self) -> &dyn Transaction;

    /// The samples that match, in the order of their ticks.
    fn ticks(
        &self,
        of: Keys,
        query: &SeriesQuery,
    ) -> impl Future<Output = Result<Vec<Tick>, Self::Error>>;
    /// The last sample not after a time, or else the first one, with its tick; and whether it is the
    /// newest.
    fn sample_at(
        &self,
        of: Keys,
        at: Timestamp,
    ) -> impl Future<Output = Result<Option<(SampleHeader, i64, bool)>, Self::Error>>;
    fn relations(
        &self,
        of: Keys,
        which: Which<'_>,
    ) -> impl Future<Output = Result<Vec<Relation>, Self::Error>>;
    /// Relations that have a parent, or had one to their end, with it.
    fn parents(
        &self,
        of: Keys,
    ) -> impl Future<Output = Result<Vec<(RelationId, RelationId)>, Self::Error>>;
    /// The values that count from a tick on that is not after `last`, in the order of ids and ticks. A store that
    /// keeps values apart by their ticks looks nowhere else.
    fn table_values(
        &self,
        of: Keys,
        ids: Ids<'_>,
        last: i64,
    ) -> impl Future<Output = Result<Vec<Value>, Self::Error>>;
    /// As [`Self::table_values`].
    fn index_values(
        &self,
        of: Keys,
        ids: &[RelationId],
        last: i64,
    ) -> impl Future<Output = Result<Vec<Value>, Self::Error>>;
    /// The tables of some kinds that were there at a tick, with their values then, in the order of
    /// ids; one that was never measured has none.
    fn tables_at(
        &self,
        of: Keys,
        tick: Option<i64>,
        kinds: &[TableKind],
    ) -> impl Future<Output = Result<Vec<(RelationId, Sizes)>, Self::Error>>;
    /// What differs in size between two ticks, of tables of some kinds or of indexes. What was never
    /// measured counts as 0. The newest state has the tick `i64::MAX`.
    fn changed(
        &self,
        of: Keys,
        ticks: (i64, i64),
        what: Compared<'_>,
    ) -> impl Future<Output = Result<Vec<SizeChange>, Self::Error>>;
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Compared<'a> {
    /// Tables of these kinds.
    Tables(&'a [TableKind]),
    /// All indexes.
    Indexes,
}

/// A relation whose size differs between two ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SizeChange {
    pub(crate) id: RelationId,
    /// `None`: not there yet.
    pub(crate) before_bytes: Option<i64>,
    /// `None`: there no more.
    pub(crate) after_bytes: Option<i64>,
}

impl SizeChange {
    /// Bytes by which it grew.
    pub(crate) fn grown(&self) -> i64 {
        self.after_bytes.unwrap_or(0) - self.before_bytes.unwrap_or(0)
    }
}
