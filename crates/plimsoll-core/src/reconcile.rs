//! Makes a snapshot's numbers add up: last good values for what was not read, then the totals.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::Oid;
use crate::size::SizeSource;
use crate::snapshot::{Table, Totals};

/// A relation's last measured size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastGood {
    /// The bytes.
    pub bytes: u64,
    /// When they were measured.
    pub at: Timestamp,
}

/// Puts the last good value in the place of everything that this visit could not read.
pub fn fill_last_good<S: std::hash::BuildHasher>(
    tables: &mut [Table],
    last_good: &HashMap<Oid, LastGood, S>,
) {
    if last_good.is_empty() {
        return;
    }
    for (oid, size) in tables.iter_mut().flat_map(Table::parts_mut) {
        if size.is_measured() {
            continue;
        }
        if let Some(good) = last_good.get(&oid) {
            size.bytes = Some(good.bytes);
            size.source = SizeSource::LastGood;
            size.last_good_at = Some(good.at.into());
        }
    }
}

/// Divides `database_bytes` among what was measured, what is estimated, and the rest.
///
/// `unattributed` is what the visit knows to belong to no relation; where it cannot know
/// (`None`), everything that is left over is unattributed if every relation was read, and
/// unmeasured otherwise.
///
/// Estimates that together exceed what is left beside the measured bytes cannot be true, and are
/// scaled down to it. Where measured bytes alone exceed `database_bytes` (a database that shrank
/// while it was being read) the total is what was measured.
pub fn reconcile(tables: &mut [Table], database_bytes: u64, unattributed: Option<u64>) -> Totals {
    let (mut measured, mut estimated, mut all_read) = (0_u64, 0_u64, true);
    for size in tables.iter().flat_map(Table::parts) {
        if size.is_measured() {
            measured += size.bytes.unwrap_or(0);
        } else {
            estimated += size.estimated_bytes();
            all_read = false;
        }
    }
    let known = measured + unattributed.unwrap_or(0);
    let total_bytes = database_bytes.max(known);
    let room = total_bytes - known;
    if estimated > room {
        estimated = scale_estimates(tables, estimated, room);
    }
    let left = room - estimated;
    let (unattributed_bytes, unmeasured_bytes) = match unattributed {
        Some(bytes) if all_read => (bytes + left, 0),
        Some(bytes) => (bytes, left),
        None if all_read => (left, 0),
        None => (0, left),
    };
    Totals {
        total_bytes,
        attributed_bytes: measured + estimated,
        estimated_bytes: estimated,
        unattributed_bytes,
        unmeasured_bytes,
    }
}

/// Scales every estimate by `room / estimated`, rounded down; returns their new sum.
fn scale_estimates(tables: &mut [Table], estimated: u64, room: u64) -> u64 {
    let mut sum = 0;
    for (_, size) in tables.iter_mut().flat_map(Table::parts_mut) {
        if size.is_measured() {
            continue;
        }
        if let Some(bytes) = size.bytes {
            let scaled = u128::from(bytes) * u128::from(room) / u128::from(estimated);
            let scaled = u64::try_from(scaled).unwrap_or(room);
            size.bytes = Some(scaled);
            sum += scaled;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::{Size, Status};
    use crate::snapshot::{Persistence, Rows, Storage, TableKind};

    fn table(oid: Oid, size: Size) -> Table {
        Table {
            oid,
            schema_name: "public".into(),
            table_name: format!("t{oid}").into(),
            kind: TableKind::Table,
            persistence: Persistence::Permanent,
            access_method: None,
            heap: Storage {
                filenode: oid,
                tablespace: 1663,
                size,
            },
            toast: None,
            indexes: Vec::new(),
            rows: Rows::default(),
            parent_oid: None,
        }
    }

    fn check(sizes: &[Size], database_bytes: u64, unattributed: Option<u64>, expect: Totals) {
        let mut tables: Vec<_> = (1..)
            .zip(sizes)
            .map(|(oid, size)| table(oid, *size))
            .collect();
        let totals = reconcile(&mut tables, database_bytes, unattributed);
        assert_eq!(totals, expect);
        assert_eq!(
            totals.total_bytes,
            totals.attributed_bytes + totals.unattributed_bytes + totals.unmeasured_bytes
        );
    }

    #[test]
    fn totals_add_up() {
        let locked = |pages| Size::unread(Status::Locked, pages, 8192);
        let totals = |total, attributed, estimated, unattributed, unmeasured| Totals {
            total_bytes: total,
            attributed_bytes: attributed,
            estimated_bytes: estimated,
            unattributed_bytes: unattributed,
            unmeasured_bytes: unmeasured,
        };
        // everything read: the rest belongs to no relation
        check(&[Size::measured(70)], 100, None, totals(100, 70, 0, 30, 0));
        // something unknown: the rest cannot be told apart
        check(
            &[Size::measured(70), locked(0)],
            100,
            None,
            totals(100, 70, 0, 0, 30),
        );
        // an estimate is attributed, and the rest is not called unattributed
        check(
            &[Size::measured(1), locked(1)],
            9000,
            None,
            totals(9000, 8193, 8192, 0, 807),
        );
        // an estimate that cannot be true is cut to what is left
        check(
            &[Size::measured(1), locked(2)],
            9000,
            None,
            totals(9000, 9000, 8999, 0, 0),
        );
        // files: what belongs to no relation is known
        check(
            &[Size::measured(70)],
            100,
            Some(30),
            totals(100, 70, 0, 30, 0),
        );
        check(
            &[Size::measured(50), locked(0)],
            100,
            Some(30),
            totals(100, 50, 0, 30, 20),
        );
        // the database shrank while it was read
        check(&[Size::measured(120)], 100, None, totals(120, 120, 0, 0, 0));
    }

    #[test]
    fn last_good_takes_the_place_of_what_was_not_read() {
        let at = Timestamp::UNIX_EPOCH;
        let mut tables = vec![
            table(1, Size::measured(5)),
            table(2, Size::unread(Status::Locked, 7, 8192)),
        ];
        let good = HashMap::from([
            (1, LastGood { bytes: 9, at }),
            (2, LastGood { bytes: 11, at }),
        ]);
        fill_last_good(&mut tables, &good);
        assert_eq!(tables[0].heap.size, Size::measured(5));
        assert_eq!(tables[1].heap.size.bytes, Some(11));
        assert_eq!(tables[1].heap.size.source, SizeSource::LastGood);
        assert_eq!(tables[1].heap.size.status, Status::Locked);
    }
}
