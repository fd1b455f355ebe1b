//! Where a series is measured otherwise than before, and which part of it is one series.
//!
//! Two tools may mean two things by a size: a database or the volume that it lies on, tables with or without their
//! indexes. Nobody says which, so what they measured is one series only where the two meet.

use jiff::Timestamp;

use crate::forecast::Point;

/// Sizes that differ by no more than this share of the larger one meet: a day's growth, and no other measure.
const MEETS: u64 = 20;

/// Whether what one tool measured last and what another measured first may be the same size.
pub const fn meets(before: u64, after: u64) -> bool {
    let larger = if before > after { before } else { after };
    before.abs_diff(after) <= larger / MEETS
}

/// Where the part begins that is one series to the end of `points` (oldest first), and the change at which it does;
/// none where that is all of them.
///
/// `changes` are the times of the first samples that were measured otherwise, to the second.
pub fn begins(points: &[Point], changes: &[Timestamp]) -> Option<(usize, Timestamp)> {
    let divides = |change: &Timestamp| {
        let second = change.as_second();
        let place = points.partition_point(|point| point.at.as_second() < second);
        let (before, after) = (points.get(place.checked_sub(1)?)?, points.get(place)?);
        (!meets(before.bytes, after.bytes)).then_some((place, *change))
    };
    changes
        .iter()
        .filter_map(divides)
        .max_by_key(|found| found.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_begins_anew_where_two_measures_do_not_meet() {
        let at = |day: i64, ms: i64| Timestamp::from_millisecond(day * 86_400_000 + ms).unwrap();
        let points: Vec<Point> = [100, 101, 500, 505, 520, 90]
            .into_iter()
            .zip(0..)
            .map(|(bytes, day)| Point {
                at: at(day, 500),
                bytes,
            })
            .collect();
        for (changes, expected) in [
            (&[][..], None),
            // known to the second only
            (&[at(2, 0)], Some((2, at(2, 0)))),
            (&[at(2, 500)], Some((2, at(2, 500)))),
            (&[at(1, 800)], None),
            // the two meet
            (&[at(3, 500)], None),
            (&[at(2, 500), at(4, 500)], Some((2, at(2, 500)))),
            (&[at(5, 500), at(2, 500)], Some((5, at(5, 500)))),
            // nothing before, nothing after
            (&[at(0, 0)], None),
            (&[at(6, 0)], None),
        ] {
            assert_eq!(begins(&points, changes), expected, "{changes:?}");
        }
        assert!(meets(0, 0) && meets(95, 100) && meets(100, 95));
        assert!(!meets(94, 100) && !meets(0, 1));
    }
}
