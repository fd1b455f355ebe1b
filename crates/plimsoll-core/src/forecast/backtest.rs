//! How the same forecasts of the same series have fared: its own record.

use super::interval::{Evidence, Widths};
use super::tuning::backtest::{CHECKED, HORIZONS, LEAST_CHECKED, LEAST_HISTORY};
use super::tuning::pool::NODES;
use super::{Forecast, Model};

/// How forecasts so many days ahead would have fared in the past of this very series.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// Days ahead.
    pub h: u32,
    /// From how many past days.
    pub origins: usize,
    /// The mean absolute error, in bytes.
    pub error_bytes: f64,
    /// The mean absolute error of "nothing will change".
    pub naive_error_bytes: f64,
    /// The error as a share of the naive one; below 1 is better. Null where both are 0.
    pub error_to_naive: Option<f64>,
    /// The share of truths within the 80 % bounds, each as they would have been given on that day.
    /// Null where too few origins have bounds.
    pub coverage80: Option<f64>,
    /// The same of the 95 % bounds.
    pub coverage95: Option<f64>,
}

impl Forecast {
    /// The record at 7, 30 and 90 days, as far as history reaches; empty for a constant series.
    pub fn backtest(&self) -> Vec<Backtest> {
        let Model::Moving(moving) = &self.model else {
            return Vec::new();
        };
        let evidence = Evidence::new(&self.daily, &self.clean, &moving.pool, self.tuning);
        let is_trend = self.clean.pattern.is_none();
        let days = self.daily.len();
        let every = days.div_ceil(CHECKED).max(1);
        let checked: Vec<(usize, Widths)> = (0..days)
            .filter(|day| *day >= LEAST_HISTORY && (days - 1 - day).is_multiple_of(every))
            .map(|day| (day, Widths::on(&evidence, day)))
            .collect();
        HORIZONS
            .iter()
            .filter_map(|&horizon| {
                let x = NODES.iter().position(|&node| node == horizon)?;
                let errors = &moving.pool.errors[x];
                let count = errors.len() as f64;
                if errors.is_empty() {
                    return None;
                }
                let mean = |sum: f64| sum / count;
                let error_bytes = mean(errors.iter().map(|e| e.bytes.abs()).sum());
                let naive_error_bytes = mean(errors.iter().map(|e| e.naive.abs()).sum());
                let (mut seen, mut within80, mut within95) = (0_u32, 0_u32, 0_u32);
                // an error counts against the bounds of the checked day nearest before it
                for error in errors {
                    let known = checked.partition_point(|(day, _)| *day <= error.origin);
                    let Some((_, widths)) = known.checked_sub(1).map(|i| &checked[i]) else {
                        continue;
                    };
                    let trend = if is_trend {
                        error.naive - error.bytes
                    } else {
                        0.0
                    };
                    let reach = widths.at(horizon as f64, trend);
                    let is_within = |down: f64, up: f64| -down <= error.bytes && error.bytes <= up;
                    seen += 1;
                    within80 += u32::from(is_within(reach.down80, reach.up80));
                    within95 += u32::from(is_within(reach.down95, reach.up95));
                }
                let share = |within: u32| {
                    (seen as usize >= LEAST_CHECKED).then(|| f64::from(within) / f64::from(seen))
                };
                Some(Backtest {
                    h: u32::try_from(horizon).unwrap_or(u32::MAX),
                    origins: errors.len(),
                    error_bytes,
                    naive_error_bytes,
                    error_to_naive: (naive_error_bytes > 0.0)
                        .then(|| error_bytes / naive_error_bytes),
                    coverage80: share(within80),
                    coverage95: share(within95),
                })
            })
            .collect()
    }
}
