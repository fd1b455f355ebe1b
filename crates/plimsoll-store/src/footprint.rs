//! What the store takes of its own disk, and how it is made to take less.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::cap;
use plimsoll_core::footprint::KeptDatabase;

use crate::StoreError;

/// What the store takes, and what it holds for that.
#[derive(Debug, Clone)]
pub struct Footprint {
    /// Bytes on the store's own disk.
    pub size_bytes: u64,
    /// What is kept, database by database.
    pub databases: Vec<KeptDatabase>,
    /// When `history.max_bytes` last made something go.
    pub last_shrink: Option<Shrink>,
}

/// What a hard cap in bytes made go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shrink {
    /// When.
    pub at: Timestamp,
    /// The cap.
    pub max_bytes: u64,
    /// What the store took before, and
    pub before_bytes: u64,
    /// what it takes now. More than the cap only where nothing more may go: the newest sample of each
    /// database always stays, and an open transaction on a PostgreSQL store can hold its space.
    pub after_bytes: u64,
    /// How many samples went.
    pub samples_dropped: u64,
    /// When the newest of them was taken.
    pub dropped_until: Option<Timestamp>,
}

/// The steps that both stores can do; each happens as a whole, or not at all.
#[async_trait]
pub(crate) trait Shrinking {
    async fn occupied_bytes(&self) -> Result<u64, StoreError>;
    async fn kept(&self) -> Result<Vec<KeptDatabase>, StoreError>;
    async fn drop_samples(&self, database: (i32, i32), ids: &[i64]) -> Result<u64, StoreError>;
    /// Gives the space of what was dropped back to the file system.
    async fn give_back(&self) -> Result<(), StoreError>;
    async fn note(&self, shrink: &Shrink) -> Result<(), StoreError>;
}

/// Noting what was done takes a page or two.
const NOTE_BYTES: u64 = 32 * 1024;

/// Drops the oldest detail until the store takes at most `max_bytes`; `None` if it does.
pub(crate) async fn shrink(
    store: &impl Shrinking,
    max_bytes: u64,
    now: Timestamp,
) -> Result<Option<Shrink>, StoreError> {
    let before_bytes = store.occupied_bytes().await?;
    if before_bytes <= max_bytes {
        return Ok(None);
    }
    // what was thinned away before may still hold space, and that costs nothing
    store.give_back().await?;
    let mut shrink = Shrink {
        at: now,
        max_bytes,
        before_bytes,
        after_bytes: store.occupied_bytes().await?,
        samples_dropped: 0,
        dropped_until: None,
    };
    while shrink.after_bytes + NOTE_BYTES > max_bytes {
        let plan = cap::plan(
            &store.kept().await?,
            shrink.after_bytes + NOTE_BYTES,
            max_bytes,
        );
        if plan.is_empty() {
            break;
        }
        let mut dropped = 0;
        for (database, ids) in &plan.drop {
            dropped += store.drop_samples(*database, ids).await?;
        }
        store.give_back().await?;
        shrink.samples_dropped += dropped;
        shrink.dropped_until = shrink.dropped_until.max(plan.dropped_until);
        let after_bytes = store.occupied_bytes().await?;
        let is_stuck = dropped == 0 || after_bytes >= shrink.after_bytes;
        shrink.after_bytes = after_bytes;
        if is_stuck {
            break;
        }
    }
    if shrink.samples_dropped > 0 {
        store.note(&shrink).await?;
    }
    Ok(Some(shrink))
}
