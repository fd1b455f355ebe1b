//! What a series says about the time to come and the time just past, in full: its forecast, when limits are
//! reached, its shapes, and how good such forecasts were.

use jiff::Timestamp;

use crate::events::{Shape, shapes};
use crate::forecast::coherent::Adjustment;
use crate::forecast::{Backtest, Band, InsufficientData, KnownChange, Passage, Point, forecast};

/// What is asked about a series.
#[derive(Debug, Clone, Copy, Default)]
pub struct OutlookQuery<'a> {
    /// How far ahead, in days.
    pub horizons_days: &'a [f64],
    /// Limits, in bytes.
    pub limits_bytes: &'a [u64],
    /// What is known to have happened to it.
    pub known: &'a [KnownChange],
    /// Shapes are looked for in what is measured from then on only: another tool's series may have another.
    pub shapes_since: Option<Timestamp>,
    /// What the forecast is moved by so that it agrees with those around it.
    pub adjustment: Adjustment,
}

/// A forecast in full. With `insufficient_data`, whatever needs a forecast is empty or null: unknown,
/// not "never".
#[derive(Debug, Clone, PartialEq)]
pub struct Outlook {
    /// When the last sample was taken; null without samples.
    pub now: Option<Timestamp>,
    /// Bytes at the last sample.
    pub level_bytes: Option<u64>,
    /// Growth per day expected over the next 30 days.
    pub slope_bytes_per_day: Option<f64>,
    /// Where the size is expected at each horizon.
    pub forecast: Vec<Band>,
    /// When each limit is reached.
    pub limits: Vec<Passage>,
    /// What statistics see in the series: the shapes of the last 60 days.
    pub events: Vec<Shape>,
    /// Days from one regular step to the next, where there are such.
    pub period_days: Option<f64>,
    /// How this very series was forecast in the past.
    pub backtest: Vec<Backtest>,
    /// Samples at different times.
    pub samples: usize,
    /// Days between the first and the last sample.
    pub history_days: f64,
    /// Whether the bounds were widened, because there are fewer than 60 days.
    pub widened: bool,
    /// Why there is no forecast.
    pub insufficient_data: Option<InsufficientData>,
}

impl Outlook {
    /// Of a series of which nothing is forecast, for this reason.
    pub fn unknown(points: &[Point], reason: String) -> Self {
        let at = |point: &Point| point.at;
        let (first, last) = (points.iter().map(at).min(), points.iter().map(at).max());
        let span = first
            .zip(last)
            .map(|(first, last)| last.duration_since(first));
        Self::insufficient(
            points,
            InsufficientData {
                reason,
                samples: points.len(),
                history_days: span.map_or(0.0, |span| span.as_secs_f64() / 86_400.0),
            },
        )
    }

    fn insufficient(points: &[Point], insufficient: InsufficientData) -> Self {
        let last = points.iter().max_by_key(|point| point.at);
        Self {
            now: last.map(|point| point.at),
            level_bytes: last.map(|point| point.bytes),
            slope_bytes_per_day: None,
            forecast: Vec::new(),
            limits: Vec::new(),
            events: Vec::new(),
            period_days: None,
            backtest: Vec::new(),
            samples: insufficient.samples,
            history_days: insufficient.history_days,
            widened: false,
            insufficient_data: Some(insufficient),
        }
    }
}

/// What is measured from a time on, to the second; all where that is nothing.
pub fn since(points: &[Point], at: Option<Timestamp>) -> &[Point] {
    let is_older = |point: &Point| at.is_some_and(|at| point.at.as_second() < at.as_second());
    match points.partition_point(is_older) {
        place if place < points.len() => &points[place..],
        _ => points,
    }
}

/// Answers `question` about the series that `points` sample.
pub fn outlook(points: &[Point], question: OutlookQuery<'_>) -> Outlook {
    let forecast = match forecast(points, question.known) {
        Ok(forecast) => forecast.adjusted(question.adjustment),
        Err(insufficient) => return Outlook::insufficient(points, insufficient),
    };
    Outlook {
        now: Some(forecast.now()),
        level_bytes: Some(forecast.level_bytes()),
        slope_bytes_per_day: Some(forecast.slope_bytes_per_day()),
        forecast: question
            .horizons_days
            .iter()
            .map(|&days| forecast.band(days))
            .collect(),
        limits: question
            .limits_bytes
            .iter()
            .map(|&limit| forecast.passage(limit))
            .collect(),
        events: shapes(since(points, question.shapes_since), question.known),
        period_days: forecast.period_days(),
        backtest: forecast.backtest(),
        samples: forecast.samples(),
        history_days: forecast.history_days(),
        widened: forecast.widened(),
        insufficient_data: None,
    }
}
