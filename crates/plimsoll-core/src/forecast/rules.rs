//! The trend rules: what each of them would have said on every day of the history.

use super::clean::{Clean, turns};
use super::grid::Daily;
use super::smoothing;
use super::stats::median;
use super::tuning::Tuning;
use super::tuning::pool::NODES;
use super::tuning::rules::{
    GROWTH_DAYS, HALF_LIVES, LONG_DAYS, LONGEST_GROWTH, SETTLES, SETTLES_FROM_DAYS, WINDOWS, YEAR,
};

/// How many rules there are.
pub(crate) const RULES: usize = 14;
/// Which of them says that nothing changes.
pub(crate) const NO_CHANGE: usize = 13;

/// A path into the future: bytes above the present value, as a function of days.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Path {
    shift: f64,
    slope: f64,
    bend: Bend,
}

/// How a path departs from a straight line.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
enum Bend {
    #[default]
    Straight,
    /// The slope keeps this share from day to day.
    Damped(f64),
    /// The slope keeps this share of what it is above its last one from day to day.
    Settling { keeps: f64, excess: f64 },
    /// The slope grows at this rate.
    Growing(f64),
}

impl Path {
    const fn straight(slope: f64) -> Self {
        Self {
            shift: 0.0,
            slope,
            bend: Bend::Straight,
        }
    }

    /// Bytes above the present value after `days`.
    pub(crate) fn at(&self, days: f64) -> f64 {
        self.along(days, |keeps| damped(keeps, days))
    }

    /// The same, where the sum of a share's powers up to `days` is known.
    fn along(&self, days: f64, damped: impl Fn(f64) -> f64) -> f64 {
        let length = match self.bend {
            Bend::Straight => days,
            Bend::Damped(keeps) => damped(keeps),
            Bend::Settling { keeps, excess } => {
                return self.slope * days + excess * damped(keeps);
            }
            Bend::Growing(rate) => {
                let growing = days.min(LONGEST_GROWTH);
                let grown = (rate * growing).exp_m1() / rate;
                if days > growing {
                    grown + (days - growing) * (rate * growing).exp()
                } else {
                    grown
                }
            }
        };
        self.shift + self.slope * length
    }
}

/// The sum of a share's powers from 1 to `days`.
fn damped(keeps: f64, days: f64) -> f64 {
    keeps * (1.0 - keeps.powf(days)) / (1.0 - keeps)
}

/// What each path says at the nodes, of day `i` at the first `due(i)` of them.
pub(crate) fn at_nodes(
    paths: &[[Path; RULES]],
    due: impl Fn(usize) -> usize,
) -> Vec<[[f64; RULES]; NODES.len()]> {
    let smoothed = paths.first().map_or(0.0, |rules| match rules[0].bend {
        Bend::Damped(keeps) => keeps,
        _ => 0.0,
    });
    // powers are dear, and of two shares only
    let lengths = NODES.map(|node| [SETTLES, smoothed].map(|keeps| damped(keeps, node as f64)));
    paths
        .iter()
        .enumerate()
        .map(|(day, rules)| {
            let mut said = [[0.0; RULES]; NODES.len()];
            for x in 0..due(day) {
                let [settling, damped] = lengths[x];
                for (said, path) in said[x].iter_mut().zip(rules) {
                    let length = |keeps: f64| if keeps == SETTLES { settling } else { damped };
                    *said = path.along(NODES[x] as f64, length);
                }
            }
            said
        })
        .collect()
}

/// Every rule's path from every day of the history.
///
/// Six follow what happens now, and begin anew at the last clear change of slope: Holt's trend (smoothing, possibly
/// damped); mean increments with half-lives of 14 to 224 days; growth in per cent over 84 days. Seven look further
/// back, over such changes: two weeks of purge or load do not run on for ninety days. The last says that nothing
/// changes.
pub(crate) fn paths(daily: &Daily, clean: &Clean, tuning: Tuning) -> Vec<[Path; RULES]> {
    let parameters = smoothing::fit(&clean.inflow);
    let holt = smoothing::states(&clean.inflow, parameters);
    let turns = turns(clean, tuning.turn_t);
    let keeps = HALF_LIVES.map(|days| 0.5_f64.powf(1.0 / days));
    let mut means = [(0.0, 0.0); HALF_LIVES.len()];
    (0..daily.len())
        .map(|origin| {
            let turn = turns[origin];
            // after a change of slope the means begin anew
            let from = if origin > 0 && turn != turns[origin - 1] {
                means = [(0.0, 0.0); HALF_LIVES.len()];
                turn
            } else {
                origin.saturating_sub(1)
            };
            for increment in &clean.increments[from..origin] {
                for ((sum, count), keep) in means.iter_mut().zip(keeps) {
                    *sum = *sum * keep + increment;
                    *count = *count * keep + 1.0;
                }
            }
            let state = holt[origin];
            let mut rules = [Path::default(); RULES];
            rules[0] = Path {
                shift: state.level - clean.inflow[origin],
                slope: state.slope,
                bend: if parameters.phi > 0.0 && parameters.phi < 1.0 {
                    Bend::Damped(parameters.phi)
                } else {
                    Bend::Straight
                },
            };
            for (rule, (sum, count)) in rules[1..6].iter_mut().zip(means) {
                *rule = Path::straight(if count > 0.0 { sum / count } else { 0.0 });
            }
            rules[6] = growth(daily, clean, origin, origin - turn);
            let mut slopes = WINDOWS.map(|days| clean.mean(origin, days));
            let year = clean.mean(origin, YEAR);
            rules[7] = Path::straight(clean.mean(origin, LONG_DAYS));
            rules[8] = Path::straight(clean.mean(origin, origin));
            rules[9] = Path::straight(clean.mean_with_steps(origin, YEAR));
            rules[10] = Path::straight(clean.mean_with_steps(origin, origin));
            rules[11] = Path::straight(median(&mut slopes));
            rules[12] = Path {
                shift: 0.0,
                slope: year,
                bend: Bend::Settling {
                    keeps: SETTLES,
                    excess: clean.mean(origin, SETTLES_FROM_DAYS) - year,
                },
            };
            rules
        })
        .collect()
}

/// Growth in per cent over the last 84 of `reach` days; a mean increment where the size more than tripled or is
/// nothing.
fn growth(daily: &Daily, clean: &Clean, origin: usize, reach: usize) -> Path {
    let days = GROWTH_DAYS.min(reach);
    if days == 0 {
        return Path::default();
    }
    let level = daily.bytes(origin);
    let before = level - (clean.inflow[origin] - clean.inflow[origin - days]);
    if level <= 0.0 || before <= 0.3 * level {
        return Path::straight(clean.mean(origin, reach));
    }
    let rate = (level / before).ln() / days as f64;
    if rate.abs() < 1e-9 {
        return Path::default();
    }
    Path {
        shift: 0.0,
        slope: level * rate,
        bend: Bend::Growing(rate),
    }
}
