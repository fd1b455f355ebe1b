//! How a size will go on, and when what it lies on is full: of a database, a schema, a table, a
//! partition set, a tablespace, a whole instance, or of any series.

mod adjust;
mod agree;
mod gather;
mod ranking;
mod reads;
mod refresh;
mod room;
mod shapes;

use jiff::Timestamp;
use plimsoll_core::forecast::coherent::Adjustment;
use plimsoll_core::forecast::{Band, KnownChange, Point};
use plimsoll_core::outlook::{Question, outlook};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{DatabaseKey, PartKind, Store, StoreError, TableName};
use serde::Serialize;
use utoipa::ToSchema;

use super::ask::AskError;
use super::events::{EventAnswer, event};
use super::schema;
use adjust::Adjusted;
use reads::Series;

pub use adjust::ReconciledAnswer;
pub use ranking::{By, DEFAULT_ROWS, RankingAnswer, RankingBand, RankingRow, ranking};
pub use refresh::{refresh, refresh_if_due};
pub use room::RoomAnswer;
pub use shapes::{
    BacktestAnswer, BandAnswer, FullOnAnswer, InsufficientAnswer, PassageAnswer, ProbabilityAnswer,
    ShapeAnswer,
};

/// What a forecast is asked of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForecastOf {
    /// A database's total.
    Database,
    /// All tables of a schema.
    Schema(String),
    /// A table; a parent with everything below it.
    Table(TableName),
    /// The database's part of a tablespace.
    Tablespace(String),
    /// All watched databases of the instance.
    Instance,
}

/// How far ahead, and up to which size.
#[derive(Debug, Clone, PartialEq)]
pub struct ForecastQuery {
    /// How far ahead, in days.
    pub horizons_days: Vec<f64>,
    /// The limit; what is free where the size lies, if not given.
    pub capacity_bytes: Option<u64>,
}

impl Default for ForecastQuery {
    fn default() -> Self {
        Self {
            horizons_days: vec![7.0, 30.0, 90.0],
            capacity_bytes: None,
        }
    }
}

/// A forecast. With `insufficient_data`, whatever needs one is empty or null: unknown, not "never".
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ForecastAnswer {
    /// What the forecast is of.
    #[schema(schema_with = schema::forecast_of)]
    pub of: &'static str,
    /// The configured name of the instance; null for a file.
    pub instance: Option<String>,
    /// The database; null for an instance and for a file.
    pub database: Option<String>,
    /// The schema, where it is about one, or about one of its tables.
    pub schema_name: Option<String>,
    /// The table, where it is about one: its name now, or its last one.
    pub table_name: Option<String>,
    /// The tablespace, where it is about one.
    pub tablespace: Option<String>,
    /// When the last sample was taken: days are counted from here. Null without samples.
    pub now: Option<Timestamp>,
    /// Bytes at the last sample.
    pub level_bytes: Option<u64>,
    /// `level_bytes` as `pg_size_pretty` prints it.
    pub level_human: Option<String>,
    /// Growth per day expected over the next 30 days.
    pub slope_bytes_per_day: Option<i64>,
    /// Where the size is expected at each horizon.
    pub forecast: Vec<BandAnswer>,
    /// How far it may grow, and where that number comes from.
    pub capacity: RoomAnswer,
    /// When that limit is reached; null where `unknown` says why.
    pub full_on: Option<FullOnAnswer>,
    /// Why `full_on` is null.
    pub unknown: Option<String>,
    /// When each limit is reached: that of `capacity`, where it is known.
    pub limits: Vec<PassageAnswer>,
    /// What statistics see in the series: the shapes of the last 60 days.
    pub events: Vec<ShapeAnswer>,
    /// Recorded events that are no growth and have left the trend, oldest first.
    pub not_growth: Vec<EventAnswer>,
    /// Days from one regular step to the next, where there are such: retention, monthly loads.
    pub period_days: Option<f64>,
    /// How this very series was forecast in the past, and how "nothing will change" fared.
    pub backtest: Vec<BacktestAnswer>,
    /// The sample as of which this forecast was made to agree with the others of its database: what the
    /// database grows by is what its schemas, sets and tables grow by. Null where `not_reconciled`
    /// says why.
    pub reconciled: Option<ReconciledAnswer>,
    /// Why `reconciled` is null.
    pub not_reconciled: Option<String>,
    /// Samples at different times.
    pub samples: u64,
    /// Days between the first and the last sample.
    pub history_days: f64,
    /// Whether the bounds were widened, because there are less than 60 days.
    pub widened: bool,
    /// Why there is no forecast.
    pub insufficient_data: Option<InsufficientAnswer>,
}

