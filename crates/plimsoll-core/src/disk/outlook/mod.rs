//! When a volume is full by what the history says: the sum of its parts' forecasts, scaled by what the file system
//! saves.
//!
//! Databases, logs and the rest go on as their series do. WAL is a level: it grows by itself up to `max_wal_size`, and
//! beyond only while something holds it, at the rate at which it is written, until a limit ends that. Temporary files
//! are a level with a range. Parts that grow together miss together: the variance of the sum has their correlations
//! in it, and where too few days are known to tell, they count as one.

mod wal;

use jiff::{SignedDuration, Timestamp};

use super::state::Dates;
use crate::forecast::coherent::Estimate;
use crate::forecast::stats::{median, whole};
use crate::forecast::{FURTHEST_DAYS, Forecast};

pub use wal::{Held, WalLevel};

/// Days that two parts need in common before their correlation is believed.
const LEAST_DAYS: usize = 8;
/// The quantile of the hours' highest that a level may come back to.
const HIGH: f64 = 0.9;
const HOURS_A_DAY: f64 = 24.0;

/// How a part goes on.
#[derive(Debug, Clone)]
pub enum Course {
    /// As its series does.
    Series(Box<Forecast>),
    /// It comes and goes about a level.
    Level(Level),
    /// As WAL does.
    Wal(WalLevel),
    /// It stays as it is: nothing is known of it.
    Stays,
}

/// What comes and goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The level, above what there is now.
    pub above_now: f64,
    /// Half the width of its 80 % range.
    pub half80: f64,
}

/// A part with how it goes on.
#[derive(Debug, Clone)]
pub struct PartCourse {
    /// How.
    pub course: Course,
    /// What it gained on each of the last days, newest last; none where a day is not known.
    pub gains: Vec<Option<f64>>,
}

impl Level {
    /// From the highest of each of the last hours, and what there is now.
    pub fn of(highs: &[f64], now: f64) -> Self {
        let mut sorted = highs.to_vec();
        if sorted.is_empty() {
            return Self {
                above_now: 0.0,
                half80: 0.0,
            };
        }
        let level = median(&mut sorted);
        sorted.sort_unstable_by(f64::total_cmp);
        let high = sorted[whole(HIGH * (sorted.len() - 1) as f64)];
        Self {
            above_now: level - now,
            half80: (high - level).max(0.0),
        }
    }
}

impl Course {
    fn growth(&self, days: f64) -> Estimate {
        match self {
            Self::Series(forecast) => forecast.growth(days),
            Self::Level(level) => Estimate::from_half80(level.above_now, level.half80),
            Self::Wal(wal) => wal.growth(days * HOURS_A_DAY),
            Self::Stays => Estimate::from_half80(0.0, 0.0),
        }
    }
}

/// When `available_bytes` are gained by all parts together; `scale` is what a byte of files takes of the volume.
pub fn full(parts: &[PartCourse], scale: f64, available_bytes: u64, now: Timestamp) -> Dates {
    let correlations = correlations(parts);
    let room = available_bytes as f64;
    // Of each bound: the last time with its bytes, and the date once it is found.
    let mut last = (0.0, [0.0; 3]);
    let mut found: [Option<f64>; 3] = [None; 3];
    for days in times() {
        let (grown, half80) = sum(parts, &correlations, scale, days);
        let bounds = [grown + half80, grown, grown - half80];
        for bound in 0..3 {
            if found[bound].is_none() && bounds[bound] >= room {
                let (from, before) = (last.0, last.1[bound]);
                let share = (room - before) / (bounds[bound] - before);
                let share = if share.is_finite() {
                    share.clamp(0.0, 1.0)
                } else {
                    1.0
                };
                found[bound] = Some(from + share * (days - from));
            }
        }
        last = (days, bounds);
    }
    let date = |days: Option<f64>| {
        #[expect(clippy::cast_possible_truncation, reason = "a year of seconds fits")]
        let seconds = (days? * 86_400.0) as i64;
        now.checked_add(SignedDuration::from_secs(seconds)).ok()
    };
    Dates {
        low: date(found[0]),
        mid: date(found[1]),
        high: date(found[2]),
    }
}

/// Every hour of two days, then every day of a year.
fn times() -> impl Iterator<Item = f64> {
    let hours = (1..=48).map(|hour| f64::from(hour) / HOURS_A_DAY);
    hours.chain((3..=FURTHEST_DAYS).map(f64::from))
}

/// What all parts gain, and half the width of its 80 % range.
fn sum(parts: &[PartCourse], correlations: &[Vec<f64>], scale: f64, days: f64) -> (f64, f64) {
    let each: Vec<Estimate> = parts.iter().map(|part| part.course.growth(days)).collect();
    let grown: f64 = each.iter().map(|estimate| estimate.grown).sum();
    let mut variance = 0.0;
    for (i, a) in each.iter().enumerate() {
        for (j, b) in each.iter().enumerate() {
            let deviations = a.variance.max(0.0).sqrt() * b.variance.max(0.0).sqrt();
            variance += correlations[i][j] * deviations;
        }
    }
    let total = Estimate {
        grown: grown * scale,
        variance: variance.max(0.0) * scale * scale,
    };
    (total.grown, total.half80())
}

/// How much each two parts gain together, from 0 (nothing) to 1: what one gains where another loses is left aside, since
/// it need not go on so.
fn correlations(parts: &[PartCourse]) -> Vec<Vec<f64>> {
    let one = |i: usize, j: usize| {
        if i == j {
            1.0
        } else {
            correlation(&parts[i].gains, &parts[j].gains)
        }
    };
    (0..parts.len())
        .map(|i| (0..parts.len()).map(|j| one(i, j)).collect())
        .collect()
}

fn correlation(a: &[Option<f64>], b: &[Option<f64>]) -> f64 {
    let pairs: Vec<(f64, f64)> = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .filter_map(|(a, b)| Some(((*a)?, (*b)?)))
        .collect();
    if pairs.len() < LEAST_DAYS {
        return 1.0;
    }
    let count = pairs.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>() / count;
    let (mean_a, mean_b) = (mean(|pair| pair.0), mean(|pair| pair.1));
    let moment = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
        pairs.iter().map(|(a, b)| of(a - mean_a, b - mean_b)).sum()
    };
    let spread = (moment(&|a, _| a * a) * moment(&|_, b| b * b)).sqrt();
    if spread <= 0.0 {
        return 0.0;
    }
    (moment(&|a, b| a * b) / spread).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests;
