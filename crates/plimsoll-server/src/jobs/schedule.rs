//! Runs the jobs: each when it is due, without overlap, once for each time among all processes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{Claim, Held, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::due::{Due, due};
use super::{ALL, Job, JobSettings, Outcome, Progress, RunContext, Scope, Subject};
use crate::panics::caught;
use crate::settings::Settings;
use crate::watch::Watch;

/// How soon a job looks again at a run that another process has claimed, or at a store that failed.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// How soon a job that runs for each database looks for databases that were found meanwhile.
const LOOK_FOR_DATABASES: SignedDuration = SignedDuration::from_mins(1);

/// How often a run says that it is still under way.
const BEAT: SignedDuration = SignedDuration::from_secs(10);

/// A run that said nothing for so long died with its process, and is taken over.
const STALE_AFTER: Duration = Duration::from_secs(45);

/// What was not begun for so long is nobody's, as far as one can tell who has just started.
const DESERTED_AFTER: SignedDuration = SignedDuration::from_mins(3);

/// How long the store may take to note that a run is given up when the server stops, and to keep a claim that is about
/// to be stale.
const LONGEST_ABANDON: Duration = Duration::from_secs(2);

/// Runs the jobs.
pub struct Scheduler {
    jobs: Vec<Job>,
    watch: Arc<Watch>,
    settings: JobSettings,
    started_at: Timestamp,
    progress: Arc<Progress>,
    /// The claim names of the jobs that this process has run or tried to run.
    begun: Mutex<BTreeSet<String>>,
    /// By name: who ran last, for what goes on without the store.
    turns: Mutex<BTreeMap<String, Turn>>,
    stop: CancellationToken,
}

/// What a step of a job came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The job ran.
    Ran,
    /// There is nothing to do before this time.
    WaitUntil(Timestamp),
    /// Nothing more is to be done: it is never due again, or the scheduler stops.
    Never,
}

/// What a loop runs its job for.
#[derive(Debug, Clone, Copy)]
enum Place {
    Store,
    Instance(usize),
    DatabasesOf(usize),
}

/// Who ran a job last, as far as this process knows.
#[derive(Debug, Clone, Copy, Default)]
struct Turn {
    /// The time that this process last ran it for.
    here: Option<Timestamp>,
    /// The time that anybody last began it for, when the store told that last.
    begun: Option<Timestamp>,
}

impl Turn {
    /// Whether it is this process that goes on without the store, for a time that is not done yet. One that has just
    /// started does where nobody else was at it.
    fn is_ours(self, scheduled_for: Timestamp, now: Timestamp) -> bool {
        match (self.here, self.begun) {
            (Some(here), begun) => begun.is_none_or(|begun| begun <= here) && here < scheduled_for,
            (None, Some(begun)) => now.duration_since(begun) > DESERTED_AFTER,
            (None, None) => true,
        }
    }
}

/// How a claimed run came to its end.
enum Ended {
    WithOutcome(Outcome),
    ClaimLost,
    Stopped,
}

impl Scheduler {
    /// Does nothing until [`Scheduler::spawn`].
    pub fn new(watch: Arc<Watch>, settings: &Settings, stop: CancellationToken) -> Self {
        Self::of(ALL.to_vec(), watch, settings, stop)
    }

    /// As [`Scheduler::new`], of these jobs instead of [`ALL`].
    pub fn of(
        jobs: Vec<Job>,
        watch: Arc<Watch>,
        settings: &Settings,
        stop: CancellationToken,
    ) -> Self {
        Self {
            jobs,
            settings: JobSettings {
                schedule: settings.schedule.clone(),
                retention: settings.retention,
                max_bytes: settings.max_bytes,
            },
            started_at: watch.clock().now(),
            progress: Arc::default(),
            begun: Mutex::default(),
            turns: Mutex::default(),
            watch,
            stop,
        }
    }

    /// Whether the schedule moves.
    pub const fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Starts every job; they end when the token is cancelled.
    pub fn spawn(self: &Arc<Self>, tasks: &TaskTracker) {
        for job in &self.jobs {
            let instances = 0..self.watch.instances().len();
            let places: Vec<_> = match job.scope {
                Scope::Store => vec![Place::Store],
                Scope::Instance => instances.map(Place::Instance).collect(),
                Scope::Database => instances.map(Place::DatabasesOf).collect(),
            };
            for place in places {
                tasks.spawn(Arc::clone(self).forever(*job, place));
            }
        }
    }

    async fn forever(self: Arc<Self>, job: Job, place: Place) {
        let name = self.name(&job, place);
        while !self.stop.is_cancelled() {
            self.progress.works(&name);
            let now = self.watch.clock().now();
            let turn = caught(self.turn(&job, place)).await;
            if let Ok(turn) = &turn {
                self.watch.note_write(&name, turn);
            }
            let again_at = match turn {
                Ok(Ok(Step::Ran)) => continue,
                Ok(Ok(Step::WaitUntil(at))) => at,
                Ok(Ok(Step::Never)) => break,
                Ok(Err(error)) => {
                    tracing::error!(job = name, error = %error, "job.store_failed");
                    self.after_failure(&job, now)
                }
                Err(panic) => {
                    tracing::error!(job = name, error = %panic, "job.panicked");
                    now + LOOK_AGAIN
                }
            };
            self.progress.waits_until(&name, again_at);
            let sleep = self.watch.clock().sleep_until(again_at);
            self.stop.run_until_cancelled(sleep).await;
        }
        self.progress.ended(&name);
    }

