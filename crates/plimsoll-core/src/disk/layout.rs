//! Which volume each directory of an instance lies on: declared, found, remembered, or else assumed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A directory of an instance that may lie on a volume of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Place {
    /// The data directory.
    Data,
    /// `pg_wal`.
    Wal,
    /// The server's logs.
    Log,
    /// A tablespace, by its name.
    Tablespace(String),
}

impl Place {
    /// Of a tablespace: `pg_default` and `pg_global` lie in the data directory.
    pub fn of_tablespace(name: &str) -> Self {
        match name {
            "pg_default" | "pg_global" => Self::Data,
            _ => Self::Tablespace(name.to_owned()),
        }
    }
}

/// A place is not one of `data`, `wal`, `log` and `tablespace:NAME`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no volume's name: data, wal, log or tablespace:NAME")]
pub struct UnknownPlace(String);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data => f.write_str("data"),
            Self::Wal => f.write_str("wal"),
            Self::Log => f.write_str("log"),
            Self::Tablespace(name) => write!(f, "tablespace:{name}"),
        }
    }
}

impl FromStr for Place {
    type Err = UnknownPlace;

    fn from_str(text: &str) -> Result<Self, UnknownPlace> {
        Ok(match text {
            "data" => Self::Data,
            "wal" => Self::Wal,
            "log" => Self::Log,
            _ => match text.strip_prefix("tablespace:") {
                Some(name) if !name.is_empty() => Self::Tablespace(name.to_owned()),
                _ => return Err(UnknownPlace(text.to_owned())),
            },
        })
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for Place {
    type Error = UnknownPlace;

    fn try_from(text: String) -> Result<Self, UnknownPlace> {
        text.parse()
    }
}

/// Where a place lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnPool {
    /// The pool.
    pub pool: String,
    /// Whether that is only a guess: the data directory's volume, since nothing else is known.
    pub assumed: bool,
}

/// The pool of each place. What the configuration declares goes first, then what was found now, then what was found
/// earlier (a stopped server shows nothing); what is left lies on the data directory's pool, assumed.
///
/// Without any pool for the data directory, `fallback` names one: then everything is assumed.
pub fn layout(
    places: &[Place],
    declared: &BTreeMap<Place, String>,
    found: &BTreeMap<Place, String>,
    remembered: &BTreeMap<Place, String>,
    fallback: &str,
) -> BTreeMap<Place, OnPool> {
    let known = |place: &Place| {
        declared
            .get(place)
            .or_else(|| found.get(place))
            .or_else(|| remembered.get(place))
    };
    let data = known(&Place::Data);
    places
        .iter()
        .map(|place| {
            let pool = known(place);
            let assumed = pool.is_none();
            let pool = pool.or(data).map_or(fallback, String::as_str).to_owned();
            (place.clone(), OnPool { pool, assumed })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<Place, String> {
        pairs
            .iter()
            .map(|(place, pool)| (place.parse().unwrap(), (*pool).to_owned()))
            .collect()
    }

    #[test]
    fn declared_goes_before_found_before_remembered_and_the_rest_is_assumed() {
        let places: Vec<Place> = ["data", "wal", "log", "tablespace:fast"]
            .map(|text| text.parse().unwrap())
            .into();
        let none = BTreeMap::new();
        let check = |declared, found, remembered, expected: [(&str, bool); 4]| {
            let layout = layout(&places, declared, found, remembered, "data");
            for (place, (pool, assumed)) in places.iter().zip(expected) {
                assert_eq!(
                    layout[place],
                    OnPool {
                        pool: pool.into(),
                        assumed
                    },
                    "{place}"
                );
            }
        };
        check(&none, &none, &none, [("data", true); 4]);
        let found = map(&[("data", "/dev/a"), ("wal", "/dev/b")]);
        check(
            &none,
            &found,
            &none,
            [
                ("/dev/a", false),
                ("/dev/b", false),
                ("/dev/a", true),
                ("/dev/a", true),
            ],
        );
        check(
            &none,
            &none,
            &found,
            [
                ("/dev/a", false),
                ("/dev/b", false),
                ("/dev/a", true),
                ("/dev/a", true),
            ],
        );
        let declared = map(&[("wal", "/dev/c"), ("tablespace:fast", "/dev/d")]);
        check(
            &declared,
            &found,
            &none,
            [
                ("/dev/a", false),
                ("/dev/c", false),
                ("/dev/a", true),
                ("/dev/d", false),
            ],
        );
    }

    #[test]
    fn places_are_written_as_they_are_read() {
        for text in ["data", "wal", "log", "tablespace:a b:c"] {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        for text in ["", "tablespace:", "tablespace", "Data"] {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }
}
