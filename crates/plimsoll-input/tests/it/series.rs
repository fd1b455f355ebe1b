//! The series that all files of these tests hold.

use std::io::Cursor;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::Point;
use plimsoll_input::{ReadOptions, Refused, Series};

/// The volume's size, of which the rest is free.
pub(crate) const CAPACITY: u64 = 500_000_000_000;

/// 40 days from 180 GB on.
pub(crate) fn reference() -> Vec<Point> {
    let start: Timestamp = "2026-08-20T00:00:00Z".parse().unwrap();
    (0..40_u64)
        .map(|day| Point {
            at: start + SignedDuration::from_hours(24 * i64::try_from(day).unwrap()),
            bytes: 180_094_419_235 + day * 1_541_138_686 + day * day * 7919 % 1_000_003,
        })
        .collect()
}

/// A file with a line for each point.
pub(crate) fn lines(header: &str, line: impl Fn(&Point) -> String) -> String {
    let lines: Vec<String> = reference().iter().map(line).collect();
    format!("{header}{}\n", lines.join("\n"))
}

pub(crate) fn date(point: &Point) -> String {
    point.at.strftime("%Y-%m-%d").to_string()
}

pub(crate) fn thousands(bytes: u64, separator: &str) -> String {
    let digits = bytes.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

pub(crate) fn read(text: impl AsRef<[u8]>, options: &ReadOptions) -> Result<Series, Refused> {
    plimsoll_input::read(&mut Cursor::new(text.as_ref()), options)
}

pub(crate) fn column(name: &str) -> ReadOptions {
    ReadOptions {
        column: Some(name.to_owned()),
        ..ReadOptions::default()
    }
}

/// The series is the reference, each size within so many bytes.
pub(crate) fn check(what: &str, series: Result<Series, Refused>, within: u64) {
    let series = series.unwrap_or_else(|refused| panic!("{what}: {refused}"));
    let expected = reference();
    assert_eq!(series.points.len(), expected.len(), "{what}");
    for (point, expected) in series.points.iter().zip(expected) {
        assert_eq!(point.at, expected.at, "{what}");
        assert!(
            point.bytes.abs_diff(expected.bytes) <= within,
            "{what}: {point:?}, not {expected:?}"
        );
    }
}
