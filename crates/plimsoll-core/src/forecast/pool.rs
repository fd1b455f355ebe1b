//! The rules' common forecast: each weighs as much as it has been right on this very series.

use super::clean::Clean;
use super::combine::trimmed_mean;
use super::grid::Daily;
use super::judged::{Judged, Weights};
use super::pattern::{Expected, Pattern};
use super::phase::Phases;
use super::rules::{self, Path, RULES};
use super::skill::{Belief, Said, Skill};
use super::stats::whole;
use super::tuning::Tuning;
use super::tuning::pool::{DRIFT_FROM_DAYS, LEAST_HISTORY, MAX_ORIGINS, NODES};

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
    /// What is believed of the forecast at each node.
    beliefs: [Belief; NODES.len()],
    /// What the same phase of the pattern says.
    phases: Option<Phases>,
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
        // of what comes after the last day nobody learns how wrong it is
        let due = |day: usize| NODES.partition_point(|node| day + node <= newest);
        let at_nodes = rules::at_nodes(paths, due);
        let pattern = clean.pattern.as_ref();
        let phases = pattern.map(Phases::of);
        let phase =
            |day: usize, days: usize| phases.map_or(0.0, |phases| phases.at(daily, day, days));
        let first_origin = pattern.map_or(0, Pattern::known_from);
        let mut judged = Judged::new(tuning);
        let mut skill = Skill::new(stride, phases.is_some());
        let mut said: Vec<[f64; NODES.len()]> = vec![[0.0; NODES.len()]; days];
        let mut forecasts: Vec<[Said; NODES.len()]> = vec![[Said::default(); NODES.len()]; days];
        let mut errors: [Vec<PastError>; NODES.len()] = Default::default();
        for day in 0..days {
            judged.grow_old();
            skill.grow_old();
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
                        bytes: naive - said[origin][x],
                        naive,
                    });
                    let jumped = if node >= DRIFT_FROM_DAYS {
                        0.0
                    } else {
                        clean.jumped(origin, day)
                    };
                    skill.add(x, naive - jumped, forecasts[origin][x], phase(origin, node));
                }
            }
            if is_origin(day) {
                let due = due(day);
                let weights = judged.weights(due);
                for x in 0..due {
                    forecasts[day][x].inflow =
                        trimmed_mean(&weights[x], &at_nodes[day][x], &tuning);
                }
                if let Some(pattern) = pattern.filter(|_| day >= first_origin) {
                    let until = newest.min(day + NODES[NODES.len() - 1]);
                    let steps = pattern.expected(daily, &clean.inflow_with_steps, day, until);
                    for (said, node) in forecasts[day].iter_mut().zip(NODES).take(due) {
                        *said = with_steps(&steps, said.inflow, node as f64);
                    }
                }
                for (x, belief) in skill.beliefs(due).into_iter().enumerate().take(due) {
                    said[day][x] = belief.of(forecasts[day][x], || phase(day, NODES[x]));
                }
            }
        }
        Self {
            weights: judged.weights(NODES.len()),
            phases,
            beliefs: skill.beliefs(NODES.len()),
            errors,
            tuning,
        }
    }

    /// What is forecast `days` ahead of the last day of `daily`, from the rules' paths and the steps that are due.
    pub(crate) fn forecast(
        &self,
        daily: &Daily,
        paths: &[Path; RULES],
        expected: &[Expected],
        days: f64,
    ) -> f64 {
        let trend = self.at(paths, days);
        let said = with_steps(expected, trend, days);
        let phase = || {
            self.phases.map_or(0.0, |phases| {
                phases.at(daily, daily.len() - 1, whole(days.floor()))
            })
        };
        let (x, share) = between_nodes(days);
        let mut belief = self.beliefs[x];
        if share > 0.0 {
            let next = self.beliefs[x + 1];
            belief.inflow += share * (next.inflow - belief.inflow);
            belief.phase += share * (next.phase - belief.phase);
        }
        belief.of(said, phase)
    }

    /// What the rules say together about `days` ahead.
    fn at(&self, paths: &[Path; RULES], days: f64) -> f64 {
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

/// What is said of `days` ahead, if so much comes in until then, with the steps that are due.
fn with_steps(expected: &[Expected], inflow: f64, days: f64) -> Said {
    let within = expected.partition_point(|step| step.days as f64 <= days);
    let Some(step) = within.checked_sub(1).map(|last| expected[last]) else {
        return Said { inflow, due: 0.0 };
    };
    let inflow = inflow + step.days_of_inflow * inflow / days;
    // steps that gave back just what came in are certain
    if step.is_exact {
        Said {
            inflow,
            due: step.bytes,
        }
    } else {
        Said {
            inflow: inflow + step.bytes,
            due: 0.0,
        }
    }
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
