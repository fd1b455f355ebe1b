//! When a limit is reached: first crossings, dates, probabilities.

use jiff::Timestamp;

use super::grid::after;
use super::stats::normal_cdf;
use super::{Band, FURTHEST_DAYS, Forecast, Model};

/// When a limit is reached, in days from now. Null: not within 365 days.
///
/// The upper bound reaches it first: `lo95 <= lo80 <= point <= hi80 <= hi95`.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// The limit.
    pub bytes: u64,
    /// When the forecast reaches it.
    pub point: Option<f64>,
    /// When the upper 80 % bound does.
    pub lo80: Option<f64>,
    /// When the lower 80 % bound does.
    pub hi80: Option<f64>,
    /// When the upper 95 % bound does.
    pub lo95: Option<f64>,
    /// When the lower 95 % bound does.
    pub hi95: Option<f64>,
    /// The same as dates.
    pub full_on: FullOn,
    /// How likely the limit is reached within 7, 30 and 90 days.
    pub probability: Probabilities,
}

/// The dates of a passage. Null: not within 365 days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FullOn {
    /// When the upper 80 % bound reaches the limit: the date to be safe by.
    pub low: Option<Timestamp>,
    /// When the forecast does.
    pub mid: Option<Timestamp>,
    /// When the lower 80 % bound does.
    pub high: Option<Timestamp>,
}

/// How likely a limit is reached within so many days, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probabilities {
    /// Within a week.
    pub within_7_days: f64,
    /// Within a month.
    pub within_30_days: f64,
    /// Within a quarter.
    pub within_90_days: f64,
}

impl Forecast {
    /// When the size reaches `limit_bytes` for the first time.
    pub fn passage(&self, limit_bytes: u64) -> Passage {
        let limit = limit_bytes as f64;
        let is_reached = self.daily.last_bytes >= limit_bytes;
        let mut days = [is_reached.then_some(0.0); 5];
        let mut likely = [f64::from(u8::from(is_reached)); 3];
        if !is_reached && matches!(self.model, Model::Moving(_)) {
            for day in 1..=FURTHEST_DAYS {
                let band = self.band(f64::from(day));
                let edges = [
                    band.point + self.ahead(band.point, band.h),
                    band.hi80,
                    band.lo80,
                    band.hi95,
                    band.lo95,
                ];
                for (first, edge) in days.iter_mut().zip(edges) {
                    if first.is_none() && edge >= limit {
                        *first = Some(band.h);
                    }
                }
                let share = share_at_or_above(&band, limit);
                for (likely, within) in likely.iter_mut().zip([7, 30, 90]) {
                    if day <= within {
                        *likely = likely.max(share);
                    }
                }
                if day >= 90 && days.iter().all(Option::is_some) {
                    break;
                }
            }
        }
        let [point, lo80, hi80, lo95, hi95] = days;
        let date = |days: Option<f64>| days.map(|days| after(self.now(), days));
        Passage {
            bytes: limit_bytes,
            point,
            lo80,
            hi80,
            lo95,
            hi95,
            full_on: FullOn {
                low: date(lo80),
                mid: date(point),
                high: date(hi80),
            },
            probability: Probabilities {
                within_7_days: likely[0],
                within_30_days: likely[1],
                within_90_days: likely[2],
            },
        }
    }
}

/// How likely a day's size is `limit` or more: a distribution through the bounds, normal within the
/// 80 % ones and with the 95 % ones' tail beyond them.
fn share_at_or_above(band: &Band, limit: f64) -> f64 {
    const Z80: f64 = 1.281_551_565_5;
    const Z95: f64 = 1.959_963_984_5;
    let above = limit - band.point;
    let (half80, half95) = if above >= 0.0 {
        (band.hi80 - band.point, band.hi95 - band.point)
    } else {
        (band.point - band.lo80, band.point - band.lo95)
    };
    if half80 <= 0.0 {
        return if above <= 0.0 { 1.0 } else { 0.0 };
    }
    let distance = above.abs();
    let z = if distance <= half80 {
        Z80 * distance / half80
    } else {
        Z80 + (Z95 - Z80) * (distance - half80) / (half95 - half80).max(1e-9 * half80)
    };
    1.0 - normal_cdf(z.copysign(above))
}
