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

/// A time as an answer writes it.
pub fn text(time: Timestamp) -> impl fmt::Display {
    // `{:.3}` cuts what is finer
    fmt::from_fn(move |f| write!(f, "{time:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
