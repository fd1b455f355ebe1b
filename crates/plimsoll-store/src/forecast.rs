//! What a store keeps of forecasts: those of one database that agree with each other.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::forecast::coherent::HORIZONS;
use serde::{Deserialize, Serialize};

use crate::keys::{Keys, find, params};
use crate::rows::{Insert, Kind, Row, RowError, Transaction, Transactions, Value};
use crate::sample::signed;
use crate::{DatabaseKey, StoreError, TableName};

/// The forecasts that are kept.
#[async_trait]
pub trait Forecasts: Send + Sync {
    /// Keeps the forecasts of a database instead of those that are kept: false where those are of a
    /// newer sample, or the database has no history.
    async fn keep_forecast(
        &self,
        of: &DatabaseKey,
        forecast: Arc<KeptForecast>,
    ) -> Result<bool, StoreError>;

    /// The forecasts of a database that are kept, with some of their parts.
    async fn kept_forecast(
        &self,
        of: &DatabaseKey,
        query: &PartQuery,
    ) -> Result<Option<KeptForecast>, StoreError>;
}

/// The forecasts of a database and of what is in it, as of one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptForecast {
    /// What they were made from, and when.
    pub header: ForecastHeader,
    /// What moves, in the order of the growth in 90 days, largest first.
    pub parts: Vec<ForecastPart>,
}

/// What forecasts were made from, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastHeader {
    /// The newest sample that they are made from.
    pub sample_id: i64,
    /// When that was taken.
    pub sampled_at: Timestamp,
    /// When they were computed.
    pub computed_at: Timestamp,
    /// How long that took.
    pub took_ms: u64,
    /// Tables, also those that do not move.
    pub table_count: u64,
    /// Tables of which too little is known for a forecast: they count as they are.
    pub young_count: u64,
    /// Why the database has no forecast.
    pub unknown: Option<String>,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKind {
    /// The database.
    Database,
    /// All that a schema has.
    Schema,
    /// A partition set or an inheritance tree, as one.
    Set,
    /// A table; also a materialized view or a sequence.
    Table,
    /// Tables of a set, a schema or the database that are not there yet, or will be there no more.
    ToCome,
    /// What belongs to no table: catalogs, and files that belong to nothing.
    Rest,
}

impl PartKind {
    const ALL: [Self; 6] = [
        Self::Database,
        Self::Schema,
        Self::Set,
        Self::Table,
        Self::ToCome,
        Self::Rest,
    ];

    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Database => "d",
            Self::Schema => "s",
            Self::Set => "p",
            Self::Table => "t",
            Self::ToCome => "n",
            Self::Rest => "r",
        }
    }

    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

/// What something in a database is expected to grow by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastPart {
    /// What it is.
    pub kind: PartKind,
    /// Its name; a schema's table name is empty, the database and the rest have neither.
    pub name: TableName,
    /// Bytes as of the sample.
    pub level_bytes: u64,
    /// What it is expected to grow by.
    pub horizons: PartHorizons,
}

/// Bytes at each horizon of [`HORIZONS_DAYS`](plimsoll_core::forecast::coherent::HORIZONS_DAYS).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHorizons {
    /// What it grows by: a parent by what its parts grow by.
    pub grown: [i64; HORIZONS],
    /// Half the width of the 80 % bounds; none without a forecast of its own.
    pub half80: Option<[u64; HORIZONS]>,
    /// What its own forecast was moved by, so that all agree.
    pub adjustment: [i64; HORIZONS],
}

/// The horizon by whose growth parts are ordered: 90 days.
const ORDER_HORIZON: usize = 7;

impl ForecastPart {
    /// What it grows by in 90 days.
    pub const fn grown_bytes(&self) -> i64 {
        self.horizons.grown[ORDER_HORIZON]
    }
}

/// Which parts to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartQuery {
    /// Of these kinds.
    pub kinds: Vec<PartKind>,
    /// Of this name only.
    pub name: Option<TableName>,
    /// Of each kind of schemas, sets and tables at most so many, those that grow most; of the others
    /// all.
    pub limit: Option<usize>,
}

#[async_trait]
impl<S: Transactions> Forecasts for S {
    async fn keep_forecast(
        &self,
        of: &DatabaseKey,
        forecast: Arc<KeptForecast>,
    ) -> Result<bool, StoreError> {
        let of = of.clone();
        self.writing(move |work| {
            Box::pin(async move {
                match find(work, &of).await? {
                    Some(keys) => keep(work, keys, &forecast).await,
                    None => Ok(false),
                }
            })
        })
        .await
    }

    async fn kept_forecast(
        &self,
        of: &DatabaseKey,
        query: &PartQuery,
    ) -> Result<Option<KeptForecast>, StoreError> {
        let (of, query) = (of.clone(), query.clone());
        self.reading(move |work| {
            Box::pin(async move {
                match find(work, &of).await? {
                    Some(keys) => kept(work, keys, &query).await,
                    None => Ok(None),
                }
            })
        })
        .await
    }
}

const PARTS: Insert = Insert {
    table: "plimsoll.forecast_parts",
    columns: &[
        ("instance_id", Kind::Int4),
        ("database_id", Kind::Int4),
        ("kind", Kind::Text),
        ("schema_name", Kind::Text),
        ("relation_name", Kind::Text),
        ("level_bytes", Kind::Int8),
        ("grown_bytes", Kind::Int8),
        ("horizons", Kind::Text),
    ],
    skips_known: false,
};

