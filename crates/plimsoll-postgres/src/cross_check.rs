//! Row counts that cannot be true, by what `reltuples` and the pages say.

use foldhash::HashMap;

use plimsoll_core::Oid;
use tokio_postgres::types::Type;

use crate::error::VisitError;
use crate::inventory::Inventory;
use crate::rows;
use crate::session::Session;
use crate::sizes::Sizes;

/// Drops the counts that cannot be true, so that the estimate from `reltuples` and pages takes their place.
///
/// Too many: ANALYZE counts the rows that its session loaded a moment ago, and then their own report adds
/// them once more. Such a table has more live rows than were ever inserted, and more than its pages hold.
/// Too few: counters were lost in a crash, and something was inserted since. The table holds many more
/// rows than are counted, dead ones included, and nothing counted them anew since.
pub(crate) async fn cross_check(
    session: &Session,
    inventory: &mut Inventory,
    sizes: &Sizes,
) -> Result<(), VisitError> {
    let mut doubted: HashMap<Oid, Doubt> = HashMap::default();
    for (slot, table) in inventory.catalog.slots() {
        let Some(counted) = inventory.counts.counted(table.oid) else {
            continue;
        };
        let expected = rows::expected(table, sizes.get(slot), inventory.block_size);
        if let Some(doubt) = doubt(counted, expected) {
            doubted.insert(table.oid, doubt);
        }
    }
    if doubted.is_empty() {
        return Ok(());
    }
    let oids: Vec<Oid> = doubted.keys().copied().collect();
    let sql = include_str!("cross_check/doubted.sql");
    for row in session.rows(sql, &[(&oids as _, Type::OID_ARRAY)]).await? {
        let oid: Oid = session.read(&row, 0)?;
        let inserted: Option<i64> = session.read(&row, 1)?;
        let was_counted: Option<bool> = session.read(&row, 2)?;
        let is_false = match doubted.get(&oid) {
            Some(Doubt::TooMany(live)) => inserted
                .and_then(|inserted| u64::try_from(inserted).ok())
                .is_some_and(|inserted| *live > inserted),
            Some(Doubt::TooFew) => was_counted == Some(false),
            None => false,
        };
        if is_false {
            inventory.counts.disbelieve(oid);
        }
    }
    Ok(())
}

/// Why a count may not be true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doubt {
    /// So many live rows, and the pages hold fewer.
    TooMany(u64),
    TooFew,
}

/// Whether `n_live_tup` and `n_dead_tup` are far from what the pages hold. Estimates are good to a fifth, and
/// of few rows nothing can be said.
fn doubt((live, dead): (u64, u64), expected: Option<u64>) -> Option<Doubt> {
    let expected = expected.filter(|expected| *expected > 0)?;
    if live > expected + expected / 5 + 10 {
        return Some(Doubt::TooMany(live));
    }
    (live + dead + 10 < expected / 2).then_some(Doubt::TooFew)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_the_pages_cannot_hold_are_doubted() {
        for (live, dead, expected, doubt_of) in [
            // counted twice
            (20_000, 0, Some(10_000), Some(Doubt::TooMany(20_000))),
            (11_900, 0, Some(10_000), None),
            // after a crash, and deleted but not yet vacuumed
            (10, 0, Some(10_000), Some(Doubt::TooFew)),
            (10, 9_990, Some(10_000), None),
            // few, never counted, empty
            (8, 0, Some(4), None),
            (5_000, 0, None, None),
            (5_000, 0, Some(0), None),
        ] {
            assert_eq!(
                doubt((live, dead), expected),
                doubt_of,
                "{live} {expected:?}"
            );
        }
    }
}
