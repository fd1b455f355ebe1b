//! History and state behind one trait, in SQLite (default) or PostgreSQL.
//!
//! The store keeps what changed: a relation that did not move between two samples costs nothing.
//! `storage_samples` is a view over it. What a snapshot changes is worked out by
//! `plimsoll_core::change`, once for both back ends; they only load what is known and write rows.
//!
//! **Invariant:** only what a visit measured becomes a value. What it could not read keeps its last
//! good value, and the sample says so.

mod all_series;
mod answer;
mod cleanup_runs;
mod error;
mod footprint;
mod forecast;
mod history;
mod jobs;
mod migration;
mod postgres;
mod reader;
mod rows;
mod sample;
mod series;
mod sqlite;
pub mod transfer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::change::EventKind;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_core::thinning::Retention;
use tokio::sync::mpsc;

pub use crate::all_series::{Belongs, SampleTotal, SeriesBatch, TableSteps};
pub use crate::cleanup_runs::{CleanupRun, CleanupRuns};
pub use crate::error::StoreError;
pub use crate::footprint::{Footprint, Shrink};
pub use crate::forecast::{
    ForecastHeader, ForecastPart, KeptForecast, PartHorizons, PartKind, PartQuery,
};
pub use crate::history::{
    Difference, DifferenceQuery, EventQuery, Growth, IndexSeries, NamedEvent, Point, SeriesQuery,
    SetMember, SetSeries, State, TableName, TableNameError, TableSeries, TableState,
};
pub use crate::jobs::{Claim, Held, JobState, Jobs};
pub use crate::sample::{Recorded, Recording, SamplePage, SampleQuery, Step};
pub use crate::transfer::row::Row;
pub use crate::transfer::{Moved, NotMoved};

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

/// Opens the store that a URL names: `sqlite:PATH`, `sqlite::memory:`, or `postgres://...`.
///
/// Nothing is migrated. Neither a file is made nor a connection opened before something is read or
/// written.
pub fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(StoreError::Url("sqlite: names no file".to_owned()));
        }
        return Ok(Arc::new(sqlite::SqliteStore::new(Path::new(path))));
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

