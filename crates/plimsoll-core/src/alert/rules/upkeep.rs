//! What goes wrong in Plimsoll itself: `sampling_stale`, `cleanup_failed`, `history_at_risk`.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict, is_at_least};

/// Settings of `sampling_stale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplingStale {
    /// So many intervals without a good sample are a warning.
    pub intervals: u32,
    /// So many seconds without one are critical.
    pub critical_seconds: i64,
}

impl Default for SamplingStale {
    fn default() -> Self {
        Self {
            intervals: 3,
            critical_seconds: 26 * 3600,
        }
    }
}

/// When there was a good sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// How old the last good sample is: as old as it was when this process started, and what a clock that nobody sets
    /// counted since. A wall clock that jumps makes nothing stale. None: there never was one.
    pub age: Option<SignedDuration>,
    /// How long this process has watched.
    pub watched_for: SignedDuration,
    /// The time from one sample to the next.
    pub interval: SignedDuration,
    /// Whether a first visit has ended since the start.
    pub has_visited: bool,
}

impl SamplingStale {
    /// Reads how fresh a database's samples are.
    pub fn read(&self, fresh: Freshness) -> Reading {
        if !fresh.has_visited {
            return Reading::unknown(
                Unit::Seconds,
                "the first visit since the start has not ended",
            );
        }
        let age = fresh.age.unwrap_or(fresh.watched_for).as_secs();
        let warning = fresh
            .interval
            .as_secs()
            .saturating_mul(i64::from(self.intervals));
        let (verdict, threshold) = if age >= self.critical_seconds {
            (Verdict::Holds(Severity::Critical), self.critical_seconds)
        } else if age >= warning {
            (Verdict::Holds(Severity::Warning), warning)
        } else {
            (Verdict::Clear, warning)
        };
        Reading::new(verdict, age as f64, threshold as f64, Unit::Seconds)
    }
}

/// How a policy's last run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LastRun {
    /// There was none, it is under way, or somebody cancelled it: it says nothing.
    Unknown,
    /// It did what it was to do.
    Good,
    /// It failed, or was interrupted.
    Failed,
}

/// Reads `cleanup_failed`.
pub fn cleanup_failed(last: LastRun) -> Reading {
    let verdict = match last {
        LastRun::Unknown => Verdict::Unknown("no run has ended".to_owned()),
        LastRun::Good => Verdict::Clear,
        LastRun::Failed => Verdict::Holds(Severity::Warning),
    };
    Reading {
        verdict,
        ..Reading::unknown(Unit::Seconds, "")
    }
}

/// Settings of `history_at_risk`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryAtRisk {
    /// From this share of its volume on.
    pub used_per_mille: u32,
    /// So far below it closes.
    pub closes_below_per_mille: u32,
}

impl Default for HistoryAtRisk {
    fn default() -> Self {
        Self {
            used_per_mille: 950,
            closes_below_per_mille: 30,
        }
    }
}

/// What is said where the store refuses writes, however much room it has.
pub const REFUSED: &str = "the store refuses writes";

/// How the store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreNow {
    /// Whether the last write was refused; none where nothing was written yet.
    pub is_refused: Option<bool>,
    /// Used and available bytes of the volume that it lies on, where that can be seen.
    pub volume: Option<(u64, u64)>,
}

impl HistoryAtRisk {
    /// Reads how the store is. A volume that is nearly full closes with a write that succeeds only when it has room.
    pub fn read(&self, store: StoreNow) -> Reading {
        let share = store.volume.map(|(used, available)| {
            let (used, whole) = (i128::from(used), i128::from(used) + i128::from(available));
            (used, whole.max(1))
        });
        let is_above = |border| share.is_some_and(|(used, whole)| is_at_least(used, whole, border));
        let closes = self
            .used_per_mille
            .saturating_sub(self.closes_below_per_mille);
        let verdict = match store.is_refused {
            Some(true) => Verdict::Holds(Severity::Critical),
            _ if is_above(self.used_per_mille) => Verdict::Holds(Severity::Critical),
            None => Verdict::Unknown("nothing was written yet".to_owned()),
            Some(false) if is_above(closes) => Verdict::Between,
            Some(false) => Verdict::Clear,
        };
        let value = share.map(|(used, whole)| used as f64 / whole as f64 * 100.0);
        let threshold = f64::from(self.used_per_mille) / 10.0;
        Reading::new(verdict, value, threshold, Unit::Percent)
            .with_note((store.is_refused == Some(true)).then_some(REFUSED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;

    #[test]
    fn a_database_without_a_good_sample_is_stale_after_three_intervals() {
        let seconds = SignedDuration::from_secs;
        let fresh = |age: Option<i64>| Freshness {
            age: age.map(seconds),
            watched_for: seconds(10),
            interval: seconds(900),
            has_visited: true,
        };
        let rule = SamplingStale::default();
        for (age, expected) in [
            (Some(0), '.'),
            (Some(2699), '.'),
            (Some(2700), 'w'),
            (Some(26 * 3600 - 1), 'w'),
            (Some(26 * 3600), 'c'),
            (None, '.'),
        ] {
            assert_eq!(letter(&rule.read(fresh(age))), expected, "{age:?}");
        }
        let just_started = Freshness {
            has_visited: false,
            ..fresh(Some(1_000_000))
        };
        assert_eq!(letter(&rule.read(just_started)), '?');
        let never = Freshness {
            watched_for: seconds(2700),
            ..fresh(None)
        };
        assert_eq!(letter(&rule.read(never)), 'w');
    }

    #[test]
    fn a_failed_run_is_open_until_the_next_good_one() {
        for (last, expected) in [
            (LastRun::Unknown, '?'),
            (LastRun::Good, '.'),
            (LastRun::Failed, 'w'),
        ] {
            assert_eq!(letter(&cleanup_failed(last)), expected);
        }
    }

    #[test]
    fn the_history_is_at_risk_when_it_cannot_be_written_or_soon_cannot() {
        let cases = [
            (Some(false), Some((919, 81)), '.'),
            (Some(false), Some((920, 80)), '-'),
            (Some(false), Some((949, 51)), '-'),
            (Some(false), Some((u64::MAX, 0)), 'c'),
            (Some(false), Some((0, 0)), '.'),
            (Some(false), Some((95, 5)), 'c'),
            (Some(true), Some((1, 99)), 'c'),
            (Some(false), None, '.'),
            (None, Some((10, 90)), '?'),
            (None, Some((99, 1)), 'c'),
        ];
        for (is_refused, volume, expected) in cases {
            let reading = HistoryAtRisk::default().read(StoreNow { is_refused, volume });
            assert_eq!(letter(&reading), expected, "{is_refused:?} {volume:?}");
            let note = (is_refused == Some(true)).then_some(REFUSED);
            assert_eq!(reading.note.as_deref(), note);
        }
    }
}
