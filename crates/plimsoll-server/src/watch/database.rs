//! One watched database: its latest snapshot, and the one visit that may be under way.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, Silent, Target, VisitError, VisitOptions, visit};
use plimsoll_store::DatabaseKey;
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::{Parts, WatchError, fill_last_good};
use crate::capacity::Capacities;
use crate::panics::{Panicked, caught};
use crate::selection::interpretations;
use crate::settings::Watched;

/// For how long a failed visit answers for others that ask for one: a server that is down is not knocked
/// at by every request.
const FAILURE_FRESH_FOR: SignedDuration = SignedDuration::from_secs(2);

/// One watched database.
pub struct WatchedDatabase {
    /// By which it is asked for.
    asked: DatabaseKey,
    /// By its own name, where the first visit showed that to be another: it is asked for by a pooler's alias.
    identity: OnceLock<DatabaseKey>,
    target: Target,
    options: VisitOptions,
    capacities: Capacities,
    state: Mutex<State>,
    memory: tokio::sync::Mutex<Memory>,
    /// The one visit that its server may have at a time.
    own_visit: Arc<Semaphore>,
    /// The last sample that was taken on request; held while one is being taken.
    pub(super) on_request: tokio::sync::Mutex<Option<SampleHeader>>,
}

#[derive(Default)]
struct State {
    latest: Option<Arc<Snapshot>>,
    failure: Option<Failure>,
    running: Option<Running>,
}

/// How the last visit failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// When it began.
    pub began_at: Timestamp,
    /// When it had failed.
    pub failed_at: Timestamp,
    /// Why.
    pub error: WatchError,
}

/// What is known of a database.
#[derive(Debug, Clone)]
pub struct VisitState {
    /// The latest snapshot since the start.
    pub snapshot: Option<Arc<Snapshot>>,
    /// How the last visit failed, where it did.
    pub failure: Option<Failure>,
    /// Whether a visit is under way.
    pub refreshing: bool,
}

#[derive(Clone)]
struct Running {
    began_at: Timestamp,
    outcome: Shared<BoxFuture<'static, Outcome>>,
}

type Outcome = Result<Arc<Snapshot>, WatchError>;

/// For how long a snapshot is fresh: a hundred times what it took, 1 second to 15 minutes, so that
/// visits on request occupy at most about one hundredth of one connection.
pub fn fresh_for(snapshot: &Snapshot) -> SignedDuration {
    let took_ms = i64::try_from(snapshot.took_ms).unwrap_or(i64::MAX);
    SignedDuration::from_millis(took_ms.saturating_mul(100))
        .clamp(SignedDuration::from_secs(1), SignedDuration::from_mins(15))
}

impl WatchedDatabase {
    pub(super) fn new(
        key: DatabaseKey,
        target: Target,
        watched: &Watched,
        own_visit: Arc<Semaphore>,
    ) -> Self {
        Self {
            asked: key,
            identity: OnceLock::new(),
            target,
            options: watched.visit.clone(),
            capacities: watched.capacities(),
            state: Mutex::default(),
            memory: tokio::sync::Mutex::default(),
            own_visit,
            on_request: tokio::sync::Mutex::default(),
        }
    }

    /// Its instance and name: its own, as far as that is known. All that is kept of it is kept under this.
    pub fn key(&self) -> &DatabaseKey {
        self.identity.get().unwrap_or(&self.asked)
    }

    /// Its instance, and the name by which it is asked for.
    pub(super) const fn asked(&self) -> &DatabaseKey {
        &self.asked
    }

    /// Whether a name is its own, or that by which it is asked for; raw, or in quotes as it is shown.
    pub(super) fn is_named(&self, name: &str) -> bool {
        interpretations(name).any(|name| name == self.key().database || name == self.asked.database)
    }

    /// Whether a name is its own; raw, or in quotes as it is shown.
    pub(super) fn owns(&self, name: &str) -> bool {
        interpretations(name).any(|name| name == self.key().database)
    }

    /// Decides its own name, once.
    pub(super) fn identify(&self, database: &str) {
        let own = DatabaseKey {
            database: database.to_owned(),
            ..self.asked.clone()
        };
        if own != self.asked {
            // Decided already: whoever watches it makes another of this.
            let _ = self.identity.set(own);
        }
    }

    /// Where a pooler's alias led to: decided at the first visit, and kept.
    async fn keep_identity(&self, parts: &Parts, database: &str) {
        if self.key().database == database {
            return;
        }
        self.identify(database);
        let DatabaseKey {
            instance,
            database: alias,
        } = &self.asked;
        tracing::info!(instance, database, alias, "storage.database.identified");
        if let Err(error) = parts.store.keep_alias(&self.asked, database).await {
            tracing::warn!(instance, database, error = %error, "storage.database.alias_not_kept");
        }
    }

    /// Where it is, without a secret.
    pub fn host_text(&self) -> String {
        self.target.url.host_text()
    }

