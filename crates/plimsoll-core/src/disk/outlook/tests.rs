//! Volumes whose parts are known to the byte.

use super::*;
use crate::forecast::{Point, forecast};

const GB: f64 = 1e9;
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A series that gained so much a day for 40 days.
fn series(per_day: f64) -> PartCourse {
    let point = |day: i32| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a test's numbers"
        )]
        let bytes = (100.0 * GB + per_day * f64::from(day)) as u64;
        Point {
            at: NOW + SignedDuration::from_hours(24 * i64::from(day)),
            bytes,
        }
    };
    let points: Vec<Point> = (0..40).map(point).collect();
    PartCourse {
        course: Course::Series(Box::new(forecast(&points, &[]).unwrap())),
        gains: vec![Some(per_day); 39],
    }
}

fn alone(course: Course) -> PartCourse {
    PartCourse {
        course,
        gains: Vec::new(),
    }
}

fn days(date: Option<Timestamp>) -> Option<f64> {
    date.map(|date| date.duration_since(NOW).as_secs_f64() / 86_400.0)
}

#[test]
fn a_volume_is_full_when_all_its_parts_together_are() {
    let both = [series(2.0 * GB), series(GB)];
    let found = full(&both, 1.0, 90_000_000_000, NOW);
    let mid = days(found.mid).unwrap();
    assert!((mid - 30.0).abs() < 1.5, "{found:?}");
    assert!(found.low <= found.mid && found.mid <= found.high);
    // Where the file system saves three bytes of four, it lasts four times as long.
    let mid = days(full(&both, 0.25, 90_000_000_000, NOW).mid).unwrap();
    assert!((mid - 120.0).abs() < 6.0, "{mid}");
    // What shrinks, or stays, never fills it.
    let none = Dates {
        low: None,
        mid: None,
        high: None,
    };
    assert_eq!(full(&[alone(Course::Stays)], 1.0, 1_000_000, NOW), none);
    assert_eq!(full(&[], 1.0, 1, NOW), none);
    // A full one is full now, or within the hour.
    let at = days(full(&both, 1.0, 0, NOW).mid).unwrap();
    assert!(at < 0.05, "{at}");
}

#[test]
fn wal_grows_beyond_its_level_only_while_it_is_held_and_until_a_limit_ends_that() {
    let wal = |held| WalLevel {
        bytes: 10.0 * GB,
        level: Some(4.0 * GB),
        highest: 10.0 * GB,
        held,
    };
    let held = |ends_in_hours| {
        Some(Held {
            bytes_per_hour: GB,
            ends_in_hours,
        })
    };
    let mid = |wal: WalLevel, room: u64| days(full(&[alone(Course::Wal(wal))], 1.0, room, NOW).mid);
    assert!((mid(wal(held(None)), 36_000_000_000).unwrap() - 1.5).abs() < 0.05);
    assert_eq!(
        mid(wal(held(Some(20.0))), 36_000_000_000),
        None,
        "the limit comes first"
    );
    assert!((mid(wal(held(Some(40.0))), 36_000_000_000).unwrap() - 1.5).abs() < 0.05);
    assert_eq!(mid(wal(None), 1_000_000_000), None);
    // Below its level it may fill what is left of that, and no more.
    let small = WalLevel {
        bytes: GB,
        level: Some(4.0 * GB),
        highest: 3.0 * GB,
        held: None,
    };
    assert!(mid(small, 1_000_000_000).unwrap() < 0.1);
    assert_eq!(mid(small, 2_500_000_000), None);
    let low = full(&[alone(Course::Wal(small))], 1.0, 2_500_000_000, NOW).low;
    assert!(days(low).unwrap() < 0.1, "it may be as soon as that");
    assert_eq!(
        full(&[alone(Course::Wal(small))], 1.0, 3_100_000_000, NOW).low,
        None
    );
}

#[test]
fn a_level_of_wal_that_is_not_known_is_no_number() {
    let wal = |bytes: f64, held| WalLevel {
        bytes,
        level: None,
        highest: 3.0 * GB,
        held,
    };
    let mid = |wal: WalLevel, room: u64| days(full(&[alone(Course::Wal(wal))], 1.0, room, NOW).mid);
    // To where it has been, and not further.
    assert!(mid(wal(GB, None), 1_900_000_000).is_some());
    assert_eq!(mid(wal(GB, None), 2_100_000_000), None);
    assert_eq!(mid(wal(10.0 * GB, None), 100), None);
    let held = Some(Held {
        bytes_per_hour: GB,
        ends_in_hours: None,
    });
    assert!((mid(wal(10.0 * GB, held), 36_000_000_000).unwrap() - 1.5).abs() < 0.05);
}

#[test]
fn what_comes_and_goes_is_a_level_with_a_range() {
    let highs: Vec<f64> = (0..100)
        .map(|n| if n % 5 == 0 { 20.0 * GB } else { 2.0 * GB })
        .collect();
    let level = Level::of(&highs, 0.0);
    assert!(
        (level.above_now - 2.0 * GB).abs() < 1.0 && (level.half80 - 18.0 * GB).abs() < 1.0,
        "{level:?}"
    );
    let found = full(&[alone(Course::Level(level))], 1.0, 10_000_000_000, NOW);
    assert!(
        found.low.is_some() && found.mid.is_none() && found.high.is_none(),
        "{found:?}"
    );
    assert_eq!(
        Level::of(&[], 5.0),
        Level {
            above_now: 0.0,
            half80: 0.0
        }
    );
}

#[test]
fn parts_that_grow_together_are_not_taken_for_independent() {
    let level = Course::Level(Level {
        above_now: 0.0,
        half80: 10.0 * GB,
    });
    let part = |gains: &dyn Fn(i32) -> f64| PartCourse {
        course: level.clone(),
        gains: (0..20).map(|day| Some(gains(day))).collect(),
    };
    let wave = |day: i32| f64::from(day % 4);
    let other = |day: i32| f64::from(day / 2 % 2);
    let width = |parts: &[PartCourse]| sum(parts, &correlations(parts), 1.0, 1.0).1 / GB;
    let together = width(&[part(&wave), part(&|day| 3.0 * wave(day))]);
    assert!((together - 20.0).abs() < 1e-6, "{together}");
    let apart = width(&[part(&|day| f64::from(day % 2)), part(&other)]);
    assert!((apart - 200_f64.sqrt()).abs() < 0.2, "{apart}");
    // One gains what the other loses: that is no promise.
    let against = width(&[part(&wave), part(&|day| -wave(day))]);
    assert!((against - 200_f64.sqrt()).abs() < 1e-6, "{against}");
    // Nobody knows.
    let young = width(&[alone(level.clone()), alone(level.clone())]);
    assert!((young - 20.0).abs() < 1e-6, "{young}");
}
