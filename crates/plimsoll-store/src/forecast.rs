//! What a store keeps of forecasts: those of one database that agree with each other.

use jiff::Timestamp;
use plimsoll_core::forecast::coherent::HORIZONS;
use serde::{Deserialize, Serialize};

use crate::TableName;

/// The forecasts of a database and of what is in it, as of one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptForecast {
    /// What they were made from, and when.
    pub header: ForecastHeader,
    /// What moves, in the order of the growth in 90 days, largest first.
    pub parts: Vec<ForecastPart>,
}

/// What forecasts were made from, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastHeader {
    /// The newest sample that they are made from.
    pub sample_id: i64,
    /// When that was taken.
    pub sampled_at: Timestamp,
    /// When they were computed.
    pub computed_at: Timestamp,
    /// How long that took.
    pub took_ms: u64,
    /// Tables, also those that do not move.
    pub table_count: u64,
    /// Tables of which too little is known for a forecast: they count as they are.
    pub young_count: u64,
    /// Why the database has no forecast.
    pub unknown: Option<String>,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PartKind {
    /// The database.
    Database,
    /// All that a schema has.
    Schema,
    /// A partition set or an inheritance tree, as one.
    Set,
    /// A table; also a materialized view or a sequence.
    Table,
    /// Tables of a set, a schema or the database that are not there yet, or will be there no more.
    ToCome,
    /// What belongs to no table: catalogs, and files that belong to nothing.
    Rest,
}

impl PartKind {
    const ALL: [Self; 6] = [
        Self::Database,
        Self::Schema,
        Self::Set,
        Self::Table,
        Self::ToCome,
        Self::Rest,
    ];

    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Database => "d",
            Self::Schema => "s",
            Self::Set => "p",
            Self::Table => "t",
            Self::ToCome => "n",
            Self::Rest => "r",
        }
    }

    pub(crate) fn from_letter(letter: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.letter() == letter)
    }
}

/// What something in a database is expected to grow by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForecastPart {
    /// What it is.
    pub kind: PartKind,
    /// Its name; a schema's table name is empty, the database and the rest have neither.
    pub name: TableName,
    /// Bytes as of the sample.
    pub level_bytes: u64,
    /// What it is expected to grow by.
    pub horizons: PartHorizons,
}

/// Bytes at each horizon of [`HORIZONS_DAYS`](plimsoll_core::forecast::coherent::HORIZONS_DAYS).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartHorizons {
    /// What it grows by: a parent by what its parts grow by.
    pub grown: [i64; HORIZONS],
    /// Half the width of the 80 % bounds; none without a forecast of its own.
    pub half80: Option<[u64; HORIZONS]>,
    /// What its own forecast was moved by, so that all agree.
    pub adjustment: [i64; HORIZONS],
}

/// The horizon by whose growth parts are ordered: 90 days.
const ORDER_HORIZON: usize = 7;

impl ForecastPart {
    /// What it grows by in 90 days.
    pub const fn grown_bytes(&self) -> i64 {
        self.horizons.grown[ORDER_HORIZON]
    }
}

/// Which parts to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PartQuery {
    /// Of these kinds.
    pub kinds: Vec<PartKind>,
    /// Of this name only.
    pub name: Option<TableName>,
    /// Of each kind of schemas, sets and tables at most so many, those that grow most; of the others
    /// all.
    pub limit: Option<usize>,
}

#[cfg(test)]
mod tests {
    use plimsoll_core::forecast::coherent::HORIZONS_DAYS;

    use super::*;

    #[test]
    fn the_order_is_that_of_90_days() {
        assert!((HORIZONS_DAYS[ORDER_HORIZON] - 90.0).abs() < f64::EPSILON);
    }

    #[test]
    fn kinds_have_letters_of_their_own() {
        for kind in PartKind::ALL {
            assert_eq!(PartKind::from_letter(kind.letter()), Some(kind));
        }
        assert_eq!(PartKind::from_letter("x"), None);
    }
}
