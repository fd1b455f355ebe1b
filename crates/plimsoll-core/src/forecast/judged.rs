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
        let typical = upper_medians(&self.losses);
        for x in 0..NODES.len() {
            if self.counts[x] < LEAST_JUDGED {
                continue;
            }
            evidence[x] = self.counts[x] / NODES[x] as f64 + 0.5;
            let typical = typical[x].max(1e-9);
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

/// At each node, the value above half of the others. A selection sort that ends at the middle: its steps are the same
/// whatever the values are, so that the compiler makes each for several nodes at once.
fn upper_medians(losses: &[[f64; RULES]; NODES.len()]) -> [f64; NODES.len()] {
    let mut sorted: [[f64; NODES.len()]; RULES] =
        std::array::from_fn(|rule| std::array::from_fn(|x| losses[x][rule]));
    for place in 0..=RULES / 2 {
        let mut least = sorted[place];
        for others in &mut sorted[place + 1..] {
            for (least, other) in least.iter_mut().zip(others) {
                let (low, high) = if *other < *least {
                    (*other, *least)
                } else {
                    (*least, *other)
                };
                (*least, *other) = (low, high);
            }
        }
        sorted[place] = least;
    }
    sorted[RULES / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upper_median_of_each_node_is_above_half_of_its_values() {
        let losses: [[f64; RULES]; NODES.len()] = std::array::from_fn(|x| {
            std::array::from_fn(|rule| f64::from(u8::try_from((rule * 37 + x * 11) % 9).unwrap()))
        });
        let expected = losses.map(|mut of_node| {
            of_node.sort_unstable_by(f64::total_cmp);
            of_node[RULES / 2]
        });
        assert_eq!(upper_medians(&losses), expected);
    }
}
