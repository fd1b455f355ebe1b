//! How an answer writes a time: RFC 3339 in UTC, always to the millisecond, so that a column of them lines up and
//! texts of one moment are equal.

use std::fmt;

use jiff::Timestamp;
use serde::Serializer;

use crate::moment::Moment;

/// What an answer may have as a time.
pub trait Written {
    /// The time, if there is one.
    fn time(&self) -> Option<Timestamp>;
}

impl Written for Timestamp {
    fn time(&self) -> Option<Timestamp> {
        Some(*self)
    }
}

impl Written for Moment {
    fn time(&self) -> Option<Timestamp> {
        Some((*self).into())
    }
}

impl<T: Written> Written for Option<T> {
    fn time(&self) -> Option<Timestamp> {
        self.as_ref().and_then(T::time)
    }
}

/// For `#[serde(serialize_with)]` of each time in an answer.
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(time: &impl Written, serializer: S) -> Result<S::Ok, S::Error> {
    match time.time() {
        Some(time) => serializer.collect_str(&text(time)),
        None => serializer.serialize_none(),
    }
}

/// For `#[serde(serialize_with)]` of a list of times in an answer.
///
/// # Errors
/// The serializer's own.
pub fn serialize_all<S: Serializer>(times: &[Timestamp], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(times.iter().map(|time| text(*time).to_string()))
}

/// A time as an answer writes it.
pub fn text(time: Timestamp) -> impl fmt::Display {
    // `{:.3}` cuts what is finer
    fmt::from_fn(move |f| write!(f, "{time:.3}"))
}

/// A length of time in the unit that suits it: no length but none is 0 of something.
pub fn length(seconds: f64) -> String {
    let (number, unit, digits) = match seconds {
        ..10.0 => (seconds, "seconds", 1),
        ..90.0 => (seconds, "seconds", 0),
        ..5_400.0 => (seconds / 60.0, "minutes", 0),
        ..172_800.0 => (seconds / 3_600.0, "hours", 1),
        _ => (seconds / 86_400.0, "days", 1),
    };
    format!("{number:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_told_in_the_unit_that_suits_it() {
        for (seconds, expect) in [
            (1.6, "1.6 seconds"),
            (45.0, "45 seconds"),
            (90.0, "2 minutes"),
            (45.0 * 60.0, "45 minutes"),
            (90.0 * 60.0, "1.5 hours"),
            (45.5 * 3_600.0, "45.5 hours"),
            (48.0 * 3_600.0, "2.0 days"),
            (7.0 * 86_400.0, "7.0 days"),
        ] {
            assert_eq!(length(seconds), expect);
        }
    }

    #[test]
    fn times_have_three_digits() {
        for (time, expect) in [
            ("2026-01-31T00:00:00Z", "2026-01-31T00:00:00.000Z"),
            ("2026-01-31T00:00:00.1Z", "2026-01-31T00:00:00.100Z"),
            ("2026-01-31T00:00:00.123456789Z", "2026-01-31T00:00:00.123Z"),
            ("2026-01-31T02:00:00+02:00", "2026-01-31T00:00:00.000Z"),
        ] {
            assert_eq!(text(time.parse().unwrap()).to_string(), expect);
        }
    }
}