async fn keep(
    work: &dyn Transaction,
    keys: Keys,
    forecast: &KeptForecast,
) -> Result<bool, StoreError> {
    let header = &forecast.header;
    let [instance, database] = params(keys);
    let values = [
        instance,
        database,
        header.sample_id.into(),
        header.sampled_at.into(),
        header.computed_at.into(),
        signed(header.took_ms).into(),
        signed(header.table_count).into(),
        signed(header.young_count).into(),
        header.unknown.clone().into(),
    ];
    // what is of a newer sample stays
    let sql =
        "insert into plimsoll.forecasts as f (instance_id, database_id, sample_id, sampled_at,
                   computed_at, took_ms, table_count, young_count, unknown)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               on conflict (instance_id, database_id) do update set
                   sample_id = excluded.sample_id, sampled_at = excluded.sampled_at,
                   computed_at = excluded.computed_at, took_ms = excluded.took_ms,
                   table_count = excluded.table_count, young_count = excluded.young_count,
                   unknown = excluded.unknown
               where f.sample_id <= excluded.sample_id";
    if work.execute(sql, &values).await? == 0 {
        return Ok(false);
    }
    let sql = "delete from plimsoll.forecast_parts where instance_id = $1 and database_id = $2";
    work.execute(sql, &params(keys)).await?;
    let rows = forecast.parts.iter().map(|part| {
        let horizons = serde_json::to_string(&part.horizons).unwrap_or_default();
        vec![
            keys.0.into(),
            keys.1.into(),
            part.kind.letter().into(),
            Value::from(&part.name.schema_name),
            Value::from(&part.name.table_name),
            signed(part.level_bytes).into(),
            part.grown_bytes().into(),
            horizons.into(),
        ]
    });
    work.insert(&PARTS, rows.collect()).await?;
    Ok(true)
}

/// Forgets what is kept of a database: its history has changed.
pub(crate) async fn forget(work: &dyn Transaction, keys: Keys) -> Result<(), StoreError> {
    for sql in [
        "delete from plimsoll.forecasts where instance_id = $1 and database_id = $2",
        "delete from plimsoll.forecast_parts where instance_id = $1 and database_id = $2",
    ] {
        work.execute(sql, &params(keys)).await?;
    }
    Ok(())
}

async fn kept(
    work: &dyn Transaction,
    keys: Keys,
    query: &PartQuery,
) -> Result<Option<KeptForecast>, StoreError> {
    let sql =
        "select sample_id, sampled_at, computed_at, took_ms, table_count, young_count, unknown
               from plimsoll.forecasts where instance_id = $1 and database_id = $2";
    let headers = work.read(sql, &params(keys), header).await?;
    let Some(header) = headers.into_iter().next() else {
        return Ok(None);
    };
    // The parts of some kinds, what grows most first.
    let sql = "select kind, schema_name, relation_name, level_bytes, horizons
               from (
                   select kind, schema_name, relation_name, level_bytes, grown_bytes, horizons,
                       row_number() over (
                           partition by kind
                           order by grown_bytes desc, schema_name collate \"C\",
                               relation_name collate \"C\"
                       ) as place
                   from plimsoll.forecast_parts
                   where instance_id = $1 and database_id = $2 and kind = any ($3)
                       and (cast($4 as text) is null
                           or (schema_name = $4 and relation_name = cast($5 as text)))
               ) as p
               where cast($6 as bigint) is null or place <= $6 or kind not in ('s', 'p', 't')
               order by grown_bytes desc, kind, schema_name collate \"C\",
                   relation_name collate \"C\"";
    let [instance, database] = params(keys);
    let letters = query.kinds.iter().map(|kind| kind.letter().to_owned());
    let name = query.name.as_ref();
    let limit = query
        .limit
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let values = [
        instance,
        database,
        Value::Texts(letters.collect()),
        name.map(|name| &name.schema_name).into(),
        name.map(|name| &name.table_name).into(),
        limit.into(),
    ];
    let parts = work.read(sql, &values, part).await?;
    // what another version kept differently is computed again
    let parts: Option<Vec<ForecastPart>> = parts.into_iter().collect();
    Ok(parts.map(|parts| KeptForecast { header, parts }))
}

fn header(row: &Row) -> Result<ForecastHeader, RowError> {
    Ok(ForecastHeader {
        sample_id: row.get(0)?,
        sampled_at: row.get(1)?,
        computed_at: row.get(2)?,
        took_ms: row.get(3)?,
        table_count: row.get(4)?,
        young_count: row.get(5)?,
        unknown: row.get(6)?,
    })
}

/// `None` where it cannot be understood.
fn part(row: &Row) -> Result<Option<ForecastPart>, RowError> {
    let kind = PartKind::from_letter(&row.get::<String>(0)?);
    let horizons = serde_json::from_str(&row.get::<String>(4)?).ok();
    let (Some(kind), Some(horizons)) = (kind, horizons) else {
        return Ok(None);
    };
    Ok(Some(ForecastPart {
        kind,
        name: TableName::new(row.get::<String>(1)?, row.get::<String>(2)?),
        level_bytes: row.get(3)?,
        horizons,
    }))
}

#[cfg(test)]
mod tests {
    use plimsoll_core::forecast::coherent::HORIZONS_DAYS;

    use super::*;

    #[test]
    fn the_order_is_that_of_90_days() {
        assert!((HORIZONS_DAYS[ORDER_HORIZON] - 90.0).abs() < f64::EPSILON);
    }

    #[test]
    fn kinds_have_letters_of_their_own() {
        for kind in PartKind::ALL {
            assert_eq!(PartKind::from_letter(kind.letter()), Some(kind));
        }
        assert_eq!(PartKind::from_letter("x"), None);
    }
}
