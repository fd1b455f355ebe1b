//! `cleanup_failed`, evaluated on each pulse: how the last cleanup runs of an instance ended.

use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::rules::upkeep::LastRun;
use plimsoll_core::alert::{AlertType, Subject};
use plimsoll_store::{CleanupRun, JobState, KeptState, StoreError};

use super::Alerting;
use super::settle::{Beside, Settled};
use crate::news::NewPulse;

/// A last run, and whose it is.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    /// An instance's job, or a database. A policy is told from others by its name.
    subject: Subject,
    last: LastRun,
    /// What it said, for people.
    said: Option<String>,
}

impl Alerting {
    pub(super) async fn cleanup(
        &self,
        own: &[KeptState],
        pulse: &NewPulse,
    ) -> Result<(), StoreError> {
        let job = pulse.cleanup.as_ref();
        let runs = self.store.last_cleanup_runs(&pulse.instance).await;
        let runs = runs.unwrap_or_else(|error| {
            tracing::warn!(instance = &*pulse.instance, error = %error, "alert.runs_not_read");
            Vec::new()
        });
        let ran = job.into_iter().map(|job| of_job(&pulse.instance, job));
        for ran in ran.chain(runs.iter().map(of_run)) {
            let settled = Settled {
                alert_type: AlertType::CleanupFailed,
                subject: &ran.subject,
                facts: Facts::LastRun(ran.last),
                now: pulse.at,
                instance: &pulse.instance,
            };
            let telling = || told_of(&ran);
            self.settle(own, settled, &telling).await?;
        }
        Ok(())
    }
}

/// A run of the job that had nothing to do failed at nothing.
fn of_job(instance: &str, job: &JobState) -> Ran {
    let last = match job.last_outcome.as_deref() {
        Some("ok" | "skipped") => LastRun::Good,
        Some("failed") => LastRun::Failed,
        _ => LastRun::Unknown,
    };
    Ran {
        subject: Subject::instance(instance),
        last,
        said: job.last_message.clone(),
    }
}

fn of_run(run: &CleanupRun) -> Ran {
    let last = match run.outcome.as_str() {
        "ok" => LastRun::Good,
        "failed" => LastRun::Failed,
        _ => LastRun::Unknown,
    };
    Ran {
        subject: Subject::database(&run.of.instance, &run.of.database),
        last,
        said: run.error.clone(),
    }
}

fn told_of(ran: &Ran) -> Beside {
    let said = ran.said.as_ref().map(|said| format!("It said: {said}"));
    Beside {
        events: said.into_iter().collect(),
        ..Beside::default()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use plimsoll_store::DatabaseKey;

    use super::*;

    #[test]
    fn only_a_failed_run_fails_and_one_that_was_cancelled_says_nothing() {
        let job = |outcome: Option<&str>| {
            let job = JobState {
                last_outcome: outcome.map(str::to_owned),
                ..JobState::default()
            };
            of_job("main", &job).last
        };
        let run = |outcome: &str| {
            let run = CleanupRun {
                id: 1,
                of: DatabaseKey {
                    instance: "main".to_owned(),
                    database: "shop".to_owned(),
                },
                started_at: Timestamp::UNIX_EPOCH,
                finished_at: Some(Timestamp::UNIX_EPOCH),
                outcome: outcome.to_owned(),
                rows_deleted: Vec::new(),
                error: None,
            };
            of_run(&run).last
        };
        for (outcome, of_job, of_run) in [
            ("ok", LastRun::Good, LastRun::Good),
            ("failed", LastRun::Failed, LastRun::Failed),
            ("skipped", LastRun::Good, LastRun::Unknown),
            ("cancelled", LastRun::Unknown, LastRun::Unknown),
            ("a later version's", LastRun::Unknown, LastRun::Unknown),
        ] {
            assert_eq!(
                (job(Some(outcome)), run(outcome)),
                (of_job, of_run),
                "{outcome}"
            );
        }
        assert_eq!(job(None), LastRun::Unknown, "it is under way");
    }
}
