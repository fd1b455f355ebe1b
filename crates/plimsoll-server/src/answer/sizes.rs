//! The sizes of a database's tables, from its latest snapshot.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::size::{SizeSource, Status};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::{Cost, Method, RowCountSource, Snapshot, Table, TableKind, Totals};
use plimsoll_store::TableName;
use serde::Serialize;
use utoipa::ToSchema;

use super::chunks;
use super::schema;
use super::visit::{Currency, VisitErrorAnswer};
use crate::ask::params::{IN_SCHEMA, KIND, LIMIT, OFFSET, ONLY_TABLE, SEARCH, SORT};
use crate::ask::{Ask, Given, Kinds, Param, Refused, Sort};
use crate::selection::tree::{self, SetSum};
use crate::selection::{TableFilter, Unknown};

/// What is asked of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SizesQuery {
    /// At most so many tables; all of them when absent.
    pub limit: Option<usize>,
    /// Without the first so many.
    pub offset: usize,
    /// Only this table, and what is below it.
    pub table: Option<TableName>,
    /// Only tables of this schema.
    pub schema: Option<String>,
    /// Only tables in whose `schema.table` this text occurs, whatever its case.
    pub search: Option<String>,
    /// In this order.
    pub sort: Sort,
    /// Only these kinds.
    pub kinds: Kinds,
}

impl Ask for SizesQuery {
    fn params() -> Vec<&'static Param> {
        vec![
            &LIMIT,
            &OFFSET,
            &ONLY_TABLE,
            &IN_SCHEMA,
            &SEARCH,
            &SORT,
            &KIND,
        ]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        if given.has(&ONLY_TABLE) && given.has(&IN_SCHEMA) {
            return Err(Refused::both_table_and_schema(&IN_SCHEMA));
        }
        Ok(Self {
            limit: given.number(&LIMIT)?,
            offset: given.number(&OFFSET)?.unwrap_or(0),
            table: given.table(&ONLY_TABLE)?,
            schema: given.owned(&IN_SCHEMA)?,
            search: given.owned(&SEARCH)?.filter(|text| !text.is_empty()),
            sort: given.word(&SORT)?,
            kinds: given.word(&KIND)?,
        })
    }
}

/// How much tables grew since a sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// When that sample was taken.
    pub since: Timestamp,
    /// Sizes then, by key of `table_sizes`.
    pub before: HashMap<String, u64>,
}

/// The sizes of a database's tables.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SizesAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// Its tables, in the order that was asked for.
    pub tables: Vec<TableAnswer>,
    /// How many rows match, partitioned parents among them, whatever `limit` and `offset`. Null where another tool told
    /// the total alone.
    pub tables_total: Option<u64>,
    /// `pg_database_size`: the sum of attributed, unattributed and unmeasured bytes. Null where the server could
    /// not be asked, and where files are missing that it would have counted.
    pub total_bytes: Option<u64>,
    /// `total_bytes` as `pg_size_pretty` prints it.
    pub total_human: Option<String>,
    /// Bytes that have an owner, estimates included; null where `tables_total` is.
    pub attributed_bytes: Option<u64>,
    /// Of these, the estimates (last good values and `relpages`); null where they are.
    pub estimated_bytes: Option<u64>,
    /// Bytes that belong to no relation; null where they cannot be told apart from those that could not be read, and
    /// without a total.
    pub unattributed_bytes: Option<u64>,
    /// Why they cannot; null otherwise.
    pub unattributed_unknown: Option<String>,
    /// The unattributed bytes by cause; empty where the method cannot tell.
    pub unattributed: Vec<UnattributedAnswer>,
    /// Bytes of relations that could not be read, not told apart, and where `unattributed_bytes` is null what belongs to
    /// no relation; null without a total.
    pub unmeasured_bytes: Option<u64>,
    /// How the sizes were read.
    #[schema(schema_with = schema::method_or_null)]
    pub method: Option<Method>,
    /// When every relation was last read.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub full_sweep_at: Option<Timestamp>,
    /// When the visit began: the age is what the `Date` of the answer is later. Where no visit ended since
    /// the start, the sizes are those of the history's last sample, and what that does not say is null.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub measured_at: Timestamp,
    /// How long it took.
    pub took_ms: Option<u64>,
    /// Whether a visit is under way that will tell more.
    pub refreshing: bool,
    /// Why the last visit failed, if it did.
    pub visit_error: Option<VisitErrorAnswer>,
    /// Since when `growth_bytes` counts; null unless sorted by growth.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub growth_since: Option<Timestamp>,
    /// What the visit cost the server.
    pub cost: Option<CostAnswer>,
}

