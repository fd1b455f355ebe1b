//! Byte sizes as PostgreSQL's own configuration writes them.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Visitor};

/// A number of bytes: `1048576`, `"512MB"`, `"2TB"`. Units are 1024 apart, as in `postgresql.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) u64);

/// The units of `postgresql.conf` (documentation, "Parameter Names and Values"), and PB.
const UNITS: [(&str, u32); 6] = [
    ("B", 0),
    ("kB", 10),
    ("MB", 20),
    ("GB", 30),
    ("TB", 40),
    ("PB", 50),
];

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is not a size: write a whole number and one of B, kB, MB, GB, TB, PB, such as \"500GB\""
            )
        };
        let text_trimmed = text.trim();
        let digits_end = text_trimmed
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text_trimmed.len());
        let (number, unit) = text_trimmed.split_at(digits_end);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let unit = match unit.trim() {
            "" => "B",
            unit => unit,
        };
        let &(_, shift) = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .ok_or_else(wrong)?;
        number.checked_mul(1 << shift).map(Self).ok_or_else(wrong)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"500GB\"")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Bytes, E> {
                u64::try_from(number)
                    .map(Bytes)
                    .map_err(|_| E::custom("a size is not negative"))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Bytes, E> {
                Ok(Bytes(number))
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_as_postgresql_does() {
        for (text, bytes) in [
            ("0", Some(0)),
            ("1048576", Some(1 << 20)),
            ("512MB", Some(512 << 20)),
            ("2 TB", Some(2 << 40)),
            ("8kb", Some(8192)),
            ("1.5GB", None),
            ("-1", None),
            ("12 parsecs", None),
            ("", None),
            ("99999999999PB", None),
        ] {
            assert_eq!(text.parse::<Bytes>().ok().map(|b| b.0), bytes, "{text}");
        }
    }
}
