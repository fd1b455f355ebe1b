//! Words, times, names and numbers as people write them, parsed once.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use plimsoll_core::name::{Letters, read_table};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::TableName;

use crate::forecasting::RankBy;

/// The order of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// Largest first; unknown sizes last.
    #[default]
    Size,
    /// By schema, then name.
    Name,
    /// Most rows first; unknown counts last.
    Rows,
    /// What grew most since the sample a week ago (or the oldest there is); unknown last.
    Growth,
}

/// Which kinds of relations are listed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Kinds {
    /// What people call a table: table, matview, partitioned.
    #[default]
    Listed,
    /// All of them.
    All,
    /// These.
    Only(Vec<TableKind>),
}

/// Which kinds of samples are listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleKinds(
    /// Empty means all.
    pub Vec<SampleKind>,
);

/// A word that means nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct AskError {
    /// What was written.
    pub given: String,
    /// What may be written.
    pub expected: String,
}

impl AskError {
    /// `given` is not `expected`.
    pub fn new(given: &str, expected: impl fmt::Display) -> Self {
        Self {
            given: given.to_owned(),
            expected: expected.to_string(),
        }
    }
}

impl Sort {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Name => "name",
            Self::Rows => "rows",
            Self::Growth => "growth",
        }
    }
}

impl FromStr for Sort {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        Ok(match text {
            "size" => Self::Size,
            "name" => Self::Name,
            "rows" => Self::Rows,
            "growth" => Self::Growth,
            _ => return Err(AskError::new(text, "one of size, name, rows, growth")),
        })
    }
}

/// Every kind of relation.
const TABLE_KINDS: [TableKind; 6] = [
    TableKind::Table,
    TableKind::Matview,
    TableKind::Partitioned,
    TableKind::Catalog,
    TableKind::Sequence,
    TableKind::Temporary,
];

impl FromStr for Kinds {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        if text == "all" {
            return Ok(Self::All);
        }
        let kind = |word: &str| {
            TABLE_KINDS.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
                AskError::new(
                    word,
                    "all, or a list of table, matview, partitioned, catalog, sequence, temporary",
                )
            })
        };
        text.split(',')
            .map(|word| kind(word.trim()))
            .collect::<Result<_, _>>()
            .map(Self::Only)
    }
}

impl Kinds {
    /// Whether relations of this kind are listed.
    pub fn include(&self, kind: TableKind) -> bool {
        match self {
            Self::Listed => kind.is_listed(),
            Self::All => true,
            Self::Only(kinds) => kinds.contains(&kind),
        }
    }
}

impl Default for SampleKinds {
    fn default() -> Self {
        Self(vec![SampleKind::Daily, SampleKind::Manual])
    }
}