/// A forecast with what is drawn of it.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// The forecast.
    pub answer: ForecastAnswer,
    /// The samples.
    pub points: Vec<Point>,
    /// Where the size is expected, from now to the furthest horizon, at even steps.
    pub path: Vec<Band>,
}

/// So many steps of the path are drawn.
const PATH_STEPS: u32 = 60;

/// Why nothing can be forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// No sample shows the table.
    #[error(
        "no sample of the history shows a table {}; names fold to lower case unless they are quoted", .0.key(18)
    )]
    UnknownTable(TableName),
    /// No sample shows a table of the schema.
    #[error("no sample of the history shows a table in schema \"{0}\"")]
    UnknownSchema(String),
    /// The server has no such tablespace.
    #[error("the server has no tablespace \"{0}\" that can be seen")]
    UnknownTablespace(String),
    /// What lies in a tablespace is known only from a visit.
    #[error("what lies in tablespace \"{tablespace}\" is not known: {reason}")]
    NoVisit {
        /// The tablespace.
        tablespace: String,
        /// Why there is no snapshot.
        reason: String,
    },
    /// The history could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Horizons in days, such as `7,30,90`.
pub fn horizons(text: &str) -> Result<Vec<f64>, AskError> {
    let wrong = || AskError::new(text, "1 to 32 numbers of days up to 3650, such as 7,30,90");
    let days = |word: &str| {
        let days: f64 = word.trim().parse().ok()?;
        (days > 0.0 && days <= 3650.0).then_some(days)
    };
    let all: Option<Vec<f64>> = text.split(',').map(days).collect();
    all.filter(|all| all.len() <= 32).ok_or_else(wrong)
}

/// Forecasts what the history has. The snapshot says what is free and what lies where; without one,
/// the text says why there is none.
pub async fn forecast(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &ForecastOf,
    snapshot: Result<&Snapshot, &str>,
    query: &ForecastQuery,
) -> Result<Drawn, ForecastError> {
    let mut answer = nothing();
    answer.instance = Some(of.instance.clone());
    answer.database = Some(of.database.clone());
    let series = match what {
        ForecastOf::Database => {
            answer.of = "database";
            reads::database(store, of).await?
        }
        ForecastOf::Schema(name) => {
            answer.of = "schema";
            answer.schema_name = Some(name.clone());
            reads::schema(store, of, name)
                .await?
                .ok_or_else(|| ForecastError::UnknownSchema(name.clone()))?
        }
        ForecastOf::Table(name) => {
            let (name, is_set, series) = reads::table(store, of, name)
                .await?
                .ok_or_else(|| ForecastError::UnknownTable(name.clone()))?;
            answer.of = if is_set { "set" } else { "table" };
            answer.schema_name = Some(name.schema_name);
            answer.table_name = Some(name.table_name);
            series
        }
        ForecastOf::Tablespace(name) => {
            answer.of = "tablespace";
            answer.tablespace = Some(name.clone());
            let snapshot = snapshot.map_err(|reason| ForecastError::NoVisit {
                tablespace: name.clone(),
                reason: reason.to_owned(),
            })?;
            let oid = tablespace(snapshot, name)
                .ok_or_else(|| ForecastError::UnknownTablespace(name.clone()))?
                .oid;
            reads::tablespace(store, of, snapshot, oid).await?
        }
        ForecastOf::Instance => {
            answer.of = "instance";
            answer.database = None;
            reads::instance(store, &of.instance).await?
        }
    };
    let level_bytes = newest(&series.points).map(|point| point.bytes);
    let room = match (query.capacity_bytes, snapshot) {
        (Some(asked), _) => RoomAnswer::asked(asked),
        (None, Err(reason)) => RoomAnswer::unknown(reason),
        (None, Ok(snapshot)) => {
            let own = match what {
                ForecastOf::Table(_) => answer.table_name.as_deref().and_then(|table| {
                    let schema = answer.schema_name.as_deref()?;
                    table_capacity(snapshot, schema, table)
                }),
                ForecastOf::Tablespace(name) => {
                    tablespace(snapshot, name).map(|space| &space.capacity)
                }
                _ => None,
            };
            let capacity = own.unwrap_or(&snapshot.facts.capacity);
            RoomAnswer::of(capacity, room::in_use(&snapshot.facts), level_bytes)
        }
    };
    let now = newest(&series.points).map(|point| point.at);
    let adjusted = match part(what, &answer) {
        Some((kind, name)) => adjust::adjustment(store, of, kind, name, now).await?,
        None => adjust::of_whole(store, of, what, now).await?,
    };
    Ok(fill(answer, series, room, adjusted, &query.horizons_days))
}

