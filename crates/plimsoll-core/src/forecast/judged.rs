//! How wrong each rule has been so far, and what it weighs for that.

use super::exponents::{exp, ln};
use super::rules::{NO_CHANGE, RULES};
use super::tuning::Tuning;
use super::tuning::pool::{LEAST_JUDGED, NODES, RIDGE, STILL_DAYS, STILL_WITHIN};

/// The weight of each rule at each horizon.
pub(crate) type Weights = [[f64; RULES]; NODES.len()];

/// How wrong each rule has been so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    tuning: Tuning,
    /// What the sums keep from one day to the next.
    keep: f64,
    /// How much a judgement at the second node counts at the first.
    nearness: [[f64; NODES.len()]; NODES.len()],
    /// What "no change" weighs at each node beside the other rules, before any evidence.
    prior: [f64; NODES.len()],
    /// At each node, the fading sum of each rule's absolute errors.
    losses: [[f64; RULES]; NODES.len()],
    /// At each node, the fading number of errors.
    counts: [f64; NODES.len()],
}

/// How much a judgement at the second node counts at the first.
pub(super) fn nearness(near: f64) -> [[f64; NODES.len()]; NODES.len()] {
    let distance = |a: usize, b: usize| (a as f64 / b as f64).ln().abs();
    NODES.map(|a| NODES.map(|b| (-distance(a, b) / near).exp()))
}

impl Judged {
    pub(super) fn new(tuning: Tuning) -> Self {
        Self {
            tuning,
            keep: 0.5_f64.powf(1.0 / tuning.judged_half_life_days),
            nearness: nearness(tuning.near),
            prior: NODES.map(|node| {
                let days = (node as f64).clamp(STILL_WITHIN.0, STILL_WITHIN.1);
                (STILL_DAYS / days).powf(tuning.still)
            }),
            losses: Default::default(),
            counts: Default::default(),
        }
    }

    pub(super) fn grow_old(&mut self) {
        let keep = self.keep;
        for (losses, count) in self.losses.iter_mut().zip(&mut self.counts) {
            *count *= keep;
            for loss in losses {
                *loss *= keep;
            }
        }
    }

    pub(super) fn add(&mut self, x: usize, truth: f64, said: &[f64; RULES]) {
        self.counts[x] += 1.0;
        for (loss, value) in self.losses[x].iter_mut().zip(said) {
            *loss += (truth - value).abs();
        }
    }

    /// Weights at the first `nodes` horizons, from the errors at that and neighbouring ones. Equal weights without
    /// evidence: combining equally is hard to beat (Clemen 1989; the M4 competition, Makridakis,
    /// Spiliotis and Assimakopoulos 2020), so evidence has to be earned.
    pub(super) fn weights(&self, nodes: usize) -> Weights {
        // the logarithm of each rule's error against the pool's typical one, and its evidence
        let mut scores = [[0.0; RULES]; NODES.len()];
        let mut evidence = [0.0; NODES.len()];
        for x in 0..NODES.len() {
            if self.counts[x] < LEAST_JUDGED {
                continue;
            }
            evidence[x] = self.counts[x] / NODES[x] as f64 + 0.5;
            let typical = upper_median(&self.losses[x]).max(1e-9);
            for (score, loss) in scores[x].iter_mut().zip(self.losses[x]) {
                *score = ln(loss / typical + RIDGE);
            }
        }
        let mut weights = [[1.0; RULES]; NODES.len()];
        for (x, weights) in weights.iter_mut().enumerate().take(nodes) {
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
            if total > 0.0 {
                let power = self.tuning.power * total / (total + self.tuning.half_evidence);
                let per_score = -power / total;
                for (weight, sum) in weights.iter_mut().zip(sums) {
                    *weight = exp(per_score * sum);
                }
            }
            weights[NO_CHANGE] *= self.prior[x];
        }
        weights
    }
}

/// The value above half of the others: fourteen are sooner compared with each other, several at once, than sorted.
fn upper_median(values: &[f64; RULES]) -> f64 {
    let mut at_most = [0.0; RULES];
    for other in values {
        for (count, value) in at_most.iter_mut().zip(values) {
            *count += if other <= value { 1.0 } else { 0.0 };
        }
    }
    let above_half = values
        .iter()
        .zip(at_most)
        .filter(|(_, count)| *count > (RULES / 2) as f64);
    above_half.fold(f64::INFINITY, |least, (&value, _)| least.min(value))
}
