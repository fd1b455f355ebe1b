//! Fills in, from the store, what a visit could not read.

use plimsoll_core::reconcile;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::{Method, Snapshot, Table};
use plimsoll_store::{DatabaseKey, Store, StoreError};

/// Puts the last good values in the place of what was not read, and makes the totals add up again.
/// Where everything was read, nothing is asked of the store.
pub async fn fill_last_good(
    snapshot: &mut Snapshot,
    key: &DatabaseKey,
    store: &dyn Store,
) -> Result<(), StoreError> {
    if snapshot
        .tables
        .iter()
        .flat_map(Table::parts)
        .all(Size::is_measured)
    {
        return Ok(());
    }
    let last_good = store.last_good(key).await?;
    if last_good.is_empty() {
        return Ok(());
    }
    reconcile::fill_last_good(&mut snapshot.tables, &last_good);
    let totals = snapshot.totals;
    // Only *files* knows what belongs to no relation, and only if it saw every folder.
    let unattributed = totals
        .unattributed_bytes
        .filter(|_| snapshot.method == Method::Files);
    snapshot.totals = reconcile::reconcile(&snapshot.tables, totals.total_bytes, unattributed);
    Ok(())
}