/// Which of the forecasts that were made to agree it is.
fn part(what: &ForecastOf, answer: &ForecastAnswer) -> Option<(PartKind, TableName)> {
    let name = || {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        TableName::new(text(&answer.schema_name), text(&answer.table_name))
    };
    match what {
        ForecastOf::Database => Some((PartKind::Database, name())),
        ForecastOf::Schema(_) => Some((PartKind::Schema, name())),
        ForecastOf::Table(_) if answer.of == "set" => Some((PartKind::Set, name())),
        ForecastOf::Table(_) => Some((PartKind::Table, name())),
        ForecastOf::Tablespace(_) | ForecastOf::Instance => None,
    }
}

/// The series of a table (its name now, and with what is below it) or of the database, and what is
/// known to have happened to it.
pub(super) async fn series_of(
    store: &dyn Store,
    of: &DatabaseKey,
    table: Option<&TableName>,
) -> Result<(Option<TableName>, Vec<Point>, Vec<KnownChange>), ForecastError> {
    let (name, series) = match table {
        None => (None, reads::database(store, of).await?),
        Some(table) => {
            let (name, _, series) = reads::table(store, of, table)
                .await?
                .ok_or_else(|| ForecastError::UnknownTable(table.clone()))?;
            (Some(name), series)
        }
    };
    let known = reads::known(&series.events);
    Ok((name, series.points, known))
}

/// Forecasts any series.
pub fn of_points(points: Vec<Point>, query: &ForecastQuery) -> Drawn {
    let room = query.capacity_bytes.map_or_else(
        || RoomAnswer::unknown("no limit was given: --capacity BYTES"),
        RoomAnswer::asked,
    );
    let series = Series {
        points,
        events: Vec::new(),
    };
    let alone = Err("a file is forecast on its own".to_owned());
    fill(nothing(), series, room, alone, &query.horizons_days)
}

fn fill(
    mut answer: ForecastAnswer,
    series: Series,
    room: RoomAnswer,
    adjusted: Adjusted,
    horizons_days: &[f64],
) -> Drawn {
    let (adjustment, reconciled) = match adjusted {
        Ok((adjustment, reconciled)) => (adjustment, Ok(reconciled)),
        Err(reason) => (Adjustment::default(), Err(reason)),
    };
    let limits_bytes: Vec<u64> = room.limit_bytes.into_iter().collect();
    let known = reads::known(&series.events);
    let furthest = horizons_days.iter().copied().fold(0.0, f64::max);
    let steps = (0..=PATH_STEPS).map(|step| furthest * f64::from(step) / f64::from(PATH_STEPS));
    let asked_and_drawn: Vec<f64> = horizons_days.iter().copied().chain(steps).collect();
    let mut found = outlook(
        &series.points,
        Question {
            horizons_days: &asked_and_drawn,
            limits_bytes: &limits_bytes,
            known: &known,
            adjustment,
        },
    );
    let path = found
        .forecast
        .split_off(horizons_days.len().min(found.forecast.len()));
    answer.now = found.now;
    answer.level_bytes = found.level_bytes;
    answer.level_human = found.level_bytes.map(size_text::pretty);
    answer.slope_bytes_per_day = found.slope_bytes_per_day.map(shapes::signed_bytes);
    answer.forecast = found.forecast.iter().map(BandAnswer::from).collect();
    answer.limits = found.limits.into_iter().map(PassageAnswer::from).collect();
    answer.events = found.events.iter().map(ShapeAnswer::from).collect();
    answer.not_growth = series.events.into_iter().map(event).collect();
    answer.period_days = found.period_days.map(shapes::rounded);
    answer.backtest = found.backtest.into_iter().map(Into::into).collect();
    answer.not_reconciled = reconciled.as_ref().err().cloned();
    answer.reconciled = reconciled.ok();
    answer.samples = found.samples as u64;
    answer.history_days = shapes::rounded(found.history_days);
    answer.widened = found.widened;
    answer.insufficient_data = found.insufficient_data.map(Into::into);
    answer.full_on = answer.limits.first().map(|limit| limit.full_on);
    answer.unknown = match (&answer.full_on, &answer.insufficient_data) {
        (Some(_), _) => None,
        (None, Some(insufficient)) => Some(insufficient.reason.clone()),
        (None, None) => room.capacity_unknown.clone(),
    };
    answer.capacity = room;
    Drawn {
        answer,
        points: series.points,
        path,
    }
}

