//! What the store takes of its own disk, and how it is made to take less.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::cap;
use plimsoll_core::footprint::KeptDatabase;

use crate::rows::Transactions;
use crate::{StoreError, disk};

/// What the store takes, and what it holds for that.
#[derive(Debug, Clone)]
pub struct Footprint {
    /// Bytes on the store's own disk; `None` where a node of a distributed store does not say.
    pub size_bytes: Option<u64>,
    /// What is kept, database by database.
    pub databases: Vec<KeptDatabase>,
    /// When `history.max_bytes` last made something go.
    pub last_shrink: Option<Shrink>,
    /// What is not known, and why.
    pub unknown: Option<String>,
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
    /// Drops as a whole what holds nothing any more: it costs no room.
    async fn drop_unneeded(&self) -> Result<(), StoreError>;
    /// How much of what is occupied nothing needs, as far as can be told: never too much.
    async fn loose_bytes(&self, kept: &[KeptDatabase]) -> Result<u64, StoreError>;
    /// Gives space that nothing needs back to the file system, in steps, until no more than `enough_bytes` are
    /// occupied. A step that finds no room on a full disk is left out.
    async fn give_back(&self, enough_bytes: u64) -> Result<(), StoreError>;
    async fn note(&self, shrink: &Shrink) -> Result<(), StoreError>;
}

/// Looks at volumes of so long stay in any case.
const LOOKS_STAY: SignedDuration = SignedDuration::from_hours(24);

/// Noting what was done takes a page or two.
const NOTE_BYTES: u64 = 32 * 1024;

/// Drops the oldest detail until the store takes at most `max_bytes`; `None` if it does.
///
/// What is over the cap is dropped before anything is rewritten: a disk that is full has no room for that.
/// Only where the cap is kept without what nothing needs any more, nothing is dropped for it.
pub(crate) async fn shrink(
    store: &(impl Shrinking + Transactions),
    max_bytes: u64,
    now: Timestamp,
) -> Result<Option<Shrink>, StoreError> {
    let before_bytes = store.occupied_bytes().await?;
    if before_bytes <= max_bytes {
        return Ok(None);
    }
    store.drop_unneeded().await?;
    let mut shrink = Shrink {
        at: now,
        max_bytes,
        before_bytes,
        after_bytes: store.occupied_bytes().await?,
        samples_dropped: 0,
        dropped_until: None,
    };
    let enough_bytes = max_bytes.saturating_sub(NOTE_BYTES);
    // whether what nothing needs can be counted on to be given back
    let mut is_loose = true;
    while shrink.after_bytes > enough_bytes {
        let kept = store.kept().await?;
        let loose_bytes = if is_loose {
            store.loose_bytes(&kept).await?
        } else {
            0
        };
        let needed_bytes = shrink.after_bytes.saturating_sub(loose_bytes) + NOTE_BYTES;
        let plan = cap::plan(&kept, needed_bytes, max_bytes);
        let mut dropped = 0;
        for (database, ids) in &plan.drop {
            dropped += store.drop_samples(*database, ids).await?;
        }
        // Looks at volumes go with the samples of their time, and where no sample may go any more.
        let latest = now - LOOKS_STAY;
        let until = if plan.is_empty() && !is_loose {
            Some(latest)
        } else {
            plan.dropped_until.map(|until| until.min(latest))
        };
        if let Some(until) = until {
            disk::drop_before(store, until).await?;
        }
        shrink.samples_dropped += dropped;
        shrink.dropped_until = shrink.dropped_until.max(plan.dropped_until);
        store.drop_unneeded().await?;
        store.give_back(enough_bytes).await?;
        let after_bytes = store.occupied_bytes().await?;
        let is_stuck = dropped == 0 && after_bytes >= shrink.after_bytes;
        shrink.after_bytes = after_bytes;
        if is_stuck && !is_loose {
            break;
        }
        is_loose = !is_stuck;
    }
    if shrink.samples_dropped > 0 {
        store.note(&shrink).await?;
    }
    Ok(Some(shrink))
}
