//! What grew between two samples: by how much, a day, and what share of it is whose.

mod asked;
mod covered;
mod sets;
mod span;

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::change::RelationKind;
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::size::signed;
use plimsoll_core::size_text;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{
    DatabaseKey, Difference, DifferenceQuery, Growth, SeriesQuery, Store, TableName,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::ask::params::{FROM, KIND, LIST_LIMIT, LISTED_TABLE, TO};
use crate::ask::{Ask, Given, Kinds, Param, Refused};
use crate::coverage::{is_covered, not_compared, on_one_side};
use crate::selection::{self, SelectedTable, SelectionError};

use covered::{InSight, capitalized, is_on_both_sides, not_told_apart, uncovered};
use span::{Span, percent, rounded};

pub use asked::Compares;
pub use sets::SetGrowth;

/// What is asked of the growth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrowthQuery {
    /// From the state at this time.
    pub since: Timestamp,
    /// To the state at this time.
    pub until: Timestamp,
    /// At most so many rows in each list.
    pub limit: usize,
    /// Tables of these kinds are listed; sums are over all.
    pub kinds: Kinds,
    /// Only this table, and what is below it, is listed; sums are over all.
    pub table: Option<TableName>,
}

impl Ask for GrowthQuery {
    fn params() -> Vec<&'static Param> {
        vec![&FROM, &TO, &LIST_LIMIT, &KIND, &LISTED_TABLE]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let (since, until) = given.period(&FROM, &TO)?;
        Ok(Self {
            since: since.unwrap_or(given.now()),
            until: until.unwrap_or(given.now()),
            limit: given.number(&LIST_LIMIT)?.unwrap_or(usize::MAX),
            kinds: given.word(&KIND)?,
            table: given.table(&LISTED_TABLE)?,
        })
    }
}

/// What grew between two samples.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GrowthAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// Why there is nothing to say yet; null otherwise.
    pub insufficient_data: Option<String>,
    /// The earlier sample: the last one not after `since`, or else the first one there is.
    pub from: Option<MomentAnswer>,
    /// The later sample.
    pub to: Option<MomentAnswer>,
    /// Days between them.
    pub days: Option<f64>,
    /// Days that were asked for.
    pub asked_days: Option<f64>,
    /// How the days between them compare with those that were asked for.
    pub compares: Option<Compares>,
    /// The same in words; null where it is as asked.
    pub note: Option<String>,
    /// What the database grew by; the sum of relations and rest. Null where the size at one end is unknown.
    pub grown_bytes: Option<i64>,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: Option<String>,
    /// The same a day; null for less than an hour.
    pub per_day_bytes: Option<i64>,
    /// What its relations grew by, whatever their kind, as far as they could be read. Null where another tool
    /// measured: perhaps not all of them, and who knows what of each.
    pub relations_grown_bytes: Option<i64>,
    /// What belongs to no relation grew by; null where that cannot be told apart.
    pub rest_grown_bytes: Option<i64>,
    /// Why it cannot; null otherwise.
    pub rest_unknown: Option<String>,
    /// Of the relations' growth, that of the tables themselves; null where that is.
    pub heap_grown_bytes: Option<i64>,
    /// Of the relations' growth, that of toast; null where that is.
    pub toast_grown_bytes: Option<i64>,
    /// Of the relations' growth, that of indexes; null where that is.
    pub index_grown_bytes: Option<i64>,
    /// Tables that are in both samples and changed in size, what grew most first.
    pub tables: Vec<TableGrowth>,
    /// How many these are without the limit; null where nothing is known of tables.
    pub tables_total: Option<u64>,
    /// Tables that were not there before.
    pub new_tables: Vec<TableGrowth>,
    /// How many these are without the limit; null where `tables_total` is.
    pub new_tables_total: Option<u64>,
    /// Tables that are there no more.
    pub vanished_tables: Vec<TableGrowth>,
    /// How many these are without the limit; null where `tables_total` is.
    pub vanished_tables_total: Option<u64>,
    /// By schema, what grew most first.
    pub schemas: Vec<SchemaGrowth>,
    /// Partition sets and inheritance trees as one each, what grew most first.
    pub sets: Vec<SetGrowth>,
    /// Indexes, what grew most first.
    pub indexes: Vec<IndexGrowth>,
    /// How many indexes changed without the limit; null where `tables_total` is.
    pub indexes_total: Option<u64>,
    /// When another tool's samples end, or begin to cover something else, if that lies in the time asked for; null
    /// otherwise. Growth is then that of one side: what the two measured is not compared.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub coverage_changed_at: Option<Timestamp>,
    /// Tables of which one sample knows no size, because nobody looked or could: they are in no list and no sum.
    pub uncovered_tables_total: u64,
}

