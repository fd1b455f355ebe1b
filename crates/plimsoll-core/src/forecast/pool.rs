//! The rules' common forecast: each weighs as much as it has been right on this very series.

use super::clean::Clean;
use super::grid::Daily;
use super::pattern::Pattern;
use super::rules::{Path, RULES};
use super::tuning::Tuning;

/// Horizons, in days, at which rules are judged and errors are collected.
pub(crate) const NODES: [usize; 8] = [1, 2, 4, 7, 14, 30, 60, 90];
/// The node whose slope is the rate at which steps of a pattern are expected to grow.
const MONTH: usize = 5;
/// Rules are not told apart by less than this share of the typical error.
const RIDGE: f64 = 0.02;
/// At most so many past origins are looked at.
const MAX_ORIGINS: usize = 150;
/// No origin has a shorter history.
const LEAST_HISTORY: usize = 14;

/// The weight of each rule at each horizon.
pub(crate) type Weights = [[f64; RULES]; NODES.len()];

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
                    judged.add(
                        x,
                        clean.inflow[day] - clean.inflow[origin],
                        &at_nodes[origin][x],
                    );
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
                    forecasts[day][x] = weighted(&weights[x], &at_nodes[day][x]);
                }
                if let Some(pattern) = pattern.filter(|_| day >= first_origin) {
                    let until = newest.min(day + NODES[NODES.len() - 1]);
                    let rate = forecasts[day][MONTH] / NODES[MONTH] as f64;
                    let steps = pattern.expected(daily, &clean.inflow, day, until, rate);
                    for (x, &node) in NODES.iter().enumerate() {
                        forecasts[day][x] += steps_within(&steps, node);
                    }
                }
            }
        }
        Self {
            weights: judged.weights(),
            errors,
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
        let near = weighted(&self.weights[x], &values);
        if share == 0.0 {
            return near;
        }
        near + share * (weighted(&self.weights[x + 1], &values) - near)
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

fn weighted(weights: &[f64; RULES], values: &[f64; RULES]) -> f64 {
    weights.iter().zip(values).map(|(w, v)| w * v).sum()
}

/// How wrong each rule has been so far.
#[derive(Debug, Clone, Copy)]
struct Judged {
    tuning: Tuning,
    /// What the sums keep from one day to the next.
    keep: f64,
    /// How much a judgement at the second node counts at the first.
    nearness: [[f64; NODES.len()]; NODES.len()],
    /// At each node, the fading sum of each rule's absolute errors.
    losses: [[f64; RULES]; NODES.len()],
    /// At each node, the fading number of errors.
    counts: [f64; NODES.len()],
}

impl Judged {
    fn new(tuning: Tuning) -> Self {
        let distance = |a: usize, b: usize| (a as f64 / b as f64).ln().abs();
        Self {
            tuning,
            keep: 0.5_f64.powf(1.0 / tuning.judged_half_life_days),
            nearness: NODES.map(|a| NODES.map(|b| (-distance(a, b) / tuning.near).exp())),
            losses: Default::default(),
            counts: Default::default(),
        }
    }

    fn grow_old(&mut self) {
        let keep = self.keep;
        for (losses, count) in self.losses.iter_mut().zip(&mut self.counts) {
            *count *= keep;
            for loss in losses {
                *loss *= keep;
            }
        }
    }

    fn add(&mut self, x: usize, truth: f64, said: &[f64; RULES]) {
        self.counts[x] += 1.0;
        for (loss, value) in self.losses[x].iter_mut().zip(said) {
            *loss += (truth - value).abs();
        }
    }

    /// Weights at each horizon, from the errors at that and neighbouring ones. Equal weights without
    /// evidence: combining equally is hard to beat (Clemen 1989; the M4 competition, Makridakis,
    /// Spiliotis and Assimakopoulos 2020), so evidence has to be earned.
    fn weights(&self) -> Weights {
        // the logarithm of each rule's error against the pool's typical one, and its evidence
        let mut scores = [[0.0; RULES]; NODES.len()];
        let mut evidence = [0.0; NODES.len()];
        for x in 0..NODES.len() {
            if self.counts[x] < 3.0 {
                continue;
            }
            evidence[x] = self.counts[x] / NODES[x] as f64 + 0.5;
            let mut sorted = self.losses[x];
            sorted.sort_by(f64::total_cmp);
            let typical = sorted[RULES / 2].max(1e-9);
            for (score, loss) in scores[x].iter_mut().zip(self.losses[x]) {
                *score = (loss / typical + RIDGE).ln();
            }
        }
        let mut weights = [[1.0 / RULES as f64; RULES]; NODES.len()];
        for (x, weights) in weights.iter_mut().enumerate() {
            let mut total = 0.0;
            let mut sums = [0.0; RULES];
            for z in 0..NODES.len() {
                if evidence[z] == 0.0 {
                    continue;
                }
                let weight = evidence[z] * self.nearness[x][z];
                total += weight;
                for (sum, score) in sums.iter_mut().zip(scores[z]) {
                    *sum += weight * score;
                }
            }
            if total == 0.0 {
                continue;
            }
            let power = self.tuning.power * total / (total + self.tuning.half_evidence);
            *weights = sums.map(|sum| (-power * sum / total).exp());
            let all: f64 = weights.iter().sum();
            for weight in weights {
                *weight /= all;
            }
        }
        weights
    }
}
