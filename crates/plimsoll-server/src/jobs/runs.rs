//! What each job does when it runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size_text;
use plimsoll_store::{DatabaseKey, SampleQuery, Shrink, StoreError};

use super::{Job, Scheduler};
use crate::answer::cleanup::NO_POLICY;
use crate::watch::{WatchError, WatchedDatabase, WatchedInstance, record};

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) word: &'static str,
    pub(super) message: String,
}

/// Runs a job for one instance.
pub(super) async fn run(
    scheduler: &Scheduler,
    job: Job,
    instance: &WatchedInstance,
    scheduled_for: Timestamp,
) -> Outcome {
    if job == Job::Cleanup {
        return Outcome {
            word: "skipped",
            message: NO_POLICY.to_owned(),
        };
    }
    let mut done = BTreeSet::new();
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
        let samples = databases
            .iter()
            .map(|db| sample(scheduler, job, instance, db, scheduled_for));
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
    let mut outcome = sampled(taken + failed.len(), &failed);
    if job == Job::Sample {
        // Of databases that were dropped only the record stays: the last daily samples.
        match scheduler.watch.store().databases().await {
            Ok(kept) => {
                let name = &*instance.settings.instance;
                done.extend(kept.into_iter().filter(|key| key.instance == name));
            }
            Err(error) => tracing::warn!(error = %error, "storage.databases.unavailable"),
        }
        outcome = thin(scheduler, &done, outcome).await;
    }
    shrink(scheduler, outcome).await
}

/// Whether a sample was taken: not of an excluded database, which is only visited to find the others.
async fn sample(
    scheduler: &Scheduler,
    job: Job,
    instance: &WatchedInstance,
    database: &Arc<WatchedDatabase>,
    scheduled_for: Timestamp,
) -> Result<bool, WatchError> {
    if instance.settings.exclude.contains(&database.key().database) {
        let watch = &scheduler.watch;
        watch.snapshot_since(database, scheduled_for).await?;
        return Ok(false);
    }
    let (kind, scheduled_for) = match job {
        Job::Watch => match missing_daily(scheduler, database.key()).await? {
            Some(missed) => (SampleKind::Daily, missed),
            None => (SampleKind::Watch, scheduled_for),
        },
        Job::Sample | Job::Cleanup => (SampleKind::Daily, scheduled_for),
    };
    record(&scheduler.watch, database, kind, scheduled_for).await?;
    Ok(true)
}

/// The time of the last daily sample that should be there, if it is not.
async fn missing_daily(
    scheduler: &Scheduler,
    of: &DatabaseKey,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(due) = scheduler
        .schedule
        .sample
        .last_until(scheduler.watch.clock().now())
    else {
        return Ok(None);
    };
    let query = SampleQuery {
        of: of.clone(),
        kinds: vec![SampleKind::Daily],
        since: Some(due),
        step: plimsoll_store::Step::All,
        limit: 1,
    };
    let page = scheduler.watch.store().samples(&query).await?;
    Ok(page.samples.is_empty().then_some(due))
}

fn sampled(count: usize, failed: &[(String, WatchError)]) -> Outcome {
    let databases = if count == 1 { "database" } else { "databases" };
    if failed.is_empty() {
        return Outcome {
            word: "ok",
            message: format!("{count} {databases} sampled"),
        };
    }
    let is_stopping = failed
        .iter()
        .any(|(_, error)| matches!(error, WatchError::Stopping));
    let reasons: Vec<_> = failed
        .iter()
        .map(|(database, error)| format!("{database}: {error}"))
        .collect();
    Outcome {
        word: if is_stopping { "cancelled" } else { "failed" },
        message: format!(
            "{} of {count} {databases} sampled; {}",
            count - failed.len(),
            reasons.join("; ")
        ),
    }
}

async fn thin(scheduler: &Scheduler, of: &BTreeSet<DatabaseKey>, outcome: Outcome) -> Outcome {
    let now = scheduler.watch.clock().now();
    let mut dropped = 0;
    for key in of {
        match scheduler
            .watch
            .store()
            .thin(key, &scheduler.retention, now)
            .await
        {
            Ok(count) => dropped += count,
            Err(error) => {
                tracing::error!(instance = key.instance, database = key.database, error = %error, "storage.thinning.failed");
                let message = format!("{}; thinning the history failed: {error}", outcome.message);
                return Outcome {
                    word: "failed",
                    message,
                };
            }
        }
    }
    if dropped == 0 {
        return outcome;
    }
    let samples = if dropped == 1 { "sample" } else { "samples" };
    tracing::info!(samples_dropped = dropped, "storage.thinning.done");
    Outcome {
        message: format!("{}, {dropped} old {samples} dropped", outcome.message),
        ..outcome
    }
}

/// Holds the history to `history.max_bytes`.
async fn shrink(scheduler: &Scheduler, outcome: Outcome) -> Outcome {
    let Some(max_bytes) = scheduler.max_bytes else {
        return outcome;
    };
    let now = scheduler.watch.clock().now();
    match scheduler.watch.store().shrink(max_bytes, now).await {
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
                word: "failed",
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
            word: "failed",
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