fn nothing() -> ForecastAnswer {
    ForecastAnswer {
        of: "file",
        instance: None,
        database: None,
        schema_name: None,
        table_name: None,
        tablespace: None,
        now: None,
        level_bytes: None,
        level_human: None,
        slope_bytes_per_day: None,
        forecast: Vec::new(),
        capacity: RoomAnswer::default(),
        full_on: None,
        unknown: None,
        limits: Vec::new(),
        events: Vec::new(),
        not_growth: Vec::new(),
        period_days: None,
        backtest: Vec::new(),
        reconciled: None,
        not_reconciled: None,
        samples: 0,
        history_days: 0.0,
        widened: false,
        insufficient_data: None,
    }
}

fn newest(points: &[Point]) -> Option<&Point> {
    points.iter().max_by_key(|point| point.at)
}

fn tablespace<'a>(
    snapshot: &'a Snapshot,
    name: &str,
) -> Option<&'a plimsoll_core::instance::Tablespace> {
    let mut spaces = snapshot.facts.tablespaces.iter();
    spaces.find(|space| space.name == name)
}

/// Of the tablespace that a table lies in, if it has storage.
fn table_capacity<'a>(
    snapshot: &'a Snapshot,
    schema: &str,
    table: &str,
) -> Option<&'a plimsoll_core::instance::Figure<plimsoll_core::capacity::Capacity>> {
    let table = snapshot
        .tables
        .iter()
        .find(|t| *t.schema_name == *schema && *t.table_name == *table)?;
    let oid = table.heap.tablespace;
    let mut spaces = snapshot.facts.tablespaces.iter();
    spaces
        .find(|space| space.oid == oid)
        .map(|space| &space.capacity)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn horizons_are_days() {
        assert_eq!(horizons("7, 30,90"), Ok(vec![7.0, 30.0, 90.0]));
        for wrong in ["", "0", "-7", "7,,30", "nan", "inf", "4000", "week"] {
            assert!(horizons(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_samples_or_a_limit_the_date_is_unknown_with_a_reason() {
        let none = of_points(Vec::new(), &ForecastQuery::default()).answer;
        assert_eq!(none.unknown.as_deref(), Some("there are no samples yet"));
        assert!(none.insufficient_data.is_some() && none.forecast.is_empty());
        let days = |count: i64| -> Vec<Point> {
            (0..count)
                .map(|day| Point {
                    at: Timestamp::from_second(day * 86_400).unwrap(),
                    bytes: u64::try_from(1000 + day * 10).unwrap(),
                })
                .collect()
        };
        let unlimited = of_points(days(30), &ForecastQuery::default()).answer;
        assert!(unlimited.unknown.unwrap().contains("--capacity"));
        assert_eq!(unlimited.forecast[0].point, 1290 + 70);
        let query = ForecastQuery {
            capacity_bytes: Some(1390),
            ..ForecastQuery::default()
        };
        let limited = of_points(days(30), &query).answer;
        assert_eq!(limited.unknown, None);
        assert_eq!(limited.limits[0].point, Some(10.0));
        let mid = limited.full_on.unwrap().mid.unwrap();
        assert_eq!(mid.as_second(), 39 * 86_400);
    }
}
