//! What `/api/jobs` says of the jobs.

use jiff::Timestamp;
use plimsoll_store::{JobState, StoreError};

use super::Job;
use crate::answer::jobs::{JobAnswer, JobsAnswer};
use crate::settings::Schedule;
use crate::watch::Watch;

/// Each job with its next and last run. The runs of several instances show as one.
pub async fn jobs(watch: &Watch, schedule: &Schedule) -> Result<JobsAnswer, StoreError> {
    let states = watch.store().jobs().await?;
    let now = watch.clock().now();
    let instances = watch
        .instances()
        .iter()
        .map(|watched| &*watched.settings.instance);
    let jobs: Vec<_> = Job::ALL
        .into_iter()
        .map(|job| {
            let keys: Vec<_> = instances
                .clone()
                .map(|name| (job.key(name), name))
                .collect();
            let states: Vec<_> = keys
                .iter()
                .filter_map(|(key, name)| {
                    states
                        .iter()
                        .find(|state| state.name == *key)
                        .map(|state| (*name, state))
                })
                .collect();
            answer(job, schedule, &states, now)
        })
        .collect();
    Ok(JobsAnswer {
        count: jobs.len() as u64,
        jobs,
    })
}

fn answer(
    job: Job,
    schedule: &Schedule,
    states: &[(&str, &JobState)],
    now: Timestamp,
) -> JobAnswer {
    let cron = job.cron(schedule);
    let any_running = states.iter().any(|(_, state)| state.is_running);
    let took_ms = states
        .iter()
        .filter_map(|(_, s)| Some(s.last_finished_at?.duration_since(s.last_started_at?)))
        .filter_map(|took| u64::try_from(took.as_millis()).ok())
        .max();
    JobAnswer {
        name: job.name().to_owned(),
        description: job.description().to_owned(),
        schedule: cron.to_string(),
        next_run_at: cron.next_after(now),
        is_running: any_running,
        last_started_at: states.iter().filter_map(|(_, s)| s.last_started_at).max(),
        last_finished_at: if any_running {
            None
        } else {
            states.iter().filter_map(|(_, s)| s.last_finished_at).max()
        },
        last_took_ms: took_ms.filter(|_| !any_running),
        last_outcome: ["failed", "cancelled", "ok", "skipped"]
            .into_iter()
            .find(|word| {
                states
                    .iter()
                    .any(|(_, s)| s.last_outcome.as_deref() == Some(word))
            })
            .map(str::to_owned),
        last_message: message(states),
        last_scheduled_for: states
            .iter()
            .filter_map(|(_, s)| s.last_scheduled_for)
            .max(),
    }
}

fn message(states: &[(&str, &JobState)]) -> Option<String> {
    let messages: Vec<_> = states
        .iter()
        .filter_map(|(name, state)| Some((name, state.last_message.as_deref()?)))
        .collect();
    match &*messages {
        [] => None,
        [(_, only)] => Some((*only).to_owned()),
        [(_, first), rest @ ..] if rest.iter().all(|(_, text)| text == first) => {
            Some((*first).to_owned())
        }
        several => {
            let lines: Vec<_> = several
                .iter()
                .map(|(name, text)| format!("{name}: {text}"))
                .collect();
            Some(lines.join("; "))
        }
    }
}