impl FromStr for SampleKinds {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        if text == "all" {
            return Ok(Self(Vec::new()));
        }
        let kind = |word: &str| {
            word.parse()
                .map_err(|_| AskError::new(word, "all, or a list of daily, manual, watch"))
        };
        text.split(',')
            .map(|word| kind(word.trim()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for RankBy {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        Self::ALL
            .into_iter()
            .find(|by| by.as_str() == text)
            .ok_or_else(|| AskError::new(text, "table, schema or set"))
    }
}

/// Horizons in days, such as `7,30,90`.
pub fn horizons(text: &str) -> Result<Vec<f64>, AskError> {
    let wrong = || AskError::new(text, "1 to 32 numbers of days up to 3650, such as 7,30,90");
    let days = |word: &str| {
        let days: f64 = word.trim().parse().ok()?;
        (days > 0.0 && days <= 3650.0).then_some(days)
    };
    let all: Option<Vec<f64>> = text.split(',').map(days).collect();
    all.filter(|all| all.len() <= 32).ok_or_else(wrong)
}

/// How dense a history is read: `all`, `hour` or `day`.
pub fn step(text: &str) -> Result<plimsoll_store::Step, AskError> {
    Ok(match text {
        "all" => plimsoll_store::Step::All,
        "hour" => plimsoll_store::Step::Hour,
        "day" => plimsoll_store::Step::Day,
        _ => return Err(AskError::new(text, "one of all, hour, day")),
    })
}

/// A point in time: RFC 3339, a date and time without a zone (UTC), or a date (its midnight, UTC).
pub fn time(text: &str) -> Result<Timestamp, AskError> {
    let expected = "a time such as 2026-01-31T06:00:00Z, or a date such as 2026-01-31";
    point(text).ok_or_else(|| AskError::new(text, expected))
}

fn point(text: &str) -> Option<Timestamp> {
    let in_utc = |at: jiff::civil::DateTime| {
        let zoned = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(zoned.timestamp())
    };
    let at = text.parse::<Timestamp>().ok();
    // A zone in brackets is not dropped.
    let has_zone = text.contains('[');
    at.or_else(|| in_utc(text.parse().ok().filter(|_| !has_zone)?))
}

/// A point in time: RFC 3339, a date (its midnight, UTC), or an age such as `7d` before `now`.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, AskError> {
    let wrong = || {
        AskError::new(
            text,
            "a time such as 2026-01-31T00:00:00Z, a date such as 2026-01-31, or an age such as 7d or 12h",
        )
    };
    if let Some(at) = point(text) {
        return Ok(at);
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    let age = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| wrong())?;
    if age < SignedDuration::ZERO {
        return Err(wrong());
    }
    now.checked_sub(age).map_err(|_| wrong())
}

/// A table as SQL would name it: `orders`, `sales.orders`, `"Sales"."Orders"`. Unquoted names fold to
/// lower case, and stand for `public` without a schema.
pub fn table_name(text: &str) -> Result<TableName, AskError> {
    let (schema, table) = read_table(text, Letters::Fold).ok_or_else(|| {
        AskError::new(
            text,
            "a table's name such as orders, sales.orders or \"Sales\".\"Orders\"",
        )
    })?;
    Ok(TableName::new(
        schema.unwrap_or_else(|| "public".to_owned()),
        table,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lie_in_public_unless_a_schema_is_named() {
        for (text, key) in [
            ("Orders", Some("orders")),
            ("\"Orders\"", Some("\"Orders\"")),
            ("public.orders", Some("orders")),
            ("sales.orders", Some("sales.orders")),
            ("U&\"c\\200D\"", Some("\"c\u{200d}\"")),
            ("a.b.c", None),
        ] {
            let read = table_name(text).ok().map(|name| name.key(15));
            assert_eq!(read.as_deref(), key, "{text}");
        }
    }

    #[test]
    fn times_are_absolute_or_ages() {
        let now: Timestamp = "2026-02-01T12:00:00Z".parse().unwrap();
        for (text, expect) in [
            ("2026-01-31T00:00:00Z", Some("2026-01-31T00:00:00Z")),
            ("2026-01-31T02:00:00+02:00", Some("2026-01-31T00:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("2026-01-31T06:30", Some("2026-01-31T06:30:00Z")),
            ("2026-01-31T06:30[Asia/Tokyo]", None),
            ("7d", Some("2026-01-25T12:00:00Z")),
            ("12h", Some("2026-02-01T00:00:00Z")),
            ("-7d", None),
            ("yesterday", None),
            ("0000-00-00", None),
            ("2026-02-30", None),
            ("", None),
        ] {
            let expect = expect.map(|t| t.parse::<Timestamp>().unwrap());
            assert_eq!(since(text, now).ok(), expect, "{text}");
            let is_age = text == "7d" || text == "12h";
            assert_eq!(time(text).ok(), expect.filter(|_| !is_age), "{text}");
        }
    }

    #[test]
    fn horizons_are_days() {
        assert_eq!(horizons("7, 30,90"), Ok(vec![7.0, 30.0, 90.0]));
        for wrong in ["", "0", "-7", "7,,30", "nan", "inf", "4000", "week"] {
            assert!(horizons(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn kinds_are_a_list_or_all() {
        assert_eq!("all".parse(), Ok(Kinds::All));
        assert_eq!(
            "table, catalog".parse(),
            Ok(Kinds::Only(vec![TableKind::Table, TableKind::Catalog]))
        );
        assert!("tables".parse::<Kinds>().is_err());
        assert_eq!("all".parse(), Ok(SampleKinds(vec![])));
        assert!(
            "daily,weekly"
                .parse::<SampleKinds>()
                .unwrap_err()
                .to_string()
                .contains("`weekly`")
        );
    }
}
