//! How far the rules' common forecast is to be believed: what it would have missed, beside what half of its inflow, none
//! of it, and the size at the same phase would have. Without a pattern, no inflow is "nothing will change".

use super::exponents::{exp, ln};
use super::judged::nearness;
use super::tuning::pool::{LEAST_JUDGED, NODES};
use super::tuning::skill::{HALF_EVIDENCE, HALF_LIFE_DAYS, NEAR, POWER, PRIOR, RIDGE};

/// The whole inflow that is forecast, half of it, none, and what the same phase says.
const CANDIDATES: usize = 4;

/// What goes into one forecast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    /// The share of the expected inflow.
    pub(super) inflow: f64,
    /// The share of what the same phase says.
    pub(super) phase: f64,
}

/// What the rules and the pattern say together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Said {
    /// What comes in, with steps that may be other than expected.
    pub(super) inflow: f64,
    /// What steps give back for certain of what is there already.
    pub(super) due: f64,
}

impl Belief {
    /// The whole forecast, and nothing that the same phase says.
    const WHOLE: Self = Self {
        inflow: 1.0,
        phase: 0.0,
    };

    /// What is believed of a forecast, and of what the same phase says.
    pub(super) fn of(self, said: Said, phase: impl FnOnce() -> f64) -> f64 {
        let believed = self.inflow * said.inflow;
        if self.phase > 0.0 {
            believed + (1.0 - self.phase) * said.due + self.phase * phase()
        } else {
            believed + said.due
        }
    }
}

/// What the candidates would have missed so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Skill {
    /// What the sums keep from one day to the next.
    keep: f64,
    /// Days from one origin to the next.
    stride: f64,
    has_phase: bool,
    nearness: [[f64; NODES.len()]; NODES.len()],
    losses: [[f64; CANDIDATES]; NODES.len()],
    counts: [f64; NODES.len()],
}

impl Skill {
    pub(super) fn new(stride: usize, has_phase: bool) -> Self {
        Self {
            keep: 0.5_f64.powf(1.0 / HALF_LIFE_DAYS),
            stride: stride as f64,
            has_phase,
            nearness: nearness(NEAR),
            losses: Default::default(),
            counts: Default::default(),
        }
    }

    pub(super) fn grow_old(&mut self) {
        for (losses, count) in self.losses.iter_mut().zip(&mut self.counts) {
            *count *= self.keep;
            for loss in losses {
                *loss *= self.keep;
            }
        }
    }

    /// Takes down at node `x` what came, what was said, and what the same phase had said.
    pub(super) fn add(&mut self, x: usize, truth: f64, said: Said, phase: f64) {
        self.counts[x] += 1.0;
        let Said { inflow, due } = said;
        let said = [inflow + due, 0.5 * inflow + due, due, phase];
        for (loss, said) in self.losses[x].iter_mut().zip(said) {
            *loss += (truth - said).abs();
        }
    }

    /// What is believed at the first `nodes` horizons: the whole forecast, until it has been shown to be worse than less
    /// of it.
    pub(super) fn beliefs(&self, nodes: usize) -> [Belief; NODES.len()] {
        let mut scores = [[0.0; CANDIDATES]; NODES.len()];
        let mut evidence = [0.0; NODES.len()];
        for x in 0..NODES.len() {
            if self.counts[x] < LEAST_JUDGED {
                continue;
            }
            evidence[x] = self.counts[x] * self.stride / NODES[x] as f64 + 0.5;
            let [whole, _, nothing, _] = self.losses[x];
            let typical = whole.max(nothing).max(1e-9);
            scores[x] = self.losses[x].map(|loss| ln(loss / typical + RIDGE));
        }
        let mut beliefs = [Belief::WHOLE; NODES.len()];
        for (belief, nearness) in beliefs.iter_mut().zip(self.nearness).take(nodes) {
            let mut total = 0.0;
            let mut sums = [0.0; CANDIDATES];
            for ((evidence, near), scores) in evidence.iter().zip(nearness).zip(scores) {
                let weight = evidence * near;
                total += weight;
                for (sum, score) in sums.iter_mut().zip(scores) {
                    *sum += weight * score;
                }
            }
            if total == 0.0 {
                continue;
            }
            let power = POWER * total / (total + HALF_EVIDENCE);
            let [whole, half, nothing, phase] = sums.map(|sum| exp(-power * sum / total));
            let whole = PRIOR * whole;
            let phase = if self.has_phase { PRIOR * phase } else { 0.0 };
            let all = whole + half + nothing + phase;
            *belief = Belief {
                inflow: (whole + 0.5 * half) / all,
                phase: phase / all,
            };
        }
        beliefs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Beliefs at 30 days after `days` days on which so much came, so much inflow was forecast, and so much was what
    /// the same phase said.
    fn after(days: usize, has_phase: bool, came: f64, inflow: f64, phase: f64) -> Belief {
        let mut skill = Skill::new(1, has_phase);
        for _ in 0..days {
            skill.grow_old();
            for x in 0..NODES.len() {
                skill.add(x, came, Said { inflow, due: 0.0 }, phase);
            }
        }
        skill.beliefs(NODES.len())[5]
    }

    #[test]
    fn without_a_record_the_forecast_is_believed() {
        let belief = after(0, true, 0.0, 0.0, 0.0);
        assert_eq!((belief.inflow, belief.phase), (1.0, 0.0));
    }

    #[test]
    fn a_forecast_that_was_much_worse_than_no_change_is_not_believed() {
        assert!(after(200, false, 0.0, 7.0, 0.0).inflow < 0.01);
    }

    #[test]
    fn a_forecast_that_was_right_is_believed_whole() {
        assert!(after(200, false, 10.0, 9.0, 0.0).inflow > 0.98);
    }

    #[test]
    fn what_came_at_half_of_the_forecast_halves_it() {
        let belief = after(200, false, 5.0, 10.0, 0.0);
        assert!((belief.inflow - 0.5).abs() < 0.01, "{belief:?}");
    }

    #[test]
    fn the_same_phase_is_believed_where_there_is_one_and_it_was_right() {
        assert!(after(200, true, 5.0, -9.0, 5.0).phase > 0.98);
        assert_eq!(after(200, false, 5.0, -9.0, 5.0).phase, 0.0);
    }

    #[test]
    fn a_step_that_is_due_is_believed_whole_whatever_becomes_of_the_inflow() {
        let belief = Belief {
            inflow: 0.25,
            phase: 0.0,
        };
        let said = Said {
            inflow: 8.0,
            due: -100.0,
        };
        assert_eq!(belief.of(said, || 0.0), -98.0);
    }
}
