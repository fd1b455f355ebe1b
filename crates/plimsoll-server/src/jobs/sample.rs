//! Takes the daily sample of every database, then thins the history: the record that growth and
//! forecasts are read from.

use std::collections::BTreeSet;

use futures_util::FutureExt;
use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_store::{DatabaseKey, StoreError};

use super::sampling::{PlannedSample, sample_all, shrink};
use super::{Job, Outcome, RunContext, Scope, Subject};
use crate::alerting;

/// The job.
pub const JOB: Job = Job {
    name: "sample_storage_sizes",
    key: "sample",
    description: "Takes the daily sample of every database and thins the history",
    default_cron: "0 3 * * *",
    scope: Scope::Instance,
    runs_at_first_start: true,
    runs_at_each_start: false,
    runs_without_store: false,
    run: |work| run(work).boxed(),
};

async fn run(work: &RunContext<'_>) -> Outcome {
    let due = PlannedSample {
        kind: SampleKind::Daily,
        scheduled_for: work.scheduled_for,
    };
    let (mut databases, outcome) = sample_all(work, |_| Box::pin(async move { Ok(due) })).await;
    // Databases that the history has and that are no longer there are thinned, too.
    match work.watch.store().databases().await {
        Ok(kept) => databases.extend(kept.into_iter().filter(|key| is_of(work, key))),
        Err(error) => tracing::warn!(error = %error, "storage.databases.unavailable"),
    }
    let outcome = thin(work, &databases, outcome).await;
    shrink(work, outcome).await
}

fn is_of(work: &RunContext<'_>, key: &DatabaseKey) -> bool {
    matches!(work.subject, Subject::Instance(of) if *of.settings.instance == *key.instance)
}

/// Drops alerts that ended long ago, also of instances that nobody watches any more; and old messages.
async fn forget_alerts(work: &RunContext<'_>, now: Timestamp) -> Result<(), StoreError> {
    let long_ago = now.saturating_sub(alerting::KEPT).unwrap_or(Timestamp::MIN);
    let store = work.watch.store();
    for instance in store.alert_instances().await? {
        store.thin_alerts(&instance, long_ago).await?;
    }
    store.thin_messages(long_ago).await?;
    Ok(())
}

async fn thin(work: &RunContext<'_>, of: &BTreeSet<DatabaseKey>, outcome: Outcome) -> Outcome {
    let now = work.watch.clock().now();
    let mut dropped = 0;
    for key in of {
        match work
            .watch
            .store()
            .thin(key, &work.settings.retention, now)
            .await
        {
            Ok(count) => dropped += count,
            Err(error) => {
                tracing::error!(instance = key.instance, database = key.database, error = %error, "storage.thinning.failed");
                let message = format!("{}; thinning the history failed: {error}", outcome.message);
                return Outcome {
                    status: "failed",
                    message,
                };
            }
        }
    }
    // Looks at volumes go with each look; those of instances that nobody watches any more go here.
    let days = work.settings.retention.daily_samples;
    match work.watch.store().thin_unwatched_disks(days, now).await {
        Ok(0) => {}
        Ok(looks) => tracing::info!(looks_dropped = looks, "storage.disk.thinned"),
        Err(error) => tracing::error!(error = %error, "storage.disk.thinning_failed"),
    }
    if let Err(error) = forget_alerts(work, now).await {
        tracing::error!(error = %error, "alert.thinning_failed");
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
