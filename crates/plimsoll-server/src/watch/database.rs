//! One watched database: its latest snapshot, and the one visit that may be under way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{
    ConfiguredCapacity, Memory, Silent, Target, VisitError, VisitOptions, visit,
};
use plimsoll_store::DatabaseKey;

use super::{Parts, WatchError, fill_last_good};
use crate::settings::Watched;

/// For how long a failed visit answers for others that ask: a server that is down is not knocked at
/// by every request.
const FAILURE_FRESH_FOR: SignedDuration = SignedDuration::from_secs(2);

/// One watched database.
pub struct WatchedDatabase {
    key: DatabaseKey,
    target: Target,
    options: VisitOptions,
    capacity: ConfiguredCapacity,
    state: Mutex<State>,
    memory: tokio::sync::Mutex<Memory>,
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
    pub(super) fn new(key: DatabaseKey, target: Target, watched: &Watched) -> Self {
        Self {
            key,
            target,
            options: watched.visit.clone(),
            capacity: watched.capacity(),
            state: Mutex::default(),
            memory: tokio::sync::Mutex::default(),
            on_request: tokio::sync::Mutex::default(),
        }
    }

    /// Its instance and name.
    pub const fn key(&self) -> &DatabaseKey {
        &self.key
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

    pub(super) async fn fresh(
        self: &Arc<Self>,
        parts: &Arc<Parts>,
        max_age: Option<SignedDuration>,
    ) -> Outcome {
        let now = parts.clock.now();
        let running = {
            let mut state = self.state();
            if let Some(latest) = &state.latest {
                let age = now.duration_since(latest.measured_at);
                // A clock that was set back makes ages negative: such a snapshot is not fresh.
                let fresh = max_age.unwrap_or_else(|| fresh_for(latest));
                if !age.is_negative() && age < fresh {
                    return Ok(Arc::clone(latest));
                }
            }
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
        loop {
            let running = {
                let mut state = self.state();
                if let Some(latest) = state.latest.as_ref().filter(|s| s.measured_at >= since) {
                    return Ok(Arc::clone(latest));
                }
                self.join_or_begin(&mut state, parts)
            };
            let outcome = running.outcome.await;
            if running.began_at >= since || outcome.is_err() {
                return outcome;
            }
        }
    }

    fn join_or_begin(self: &Arc<Self>, state: &mut State, parts: &Arc<Parts>) -> Running {
        if let Some(running) = &state.running {
            return running.clone();
        }
        let began_at = parts.clock.now();
        let task = parts
            .tasks
            .spawn(Arc::clone(self).run(Arc::clone(parts), began_at));
        // The visit is a task of its own: whoever asked for it may go away, others wait for it too.
        let outcome = async move { task.await.unwrap_or(Err(WatchError::Stopping)) };
        let running = Running {
            began_at,
            outcome: outcome.boxed().shared(),
        };
        state.running = Some(running.clone());
        running
    }

    async fn run(self: Arc<Self>, parts: Arc<Parts>, began_at: Timestamp) -> Outcome {
        // Also when the visit panics, the next one must be able to begin.
        let ended = Ended(Arc::clone(&self));
        let outcome = self.visit(&parts, began_at).await;
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

    async fn visit(&self, parts: &Parts, now: Timestamp) -> Outcome {
        let DatabaseKey { instance, database } = &self.key;
        if parts.stop.is_cancelled() {
            return Err(WatchError::Stopping);
        }
        let Ok(_slot) = parts.slots.acquire().await else {
            return Err(WatchError::Stopping);
        };
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
                log_failure(&self.key, &error);
                return Err(error.into());
            }
        };
        if let Err(error) = fill_last_good(&mut snapshot, &self.key, &*parts.store).await {
            tracing::warn!(instance, database, error = %error, "storage.last_good.unavailable");
        }
        self.capacity.apply(&mut snapshot.facts);
        log_visit(&self.key, &snapshot);
        Ok(Arc::new(snapshot))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says, when dropped, that no visit is under way.
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
            .filter(|t| t.kind.is_listed())
            .count(),
        not_measured,
        took_ms = snapshot.took_ms,
        statements = snapshot.cost.statements,
        server_ms = snapshot.cost.server_ms,
        bytes_received = snapshot.cost.bytes_received,
        "storage.visit.finished"
    );
}
