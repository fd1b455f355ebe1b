//! `time_to_full`: by the forecast a limit is near. `filling_fast`: at the present pace a volume is full within hours.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::life::Patience;
use crate::alert::reading::{Reading, Unit, Verdict, is_at_least};

const DAY: i64 = 86_400;

/// Settings of `time_to_full`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeToFull {
    /// The early date is within this: a warning.
    pub warning_seconds: i64,
    /// The early date is within this: critical.
    pub critical_seconds: i64,
    /// The best guess must be within this, too: an early date alone is the width of the bounds.
    pub point_seconds: i64,
}

impl Default for TimeToFull {
    fn default() -> Self {
        Self {
            warning_seconds: 14 * DAY,
            critical_seconds: 3 * DAY,
            point_seconds: 90 * DAY,
        }
    }
}

/// When a limit is reached, from now on. None is "not within a year".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaches {
    /// The early end of the 80 % range: of the size's upper bound.
    pub low: Option<SignedDuration>,
    /// The best guess.
    pub point: Option<SignedDuration>,
    /// Whether the range is wider than it would be, because the history is young.
    pub is_widened: bool,
}

impl TimeToFull {
    /// It closes on two forecasts in a row: one sample moves a date by days.
    pub fn patience() -> Patience {
        Patience {
            closes_after: 2,
            ..Patience::default()
        }
    }

    /// Reads a forecast; the error is why there is none.
    pub fn read(&self, reaches: Result<Reaches, &str>) -> Reading {
        let reaches = match reaches {
            Ok(reaches) => reaches,
            Err(why) => return Reading::unknown(Unit::Seconds, why),
        };
        let low = reaches.low.map(|low| low.as_secs());
        let is_near = |seconds| low.is_some_and(|low| low <= seconds);
        // The early date of a widened range comes whatever is expected.
        let furthest = if reaches.is_widened {
            self.point_seconds
                .min(self.warning_seconds.saturating_mul(2))
        } else {
            self.point_seconds
        };
        let is_expected = reaches
            .point
            .is_some_and(|point| point.as_secs() <= furthest);
        let (verdict, threshold) = if is_near(self.critical_seconds) && is_expected {
            (Verdict::Holds(Severity::Critical), self.critical_seconds)
        } else if is_near(self.warning_seconds) && is_expected {
            (Verdict::Holds(Severity::Warning), self.warning_seconds)
        } else if is_near(self.warning_seconds.saturating_mul(5) / 4) {
            (Verdict::Between, self.warning_seconds)
        } else {
            (Verdict::Clear, self.warning_seconds)
        };
        let value = low.map(|low| low as f64);
        Reading::new(verdict, value, threshold as f64, Unit::Seconds)
    }
}

/// Settings of `filling_fast`, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FillingFast {
    /// The best guess is within this: a warning.
    pub warning_seconds: i64,
    /// The best guess is within this: critical.
    pub critical_seconds: i64,
    /// Only where so much is used: an empty volume that fills fast is being filled on purpose.
    pub used_per_mille: u32,
}

impl Default for FillingFast {
    fn default() -> Self {
        Self {
            warning_seconds: 4 * 3600,
            critical_seconds: 3600,
            used_per_mille: 600,
        }
    }
}

/// A volume's pace, as one pulse saw it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaceNow {
    /// Bytes in use.
    pub used_bytes: u64,
    /// Bytes that may still be used.
    pub available_bytes: u64,
    /// Bytes an hour.
    pub bytes_per_hour: f64,
    /// From now until it is full, by the best guess. None is "not within a year".
    pub full_in: Option<SignedDuration>,
}

impl FillingFast {
    /// It opens on two pulses in a row, and closes on a quarter of an hour of them: while something begins, the window that
    /// stands out most is now one and now another.
    pub fn patience() -> Patience {
        Patience {
            opens_after: 2,
            closes_after: 15,
            ..Patience::default()
        }
    }

