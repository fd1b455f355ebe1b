//! Writes that do not wait for a store for ever. Whoever gives one up does not know whether it was done.

use std::time::Duration;

use plimsoll_store::{Store, StoreError};

/// A store that takes nothing for so long is told as one that takes nothing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a write came to, in time.
pub(crate) async fn in_time<T>(
    store: &dyn Store,
    writing: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let written = tokio::time::timeout(PATIENCE, writing).await;
    written.unwrap_or_else(|_| {
        Err(StoreError::Busy {
            store: store.name(),
            reason: format!("no answer within {} s", PATIENCE.as_secs()),
        })
    })
}
