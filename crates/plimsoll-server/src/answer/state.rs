//! Every table as it was at a past time.

use jiff::Timestamp;
use plimsoll_core::change::Sizes;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size_text;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{DatabaseKey, State, TableState};
use serde::Serialize;
use utoipa::ToSchema;

use super::{chunks, schema};
use crate::ask::params::{AT, KIND, LIMIT};
use crate::ask::{Ask, Given, Kinds, Param, Refused};

/// What is asked of a past state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateQuery {
    /// At this time.
    pub at: Timestamp,
    /// At most so many tables, largest first; all of them when absent.
    pub limit: Option<usize>,
    /// Only these kinds.
    pub kinds: Kinds,
}

impl Ask for StateQuery {
    fn params() -> Vec<&'static Param> {
        vec![&AT, &LIMIT, &KIND]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok(Self {
            at: given.time(&AT)?.unwrap_or(given.now()),
            limit: given.number(&LIMIT)?,
            kinds: given.word(&KIND)?,
        })
    }
}

/// A database's tables as one sample saw them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StateAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// The sample: the last one not after the time that was asked for, or else the first one.
    pub sample_id: i64,
    /// When it was taken.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub sampled_at: Timestamp,
    /// Why it was taken.
    #[schema(schema_with = schema::sample_kind)]
    pub kind: SampleKind,
    /// `pg_database_size` then; null where it was not known.
    pub total_bytes: Option<u64>,
    /// `total_bytes` as `pg_size_pretty` prints it.
    pub total_human: Option<String>,
    /// Its tables, largest first.
    pub tables: Vec<TableStateAnswer>,
    /// How many there are without a limit; null where another tool told the total alone.
    pub tables_total: Option<u64>,
}

/// A table as one sample saw it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableStateAnswer {
    /// The table's name then, raw.
    pub table_name: String,
    /// Its schema's name then, raw.
    pub schema_name: String,
    /// What kind of relation it is.
    #[schema(schema_with = schema::table_kind)]
    pub kind: TableKind,
    /// Heap, toast and indexes; null where it was never measured.
    pub size_bytes: Option<u64>,
    /// `size_bytes` as `pg_size_pretty` prints it.
    pub size_human: Option<String>,
    /// The table itself; null where it was never measured, or another tool did, and who knows what of it.
    pub heap_bytes: Option<u64>,
    /// Its toast table with that one's index; null where `heap_bytes` is.
    pub toast_bytes: Option<u64>,
    /// Its indexes; null where `heap_bytes` is.
    pub index_bytes: Option<u64>,
    /// Live rows, as the server's statistics said.
    pub row_count: Option<u64>,
    /// The time of the last good value, where a part could not be measured.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub last_good_at: Option<Timestamp>,
}

/// A past state as JSON, piece by piece.
pub fn into_json(
    of: &DatabaseKey,
    state: State,
    kinds: &Kinds,
    limit: Option<usize>,
) -> Result<impl Iterator<Item = Result<Vec<u8>, serde_json::Error>> + use<>, serde_json::Error> {
    let mut tables = state.tables;
    tables.retain(|table| kinds.include(table.kind));
    let head = StateAnswer {
        instance: of.instance.clone(),
        database: of.database.clone(),
        sample_id: state.sample.id,
        sampled_at: state.sample.sampled_at,
        kind: state.sample.kind,
        total_bytes: state.sample.total_bytes,
        total_human: state.sample.total_bytes.map(size_text::pretty),
        tables: Vec::new(),
        tables_total: state.sample.table_count.map(|_| tables.len() as u64),
    };
    let is_imported = state.sample.is_imported;
    let rows = tables
        .into_iter()
        .take(limit.unwrap_or(usize::MAX))
        .map(move |one| table(one, is_imported));
    chunks::with_rows(&head, "tables", rows)
}

/// Heap, toast with its index, and indexes, where it is known what a size is made of.
pub(super) fn parts(sizes: &Sizes, is_imported: bool) -> [Option<u64>; 3] {
    let Some(heap_bytes) = sizes.heap_bytes.filter(|_| !is_imported) else {
        return [None; 3];
    };
    [heap_bytes, sizes.all_toast_bytes(), sizes.index_bytes].map(Some)
}

fn table(table: TableState, is_imported: bool) -> TableStateAnswer {
    let size_bytes = table.sizes.total_bytes();
    let [heap_bytes, toast_bytes, index_bytes] = parts(&table.sizes, is_imported);
    TableStateAnswer {
        table_name: table.name.table_name,
        schema_name: table.name.schema_name,
        kind: table.kind,
        size_bytes,
        size_human: size_bytes.map(size_text::pretty),
        heap_bytes,
        toast_bytes,
        index_bytes,
        row_count: table.sizes.row_count,
        last_good_at: table.last_good_at,
    }
}
