//! History and state behind one trait, in SQLite (default) or PostgreSQL.
//!
//! The store keeps what changed: a relation that did not move between two samples costs nothing.
//! `storage_samples` is a view over it.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_core::thinning::Retention;

/// Names one watched database.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DatabaseKey {
    /// The configured name of the instance.
    pub instance: String,
    /// The database's name.
    pub database: String,
}

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {}

/// What was made of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recorded {
    /// It is kept under this header.
    New(SampleHeader),
    /// Another process already took this scheduled sample; this is that one.
    Already(SampleHeader),
}

/// Which samples to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleQuery {
    /// Of which database.
    pub of: DatabaseKey,
    /// Of which kinds; empty means all.
    pub kinds: Vec<SampleKind>,
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// The last one of each hour or day only.
    pub step: Step,
    /// At most so many, newest first.
    pub limit: usize,
}

/// How dense a history is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Step {
    /// Every sample.
    #[default]
    All,
    /// The last one of each hour (UTC).
    Hour,
    /// The last one of each day (UTC).
    Day,
}

/// Samples, newest first, and how many match without the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplePage {
    /// The samples.
    pub samples: Vec<SampleHeader>,
    /// How many there are in all.
    pub total: u64,
}

/// The last run of a job, and the one under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobState {
    /// The job's name.
    pub name: String,
    /// When its last run began.
    pub last_started_at: Option<Timestamp>,
    /// When its last run ended; null while one is running.
    pub last_finished_at: Option<Timestamp>,
    /// `ok`, `failed` or `skipped`.
    pub last_outcome: Option<String>,
    /// What it did, or why it failed.
    pub last_message: Option<String>,
    /// The scheduled time that was last begun: what tells whether one was missed.
    pub last_scheduled_for: Option<Timestamp>,
}

/// A cleanup run, as `cleanup_runs` keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupRun {
    /// Unique within the store.
    pub id: i64,
    /// Of which database.
    pub of: DatabaseKey,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null while it is under way.
    pub finished_at: Option<Timestamp>,
    /// `running`, `ok`, `failed` or `cancelled`.
    pub outcome: String,
    /// Rows deleted, by table key.
    pub rows_deleted: Vec<(String, u64)>,
    /// What failed.
    pub error: Option<String>,
}

/// History and state.
///
/// Every method is atomic: it has happened as a whole, or not at all, whatever is killed when.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Applies the missing migrations; returns the names of those applied. Two processes that
    /// start at once wait for each other.
    async fn migrate(&self) -> Result<Vec<String>, StoreError>;

    /// Names of the migrations that `migrate` would apply, without applying them.
    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError>;

    /// Keeps a snapshot.
    ///
    /// With `scheduled_for`, at most one sample exists for (database, kind, scheduled time).
    async fn record_sample(
        &self,
        snapshot: &Snapshot,
        kind: SampleKind,
        scheduled_for: Option<Timestamp>,
    ) -> Result<Recorded, StoreError>;

    /// Reads headers of samples.
    async fn samples(&self, query: &SampleQuery) -> Result<SamplePage, StoreError>;

    /// The sizes of a sample's tables by key, in the order of the keys, or the `largest` ones only,
    /// or `table` (a key) only.
    async fn table_sizes(
        &self,
        sample: &SampleHeader,
        largest: Option<usize>,
        table: Option<&str>,
    ) -> Result<Vec<(String, u64)>, StoreError>;

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

    /// Claims a job's run for a scheduled time: false if another process has claimed it, or if
    /// one is still running (a claim whose process died can be taken over after `stale_after_s`).
    async fn claim_job(
        &self,
        name: &str,
        scheduled_for: Timestamp,
        now: Timestamp,
        stale_after_s: u32,
    ) -> Result<bool, StoreError>;

    /// Records how a claimed run ended.
    async fn finish_job(
        &self,
        name: &str,
        now: Timestamp,
        outcome: &str,
        message: &str,
    ) -> Result<(), StoreError>;

    /// The state of every job that ever ran.
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError>;

    /// Past cleanup runs, newest first, and how many there are.
    async fn cleanup_runs(
        &self,
        of: &DatabaseKey,
        limit: usize,
    ) -> Result<(Vec<CleanupRun>, u64), StoreError>;

    /// What the store occupies on its own disk, in bytes.
    async fn size_bytes(&self) -> Result<u64, StoreError>;

    /// Whether the store answers.
    async fn ping(&self) -> Result<(), StoreError>;
}
