//! How a size will go on, and when what it lies on is full, as answers show it.

use jiff::Timestamp;
use plimsoll_core::forecast::{Band, Point};
use plimsoll_core::size_text;
use serde::Serialize;
use utoipa::ToSchema;

use super::events::{EventAnswer, event};
use super::gone::GoneAnswer;
use super::room::{RoomAnswer, VolumeRoomAnswer};
use super::schema;
use super::shapes::{
    self, BacktestAnswer, BandAnswer, FullOnAnswer, InsufficientAnswer, PassageAnswer, ShapeAnswer,
};
use crate::forecasting::{Forecast, Kind, Reconciled, RoomSource, round};

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
    /// When the table or the schema was last seen, and how large it was, where it is gone: then nothing is forecast.
    pub gone: Option<GoneAnswer>,
    /// When the last sample was taken: days are counted from here. Null without samples.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub now: Option<Timestamp>,
    /// Bytes at the last sample.
    pub level_bytes: Option<u64>,
    /// `level_bytes` as `pg_size_pretty` prints it.
    pub level_human: Option<String>,
    /// Growth per day expected over the next 30 days.
    pub slope_bytes_per_day: Option<i64>,
    /// Where the size is expected at each horizon.
    pub forecast: Vec<BandAnswer>,
    /// How far it may grow, and where that number comes from: on the volume that is full first.
    pub capacity: RoomAnswer,
    /// Each volume that it lies on, the one that is full first before the others: what grows on one is compared with
    /// what is free there. Empty where the question itself names the limit.
    pub volumes: Vec<VolumeRoomAnswer>,
    /// When that limit is reached; null where `unknown` says why.
    pub full_on: Option<FullOnAnswer>,
    /// Why `full_on` is null.
    pub unknown: Option<String>,
    /// Where the question names the limit and the size has reached it already: since which sample, as far as the
    /// samples go back.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub over_since: Option<Timestamp>,
    /// When each limit is reached: that of `capacity`, where it is known.
    pub limits: Vec<PassageAnswer>,
    /// What statistics see in the series: the shapes of the last 60 days.
    pub events: Vec<ShapeAnswer>,
    /// Since when it is measured as it is now, where older samples (of another tool, or of something else by the same
    /// name) do not meet these and were left out; null otherwise.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub coverage_changed_at: Option<Timestamp>,
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

/// The sample as of which a forecast agrees with those around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReconciledAnswer {
    /// When the sample was taken.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub as_of: Timestamp,
    /// The sample's id.
    pub sample_id: i64,
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

/// A forecast as answers show it.
pub fn drawn(forecast: Forecast) -> Drawn {
    let Forecast {
        subject,
        gone,
        points,
        coverage_changed_at,
        not_growth,
        room,
        volumes,
        reconciled,
        found,
        path,
    } = forecast;
    let limits: Vec<_> = found.limits.into_iter().map(PassageAnswer::from).collect();
    let full_on = limits.first().map(|limit| limit.full_on);
    let unknown = match (&full_on, &found.insufficient_data) {
        (Some(_), _) => None,
        (None, Some(insufficient)) => Some(insufficient.reason.clone()),
        (None, None) => room.unknown.clone(),
    };
    // what was free on a volume is known of the present only
    let limit = room
        .limit_bytes
        .filter(|_| room.source == Some(RoomSource::Asked));
    let answer = ForecastAnswer {
        over_since: limit.and_then(|limit| over_since(&points, limit)),
        of: word(subject.kind),
        instance: subject.instance,
        database: subject.database,
        schema_name: subject.schema_name,
        table_name: subject.table_name,
        tablespace: subject.tablespace,
        gone: gone.map(Into::into),
        now: found.now,
        level_bytes: found.level_bytes,
        level_human: found.level_bytes.map(size_text::pretty),
        slope_bytes_per_day: found.slope_bytes_per_day.map(round::signed_bytes),
        forecast: found.forecast.iter().map(BandAnswer::from).collect(),
        capacity: room.into(),
        volumes: volumes.into_iter().map(Into::into).collect(),
        full_on,
        unknown,
        limits,
        events: found.events.iter().map(ShapeAnswer::from).collect(),
        coverage_changed_at,
        not_growth: not_growth.into_iter().map(event).collect(),
        period_days: found.period_days.map(shapes::rounded),
        backtest: found.backtest.into_iter().map(Into::into).collect(),
        not_reconciled: reconciled.as_ref().err().cloned(),
        reconciled: reconciled.ok().map(Into::into),
        samples: found.samples as u64,
        history_days: shapes::rounded(found.history_days),
        widened: found.widened,
        insufficient_data: found.insufficient_data.map(Into::into),
    };
    Drawn {
        answer,
        points,
        path,
    }
}

