//! Makes, keeps, refreshes and ranks forecasts: of a database, a schema, a table, a partition set, a
//! tablespace, a whole instance, or of any series.
//!
//! **Invariant:** nothing here is an answer: values come out, and [`crate::answer`] turns them into what
//! is printed.

mod adjust;
mod agree;
#[cfg(test)]
mod coverage_tests;
mod gather;
mod ranking;
mod reads;
mod refresh;
mod room;
pub(crate) mod round;
mod service;
mod shares;
mod split;
mod spread;
mod subject;
mod volumes;

use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::forecast::coherent::Adjustment;
use plimsoll_core::forecast::{Band, KnownChange, Point};
use plimsoll_core::outlook::{Outlook, OutlookQuery, outlook, since};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{DatabaseKey, NamedEvent, Store, StoreError, TableName};

use crate::panics::{Panicked, message};
use crate::selection::{Gone, SelectedTable, SelectionError, Unknown};
use adjust::Adjusted;
use reads::Series;
use subject::FoundSubject;
use volumes::Limits;

pub use adjust::Reconciled;
pub use ranking::{DEFAULT_ROWS, Expected, RankBy, Ranking, Row, ranking};
pub(crate) use reads::known as known_changes;
pub use refresh::{refresh, refresh_if_due};
pub use room::{Room, RoomSource, in_use};
pub use service::Forecasts;
pub use shares::lies_on_several_volumes;
pub use subject::{Kind, Subject};
pub use volumes::OnVolume;

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

/// A forecast, with what it is made from and what is drawn of it.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// What it is of.
    pub subject: Subject,
    /// When that was last seen, where it is there no more: then nothing is forecast.
    pub gone: Option<Gone>,
    /// The samples.
    pub points: Vec<Point>,
    /// Since when it is measured as it is now, where older samples do not compare and were left out.
    pub coverage_changed_at: Option<Timestamp>,
    /// Recorded events that are no growth and have left the trend, oldest first.
    pub not_growth: Vec<NamedEvent>,
    /// How far the size may grow: on the volume that is full first.
    pub room: Room,
    /// Each volume that it lies on.
    pub volumes: Vec<OnVolume>,
    /// The sample as of which it agrees with the forecasts around it, or why it does not.
    pub reconciled: Result<Reconciled, String>,
    /// What the history says, at the horizons that were asked for.
    pub found: Outlook,
    /// Where the size is expected, from now to the furthest horizon, at even steps.
    pub path: Vec<Band>,
}

/// So many steps of the path are drawn.
const PATH_STEPS: u32 = 60;

/// Why nothing can be forecast.
#[derive(Debug, thiserror::Error)]
pub enum ForecastError {
    /// Nothing has the name.
    #[error(transparent)]
    Unknown(Unknown),
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
    /// A mistake of ours.
    #[error("computing the forecast failed by {0}")]
    Panicked(Panicked),
}

impl From<SelectionError> for ForecastError {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::Unknown(unknown) => Self::Unknown(unknown),
            SelectionError::Store(error) => Self::Store(error),
        }
    }
}

/// What visits saw, for what the history alone does not tell.
#[derive(Debug, Clone, Copy)]
pub struct VisitedSnapshots<'a> {
    /// The database; or why there is no snapshot of it.
    pub database: Result<&'a Snapshot, &'a str>,
    /// The instance's other databases, as far as they were visited.
    pub others: &'a [Arc<Snapshot>],
}

/// Forecasts what the history has. Snapshots say what is free and what lies where.
pub async fn forecast(
    store: &dyn Store,
    of: &DatabaseKey,
    what: &ForecastOf,
    seen: VisitedSnapshots<'_>,
    query: &ForecastQuery,
) -> Result<Forecast, ForecastError> {
    let found = subject::find(store, of, what, seen.database).await?;
    let limits = match query.capacity_bytes {
        Some(asked) => Limits::Asked(Box::new(Room::asked(asked))),
        None => Limits::Volumes(shares::shares(store, of, what, &found.series, seen).await?),
    };
    let now = newest(&found.series.points).map(|point| point.at);
    let adjusted = match subject::part(&found.subject) {
        Some((kind, name)) => adjust::adjustment(store, of, kind, name, now).await?,
        None => adjust::of_whole(store, of, what, now).await?,
    };
    let horizons_days = query.horizons_days.clone();
    // a long series takes a tenth of a second, which no other task should wait for
    let computed =
        tokio::task::spawn_blocking(move || compute(found, limits, adjusted, &horizons_days));
    computed.await.map_err(|error| {
        let panic = error.try_into_panic();
        let message = panic.map_or_else(|error| error.to_string(), |panic| message(&*panic));
        ForecastError::Panicked(Panicked { message })
    })
}

