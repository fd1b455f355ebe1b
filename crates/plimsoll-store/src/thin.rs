//! Thins the kinds of rows that both stores have alike.

use crate::keys::{Keys, params};
use crate::rows::Transaction;
use crate::{StoreError, events, former_names, unread};

/// Deletes what no sample that is left needs.
pub(crate) async fn kinds(work: &dyn Transaction, keys: Keys) -> Result<(), StoreError> {
    let sql = "select min(tick) from plimsoll.samples where instance_id = $1 and database_id = $2";
    let first = work.read(sql, &params(keys), |row| row.get(0)).await?;
    if let Some(Some(first)) = first.into_iter().next() {
        events::thin(work, keys, first).await?;
        former_names::thin(work, keys, first).await?;
        unread::thin(work, keys, first).await?;
    }
    Ok(())
}
