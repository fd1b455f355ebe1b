//! Puts the made-up history into a store, marked as what it is.

use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{Recording, Store, StoreError};

use super::history::history;

/// Records the days before the present snapshot, oldest first; returns how many.
///
/// The store's retention must keep as many daily samples, or its thinning takes the oldest again.
pub(crate) async fn record_history(
    store: &dyn Store,
    present: &Snapshot,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let mut recorded = 0;
    for past in history(present, now) {
        let recording = Recording {
            kind: SampleKind::Daily,
            scheduled_for: Some(past.scheduled_for),
            is_demo: true,
        };
        store.record(&past.snapshot, recording).await?;
        recorded += 1;
    }
    Ok(recorded)
}