    fn name(&self, job: &Job, place: Place) -> String {
        match place {
            Place::Store => job.claim_name(&Subject::Store),
            Place::Instance(at) | Place::DatabasesOf(at) => {
                job.claim_name(&Subject::Instance(&self.watch.instances()[at]))
            }
        }
    }

    async fn turn(&self, job: &Job, place: Place) -> Result<Step, StoreError> {
        let of = match place {
            Place::Store => return self.step(job, &Subject::Store).await,
            Place::Instance(at) => {
                let instance = &self.watch.instances()[at];
                return self.step(job, &Subject::Instance(instance)).await;
            }
            Place::DatabasesOf(at) => &self.watch.instances()[at],
        };
        let mut again_at = self.watch.clock().now() + LOOK_FOR_DATABASES;
        let databases = of.databases();
        let steps = databases
            .iter()
            .map(|database| async move { self.step(job, &Subject::Database(database)).await });
        for step in join_all(steps).await {
            match step? {
                Step::Ran => return Ok(Step::Ran),
                Step::WaitUntil(at) => again_at = again_at.min(at),
                Step::Never => {}
            }
        }
        Ok(Step::WaitUntil(again_at))
    }

    /// Runs a job if it is due and nobody else has claimed it.
    pub async fn step(&self, job: &Job, of: &Subject<'_>) -> Result<Step, StoreError> {
        let step = self.claimed_step(job, of).await;
        if let (Err(error), true) = (&step, job.runs_without_store) {
            self.step_without_store(job, of, error).await;
        }
        step
    }

    async fn claimed_step(&self, job: &Job, of: &Subject<'_>) -> Result<Step, StoreError> {
        let name = job.claim_name(of);
        let (store, clock) = (self.watch.store(), self.watch.clock());
        let states = store.jobs().await?;
        let state = states.iter().find(|state| state.name == name);
        let Some(cron) = job.cron(&self.settings.schedule) else {
            return Ok(Step::Never);
        };
        let now = clock.now();
        self.note_turn(&name, |turn| {
            turn.begun = state.and_then(|state| state.last_begun(now));
        });
        let baseline = (!job.runs_at_first_start).then_some(self.started_at);
        let due = match due(&cron, state, baseline, now) {
            // It may be under way in another process: the store decides.
            Due::At(_) if job.runs_at_each_start && self.is_first(&name) => Due::Now(now),
            due => due,
        };
        let scheduled_for = match due {
            Due::Now(scheduled_for) => scheduled_for,
            Due::At(next) => return Ok(Step::WaitUntil(next)),
            Due::Never => return Ok(Step::Never),
        };
        let wait = clock.sleep_until(now + jitter(self.settings.schedule.jitter));
        if self.stop.run_until_cancelled(wait).await.is_none() {
            return Ok(Step::Never);
        }
        self.is_first(&name);
        let Some(claim) = store.claim(&name, scheduled_for, STALE_AFTER).await? else {
            let next = cron.next_after(now).unwrap_or(now + LOOK_AGAIN);
            return Ok(Step::WaitUntil(next.min(now + LOOK_AGAIN)));
        };
        self.note_turn(&name, |turn| turn.here = Some(scheduled_for));
        self.run(job, of, claim).await?;
        Ok(Step::Ran)
    }

    /// Runs a job for the last time that it was due, though nobody can claim it: in the process that ran it last.
    async fn step_without_store(&self, job: &Job, of: &Subject<'_>, error: &StoreError) {
        let name = job.claim_name(of);
        let now = self.watch.clock().now();
        let time = job
            .cron(&self.settings.schedule)
            .and_then(|cron| cron.last_until(now));
        let Some(scheduled_for) = time else {
            return;
        };
        let mut is_ours = false;
        self.note_turn(&name, |turn| {
            is_ours = turn.is_ours(scheduled_for, now);
            if is_ours {
                turn.here = Some(scheduled_for);
            }
        });
        if !is_ours {
            return;
        }
        tracing::warn!(job = name, error = %error, "job.goes_on_without_store");
        let work = RunContext {
            watch: &self.watch,
            settings: &self.settings,
            subject: of,
            scheduled_for,
        };
        let run = self.stop.run_until_cancelled(caught((job.run)(&work)));
        match run.await {
            Some(Err(panic)) => tracing::error!(job = name, error = %panic, "job.panicked"),
            Some(Ok(Outcome { status, message })) => {
                tracing::debug!(
                    job = name,
                    outcome = status,
                    message,
                    "job.ran_without_store"
                );
            }
            None => {}
        }
    }

