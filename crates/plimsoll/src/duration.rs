//! Lengths of time as people write them: `15m`, `2d`, `1h 30m`, `100ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;
use serde::de::{self, Visitor};

/// A length of time that is not negative. A day has 24 hours, a week seven days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Length(pub(crate) SignedDuration);

impl Length {
    /// As the standard library's type.
    pub(crate) fn std(self) -> Duration {
        self.0.unsigned_abs()
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a length of time: write a number and one of ms, s, m, h, d, w, such as \"15m\" or \"90d\""
            )
        };
        let span: Span = text.parse().map_err(|_| wrong())?;
        let length = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| wrong())?;
        if length.is_negative() {
            Err(wrong())
        } else {
            Ok(Self(length))
        }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Length;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a length of time such as \"15m\" or \"90d\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, seconds) in [
            ("15m", Some(900.0)),
            ("2d", Some(172_800.0)),
            ("1h 30m", Some(5400.0)),
            ("100ms", Some(0.1)),
            ("1w", Some(604_800.0)),
            ("0s", Some(0.0)),
            ("-1h", None),
            ("soon", None),
            ("1 month", None),
        ] {
            let read = text.parse::<Length>().ok().map(|l| l.0.as_secs_f64());
            assert_eq!(read, seconds, "{text}");
        }
    }
}
