//! The scheduled jobs: when each runs next, and how it went last.

use jiff::Timestamp;
use plimsoll_store::JobState;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::jobs::JobStatus;

/// The scheduled jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobsAnswer {
    /// In the order of the day.
    pub jobs: Vec<JobAnswer>,
    /// How many there are.
    pub count: u64,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct JobAnswer {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Its cron expression, in UTC, or `off`.
    pub schedule: String,
    /// When it runs next, jitter left aside.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub next_run_at: Option<Timestamp>,
    /// Whether it runs now.
    pub is_running: bool,
    /// When its last run began.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub last_started_at: Option<Timestamp>,
    /// When its last run ended; null while one is under way.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub last_finished_at: Option<Timestamp>,
    /// How long its last run took.
    pub last_took_ms: Option<u64>,
    /// How its last run ended.
    #[schema(schema_with = schema::job_outcome)]
    pub last_outcome: Option<String>,
    /// What it did, or why it failed.
    pub last_message: Option<String>,
    /// The scheduled time that was last begun.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub last_scheduled_for: Option<Timestamp>,
}

/// Each job with its next and last run. The runs of several instances show as one.
pub fn jobs(all: &[JobStatus]) -> JobsAnswer {
    let jobs: Vec<_> = all.iter().map(answer).collect();
    JobsAnswer {
        count: jobs.len() as u64,
        jobs,
    }
}

fn answer(of: &JobStatus) -> JobAnswer {
    let states = &of.runs;
    let any_running = states.iter().any(|(_, state)| state.is_running);
    let took_ms = states
        .iter()
        .filter_map(|(_, s)| Some(s.last_finished_at?.duration_since(s.last_started_at?)))
        .filter_map(|took| u64::try_from(took.as_millis()).ok())
        .max();
    JobAnswer {
        name: of.job.name.to_owned(),
        description: of.job.description.to_owned(),
        schedule: of
            .cron
            .as_ref()
            .map_or_else(|| "off".to_owned(), ToString::to_string),
        next_run_at: of.next_run_at,
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

fn message(states: &[(String, JobState)]) -> Option<String> {
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
