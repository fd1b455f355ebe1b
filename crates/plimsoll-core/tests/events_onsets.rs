//! One change is one onset of one kind, whatever hour the last sample has.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::events::{Shape, ShapeKind, shapes};
use plimsoll_core::forecast::Point;

const MB: u64 = 1 << 20;
const MINUTES: i64 = 60;
const DAY: i64 = 24 * 60 * MINUTES;
/// A midnight.
const START: i64 = 1_704_067_200;
/// When the daily sample is taken.
const THREE: i64 = 3 * 60 * MINUTES;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time of this century")
}

/// A share of `bytes` that a fixed sequence draws for a day.
fn uneven(bytes: u64, day: i64) -> u64 {
    let mixed = day.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    bytes * (50 + mixed % 100) / 100
}

/// A gigabyte that grows by some megabytes a day, and what `then` adds so many seconds after the start.
fn size(second: i64, then: impl Fn(i64) -> u64) -> u64 {
    let (day, rest) = (second / DAY, second % DAY);
    let whole: u64 = (0..day).map(|day| uneven(5 * MB, day)).sum();
    let share = uneven(5 * MB, day) * rest.unsigned_abs() / DAY.unsigned_abs();
    1024 * MB + whole + share + then(second)
}

/// A history as the store keeps it: every day at three, and every quarter of an hour in the last days.
fn history(until: i64, watched_days: i64, size: impl Fn(i64) -> u64) -> Vec<Point> {
    let mut times: Vec<i64> = (0..)
        .map(|day| day * DAY + THREE)
        .take_while(|&s| s <= until)
        .collect();
    let from = until - watched_days * DAY;
    times.extend(
        (0..)
            .map(|nth| nth * 15 * MINUTES)
            .skip_while(|&s| s < from)
            .take_while(|&s| s <= until),
    );
    times.sort_unstable();
    times.dedup();
    times
        .into_iter()
        .map(|second| Point {
            at: at(START + second),
            bytes: size(second),
        })
        .collect()
}

fn alarms(points: &[Point]) -> Vec<Shape> {
    shapes(points, &[])
        .into_iter()
        .filter(|shape| shape.alert)
        .collect()
}

/// Looks every quarter of an hour from the change on; says which kinds were told, and that it is one onset that stays.
fn told_as(change: i64, watched_days: i64, days: i64, size: impl Fn(i64) -> u64) -> Vec<ShapeKind> {
    let mut first: Option<Timestamp> = None;
    let mut kinds = Vec::new();
    for quarter in 0..days * 96 {
        let until = change + quarter * 15 * MINUTES;
        let found = alarms(&history(until, watched_days, &size));
        assert!(found.len() <= 1, "{found:?}");
        let Some(shape) = found.first() else { continue };
        let began = *first.get_or_insert(shape.t);
        let moved = shape.t.duration_since(began).abs();
        assert!(
            moved <= SignedDuration::from_hours(24),
            "{moved:?} after {quarter}"
        );
        if kinds.last() != Some(&shape.kind) {
            kinds.push(shape.kind);
        }
    }
    let away = first.map(|t| t.duration_since(at(START + change)).abs());
    assert!(
        away.is_none_or(|away| away <= SignedDuration::from_hours(48)),
        "{away:?}"
    );
    kinds
}

#[test]
fn a_jump_is_one_onset_whatever_hour_the_last_sample_has() {
    for hour in [1, 3, 9, 17, 23] {
        let change = 50 * DAY + hour * 60 * MINUTES;
        let jump = |second| if second >= change { 400 * MB } else { 0 };
        let kinds = told_as(change, 2, 5, |second| size(second, jump));
        assert_eq!(kinds, [ShapeKind::LevelUp], "at {hour}");
    }
}

#[test]
fn a_size_that_stood_still_and_then_grows_is_one_slope_up() {
    let change = 50 * DAY + 11 * 60 * MINUTES;
    let grows = |second: i64| {
        2048 * MB + 60 * MB * (second - change).max(0).unsigned_abs() / DAY.unsigned_abs()
    };
    let kinds = told_as(change, 2, 16, grows);
    assert_eq!(kinds.last(), Some(&ShapeKind::SlopeUp), "{kinds:?}");
    // what it is takes some days, and then stays
    assert!(kinds.len() <= 3, "{kinds:?}");
}

#[test]
fn growth_that_stands_still_again_is_told_once() {
    let change = 50 * DAY + 11 * 60 * MINUTES;
    let grows = |second: i64| {
        let days = (second - change).clamp(0, 6 * DAY).unsigned_abs();
        2048 * MB + 60 * MB * days / DAY.unsigned_abs()
    };
    assert!(!told_as(change, 2, 25, grows).is_empty());
}

/// The size at three on each of so many days, which grow by `rate` of the size so far.
fn daily(days: i64, mut rate: impl FnMut(i64, u64) -> u64) -> Vec<Point> {
    let mut bytes = 1024 * MB;
    (0..days)
        .map(|day| {
            bytes += uneven(rate(day, bytes), day);
            Point {
                at: at(START + day * DAY + THREE),
                bytes,
            }
        })
        .collect()
}

#[test]
fn growth_in_proportion_to_the_size_is_no_change_of_slope() {
    assert_eq!(alarms(&daily(200, |_, bytes| bytes / 120)), []);
}

#[test]
fn growth_that_only_looks_like_a_proportion_is_told() {
    // the size has grown fivefold at one rate before the rate doubles: nothing rose with the size
    let found = alarms(&daily(
        215,
        |day, _| if day < 200 { 22 * MB } else { 58 * MB },
    ));
    let kinds: Vec<_> = found.iter().map(|shape| shape.kind).collect();
    assert_eq!(kinds, [ShapeKind::SlopeUp], "{found:?}");
}

/// Asserts that what adds `then` is told as no more than its 300 MB.
fn assert_told_by_its_size(what: &str, then: impl Fn(i64) -> u64) {
    for watched_days in [0, 14] {
        for last in 101..108 {
            let points = history(last * DAY + THREE, watched_days, |second| {
                size(second, &then)
            });
            let found = alarms(&points);
            for shape in &found {
                let delta = shape.delta_bytes.expect("a step has a size");
                let told = delta / MB as f64;
                assert!((270.0..=330.0).contains(&told), "{what}: {shape:?}");
            }
            assert!(found.len() <= 1, "{what}: {found:?}");
        }
    }
}

#[test]
fn a_spike_is_told_by_its_size_and_not_by_the_way_up_and_down() {
    for begin in [0, 5, 11, 17, 23] {
        for hours in [24, 30, 47] {
            let from = 100 * DAY + begin * 60 * MINUTES;
            let to = from + hours * 60 * MINUTES;
            assert_told_by_its_size(&format!("{begin} {hours}"), |second| {
                u64::from((from..to).contains(&second)) * 300 * MB
            });
        }
    }
}

#[test]
fn a_spike_that_comes_again_is_one_of_its_size() {
    assert_told_by_its_size("twice", |second| {
        let day = (second - THREE) / DAY;
        u64::from(day == 100 || day == 102) * 300 * MB
    });
}
