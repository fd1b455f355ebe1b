//! What leaves the trend: known changes, steps of a pattern, one-off steps; and where it last turned.

use super::KnownChange;
use super::calendar;
use super::grid::Daily;
use super::pattern::{self, Pattern};
use super::stats::Usual;
use super::tuning::Tuning;
use super::tuning::clean::{STEP_MEANS, STEP_SHARE, STEP_TAILS, TURN_SHARE, WINDOW};

/// A series whose trend can be told.
#[derive(Debug, Clone)]
pub(crate) struct Clean {
    /// What each day moved, without known changes and steps of the pattern.
    pub(crate) with_steps: Vec<f64>,
    /// The same without one-off steps.
    pub(crate) increments: Vec<f64>,
    /// Sums of `increments`: one longer, beginning with 0.
    pub(crate) inflow: Vec<f64>,
    /// Sums of `with_steps`.
    pub(crate) inflow_with_steps: Vec<f64>,
    /// Sums of what known changes and one-off steps moved.
    jumps: Vec<f64>,
    /// Steps that come back.
    pub(crate) pattern: Option<Pattern>,
}

impl Clean {
    pub(crate) fn new(daily: &Daily, known: &[KnownChange], tuning: Tuning) -> Self {
        let mut increments = daily.increments();
        let known = daily.increments_of(known);
        let mut jumps = vec![0.0; increments.len()];
        for &(i, bytes) in &known {
            let usual = Usual::of(&mut neighbours(&increments, &increments, i));
            let moved = increments[i];
            increments[i] = bytes.map_or(usual.median, |bytes| moved - bytes);
            jumps[i] += moved - increments[i];
        }
        let mut pattern =
            calendar::find(daily, &increments).or_else(|| pattern::find(daily, &increments));
        for step in pattern.iter().flat_map(|pattern| &pattern.steps) {
            increments[step.increment] -= step.bytes;
        }
        if let Some(pattern) = &mut pattern {
            pattern.fit_lag(&sums(&increments));
            pattern.set_right(&mut increments);
        }
        let with_steps = increments.clone();
        let inflow_with_steps = sums(&with_steps);
        // what drops give back is no step for ever: it comes and it goes
        if pattern.as_ref().is_none_or(|pattern| !pattern.gives_back()) {
            without_steps(daily, &mut increments, tuning.step_spreads);
        }
        for ((jump, with), without) in jumps.iter_mut().zip(&with_steps).zip(&increments) {
            *jump += with - without;
        }
        let inflow = sums(&increments);
        Self {
            jumps: sums(&jumps),
            with_steps,
            increments,
            inflow,
            inflow_with_steps,
            pattern,
        }
    }

    /// Of a series that never moved.
    pub(crate) fn constant(days: usize) -> Self {
        Self {
            with_steps: vec![0.0; days.saturating_sub(1)],
            increments: vec![0.0; days.saturating_sub(1)],
            inflow: vec![0.0; days],
            inflow_with_steps: vec![0.0; days],
            jumps: vec![0.0; days],
            pattern: None,
        }
    }

    /// What known changes and one-off steps moved between two days.
    pub(crate) fn jumped(&self, from: usize, to: usize) -> f64 {
        self.jumps[to] - self.jumps[from]
    }

    /// The mean increment of the `days` before day `origin`, or of all where there are fewer.
    pub(crate) fn mean(&self, origin: usize, days: usize) -> f64 {
        mean(&self.inflow, origin, days)
    }

    /// The same with one-off steps.
    pub(crate) fn mean_with_steps(&self, origin: usize, days: usize) -> f64 {
        mean(&self.inflow_with_steps, origin, days)
    }
}

fn mean(sums: &[f64], origin: usize, days: usize) -> f64 {
    let days = days.min(origin);
    if days == 0 {
        return 0.0;
    }
    (sums[origin] - sums[origin - days]) / days as f64
}

/// Running sums: one longer than the increments, beginning with 0.
fn sums(increments: &[f64]) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(increments.iter().map(|increment| {
            sum += increment;
            sum
        }))
        .collect()
}

/// The sixty increments before `i`, already cleaned; at the beginning, the first thirty without `i`.
fn neighbours(cleaned: &[f64], raw: &[f64], i: usize) -> Vec<f64> {
    let to = i.max(WINDOW / 2).min(raw.len());
    (i.saturating_sub(WINDOW)..to)
        .filter(|&j| j != i)
        .map(|j| if j < i { cleaned[j] } else { raw[j] })
        .collect()
}

/// Puts the usual growth of a day in the place of one-off steps.
fn without_steps(daily: &Daily, increments: &mut [f64], spreads: f64) {
    let mut largest = daily.bytes(0);
    for i in 0..increments.len() {
        let moved = increments[i];
        // what comes later makes no step of what was none
        largest = f64::max(largest, daily.bytes(i + 1));
        let least = STEP_SHARE * largest;
        // the distance from the median counts, and that is at most a tenth of the step
        if moved.abs() <= least * 0.9 {
            continue;
        }
        let mut around = neighbours(increments, increments, i);
        if around.len() < 10 {
            continue;
        }
        let usual = Usual::of(&mut around);
        let distance = (moved - usual.median).abs();
        if distance > least
            && distance > spreads * usual.spread
            && distance > STEP_MEANS * usual.mean_size
            && distance > STEP_TAILS * usual.tail
        {
            increments[i] = usual.median;
        }
    }
}

/// For each day, the day since which the slope has not clearly changed, as one could know on that day.
///
/// Welch's t between the increments of the last 7 to 56 days and those of up to 90 days before them,
/// back to the change before.
pub(crate) fn turns(clean: &Clean, clear_t: f64) -> Vec<usize> {
    let mut squares = Vec::with_capacity(clean.inflow.len());
    squares.push(0.0);
    let mut sum = 0.0;
    for increment in &clean.increments {
        sum += increment * increment;
        squares.push(sum);
    }
    let moments = |from: usize, to: usize| {
        let n = (to - from) as f64;
        let mean = (clean.inflow[to] - clean.inflow[from]) / n;
        let variance = ((squares[to] - squares[from]) / n - mean * mean).max(0.0);
        (mean, variance / n)
    };
    let mut turn = 0;
    (0..clean.inflow.len())
        .map(|origin| {
            let since = turn;
            let mut clearest = clear_t;
            for days in [7, 10, 14, 21, 28, 42, 56] {
                if origin < since + days + 14 {
                    break;
                }
                let split = origin - days;
                let (before, error_before) = moments(since.max(split.saturating_sub(90)), split);
                let (after, error_after) = moments(split, origin);
                let size = before.abs().max(after.abs());
                let error = (error_before + error_after).sqrt() + 1e-6 * size;
                let changed = (after - before).abs();
                if changed > TURN_SHARE * size && changed > clearest * error {
                    clearest = changed / error;
                    turn = split;
                }
            }
            turn
        })
        .collect()
}
