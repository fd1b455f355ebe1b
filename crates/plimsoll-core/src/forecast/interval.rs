//! How wide the bounds are: what the same forecasts would have missed in the past.

use std::f64::consts::LN_2;

use super::clean::Clean;
use super::exponents::exp;
use super::grid::Daily;
use super::pool::{PastError, Pool, between_nodes, stride};
use super::stats::{line_slope, total_weight, weighted_quantile};
use super::tuning::Tuning;
use super::tuning::interval::{
    EXPONENT, EXPONENTS, FLOOR, GROWN, GROWS, HIGHEST, INDEPENDENT, JUMPS_EXPONENT, LEAST_ERRORS,
    LEAST_RATIO, LEAST_RATIO_FAR, NEAR_AND_FAR, RAISED_FAR, RAISED95, RATE_CHANGES, SHORT_DAYS,
    SHORT_HORIZON, SPANS, WITH_JUMPS80, WITH_JUMPS95,
};
use super::tuning::pool::NODES;

/// How far a horizon is from the near to the far one, from 0 to 1.
fn far(days: f64) -> f64 {
    let (near, far) = NEAR_AND_FAR;
    ((days / near).ln() / (far / near).ln()).clamp(0.0, 1.0)
}

/// Half-widths of one pair of bounds at the nodes.
#[derive(Debug, Clone, Copy, Default)]
struct Halves {
    of80: [f64; NODES.len()],
    of95: [f64; NODES.len()],
}

/// How far the bounds are from the forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reach {
    /// The upper 80 % bound,
    pub(crate) up80: f64,
    /// the upper 95 % one,
    pub(crate) up95: f64,
    /// the lower 80 % one,
    pub(crate) down80: f64,
    /// the lower 95 % one.
    pub(crate) down95: f64,
    /// Half the width of the 80 % bounds without jumps.
    pub(crate) smooth80: f64,
}

/// How wide the bounds are at the nodes.
///
/// A jump says that another may come the same way: it widens the bounds on its side only, and where it is rarer than
/// what the bound leaves out it widens nothing. What is left of an error without jumps counts both ways.
#[derive(Debug, Clone)]
pub(crate) struct Widths {
    /// Without jumps.
    smooth: Halves,
    /// With upward jumps.
    up: Halves,
    /// With downward ones.
    down: Halves,
    /// How many nodes history could check.
    known: usize,
    /// The power with which widths without jumps grow after them.
    exponent: f64,
    /// Factor for short history.
    widened: f64,
}

/// What the widths are measured on.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// Past errors at each node, oldest first.
    errors: &'a [Vec<PastError>; NODES.len()],
    /// Days from one origin to the next.
    stride: usize,
    /// What the series is made of.
    clean: &'a Clean,
    /// The days.
    daily: &'a Daily,
    tuning: Tuning,
    /// What an error weighs that came out so many days ago.
    weights: Vec<f64>,
}

/// A past error without jumps, the jump beside it, and what both count.
#[derive(Debug, Clone, Copy)]
struct Missed {
    bytes: f64,
    jumped: f64,
    weight: f64,
}

impl Widths {
    /// Widths as one could know them on day `today`: from errors that had come out by then.
    ///
    /// Quantiles of absolute errors at past origins (split conformal prediction with weights; Vovk,
    /// Gammerman and Shafer 2005, Barber et al. 2023), raised where few of them are independent.
    pub(crate) fn on(evidence: &Evidence<'_>, today: usize) -> Self {
        let floor = FLOOR * evidence.daily.level();
        let mut widths = Self {
            smooth: Halves::default(),
            up: Halves::default(),
            down: Halves::default(),
            known: 0,
            exponent: EXPONENT,
            widened: 1.0,
        };
        let mut missed: Vec<Missed> = Vec::new();
        let mut sorted: Vec<(f64, f64)> = Vec::new();
        let mut scratch: Vec<(f64, f64)> = Vec::new();
        let tuning = evidence.tuning;
        for (x, &node) in NODES.iter().enumerate() {
            let far = far(node as f64);
            missed.clear();
            missed.extend(evidence.missed(x, node, today));
            let spans = if node > SHORT_HORIZON { SPANS } else { 1 };
            if missed.len() < LEAST_ERRORS || missed.len() * evidence.stride < spans * node {
                break;
            }
            sorted.clear();
            sorted.extend(missed.iter().map(|error| (error.bytes, error.weight)));
            sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let weight = total_weight(&sorted);
            let independent = weight * evidence.stride as f64 / node as f64 * INDEPENDENT;
            let quantile = |q: f64, raised: f64| {
                let error = (q * (1.0 - q) / (independent + 1.0)).sqrt();
                weighted_quantile(&sorted, weight, (q + raised * error).min(HIGHEST))
            };
            let half80 = quantile(0.8, tuning.raised + RAISED_FAR * far).max(floor);
            let half95 =
                quantile(0.95, RAISED95).max((LEAST_RATIO + LEAST_RATIO_FAR * far) * half80);
            widths.smooth.put(x, half80, half95);
            for (halves, way) in [(&mut widths.up, 1.0), (&mut widths.down, -1.0)] {
                let (jumped80, jumped95) = with_jumps(&missed, way, &mut scratch);
                halves.put(x, half80.max(jumped80), half95.max(jumped95));
            }
            widths.known = x + 1;
        }
        if widths.known == 0 {
            widths.of_the_largest_move(evidence, today, floor);
        } else if widths.known > 2 {
            let points: Vec<(f64, f64)> = (0..widths.known)
                .map(|x| {
                    (
                        (NODES[x] as f64).ln(),
                        widths.smooth.of80[x].max(f64::MIN_POSITIVE).ln(),
                    )
                })
                .collect();
            if let Some(slope) = line_slope(&points) {
                widths.exponent = slope.clamp(EXPONENTS.0, EXPONENTS.1);
            }
        }
        let days = today as f64;
        if days < SHORT_DAYS {
            widths.widened = 1.0 + (SHORT_DAYS - days) / SHORT_DAYS;
        }
        widths
    }

