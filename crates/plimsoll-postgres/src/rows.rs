//! How many rows a table holds, as far as the server's statistics can be believed.

use plimsoll_core::snapshot::{RowCountSource, Rows};

use crate::catalog::Relation;
use crate::counters::RowCounts;
use crate::sizes::RelationSize;

/// A table's rows.
pub(crate) fn rows(
    counts: &RowCounts,
    table: &Relation,
    found: &RelationSize,
    block_size: u64,
) -> Rows {
    if let Some((live, dead)) = counts.counted(table.oid) {
        return Rows {
            count: Some(live),
            source: RowCountSource::Statistics,
            dead: Some(dead),
        };
    }
    match expected(table, found, block_size) {
        Some(count) => Rows {
            count: Some(count),
            source: RowCountSource::Estimate,
            dead: None,
        },
        None => Rows::default(),
    }
}

/// How many rows its pages hold, by what the last VACUUM or ANALYZE found in them.
pub(crate) fn expected(table: &Relation, found: &RelationSize, block_size: u64) -> Option<u64> {
    let pages = found
        .is_measured
        .then(|| found.main_bytes / block_size.max(1));
    estimate(table.tuples, table.pages, pages)
}

/// `reltuples`, scaled from the pages it was counted in to those that there are now, as the planner
/// does it (`table_block_relation_estimate_size` in `tableam.c`).
///
/// What was never counted has -1, and before PostgreSQL 14 it has 0 in 0 pages, as has what was
/// counted while it was empty: neither says how full the present pages are.
fn estimate(tuples: f32, counted_pages: u32, pages: Option<u64>) -> Option<u64> {
    let tuples = f64::from(tuples);
    if pages == Some(0) {
        return Some(0);
    }
    if tuples < 0.0 || (tuples == 0.0 && counted_pages == 0) {
        return None;
    }
    let scaled = match pages {
        Some(pages) if counted_pages > 0 => tuples / f64::from(counted_pages) * exact(pages),
        _ => tuples,
    };
    Some(rounded(scaled))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "pages are counted in 32 bits, which a double holds exactly"
)]
const fn exact(pages: u64) -> f64 {
    pages as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an estimate; casts of floats saturate, and it is not negative"
)]
fn rounded(estimate: f64) -> u64 {
    estimate.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reltuples_grow_and_shrink_with_the_pages() {
        for (tuples, counted_pages, pages, expect) in [
            // as counted
            (1000.0, 10, Some(10), Some(1000)),
            // grown, shrunk, emptied
            (1000.0, 10, Some(15), Some(1500)),
            (1000.0, 10, Some(5), Some(500)),
            (1000.0, 10, Some(0), Some(0)),
            // the present pages could not be read
            (1000.0, 10, None, Some(1000)),
            // never counted
            (-1.0, 0, Some(7), None),
            (-1.0, 0, None, None),
            (0.0, 0, Some(7), None),
            (0.0, 0, None, None),
            // counted when every row was deleted
            (0.0, 3, Some(7), Some(0)),
            // never counted, but nothing there
            (-1.0, 0, Some(0), Some(0)),
        ] {
            assert_eq!(
                estimate(tuples, counted_pages, pages),
                expect,
                "{tuples} in {counted_pages} pages, now {pages:?}"
            );
        }
    }
}
