//! The parts of a forecast as answers show them: bounds, passages, shapes, the record.

use jiff::Timestamp;
use plimsoll_core::events::{Shape, ShapeKind};
use plimsoll_core::forecast::{Backtest, Band, FullOn, InsufficientData, Passage, Probabilities};
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::forecasting::round::{bytes, signed_bytes};

/// Where a size is expected on a day, in bytes: `lo95 <= lo80 <= point <= hi80 <= hi95`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BandAnswer {
    /// Days from `now`.
    pub h: f64,
    /// The forecast.
    pub point: u64,
    /// Four times in five the size is above this, and
    pub lo80: u64,
    /// below this.
    pub hi80: u64,
    /// Nineteen times in twenty the size is above this, and
    pub lo95: u64,
    /// below this.
    pub hi95: u64,
}

/// When a limit is reached, in days from `now`; null: not within 365 days. The upper bound reaches
/// it first.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct PassageAnswer {
    /// The limit.
    pub bytes: u64,
    /// When the forecast reaches it.
    pub point: Option<f64>,
    /// When the upper 80 % bound does.
    pub lo80: Option<f64>,
    /// When the lower 80 % bound does.
    pub hi80: Option<f64>,
    /// When the upper 95 % bound does.
    pub lo95: Option<f64>,
    /// When the lower 95 % bound does.
    pub hi95: Option<f64>,
    /// The same as dates.
    pub full_on: FullOnAnswer,
    /// How likely the limit is reached within 7, 30 and 90 days.
    pub probability: ProbabilityAnswer,
}

/// The dates of a passage; null: not within 365 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct FullOnAnswer {
    /// When the upper 80 % bound reaches the limit: the date to be safe by.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub low: Option<Timestamp>,
    /// When the forecast does.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub mid: Option<Timestamp>,
    /// When the lower 80 % bound does.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub high: Option<Timestamp>,
}

/// How likely a limit is reached within so many days, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct ProbabilityAnswer {
    /// Within a week.
    pub within_7_days: f64,
    /// Within a month.
    pub within_30_days: f64,
    /// Within a quarter.
    pub within_90_days: f64,
}

/// What statistics see in a series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ShapeAnswer {
    /// When it began: the end of the first day that was different.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub t: Timestamp,
    /// What it is.
    #[schema(schema_with = schema::shape_kind)]
    pub kind: ShapeKind,
    /// Whether it is abnormal growth; else it is information.
    pub alert: bool,
    /// Bytes beyond what was usual: of the step, or of the burst so far; null for slopes.
    pub delta_bytes: Option<i64>,
    /// Growth per day before.
    pub rate_before: i64,
    /// Growth per day since; null for steps.
    pub rate_after: Option<i64>,
    /// The day on which it could be told.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub found_at: Timestamp,
}

/// How forecasts so many days ahead would have fared in the past of this very series.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BacktestAnswer {
    /// Days ahead.
    pub h: u32,
    /// From how many past days.
    pub origins: u64,
    /// The mean absolute error.
    pub error_bytes: u64,
    /// The mean absolute error of "nothing will change".
    pub naive_error_bytes: u64,
    /// The error as a share of the naive one: below 1 is better. Null where both are 0.
    pub error_to_naive: Option<f64>,
    /// The share of truths within the 80 % bounds, each as they would have been given on that day.
    /// Null where too few days have bounds.
    pub coverage80: Option<f64>,
    /// The same of the 95 % bounds.
    pub coverage95: Option<f64>,
}

/// Why there is no forecast.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct InsufficientAnswer {
    /// What is missing.
    pub reason: String,
    /// Samples at different times.
    pub samples: u64,
    /// Days between the first and the last of them.
    pub history_days: f64,
}

impl From<&Band> for BandAnswer {
    fn from(band: &Band) -> Self {
        Self {
            h: band.h,
            point: bytes(band.point),
            lo80: bytes(band.lo80),
            hi80: bytes(band.hi80),
            lo95: bytes(band.lo95),
            hi95: bytes(band.hi95),
        }
    }
}

impl From<Passage> for PassageAnswer {
    fn from(passage: Passage) -> Self {
        Self {
            bytes: passage.bytes,
            point: passage.point,
            lo80: passage.lo80,
            hi80: passage.hi80,
            lo95: passage.lo95,
            hi95: passage.hi95,
            full_on: passage.full_on.into(),
            probability: passage.probability.into(),
        }
    }
}

impl From<FullOn> for FullOnAnswer {
    fn from(FullOn { low, mid, high }: FullOn) -> Self {
        Self { low, mid, high }
    }
}

impl From<Probabilities> for ProbabilityAnswer {
    fn from(likely: Probabilities) -> Self {
        Self {
            within_7_days: rounded(likely.within_7_days),
            within_30_days: rounded(likely.within_30_days),
            within_90_days: rounded(likely.within_90_days),
        }
    }
}

impl From<&Shape> for ShapeAnswer {
    fn from(shape: &Shape) -> Self {
        Self {
            t: shape.t,
            kind: shape.kind,
            alert: shape.alert,
            delta_bytes: shape.delta_bytes.map(signed_bytes),
            rate_before: signed_bytes(shape.rate_before),
            rate_after: shape.rate_after.map(signed_bytes),
            found_at: shape.found_at,
        }
    }
}

impl From<Backtest> for BacktestAnswer {
    fn from(record: Backtest) -> Self {
        Self {
            h: record.h,
            origins: record.origins as u64,
            error_bytes: bytes(record.error_bytes),
            naive_error_bytes: bytes(record.naive_error_bytes),
            error_to_naive: record.error_to_naive.map(rounded),
            coverage80: record.coverage80.map(rounded),
            coverage95: record.coverage95.map(rounded),
        }
    }
}

impl From<InsufficientData> for InsufficientAnswer {
    fn from(insufficient: InsufficientData) -> Self {
        Self {
            reason: insufficient.reason,
            samples: insufficient.samples as u64,
            history_days: rounded(insufficient.history_days),
        }
    }
}

/// To a thousandth.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
