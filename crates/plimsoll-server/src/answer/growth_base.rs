//! What growth is counted from: the sizes of about a week ago, as Plimsoll measured them.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_store::{DatabaseKey, SampleQuery, Step, Store, StoreError};

use super::sizes::Growth;

/// The sizes in the first daily sample of the last seven and a half days, if there is one: that of a week ago,
/// whenever in the day it is asked for. What another tool measured does not compare with what a visit sees.
pub async fn growth_base(
    store: &dyn Store,
    of: &DatabaseKey,
    now: Timestamp,
) -> Result<Option<Growth>, StoreError> {
    let query = SampleQuery {
        of: of.clone(),
        kinds: vec![SampleKind::Daily],
        since: now
            .checked_sub(SignedDuration::from_hours(7 * 24 + 12))
            .ok(),
        step: Step::Day,
        limit: 8,
    };
    let page = store.samples(&query).await?;
    let mut own = page.samples.iter().filter(|sample| !sample.is_imported);
    let Some(oldest) = own.next_back() else {
        return Ok(None);
    };
    let before = store
        .table_sizes(oldest, None, None)
        .await?
        .into_iter()
        .collect();
    Ok(Some(Growth {
        since: oldest.sampled_at,
        before,
    }))
}
