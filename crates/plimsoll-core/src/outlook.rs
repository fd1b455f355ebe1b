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

/// Answers `question` about the series that `points` sample.
pub fn outlook(points: &[Point], question: OutlookQuery<'_>) -> Outlook {
    let forecast = match forecast(points, question.known) {
        Ok(forecast) => forecast.adjusted(question.adjustment),
        Err(insufficient) => {
            let last = points.iter().max_by_key(|point| point.at);
            return Outlook {
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
            };
        }
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
        events: shapes(points, question.known),
        period_days: forecast.period_days(),
        backtest: forecast.backtest(),
        samples: forecast.samples(),
        history_days: forecast.history_days(),
        widened: forecast.widened(),
        insufficient_data: None,
    }
}
