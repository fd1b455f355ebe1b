//! Makes a snapshot's numbers add up: last good values for what was not read, then the totals.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::Oid;
use crate::size::{SizeSource, Status};
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
/// `database_bytes` is what the server says, if it could be asked. Where files of a relation are missing the
/// server's figure lacks them as well, so the total is unknown.
///
/// `unattributed` is what the visit knows to belong to no relation; where it cannot know
/// (`None`), everything that is left over is unattributed if every relation was read; otherwise it is
/// unmeasured, and how much of it belongs to no relation is unknown.
///
/// Estimates stay what they are: a value of some time ago. Where they exceed what is left beside the measured
/// bytes, they count as what is left. Where measured bytes alone exceed `database_bytes` (a database that
/// shrank while it was being read) the total is what was measured.
pub fn reconcile(
    tables: &[Table],
    database_bytes: Option<u64>,
    unattributed: Option<u64>,
) -> Totals {
    let (mut measured, mut estimated) = (0_u64, 0_u64);
    let (mut all_read, mut any_missing) = (true, false);
    for size in tables.iter().flat_map(Table::parts) {
        match size.bytes {
            Some(bytes) if size.is_measured() => measured += bytes,
            bytes => {
                estimated = estimated.saturating_add(bytes.unwrap_or(0));
                all_read &= size.status == Status::Dropped;
                any_missing |= size.status == Status::Missing;
            }
        }
    }
    let Some(database_bytes) = database_bytes.filter(|_| !any_missing) else {
        return Totals {
            total_bytes: None,
            attributed_bytes: measured.saturating_add(estimated),
            estimated_bytes: estimated,
            unattributed_bytes: unattributed,
            unmeasured_bytes: None,
        };
    };
    let known = measured + unattributed.unwrap_or(0);
    let total_bytes = database_bytes.max(known);
    let room = total_bytes - known;
    let estimated = estimated.min(room);
    let left = room - estimated;
    let (unattributed_bytes, unmeasured_bytes) = match unattributed {
        Some(bytes) if all_read => (Some(bytes + left), 0),
        Some(bytes) => (Some(bytes), left),
        None if all_read => (Some(left), 0),
        None => (None, left),
    };
    Totals {
        total_bytes: Some(total_bytes),
        attributed_bytes: measured + estimated,
        estimated_bytes: estimated,
        unattributed_bytes,
        unmeasured_bytes: Some(unmeasured_bytes),
    }
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
            parent_by_name: false,
        }
    }

    /// Expected are total, attributed, estimated, unattributed (`-1`: unknown) and unmeasured bytes.
    fn check(sizes: &[Size], database_bytes: u64, unattributed: Option<u64>, expect: [i64; 5]) {
        let tables = tables(sizes);
        let totals = reconcile(&tables, Some(database_bytes), unattributed);
        let unattributed = u64::try_from(expect[3]).ok();
        let [total, attributed, estimated, beside, unmeasured] =
            expect.map(|bytes| u64::try_from(bytes).unwrap_or(0));
        let expect = Totals {
            total_bytes: Some(total),
            attributed_bytes: attributed,
            estimated_bytes: estimated,
            unattributed_bytes: unattributed,
            unmeasured_bytes: Some(unmeasured),
        };
        assert_eq!(totals, expect);
        assert_eq!(total, attributed + beside + unmeasured);
    }

    fn tables(sizes: &[Size]) -> Vec<Table> {
        let sizes = (1..).zip(sizes);
        sizes.map(|(oid, size)| table(oid, *size)).collect()
    }

    fn locked(pages: u64) -> Size {
        Size::unread(Status::Locked, pages, 8192)
    }

    #[test]
    fn totals_add_up() {
        // everything read: the rest belongs to no relation
        check(&[Size::measured(70)], 100, None, [100, 70, 0, 30, 0]);
        // something unknown: the rest cannot be told apart
        let sizes = [Size::measured(70), locked(0)];
        check(&sizes, 100, None, [100, 70, 0, -1, 30]);
        // an estimate is attributed, and the rest is not called unattributed
        let sizes = [Size::measured(1), locked(1)];
        check(&sizes, 9000, None, [9000, 8193, 8192, -1, 807]);
        // an estimate that cannot be true counts as what is left
        let sizes = [Size::measured(1), locked(2)];
        check(&sizes, 9000, None, [9000, 9000, 8999, -1, 0]);
        // files: what belongs to no relation is known
        let sizes = [Size::measured(70)];
        check(&sizes, 100, Some(30), [100, 70, 0, 30, 0]);
        let sizes = [Size::measured(50), locked(0)];
        check(&sizes, 100, Some(30), [100, 50, 0, 30, 20]);
        // the database shrank while it was read
        check(&[Size::measured(120)], 100, None, [120, 120, 0, 0, 0]);
        // what was dropped meanwhile leaves nothing unread
        let sizes = [Size::measured(70), Size::unread(Status::Dropped, 0, 8192)];
        check(&sizes, 100, None, [100, 70, 0, 30, 0]);
    }

    #[test]
    fn an_unknown_total_stays_unknown_and_cuts_nothing() {
        let missing = Size::unread(Status::Missing, 0, 8192);
        for (sizes, database_bytes, unattributed) in [
            (vec![Size::measured(70), locked(2)], None, None),
            (vec![Size::measured(70), locked(2)], None, Some(5)),
            // the server's own figure lacks what is missing
            (
                vec![Size::measured(70), locked(2), missing],
                Some(90),
                Some(5),
            ),
        ] {
            let tables = tables(&sizes);
            let totals = reconcile(&tables, database_bytes, unattributed);
            let expect = Totals {
                total_bytes: None,
                attributed_bytes: 70 + 16_384,
                estimated_bytes: 16_384,
                unattributed_bytes: unattributed,
                unmeasured_bytes: None,
            };
            assert_eq!(totals, expect);
        }
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
