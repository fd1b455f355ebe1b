//! How wide the bounds are: what the same forecasts would have missed in the past.

use super::grid::Daily;
use super::pool::{PastError, between_nodes};
use super::stats::{line_slope, weighted_quantile};
use super::tuning::Tuning;
use super::tuning::interval::{
    EXPONENT, EXPONENTS, FLOOR, GROWN, GROWS, HIGHEST, INDEPENDENT, LEAST_ERRORS, LEAST_RATIO,
    LEAST_RATIO_FAR, NEAR_AND_FAR, RAISED_FAR, RAISED95, SHORT_DAYS, SHORT_HORIZON, SPANS,
};
use super::tuning::pool::NODES;

/// How far a horizon is from the near to the far one, from 0 to 1.
fn far(days: usize) -> f64 {
    let (near, far) = NEAR_AND_FAR;
    ((days as f64 / near).ln() / (far / near).ln()).clamp(0.0, 1.0)
}

/// Half-widths of the bounds at the nodes.
#[derive(Debug, Clone)]
pub(crate) struct Widths {
    half80: [f64; NODES.len()],
    half95: [f64; NODES.len()],
    /// How many nodes history could check.
    known: usize,
    /// The power with which widths grow after them.
    exponent: f64,
    /// Factor for short history.
    widened: f64,
}

/// What the widths are measured on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence<'a> {
    /// Past errors at each node, oldest first.
    pub(crate) errors: &'a [Vec<PastError>; NODES.len()],
    /// Days from one origin to the next.
    pub(crate) stride: usize,
    /// What each day moved.
    pub(crate) increments: &'a [f64],
    /// The days.
    pub(crate) daily: &'a Daily,
    pub(crate) tuning: Tuning,
}

impl Widths {
    /// Widths as one could know them on day `today`: from errors that had come out by then.
    ///
    /// Quantiles of absolute errors at past origins (split conformal prediction with weights; Vovk,
    /// Gammerman and Shafer 2005, Barber et al. 2023), raised where few of them are independent.
    pub(crate) fn on(evidence: Evidence<'_>, today: usize) -> Self {
        let floor = FLOOR * evidence.daily.level();
        let mut widths = Self {
            half80: [0.0; NODES.len()],
            half95: [0.0; NODES.len()],
            known: 0,
            exponent: EXPONENT,
            widened: 1.0,
        };
        let mut sorted: Vec<(f64, f64)> = Vec::new();
        let tuning = evidence.tuning;
        let level = evidence.daily.bytes(today);
        for (x, &node) in NODES.iter().enumerate() {
            let far = far(node);
            sorted.clear();
            sorted.extend(
                evidence.errors[x]
                    .iter()
                    .take_while(|error| error.origin + node <= today)
                    .map(|error| {
                        let age = (today - error.origin - node) as f64;
                        let then = evidence.daily.bytes(error.origin);
                        let grown = if then > 0.0 {
                            (level / then).clamp(GROWN.0, GROWN.1)
                        } else {
                            1.0
                        };
                        (
                            error.bytes.abs() * (1.0 + GROWS * far * (grown - 1.0)),
                            0.5_f64.powf(age / evidence.tuning.errors_half_life_days),
                        )
                    }),
            );
            let spans = if node > SHORT_HORIZON { SPANS } else { 1 };
            if sorted.len() < LEAST_ERRORS || sorted.len() * evidence.stride < spans * node {
                break;
            }
            sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
            let weight: f64 = sorted.iter().map(|(_, weight)| weight).sum();
            let independent = weight * evidence.stride as f64 / node as f64 * INDEPENDENT;
            let quantile = |q: f64, raised: f64| {
                let error = (q * (1.0 - q) / (independent + 1.0)).sqrt();
                weighted_quantile(&sorted, (q + raised * error).min(HIGHEST))
            };
            let (before80, before95) = x
                .checked_sub(1)
                .map_or((floor, 0.0), |x| (widths.half80[x], widths.half95[x]));
            widths.half80[x] = quantile(0.8, tuning.raised + RAISED_FAR * far).max(before80);
            widths.half95[x] = quantile(0.95, RAISED95)
                .max((LEAST_RATIO + LEAST_RATIO_FAR * far) * widths.half80[x])
                .max(before95);
            widths.known = x + 1;
        }
        if widths.known == 0 {
            let moved = &evidence.increments[..today.min(evidence.increments.len())];
            let largest = moved.iter().fold(0.0, |a: f64, b| a.max(b.abs()));
            widths.half80[0] = largest.max(floor);
            widths.half95[0] = LEAST_RATIO * widths.half80[0];
            widths.known = 1;
            widths.exponent = 1.0;
        } else if widths.known > 2 {
            let points: Vec<(f64, f64)> = (0..widths.known)
                .map(|x| {
                    (
                        (NODES[x] as f64).ln(),
                        widths.half80[x].max(f64::MIN_POSITIVE).ln(),
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

    /// The half-widths of the 80 % and 95 % bounds so many days ahead.
    pub(crate) fn at(&self, days: f64) -> (f64, f64) {
        let last = self.known - 1;
        let (a, b) = if days >= NODES[last] as f64 {
            let further = (days / NODES[last] as f64).powf(self.exponent);
            (self.half80[last] * further, self.half95[last] * further)
        } else {
            let (x, share) = between_nodes(days);
            let between = |half: &[f64; NODES.len()]| {
                let (a, b) = (half[x], half[x + 1]);
                if a <= 0.0 {
                    b * share
                } else {
                    a * (b / a).powf(share)
                }
            };
            (between(&self.half80), between(&self.half95))
        };
        (a * self.widened, b * self.widened)
    }
}
