//! Sizes from the history's last sample: what is known of a database that could not be visited since the
//! start.

use std::cmp::Reverse;

use plimsoll_core::name::table_key;
use plimsoll_core::size::{SizeSource, Status};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::RowCountSource;
use plimsoll_store::{DatabaseKey, State, TableState};

use super::chunks;
use super::series::SeriesAnswer;
use super::sizes::{Growth, SizesAnswer, SizesQuery, TableAnswer};
use super::state::parts;
use super::table::{ChildAnswer, IndexAnswer, PartAnswer, TableBreakdown};
use super::visit::Currency;
use crate::ask::Sort;
use crate::selection::tree::{self, SetSum};
use crate::selection::{TableFilter, Unknown};

/// The newest PostgreSQL's way to quote names, where the server's is not known.
const MAJOR: u32 = 18;

/// The last sample's sizes as JSON, piece by piece.
pub fn into_json(
    mut answer: SizesAnswer,
) -> Result<impl Iterator<Item = Result<Vec<u8>, serde_json::Error>> + use<>, serde_json::Error> {
    let rows = std::mem::take(&mut answer.tables);
    chunks::with_rows(&answer, "tables", rows.into_iter())
}

/// The last sample's sizes, as a snapshot's are answered.
pub fn sizes(
    of: &DatabaseKey,
    state: &State,
    query: &SizesQuery,
    growth: Option<&Growth>,
    currency: Currency,
) -> Result<SizesAnswer, Unknown> {
    let sets = tree::sets_of_state(state);
    let only = TableFilter::find(query.table.as_ref(), query.schema.as_deref(), || {
        let named = state.tables.iter().map(|table| &table.name);
        let named = named.map(|name| (&*name.schema_name, &*name.table_name));
        tree::of_state(state)
            .zip(named)
            .map(|(node, (schema, table))| (node, schema, table))
    })?;
    let search = query.search.as_deref().map(str::to_lowercase);
    let matches = |table: &&TableState| {
        let name = &table.name;
        query.kinds.include(table.kind)
            && only.includes(table.id, &name.schema_name)
            && search.as_ref().is_none_or(|text| {
                let whole = format!("{}.{}", name.schema_name, name.table_name);
                whole.to_lowercase().contains(text.as_str())
            })
    };
    let mut rows: Vec<&TableState> = state.tables.iter().filter(matches).collect();
    let tables_total = rows.len() as u64;
    let grown = |table: &TableState| {
        let before = growth?.before.get(&key(table))?;
        let now = i64::try_from(table.sizes.total_bytes()?).ok()?;
        Some(now.saturating_sub(i64::try_from(*before).ok()?))
    };
    let by_name = |table: &TableState| (table.name.clone(), table.id);
    match query.sort {
        Sort::Name => rows.sort_by_cached_key(|table| by_name(table)),
        Sort::Size => {
            rows.sort_by_cached_key(|table| (Reverse(table.sizes.total_bytes()), by_name(table)));
        }
        Sort::Rows => {
            rows.sort_by_cached_key(|table| (Reverse(table.sizes.row_count), by_name(table)));
        }
        Sort::Growth => rows.sort_by_cached_key(|table| (Reverse(grown(table)), by_name(table))),
    }
    let limit = query.limit.unwrap_or(usize::MAX);
    let tables = rows
        .into_iter()
        .skip(query.offset)
        .take(limit)
        .map(|table| {
            let growth_bytes = grown(table);
            row(state, table, sets.get(&table.id), growth_bytes)
        });
    let sum = |tables: &mut dyn Iterator<Item = &TableState>| {
        let sizes = tables.filter_map(|table| table.sizes.total_bytes());
        sizes.fold(0_u64, u64::saturating_add)
    };
    let total_bytes = state.sample.total_bytes;
    let attributed_bytes = sum(&mut state.tables.iter());
    let attributed_bytes =
        total_bytes.map_or(attributed_bytes, |total| attributed_bytes.min(total));
    let is_estimate = |table: &&TableState| table.last_good_at.is_some();
    let estimated_bytes = sum(&mut state.tables.iter().filter(is_estimate)).min(attributed_bytes);
    // of a total that another tool told nobody knows what it is made of
    let are_tables_known = state.sample.table_count.is_some();
    Ok(SizesAnswer {
        instance: of.instance.clone(),
        database: of.database.clone(),
        tables: tables.collect(),
        tables_total: are_tables_known.then_some(tables_total),
        total_bytes,
        total_human: total_bytes.map(size_text::pretty),
        attributed_bytes: are_tables_known.then_some(attributed_bytes),
        estimated_bytes: are_tables_known.then_some(estimated_bytes),
        unattributed_bytes: None,
        unattributed_unknown: Some(NOT_KEPT.to_owned()),
        unattributed: Vec::new(),
        unmeasured_bytes: total_bytes.map(|total| total - attributed_bytes),
        method: None,
        full_sweep_at: None,
        measured_at: state.sample.sampled_at,
        took_ms: None,
        refreshing: currency.refreshing,
        visit_error: currency.visit_error,
        growth_since: growth.map(|growth| growth.since),
        cost: None,
    })
}

