//! Whether both samples of a growth looked at a table.

use jiff::Timestamp;
use plimsoll_core::change::{EventKind, Sizes};
use plimsoll_store::{DatabaseKey, Difference, EventQuery, Growth, Store, StoreError};

/// When what another tool measured ended between two samples.
pub(super) async fn coverage(
    store: &dyn Store,
    of: &DatabaseKey,
    between: &Difference,
) -> Result<Option<Timestamp>, StoreError> {
    let query = EventQuery {
        table: None,
        kinds: vec![EventKind::Coverage],
        since: Some(between.from.sampled_at),
        limit: None,
    };
    let events = store.events(of, &query).await?;
    Ok(events
        .into_iter()
        .map(|named| named.event)
        .filter(|event| event.relation.is_none())
        // to the second, which is what a seam is known to
        .filter(|event| {
            event.to.as_second() > between.from.sampled_at.as_second()
                && event.to.as_second() <= between.to.sampled_at.as_second()
        })
        .map(|event| event.to)
        .max())
}

/// Whether both samples know a size, or know that there was none.
pub(super) fn is_covered(growth: &Growth, coverage: Option<Timestamp>) -> bool {
    let (before, after) = (growth.before, growth.after);
    let never_measured =
        |sizes: Option<Sizes>| sizes.is_some_and(|sizes| sizes.total_bytes().is_none());
    let is_unknown =
        never_measured(before) != never_measured(after) && before.is_some() && after.is_some();
    let is_on_one_side = coverage.is_some() && (before.is_none() || after.is_none());
    !is_unknown && !is_on_one_side
}
