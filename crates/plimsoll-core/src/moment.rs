//! A moment in eight bytes, and an `Option` of one in the same eight: hundreds of thousands of sizes may have one.

use std::num::NonZeroI64;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A [`Timestamp`] to the microsecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Timestamp", into = "Timestamp")]
pub struct Moment(NonZeroI64);

const FIRST: NonZeroI64 = match NonZeroI64::new(1) {
    Some(one) => one,
    None => NonZeroI64::MAX,
};

impl From<Timestamp> for Moment {
    /// What is within the first microsecond of 1970 becomes its end.
    fn from(timestamp: Timestamp) -> Self {
        Self(NonZeroI64::new(timestamp.as_microsecond()).unwrap_or(FIRST))
    }
}

impl From<Moment> for Timestamp {
    fn from(moment: Moment) -> Self {
        // It came from a timestamp, so it is one.
        Self::from_microsecond(moment.0.get()).unwrap_or(Self::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_its_timestamp_to_the_microsecond_and_none_costs_nothing() {
        for text in [
            "2026-03-10T12:00:00Z",
            "2026-03-10T12:00:00.123456Z",
            "1969-12-31T23:59:59.999999Z",
            "1970-01-01T00:00:00.000001Z",
        ] {
            let timestamp: Timestamp = text.parse().unwrap();
            assert_eq!(Timestamp::from(Moment::from(timestamp)), timestamp);
        }
        let epoch = Timestamp::from(Moment::from(Timestamp::UNIX_EPOCH));
        assert_eq!(epoch.as_microsecond(), 1);
        assert_eq!(size_of::<Option<Moment>>(), 8);
        assert_eq!(size_of::<crate::size::Size>(), 32);
    }
}
