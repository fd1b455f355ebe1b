//! The trend rules: what each of them would have said on every day of the history.

use super::clean::{Clean, turns};
use super::grid::Daily;
use super::smoothing;
use super::stats::median;
use super::tuning::Tuning;

/// How many rules there are.
pub(crate) const RULES: usize = 11;
/// Windows, in days, whose slopes' median is the first rule.
const WINDOWS: [usize; 6] = [7, 14, 28, 56, 112, 168];
/// Half-lives, in days, of the exponentially weighted mean increments.
const HALF_LIVES: [f64; 6] = [7.0, 14.0, 28.0, 56.0, 112.0, 224.0];
/// Windows, in days, of the rates of growth in per cent.
const GROWTH_WINDOWS: [usize; 2] = [28, 84];

/// Growth in per cent is carried on for so many days, and in a straight line after them.
const LONGEST_GROWTH: f64 = 90.0;

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
        let length = match self.bend {
            Bend::Straight => days,
            Bend::Damped(keeps) => keeps * (1.0 - keeps.powf(days)) / (1.0 - keeps),
            Bend::Growing(rate) => {
                let growing = days.min(LONGEST_GROWTH);
                (rate * growing).exp_m1() / rate + (days - growing) * (rate * growing).exp()
            }
        };
        self.shift + self.slope * length
    }
}

/// Every rule's path from every day of the history.
///
/// The rules are: the median of the slopes over 7 to 168 days and Holt's; Holt's trend (smoothing,
/// possibly damped); mean increments with half-lives of 7 to 224 days; growth in per cent over 28 and
/// 84 days; no change at all. All windows begin at the last clear change of slope.
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
            let reach = origin - turn;
            let state = holt[origin];
            let holt = Path {
                shift: state.level - clean.inflow[origin],
                slope: state.slope,
                bend: if parameters.phi > 0.0 && parameters.phi < 1.0 {
                    Bend::Damped(parameters.phi)
                } else {
                    Bend::Straight
                },
            };
            let mut rules = [Path::default(); RULES];
            if reach > 0 {
                let mut slopes = [state.slope; WINDOWS.len() + 1];
                for (slope, days) in slopes.iter_mut().zip(WINDOWS) {
                    *slope = clean.mean(origin, days.min(reach));
                }
                rules[0] = Path::straight(median(&mut slopes));
            }
            rules[1] = holt;
            for (rule, (sum, count)) in rules[2..8].iter_mut().zip(means) {
                *rule = Path::straight(if count > 0.0 { sum / count } else { 0.0 });
            }
            for (rule, days) in rules[8..10].iter_mut().zip(GROWTH_WINDOWS) {
                *rule = growth(daily, clean, origin, reach, days.min(reach));
            }
            rules
        })
        .collect()
}

/// Growth in per cent over `days`; a mean increment where the size more than tripled or is nothing.
fn growth(daily: &Daily, clean: &Clean, origin: usize, reach: usize, days: usize) -> Path {
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
