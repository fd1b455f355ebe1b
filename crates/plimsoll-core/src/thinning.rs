//! Which samples are kept, and which are dropped: a pure function from a policy to a plan.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use crate::sample::SampleKind;

/// How long samples are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How many `daily` samples of a database are kept.
    pub daily_samples: usize,
    /// For how long every `watch` and `manual` sample is kept.
    pub all_for: SignedDuration,
    /// For how long one of them an hour is kept (counted from now, not from the end of `all_for`).
    pub hourly_for: SignedDuration,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            daily_samples: 90,
            all_for: SignedDuration::from_hours(2 * 24),
            hourly_for: SignedDuration::from_hours(14 * 24),
        }
    }
}

/// A sample as thinning sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The sample's id.
    pub id: i64,
    /// When it was taken.
    pub sampled_at: Timestamp,
    /// Why it was taken.
    pub kind: SampleKind,
}

/// The ids of the samples of one database to be dropped, oldest first.
///
/// The last `daily_samples` daily ones stay, whatever their age. Of the others, all stay that are
/// younger than `all_for`, the first of each hour that is younger than `hourly_for`, and none older.
/// Samples in the future of `now` (a clock that was set back) stay, and so does the newest one of
/// all: however long nothing was sampled, the last that is known is not forgotten.
pub fn plan(samples: &[Kept], retention: &Retention, now: Timestamp) -> Vec<i64> {
    let mut ordered = samples.to_vec();
    ordered.sort_by_key(|sample| (sample.sampled_at, sample.id));
    let daily: Vec<_> = ordered
        .iter()
        .filter(|s| s.kind == SampleKind::Daily)
        .map(|s| s.id)
        .collect();
    let surplus = daily.len().saturating_sub(retention.daily_samples);
    let dropped_daily: HashSet<i64> = daily[..surplus].iter().copied().collect();

    let newest = ordered.last().map(|sample| sample.id);
    let mut hours_kept = HashSet::new();
    ordered
        .iter()
        .filter(|sample| {
            if Some(sample.id) == newest {
                return false;
            }
            if sample.kind == SampleKind::Daily {
                return dropped_daily.contains(&sample.id);
            }
            let age = now.duration_since(sample.sampled_at);
            if age < retention.all_for {
                return false;
            }
            if age >= retention.hourly_for {
                return true;
            }
            !hours_kept.insert(sample.sampled_at.as_second().div_euclid(3600))
        })
        .map(|sample| sample.id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours_ago: i64, now: Timestamp) -> Timestamp {
        now - SignedDuration::from_hours(hours_ago)
    }

    #[test]
    fn the_last_ninety_daily_samples_stay_and_others_never_push_them_out() {
        let now: Timestamp = "2026-06-01T03:00:00Z".parse().unwrap();
        let mut samples: Vec<_> = (0..95)
            .map(|day| Kept {
                id: day,
                sampled_at: at((94 - day) * 24, now),
                kind: SampleKind::Daily,
            })
            .collect();
        samples.extend((0..500).map(|n| Kept {
            id: 1000 + n,
            sampled_at: at(0, now),
            kind: SampleKind::Manual,
        }));
        assert_eq!(plan(&samples, &Retention::default(), now), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn the_newest_sample_stays_however_old_it_is() {
        let now: Timestamp = "2026-06-01T03:00:00Z".parse().unwrap();
        let samples: Vec<_> = (0..3)
            .map(|n| Kept {
                id: n,
                sampled_at: at(24 * 100 - n, now),
                kind: SampleKind::Watch,
            })
            .collect();
        assert_eq!(plan(&samples, &Retention::default(), now), [0, 1]);
    }

    #[test]
    fn watch_samples_thin_to_hourly_and_then_go() {
        let now: Timestamp = "2026-06-30T00:00:00Z".parse().unwrap();
        let quarter = SignedDuration::from_mins(15);
        let samples: Vec<_> = (0..20 * 96)
            .map(|n| Kept {
                id: i64::from(n),
                sampled_at: now - quarter * n,
                kind: SampleKind::Watch,
            })
            .collect();
        let dropped = plan(&samples, &Retention::default(), now).len();
        // younger than two days: 192; the first of each of the 289 hours that the twelve days after
        // them touch (of the oldest only three quarters are left); no more
        assert_eq!(samples.len() - dropped, 192 + 289);
        // what is left is stable
        let gone: HashSet<_> = plan(&samples, &Retention::default(), now)
            .into_iter()
            .collect();
        let left: Vec<_> = samples
            .into_iter()
            .filter(|s| !gone.contains(&s.id))
            .collect();
        assert_eq!(plan(&left, &Retention::default(), now), Vec::<i64>::new());
    }
}