/// History and state.
///
/// Every method is atomic: it has happened as a whole, or not at all, whatever is killed when.
#[async_trait]
pub trait Store: Jobs + CleanupRuns + Send + Sync + 'static {
    /// Applies the missing migrations; returns the names of those applied. Two processes that
    /// start at once wait for each other.
    async fn migrate(&self) -> Result<Vec<String>, StoreError>;

    /// Names of the migrations that `migrate` would apply, without applying them.
    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError>;

    /// Keeps a snapshot.
    ///
    /// With `scheduled_for`, at most one sample exists for (database, kind, scheduled time).
    async fn record(
        &self,
        snapshot: &Snapshot,
        recording: Recording,
    ) -> Result<Recorded, StoreError>;

    /// As [`Store::record`], for a snapshot that is no demo.
    async fn record_sample(
        &self,
        snapshot: &Snapshot,
        kind: SampleKind,
        scheduled_for: Option<Timestamp>,
    ) -> Result<Recorded, StoreError> {
        let recording = Recording {
            kind,
            scheduled_for,
            is_demo: false,
        };
        self.record(snapshot, recording).await
    }

    /// Reads headers of samples.
    async fn samples(&self, query: &SampleQuery) -> Result<SamplePage, StoreError>;

    /// The sizes of a sample's tables by key, in the order of the keys (of their bytes), or the
    /// `largest` ones only, largest first, or `table` (a key) only.
    async fn table_sizes(
        &self,
        sample: &SampleHeader,
        largest: Option<usize>,
        table: Option<&str>,
    ) -> Result<Vec<(String, u64)>, StoreError>;

    /// The series of a table, of each of its indexes, and their events; `None` where no sample shows
    /// a table of that name. A name that nothing has any more finds what had it before.
    async fn table_series(
        &self,
        of: &DatabaseKey,
        table: &TableName,
        query: &SeriesQuery,
    ) -> Result<Option<TableSeries>, StoreError>;

    /// The series of a partitioned table, or of a table that others inherit from, as one with
    /// everything that belongs to it on every level.
    async fn set_series(
        &self,
        of: &DatabaseKey,
        root: &TableName,
        query: &SeriesQuery,
    ) -> Result<Option<SetSeries>, StoreError>;

    /// The sum over the tables of a schema.
    async fn schema_series(
        &self,
        of: &DatabaseKey,
        schema_name: &str,
        query: &SeriesQuery,
    ) -> Result<Vec<Point>, StoreError>;

    /// The sum over all relations of a database; `total_bytes` of the samples has what belongs to no
    /// relation too.
    async fn database_series(
        &self,
        of: &DatabaseKey,
        query: &SeriesQuery,
    ) -> Result<Vec<Point>, StoreError>;

    /// Sends the series of every table but indexes, gone ones too, some at a time, with what happened
    /// to them of these kinds, as they are at one moment; stops when nobody listens. Nothing is sent
    /// of a database without samples.
    async fn read_series(
        &self,
        of: &DatabaseKey,
        query: &SeriesQuery,
        events: &[EventKind],
        to: mpsc::Sender<SeriesBatch>,
    ) -> Result<(), StoreError>;

    /// Keeps the forecasts of a database instead of those that are kept: false where those are of a
    /// newer sample, or the database has no history.
    async fn keep_forecast(
        &self,
        of: &DatabaseKey,
        forecast: Arc<KeptForecast>,
    ) -> Result<bool, StoreError>;

    /// The forecasts of a database that are kept, with some of their parts.
    async fn kept_forecast(
        &self,
        of: &DatabaseKey,
        query: &PartQuery,
    ) -> Result<Option<KeptForecast>, StoreError>;

    /// Every relation but indexes at a past time: as the last sample not after it saw them, or else
    /// the first one there is. `None` without samples.
    async fn state(&self, of: &DatabaseKey, at: Timestamp) -> Result<Option<State>, StoreError>;

    /// What changed between two times, and by how much. `None` without samples.
    async fn difference(
        &self,
        of: &DatabaseKey,
        query: &DifferenceQuery,
    ) -> Result<Option<Difference>, StoreError>;

    /// What happened that is not growth, newest first.
    async fn events(
        &self,
        of: &DatabaseKey,
        query: &EventQuery,
    ) -> Result<Vec<NamedEvent>, StoreError>;

    /// The last measured size of every relation of a database.
    async fn last_good(&self, of: &DatabaseKey) -> Result<HashMap<Oid, LastGood>, StoreError>;

    /// Databases that have samples.
    async fn databases(&self) -> Result<Vec<DatabaseKey>, StoreError>;

    /// Drops what `retention` no longer keeps; returns how many samples went.
    async fn thin(
        &self,
        of: &DatabaseKey,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Sends every row of a database's history, as it is at one moment; stops when nobody listens.
    async fn read_history(
        &self,
        of: &DatabaseKey,
        to: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), StoreError>;

    /// Takes one database's rows, which end with [`Row::End`]: what the store lacks of them, all or
    /// nothing.
    async fn write_history(
        &self,
        from: mpsc::Receiver<Vec<Row>>,
    ) -> Result<Result<Moved, NotMoved>, StoreError>;

    /// Copies the store as it is at one moment into a new file, while others use it; `None` where
    /// the store is no file.
    async fn back_up(&self, to: &Path, progress: BackupProgress) -> Result<Option<()>, StoreError>;

    /// What the store occupies on its own disk, in bytes.
    async fn size_bytes(&self) -> Result<u64, StoreError>;

    /// What the store occupies, and what it holds for that: reads a row for each sample there is.
    async fn footprint(&self) -> Result<Footprint, StoreError>;

    /// Drops the oldest detail until the store takes at most `max_bytes`, and gives its space back
    /// to the file system; `None` if it takes no more already. A chain of steps, each atomic.
    async fn shrink(&self, max_bytes: u64, now: Timestamp) -> Result<Option<Shrink>, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// Runs a computation that may take a tenth of a second without holding up the runtime's other tasks.
fn on_this_thread<T>(work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::MultiThread => tokio::task::block_in_place(work),
        _ => work(),
    }
}
