//! Changes of slope: days whose mean growth the history before them does not explain.
//!
//! A likelihood-ratio scan over the possible onsets of the last four weeks (Page 1954; Siegmund and
//! Venkatraman 1995), on increments without steps and without their weekly pattern, with the guards
//! that heavy tails, exponential growth and missing samples need.

use super::{DatedShape, ShapeKind};
use crate::forecast::clean::Clean;
use crate::forecast::grid::Daily;

/// Lengths, in days, of the stretch that may be different.
const STRETCHES: [usize; 11] = [3, 4, 5, 6, 7, 9, 11, 14, 17, 21, 28];
/// So many days before the stretch are compared with it, at most
const BASELINE: usize = 120;
/// and at least, counted from the change before.
const LEAST_BASELINE: usize = 21;
/// Standard errors that growth has to be above the baseline's,
const CLEAR_UP: f64 = 7.0;
/// or below it.
const CLEAR_DOWN: f64 = 4.5;
/// Standard errors by the stretch's own variance.
const CLEAR_ITSELF: f64 = 3.5;
/// Fewer of both are enough upwards for a stretch of so many days: few such stretches are looked at that do not overlap,
/// so that chance has fewer tries.
const LONG: f64 = 14.0;
/// Standard errors that a long stretch has to be above the baseline,
const CLEAR_UP_LONG: f64 = 6.0;
/// and by its own variance.
const CLEAR_ITSELF_LONG: f64 = 3.0;
/// The share of the clear distance that must be left without the stretch's extreme day.
const WITHOUT_EXTREME: f64 = 0.6;
/// The smallest ratio of the slopes.
const RATIO: f64 = 1.4;
/// What the change comes to in 30 days, as a share of the size, is at least this.
const MATERIAL: f64 = 0.003;
/// The stretch has to exceed the largest one of its length in the baseline by this factor.
const NEVER_SEEN: f64 = 1.25;
/// Standard errors above what a steadily rising rate explains, and
const CLEAR_OF_RISE: f64 = 4.0;
/// the smallest ratio to that.
const RATIO_OF_RISE: f64 = 1.3;
/// A rise of the rate counts from so many standard errors.
const RISE_IS_CLEAR: f64 = 2.0;
/// A rate did not rise in proportion to the size when its rise is so many standard errors below that.
const RISE_IS_MISSING: f64 = 2.0;
/// The scale of noise is at least this share of the rate,
const NOISE_OF_RATE: f64 = 0.1;
/// and of the size.
const NOISE_OF_SIZE: f64 = 2e-5;
/// The weekly pattern is taken out when its F statistic is larger.
const WEEKLY_F: f64 = 4.0;
/// So many days tell the weekly pattern, at most
const WEEKLY_DAYS: usize = 70;
/// and at least.
const WEEKLY_LEAST: usize = 28;

/// Running sums over increments without weekly pattern, each one longer than the increments.
#[derive(Debug, Default)]
struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
    /// Of value times day.
    moments: Vec<f64>,
    /// Of days with a sample: interpolated days are no evidence.
    fresh: Vec<f64>,
}

impl Sums {
    fn new() -> Self {
        let zero = || vec![0.0];
        Self {
            values: zero(),
            squares: zero(),
            moments: zero(),
            fresh: zero(),
        }
    }

    fn push(&mut self, value: f64, is_fresh: bool) {
        let day = (self.values.len() - 1) as f64;
        let add = |sums: &mut Vec<f64>, value: f64| sums.push(sums[sums.len() - 1] + value);
        add(&mut self.values, value);
        add(&mut self.squares, value * value);
        add(&mut self.moments, value * day);
        add(&mut self.fresh, f64::from(u8::from(is_fresh)));
    }

    fn stretch(&self, from: usize, to: usize) -> Stretch {
        let days = (to - from) as f64;
        let mean = (self.values[to] - self.values[from]) / days;
        let variance = (self.squares[to] - self.squares[from]) / days - mean * mean;
        Stretch {
            days,
            fresh: self.fresh[to] - self.fresh[from],
            mean,
            variance: variance.max(0.0),
        }
    }

