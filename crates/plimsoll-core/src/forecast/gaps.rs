//! What a series usually does in a day, for telling whether what a gap between samples hides was one step.

use super::stats::median_and_spread;
use super::tuning::gaps::{EXCESS_RATES, EXCESS_SPREADS, LEAST_PAIRS, PAIRS, SHORTEST_DAYS};

/// A sample relative to the last one: days (zero or negative), and bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Relative {
    pub(super) day: f64,
    pub(super) bytes: f64,
}

/// Growth a day from each sample to the next that is not too near to tell it.
#[derive(Debug)]
pub(super) struct Rates {
    /// The later sample's number, and the rate; in order of time.
    rates: Vec<(usize, f64)>,
}

/// What the series usually does in a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct UsualRate {
    /// At the median.
    pub(super) rate: f64,
    spread: f64,
}

impl Rates {
    pub(super) fn of(samples: &[Relative]) -> Self {
        let rates = samples
            .windows(2)
            .zip(1..)
            .filter(|(pair, _)| pair[1].day - pair[0].day > SHORTEST_DAYS)
            .map(|(pair, later)| {
                let days = pair[1].day - pair[0].day;
                (later, (pair[1].bytes - pair[0].bytes) / days)
            })
            .collect();
        Self { rates }
    }

    /// What was usual before sample `later`; at the beginning, what is usual there. `None` where too little is known.
    ///
    /// What comes later has no say, so that a step stays one.
    pub(super) fn before(&self, later: usize) -> Option<UsualRate> {
        let known = self.rates.partition_point(|&(sample, _)| sample < later);
        let known = if known < LEAST_PAIRS {
            0..self.rates.len().min(PAIRS)
        } else {
            known.saturating_sub(PAIRS)..known
        };
        let mut rates: Vec<f64> = self.rates[known].iter().map(|&(_, rate)| rate).collect();
        if rates.len() < LEAST_PAIRS {
            return None;
        }
        let (rate, spread) = median_and_spread(&mut rates);
        Some(UsualRate { rate, spread })
    }
}

impl UsualRate {
    /// Whether a gap of so many days hides a step, if the size moved so much in it.
    pub(super) fn is_step(self, moved: f64, gap: f64) -> bool {
        let excess = (moved - self.rate * gap).abs();
        excess > EXCESS_SPREADS * self.spread * gap.sqrt()
            && excess > EXCESS_RATES * self.rate.abs() * gap
    }
}