/// A sample between which growth is counted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MomentAnswer {
    /// The sample's id.
    pub sample_id: i64,
    /// When it was taken.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub sampled_at: Timestamp,
    /// `pg_database_size` then; null where it was not known.
    pub total_bytes: Option<u64>,
}

/// What one table grew by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TableGrowth {
    /// The table's name, raw.
    pub table_name: String,
    /// Its schema's name, raw.
    pub schema_name: String,
    /// What kind of relation it is.
    #[schema(schema_with = schema::table_kind)]
    pub kind: TableKind,
    /// Its bytes before; null where it was not there, or never measured.
    pub before_bytes: Option<u64>,
    /// Its bytes after; null where it is gone, or never measured.
    pub after_bytes: Option<u64>,
    /// What it grew by; negative where it shrank.
    pub grown_bytes: i64,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: String,
    /// The same a day; null for less than an hour.
    pub per_day_bytes: Option<i64>,
    /// In percent of `before_bytes`.
    pub percent: Option<f64>,
    /// In percent of what the database grew by; null unless that grew.
    pub share_percent: Option<f64>,
    /// Of it, the table itself; null where another tool measured, and who knows what of it.
    pub heap_grown_bytes: Option<i64>,
    /// Of it, toast; null where that is.
    pub toast_grown_bytes: Option<i64>,
    /// Of it, indexes.
    pub index_grown_bytes: Option<i64>,
}

/// What a schema's tables grew by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SchemaGrowth {
    /// Its name, raw.
    pub schema_name: String,
    /// What its tables grew by.
    pub grown_bytes: i64,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: String,
    /// The same a day; null for less than an hour.
    pub per_day_bytes: Option<i64>,
    /// In percent of what the database grew by; null unless that grew.
    pub share_percent: Option<f64>,
}

/// What one index grew by.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IndexGrowth {
    /// Its name, raw.
    pub index_name: String,
    /// Its table's name, raw.
    pub table_name: String,
    /// Its schema's name, raw.
    pub schema_name: String,
    /// Its bytes before; null where it was not there, or never measured.
    pub before_bytes: Option<u64>,
    /// Its bytes after; null where it is gone, or never measured.
    pub after_bytes: Option<u64>,
    /// What it grew by; negative where it shrank.
    pub grown_bytes: i64,
    /// `grown_bytes` with its sign, as `pg_size_pretty` prints it.
    pub grown_human: String,
    /// The same a day; null for less than an hour.
    pub per_day_bytes: Option<i64>,
    /// In percent of what the database grew by; null unless that grew. It is part of its table's share.
    pub share_percent: Option<f64>,
}

/// Every kind that has a series: the sums must be over all of them.
const ALL_KINDS: [TableKind; 5] = [
    TableKind::Table,
    TableKind::Matview,
    TableKind::Partitioned,
    TableKind::Catalog,
    TableKind::Sequence,
];