    /// The slope of the least squares line through the values of `from..to`.
    fn rise(&self, from: usize, to: usize) -> f64 {
        let middle = (from + to - 1) as f64 / 2.0;
        let sum = self.values[to] - self.values[from];
        let products = self.moments[to] - self.moments[from];
        (products - middle * sum) / sum_of_squares((to - from) as f64)
    }
}

/// Of the days `0..n` around their mean.
fn sum_of_squares(n: f64) -> f64 {
    n * (n * n - 1.0) / 12.0
}

/// Mean and variance of some days.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    days: f64,
    fresh: f64,
    mean: f64,
    variance: f64,
}

/// Every change of slope, oldest first.
pub(super) fn find(daily: &Daily, clean: &Clean) -> Vec<DatedShape> {
    let mut sums = Sums::new();
    let mut values = Vec::with_capacity(clean.increments.len());
    let mut since = 0;
    let mut found = Vec::new();
    // a day that is under way has not grown yet
    for today in 0..daily.whole_days() {
        let value = clean.increments[today] - weekly(&clean.increments, since, today);
        values.push(value);
        sums.push(value, daily.fresh[today + 1]);
        let clearest = STRETCHES
            .iter()
            .take_while(|&&days| today + 1 >= since + days + LEAST_BASELINE)
            .filter_map(|&days| {
                let onset = today + 1 - days;
                change(daily, &sums, &values, since, onset).map(|change| (onset, change))
            })
            .max_by(|(_, a), (_, b)| a.clearness.total_cmp(&b.clearness));
        if let Some((onset, change)) = clearest {
            since = onset;
            found.push(DatedShape {
                onset,
                told: today,
                kind: if change.after > change.before {
                    ShapeKind::SlopeUp
                } else {
                    ShapeKind::SlopeDown
                },
                delta_bytes: None,
                rate_before: change.before,
                rate_after: Some(change.after),
            });
        }
    }
    found
}

/// What day `today` usually is above the mean of the week, by the weeks since `since`.
fn weekly(increments: &[f64], since: usize, today: usize) -> f64 {
    let from = since.max(today.saturating_sub(WEEKLY_DAYS));
    if today - from < WEEKLY_LEAST {
        return 0.0;
    }
    let weeks = (today - from) / 7;
    let days = &increments[today - weeks * 7..today];
    let (weeks, n) = (weeks as f64, days.len() as f64);
    let mut sums = [0.0; 7];
    let mut squares = 0.0;
    for week in days.chunks_exact(7) {
        for (sum, value) in sums.iter_mut().zip(week) {
            *sum += value;
            squares += value * value;
        }
    }
    let mean = sums.iter().sum::<f64>() / n;
    let between: f64 = weeks
        * sums
            .iter()
            .map(|sum| (sum / weeks - mean) * (sum / weeks - mean))
            .sum::<f64>();
    let within = (squares - n * mean * mean - between).max(1e-9);
    if (between / 6.0) <= WEEKLY_F * within / (n - 7.0) {
        return 0.0;
    }
    sums[0] / weeks - mean
}

/// A change of slope that was found.
#[derive(Debug, Clone, Copy)]
struct Change {
    before: f64,
    after: f64,
    clearness: f64,
}

