//! One size over time, with what happened on the way.

use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{DatabaseKey, IndexSeries, Point, SeriesQuery, SetMember, Store, TableName};
use serde::Serialize;
use utoipa::ToSchema;

use super::events::{EventAnswer, event};
use super::gone::GoneAnswer;
use super::schema;
use super::state::parts;
use crate::ask::params::{SCHEMA, TABLE_AND_BELOW};
use crate::ask::{Ask, Given, Param, Refused, table_or};
use crate::selection::{self, SelectedTable, SelectionError, unmeasured_reason};

/// The series of a table with what is below it, of a schema, or of a database.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SeriesAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// The schema, where it is about one, or about one of its tables.
    pub schema_name: Option<String>,
    /// The table, where it is about one: its name now, or its last one.
    pub table_name: Option<String>,
    /// Whether the newest sample no longer shows it.
    pub is_gone: bool,
    /// When it was last seen, and how large it was, where it is gone; else null.
    pub gone: Option<GoneAnswer>,
    /// Its sizes, oldest first: of a table alone, or summed over the schema or the database.
    pub points: Vec<PointAnswer>,
    /// For a parent (of partitions or of plain inheritance): itself and all below it as one.
    pub set_points: Option<Vec<PointAnswer>>,
    /// What belongs to that set or did, largest first.
    pub members: Option<Vec<MemberAnswer>>,
    /// The table's indexes, present ones first.
    pub indexes: Vec<IndexSeriesAnswer>,
    /// What happened and is not growth, oldest first.
    pub events: Vec<EventAnswer>,
}

/// Sizes at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PointAnswer {
    /// The sample's id.
    pub sample_id: i64,
    /// When it was taken.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub sampled_at: Timestamp,
    /// Why it was taken.
    #[schema(schema_with = schema::sample_kind)]
    pub kind: SampleKind,
    /// Heap, toast and indexes; null while a part of it was never measured.
    pub size_bytes: Option<u64>,
    /// Why `size_bytes` is null.
    pub unknown: Option<String>,
    /// The table itself; null where it was never measured, or another tool did, and who knows what of it.
    pub heap_bytes: Option<u64>,
    /// Its toast table with that one's index; null without one.
    pub toast_bytes: Option<u64>,
    /// Its indexes; null where `heap_bytes` is.
    pub index_bytes: Option<u64>,
    /// Live rows, as the server's statistics said.
    pub row_count: Option<u64>,
    /// How many tables the numbers are summed over.
    pub tables: u32,
    /// Whether a part could not be measured then and stands at its last good value.
    pub is_last_good: bool,
    /// Whether another tool measured it: from such a point to one of Plimsoll's no line leads.
    pub is_imported: bool,
}

/// The series of one index.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IndexSeriesAnswer {
    /// Its name, raw.
    pub index_name: String,
    /// Whether the newest sample no longer shows it.
    pub is_gone: bool,
    /// Its sizes, oldest first.
    pub points: Vec<IndexPointAnswer>,
}

/// An index's size at a time.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IndexPointAnswer {
    /// When it was sampled.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub sampled_at: Timestamp,
    /// Its bytes; null while it was never measured.
    pub size_bytes: Option<u64>,
}

/// A table that belongs to a set, or did.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberAnswer {
    /// Its schema's name, raw.
    pub schema_name: String,
    /// The table's name, raw.
    pub table_name: String,
    /// What kind of relation it is.
    #[schema(schema_with = schema::table_kind)]
    pub kind: TableKind,
    /// Whether it still belongs to the set.
    pub is_member: bool,
    /// Its bytes when it last belonged to the set.
    pub size_bytes: Option<u64>,
}

/// What a series is asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesOf {
    /// A table, and the set below it where it is a parent.
    Table(TableName),
    /// All tables of a schema.
    Schema(String),
    /// All relations of the database.
    Database,
}

impl Ask for SeriesOf {
    fn params() -> Vec<&'static Param> {
        vec![&TABLE_AND_BELOW, &SCHEMA]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        table_or(given, Self::Table, Self::Schema, Self::Database)
    }
}

/// Reads a series.
pub async fn series(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &SeriesOf,
    query: &SeriesQuery,
) -> Result<SeriesAnswer, SelectionError> {
    let answer = SeriesAnswer {
        instance: of.instance.clone(),
        database: of.database.clone(),
        schema_name: None,
        table_name: None,
        is_gone: false,
        gone: None,
        points: Vec::new(),
        set_points: None,
        members: None,
        indexes: Vec::new(),
        events: Vec::new(),
    };
    Ok(match what {
        SeriesOf::Table(name) => of_table(selection::table(store, of, name, query).await?, answer),
        SeriesOf::Schema(schema) => {
            let schema = selection::schema(store, of, schema, query).await?;
            SeriesAnswer {
                schema_name: Some(schema.name),
                is_gone: schema.gone.is_some(),
                gone: schema.gone.map(Into::into),
                points: points(&schema.points),
                ..answer
            }
        }
        SeriesOf::Database => SeriesAnswer {
            points: points(&store.database_series(of, query).await?),
            ..answer
        },
    })
}

fn of_table(table: SelectedTable, answer: SeriesAnswer) -> SeriesAnswer {
    let (set_points, members) = match table.set {
        Some(set) => {
            let members = set.members.into_iter().map(member).collect();
            (Some(points(&set.points)), Some(members))
        }
        None => (None, None),
    };
    SeriesAnswer {
        schema_name: Some(table.name.schema_name),
        table_name: Some(table.name.table_name),
        is_gone: table.gone.is_some(),
        gone: table.gone.map(Into::into),
        points: points(&table.own),
        set_points,
        members,
        indexes: table.indexes.into_iter().map(index).collect(),
        events: table.events.into_iter().map(event).collect(),
        ..answer
    }
}

/// Points as answers show them.
pub fn points(points: &[Point]) -> Vec<PointAnswer> {
    points.iter().map(point).collect()
}

fn point(point: &Point) -> PointAnswer {
    let sizes = point.sizes;
    let has_toast = sizes.toast_bytes.is_some() || sizes.toast_index_bytes.is_some();
    let [heap_bytes, toast_bytes, index_bytes] = parts(&sizes, point.is_imported);
    PointAnswer {
        sample_id: point.sample_id,
        sampled_at: point.sampled_at,
        kind: point.kind,
        size_bytes: point.total_bytes(),
        unknown: unmeasured_reason(point),
        heap_bytes,
        toast_bytes: toast_bytes.filter(|_| has_toast),
        index_bytes,
        row_count: sizes.row_count,
        tables: point.tables,
        is_last_good: point.is_last_good,
        is_imported: point.is_imported,
    }
}

fn index(index: IndexSeries) -> IndexSeriesAnswer {
    let point = |point: &Point| IndexPointAnswer {
        sampled_at: point.sampled_at,
        size_bytes: point.sizes.heap_bytes,
    };
    IndexSeriesAnswer {
        index_name: index.index_name,
        is_gone: index.is_gone,
        points: index.points.iter().map(point).collect(),
    }
}

fn member(member: SetMember) -> MemberAnswer {
    MemberAnswer {
        schema_name: member.name.schema_name,
        table_name: member.name.table_name,
        kind: member.kind,
        is_member: member.is_member,
        size_bytes: member.sizes.total_bytes(),
    }
}
