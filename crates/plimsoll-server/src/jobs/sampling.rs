//! Sampling every database of an instance, and holding the history to its cap.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::{BoxFuture, join_all};
use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size_text;
use plimsoll_store::{DatabaseKey, Shrink, StoreError};

use super::{Outcome, RunContext, Subject};
use crate::watch::{WatchError, WatchedDatabase, WatchedInstance, record};

/// The sample that is to be taken of a database.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlannedSample {
    pub(super) kind: SampleKind,
    pub(super) scheduled_for: Timestamp,
}

/// Samples every database of the instance that the run is for; `due` says which sample each is to have. Returns the
/// databases with the outcome.
pub(super) async fn sample_all<'a>(
    work: &'a RunContext<'a>,
    due: impl Fn(DatabaseKey) -> BoxFuture<'a, Result<PlannedSample, StoreError>>,
) -> (BTreeSet<DatabaseKey>, Outcome) {
    let mut done = BTreeSet::new();
    let Subject::Instance(instance) = *work.subject else {
        return (done, sampled(0, &[]));
    };
    let mut taken = 0;
    let mut failed = Vec::new();
    // Visiting finds databases that were not known before: they are sampled in the same run.
    loop {
        let databases: Vec<_> = instance
            .databases()
            .into_iter()
            .filter(|db| done.insert(db.key().clone()))
            .collect();
        if databases.is_empty() {
            break;
        }
        let samples = databases.iter().map(|db| sample(work, instance, db, &due));
        let results = join_all(samples).await;
        for (database, result) in databases.iter().zip(results) {
            match result {
                Ok(is_taken) => taken += usize::from(is_taken),
                Err(error) => {
                    let DatabaseKey { instance, database } = database.key();
                    tracing::warn!(
                        instance, database, code = error.code(), error = %error,
                        "storage.sampling.failed"
                    );
                    failed.push((database.clone(), error));
                }
            }
        }
    }
    // One that was dropped fails once, until another's visit shows that it is gone: no failure of ours.
    let left = instance.databases();
    failed.retain(|(name, _)| left.iter().any(|db| db.key().database == *name));
    let outcome = sampled(taken + failed.len(), &failed);
    (done, outcome)
}

/// Whether a sample was taken: not of an excluded database, which is only visited to find the others.
async fn sample<'a>(
    work: &'a RunContext<'a>,
    instance: &WatchedInstance,
    database: &Arc<WatchedDatabase>,
    due: &impl Fn(DatabaseKey) -> BoxFuture<'a, Result<PlannedSample, StoreError>>,
) -> Result<bool, WatchError> {
    if instance.settings.exclude.contains(&database.key().database) {
        let since = work.scheduled_for;
        work.watch.snapshot_since(database, since).await?;
        return Ok(false);
    }
    let PlannedSample {
        kind,
        scheduled_for,
    } = due(database.key().clone()).await?;
    record(work.watch, database, kind, scheduled_for).await?;
    Ok(true)
}

fn sampled(count: usize, failed: &[(String, WatchError)]) -> Outcome {
    let databases = if count == 1 { "database" } else { "databases" };
    if failed.is_empty() {
        return Outcome {
            status: "ok",
            message: format!("{count} {databases} sampled"),
        };
    }
    let reasons: Vec<_> = failed
        .iter()
        .map(|(database, error)| format!("{database}: {error}"))
        .collect();
    Outcome {
        status: "failed",
        message: format!(
            "{} of {count} {databases} sampled; {}",
            count - failed.len(),
            reasons.join("; ")
        ),
    }
}

/// Holds the history to `history.max_bytes`.
pub(super) async fn shrink(work: &RunContext<'_>, outcome: Outcome) -> Outcome {
    let Some(max_bytes) = work.settings.max_bytes else {
        return outcome;
    };
    let now = work.watch.clock().now();
    match work.watch.store().shrink(max_bytes, now).await {
        Ok(None) => outcome,
        Ok(Some(shrink)) => {
            tracing::warn!(
                max_bytes,
                before_bytes = shrink.before_bytes,
                after_bytes = shrink.after_bytes,
                samples_dropped = shrink.samples_dropped,
                dropped_until = shrink.dropped_until.map(tracing::field::display),
                "storage.history.shrunk"
            );
            shrunk(outcome, &shrink)
        }
        Err(error) => {
            tracing::error!(max_bytes, error = %error, "storage.history.shrink_failed");
            let message = format!(
                "{}; holding the history to history.max_bytes failed: {error}",
                outcome.message
            );
            Outcome {
                status: "failed",
                message,
            }
        }
    }
}

fn shrunk(outcome: Outcome, shrink: &Shrink) -> Outcome {
    let max = size_text::pretty(shrink.max_bytes);
    if shrink.after_bytes > shrink.max_bytes {
        let after = size_text::pretty(shrink.after_bytes);
        return Outcome {
            status: "failed",
            message: format!(
                "{}; the history takes {after}, more than history.max_bytes ({max}), and nothing more of it may go",
                outcome.message
            ),
        };
    }
    if shrink.samples_dropped == 0 {
        return outcome;
    }
    let dropped = shrink.samples_dropped;
    let samples = if dropped == 1 { "sample" } else { "samples" };
    Outcome {
        message: format!(
            "{}, {dropped} {samples} dropped to keep the history below history.max_bytes ({max})",
            outcome.message
        ),
        ..outcome
    }
}
