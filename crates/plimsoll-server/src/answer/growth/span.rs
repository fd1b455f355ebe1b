//! The time between two samples, and what growth in it is a day and of the whole.

use plimsoll_core::sample::SampleHeader;
use plimsoll_core::size::signed;

/// Below this, a growth per day says nothing.
const SHORTEST_SECONDS: i64 = 3600;

/// How long it took, and what the database grew by in that time.
pub(super) struct Span {
    seconds: i64,
    /// None where the size at one end is unknown.
    pub(super) grown_bytes: Option<i64>,
}

impl Span {
    pub(super) fn between(from: &SampleHeader, to: &SampleHeader) -> Self {
        Self {
            seconds: to.sampled_at.as_second() - from.sampled_at.as_second(),
            grown_bytes: from
                .total_bytes
                .zip(to.total_bytes)
                .map(|(from, to)| signed(to) - signed(from)),
        }
    }

    /// To a thousandth.
    pub(super) fn days(&self) -> f64 {
        rounded(as_f64(self.seconds) / 86_400.0, 1000.0)
    }

    pub(super) fn per_day(&self, bytes: i64) -> Option<i64> {
        if self.seconds < SHORTEST_SECONDS {
            return None;
        }
        let per_day = i128::from(bytes) * 86_400 / i128::from(self.seconds);
        i64::try_from(per_day).ok()
    }

    pub(super) fn share(&self, bytes: i64) -> Option<f64> {
        percent(bytes, self.grown_bytes.filter(|grown| *grown > 0)?)
    }
}

/// To a hundredth of a percent.
pub(super) fn percent(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| rounded(as_f64(part) / as_f64(whole) * 100.0, 100.0))
}

pub(super) fn rounded(number: f64, steps: f64) -> f64 {
    (number * steps).round() / steps
}

/// Exact below 2^53; a percentage needs no more.
fn as_f64(number: i64) -> f64 {
    number as f64
}