/// Why a sample does not say what belongs to no relation.
const NOT_KEPT: &str =
    "the history does not keep apart what belongs to no relation and what could not be read";

/// A table's parts as the last sample saw them, with its history; none if that has no such table.
pub fn breakdown(
    of: &DatabaseKey,
    state: &State,
    (schema, name): (&str, &str),
    history: Option<SeriesAnswer>,
    currency: Currency,
) -> Option<TableBreakdown> {
    let fits =
        |table: &&TableState| table.name.schema_name == schema && table.name.table_name == name;
    let table = state.tables.iter().find(fits)?;
    let part = |bytes| part(state, table, bytes);
    let [heap_bytes, toast_bytes, _] = parts(&table.sizes, state.sample.is_imported);
    let toast = table.sizes.toast_bytes.map(|_| part(toast_bytes));
    let indexes = history.iter().flat_map(|history| &history.indexes);
    let indexes = indexes
        .filter(|index| !index.is_gone)
        .map(|index| IndexAnswer {
            index_name: index.index_name.clone(),
            access_method: None,
            is_valid: None,
            size: part(index.points.last().and_then(|point| point.size_bytes)),
            series: Vec::new(),
        });
    let mut indexes: Vec<IndexAnswer> = indexes.collect();
    indexes.sort_by_key(|index| Reverse(index.size.size_bytes));
    let below = state
        .tables
        .iter()
        .filter(|child| child.parent == Some(table.id));
    let children = below.map(|child| ChildAnswer {
        table_name: child.name.table_name.clone(),
        schema_name: child.name.schema_name.clone(),
        kind: child.kind,
        size: self::part(state, child, child.sizes.total_bytes()),
    });
    let parent = table
        .parent
        .and_then(|id| state.tables.iter().find(|table| table.id == id));
    let mut answer = TableBreakdown {
        instance: of.instance.clone(),
        database: of.database.clone(),
        table_name: table.name.table_name.clone(),
        schema_name: table.name.schema_name.clone(),
        table_key: key(table),
        oid: None,
        kind: table.kind,
        persistence: None,
        access_method: None,
        tablespace: None,
        size: part(table.sizes.total_bytes()),
        heap: part(heap_bytes),
        toast,
        indexes,
        row_count: table.sizes.row_count,
        row_count_source: row_count_source(table),
        dead_rows: None,
        parent: parent.map(key),
        parent_by_name: false,
        children: children.collect(),
        series: Vec::new(),
        set_series: None,
        events: Vec::new(),
        measured_at: state.sample.sampled_at,
        refreshing: currency.refreshing,
        visit_error: currency.visit_error,
        history_error: None,
    };
    if let Some(history) = history {
        answer.add_history(history);
    }
    Some(answer)
}

fn key(table: &TableState) -> String {
    table_key(&table.name.schema_name, &table.name.table_name, MAJOR)
}

fn row(
    state: &State,
    table: &TableState,
    set: Option<&SetSum>,
    growth_bytes: Option<i64>,
) -> TableAnswer {
    let size = part(state, table, table.sizes.total_bytes());
    let [heap_bytes, toast_bytes, index_bytes] = parts(&table.sizes, state.sample.is_imported);
    TableAnswer {
        table_name: table.name.table_name.clone(),
        schema_name: table.name.schema_name.clone(),
        kind: table.kind,
        size_bytes: size.size_bytes,
        size_human: size.size_human,
        row_count: table.sizes.row_count,
        row_count_source: row_count_source(table),
        heap_bytes,
        toast_bytes,
        index_bytes,
        set_bytes: set.and_then(SetSum::bytes),
        set_tables: set.map(|set| set.tables),
        // the history does not keep how it was told
        set_tables_by_name: None,
        set_unknown: set.and_then(SetSum::unknown),
        growth_bytes,
        status: size.status,
        size_source: size.size_source,
        last_good_at: size.last_good_at,
    }
}

/// A size that the sample kept: an earlier visit's value. Why a part of it was not measured then, the
/// sample does not say.
fn part(state: &State, table: &TableState, bytes: Option<u64>) -> PartAnswer {
    PartAnswer {
        size_bytes: bytes,
        size_human: bytes.map(size_text::pretty),
        status: table.last_good_at.is_none().then_some(Status::Ok),
        size_source: match bytes {
            Some(_) => SizeSource::LastGood,
            None => SizeSource::None,
        },
        last_good_at: bytes.map(|_| table.last_good_at.unwrap_or(state.sample.sampled_at)),
    }
}

const fn row_count_source(table: &TableState) -> RowCountSource {
    match table.sizes.row_count {
        Some(_) => RowCountSource::Statistics,
        None => RowCountSource::Unknown,
    }
}
