//! Makes the forecasts of a database anew, all at once and agreeing, and keeps them with the sample
//! that they are made from.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_store::{
    DatabaseKey, ForecastHeader, KeptForecast, NamedEvent, PartQuery, SampleQuery, SeriesBatch,
    Store, StoreError,
};
use tokio::sync::{Mutex, mpsc};

use super::agree::agree;
use super::gather::Gathered;
use super::reads;
use crate::clock::Clock;

/// Batches of tables that are read ahead.
const AHEAD: usize = 2;

/// Makes the forecasts anew if that is due: whoever else asks meanwhile waits at `turn`, and finds them
/// made. The header of those that are kept then; none without a sample.
pub async fn refresh_if_due(
    store: &dyn Store,
    of: &DatabaseKey,
    clock: &dyn Clock,
    turn: &Mutex<()>,
) -> Result<Option<ForecastHeader>, StoreError> {
    let Some(latest) = latest(store, of).await? else {
        return Ok(None);
    };
    let kept = || async {
        let kept = store.kept_forecast(of, &PartQuery::default()).await?;
        Ok::<_, StoreError>(kept.map(|kept| kept.header))
    };
    let before = kept().await?;
    if !is_due(before.as_ref(), &latest, clock.now()) {
        return Ok(before);
    }
    let _turn = turn.lock().await;
    let before = kept().await?;
    if !is_due(before.as_ref(), &latest, clock.now()) {
        return Ok(before);
    }
    refresh(store, of, clock).await
}

/// Whether the kept forecasts are to be made anew for the latest sample: for a daily one and for one
/// that somebody asked for; for one of the watch where making them takes less than a hundredth of the
/// time.
fn is_due(kept: Option<&ForecastHeader>, latest: &SampleHeader, now: Timestamp) -> bool {
    let Some(kept) = kept else { return true };
    if kept.sample_id == latest.id {
        return false;
    }
    if latest.kind != SampleKind::Watch {
        return true;
    }
    let since = now.duration_since(kept.computed_at);
    let took_ms = i64::try_from(kept.took_ms).unwrap_or(i64::MAX);
    // a clock that was set back
    since.is_negative() || since > SignedDuration::from_millis(took_ms.saturating_mul(100))
}

/// Makes the forecasts anew. None without a sample.
pub async fn refresh(
    store: &dyn Store,
    of: &DatabaseKey,
    clock: &dyn Clock,
) -> Result<Option<ForecastHeader>, StoreError> {
    let began_at = clock.now();
    let events = reads::database_events(store, of).await?;
    let (to, from) = mpsc::channel(AHEAD);
    let made = tokio::task::spawn_blocking(move || make(from, &events));
    let hourly = reads::hourly();
    let read = store.read_series(of, &hourly, &reads::NO_GROWTH, to);
    let (read, made) = tokio::join!(read, made);
    read?;
    let made = made.map_err(|panic| StoreError::Failed {
        store: "of the history".to_owned(),
        reason: format!("its forecasts could not be computed: {panic}"),
    })?;
    let Some(mut made) = made else {
        return Ok(None);
    };
    let computed_at = clock.now();
    let took = computed_at.duration_since(began_at);
    made.header.computed_at = computed_at;
    made.header.took_ms = u64::try_from(took.as_millis()).unwrap_or(0);
    let header = made.header.clone();
    let (parts, table_count) = (made.parts.len(), header.table_count);
    let is_kept = store.keep_forecast(of, Arc::new(made)).await?;
    tracing::info!(
        instance = of.instance,
        database = of.database,
        sample_id = header.sample_id,
        table_count,
        parts,
        is_kept,
        took_ms = header.took_ms,
        "storage.forecast.refreshed"
    );
    Ok(Some(header))
}

/// On a thread of its own: takes in what is read and makes it agree.
fn make(mut from: mpsc::Receiver<SeriesBatch>, events: &[NamedEvent]) -> Option<KeptForecast> {
    let mut gathered: Option<Gathered> = None;
    while let Some(batch) = from.blocking_recv() {
        match (batch, &mut gathered) {
            (SeriesBatch::Samples(samples), _) => {
                gathered = Some(Gathered::new(samples, events));
            }
            (SeriesBatch::Tables(tables), Some(gathered)) => {
                for table in &tables {
                    gathered.table(table);
                }
            }
            (SeriesBatch::Tables(_), None) => {}
        }
    }
    let gathered = gathered?;
    let newest = *gathered.samples.last()?;
    let (table_count, young_count) = (gathered.table_count, gathered.young_count);
    let agreed = agree(gathered, events);
    Some(KeptForecast {
        header: ForecastHeader {
            sample_id: newest.sample_id,
            sampled_at: newest.sampled_at,
            computed_at: newest.sampled_at,
            took_ms: 0,
            table_count,
            young_count,
            unknown: agreed.unknown,
        },
        parts: agreed.parts,
    })
}

async fn latest(store: &dyn Store, of: &DatabaseKey) -> Result<Option<SampleHeader>, StoreError> {
    let newest = SampleQuery::newest(of.clone());
    Ok(store.samples(&newest).await?.samples.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_sample_is_worth_a_hundredth_of_the_time() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let kept = ForecastHeader {
            sample_id: 7,
            sampled_at: at(0),
            computed_at: at(10),
            took_ms: 3000,
            table_count: 0,
            young_count: 0,
            unknown: None,
        };
        let sample = |id, kind| SampleHeader {
            id,
            instance: String::new(),
            database: String::new(),
            sampled_at: at(0),
            kind,
            total_bytes: None,
            table_count: Some(0),
            is_demo: false,
            is_imported: false,
            unread_count: 0,
        };
        let watch = sample(8, SampleKind::Watch);
        assert!(is_due(None, &watch, at(10)));
        assert!(!is_due(Some(&kept), &watch, at(310)));
        assert!(is_due(Some(&kept), &watch, at(311)));
        assert!(is_due(Some(&kept), &watch, at(9)), "the clock was set back");
        assert!(is_due(Some(&kept), &sample(8, SampleKind::Daily), at(11)));
        assert!(is_due(Some(&kept), &sample(8, SampleKind::Manual), at(11)));
        assert!(!is_due(
            Some(&kept),
            &sample(7, SampleKind::Daily),
            at(9999)
        ));
    }
}
