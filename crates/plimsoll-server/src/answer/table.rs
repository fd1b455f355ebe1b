//! Where one table's bytes are, and how they came there.

use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::name::table_key;
use plimsoll_core::size::{Size, SizeSource, Status};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::{Persistence, RowCountSource, Snapshot, Table, TableKind};
use serde::Serialize;
use utoipa::ToSchema;

use super::events::EventAnswer;
use super::schema;
use super::series::{IndexPointAnswer, PointAnswer, SeriesAnswer};
use super::visit::{Currency, VisitErrorAnswer};

/// One table's parts and history.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableBreakdown {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// The table's name, raw.
    pub table_name: String,
    /// Its schema's name, raw.
    pub schema_name: String,
    /// Its key in `table_sizes`.
    pub table_key: String,
    /// `pg_class.oid`.
    #[schema(value_type = Option<u32>)]
    pub oid: Option<Oid>,
    /// What kind of relation it is.
    #[schema(schema_with = schema::table_kind)]
    pub kind: TableKind,
    /// Whether it is logged.
    #[schema(schema_with = schema::persistence_or_null)]
    pub persistence: Option<Persistence>,
    /// `pg_am.amname`.
    pub access_method: Option<String>,
    /// Its tablespace's name, where it has storage and the name is known.
    pub tablespace: Option<String>,
    /// As `pg_total_relation_size`.
    pub size: PartAnswer,
    /// All forks of the table itself.
    pub heap: PartAnswer,
    /// Its toast table with that one's index; null without one.
    pub toast: Option<PartAnswer>,
    /// Its indexes, largest first.
    pub indexes: Vec<IndexAnswer>,
    /// Live rows, as the server's statistics say.
    pub row_count: Option<u64>,
    /// Where `row_count` comes from.
    #[schema(schema_with = schema::row_count_source)]
    pub row_count_source: RowCountSource,
    /// Rows that were deleted or replaced and whose space is not free yet.
    pub dead_rows: Option<u64>,
    /// The table that it is a partition of or inherits from, as its key in `table_sizes`.
    pub parent: Option<String>,
    /// Whether only its name tells that: a compressed chunk of TimescaleDB, where its catalog may not be read.
    pub parent_by_name: bool,
    /// The tables directly below it, largest first.
    pub children: Vec<ChildAnswer>,
    /// Its sizes over time, oldest first.
    pub series: Vec<PointAnswer>,
    /// For a parent: the sizes of itself and all below it as one. Else null.
    pub set_series: Option<Vec<PointAnswer>>,
    /// What happened to it, its indexes and what is below it, and is not growth; oldest first.
    pub events: Vec<EventAnswer>,
    /// When the visit began; see `/api/storage/sizes`.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Timestamp,
    /// Whether a visit is under way that will tell more.
    pub refreshing: bool,
    /// Why the last visit failed, if it did.
    pub visit_error: Option<VisitErrorAnswer>,
    /// Why series and events are missing, where the store did not say in time.
    pub history_error: Option<String>,
}

/// Some bytes, and how far they can be trusted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PartAnswer {
    /// Null when nothing is known.
    pub size_bytes: Option<u64>,
    /// `size_bytes` as `pg_size_pretty` prints it.
    pub size_human: Option<String>,
    /// Why the number is or is not a measured one.
    #[schema(schema_with = schema::status_or_null)]
    pub status: Option<Status>,
    /// What the number is.
    #[schema(schema_with = schema::size_source)]
    pub size_source: SizeSource,
    /// When a last good value was measured.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub last_good_at: Option<Timestamp>,
}

/// One index.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IndexAnswer {
    /// Its name, raw.
    pub index_name: String,
    /// `pg_am.amname`.
    pub access_method: Option<String>,
    /// False while it is built, and for what a failed CREATE INDEX CONCURRENTLY left.
    pub is_valid: Option<bool>,
    /// Its bytes.
    pub size: PartAnswer,
    /// Its sizes over time, oldest first.
    pub series: Vec<IndexPointAnswer>,
}