    /// The latest snapshot, however old.
    pub fn latest(&self) -> Option<Arc<Snapshot>> {
        self.state().latest.clone()
    }

    /// How the last visit failed; none if it did not.
    pub fn failure(&self) -> Option<Failure> {
        self.state().failure.clone()
    }

    /// Since when a visit is under way.
    pub fn visit_began_at(&self) -> Option<Timestamp> {
        self.state()
            .running
            .as_ref()
            .map(|running| running.began_at)
    }

    /// What is known of it.
    pub fn known(&self) -> VisitState {
        let state = self.state();
        VisitState {
            snapshot: state.latest.clone(),
            failure: state.failure.clone(),
            refreshing: state.running.is_some(),
        }
    }

    /// Whether its snapshot is as young as [`fresh_for`] says, or younger than `max_age`.
    pub(super) fn is_fresh(&self, now: Timestamp, max_age: Option<SignedDuration>) -> bool {
        let state = self.state();
        state.latest.as_ref().is_some_and(|latest| {
            let age = now.duration_since(latest.measured_at);
            let fresh_for = max_age.map_or(fresh_for(latest), |most| most.max(fresh_for(latest)));
            // A clock that was set back makes ages negative: such a snapshot is not fresh.
            !age.is_negative() && age < fresh_for
        })
    }

    /// Begins a visit, unless one is under way; gives how that ends.
    pub(super) fn begin(
        self: &Arc<Self>,
        parts: &Arc<Parts>,
    ) -> impl Future<Output = Outcome> + use<> {
        self.join_or_begin(&mut self.state(), parts).outcome
    }

    pub(super) async fn visit_now(self: &Arc<Self>, parts: &Arc<Parts>) -> Outcome {
        let now = parts.clock.now();
        let running = {
            let mut state = self.state();
            if let (Some(failure), None) = (&state.failure, &state.running) {
                let age = now.duration_since(failure.failed_at);
                if !age.is_negative() && age < FAILURE_FRESH_FOR {
                    return Err(failure.error.clone());
                }
            }
            self.join_or_begin(&mut state, parts)
        };
        running.outcome.await
    }

    pub(super) async fn since(self: &Arc<Self>, parts: &Arc<Parts>, since: Timestamp) -> Outcome {
        let mut is_first = true;
        loop {
            let now = parts.clock.now();
            let (running, is_older) = {
                let mut state = self.state();
                // One from the future was taken before a clock was set back.
                let is_recent = |s: &&Arc<Snapshot>| s.measured_at >= since && s.measured_at <= now;
                if let Some(latest) = state.latest.as_ref().filter(is_recent) {
                    return Ok(Arc::clone(latest));
                }
                let is_older = state.running.is_some() && is_first;
                (self.join_or_begin(&mut state, parts), is_older)
            };
            is_first = false;
            let outcome = running.outcome.await;
            // What began after this was asked is recent enough, whatever a clock that was set back says.
            if running.began_at >= since || !is_older || outcome.is_err() {
                return outcome;
            }
        }
    }

    fn join_or_begin(self: &Arc<Self>, state: &mut State, parts: &Arc<Parts>) -> Running {
        if let Some(running) = &state.running {
            return running.clone();
        }
        let began_at = parts.clock.now();
        let (database, for_visit) = (Arc::clone(self), Arc::clone(parts));
        let visit = async move { database.visit(&for_visit).await };
        let task = parts.tasks.spawn(
            Arc::clone(self)
                .run(Arc::clone(parts), began_at, visit)
                .in_current_span(),
        );
        // The visit is a task of its own: whoever asked for it may go away, others wait for it too.
        let outcome = async move { task.await.unwrap_or(Err(WatchError::Stopping)) };
        let running = Running {
            began_at,
            outcome: outcome.boxed().shared(),
        };
        state.running = Some(running.clone());
        running
    }

    async fn run(
        self: Arc<Self>,
        parts: Arc<Parts>,
        began_at: Timestamp,
        visit: impl Future<Output = Outcome> + Send,
    ) -> Outcome {
        let ended = Ended(Arc::clone(&self));
        let outcome = match caught(visit).await {
            Ok(outcome) => outcome,
            Err(panic) => self.panicked(panic).await,
        };
        let mut state = self.state();
        match &outcome {
            Ok(snapshot) => {
                state.latest = Some(Arc::clone(snapshot));
                state.failure = None;
            }
            Err(error) => {
                let failed_at = parts.clock.now();
                state.failure = Some(Failure {
                    began_at,
                    failed_at,
                    error: error.clone(),
                });
            }
        }
        drop(state);
        drop(ended);
        outcome
    }

