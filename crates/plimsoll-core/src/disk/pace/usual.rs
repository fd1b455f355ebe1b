//! What slopes are usual: counts of a window's slopes in logarithmic classes, which can be kept and added up.
//!
//! Minutes are kept for a day, but what is usual comes from the week before it. So each hour keeps how often each
//! window had which slope: a few numbers, exact to a class of 5 %.

use serde::{Deserialize, Serialize};

use super::constants::{USUAL, WINDOWS};
use super::counts::Counts;

/// The ratio of one class to the next.
const RATIO: f64 = 1.05;
/// Slopes of less than this, in bytes an hour, and all that fall are one class.
const LEAST: f64 = 1024.0 * 1024.0;

/// How often each window had which slope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usual {
    /// For each of [`WINDOWS`].
    counts: [Counts; WINDOWS.len()],
}

impl Usual {
    /// One more slope of the window with this index, in bytes an hour, counted `times`.
    pub(super) fn add(&mut self, window: usize, per_hour: f64, times: u32) {
        self.counts[window].add(class(per_hour), times);
    }

    /// The counts of another stretch of time as well.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            for (class, times) in theirs.iter() {
                mine.add(class, times);
            }
        }
    }

    /// How many slopes of the window with this index were counted.
    pub(super) fn total(&self, window: usize) -> u64 {
        self.counts[window]
            .iter()
            .map(|(_, times)| u64::from(times))
            .sum()
    }

    /// The slope that is still usual for the window with this index, in bytes an hour.
    pub(super) fn slope(&self, window: usize) -> f64 {
        let wanted = USUAL * self.total(window) as f64;
        let mut seen = 0.0;
        for (class, times) in self.counts[window].iter() {
            seen += f64::from(times);
            if seen >= wanted {
                return slope(class);
            }
        }
        0.0
    }
}

/// 0 for nothing and for what falls, then one more for each 5 %.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the logarithm of any finite slope fits"
)]
fn class(per_hour: f64) -> u16 {
    if per_hour < LEAST {
        return 0;
    }
    1 + ((per_hour / LEAST).ln() / RATIO.ln()) as u16
}

/// The upper end of a class.
fn slope(class: u16) -> f64 {
    if class == 0 {
        0.0
    } else {
        LEAST * RATIO.powi(i32::from(class))
    }
}
