//! The size at the same phase of the pattern, moved by what the size gains over whole periods.
//!
//! Where partitions come and go, the size after the next drop is what it was after the last one, and a little more or
//! less: that knows nothing of what comes in, and so is not wrong about it (a seasonal naive forecast with drift).

use super::grid::Daily;
use super::pattern::{Pattern, Pitch};
use super::stats::whole;
use super::tuning::pattern::DRIFT_DAYS;

/// A pattern's phases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Phases {
    pitch: Pitch,
    period_days: f64,
}

impl Phases {
    pub(super) const fn of(pattern: &Pattern) -> Self {
        Self {
            pitch: pattern.pitch,
            period_days: pattern.period_days,
        }
    }

    /// Bytes above those of day `origin` that the same phase lets expect `days` later; nothing before there was one.
    pub(super) fn at(&self, daily: &Daily, origin: usize, days: usize) -> f64 {
        let day = origin + days;
        let before = match self.pitch {
            Pitch::Days(pitch) => {
                let periods = (days as f64 / pitch).ceil();
                day.checked_sub(whole((periods * pitch).round()))
            }
            Pitch::DayOfMonth(_) => daily.months_before(day, origin),
        };
        let Some(before) = before.filter(|&before| before <= origin) else {
            return 0.0;
        };
        let periods = (DRIFT_DAYS.min(origin as f64) / self.period_days).floor();
        let since = origin.saturating_sub(whole((periods * self.period_days).round()));
        let drift = if since < origin {
            (daily.y[origin] - daily.y[since]) / (origin - since) as f64
        } else {
            0.0
        };
        daily.y[before] - daily.y[origin] + drift * (day - before) as f64
    }
}
