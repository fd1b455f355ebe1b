//! The scheduled jobs: one registry, [`ALL`], which the scheduler, `/api/jobs`, the configuration and the
//! documentation read. A new job is one entry there and one file.

mod cleanup;
mod disk;
mod due;
mod progress;
mod sample;
mod sampling;
mod schedule;
mod state;
mod watch;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use plimsoll_core::thinning::Retention;

use crate::settings::{Cron, Schedule, When};
use crate::watch::{Watch, WatchedDatabase, WatchedInstance};

pub use cleanup::JOB as CLEANUP;
pub use disk::{JOB as DISK, sampled_every};
pub use progress::Progress;
pub use sample::JOB as SAMPLE;
pub use schedule::{Scheduler, Step};
pub use state::{JobStatus, states};
pub use watch::JOB as WATCH;

/// All jobs, in the order of the day.
pub const ALL: [Job; 4] = [CLEANUP, SAMPLE, WATCH, DISK];

/// Something that is done on a schedule.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// The name that answers, logs and the store carry.
    pub name: &'static str,
    /// Its key in the configuration's `[schedule]`.
    pub key: &'static str,
    /// What it does, in a sentence.
    pub description: &'static str,
    /// When it runs unless the configuration says otherwise: a cron expression, in UTC.
    pub default_cron: &'static str,
    /// What it runs for.
    pub scope: Scope,
    /// Whether it runs at once where it never ran before.
    pub runs_at_first_start: bool,
    /// Whether each process runs it once when it starts, whatever the schedule says.
    pub runs_at_each_start: bool,
    /// Whether it goes on where the store cannot be written: what it finds is worth knowing all the same.
    pub runs_without_store: bool,
    /// What it does.
    pub run: RunFn,
}

/// What a job runs for, once for each scheduled time among all processes that share a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For each watched instance, so that processes that watch different servers can share a store.
    Instance,
    /// For each watched database.
    Database,
    /// For the store.
    Store,
}

/// The function that a job runs.
pub type RunFn = for<'a> fn(&'a RunContext<'a>) -> BoxFuture<'a, Outcome>;

/// What a run is given.
pub struct RunContext<'a> {
    /// What is watched, with the store and the clock.
    pub watch: &'a Watch,
    /// What the settings say of jobs.
    pub settings: &'a JobSettings,
    /// What the run is for.
    pub subject: &'a Subject<'a>,
    /// The scheduled time whose run it is.
    pub scheduled_for: Timestamp,
}

/// What the settings say of jobs.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// When each runs.
    pub schedule: Schedule,
    /// How long samples are kept.
    pub retention: Retention,
    /// The most that the history may take.
    pub max_bytes: Option<u64>,
}

/// What a run is for.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    /// The store.
    Store,
    /// An instance.
    Instance(&'a WatchedInstance),
    /// A database.
    Database(&'a WatchedDatabase),
}

/// How a run ended, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// `ok`, `failed` or `skipped`.
    pub status: &'static str,
    /// What it did, or why it failed.
    pub message: String,
}

impl Job {
    /// When it runs; never where it is switched off.
    pub fn cron(&self, schedule: &Schedule) -> Option<Cron> {
        match schedule.when(self.key) {
            Some(When::Cron(cron)) => Some(Cron::clone(cron)),
            Some(When::Off) => None,
            None => Some(Cron::constant(self.default_cron)),
        }
    }

    /// The name under which a run is claimed.
    fn claim_name(&self, subject: &Subject<'_>) -> String {
        match subject.name() {
            Some(of) => format!("{}/{of}", self.name),
            None => self.name.to_owned(),
        }
    }
}

impl Subject<'_> {
    /// `instance`, or `instance/database`; none for the store.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Store => None,
            Self::Instance(instance) => Some(instance.settings.instance.to_string()),
            Self::Database(database) => {
                let key = database.key();
                Some(format!("{}/{}", key.instance, key.database))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_job_has_a_name_a_key_and_a_default_of_its_own() {
        for (at, job) in ALL.iter().enumerate() {
            let others = ALL.iter().skip(at + 1);
            for other in others {
                assert_ne!(job.name, other.name);
                assert_ne!(job.key, other.key);
            }
            assert!(
                !job.description.is_empty() && job.key != "jitter",
                "{job:?}"
            );
            let cron = job.cron(&Schedule::default()).unwrap();
            assert_eq!(cron.to_string(), job.default_cron);
            let mut schedule = Schedule::default();
            schedule.set(job.key, When::Off);
            assert_eq!(job.cron(&schedule), None);
        }
    }
}
