//! Moves histories: out of a store, into a store, and into it what other tools measured.
//!
//! A history travels as rows ([`row::Row`]), database by database. A database's rows are taken as a
//! whole or not at all, and never twice: `portable` takes from them only what the store lacks.

pub mod csv;
mod import_progress;
pub mod ndjson;
pub mod pghero;
mod staging;

use plimsoll_core::counted::{counted, either};
use tokio::sync::mpsc;

pub use self::import_progress::ImportProgress;
use self::row::Row;
pub(crate) use crate::portable::BATCH;
pub use crate::portable::{Fit, ImportedHistory, NotImported, row};
use crate::{Store, StoreError};

/// How many batches wait to be written.
pub(crate) const WAITING: usize = 4;

/// Why a history could not be moved. Nothing is kept of the database at which it happened.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A line is not what it must be.
    #[error("line {number}: {reason}")]
    Line {
        /// The line's number, from 1.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The file is not what it must be.
    #[error(transparent)]
    Refused(plimsoll_input::Refused),
    /// Several lines are not what they must be.
    #[error(
        "{} cannot be used: {listed}; mend {}, or leave out every sample that has one with \
         --skip-bad-samples",
        counted(*.count, "line"),
        either(*.count, "it", "them")
    )]
    Lines {
        /// How many.
        count: u64,
        /// The first few, each with its number and what is wrong.
        listed: String,
    },
    /// The file ends too early.
    #[error(
        "the file ends at line {number}, before the end of database `{database}`: it was cut short, and \
         nothing of it is kept"
    )]
    CutShort {
        /// The last line's number.
        number: u64,
        /// The database.
        database: String,
    },
    /// The rows contradict each other.
    #[error("the rows contradict each other: {0}")]
    Rows(String),
    /// What is read, or written, cannot be.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The place where rows are sorted failed.
    #[error("sorting the rows in a temporary file failed: {0}")]
    Sort(#[from] rusqlite::Error),
    /// A sample is of a time that is not yet.
    #[error("{0} is still to come: nobody can have measured then")]
    ToCome(jiff::Timestamp),
    /// A sample is older than PostgreSQL.
    #[error("{0} cannot be when that was measured: there was no PostgreSQL before 1996")]
    TooOld(jiff::Timestamp),
    /// It was told to stop.
    #[error("it was stopped before its end, and nothing of it is kept")]
    Stopped,
    /// The input names several databases.
    #[error("there are rows of several databases ({0}): name one with --source-database")]
    SeveralDatabases(String),
    /// The input has nothing to import.
    #[error("there is nothing to import: {0}")]
    Nothing(String),
    /// The other tool's database cannot be read.
    #[error("cannot read `pghero_space_stats` from {from}: {reason}")]
    Source {
        /// The server and database, without the password.
        from: String,
        /// What it said.
        reason: String,
    },
}

/// Sets a new store up, once what is to go into it was checked: what is refused leaves none behind.
pub(crate) async fn begin(store: &dyn Store) -> Result<(), StoreError> {
    for name in store.migrate().await? {
        tracing::info!(migration = name, "store.migrated");
    }
    Ok(())
}

/// Has the store take one database's rows while `feed` sends them.
pub(crate) async fn take(
    store: &dyn Store,
    feed: impl AsyncFnOnce(mpsc::Sender<Vec<Row>>) -> Result<(), TransferError>,
) -> Result<ImportedHistory, TransferError> {
    let (to, from) = mpsc::channel(WAITING);
    let (fed, taken) = tokio::join!(feed(to), store.write_history(from));
    // what is wrong with the input is the reason why the store got too little
    fed?;
    match taken? {
        Ok(history) => Ok(history),
        Err(NotImported::CutShort) => Err(TransferError::Rows(NotImported::CutShort.to_string())),
        Err(NotImported::Rows(reason)) => Err(TransferError::Rows(reason)),
    }
}