    /// Without errors at any horizon: as much as ever moved in a day.
    fn of_the_largest_move(&mut self, evidence: &Evidence<'_>, today: usize, floor: f64) {
        let moved = &evidence.clean.increments;
        let moved = &moved[..today.min(moved.len())];
        let half80 = moved.iter().fold(floor, |a: f64, b| a.max(b.abs()));
        self.smooth.put(0, half80, LEAST_RATIO * half80);
        for (halves, way) in [(&mut self.up, 1.0), (&mut self.down, -1.0)] {
            let jumped = (0..today).map(|day| way * evidence.clean.jumped(day, day + 1));
            let half80 = jumped.fold(half80, f64::max);
            halves.put(0, half80, LEAST_RATIO * half80);
        }
        self.known = 1;
        self.exponent = 1.0;
    }

    /// The bounds so many days ahead, of a forecast that has the series grow by `trend` until then.
    pub(crate) fn at(&self, days: f64, trend: f64) -> Reach {
        let last = self.known - 1;
        let beyond = days / NODES[last] as f64;
        let node = between_nodes(days);
        let (further, jumps) = (beyond.powf(self.exponent), beyond.powf(JUMPS_EXPONENT));
        let at = |side: &[f64; NODES.len()], smooth: &[f64; NODES.len()]| {
            let half = if beyond >= 1.0 {
                smooth[last] * further + (side[last] - smooth[last]) * jumps
            } else {
                between(side, node)
            };
            half * self.widened
        };
        let changed = RATE_CHANGES * far(days) * trend.abs();
        Reach {
            up80: at(&self.up.of80, &self.smooth.of80),
            up95: at(&self.up.of95, &self.smooth.of95).max(changed),
            down80: at(&self.down.of80, &self.smooth.of80),
            down95: at(&self.down.of95, &self.smooth.of95).max(changed),
            smooth80: at(&self.smooth.of80, &self.smooth.of80),
        }
    }
}

impl Halves {
    /// Takes down what holds at node `x`: never less than at the one before.
    fn put(&mut self, x: usize, half80: f64, half95: f64) {
        let before = |halves: &[f64; NODES.len()]| x.checked_sub(1).map_or(0.0, |x| halves[x]);
        self.of80[x] = half80.max(before(&self.of80));
        self.of95[x] = half95.max(self.of80[x]).max(before(&self.of95));
    }
}

/// The half-width between two nodes, by logarithms.
fn between(half: &[f64; NODES.len()], (x, share): (usize, f64)) -> f64 {
    if share == 0.0 {
        return half[x];
    }
    let (a, b) = (half[x], half[x + 1]);
    if a <= 0.0 {
        b * share
    } else {
        a * (b / a).powf(share)
    }
}

impl<'a> Evidence<'a> {
    pub(crate) fn new(daily: &'a Daily, clean: &'a Clean, pool: &'a Pool, tuning: Tuning) -> Self {
        let half_life = tuning.errors_half_life_days;
        Self {
            errors: &pool.errors,
            stride: stride(daily.len()),
            clean,
            daily,
            tuning,
            weights: (0..daily.len())
                .map(|age| exp(-(age as f64) * LN_2 / half_life))
                .collect(),
        }
    }

    /// The errors at node `x` that had come out by `today`.
    fn missed(&self, x: usize, node: usize, today: usize) -> impl Iterator<Item = Missed> {
        let far = far(node as f64);
        let level = self.daily.bytes(today);
        self.errors[x]
            .iter()
            .take_while(move |error| error.origin + node <= today)
            .map(move |error| {
                let age = today - error.origin - node;
                let then = self.daily.bytes(error.origin);
                let ratio = if then > 0.0 { level / then } else { 1.0 };
                let grown = ratio.clamp(GROWN.0, GROWN.1);
                let jumped = self.clean.jumped(error.origin, error.origin + node);
                Missed {
                    bytes: (error.bytes - jumped).abs() * (1.0 + GROWS * far * (grown - 1.0)),
                    // nothing falls by more than what is there
                    jumped: if jumped < 0.0 {
                        jumped * ratio.clamp(0.0, 1.0)
                    } else {
                        jumped
                    },
                    weight: self.weights[age],
                }
            })
    }
}

/// The half-widths on the side of `way` (1 upwards, -1 downwards) where jumps that way come on top of the errors, which
/// count both ways; nothing without such jumps.
fn with_jumps(missed: &[Missed], way: f64, sorted: &mut Vec<(f64, f64)>) -> (f64, f64) {
    if missed.iter().all(|error| error.jumped * way <= 0.0) {
        return (0.0, 0.0);
    }
    sorted.clear();
    for error in missed {
        let jumped = (error.jumped * way).max(0.0);
        sorted.push((jumped + error.bytes, error.weight));
        sorted.push((jumped - error.bytes, error.weight));
    }
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let weight = total_weight(sorted);
    (
        weighted_quantile(sorted, weight, WITH_JUMPS80),
        weighted_quantile(sorted, weight, WITH_JUMPS95),
    )
}
