//! Upkeep: setting the store up, thinning it, and holding it to its size.

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::thinning::Retention;

use crate::footprint::{Footprint, Shrink};
use crate::{BackupProgress, DatabaseKey, Progress, StoreError};

/// Looks after the store itself.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// What errors call it: the file, or the server and database without the password.
    fn name(&self) -> String;

    /// The file that it is, if it is one; beside it may lie others, whose names go on with `-wal` and `-shm`.
    fn file(&self) -> Option<&Path>;

    /// Applies the missing migrations; returns the names of those applied. Two processes that
    /// start at once wait for each other.
    async fn migrate(&self) -> Result<Vec<String>, StoreError>;

    /// On a PostgreSQL server with Citus: distributes the history by instance, table by table, and tells of
    /// each. Returns what was done: nothing where all is distributed, or nothing can be.
    async fn distribute(&self, progress: Progress<'_>) -> Result<Vec<String>, StoreError>;

    /// Names of the migrations that `migrate` would apply, without applying them.
    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError>;

    /// Drops what `retention` no longer keeps; returns how many samples went.
    async fn thin(
        &self,
        of: &DatabaseKey,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

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