/// Whether the days from `onset` to the last one grow at another rate than those before.
fn change(
    daily: &Daily,
    sums: &Sums,
    values: &[f64],
    since: usize,
    onset: usize,
) -> Option<Change> {
    let end = values.len();
    let start = since.max(onset.saturating_sub(BASELINE));
    let (before, after) = (sums.stretch(start, onset), sums.stretch(onset, end));
    if after.fresh < 2.0 || before.fresh < 1.0 {
        return None;
    }
    let size = daily.bytes(end).max(daily.bytes(end - 1)).max(1.0);
    let difference = after.mean - before.mean;
    let is_up = difference > 0.0;
    let noise = (before.variance * before.days / (before.days - 1.0))
        .sqrt()
        .max(NOISE_OF_RATE * before.mean.abs())
        .max(NOISE_OF_SIZE * size);
    let (clear, clear_itself) = match (is_up, after.fresh >= LONG) {
        (true, true) => (CLEAR_UP_LONG, CLEAR_ITSELF_LONG),
        (true, false) => (CLEAR_UP, CLEAR_ITSELF),
        (false, _) => (CLEAR_DOWN, CLEAR_ITSELF),
    };
    let clearness = (difference / (noise * (1.0 / after.fresh + 1.0 / before.fresh).sqrt())).abs();
    let own = (after.variance / after.fresh).max(noise * noise / after.fresh / 4.0)
        + noise * noise / before.fresh;
    if clearness < clear
        || difference.abs() < clear_itself * own.sqrt()
        || difference.abs() * 30.0 < MATERIAL * size
    {
        return None;
    }
    let ratio_is_small = if is_up {
        after.mean < RATIO * before.mean
    } else {
        after.mean > before.mean / RATIO
    };
    if ratio_is_small {
        return None;
    }
    let sign = if is_up { 1.0 } else { -1.0 };
    let extreme = values[onset..]
        .iter()
        .map(|value| value * sign)
        .fold(f64::NEG_INFINITY, f64::max);
    let others = after.days - 1.0;
    let rest = (after.mean * after.days * sign - extreme) - others * before.mean * sign;
    if rest < WITHOUT_EXTREME * clear * noise * others.sqrt() {
        return None;
    }
    if is_up
        && (was_seen_before(sums, start, onset, before, after)
            || is_steady_rise(daily, sums, start, onset, end, before, after))
    {
        return None;
    }
    Some(Change {
        before: before.mean,
        after: after.mean,
        clearness,
    })
}

/// Whether the baseline has a stretch of the same length that grew nearly as much.
fn was_seen_before(
    sums: &Sums,
    start: usize,
    onset: usize,
    before: Stretch,
    after: Stretch,
) -> bool {
    let usual = after.days * before.mean;
    let length = sums.values.len() - 1 - onset;
    let largest = (start + length..=onset)
        .map(|end| sums.values[end] - sums.values[end - length])
        .fold(f64::NEG_INFINITY, f64::max);
    after.mean * after.days - usual < NEVER_SEEN * (largest - usual)
}

/// Whether a rate that rose steadily, or in proportion to the size, explains the growth.
fn is_steady_rise(
    daily: &Daily,
    sums: &Sums,
    start: usize,
    onset: usize,
    end: usize,
    before: Stretch,
    after: Stretch,
) -> bool {
    if before.days < 28.0 {
        return false;
    }
    let noise = before
        .variance
        .sqrt()
        .max(NOISE_OF_RATE * before.mean.abs());
    let around = sum_of_squares(before.days);
    let rise = sums.rise(start, onset);
    let rises = rise > RISE_IS_CLEAR * noise / around.sqrt();
    let middle_bytes = |from: usize, to: usize| daily.bytes(from.midpoint(to) + 1);
    // only where the rate did rise while the size grew
    let in_step = before.mean * before.mean / middle_bytes(start, onset).max(1.0);
    let kept_step = rise > in_step - RISE_IS_MISSING * noise / around.sqrt();
    let in_proportion = if before.mean > 0.0 && kept_step {
        before.mean * middle_bytes(onset, end - 1) / middle_bytes(start, onset).max(1.0)
    } else {
        before.mean
    };
    if !rises && in_proportion <= 1.05 * before.mean {
        return false;
    }
    let ahead = ((onset + end - 1) as f64 - (start + onset - 1) as f64) / 2.0;
    let expected = if rises {
        in_proportion.max(before.mean + rise * ahead)
    } else {
        in_proportion
    };
    let around_line = (before.variance - rise * rise * around / before.days)
        .max(0.0)
        .sqrt()
        .max(NOISE_OF_RATE * expected.abs());
    let error =
        around_line * (1.0 / after.fresh + 1.0 / before.fresh + ahead * ahead / around).sqrt();
    after.mean - expected < CLEAR_OF_RISE * error || after.mean < RATIO_OF_RISE * expected
}
