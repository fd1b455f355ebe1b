//! Keeps a snapshot as a sample.

use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::Recorded;

use super::unwritten::SAMPLES;
use super::{Watch, WatchError, WatchedDatabase};
use crate::news::{NewSample, News};

/// Takes the sample of a scheduled time, from a visit that began then or later.
pub async fn record(
    watch: &Watch,
    database: &Arc<WatchedDatabase>,
    kind: SampleKind,
    scheduled_for: Timestamp,
) -> Result<SampleHeader, WatchError> {
    start(database, kind);
    let snapshot = watch.snapshot_since(database, scheduled_for).await?;
    keep(watch, database, &snapshot, kind, Some(scheduled_for)).await
}

/// Takes a sample now. Requests that share one visit share its sample.
pub async fn record_on_request(
    watch: &Watch,
    database: &Arc<WatchedDatabase>,
) -> Result<SampleHeader, WatchError> {
    start(database, SampleKind::Manual);
    let snapshot = watch.visit(database).await?;
    let mut last = database.on_request.lock().await;
    if let Some(header) = last
        .as_ref()
        .filter(|h| h.sampled_at == snapshot.measured_at)
    {
        return Ok(header.clone());
    }
    let header = keep(watch, database, &snapshot, SampleKind::Manual, None).await?;
    *last = Some(header.clone());
    Ok(header)
}

fn start(database: &WatchedDatabase, kind: SampleKind) {
    let key = database.key();
    tracing::info!(
        instance = key.instance,
        database = key.database,
        kind = kind.as_str(),
        "storage.sampling.start"
    );
}

async fn keep(
    watch: &Watch,
    database: &WatchedDatabase,
    snapshot: &Arc<Snapshot>,
    kind: SampleKind,
    scheduled_for: Option<Timestamp>,
) -> Result<SampleHeader, WatchError> {
    let recorded = watch
        .store()
        .record_sample(snapshot, kind, scheduled_for)
        .await;
    watch.note_write(SAMPLES, &recorded);
    let recorded = recorded?;
    watch.parts.stamps.forget(database.key());
    log_recorded(&recorded, snapshot.took_ms);
    let header = recorded.header();
    watch.parts.followers.announce(&News::Sample(NewSample {
        of: database.key().clone(),
        header: header.clone(),
        snapshot: Arc::clone(snapshot),
    }));
    Ok(header.clone())
}

/// Logs what became of a snapshot, whose visit took so long.
pub fn log_recorded(recorded: &Recorded, took_ms: u64) {
    let event = match recorded {
        Recorded::New(_) => "storage.sampling.recorded",
        Recorded::Already(_) => "storage.sampling.already_recorded",
    };
    let header = recorded.header();
    tracing::info!(
        instance = header.instance,
        database = header.database,
        kind = header.kind.as_str(),
        sample_id = header.id,
        total_bytes = header.total_bytes,
        table_count = header.table_count,
        took_ms,
        "{event}"
    );
}
