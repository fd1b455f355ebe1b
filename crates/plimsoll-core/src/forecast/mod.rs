//! How a size will go on, how sure that is, and when it reaches a limit.
//!
//! `docs/FORECAST.md` explains the method and shows how it scores. In short: samples become one value
//! a day (`grid`); steps that are no growth leave the series, steps that come back at a regular
//! pitch or on a day of the calendar are understood as a pattern (`clean`, `pattern`, `calendar`); fourteen trend
//! rules say where it goes (`rules`), each weighing as much as it has been right on this very series (`pool`,
//! `judged`), without extremes (`combine`); the bounds are what the same forecasts would have missed in the past
//! (`interval`). Every constant stands in `tuning`.
//!
//! Sources: the method of `bench/growth/README.md`; forecast combination after the M4 competition
//! (Makridakis, Spiliotis, Assimakopoulos 2020); exponential smoothing after Hyndman et al. (2008);
//! bounds from rolling-origin errors as in weighted conformal prediction (Barber, Candès, Ramdas,
//! Tibshirani 2023); first passage as in Nutanix's SER (arXiv 1901.10552).

mod anchor;
mod backtest;
mod calendar;
pub(crate) mod clean;
pub mod coherent;
mod combine;
mod exponents;
mod gaps;
pub(crate) mod grid;
mod interval;
mod judged;
mod passage;
pub(crate) mod pattern;
mod phase;
mod pool;
mod rules;
mod skill;
mod smoothing;
pub(crate) mod stats;
mod tuning;

use jiff::Timestamp;

use crate::counted::either;

pub use backtest::Backtest;
pub use passage::{FullOn, Passage, Probabilities};
pub use tuning::Tuning;

use clean::Clean;
use coherent::{Adjustment, Estimate};
use grid::Daily;
use interval::{Evidence, Reach, Widths};
use pattern::Expected;
use pool::Pool;
use rules::{Path, RULES};
use tuning::passage::JERKS_AHEAD;

/// A size at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When it was measured.
    pub at: Timestamp,
    /// The size.
    pub bytes: u64,
}

/// Something that is known to have happened to the series and is not growth: a rewrite, a truncate,
/// a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownChange {
    /// When it happened: somewhere between the sample before and the sample after.
    pub at: Timestamp,
    /// What it moved, where that is known; else all that is unusual between the two samples.
    pub delta_bytes: Option<i64>,
}

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{reason}")]
pub struct InsufficientData {
    /// For people: what is missing.
    pub reason: String,
    /// Samples at different times.
    pub samples: usize,
    /// Days between the first and the last of them.
    pub history_days: f64,
}

/// Fewer samples than this say nothing about growth.
pub const LEAST_SAMPLES: usize = 5;
/// A shorter history than this, in days, says nothing about growth.
pub const LEAST_DAYS: f64 = 3.0;
/// No limit is looked for further ahead than this many days.
pub const FURTHEST_DAYS: u16 = 365;

/// Where a size is expected on a day, in bytes. Never negative, never NaN, `lo95 <= lo80 <= point <=
/// hi80 <= hi95`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    /// Days from now.
    pub h: f64,
    /// The forecast.
    pub point: f64,
    /// Four times in five it is above this, and
    pub lo80: f64,
    /// below this.
    pub hi80: f64,
    /// Nineteen times in twenty it is above this, and
    pub lo95: f64,
    /// below this.
    pub hi95: f64,
}

/// A forecast of one series.
#[derive(Debug, Clone)]
pub struct Forecast {
    pub(crate) daily: Daily,
    pub(crate) clean: Clean,
    model: Model,
    tuning: Tuning,
    samples: usize,
    history_days: f64,
}

#[derive(Debug, Clone)]
enum Model {
    /// Nothing ever moved.
    Constant,
    Moving(Box<Moving>),
}

#[derive(Debug, Clone)]
struct Moving {
    pool: Pool,
    /// The rules' paths from the last day.
    paths: [Path; RULES],
    /// Steps of the pattern that are due.
    expected: Vec<Expected>,
    widths: Widths,
    adjustment: Adjustment,
}

/// Forecasts the series that `points` sample, in any order and at any times.
///
/// `known` changes leave the trend. "Now" is the last sample: the function has no clock.
///
/// # Errors
/// [`InsufficientData`] for fewer than [`LEAST_SAMPLES`] samples or less than [`LEAST_DAYS`] days.
pub fn forecast(points: &[Point], known: &[KnownChange]) -> Result<Forecast, InsufficientData> {
    forecast_tuned(points, known, Tuning::default())
}

/// As [`forecast`], with other constants: for tuning them and judging that.
///
/// # Errors
/// As [`forecast`].
pub fn forecast_tuned(
    points: &[Point],
    known: &[KnownChange],
    tuning: Tuning,
) -> Result<Forecast, InsufficientData> {
    let Some((daily, extent)) = grid::daily(points) else {
        return Err(InsufficientData {
            reason: "no sample has a size of it yet".to_owned(),
            samples: 0,
            history_days: 0.0,
        });
    };
    let insufficient = |reason: String| InsufficientData {
        reason,
        samples: extent.samples,
        history_days: extent.span_days,
    };
    if extent.samples < LEAST_SAMPLES {
        let samples = extent.samples as u64;
        return Err(insufficient(format!(
            "a forecast needs {LEAST_SAMPLES} samples, and there {} {samples}",
            either(samples, "is", "are")
        )));
    }
    if extent.span_days < LEAST_DAYS {
        return Err(insufficient(format!(
            "a forecast needs {LEAST_DAYS} days of history, and there are {:.1}",
            extent.span_days
        )));
    }
    let constant = daily.y.iter().all(|&y| y == 0.0);
    let (clean, model) = if constant {
        (Clean::constant(daily.len()), Model::Constant)
    } else {
        let clean = Clean::new(&daily, known, tuning);
        let moving = Moving::new(&daily, &clean, tuning);
        (clean, Model::Moving(Box::new(moving)))
    };
    Ok(Forecast {
        daily,
        clean,
        model,
        tuning,
        samples: extent.samples,
        history_days: extent.span_days,
    })
}