/// A table below another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChildAnswer {
    /// The table's name, raw.
    pub table_name: String,
    /// Its schema's name, raw.
    pub schema_name: String,
    /// What kind of relation it is.
    #[schema(schema_with = schema::table_kind)]
    pub kind: TableKind,
    /// Its bytes.
    pub size: PartAnswer,
}

impl From<&Size> for PartAnswer {
    fn from(size: &Size) -> Self {
        Self {
            size_bytes: size.bytes,
            size_human: size.bytes.map(size_text::pretty),
            status: Some(size.status),
            size_source: size.source,
            last_good_at: size.last_good_at.map(Into::into),
        }
    }
}

/// The parts of a table, without its history; none if the snapshot has no such table.
pub fn breakdown(
    snapshot: &Snapshot,
    (schema, name): (&str, &str),
    currency: Currency,
) -> Option<TableBreakdown> {
    let fits = |table: &&Table| *table.schema_name == *schema && *table.table_name == *name;
    let table = snapshot.tables.iter().find(fits)?;
    let key = |t: &Table| table_key(&t.schema_name, &t.table_name, snapshot.server.major());
    let mut indexes: Vec<_> = table
        .indexes
        .iter()
        .map(|index| IndexAnswer {
            index_name: index.index_name.to_string(),
            access_method: Some(index.access_method.to_string()),
            is_valid: Some(index.is_valid),
            size: PartAnswer::from(&index.storage.size),
            series: Vec::new(),
        })
        .collect();
    indexes.sort_by(|a, b| {
        (b.size.size_bytes, &a.index_name).cmp(&(a.size.size_bytes, &b.index_name))
    });
    let mut children: Vec<_> = snapshot
        .tables
        .iter()
        .filter(|child| child.parent_oid == Some(table.oid))
        .map(|child| ChildAnswer {
            table_name: child.table_name.to_string(),
            schema_name: child.schema_name.to_string(),
            kind: child.kind,
            size: PartAnswer::from(&child.size()),
        })
        .collect();
    children.sort_by(|a, b| {
        (b.size.size_bytes, &a.schema_name, &a.table_name).cmp(&(
            a.size.size_bytes,
            &b.schema_name,
            &b.table_name,
        ))
    });
    let tablespace = snapshot
        .facts
        .tablespaces
        .each()
        .iter()
        .find(|space| space.oid == table.heap.tablespace)
        .map(|space| space.name.clone());
    Some(TableBreakdown {
        instance: snapshot.instance.to_string(),
        database: snapshot.database.to_string(),
        table_name: table.table_name.to_string(),
        schema_name: table.schema_name.to_string(),
        table_key: key(table),
        oid: Some(table.oid),
        kind: table.kind,
        persistence: Some(table.persistence),
        access_method: table.access_method.as_deref().map(str::to_owned),
        tablespace,
        size: PartAnswer::from(&table.size()),
        heap: PartAnswer::from(&table.heap.size),
        toast: table
            .toast
            .is_some()
            .then(|| PartAnswer::from(&table.toast_size())),
        indexes,
        row_count: table.rows.count,
        row_count_source: table.rows.source,
        dead_rows: table.rows.dead,
        parent: table
            .parent_oid
            .and_then(|parent| snapshot.tables.iter().find(|t| t.oid == parent))
            .map(key),
        parent_by_name: table.parent_by_name,
        children,
        series: Vec::new(),
        set_series: None,
        events: Vec::new(),
        measured_at: snapshot.measured_at,
        refreshing: currency.refreshing,
        visit_error: currency.visit_error,
        history_error: None,
    })
}

impl TableBreakdown {
    /// Adds what the history knows of the table.
    pub fn add_history(&mut self, history: SeriesAnswer) {
        self.series = history.points;
        self.set_series = history.set_points;
        self.events = history.events;
        for known in history.indexes.into_iter().filter(|index| !index.is_gone) {
            if let Some(index) = self
                .indexes
                .iter_mut()
                .find(|i| i.index_name == known.index_name)
            {
                index.series = known.points;
            }
        }
    }
}