/// Since when a size has been at a limit, or above it.
fn over_since(points: &[Point], limit_bytes: u64) -> Option<Timestamp> {
    let below = points.iter().filter(|point| point.bytes < limit_bytes);
    let below = below.map(|point| point.at).max();
    let times = points.iter().map(|point| point.at);
    times
        .filter(|at| below.is_none_or(|below| *at > below))
        .min()
}

impl From<Reconciled> for ReconciledAnswer {
    fn from(Reconciled { as_of, sample_id }: Reconciled) -> Self {
        Self { as_of, sample_id }
    }
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Database => "database",
        Kind::Schema => "schema",
        Kind::Table => "table",
        Kind::Set => "set",
        Kind::Tablespace => "tablespace",
        Kind::Instance => "instance",
        Kind::File => "file",
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::forecasting::{ForecastQuery, of_points};

    fn told(points: Vec<Point>, query: &ForecastQuery) -> ForecastAnswer {
        drawn(of_points(points, query)).answer
    }

    #[test]
    fn without_samples_or_a_limit_the_date_is_unknown_with_a_reason() {
        let none = told(Vec::new(), &ForecastQuery::default());
        assert_eq!(
            none.unknown.as_deref(),
            Some("no sample has a size of it yet")
        );
        assert!(none.insufficient_data.is_some() && none.forecast.is_empty());
        let days = |count: i64| -> Vec<Point> {
            (0..count)
                .map(|day| Point {
                    at: Timestamp::from_second(day * 86_400).unwrap(),
                    bytes: u64::try_from(1000 + day * 10).unwrap(),
                })
                .collect()
        };
        let unlimited = told(days(30), &ForecastQuery::default());
        assert!(unlimited.unknown.unwrap().contains("--capacity"));
        assert_eq!(unlimited.forecast[0].point, 1290 + 70);
        let query = ForecastQuery {
            capacity_bytes: Some(1390),
            ..ForecastQuery::default()
        };
        let limited = told(days(30), &query);
        assert_eq!(limited.unknown, None);
        assert_eq!(limited.limits[0].point, Some(10.0));
        let mid = limited.full_on.unwrap().mid.unwrap();
        assert_eq!(mid.as_second(), 39 * 86_400);
        assert_eq!(limited.over_since, None);
    }

    #[test]
    fn a_limit_that_is_reached_already_is_told_with_since_when() {
        let sizes = [10, 30, 20, 31, 30, 40];
        let points = |sizes: &[u64]| -> Vec<Point> {
            let days = (0_i64..).zip(sizes);
            let point = |(day, bytes): (i64, &u64)| Point {
                at: Timestamp::from_second(day * 86_400).unwrap(),
                bytes: *bytes,
            };
            days.map(point).collect()
        };
        for (limit, day) in [
            (41, None),
            (40, Some(5)),
            (30, Some(3)),
            (20, Some(1)),
            (5, Some(0)),
        ] {
            let query = ForecastQuery {
                capacity_bytes: Some(limit),
                ..ForecastQuery::default()
            };
            let since = told(points(&sizes), &query).over_since;
            assert_eq!(since.map(|at| at.as_second() / 86_400), day, "{limit}");
        }
    }
}
