//! The rules' common forecast: each weighs as much as it has been right on this very series.

use super::clean::Clean;
use super::combine::trimmed_mean;
use super::grid::Daily;
use super::judged::{Judged, Weights};
use super::pattern::Pattern;
use super::rules::{Path, RULES};
use super::tuning::Tuning;
use super::tuning::pool::{DRIFT_FROM_DAYS, LEAST_HISTORY, MAX_ORIGINS, MONTH, NODES};

/// One error of the pool in the past.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PastError {
    /// The day on which the forecast was made.
    pub(crate) origin: usize,
    /// What came minus what was forecast.
    pub(crate) bytes: f64,
    /// What came minus the value at the origin: the error of "nothing will change".
    pub(crate) naive: f64,
}

/// The pool after one walk over the history.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    /// Weights for a forecast from the last day.
    pub(crate) weights: Weights,
    /// At each node, the errors of the forecasts that would have been made, oldest first.
    pub(crate) errors: [Vec<PastError>; NODES.len()],
    tuning: Tuning,
}

impl Pool {
    /// Walks over the history once: judges the rules, and takes down what their common forecast
    /// would have missed.
    pub(crate) fn walk(
        daily: &Daily,
        clean: &Clean,
        paths: &[[Path; RULES]],
        tuning: Tuning,
    ) -> Self {
        let days = daily.len();
        let stride = stride(days);
        let newest = days - 1;
        let is_origin = |day: usize| day >= LEAST_HISTORY && (newest - day).is_multiple_of(stride);
        let at_nodes: Vec<[[f64; RULES]; NODES.len()]> = paths
            .iter()
            .map(|rules| NODES.map(|node| rules.map(|path| path.at(node as f64))))
            .collect();
        let pattern = clean.pattern.as_ref();
        let first_origin = pattern.map_or(0, Pattern::known_from);
        let mut judged = Judged::new(tuning);
        let mut forecasts: Vec<[f64; NODES.len()]> = vec![[0.0; NODES.len()]; days];
        let mut errors: [Vec<PastError>; NODES.len()] = Default::default();
        for day in 0..days {
            judged.grow_old();
            for (x, &node) in NODES.iter().enumerate() {
                let Some(origin) = day.checked_sub(node) else {
                    break;
                };
                if !(daily.seen[day] && daily.seen[origin]) {
                    continue;
                }
                if origin >= 5 {
                    let sums = if node >= DRIFT_FROM_DAYS {
                        &clean.inflow_with_steps
                    } else {
                        &clean.inflow
                    };
                    judged.add(x, sums[day] - sums[origin], &at_nodes[origin][x]);
                }
                if origin >= first_origin && is_origin(origin) {
                    let naive = daily.y[day] - daily.y[origin];
                    errors[x].push(PastError {
                        origin,
                        bytes: naive - forecasts[origin][x],
                        naive,
                    });
                }
            }
            if is_origin(day) {
                let weights = judged.weights();
                for x in 0..NODES.len() {
                    forecasts[day][x] = trimmed_mean(&weights[x], &at_nodes[day][x], &tuning);
                }
                if let Some(pattern) = pattern.filter(|_| day >= first_origin) {
                    let until = newest.min(day + NODES[NODES.len() - 1]);
                    let rate = forecasts[day][MONTH] / NODES[MONTH] as f64;
                    let steps = pattern.expected(daily, &clean.inflow_with_steps, day, until, rate);
                    for (x, &node) in NODES.iter().enumerate() {
                        forecasts[day][x] += steps_within(&steps, node);
                    }
                }
            }
        }
        Self {
            weights: judged.weights(),
            errors,
            tuning,
        }
    }

    /// What is expected to come in a day, by the rules together.
    pub(crate) fn rate(&self, paths: &[Path; RULES]) -> f64 {
        let days = NODES[MONTH] as f64;
        self.at(paths, days) / days
    }

    /// What the rules say together about `days` ahead.
    pub(crate) fn at(&self, paths: &[Path; RULES], days: f64) -> f64 {
        let values = paths.map(|path| path.at(days));
        let (x, share) = between_nodes(days);
        let near = trimmed_mean(&self.weights[x], &values, &self.tuning);
        if share == 0.0 {
            return near;
        }
        near + share * (trimmed_mean(&self.weights[x + 1], &values, &self.tuning) - near)
    }
}

/// Days from one past origin to the next.
pub(crate) fn stride(days: usize) -> usize {
    days.div_ceil(MAX_ORIGINS)
}

/// The bytes of the steps within `days`, of pairs of days and running sums.
pub(crate) fn steps_within(expected: &[(usize, f64)], days: usize) -> f64 {
    let count = expected.partition_point(|&(day, _)| day <= days);
    count.checked_sub(1).map_or(0.0, |last| expected[last].1)
}

/// The node at or before `days`, and how far (in logarithms) it is to the next one.
pub(crate) fn between_nodes(days: f64) -> (usize, f64) {
    let last = NODES.len() - 1;
    let x = NODES.partition_point(|&node| node as f64 <= days);
    if x == 0 {
        return (0, 0.0);
    }
    if x > last {
        return (last, 0.0);
    }
    let (a, b) = (NODES[x - 1] as f64, NODES[x] as f64);
    (x - 1, (days / a).ln() / (b / a).ln())
}