impl Moving {
    fn new(daily: &Daily, clean: &Clean, tuning: Tuning) -> Self {
        let newest = daily.len() - 1;
        let paths = rules::paths(daily, clean, tuning);
        let pool = Pool::walk(daily, clean, &paths, tuning);
        let widths = Widths::on(&Evidence::new(daily, clean, &pool, tuning), newest);
        let paths = paths[newest];
        let expected = clean.pattern.as_ref().map_or_else(Vec::new, |pattern| {
            let until = newest + usize::from(FURTHEST_DAYS);
            pattern.expected(daily, &clean.inflow_with_steps, newest, until)
        });
        Self {
            pool,
            paths,
            expected,
            widths,
            adjustment: Adjustment::default(),
        }
    }

    /// Bytes above the present value, so many days ahead.
    fn point(&self, daily: &Daily, days: f64) -> f64 {
        self.pool.forecast(daily, &self.paths, &self.expected, days) + self.adjustment.at(days)
    }

    /// How far the bounds are from `point`, so many days ahead.
    fn reach(&self, point: f64, days: f64) -> Reach {
        // what comes and goes hides its rate
        let trend = if self.expected.is_empty() { point } else { 0.0 };
        self.widths.at(days, trend)
    }
}

impl Forecast {
    /// When the last sample was taken: what "now" is to this forecast.
    pub const fn now(&self) -> Timestamp {
        self.daily.now
    }

    /// Bytes at the last sample, from which the forecast starts.
    pub const fn level_bytes(&self) -> u64 {
        self.daily.last_bytes
    }

    /// The growth that is expected over the next 30 days, per day.
    pub fn slope_bytes_per_day(&self) -> f64 {
        match &self.model {
            Model::Constant => 0.0,
            Model::Moving(moving) => {
                moving.point(&self.daily, 30.0).max(-self.daily.level()) / 30.0
            }
        }
    }

    /// The growth that is expected `days` from now, with the variance of its error. Where the size
    /// would fall below 0, this says by how much.
    pub fn growth(&self, days: f64) -> Estimate {
        match &self.model {
            Model::Constant => Estimate::from_half80(0.0, 0.0),
            Model::Moving(moving) => {
                let point = moving.point(&self.daily, days);
                let reach = moving.reach(point, days);
                Estimate::from_half80(point, f64::midpoint(reach.up80, reach.down80))
            }
        }
    }

    /// The same forecast, moved so that it agrees with those around it; what never moved stays.
    #[must_use]
    pub const fn adjusted(mut self, adjustment: Adjustment) -> Self {
        if let Model::Moving(moving) = &mut self.model {
            moving.adjustment = adjustment;
        }
        self
    }

    /// Days between the first and the last sample.
    pub const fn history_days(&self) -> f64 {
        self.history_days
    }

    /// How many samples at different times there are.
    pub const fn samples(&self) -> usize {
        self.samples
    }

    /// Whether the bounds are wider than past errors say, because there are fewer than 60 days.
    pub fn widened(&self) -> bool {
        self.history_days < tuning::interval::SHORT_DAYS
    }

    /// Days from one regular step to the next, where there are such: retention, monthly loads.
    pub fn period_days(&self) -> Option<f64> {
        self.clean.pattern.as_ref().map(|found| found.period_days)
    }

    /// How far a first passage comes ahead of a path that rises to `point`, `days` from now.
    fn ahead(&self, point: f64, days: f64) -> f64 {
        match &self.model {
            Model::Moving(moving) if point > self.daily.level() => {
                JERKS_AHEAD * moving.widths.at(days, 0.0).smooth80
            }
            _ => 0.0,
        }
    }

    /// Where the size is expected `days` from now; at least 0 and at most ten years are answered.
    pub fn band(&self, days: f64) -> Band {
        let days = if days.is_finite() {
            days.clamp(0.0, 3650.0)
        } else {
            0.0
        };
        let (moved, reach) = match &self.model {
            Model::Moving(moving) if days > 0.0 => {
                let point = moving.point(&self.daily, days);
                (point, moving.reach(point, days))
            }
            _ => (0.0, Reach::default()),
        };
        let bytes = |moved: f64| {
            let bytes = (self.daily.level() + moved).round();
            if bytes.is_nan() {
                self.daily.level()
            } else {
                bytes.clamp(0.0, MOST_BYTES)
            }
        };
        Band {
            h: days,
            point: bytes(moved),
            lo80: bytes(moved - reach.down80),
            hi80: bytes(moved + reach.up80),
            lo95: bytes(moved - reach.down95),
            hi95: bytes(moved + reach.up95),
        }
    }
}

/// No size is larger: what a `u64` holds.
const MOST_BYTES: f64 = u64::MAX as f64;
