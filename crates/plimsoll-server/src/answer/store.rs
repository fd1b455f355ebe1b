//! What the history itself takes, and what it is going to take.

use jiff::Timestamp;
use plimsoll_core::footprint::projection;
use plimsoll_core::size_text;
use plimsoll_core::thinning::Retention;
use plimsoll_store::{Footprint, Shrink, Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// What the history itself takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreAnswer {
    /// Bytes on the store's own disk.
    pub size_bytes: u64,
    /// The same, to be read.
    pub size_human: String,
    /// The hard cap (`history.max_bytes`); null without one.
    pub max_bytes: Option<u64>,
    /// What it is going to take once it is as old as the retention lets it get, while what is watched
    /// changes as it did: the cap at most. Null while less than a day was seen.
    pub projected_bytes: Option<u64>,
    /// The same, to be read.
    pub projected_human: Option<String>,
    /// Databases that have a history.
    pub databases: u64,
    /// Their samples.
    pub samples: u64,
    /// The values that these hold: one for each size of a relation that changed.
    pub values: u64,
    /// What the cap last made go; null if it never did.
    pub last_shrink: Option<ShrinkAnswer>,
}

/// What the cap made go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ShrinkAnswer {
    /// When.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub at: Timestamp,
    /// The cap then.
    pub max_bytes: u64,
    /// Bytes before.
    pub before_bytes: u64,
    /// Bytes after.
    pub after_bytes: u64,
    /// How many samples went.
    pub samples_dropped: u64,
    /// When the newest of them was taken: detail until then may be missing.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub dropped_until: Option<Timestamp>,
}

/// Reads the store's footprint, and projects it.
pub async fn store(
    store: &dyn Store,
    retention: &Retention,
    max_bytes: Option<u64>,
    now: Timestamp,
) -> Result<StoreAnswer, StoreError> {
    Ok(answer(&store.footprint().await?, retention, max_bytes, now))
}

fn answer(
    footprint: &Footprint,
    retention: &Retention,
    max_bytes: Option<u64>,
    now: Timestamp,
) -> StoreAnswer {
    let databases = &footprint.databases;
    let projected_bytes = projection(databases, footprint.size_bytes, retention, now)
        .map(|bytes| bytes.min(max_bytes.unwrap_or(u64::MAX)));
    let samples = || databases.iter().flat_map(|database| &database.samples);
    StoreAnswer {
        size_bytes: footprint.size_bytes,
        size_human: size_text::pretty(footprint.size_bytes),
        max_bytes,
        projected_bytes,
        projected_human: projected_bytes.map(size_text::pretty),
        databases: databases.len() as u64,
        samples: samples().count() as u64,
        values: samples().map(|sample| sample.values).sum(),
        last_shrink: footprint.last_shrink.as_ref().map(shrink_answer),
    }
}

fn shrink_answer(shrink: &Shrink) -> ShrinkAnswer {
    ShrinkAnswer {
        at: shrink.at,
        max_bytes: shrink.max_bytes,
        before_bytes: shrink.before_bytes,
        after_bytes: shrink.after_bytes,
        samples_dropped: shrink.samples_dropped,
        dropped_until: shrink.dropped_until,
    }
}