/// One table: its toast and indexes included, every byte once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableAnswer {
    /// The table's name, raw.
    pub table_name: String,
    /// Its schema's name, raw.
    pub schema_name: String,
    /// What kind of relation it is.
    #[schema(schema_with = schema::table_kind)]
    pub kind: TableKind,
    /// As `pg_total_relation_size`; null when nothing is known. 0 for a partitioned parent.
    pub size_bytes: Option<u64>,
    /// `size_bytes` as `pg_size_pretty` prints it.
    pub size_human: Option<String>,
    /// Live rows, as the server's statistics say.
    pub row_count: Option<u64>,
    /// Where `row_count` comes from.
    #[schema(schema_with = schema::row_count_source)]
    pub row_count_source: RowCountSource,
    /// All forks of the table itself.
    pub heap_bytes: Option<u64>,
    /// Its toast table with that one's index.
    pub toast_bytes: Option<u64>,
    /// Its indexes.
    pub index_bytes: Option<u64>,
    /// For a parent (of partitions or of plain inheritance): itself and all below it; null where one of them has no
    /// size. Else null.
    pub set_bytes: Option<u64>,
    /// For a parent, how many tables with bytes of their own belong to it, itself included. Else null.
    pub set_tables: Option<u64>,
    /// For a parent, how many of them belong to it as far as their names tell: compressed chunks of TimescaleDB, where
    /// its catalog may not be read. Else null.
    pub set_tables_by_name: Option<u64>,
    /// For a parent, why `set_bytes` is null.
    pub set_unknown: Option<String>,
    /// What it grew by since `growth_since`; null unless sorted by growth, and for a new table.
    pub growth_bytes: Option<i64>,
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

/// Bytes of the database's folder that belong to no relation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UnattributedAnswer {
    /// Why they belong to none.
    #[schema(schema_with = schema::unattributed_cause)]
    pub cause: plimsoll_core::snapshot::UnattributedCause,
    /// Their bytes.
    pub bytes: u64,
    /// How many files they are.
    pub files: u64,
    /// Some of them, as paths relative to the data directory.
    pub examples: Vec<String>,
}

/// What a visit cost the watched server.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CostAnswer {
    /// Statements sent.
    pub statements: u64,
    /// Connections opened.
    pub connections: u32,
    /// Milliseconds spent waiting for the server's answers.
    pub server_ms: u64,
    /// Most locks on user relations held at the moments the visit looked.
    pub user_relation_locks: u64,
    /// Largest memory of one backend.
    pub backend_memory_bytes: Option<u64>,
    /// Why `backend_memory_bytes` is null.
    pub backend_memory_unknown: Option<String>,
    /// Bytes of rows received.
    pub bytes_received: u64,
}

impl From<&Cost> for CostAnswer {
    fn from(cost: &Cost) -> Self {
        Self {
            statements: cost.statements,
            connections: cost.connections,
            server_ms: cost.server_ms,
            user_relation_locks: cost.user_relation_locks,
            backend_memory_bytes: cost.backend_memory_bytes,
            backend_memory_unknown: cost.backend_memory_unknown.clone(),
            bytes_received: cost.bytes_received,
        }
    }
}

/// A page of a snapshot's tables: which, and in which order. Rows are made when they are read.
#[derive(Debug, Clone)]
pub struct SizesPage {
    snapshot: Arc<Snapshot>,
    rows: Vec<usize>,
    tables_total: u64,
    sets: HashMap<Oid, SetSum>,
    growth: Option<Growth>,
    currency: Currency,
}

