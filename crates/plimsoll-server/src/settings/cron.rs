//! A cron expression, parsed once, in UTC.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Times that recur: five fields, or six with seconds first, or a nickname such as `@daily`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cron {
    text: String,
    pattern: croner::Cron,
}

/// A cron expression that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a cron expression: {reason}. Write minute, hour, day of month, month and day of week, such as \"0 3 * * *\" for 03:00 UTC every day, or \"off\""
)]
pub struct CronError {
    text: String,
    reason: String,
}

impl Cron {
    /// The first time after `at`; none when there is none within what the calendar can express.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        let at = TimeZone::UTC.to_datetime(at);
        let next = self.pattern.find_next_occurrence(&at, false).ok()?;
        TimeZone::UTC.to_timestamp(next).ok()
    }

    /// The last time up to `at`, which is included.
    pub fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        let at = TimeZone::UTC.to_datetime(at);
        let last = self.pattern.find_previous_occurrence(&at, true).ok()?;
        TimeZone::UTC.to_timestamp(last).ok()
    }

    /// A constant of the program, which is known to be right.
    pub(crate) fn constant(text: &str) -> Self {
        #[expect(
            clippy::expect_used,
            reason = "only called with constants, each covered by a test"
        )]
        text.parse().expect("a constant that is a cron expression")
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let wrong = |reason: String| CronError {
            text: text.to_owned(),
            reason,
        };
        let pattern: croner::Cron = text
            .parse()
            .map_err(|error: croner::errors::CronError| wrong(error.to_string()))?;
        let cron = Self {
            text: text.trim().to_owned(),
            pattern,
        };
        if cron.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err(wrong("it never comes".to_owned()));
        }
        Ok(cron)
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_come_in_utc_and_a_time_is_its_own_last_but_not_its_own_next() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (cron, now, last, next) in [
            (
                "0 3 * * *",
                "2026-03-29T03:00:00Z",
                "2026-03-29T03:00:00Z",
                "2026-03-30T03:00:00Z",
            ),
            (
                "0 3 * * *",
                "2026-03-29T02:59:59.9Z",
                "2026-03-28T03:00:00Z",
                "2026-03-29T03:00:00Z",
            ),
            (
                "*/15 * * * *",
                "2026-01-01T00:07:30.5Z",
                "2026-01-01T00:00:00Z",
                "2026-01-01T00:15:00Z",
            ),
            (
                "*/5 * * * * *",
                "2026-01-01T00:00:07Z",
                "2026-01-01T00:00:05Z",
                "2026-01-01T00:00:10Z",
            ),
            (
                "@daily",
                "2026-01-01T12:00:00Z",
                "2026-01-01T00:00:00Z",
                "2026-01-02T00:00:00Z",
            ),
        ] {
            let cron: Cron = cron.parse().unwrap();
            assert_eq!(
                cron.last_until(at(now)),
                Some(at(last)),
                "{cron} last until {now}"
            );
            assert_eq!(
                cron.next_after(at(now)),
                Some(at(next)),
                "{cron} next after {now}"
            );
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_an_example() {
        for text in ["", "at night", "61 * * * *", "0 0 30 2 *"] {
            let error = text.parse::<Cron>().unwrap_err().to_string();
            assert!(error.contains("0 3 * * *"), "{text}: {error}");
        }
    }
}
