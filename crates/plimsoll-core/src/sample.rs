//! What is kept of a snapshot.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a sample was taken, which decides how long it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SampleKind {
    /// The record, once a day: at 03:00 UTC, unless it is configured otherwise.
    Daily,
    /// The light watch between.
    Watch,
    /// Asked for by a person or a program.
    Manual,
}

impl SampleKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Daily, Self::Watch, Self::Manual];

    /// The name that answers and stores carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Watch => "watch",
            Self::Manual => "manual",
        }
    }
}

impl fmt::Display for SampleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of sample; there are daily, watch and manual")]
pub struct UnknownKind(pub String);

impl FromStr for SampleKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// One sample of one database, without its tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleHeader {
    /// Unique within the store, growing with time of insertion.
    pub id: i64,
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// When the visit began.
    pub sampled_at: Timestamp,
    /// Why it was taken.
    pub kind: SampleKind,
    /// `pg_database_size`; null where it was not known.
    pub total_bytes: Option<u64>,
    /// How many tables `table_sizes` names; null where another tool told the total alone.
    pub table_count: Option<u64>,
    /// Whether the data was made up by the demo.
    pub is_demo: bool,
    /// Whether another tool measured it: who knows what it covered, and what of a table it counted.
    pub is_imported: bool,
    /// How many parts of relations it could not read.
    pub unread_count: u64,
}
