//! The history of a database: its samples, newest first, each with its tables' sizes.

use std::collections::HashMap;

use jiff::Timestamp;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_store::{
    DatabaseKey, Point, SampleQuery, SeriesQuery, Step, Store, StoreError, TableName,
};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use super::gone::GoneAnswer;
use super::schema;
use crate::ask::params::{SAMPLE_KIND, SAMPLES_LIMIT, SINCE, STEP, TABLE_AND_BELOW, TABLES};
use crate::ask::{Ask, Given, Param, Refused, SampleKinds, step};
use crate::coverage;
use crate::selection::{self, SelectionError, unmeasured_reason};

/// The newest major version, whose key words are quoted in keys where nobody knows the server's.
const NEWEST_MAJOR: u32 = 18;

/// What is asked of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// At most so many samples, newest first.
    pub limit: usize,
    /// Of these kinds.
    pub kinds: SampleKinds,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// One sample an hour or a day only.
    pub step: Step,
    /// Only this table in `table_sizes`, or this set as one.
    pub table: Option<TableName>,
    /// The server's major version: versions differ in which words they quote in keys.
    pub major: u32,
    /// Only that many of the largest tables of each sample.
    pub tables: Option<usize>,
}

impl Default for HistoryQuery {
    fn default() -> Self {
        Self {
            limit: 30,
            kinds: SampleKinds::default(),
            since: None,
            step: Step::All,
            table: None,
            major: NEWEST_MAJOR,
            tables: None,
        }
    }
}

impl Ask for HistoryQuery {
    fn params() -> Vec<&'static Param> {
        vec![
            &SAMPLES_LIMIT,
            &SAMPLE_KIND,
            &TABLE_AND_BELOW,
            &SINCE,
            &STEP,
            &TABLES,
        ]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let default = Self::default();
        Ok(Self {
            limit: given.number(&SAMPLES_LIMIT)?.unwrap_or(default.limit),
            kinds: given.word(&SAMPLE_KIND)?,
            since: given.time(&SINCE)?,
            step: given.read(&STEP, step)?.unwrap_or_default(),
            table: given.table(&TABLE_AND_BELOW)?,
            tables: given.number(&TABLES)?,
            ..default
        })
    }
}

/// Samples of a database, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HistoryAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// The table or the set that was asked for; null where none was.
    pub table: Option<OfTable>,
    /// When what is measured changed, oldest first: another tool's samples end there, or begin to cover something else.
    /// Sizes before and after do not compare.
    #[serde(serialize_with = "plimsoll_core::time::serialize_all")]
    pub coverage_changed_at: Vec<Timestamp>,
    /// The samples.
    pub samples: Vec<SampleAnswer>,
    /// How many match without the limit.
    pub total: u64,
}

/// The table or the set that a history is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OfTable {
    /// Its schema's name, raw.
    pub schema_name: String,
    /// Its name now, or its last one, raw.
    pub table_name: String,
    /// Its key in `table_sizes`.
    pub table_key: String,
    /// Whether the newest sample no longer shows it.
    pub is_gone: bool,
    /// When it was last seen, and how large it was, where it is gone; else null.
    pub gone: Option<GoneAnswer>,
    /// For a parent (of partitions or of plain inheritance), how many tables with bytes belong to it now: the sizes
    /// are those of all that belonged to it at each sample. Else null.
    pub set_tables: Option<u64>,
}

/// One sample.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SampleAnswer {
    /// Unique within the store.
    pub id: i64,
    /// When its visit began.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub sampled_at: Timestamp,
    /// Why it was taken.
    #[schema(schema_with = schema::sample_kind)]
    pub kind: SampleKind,
    /// `pg_database_size`; null where it was not known.
    pub total_bytes: Option<u64>,
    /// How many tables `table_sizes` has without a limit; null where another tool told the total alone.
    pub table_count: Option<u64>,
    /// Whether the demo made it up.
    pub is_demo: bool,
    /// Whether another tool measured it.
    pub is_imported: bool,
    /// Bytes by table (toast and indexes included): the key is the table's name, quoted as SQL
    /// needs it, with its schema unless that is `public`.
    #[schema(value_type = std::collections::BTreeMap<String, u64>)]
    pub table_sizes: TableSizes,
    /// Why the size of the table or the set that was asked for is not in `table_sizes`; null where it is, where none
    /// was asked for, and where the sample does not show it.
    pub unknown: Option<String>,
}

/// Sizes by key, written as a JSON object in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSizes(pub Vec<(String, u64)>);

impl Serialize for TableSizes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, bytes) in &self.0 {
            map.serialize_entry(key, bytes)?;
        }
        map.end()
    }
}

/// The samples that match, without their tables: those are read one sample at a time.
#[derive(Debug, Clone)]
pub struct HistoryPage {
    of: DatabaseKey,
    /// Newest first.
    pub headers: Vec<SampleHeader>,
    /// How many match without the limit.
    pub total: u64,
    /// When what is measured changed, oldest first.
    pub coverage_changed_at: Vec<Timestamp>,
    table: Option<(OfTable, HashMap<i64, Point>)>,
    tables: Option<usize>,
}

