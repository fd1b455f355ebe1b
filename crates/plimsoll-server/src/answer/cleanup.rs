//! Cleanup as far as there is any: what tables hold, and past runs.

use jiff::Timestamp;
use plimsoll_core::snapshot::{RowCountSource, Snapshot};
use plimsoll_store::CleanupRun;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::ask::params::RUNS_LIMIT;
use crate::ask::{Ask, Given, Param, Refused};

/// Row counts of each table.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CleanupStats {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// Its tables, most rows first.
    pub tables: Vec<CleanupTable>,
    /// Rows of all tables whose count is known.
    pub total_rows: u64,
    /// When the visit began.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Timestamp,
}

/// What one table holds.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CleanupTable {
    /// The table's name, raw.
    pub table_name: String,
    /// Its schema's name, raw.
    pub schema_name: String,
    /// Live rows, as the server's statistics say.
    pub row_count: Option<u64>,
    /// Where `row_count` comes from.
    #[schema(schema_with = schema::row_count_source)]
    pub row_count_source: RowCountSource,
    /// Rows that were deleted or replaced and whose space is not free yet.
    pub dead_rows: Option<u64>,
}

/// Which past runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsQuery {
    /// At most so many, newest first.
    pub limit: usize,
}

impl Ask for RunsQuery {
    fn params() -> Vec<&'static Param> {
        vec![&RUNS_LIMIT]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok(Self {
            limit: given.number(&RUNS_LIMIT)?.unwrap_or(usize::MAX),
        })
    }
}

/// Past runs, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CleanupHistory {
    /// The runs.
    pub runs: Vec<CleanupRunAnswer>,
    /// How many there are without the limit.
    pub total: u64,
}

/// One past run.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CleanupRunAnswer {
    /// Unique within the store.
    pub id: i64,
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// When it began.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub started_at: Timestamp,
    /// When it ended; null while it is under way.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub finished_at: Option<Timestamp>,
    /// `running`, `ok`, `failed` or `cancelled`.
    pub outcome: String,
    /// Rows deleted by table, with the tables' keys as in `table_sizes`.
    pub rows_deleted: std::collections::BTreeMap<String, u64>,
    /// What failed.
    pub error: Option<String>,
}

/// Row counts from a snapshot.
pub fn stats(snapshot: &Snapshot) -> CleanupStats {
    let mut tables: Vec<_> = snapshot
        .tables
        .iter()
        .filter(|table| table.kind == plimsoll_core::snapshot::TableKind::Table)
        .map(|table| CleanupTable {
            table_name: table.table_name.to_string(),
            schema_name: table.schema_name.to_string(),
            row_count: table.rows.count,
            row_count_source: table.rows.source,
            dead_rows: table.rows.dead,
        })
        .collect();
    tables.sort_by(|a, b| {
        b.row_count
            .cmp(&a.row_count)
            .then_with(|| (&a.schema_name, &a.table_name).cmp(&(&b.schema_name, &b.table_name)))
    });
    CleanupStats {
        instance: snapshot.instance.to_string(),
        database: snapshot.database.to_string(),
        total_rows: tables.iter().filter_map(|table| table.row_count).sum(),
        tables,
        measured_at: snapshot.measured_at,
    }
}

/// A past run as answers show it.
pub fn run(run: CleanupRun) -> CleanupRunAnswer {
    CleanupRunAnswer {
        id: run.id,
        instance: run.of.instance,
        database: run.of.database,
        started_at: run.started_at,
        finished_at: run.finished_at,
        outcome: run.outcome,
        rows_deleted: run.rows_deleted.into_iter().collect(),
        error: run.error,
    }
}