/// Selects and orders a snapshot's tables.
pub fn sizes(
    snapshot: &Arc<Snapshot>,
    query: &SizesQuery,
    growth: Option<Growth>,
) -> Result<SizesPage, Unknown> {
    let tables = &snapshot.tables;
    let only = TableFilter::find(query.table.as_ref(), query.schema.as_deref(), || {
        let named = tables
            .iter()
            .map(|table| (&*table.schema_name, &*table.table_name));
        tree::of_snapshot(snapshot)
            .zip(named)
            .map(|(node, (schema, table))| (node, schema, table))
    })?;
    let search = query.search.as_deref().map(str::to_lowercase);
    let mut rows: Vec<usize> = (0..tables.len())
        .filter(|&row| matches(&tables[row], query, &only, search.as_deref()))
        .collect();
    let tables_total = rows.len() as u64;
    let page = SizesPage {
        snapshot: Arc::clone(snapshot),
        rows: Vec::new(),
        tables_total,
        sets: tree::sets_of_snapshot(snapshot),
        growth,
        currency: Currency::default(),
    };
    let name = |row: usize| {
        (
            &*tables[row].schema_name,
            &*tables[row].table_name,
            tables[row].oid,
        )
    };
    let limit = query.limit.unwrap_or(usize::MAX);
    let wanted = query.offset.saturating_add(limit);
    match query.sort {
        Sort::Name => rows.sort_by_cached_key(|&row| {
            let (schema, table, oid) = name(row);
            (schema.to_owned(), table.to_owned(), oid)
        }),
        // None is the smallest value, so reversed it comes last.
        Sort::Size => by_number(
            &mut rows,
            wanted,
            |row| tables[row].size().bytes.map(i128::from),
            name,
        ),
        Sort::Rows => by_number(
            &mut rows,
            wanted,
            |row| tables[row].rows.count.map(i128::from),
            name,
        ),
        Sort::Growth => {
            by_number(
                &mut rows,
                wanted,
                |row| page.growth_bytes(&tables[row]).map(i128::from),
                name,
            );
        }
    }
    let rows = rows.into_iter().skip(query.offset).take(limit).collect();
    Ok(SizesPage { rows, ..page })
}

/// Keeps the first rows of the order by a number, largest first. Only these are sorted: to sort 100,000
/// tables, of which many have the same size, takes longer than the rest of the answer.
fn by_number<'a>(
    rows: &mut Vec<usize>,
    wanted: usize,
    number: impl Fn(usize) -> Option<i128>,
    name: impl Fn(usize) -> (&'a str, &'a str, Oid),
) {
    let mut keyed: Vec<_> = rows
        .iter()
        .map(|&row| (Reverse(number(row)), row))
        .collect();
    let order = |a: &(Reverse<Option<i128>>, usize), b: &(Reverse<Option<i128>>, usize)| {
        a.0.cmp(&b.0).then_with(|| name(a.1).cmp(&name(b.1)))
    };
    if wanted < keyed.len() {
        keyed.select_nth_unstable_by(wanted, order);
        keyed.truncate(wanted);
    }
    keyed.sort_unstable_by(order);
    *rows = keyed.into_iter().map(|(_, row)| row).collect();
}

fn matches(
    table: &Table,
    query: &SizesQuery,
    only: &TableFilter<Oid>,
    search: Option<&str>,
) -> bool {
    query.kinds.include(table.kind)
        && only.includes(table.oid, &table.schema_name)
        && search.is_none_or(|text| {
            format!("{}.{}", table.schema_name, table.table_name)
                .to_lowercase()
                .contains(text)
        })
}

/// Why it is unknown what belongs to no relation, where it is.
fn unattributed_unknown(totals: Totals) -> Option<&'static str> {
    match (totals.unattributed_bytes, totals.total_bytes) {
        (Some(_), _) => None,
        (None, None) => Some("the size of the database is not known"),
        (None, Some(_)) => Some("it cannot be told apart from what could not be read"),
    }
}

impl SizesPage {
    /// And says how current it is.
    #[must_use]
    pub fn known(mut self, currency: Currency) -> Self {
        self.currency = currency;
        self
    }

