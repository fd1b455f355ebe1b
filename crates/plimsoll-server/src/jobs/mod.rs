//! The scheduled jobs: what runs when, without overlap, once for each time among all processes.

mod due;
mod runs;
mod status;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::thinning::Retention;
use plimsoll_store::{Claim, Held, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::settings::{Cron, Schedule, Settings};
use crate::watch::Watch;

use due::Due;
pub use status::jobs;

/// How soon a job looks again at a run that another process has claimed, or at a store that failed.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// How often a run says that it is still under way.
const BEAT: SignedDuration = SignedDuration::from_secs(10);

/// A run that said nothing for so long died with its process, and is taken over.
const STALE_AFTER: Duration = Duration::from_secs(45);

/// What runs on a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Deletes what policies say. There are none yet, so it says so.
    Cleanup,
    /// Takes the daily sample of every database, then thins the history: the record that growth and
    /// forecasts are read from.
    Sample,
    /// Looks more often, so that a sudden growth is seen within minutes; and takes the daily sample
    /// of a database that could not be reached when it was due.
    Watch,
}

/// Runs the jobs.
pub struct Scheduler {
    watch: Arc<Watch>,
    schedule: Schedule,
    retention: Retention,
    max_bytes: Option<u64>,
    started_at: Timestamp,
    stop: CancellationToken,
}

impl Job {
    /// All jobs, in the order of the day.
    pub const ALL: [Self; 3] = [Self::Cleanup, Self::Sample, Self::Watch];

    /// The name that answers, logs and the store carry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cleanup => "cleanup",
            Self::Sample => "sample_storage_sizes",
            Self::Watch => "watch",
        }
    }

    /// What it does, in a sentence.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Cleanup => "Deletes rows as the cleanup policies say; without a policy, nothing",
            Self::Sample => "Takes the daily sample of every database and thins the history",
            Self::Watch => "Samples between the daily ones; makes up for a daily one that failed",
        }
    }

    const fn cron(self, schedule: &Schedule) -> &Cron {
        match self {
            Self::Cleanup => &schedule.cleanup,
            Self::Sample => &schedule.sample,
            Self::Watch => &schedule.watch,
        }
    }

    /// Whether it runs at once where it never ran before.
    const fn runs_at_first_start(self) -> bool {
        matches!(self, Self::Sample)
    }

    /// The name of its claims: each instance's run is claimed on its own, so that processes that
    /// watch different servers can share a store.
    fn key(self, instance: &str) -> String {
        format!("{}/{instance}", self.name())
    }
}

impl Scheduler {
    /// Does nothing until [`Scheduler::spawn`].
    pub fn new(watch: Arc<Watch>, settings: &Settings, stop: CancellationToken) -> Self {
        Self {
            schedule: settings.schedule.clone(),
            retention: settings.retention,
            max_bytes: settings.max_bytes,
            started_at: watch.clock().now(),
            watch,
            stop,
        }
    }

    /// Starts every job of every instance; they end when the token is cancelled.
    pub fn spawn(self: &Arc<Self>, tasks: &TaskTracker) {
        for instance in 0..self.watch.instances().len() {
            for job in Job::ALL {
                let scheduler = Arc::clone(self);
                tasks.spawn(async move {
                    let stop = scheduler.stop.clone();
                    stop.run_until_cancelled(scheduler.forever(job, instance))
                        .await;
                });
            }
        }
    }

    async fn forever(&self, job: Job, instance: usize) {
        loop {
            let now = self.watch.clock().now();
            let again_at = match self.step(job, instance).await {
                Ok(Step::Ran) => continue,
                Ok(Step::WaitUntil(at)) => at,
                Ok(Step::Never) => return,
                Err(error) => {
                    tracing::error!(job = job.name(), error = %error, "job.store_failed");
                    now + LOOK_AGAIN
                }
            };
            self.watch.clock().sleep_until(again_at).await;
        }
    }

    /// Runs a job if it is due and nobody else has claimed it.
    pub async fn step(&self, job: Job, instance: usize) -> Result<Step, StoreError> {
        let watched = &self.watch.instances()[instance];
        let key = job.key(&watched.settings.instance);
        let store = self.watch.store();
        let clock = self.watch.clock();
        let state = store
            .jobs()
            .await?
            .into_iter()
            .find(|state| state.name == key);
        let cron = job.cron(&self.schedule);
        let now = clock.now();
        let never_ran_since = (!job.runs_at_first_start()).then_some(self.started_at);
        let scheduled_for = match due::due(cron, state.as_ref(), never_ran_since, now) {
            Due::Now(scheduled_for) => scheduled_for,
            Due::At(next) => return Ok(Step::WaitUntil(next)),
            Due::Never => return Ok(Step::Never),
        };
        clock.sleep_until(now + jitter(self.schedule.jitter)).await;
        let began_at = clock.now();
        let Some(claim) = store.claim(&key, scheduled_for, STALE_AFTER).await? else {
            let next = cron.next_after(now).unwrap_or(now + LOOK_AGAIN);
            return Ok(Step::WaitUntil(next.min(now + LOOK_AGAIN)));
        };
        let instance_name = &*watched.settings.instance;
        tracing::info!(job = job.name(), instance = instance_name, scheduled_for = %scheduled_for, "job.start");
        let outcome = tokio::select! {
            outcome = runs::run(self, job, watched, scheduled_for) => outcome,
            () = self.keep(&claim, began_at) => {
                tracing::warn!(job = key, "job.taken_over");
                return Ok(Step::Ran);
            }
        };
        let ended_at = clock.now();
        tracing::info!(
            job = job.name(),
            instance = instance_name,
            outcome = outcome.word,
            message = outcome.message,
            took_ms =
                i64::try_from(ended_at.duration_since(began_at).as_millis()).unwrap_or(i64::MAX),
            "job.finished"
        );
        if store.finish(claim, outcome.word, &outcome.message).await? == Held::Lost {
            tracing::warn!(job = key, "job.taken_over");
        }
        Ok(Step::Ran)
    }

    /// Says, for as long as it is polled, that a run is still under way; ends when it is another's. The
    /// time between two beats does not grow by how long the store takes to write them.
    async fn keep(&self, claim: &Claim, began_at: Timestamp) {
        let clock = self.watch.clock();
        let mut beat_at = began_at;
        loop {
            clock.sleep_until(beat_at + BEAT).await;
            beat_at = clock.now();
            match self.watch.store().keep(claim).await {
                Ok(Held::Ours) => {}
                // The machine slept, say.
                Ok(Held::Lost) => return,
                Err(error) => {
                    tracing::warn!(job = claim.job(), error = %error, "job.beat_failed");
                }
            }
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The job ran.
    Ran,
    /// There is nothing to do before this time.
    WaitUntil(Timestamp),
    /// It is never due again.
    Never,
}

/// A random time up to `longest`.
fn jitter(longest: Duration) -> SignedDuration {
    let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    // The standard library seeds each of these anew: random enough to spread visits.
    let random = RandomState::new().hash_one(0_u8);
    let ms = random.checked_rem(longest_ms).unwrap_or(0);
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0))
}