/// Finds the samples that match.
pub async fn history(
    store: &dyn Store,
    of: &DatabaseKey,
    query: &HistoryQuery,
) -> Result<HistoryPage, SelectionError> {
    let table = match &query.table {
        Some(name) => Some(of_table(store, of, name, query).await?),
        None => None,
    };
    let page = store
        .samples(&SampleQuery {
            of: of.clone(),
            kinds: query.kinds.0.clone(),
            since: query.since,
            step: query.step,
            limit: query.limit,
        })
        .await?;
    // what is older than a seam was imported
    let oldest = page.samples.iter().rfind(|sample| sample.is_imported);
    let mut seams = Vec::new();
    if let Some(oldest) = oldest.map(|sample| sample.sampled_at) {
        seams = coverage::seams(store, of, Some(oldest)).await?;
        seams.retain(|seam| seam.to.as_second() > oldest.as_second());
    }
    Ok(HistoryPage {
        of: of.clone(),
        coverage_changed_at: seams.iter().map(|seam| seam.to).collect(),
        headers: page.samples,
        total: page.total,
        table,
        tables: query.tables,
    })
}

/// A table or a set with its sizes by the samples' ids.
async fn of_table(
    store: &dyn Store,
    of: &DatabaseKey,
    name: &TableName,
    query: &HistoryQuery,
) -> Result<(OfTable, HashMap<i64, Point>), SelectionError> {
    let series = SeriesQuery {
        kinds: query.kinds.0.clone(),
        since: query.since,
        until: None,
        step: query.step,
    };
    let found = selection::table(store, of, name, &series).await?;
    let points = found.points().iter();
    let points = points.map(|point| (point.sample_id, *point)).collect();
    let table = OfTable {
        table_key: found.name.key(query.major),
        is_gone: found.is_gone(),
        gone: found.gone.map(Into::into),
        set_tables: found.set.map(|set| {
            let members = set.members.iter().filter(|member| member.is_member);
            members.count() as u64
        }),
        schema_name: found.name.schema_name,
        table_name: found.name.table_name,
    };
    Ok((table, points))
}

impl HistoryPage {
    /// The samples' headers without those that do not compare with the newest one, newest first.
    pub fn of_one_measure(&self) -> &[SampleHeader] {
        let changed = self.coverage_changed_at.last();
        let is_newer = |header: &&SampleHeader| {
            changed.is_none_or(|at| header.sampled_at.as_second() >= at.as_second())
        };
        let newer = self.headers.iter().take_while(is_newer).count();
        match newer {
            0 => &self.headers,
            newer => &self.headers[..newer],
        }
    }

    /// The answer without its samples.
    pub fn head(&self) -> HistoryAnswer {
        HistoryAnswer {
            instance: self.of.instance.clone(),
            database: self.of.database.clone(),
            table: self.table.as_ref().map(|(table, _)| table.clone()),
            coverage_changed_at: self.coverage_changed_at.clone(),
            samples: Vec::new(),
            total: self.total,
        }
    }

    /// The sample at a place in `headers`, with its tables.
    pub async fn sample(
        &self,
        store: &dyn Store,
        header: &SampleHeader,
    ) -> Result<SampleAnswer, StoreError> {
        let Some((table, points)) = &self.table else {
            let sizes = store.table_sizes(header, self.tables, None).await?;
            return Ok(with_sizes(header, sizes));
        };
        let point = points.get(&header.id);
        let bytes = point.and_then(Point::total_bytes);
        let sizes = bytes.map(|bytes| (table.table_key.clone(), bytes));
        Ok(SampleAnswer {
            unknown: point.and_then(unmeasured_reason),
            ..with_sizes(header, sizes.into_iter().collect())
        })
    }

    /// The whole answer, for those who have the memory.
    pub async fn answer(&self, store: &dyn Store) -> Result<HistoryAnswer, StoreError> {
        let mut answer = self.head();
        for header in &self.headers {
            answer.samples.push(self.sample(store, header).await?);
        }
        Ok(answer)
    }
}

/// One sample with all its tables.
pub async fn sample(store: &dyn Store, header: &SampleHeader) -> Result<SampleAnswer, StoreError> {
    Ok(with_sizes(
        header,
        store.table_sizes(header, None, None).await?,
    ))
}

fn with_sizes(header: &SampleHeader, sizes: Vec<(String, u64)>) -> SampleAnswer {
    SampleAnswer {
        id: header.id,
        sampled_at: header.sampled_at,
        kind: header.kind,
        total_bytes: header.total_bytes,
        table_count: header.table_count,
        is_demo: header.is_demo,
        is_imported: header.is_imported,
        table_sizes: TableSizes(sizes),
        unknown: None,
    }
}