/// Forecasts any series.
pub fn of_points(points: Vec<Point>, query: &ForecastQuery) -> Forecast {
    let room = query.capacity_bytes.map_or_else(
        || Room::unknown("no limit was given: --capacity BYTES"),
        Room::asked,
    );
    let found = FoundSubject {
        subject: Subject::file(),
        series: Series {
            points,
            ..Series::default()
        },
        gone: None,
        among: None,
    };
    let alone = Err("a file is forecast on its own".to_owned());
    compute(
        found,
        Limits::Asked(Box::new(room)),
        alone,
        &query.horizons_days,
    )
}

fn compute(
    found: FoundSubject,
    limits: Limits,
    adjusted: Adjusted,
    horizons_days: &[f64],
) -> Forecast {
    let FoundSubject {
        subject,
        series,
        gone,
        among,
    } = found;
    let (mut adjustment, mut reconciled) = match adjusted {
        Ok((adjustment, reconciled)) => (adjustment, Ok(reconciled)),
        Err(reason) => (Adjustment::default(), Err(reason)),
    };
    if let Some((whole, others)) = &among {
        let parts: Vec<&Series> = std::iter::once(&series).chain(others).collect();
        if let Some(moved) = spread::spread(whole, adjustment, &parts) {
            adjustment = moved[0];
        } else {
            adjustment = Adjustment::default();
            reconciled = Err(
                "what the database has in some tablespace cannot be forecast yet, so this is forecast on its own"
                    .to_owned(),
            );
        }
    }
    if let Some(gone) = gone {
        return ended(subject, series, gone, limits);
    }
    let known = series.known();
    let furthest = horizons_days.iter().copied().fold(0.0, f64::max);
    let steps = (0..=PATH_STEPS).map(|step| furthest * f64::from(step) / f64::from(PATH_STEPS));
    let asked_and_drawn: Vec<f64> = horizons_days.iter().copied().chain(steps).collect();
    let mut outlook = outlook(
        &series.points,
        OutlookQuery {
            horizons_days: &asked_and_drawn,
            limits_bytes: &limits.of_all(&series),
            known: &known,
            shapes_since: series.last_seam(),
            adjustment,
        },
    );
    if let Some(insufficient) = &mut outlook.insufficient_data {
        insufficient.reason = reads::because(&insufficient.reason, series.coverage_changed_at);
    }
    let (room, volumes) = limits.settle(&series, adjustment, &mut outlook);
    let path = outlook
        .forecast
        .split_off(horizons_days.len().min(outlook.forecast.len()));
    Forecast {
        subject,
        gone,
        points: series.points,
        coverage_changed_at: series.coverage_changed_at,
        not_growth: series.events,
        room,
        volumes,
        reconciled,
        found: outlook,
        path,
    }
}

/// What was dropped does not go on: nothing is forecast of it, and the reason says when it was last seen.
fn ended(subject: Subject, series: Series, gone: Gone, limits: Limits) -> Forecast {
    let reason = gone.text();
    let mut found = Outlook::unknown(&series.points, reason.clone());
    (found.now, found.level_bytes) = (gone.last_seen_at, gone.last_bytes);
    Forecast {
        subject,
        gone: Some(gone),
        room: limits.asked(&reason),
        volumes: Vec::new(),
        reconciled: Err(reason),
        found,
        path: Vec::new(),
        points: series.points,
        coverage_changed_at: series.coverage_changed_at,
        not_growth: series.events,
    }
}

/// The series of the database as one tool measured it, the last that did, and what is known to have happened to it.
pub(crate) async fn series_of(
    store: &dyn Store,
    of: &DatabaseKey,
) -> Result<(Vec<Point>, Vec<KnownChange>), StoreError> {
    let series = reads::database(store, of).await?;
    let known = series.known();
    Ok((since(&series.points, series.last_seam()).to_vec(), known))
}

/// The same of a table or a set.
pub(crate) async fn series_of_table(
    store: &dyn Store,
    of: &DatabaseKey,
    table: &TableName,
) -> Result<(SelectedTable, Vec<Point>, Vec<KnownChange>), ForecastError> {
    let (selected, series) = reads::table(store, of, table).await?;
    let known = series.known();
    let points = since(&series.points, series.last_seam()).to_vec();
    Ok((selected, points, known))
}

fn newest(points: &[Point]) -> Option<&Point> {
    points.iter().max_by_key(|point| point.at)
}