/// Reads two samples and says what grew between them.
pub async fn growth(
    store: &dyn Store,
    of: &DatabaseKey,
    query: &GrowthQuery,
) -> Result<GrowthAnswer, SelectionError> {
    let selected = match &query.table {
        Some(table) => Some(selection::table(store, of, table, &SeriesQuery::default()).await?),
        None => None,
    };
    let only = selected.as_ref().map(SelectedTable::names);
    let is_listed = |name: &TableName| only.as_ref().is_none_or(|only| only.contains(name));
    let ask = DifferenceQuery {
        from: query.since,
        to: query.until,
        kinds: ALL_KINDS.to_vec(),
        indexes: false,
        limit: None,
    };
    let Some(mut tables) = store.difference(of, &ask).await? else {
        return Ok(nothing(
            of,
            "there is no sample yet; `plimsoll sample` takes one",
        ));
    };
    if tables.from.id == tables.to.id {
        return Ok(nothing(
            of,
            "there is only one sample in that time; growth needs two",
        ));
    }
    let mut in_sight = InSight::of_tables(store, of, &tables).await?;
    let uncovered = uncovered(&tables, &query.kinds);
    if let Some(seam) = in_sight.seams.last() {
        let Some(on_one_side) = on_one_side(store, of, &ask, &in_sight.seams).await? else {
            let reason = format!("{}: each side has one sample yet", not_compared(seam.to));
            return Ok(GrowthAnswer {
                coverage_changed_at: Some(seam.to),
                uncovered_tables_total: uncovered,
                ..nothing(of, &reason)
            });
        };
        tables = on_one_side;
    }
    let ask = DifferenceQuery {
        from: tables.from.sampled_at,
        to: tables.to.sampled_at,
        indexes: true,
        ..ask
    };
    let indexes = store.difference(of, &ask).await?;
    if let Some(indexes) = &indexes {
        in_sight.add_indexes(indexes);
    }
    let mut answer = between(of, &tables, query, &in_sight, &is_listed);
    answer.uncovered_tables_total = uncovered;
    if let Some(gone) = selected.as_ref().and_then(|selected| selected.gone)
        && gone
            .last_seen_at
            .is_none_or(|at| at < tables.from.sampled_at)
    {
        let notes = answer.note.into_iter().chain([capitalized(&gone.text())]);
        answer.note = Some(notes.collect::<Vec<_>>().join(" "));
    }
    let span = Span::between(&tables.from, &tables.to);
    let is_shown = |growth: &&Growth| {
        let is_comparable = is_on_both_sides(growth) || !tables.to.is_imported;
        is_covered(growth) && is_comparable && is_listed(&growth.name)
    };
    answer.indexes = indexes
        .iter()
        .flat_map(|indexes| &indexes.growth)
        .filter(is_shown)
        .filter_map(|growth| index(growth, &span))
        .collect();
    answer.indexes_total = answer.tables_total.map(|_| answer.indexes.len() as u64);
    answer.indexes.truncate(query.limit);
    if tables.growth.iter().any(|growth| growth.parent.is_some()) {
        let before = store.state(of, ask.from).await?;
        let after = store.state(of, ask.to).await?;
        if let (Some(before), Some(after)) = (before, after) {
            answer.sets = sets::sets(&before, &after, &span);
            answer
                .sets
                .retain(|set| is_listed(&TableName::new(&*set.schema_name, &*set.table_name)));
            answer.sets.truncate(query.limit);
        }
    }
    Ok(answer)
}

fn nothing(of: &DatabaseKey, reason: &str) -> GrowthAnswer {
    GrowthAnswer {
        instance: of.instance.clone(),
        database: of.database.clone(),
        insufficient_data: Some(reason.to_owned()),
        from: None,
        to: None,
        days: None,
        asked_days: None,
        compares: None,
        note: None,
        grown_bytes: None,
        grown_human: None,
        per_day_bytes: None,
        relations_grown_bytes: None,
        rest_grown_bytes: None,
        rest_unknown: None,
        heap_grown_bytes: None,
        toast_grown_bytes: None,
        index_grown_bytes: None,
        tables: Vec::new(),
        tables_total: None,
        new_tables: Vec::new(),
        new_tables_total: None,
        vanished_tables: Vec::new(),
        vanished_tables_total: None,
        schemas: Vec::new(),
        sets: Vec::new(),
        indexes: Vec::new(),
        indexes_total: None,
        coverage_changed_at: None,
        uncovered_tables_total: 0,
    }
}

