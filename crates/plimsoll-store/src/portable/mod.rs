//! Rows that are the same whichever store they come from, and what a store takes of them.

pub(crate) mod kinds;
pub(crate) mod line;
pub mod row;
pub(crate) mod seam;
pub(crate) mod splice;

use self::row::DatabaseRow;
pub use self::splice::Fit;
use self::splice::Splice;
use crate::DatabaseKey;

/// How many rows travel together.
pub(crate) const BATCH: usize = 1000;

/// What a store took of one database's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedHistory {
    /// Whose.
    pub of: DatabaseKey,
    /// Which part of it was taken.
    pub fit: Fit,
    /// How many samples were taken.
    pub samples: u64,
    /// How many were not: see [`Fit`].
    pub left_out: u64,
}

/// Why a store took nothing of a database's history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotImported {
    /// The rows ended before the database's end.
    #[error("the rows end before the database's end")]
    CutShort,
    /// The rows contradict each other.
    #[error("{0}")]
    Rows(String),
}

impl DatabaseRow {
    pub(crate) fn key(&self) -> DatabaseKey {
        DatabaseKey {
            instance: self.instance.clone(),
            database: self.database.clone(),
        }
    }
}

impl Splice {
    pub(crate) fn imported(&self, of: DatabaseKey) -> ImportedHistory {
        ImportedHistory {
            of,
            fit: self.fit(),
            samples: self.samples,
            left_out: self.left_out,
        }
    }
}