    async fn visit(&self, parts: &Parts) -> Outcome {
        let DatabaseKey { instance, database } = self.key();
        if parts.stop.is_cancelled() {
            return Err(WatchError::Stopping);
        }
        let place = tokio::select! {
            biased;
            () = parts.stop.cancelled() => return Err(WatchError::Stopping),
            place = self.own_visit.acquire() => place,
        };
        let Ok(_place) = place else {
            return Err(WatchError::Stopping);
        };
        // Its turn may have come long after it was asked for.
        let now = parts.clock.now();
        tracing::debug!(instance, database, "storage.visit.start");
        let visited = {
            let mut memory = self.memory.lock().await;
            visit(
                &self.target,
                &self.options,
                &mut memory,
                &Silent,
                &parts.stop,
                now,
            )
            .await
        };
        let mut snapshot = match visited {
            Ok(snapshot) => snapshot,
            Err(_) if parts.stop.is_cancelled() => return Err(WatchError::Stopping),
            Err(error) => {
                log_failure(self.key(), &error);
                return Err(error.into());
            }
        };
        self.keep_identity(parts, &snapshot.database).await;
        if let Err(error) = fill_last_good(&mut snapshot, self.key(), &*parts.store).await {
            tracing::warn!(instance, database, error = %error, "storage.last_good.unavailable");
        }
        let declared = self.capacities.ask(snapshot.measured_at).await;
        declared.apply_to_facts(&mut snapshot.facts);
        log_visit(self.key(), &snapshot);
        Ok(Arc::new(snapshot))
    }

    async fn panicked(&self, panic: Panicked) -> Outcome {
        let DatabaseKey { instance, database } = self.key();
        tracing::error!(instance, database, error = %panic, "storage.visit.panicked");
        // it may have been left half changed
        *self.memory.lock().await = Memory::default();
        Err(WatchError::Panicked(panic))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says, when dropped, that no visit is under way: also where the runtime is torn down.
struct Ended(Arc<WatchedDatabase>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.state().running = None;
    }
}

fn log_failure(key: &DatabaseKey, error: &VisitError) {
    let DatabaseKey { instance, database } = key;
    tracing::warn!(instance, database, code = error.code(), error = %error, "storage.visit.failed");
}

fn log_visit(key: &DatabaseKey, snapshot: &Snapshot) {
    let not_measured = snapshot
        .tables
        .iter()
        .flat_map(plimsoll_core::snapshot::Table::parts)
        .filter(|size| !size.is_measured())
        .count();
    tracing::info!(
        instance = key.instance,
        database = key.database,
        method = snapshot.method.as_str(),
        total_bytes = snapshot.totals.total_bytes,
        table_count = snapshot
            .tables
            .iter()
            .filter(|t| t.kind.in_table_sizes())
            .count(),
        not_measured,
        took_ms = snapshot.took_ms,
        statements = snapshot.cost.statements,
        server_ms = snapshot.cost.server_ms,
        bytes_received = snapshot.cost.bytes_received,
        "storage.visit.finished"
    );
}

#[cfg(test)]
mod tests {
    use super::super::Watch;
    use super::*;
    use crate::clock::ManualClock;
    use crate::followers::Followers;
    use crate::settings::Settings;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    fn watch(clock: &Arc<ManualClock>) -> Watch {
        let url = "postgres://u@127.0.0.1:1/app?sslmode=disable";
        let watched = Watched::new("main", url.parse().unwrap());
        let settings = Settings::new("127.0.0.1:1".parse().unwrap(), vec![watched]);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let followers = Followers::new(Vec::new(), tasks.clone(), &stop);
        let store = plimsoll_store::open("sqlite::memory:").unwrap();
        let clock: Arc<ManualClock> = Arc::clone(clock);
        Watch::new(&settings, store, clock, Arc::new(followers), tasks, stop)
    }

    #[tokio::test]
    async fn a_panicked_visit_says_so_and_the_next_one_can_begin() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let watch = watch(&clock);
        let database = watch.select(None, None).unwrap();
        let panics = async { panic!("a mistake of ours") };
        let run = Arc::clone(&database).run(Arc::clone(&watch.parts), clock_now(&clock), panics);
        let error = run.await.unwrap_err();
        assert_eq!(error.code(), "internal");
        assert!(error.to_string().contains("a mistake of ours"), "{error}");
        let known = database.known();
        assert!(!known.refreshing);
        let failure = known.failure.unwrap().error.to_string();
        assert!(!failure.contains("shutting down"), "{failure}");
        let next = database.begin(&watch.parts).await.unwrap_err();
        assert_eq!(next.code(), "server_unreachable");
    }

    /// Nobody listens there: each visit fails at once, and could be followed by the next for ever.
    #[tokio::test]
    async fn a_clock_that_is_set_back_does_not_make_visits_follow_each_other() {
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let watch = watch(&clock);
        let database = watch.select(None, None).unwrap();
        let never = std::future::pending::<Outcome>();
        let ahead = clock_now(&clock) + SignedDuration::from_hours(24 * 365);
        let since = database.since(&watch.parts, ahead);
        let error = tokio::select! {
            ended = since => ended.unwrap_err(),
            _ = never => unreachable!(),
        };
        assert_eq!(error.code(), "server_unreachable");
    }

    fn clock_now(clock: &ManualClock) -> Timestamp {
        use crate::clock::Clock;
        clock.now()
    }
}