/// The answer from a difference over all tables, without indexes and sets.
fn between(
    of: &DatabaseKey,
    all: &Difference,
    query: &GrowthQuery,
    in_sight: &InSight,
    is_listed: &dyn Fn(&TableName) -> bool,
) -> GrowthAnswer {
    let span = Span::between(&all.from, &all.to);
    let mut answer = nothing(of, "");
    answer.insufficient_data = None;
    answer.from = Some(moment(&all.from));
    answer.to = Some(moment(&all.to));
    answer.days = Some(span.days());
    let (asked_days, compares, note) = asked::compare(query, &all.from, &all.to);
    answer.asked_days = Some(rounded(asked_days, 1000.0));
    answer.compares = Some(compares);
    answer.note = note;
    if let Some((at, note)) = in_sight.note(&all.from) {
        answer.coverage_changed_at = Some(at);
        answer.note = Some(note);
    }
    answer.grown_bytes = span.grown_bytes;
    answer.grown_human = span.grown_bytes.map(size_text::pretty_signed);
    answer.per_day_bytes = span.grown_bytes.and_then(|bytes| span.per_day(bytes));
    let mut schemas: BTreeMap<&str, i64> = BTreeMap::new();
    let is_foreign = all.from.is_imported || all.to.is_imported;
    let mut grown = [0; 3];
    for growth in &all.growth {
        // what only one sample of another tool shows is neither new nor gone: perhaps nobody looked
        if !is_covered(growth) || (is_foreign && !is_on_both_sides(growth)) {
            continue;
        }
        let parts = in_sight.parts(growth);
        for (sum, part) in grown.iter_mut().zip(parts) {
            *sum += part;
        }
        let bytes: i64 = parts.iter().sum();
        *schemas.entry(&growth.name.schema_name).or_default() += bytes;
        let RelationKind::Table(kind) = growth.kind else {
            continue;
        };
        if !query.kinds.include(kind) || !is_listed(&growth.name) {
            continue;
        }
        let list = match (growth.before, growth.after) {
            (None, _) => &mut answer.new_tables,
            (_, None) => &mut answer.vanished_tables,
            // all that moved came into sight
            _ if bytes == 0 => continue,
            _ => &mut answer.tables,
        };
        list.push(table(growth, kind, parts, is_foreign, &span));
    }
    // What came into sight moved some down.
    answer
        .tables
        .sort_by_key(|table| std::cmp::Reverse(table.grown_bytes));
    // What vanished freed most at the other end of the order.
    answer
        .vanished_tables
        .sort_by_key(|table| table.grown_bytes);
    let are_tables_known = all.from.table_count.or(all.to.table_count).is_some();
    for (list, total) in [
        (&mut answer.tables, &mut answer.tables_total),
        (&mut answer.new_tables, &mut answer.new_tables_total),
        (
            &mut answer.vanished_tables,
            &mut answer.vanished_tables_total,
        ),
    ] {
        *total = are_tables_known.then_some(list.len() as u64);
        list.truncate(query.limit);
    }
    answer.rest_unknown = not_told_apart(&all.from, &all.to);
    if !is_foreign {
        let relations: i64 = grown.iter().sum();
        answer.relations_grown_bytes = Some(relations);
        [
            answer.heap_grown_bytes,
            answer.toast_grown_bytes,
            answer.index_grown_bytes,
        ] = grown.map(Some);
        let rest = span.grown_bytes.filter(|_| answer.rest_unknown.is_none());
        answer.rest_grown_bytes = rest.map(|bytes| bytes.saturating_sub(relations));
    }
    answer.schemas = schemas
        .into_iter()
        .map(|(schema_name, grown_bytes)| SchemaGrowth {
            schema_name: schema_name.to_owned(),
            grown_bytes,
            grown_human: size_text::pretty_signed(grown_bytes),
            per_day_bytes: span.per_day(grown_bytes),
            share_percent: span.share(grown_bytes),
        })
        .collect();
    answer
        .schemas
        .sort_by_key(|schema| std::cmp::Reverse(schema.grown_bytes));
    answer.schemas.truncate(query.limit);
    answer
}

fn moment(header: &SampleHeader) -> MomentAnswer {
    MomentAnswer {
        sample_id: header.id,
        sampled_at: header.sampled_at,
        total_bytes: header.total_bytes,
    }
}

fn table(
    growth: &Growth,
    kind: TableKind,
    parts: [i64; 3],
    is_foreign: bool,
    span: &Span,
) -> TableGrowth {
    let grown_bytes = parts.iter().sum();
    let before_bytes = growth.before.and_then(|sizes| sizes.total_bytes());
    let [heap_grown_bytes, toast_grown_bytes, index_grown_bytes] =
        parts.map(|bytes| (!is_foreign).then_some(bytes));
    let TableName {
        schema_name,
        table_name,
    } = growth.name.clone();
    TableGrowth {
        table_name,
        schema_name,
        kind,
        before_bytes,
        after_bytes: growth.after.and_then(|sizes| sizes.total_bytes()),
        grown_bytes,
        grown_human: size_text::pretty_signed(grown_bytes),
        per_day_bytes: span.per_day(grown_bytes),
        percent: before_bytes.and_then(|before| percent(grown_bytes, signed(before))),
        share_percent: span.share(grown_bytes),
        heap_grown_bytes,
        toast_grown_bytes,
        index_grown_bytes,
    }
}

fn index(growth: &Growth, span: &Span) -> Option<IndexGrowth> {
    let grown_bytes = growth.bytes();
    Some(IndexGrowth {
        index_name: growth.index_name.clone()?,
        table_name: growth.name.table_name.clone(),
        schema_name: growth.name.schema_name.clone(),
        before_bytes: growth.before.and_then(|sizes| sizes.heap_bytes),
        after_bytes: growth.after.and_then(|sizes| sizes.heap_bytes),
        grown_bytes,
        grown_human: size_text::pretty_signed(grown_bytes),
        per_day_bytes: span.per_day(grown_bytes),
        share_percent: span.share(grown_bytes),
    })
}

#[cfg(test)]
mod tests;
