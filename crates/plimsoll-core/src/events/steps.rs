//! One-off steps: a day that moved more than any day before, by far.

use super::{DatedShape, ShapeKind};
use crate::forecast::clean::Clean;
use crate::forecast::grid::Daily;
use crate::forecast::stats::Usual;

/// A step is this many spreads of the increments before it,
const SPREADS: f64 = 8.0;
/// and this many times their mean size,
const MEANS: f64 = 8.0;
/// and this many times their mean square over mean size ([`Usual::tail`]),
const TAILS: f64 = 8.0;
/// and this share of the size,
const SHARE: f64 = 0.01;
/// and, upwards, this many times the largest increment of the last half year.
const LARGEST: f64 = 1.5;
/// A step up by this share of the size or more
const LARGE: f64 = 0.08;
/// has to be this many times the largest increment.
const LARGEST_OF_LARGE: f64 = 1.25;
/// Large steps up, and all steps down, stand out by so many tails: other large steps, which are not usual either, have
/// made the tail heavy, and steps down are no alarms.
const TAILS_OF_LARGE: f64 = 5.0;
/// So many days tell what is usual.
const WINDOW: usize = 60;
/// Fewer days do not.
const LEAST_DAYS: usize = 14;
/// Half a year.
const HALF_YEAR: usize = 180;
/// Growth on the days after a step that makes it a burst: this many times the usual rate.
const BURST_RATE: f64 = 4.0;
/// A burst is looked for on so many days from its first.
const BURST_DAYS: usize = 5;
/// What goes on for longer is no burst: of so many days
const RUN_DAYS: usize = 7;
/// so many like the first are a new slope,
const GOES_ON: usize = 6;
/// and so many, where the size stood still before: there is no rate to which it could return.
const STARTS: usize = 3;

/// Every step of the series, oldest first.
pub(super) fn find(daily: &Daily, clean: &Clean) -> Vec<DatedShape> {
    let moved = &clean.with_steps;
    let mut is_step = vec![false; moved.len()];
    let mut found = Vec::new();
    for i in LEAST_DAYS..moved.len() {
        let size = daily.bytes(i).max(daily.bytes(i + 1)).max(1.0);
        // a step is mostly its own size: the usual growth is at most an eighth of it
        if moved[i].abs() < 0.85 * SHARE * size {
            continue;
        }
        let mut before = clean.increments[i.saturating_sub(WINDOW)..i].to_vec();
        let usual = Usual::of(&mut before);
        let distance = moved[i] - usual.median;
        let is_large = distance >= LARGE * size;
        let tails = if is_large || distance < 0.0 {
            TAILS_OF_LARGE
        } else {
            TAILS
        };
        let least = (SPREADS * usual.spread)
            .max(MEANS * usual.mean_size)
            .max(tails * usual.tail)
            .max(SHARE * size);
        if distance.abs() <= least {
            continue;
        }
        let largest = (i.saturating_sub(HALF_YEAR)..i)
            .filter(|&j| !is_step[j])
            .map(|j| moved[j])
            .fold(0.0, f64::max);
        let of_largest = if is_large { LARGEST_OF_LARGE } else { LARGEST };
        if distance > 0.0 && distance <= of_largest * (largest - usual.median) {
            continue;
        }
        is_step[i] = true;
        let mut step = DatedShape {
            onset: i,
            told: i,
            kind: ShapeKind::LevelDown,
            delta_bytes: Some(distance),
            rate_before: usual.median,
            rate_after: None,
        };
        if distance > 0.0 {
            let days = &moved[i..(i + RUN_DAYS).min(moved.len())];
            (step.kind, step.delta_bytes, step.rate_after) = upwards(days, usual);
        }
        found.push(step);
    }
    found
}

/// What a step up is, by the days from its own on: one that stays alone is a step, one that is followed by others like
/// it a burst, and one that goes on a change of slope, which has a rate since.
fn upwards(days: &[f64], usual: Usual) -> (ShapeKind, Option<f64>, Option<f64>) {
    let least = (BURST_RATE * usual.mean_size).max(SPREADS * usual.spread);
    let stood_still = usual.mean_size <= 0.0;
    let goes_on = if stood_still { STARTS } else { GOES_ON };
    if new_highs(days, usual.median, least).0 >= goes_on {
        let rate = days.iter().sum::<f64>() / days.len() as f64;
        return (ShapeKind::SlopeUp, None, Some(rate));
    }
    let burst = &days[..days.len().min(BURST_DAYS)];
    let (days_of_growth, beyond) = new_highs(burst, usual.median, least);
    if days_of_growth >= 2 {
        return (ShapeKind::Burst, Some(beyond), None);
    }
    (ShapeKind::LevelUp, Some(days[0] - usual.median), None)
}

/// On how many days the size rose by more than `least` above all before, and how high it came, without the usual growth:
/// what comes back after a spike has grown once.
fn new_highs(days: &[f64], usual: f64, least: f64) -> (usize, f64) {
    let (mut level, mut high, mut count) = (0.0, 0.0, 0);
    for day in days {
        level += day - usual;
        count += usize::from(level > high + least);
        high = f64::max(high, level);
    }
    (count, high)
}