    /// The answer without its rows.
    pub fn head(&self) -> SizesAnswer {
        let snapshot = &*self.snapshot;
        let totals = snapshot.totals;
        SizesAnswer {
            instance: snapshot.instance.to_string(),
            database: snapshot.database.to_string(),
            tables: Vec::new(),
            tables_total: Some(self.tables_total),
            total_bytes: totals.total_bytes,
            total_human: totals.total_bytes.map(size_text::pretty),
            attributed_bytes: Some(totals.attributed_bytes),
            estimated_bytes: Some(totals.estimated_bytes),
            unattributed_bytes: totals.unattributed_bytes,
            unattributed_unknown: unattributed_unknown(totals).map(str::to_owned),
            unattributed: unattributed(snapshot),
            unmeasured_bytes: totals.unmeasured_bytes,
            method: Some(snapshot.method),
            full_sweep_at: snapshot.full_sweep_at,
            measured_at: snapshot.measured_at,
            took_ms: Some(snapshot.took_ms),
            refreshing: self.currency.refreshing,
            visit_error: self.currency.visit_error.clone(),
            growth_since: self.growth.as_ref().map(|growth| growth.since),
            cost: Some(CostAnswer::from(&snapshot.cost)),
        }
    }

    /// Its rows, each made when it is read.
    pub fn rows(&self) -> impl Iterator<Item = TableAnswer> {
        self.rows
            .iter()
            .map(|&row| self.row(&self.snapshot.tables[row]))
    }

    /// The whole answer, for those who have the memory.
    pub fn answer(&self) -> SizesAnswer {
        SizesAnswer {
            tables: self.rows().collect(),
            ..self.head()
        }
    }

    /// The answer as JSON, piece by piece.
    pub fn into_json(
        self,
    ) -> Result<impl Iterator<Item = Result<Vec<u8>, serde_json::Error>>, serde_json::Error> {
        let head = self.head();
        let mut at = 0;
        let rows = std::iter::from_fn(move || {
            let row = *self.rows.get(at)?;
            at += 1;
            Some(self.row(&self.snapshot.tables[row]))
        });
        chunks::with_rows(&head, "tables", rows)
    }

    fn row(&self, table: &Table) -> TableAnswer {
        let size = table.size();
        let set = self.sets.get(&table.oid);
        TableAnswer {
            table_name: table.table_name.to_string(),
            schema_name: table.schema_name.to_string(),
            kind: table.kind,
            size_bytes: size.bytes,
            size_human: size.bytes.map(size_text::pretty),
            row_count: table.rows.count,
            row_count_source: table.rows.source,
            heap_bytes: table.heap.size.bytes,
            toast_bytes: table.toast_size().bytes,
            index_bytes: table.index_size().bytes,
            set_bytes: set.and_then(SetSum::bytes),
            set_tables: set.map(|set| set.tables),
            set_tables_by_name: set.map(|set| set.by_name),
            set_unknown: set.and_then(SetSum::unknown),
            growth_bytes: self.growth_bytes(table),
            status: Some(size.status),
            size_source: size.source,
            last_good_at: size.last_good_at.map(Into::into),
        }
    }

    fn growth_bytes(&self, table: &Table) -> Option<i64> {
        let growth = self.growth.as_ref()?;
        let major = self.snapshot.server.major();
        let key = plimsoll_core::name::table_key(&table.schema_name, &table.table_name, major);
        let before = i64::try_from(*growth.before.get(&key)?).ok()?;
        Some(
            i64::try_from(table.size().bytes?)
                .ok()?
                .saturating_sub(before),
        )
    }
}

/// How many files a cause names as examples.
const EXAMPLES: usize = 5;

/// What belongs to no relation, as answers show it.
pub fn unattributed(snapshot: &Snapshot) -> Vec<UnattributedAnswer> {
    snapshot
        .unattributed
        .iter()
        .map(|files| UnattributedAnswer {
            cause: files.cause,
            bytes: files.bytes,
            files: files.files,
            examples: files
                .largest
                .iter()
                .take(EXAMPLES)
                .map(|file| file.path.clone())
                .collect(),
        })
        .collect()
}
