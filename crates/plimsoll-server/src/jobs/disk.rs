//! Looks at every instance's volumes: how full, by what, how fast. Each minute, because what fills a disk may need no
//! more than minutes for it.

use std::sync::Arc;

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::counted::counted;
use plimsoll_core::disk::state::Disk;

use super::{CLEANUP, Job, Outcome, RunContext, SAMPLE, Scope, Subject, WATCH};
use crate::disk::LookReport;
use crate::news::{NewPulse, SeenDatabase, StoreLook};
use crate::settings::Schedule;
use crate::watch::WatchedInstance;

/// The job.
pub const JOB: Job = Job {
    name: "look_at_disk",
    key: "disk",
    description: "Looks at the volumes: how full, by what, and how fast; touches no table",
    default_cron: "* * * * *",
    scope: Scope::Instance,
    runs_at_first_start: true,
    runs_at_each_start: true,
    runs_without_store: true,
    run: |work| run(work).boxed(),
};

async fn run(work: &RunContext<'_>) -> Outcome {
    let Subject::Instance(instance) = *work.subject else {
        return failed("it is a job of instances");
    };
    let databases = instance.databases();
    let visited_at = databases
        .iter()
        .filter_map(|database| Some(database.latest()?.measured_at))
        .max();
    let disk = Arc::clone(instance.disk());
    let (store, now) = (work.watch.store(), work.watch.clock().now());
    let days = work.settings.retention.daily_samples;
    match disk.look(store, days, visited_at, now).await {
        Ok(looked) => {
            let name = instance.settings.instance.as_ref();
            if let Some(error) = &looked.not_kept {
                tracing::error!(instance = name, error = %error, "storage.disk.not_kept");
            } else if let Err(error) = disk.forecast_if_due(store, now).await {
                tracing::warn!(instance = name, error = %error, "storage.disk.not_forecast");
            }
            // What it tells does not wait for a store that takes nothing.
            let not_kept = looked.not_kept.as_ref().map(ToString::to_string);
            let pulse = pulse(work, instance, disk.looked_up(now)).await;
            let store = StoreLook {
                refuses: pulse.store.refuses.or_else(|| not_kept.clone()),
                ..pulse.store
            };
            work.watch.announce(NewPulse {
                not_kept,
                store,
                ..pulse
            });
            outcome(name, &looked)
        }
        Err(error) => {
            tracing::error!(instance = %instance.settings.instance, error = %error, "storage.disk.not_kept");
            failed(&error.to_string())
        }
    }
}

/// The look as the followers are given it.
async fn pulse(work: &RunContext<'_>, instance: &WatchedInstance, disk: Disk) -> NewPulse {
    let store = work.watch.store();
    let cleanup = store.job(&CLEANUP.claim_name(work.subject)).await;
    let at = disk.measured_at.unwrap_or_else(|| work.watch.clock().now());
    let excluded = &instance.settings.exclude;
    let databases = instance
        .databases()
        .into_iter()
        .filter(|database| !excluded.contains(&database.key().database))
        .map(|database| {
            let failure = database.failure();
            SeenDatabase {
                of: database.key().clone(),
                has_visited: database.latest().is_some() || failure.is_some(),
                failure: failure
                    .map(|failure| failure.error.to_string())
                    .or_else(|| work.watch.unwritten()),
            }
        });
    NewPulse {
        instance: Arc::clone(&instance.settings.instance),
        at,
        databases: databases.collect(),
        knows_databases: instance.knows_databases(),
        sampled_every: sampled_every(&work.settings.schedule, at),
        foreseen_at: instance.disk().foreseen_at(),
        cleanup: cleanup.unwrap_or_default(),
        store: StoreLook {
            refuses: work.watch.unwritten(),
            space: instance.disk().space_around(store.file()).await,
        },
        disk: Arc::new(disk),
        not_kept: None,
    }
}

/// The time from one sample to the next by the schedule: the longer of the interval that has just ended and the one under
/// way, since a schedule may pause at night. None where no samples are scheduled.
pub fn sampled_every(schedule: &Schedule, now: Timestamp) -> Option<SignedDuration> {
    let gap = |job: Job| {
        let cron = job.cron(schedule)?;
        let last = cron.last_until(now)?;
        let before = cron.last_until(last - SignedDuration::from_secs(1))?;
        let next = cron.next_after(now)?;
        Some(last.duration_since(before).max(next.duration_since(last)))
    };
    [SAMPLE, WATCH].into_iter().filter_map(gap).min()
}

fn outcome(instance: &str, looked: &LookReport) -> Outcome {
    if let Some(error) = &looked.unreachable {
        tracing::warn!(instance, code = error.code(), error = %error, "storage.disk.server_unreachable");
        return failed(&format!("only the volumes were looked at: {error}"));
    }
    if let Some(error) = &looked.not_full {
        tracing::warn!(instance, code = error.code(), error = %error, "storage.disk.totals_not_read");
    }
    if let Some(error) = &looked.not_kept {
        return failed(&error.to_string());
    }
    let totals = if looked.is_full {
        ", and databases' totals"
    } else {
        ""
    };
    Outcome {
        status: "ok",
        message: format!(
            "a pulse of {}{totals}",
            counted(looked.statements, "statement")
        ),
    }
}

fn failed(reason: &str) -> Outcome {
    Outcome {
        status: "failed",
        message: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::When;

    #[test]
    fn the_time_between_samples_is_the_schedules_and_knows_nights() {
        let hours = |watch: &str, now: &str| {
            let mut schedule = Schedule::default();
            schedule.set(WATCH.key, watch.parse::<When>().unwrap());
            let every = sampled_every(&schedule, now.parse().unwrap());
            every.map(|every| every.as_secs_f64() / 3600.0)
        };
        // 2026-03-09 is a Monday.
        for (watch, now, expected) in [
            ("*/15 * * * *", "2026-03-10T12:01:00Z", 0.25),
            ("off", "2026-03-10T12:00:00Z", 24.0),
            ("0 9-17 * * 1-5", "2026-03-10T12:00:00Z", 1.0),
            ("0 9-17 * * 1-5", "2026-03-10T20:00:00Z", 16.0),
            ("0 9-17 * * 1-5", "2026-03-11T09:00:30Z", 16.0),
            ("0 9-17 * * 1-5", "2026-03-08T12:00:00Z", 24.0),
        ] {
            assert_eq!(hours(watch, now), Some(expected), "{watch} at {now}");
        }
        let mut none = Schedule::default();
        none.set(WATCH.key, When::Off);
        none.set(SAMPLE.key, When::Off);
        assert_eq!(sampled_every(&none, Timestamp::UNIX_EPOCH), None);
    }
}
