//! History and state behind one trait, in SQLite (default) or PostgreSQL.
//!
//! The store keeps what changed: a relation that did not move between two samples costs nothing.
//! `storage_samples` is a view over it. What a snapshot changes is worked out by
//! `plimsoll_core::change`, once for both back ends; they only load what is known and write rows.
//!
//! **Invariant:** only what a visit measured becomes a value. What it could not read keeps its last
//! good value, and the sample says so.

mod alerts;
mod aliases;
mod all_series;
mod cleanup_runs;
mod disk;
mod error;
mod events;
mod footprint;
mod forecast;
mod former_names;
mod history;
mod jobs;
mod keys;
mod last_samples;
mod migration;
mod portable;
mod postgres;
mod queries;
mod reader;
mod rows;
mod sample;
mod series;
mod session;
mod sqlite;
mod store;
mod thin;
pub mod transfer;
mod unread;

use std::path::Path;
use std::sync::Arc;

pub use crate::alerts::{
    Alert, AlertContent, AlertQuery, Alerts, EpisodeChange, Fate, KEPT_OF_DATABASE, KeptMessage,
    KeptSilence, KeptState, Messages, NewAlert, NewMessage, NewSilence, ReplacedState, SampleParts,
    SilenceSpan, Waiting,
};
pub use crate::aliases::Aliases;
pub use crate::all_series::{Membership, SampleTotal, SeriesBatch, TableSteps};
pub use crate::cleanup_runs::{CleanupRun, CleanupRuns};
pub use crate::disk::{DiskHistory, DiskLook, DiskRange, DiskState};
pub use crate::error::StoreError;
pub use crate::footprint::{Footprint, Shrink};
pub use crate::forecast::{
    ForecastHeader, ForecastPart, Forecasts, KeptForecast, PartHorizons, PartKind, PartQuery,
};
pub use crate::history::{
    Difference, DifferenceQuery, EventQuery, Growth, IndexSeries, NamedEvent, Point, SeriesQuery,
    SetMember, SetSeries, State, Stored, StoredSeries, TableName, TableNameError, TableSeries,
    TableState,
};
pub use crate::jobs::{CLOCK_SKEW, Claim, Held, JobState, Jobs};
pub use crate::portable::row::Row;
pub use crate::portable::{ImportedHistory, NotImported};
pub use crate::sample::{Recorded, Recording, SamplePage, SampleQuery, Step};
pub use crate::store::{Samples, Series, Store, Transfer, Upkeep};

/// Is told in words what is being done.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Is told how many pages of a backup are copied, and how many there are.
pub type BackupProgress = Box<dyn Fn(u64, u64) + Send>;

/// Names one watched database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatabaseKey {
    /// The configured name of the instance.
    pub instance: String,
    /// The database's name.
    pub database: String,
}

/// Makes the folder that a store's file is to lie in, for its owner only; a store on a server needs none.
pub fn create_folder(url: &str) -> Result<(), StoreError> {
    match sqlite_path(url) {
        Some(path) => sqlite::create_folder(path),
        None => Ok(()),
    }
}

/// The file that a URL names, if it names one.
fn sqlite_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
}

/// Opens the store that a URL names: `sqlite:PATH`, `sqlite::memory:`, or `postgres://...`.
///
/// Nothing is migrated. Neither a file is made nor a connection opened before something is read or
/// written.
pub fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    if let Some(path) = sqlite_path(url) {
        if path.as_os_str().is_empty() {
            return Err(StoreError::Url("sqlite: names no file".to_owned()));
        }
        return Ok(Arc::new(sqlite::SqliteStore::new(path)));
    }
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok(Arc::new(postgres::PostgresStore::open(url)?));
    }
    // the rest of it may hold a password
    let scheme = url.split(':').next().unwrap_or_default();
    Err(StoreError::Url(format!(
        "there is no store of the kind `{scheme}:`"
    )))
}

/// Runs a computation that may take a tenth of a second without holding up the runtime's other tasks.
fn on_this_thread<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
