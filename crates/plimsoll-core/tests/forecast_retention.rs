//! Partitions that come and go on days of the calendar keep their pattern, however unevenly rows come in.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use plimsoll_core::forecast::{Point, forecast};

const MB: u64 = 1 << 20;

/// What comes in on a day: most days little, now and then much, by a fixed sequence.
fn inflow(day: u64) -> u64 {
    let mixed = day.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    match mixed % 10 {
        0..5 => 0,
        5..9 => mixed % 40 * MB,
        _ => mixed % 700 * MB,
    }
}

fn midnight(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC)
        .expect("a day of this century")
        .timestamp()
}

/// The first day whose rows are still there on a day.
type Kept = fn(Date) -> Date;

fn three_months(day: Date) -> Date {
    day.first_of_month() - 2.months()
}

fn eight_weeks(day: Date) -> Date {
    day - i64::from(day.weekday().to_monday_zero_offset() + 8 * 7).days()
}

fn emptied_on_the_first(day: Date) -> Date {
    day.first_of_month()
}

/// The size on the day that is `nth` after the first.
fn size(kept: Kept, nth: i64) -> u64 {
    let first = date(2024, 1, 1);
    let oldest = kept(first + nth.days());
    let since = i64::from((oldest - first).get_days());
    (since..=nth)
        .map(|day| inflow(u64::try_from(day + 1000).expect("a day after 2021")))
        .sum::<u64>()
        + 100 * MB
}

fn series(kept: Kept, days: i64) -> Vec<Point> {
    (0..days)
        .map(|nth| Point {
            at: midnight(date(2024, 1, 1) + nth.days()),
            bytes: size(kept, nth),
        })
        .collect()
}

/// The mean error of forecasts made every 9 days in the second year, against that of "nothing will change".
fn against_naive(kept: Kept, ahead: i64) -> f64 {
    let (mut error, mut naive) = (0.0, 0.0);
    for days in (365..700).step_by(9) {
        let points = series(kept, days);
        let truth = size(kept, days - 1 + ahead) as f64;
        let said = forecast(&points, &[]).expect("a year is enough");
        error += (said.band(ahead as f64).point - truth).abs();
        naive += (said.level_bytes() as f64 - truth).abs();
    }
    error / naive
}

#[test]
fn uneven_partitions_are_forecast_better_than_by_no_change() {
    for (name, kept, most) in [
        ("three months", three_months as Kept, [0.8, 0.85, 1.0]),
        ("eight weeks", eight_weeks, [0.9, 0.9, 1.0]),
        ("emptied", emptied_on_the_first, [0.8, 1.0, 1.0]),
    ] {
        for (ahead, most) in [7, 30, 90].into_iter().zip(most) {
            let found = against_naive(kept, ahead);
            assert!(found < most, "{name}, {ahead} days: {found:.2}");
        }
    }
}

#[test]
fn the_drop_of_a_partition_is_expected_in_full() {
    // on the day before the 1st all that came in three months ago goes
    let until = i64::from((date(2025, 6, 30) - date(2024, 1, 1)).get_days()) + 1;
    let said = forecast(&series(three_months, until), &[]).expect("more than a year");
    let gone: u64 = (0..30)
        .map(|nth| {
            let day = i64::from((date(2025, 4, 1) - date(2024, 1, 1)).get_days()) + nth;
            inflow(u64::try_from(day + 1000).expect("a day after 2021"))
        })
        .sum();
    assert!(gone > 500 * MB, "the test needs a large partition");
    let expected = said.level_bytes() as f64 - said.band(1.0).point;
    let missed = (expected - gone as f64).abs();
    assert!(missed < 60.0 * MB as f64, "{expected} {gone}");
    assert!(
        said.period_days()
            .is_some_and(|days| (days - 30.4).abs() < 1.0)
    );
}

#[test]
fn drops_on_any_day_are_no_pattern() {
    let mut bytes = 5_000 * MB;
    let points: Vec<Point> = (0..400_u64)
        .map(|nth| {
            bytes += inflow(nth);
            if nth % 3 == 0 && inflow(nth + 77) > 300 * MB {
                bytes -= inflow(nth + 77).min(bytes / 2);
            }
            Point {
                at: midnight(date(2024, 1, 1))
                    + jiff::SignedDuration::from_hours(24 * i64::try_from(nth).unwrap_or(0)),
                bytes,
            }
        })
        .collect();
    let said = forecast(&points, &[]).expect("a year is enough");
    assert_eq!(said.period_days(), None);
}
