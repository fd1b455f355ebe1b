//! What grew between two samples: by how much, a day, and what share of it is whose.

mod asked;
mod covered;
mod sets;
mod span;

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::change::{RelationKind, Sizes};
use plimsoll_core::sample::SampleHeader;
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
use crate::selection::{self, Selected, SelectionError};

use covered::{coverage, is_covered};
use span::{Span, percent, rounded, signed};

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
    /// What its relations grew by, whatever their kind.
    pub relations_grown_bytes: i64,
    /// What belongs to no relation, or could not be told apart, grew by.
    pub rest_grown_bytes: Option<i64>,
    /// Of the relations' growth, that of the tables themselves.
    pub heap_grown_bytes: i64,
    /// Of the relations' growth, that of toast.
    pub toast_grown_bytes: i64,
    /// Of the relations' growth, that of indexes.
    pub index_grown_bytes: i64,
    /// Tables that are in both samples and changed in size, what grew most first.
    pub tables: Vec<TableGrowth>,
    /// How many these are without the limit.
    pub tables_total: u64,
    /// Tables that were not there before.
    pub new_tables: Vec<TableGrowth>,
    /// How many these are without the limit.
    pub new_tables_total: u64,
    /// Tables that are there no more.
    pub vanished_tables: Vec<TableGrowth>,
    /// How many these are without the limit.
    pub vanished_tables_total: u64,
    /// By schema, what grew most first.
    pub schemas: Vec<SchemaGrowth>,
    /// Partition sets and inheritance trees as one each, what grew most first.
    pub sets: Vec<SetGrowth>,
    /// Indexes, what grew most first.
    pub indexes: Vec<IndexGrowth>,
    /// How many indexes changed without the limit.
    pub indexes_total: u64,
    /// When Plimsoll began to measure what another tool had measured before, if that lies between the samples;
    /// null otherwise. A table that only one of the two shows is then neither new nor vanished.
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
    /// Of it, the table itself.
    pub heap_grown_bytes: i64,
    /// Of it, toast.
    pub toast_grown_bytes: i64,
    /// Of it, indexes.
    pub index_grown_bytes: i64,
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
    let only = selected.as_ref().map(Selected::names);
    let is_listed = |name: &TableName| only.as_ref().is_none_or(|only| only.contains(name));
    let ask = DifferenceQuery {
        from: query.since,
        to: query.until,
        kinds: ALL_KINDS.to_vec(),
        indexes: false,
        limit: None,
    };
    let Some(tables) = store.difference(of, &ask).await? else {
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
    let ask = DifferenceQuery {
        indexes: true,
        limit: selected.is_none().then_some(query.limit),
        ..ask
    };
    let indexes = store.difference(of, &ask).await?;
    let coverage = coverage(store, of, &tables).await?;
    let mut answer = between(of, &tables, query, coverage, &is_listed);
    let span = Span::between(&tables.from, &tables.to);
    if let Some(indexes) = indexes {
        answer.indexes = indexes
            .growth
            .iter()
            .filter(|growth| is_covered(growth, coverage) && is_listed(&growth.name))
            .filter_map(|growth| index(growth, &span))
            .collect();
        answer.indexes_total = match selected {
            Some(_) => answer.indexes.len(),
            None => indexes.total,
        } as u64;
        answer.indexes.truncate(query.limit);
    }
    // of a set's members some may not have been covered: then nothing is known of it as a whole
    if coverage.is_none() && tables.growth.iter().any(|growth| growth.parent.is_some()) {
        let before = store.state(of, query.since).await?;
        let after = store.state(of, query.until).await?;
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
        relations_grown_bytes: 0,
        rest_grown_bytes: None,
        heap_grown_bytes: 0,
        toast_grown_bytes: 0,
        index_grown_bytes: 0,
        tables: Vec::new(),
        tables_total: 0,
        new_tables: Vec::new(),
        new_tables_total: 0,
        vanished_tables: Vec::new(),
        vanished_tables_total: 0,
        schemas: Vec::new(),
        sets: Vec::new(),
        indexes: Vec::new(),
        indexes_total: 0,
        coverage_changed_at: None,
        uncovered_tables_total: 0,
    }
}

/// The answer from a difference over all tables, without indexes and sets.
fn between(
    of: &DatabaseKey,
    all: &Difference,
    query: &GrowthQuery,
    coverage: Option<Timestamp>,
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
    answer.grown_bytes = span.grown_bytes;
    answer.grown_human = span.grown_bytes.map(size_text::pretty_signed);
    answer.per_day_bytes = span.grown_bytes.and_then(|bytes| span.per_day(bytes));
    let mut schemas: BTreeMap<&str, i64> = BTreeMap::new();
    answer.coverage_changed_at = coverage;
    for growth in &all.growth {
        if !is_covered(growth, coverage) {
            answer.uncovered_tables_total += 1;
            continue;
        }
        let [heap, toast, index] = parts(growth.before, growth.after);
        answer.heap_grown_bytes += heap;
        answer.toast_grown_bytes += toast;
        answer.index_grown_bytes += index;
        answer.relations_grown_bytes += growth.bytes();
        *schemas.entry(&growth.name.schema_name).or_default() += growth.bytes();
        let RelationKind::Table(kind) = growth.kind else {
            continue;
        };
        if !query.kinds.include(kind) || !is_listed(&growth.name) {
            continue;
        }
        let (list, total) = match (growth.before, growth.after) {
            (None, _) => (&mut answer.new_tables, &mut answer.new_tables_total),
            (_, None) => (
                &mut answer.vanished_tables,
                &mut answer.vanished_tables_total,
            ),
            _ => (&mut answer.tables, &mut answer.tables_total),
        };
        *total += 1;
        list.push(table(growth, kind, &span));
    }
    // What vanished freed most at the other end of the order.
    answer
        .vanished_tables
        .sort_by_key(|table| table.grown_bytes);
    for list in [
        &mut answer.tables,
        &mut answer.new_tables,
        &mut answer.vanished_tables,
    ] {
        list.truncate(query.limit);
    }
    answer.rest_grown_bytes = span
        .grown_bytes
        .map(|bytes| bytes.saturating_sub(answer.relations_grown_bytes));
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

fn table(growth: &Growth, kind: TableKind, span: &Span) -> TableGrowth {
    let grown_bytes = growth.bytes();
    let before_bytes = growth.before.and_then(|sizes| sizes.total_bytes());
    let [heap_grown_bytes, toast_grown_bytes, index_grown_bytes] =
        parts(growth.before, growth.after);
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

/// What heap, toast and indexes grew by; together what the table grew by.
fn parts(before: Option<Sizes>, after: Option<Sizes>) -> [i64; 3] {
    // A table that was never measured counts as nothing, and so do its parts.
    let of = |sizes: Option<Sizes>| match sizes.filter(|sizes| sizes.heap_bytes.is_some()) {
        None => [0; 3],
        Some(sizes) => [
            sizes.heap_bytes.unwrap_or(0),
            sizes.all_toast_bytes(),
            sizes.index_bytes,
        ]
        .map(signed),
    };
    let (before, after) = (of(before), of(after));
    [
        after[0] - before[0],
        after[1] - before[1],
        after[2] - before[2],
    ]
}

#[cfg(test)]
mod tests;
