//! `sampling_stale`, evaluated on each pulse: how old the last good sample of each database is.
//!
//! An age is what it was when that sample was first seen, and what a clock that nobody sets has counted since: a clock
//! that jumps forward makes nothing stale.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::rules::upkeep::Freshness;
use plimsoll_core::alert::{AlertType, Subject};
use plimsoll_store::{CLOCK_SKEW, KeptState, StoreError};

use super::Alerting;
use super::settle::{Beside, Settled};
use crate::news::{NewPulse, SeenDatabase};

/// When a database's last good sample was first seen here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting {
    sampled_at: Option<Timestamp>,
    /// How old it was then.
    age: SignedDuration,
    /// When, by the clock that nobody sets.
    seen: Duration,
    /// When it was looked for last.
    looked: Duration,
}

impl Alerting {
    pub(super) async fn staleness(
        &self,
        own: &[KeptState],
        pulse: &NewPulse,
    ) -> Result<(), StoreError> {
        let Some(interval) = pulse.sampled_every else {
            return Ok(());
        };
        let until = pulse.at + CLOCK_SKEW;
        let good = self.store.last_good_samples(&pulse.instance, until).await;
        if let Err(error) = &good {
            tracing::warn!(error = %error, "alert.last_samples_unknown");
        }
        for seen in &pulse.databases {
            let SeenDatabase {
                of, has_visited, ..
            } = seen;
            let known = self.sightings().get(of).map(|known| known.sampled_at);
            let sampled_at = match (&good, known) {
                (Ok(good), _) => good.get(&of.database).copied(),
                // A store that cannot be read takes none: it is what it was when it was read last.
                (Err(_), Some(known)) => known,
                (Err(_), None) => continue,
            };
            let uptime = self.clock.uptime();
            let sighting = {
                let mut all = self.sightings();
                let next = after(all.get(of).copied(), sampled_at, pulse.at, uptime);
                all.insert(of.clone(), next);
                next
            };
            let age = sighting.age + signed(uptime.saturating_sub(sighting.seen));
            let fresh = Freshness {
                age: sampled_at.is_some().then_some(age),
                watched_for: signed(uptime.saturating_sub(self.started)),
                interval,
                has_visited: *has_visited,
            };
            let subject = Subject::database(&of.instance, &of.database);
            let settled = Settled {
                alert_type: AlertType::SamplingStale,
                subject: &subject,
                facts: Facts::Freshness(fresh),
                now: pulse.at,
                instance: &pulse.instance,
            };
            let telling = || told_of(sampled_at, seen.failure.as_deref());
            self.settle(own, settled, &telling).await?;
        }
        Ok(())
    }
}

/// The sighting of a sample, or the one before where it is the same sample.
fn after(
    before: Option<Sighting>,
    sampled_at: Option<Timestamp>,
    now: Timestamp,
    uptime: Duration,
) -> Sighting {
    match before {
        Some(before) if before.sampled_at == sampled_at => Sighting {
            looked: uptime,
            ..before
        },
        _ => {
            let age = sampled_at.map_or(SignedDuration::ZERO, |at| now.duration_since(at));
            // It was not there when it was looked for last.
            let most = before.map_or(SignedDuration::MAX, |before| {
                signed(uptime.saturating_sub(before.looked))
            });
            Sighting {
                sampled_at,
                age: age.max(SignedDuration::ZERO).min(most),
                seen: uptime,
                looked: uptime,
            }
        }
    }
}

fn told_of(sampled_at: Option<Timestamp>, failure: Option<&str>) -> Beside {
    let last = sampled_at.map_or_else(
        || "There never was one.".to_owned(),
        |at| format!("The last one is of {at:.0}."),
    );
    let why = failure.map(|why| format!("Why: {why}"));
    Beside {
        events: [Some(last), why].into_iter().flatten().collect(),
        ..Beside::default()
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    /// The age in minutes after each look: sample, wall clock and uptime in minutes.
    fn ages(looks: &[(Option<i64>, i64, u64)]) -> Vec<i64> {
        let mut sighting = None;
        let age = |(sample, now, uptime): &(Option<i64>, i64, u64)| {
            let uptime = Duration::from_mins(*uptime);
            let next = after(sighting, sample.map(at), at(*now), uptime);
            sighting = Some(next);
            (next.age + signed(uptime - next.seen)).as_mins()
        };
        looks.iter().map(age).collect()
    }

    #[test]
    fn an_age_counts_from_the_kept_sample_and_not_by_a_clock_that_jumps() {
        // It is as old as it was at the start, and ages with the time.
        assert_eq!(ages(&[(Some(0), 50, 0), (Some(0), 60, 10)]), [50, 60]);
        // A clock that is set forward by a day, and back.
        assert_eq!(ages(&[(Some(0), 5, 0), (Some(0), 1446, 1)]), [5, 6]);
        assert_eq!(ages(&[(Some(0), 5, 0), (Some(0), -900, 1)]), [5, 6]);
        // A sample that was taken just before such a jump.
        assert_eq!(
            ages(&[(Some(0), 5, 0), (Some(5), 1446, 1), (Some(5), 1447, 2)]),
            [5, 1, 2]
        );
        // One of the future, and none at all.
        assert_eq!(ages(&[(Some(9), 5, 0), (Some(9), 6, 1)]), [0, 1]);
        assert_eq!(ages(&[(None, 5, 0), (None, 15, 10)]), [0, 10]);
    }
}
