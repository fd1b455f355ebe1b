//! What is known of each job: its schedule, and the last run of each of its subjects.

use jiff::Timestamp;
use plimsoll_store::{JobState, StoreError};

use super::{ALL, Job, Scope, Subject};
use crate::settings::{Cron, Schedule};
use crate::watch::Watch;

/// A job, when it runs, and how it went last.
#[derive(Debug, Clone)]
pub struct JobStatus {
    /// The job.
    pub job: Job,
    /// When it runs; none where it is switched off.
    pub cron: Option<Cron>,
    /// When it runs next, jitter left aside.
    pub next_run_at: Option<Timestamp>,
    /// The last run of each of its subjects that had one, with the subject's name.
    pub runs: Vec<(String, JobState)>,
}

/// The status of each job.
pub async fn states(watch: &Watch, schedule: &Schedule) -> Result<Vec<JobStatus>, StoreError> {
    let kept = watch.store().jobs().await?;
    let now = watch.clock().now();
    let states = ALL.map(|job| {
        let cron = job.cron(schedule);
        let run = |subject: Subject<'_>| {
            let name = job.claim_name(&subject);
            let state = kept.iter().find(|state| state.name == name)?;
            Some((subject.name().unwrap_or_default(), state.clone()))
        };
        let runs = match job.scope {
            Scope::Store => run(Subject::Store).into_iter().collect(),
            Scope::Instance => {
                let instances = watch.instances().iter();
                instances
                    .filter_map(|of| run(Subject::Instance(of)))
                    .collect()
            }
            Scope::Database => {
                let databases = watch.databases();
                let databases = databases.iter();
                databases
                    .filter_map(|of| run(Subject::Database(of)))
                    .collect()
            }
        };
        JobStatus {
            job,
            next_run_at: cron.as_ref().and_then(|cron| cron.next_after(now)),
            cron,
            runs,
        }
    });
    Ok(states.into())
}