    fn note_turn(&self, name: &str, note: impl FnOnce(&mut Turn)) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        note(turns.entry(name.to_owned()).or_default());
    }

    /// When a job looks again at a store that failed.
    fn after_failure(&self, job: &Job, now: Timestamp) -> Timestamp {
        let soon = now + LOOK_AGAIN;
        let next = job
            .cron(&self.settings.schedule)
            .filter(|_| job.runs_without_store)
            .and_then(|cron| cron.next_after(now));
        next.map_or(soon, |next| next.min(soon))
    }

    /// Whether this process has not come to this job before; from now on it has.
    fn is_first(&self, name: &str) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.insert(name.to_owned())
    }

    async fn run(&self, job: &Job, of: &Subject<'_>, claim: Claim) -> Result<(), StoreError> {
        let began = Instant::now();
        let subject = of.name().unwrap_or_default();
        let scheduled_for = claim.scheduled_for();
        // What runs each minute is no news.
        let is_news = !job.runs_at_each_start;
        if is_news {
            tracing::info!(job = job.name, subject, scheduled_for = %scheduled_for, "job.start");
        }
        let work = RunContext {
            watch: &self.watch,
            settings: &self.settings,
            subject: of,
            scheduled_for,
        };
        let ended = tokio::select! {
            biased;
            () = self.stop.cancelled() => Ended::Stopped,
            () = self.keep(&claim) => Ended::ClaimLost,
            outcome = caught((job.run)(&work)) => Ended::WithOutcome(outcome.unwrap_or_else(|panic| {
                tracing::error!(job = job.name, subject, error = %panic, "job.panicked");
                Outcome { status: "failed", message: panic.to_string() }
            })),
        };
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let held = match ended {
            Ended::WithOutcome(outcome) => {
                let Outcome { status, message } = outcome;
                if is_news {
                    tracing::info!(
                        job = job.name,
                        subject,
                        outcome = status,
                        message,
                        took_ms,
                        "job.finished"
                    );
                } else {
                    tracing::debug!(
                        job = job.name,
                        subject,
                        outcome = status,
                        message,
                        took_ms,
                        "job.finished"
                    );
                }
                self.watch.store().finish(claim, status, &message).await?
            }
            Ended::ClaimLost => Held::Lost,
            Ended::Stopped => {
                tracing::info!(job = job.name, subject, took_ms, "job.given_up");
                let abandon = self.watch.store().abandon(claim);
                // where that takes too long, the claim is stale soon
                match tokio::time::timeout(LONGEST_ABANDON, abandon).await {
                    Ok(held) => held?,
                    Err(_) => Held::Ours,
                }
            }
        };
        if held == Held::Lost {
            tracing::warn!(job = job.name, subject, took_ms, "job.taken_over");
        }
        Ok(())
    }

    /// Says, for as long as it is polled, that a run is still under way; ends when it is another's, or
    /// when that could not be said for so long that it may be. The time between two beats does not grow by
    /// how long the store takes to write them.
    async fn keep(&self, claim: &Claim) {
        let clock = self.watch.clock();
        let mut kept = Instant::now();
        let mut beat_at = clock.now();
        loop {
            clock.sleep_until(beat_at + BEAT).await;
            beat_at = clock.now();
            let said = Instant::now();
            let stale = kept + STALE_AFTER;
            match tokio::time::timeout_at(
                stale.max(said + LONGEST_ABANDON),
                self.watch.store().keep(claim),
            )
            .await
            {
                Ok(Ok(Held::Ours)) => kept = said,
                // The machine slept, say.
                Ok(Ok(Held::Lost)) | Err(_) => return,
                Ok(Err(error)) => {
                    tracing::warn!(job = claim.job(), error = %error, "job.beat_failed");
                    if Instant::now() >= stale {
                        return;
                    }
                }
            }
        }
    }
}

/// A random time up to `longest`.
fn jitter(longest: Duration) -> SignedDuration {
    let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    // The standard library seeds each of these anew: random enough to spread visits.
    let random = RandomState::new().hash_one(0_u8);
    let ms = random.checked_rem(longest_ms).unwrap_or(0);
    SignedDuration::from_millis(i64::try_from(ms).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_the_store_goes_on_who_ran_last_and_once_for_each_time() {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        for (here, begun, scheduled_for, expected) in [
            // It ran here last, and then the store was gone.
            (Some(10), Some(10), 11, true),
            (Some(10), Some(9), 11, true),
            (Some(11), Some(10), 11, false),
            // Another process ran it last.
            (Some(8), Some(10), 11, false),
            (Some(8), Some(10), 99, false),
            // This one has just started.
            (None, Some(10), 11, false),
            (None, Some(10), 13, false),
            (None, Some(10), 14, true),
            (None, None, 11, true),
        ] {
            let turn = Turn {
                here: here.map(at),
                begun: begun.map(at),
            };
            let is_ours = turn.is_ours(at(scheduled_for), at(scheduled_for));
            assert_eq!(is_ours, expected, "{turn:?} at {scheduled_for}");
        }
    }
}