    /// Reads a pace; the error is why there is none. A rewrite that fits has been taken out of it already.
    pub fn read(&self, pace: Result<PaceNow, &str>) -> Reading {
        let pace = match pace {
            Ok(pace) => pace,
            Err(why) => return Reading::unknown(Unit::Seconds, why),
        };
        let seconds = pace.full_in.map(|full_in| full_in.as_secs());
        let is_near = |limit| seconds.is_some_and(|seconds| seconds <= limit);
        let used = i128::from(pace.used_bytes);
        let whole = used + i128::from(pace.available_bytes);
        let counts = whole > 0 && is_at_least(used, whole, self.used_per_mille);
        let rises = pace.bytes_per_hour > 0.0;
        let (verdict, threshold) = if !rises || !is_near(self.warning_seconds.saturating_mul(2)) {
            (Verdict::Clear, self.warning_seconds)
        } else if counts && is_near(self.critical_seconds) {
            (Verdict::Holds(Severity::Critical), self.critical_seconds)
        } else if counts && is_near(self.warning_seconds) {
            (Verdict::Holds(Severity::Warning), self.warning_seconds)
        } else {
            (Verdict::Between, self.warning_seconds)
        };
        let value = seconds.map(|seconds| seconds as f64);
        Reading::new(verdict, value, threshold as f64, Unit::Seconds)
            .with_bytes(Some(pace.used_bytes), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;

    #[test]
    fn a_limit_is_near_when_the_early_date_is_and_the_best_guess_is_within_sight() {
        let days = |days: i64| Some(SignedDuration::from_hours(days * 24));
        let second = SignedDuration::from_secs(1);
        let cases = [
            (days(14), days(90), 'w'),
            (days(14).map(|low| low + second), days(90), '-'),
            (days(14), days(90).map(|point| point + second), '-'),
            (days(3), days(20), 'c'),
            (days(3).map(|low| low + second), days(20), 'w'),
            (days(3), None, '-'),
            (days(0), days(0), 'c'),
            (days(17), days(20), '-'),
            (days(18), days(20), '.'),
            (None, None, '.'),
        ];
        for (low, point, expected) in cases {
            let reading = TimeToFull::default().read(Ok(Reaches {
                low,
                point,
                is_widened: false,
            }));
            assert_eq!(letter(&reading), expected, "{low:?} {point:?}");
        }
        for (point, expected) in [
            (days(28), 'w'),
            (days(28).map(|point| point + second), '-'),
            (None, '-'),
        ] {
            let reading = TimeToFull::default().read(Ok(Reaches {
                low: days(14),
                point,
                is_widened: true,
            }));
            assert_eq!(letter(&reading), expected, "of a young history: {point:?}");
        }
        assert_eq!(
            letter(&TimeToFull::default().read(Err("too few samples"))),
            '?'
        );
        assert_eq!(TimeToFull::patience().closes_after, 2);
    }

    #[test]
    fn a_volume_fills_fast_when_it_is_full_within_hours_and_rises() {
        let minutes = |minutes| Some(SignedDuration::from_mins(minutes));
        // per cent used, bytes an hour, minutes left
        let cases = [
            (60, 1.0, minutes(240), 'w'),
            (59, 1.0, minutes(240), '-'),
            (60, 1.0, minutes(241), '-'),
            (60, 1.0, minutes(60), 'c'),
            (60, 1.0, minutes(61), 'w'),
            (60, 1.0, minutes(480), '-'),
            (60, 1.0, minutes(481), '.'),
            (60, 0.0, minutes(10), '.'),
            (60, -5.0, None, '.'),
            (99, 1.0, None, '.'),
        ];
        for (percent, bytes_per_hour, full_in, expected) in cases {
            let reading = FillingFast::default().read(Ok(PaceNow {
                used_bytes: percent,
                available_bytes: 100 - percent,
                bytes_per_hour,
                full_in,
            }));
            assert_eq!(
                letter(&reading),
                expected,
                "{percent} {bytes_per_hour} {full_in:?}"
            );
        }
        assert_eq!(
            letter(&FillingFast::default().read(Err("two looks are needed"))),
            '?'
        );
        let Patience {
            opens_after,
            closes_after,
            ..
        } = FillingFast::patience();
        assert_eq!((opens_after, closes_after), (2, 15));
    }
}
