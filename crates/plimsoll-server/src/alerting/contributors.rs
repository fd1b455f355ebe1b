//! What a database's growth between two samples is made of, down to heap, toast and index.

use jiff::Timestamp;
use plimsoll_core::alert::contributors::{Contributor, Part};
use plimsoll_core::change::Sizes;
use plimsoll_core::size::signed;
use plimsoll_store::{DatabaseKey, DifferenceQuery, Growth, Store, StoreError};

/// So many tables, and as many indexes, are looked at: more are never told.
const LOOKED_AT: usize = 20;

/// The shares of what a database gained from one time to another; not all of them, but the largest.
pub(super) async fn of_growth(
    store: &dyn Store,
    of: &DatabaseKey,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Contributor>, StoreError> {
    let mut shares = Vec::new();
    for indexes in [false, true] {
        let query = DifferenceQuery {
            from,
            to,
            kinds: Vec::new(),
            indexes,
            limit: Some(LOOKED_AT),
        };
        if let Some(difference) = store.difference(of, &query).await? {
            shares.extend(difference.growth.iter().flat_map(shares_of));
        }
    }
    // A new table is one share with all that is its own, and so are its indexes.
    let new: Vec<_> = shares
        .iter()
        .filter(|share| share.part == Part::NewTable)
        .map(|share| (share.schema_name.clone(), share.table_name.clone()))
        .collect();
    shares.retain(|share| {
        share.part != Part::Index
            || !new.contains(&(share.schema_name.clone(), share.table_name.clone()))
    });
    Ok(shares)
}

fn shares_of(growth: &Growth) -> Vec<Contributor> {
    let share = |part, bytes: Option<i64>| {
        Some(Contributor {
            part,
            schema_name: Some(growth.name.schema_name.clone()),
            table_name: Some(growth.name.table_name.clone()),
            name: growth.index_name.clone(),
            bytes: bytes?,
        })
    };
    let shares = match (&growth.index_name, growth.before, growth.after) {
        (Some(_), before, after) => vec![share(
            Part::Index,
            change(before, after, |sizes| sizes.total_bytes()),
        )],
        (None, None, Some(after)) => vec![share(Part::NewTable, after.total_bytes().map(signed))],
        (None, before, after) => vec![
            share(Part::Heap, change(before, after, |sizes| sizes.heap_bytes)),
            share(
                Part::Toast,
                change(before, after, |sizes| Some(sizes.all_toast_bytes())),
            ),
        ],
    };
    shares
        .into_iter()
        .flatten()
        .filter(|share| share.bytes != 0)
        .collect()
}

/// What a part gained; none where one of its sizes is not known.
pub(super) fn change(
    before: Option<Sizes>,
    after: Option<Sizes>,
    part: impl Fn(Sizes) -> Option<u64>,
) -> Option<i64> {
    let bytes = |sizes: Option<Sizes>| sizes.map_or(Some(0), &part).map(signed);
    Some(bytes(after)? - bytes(before)?)
}
