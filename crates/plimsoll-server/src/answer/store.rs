//! What the history itself takes, and what it is going to take.

use jiff::Timestamp;
use plimsoll_core::footprint::{Projection, projection};
use plimsoll_core::size_text;
use plimsoll_core::thinning::Retention;
use plimsoll_store::{Footprint, Shrink, Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

/// What the history itself takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoreAnswer {
    /// Bytes on the store's own disk; null where a node of a distributed store does not say.
    pub size_bytes: Option<u64>,
    /// The same, to be read.
    pub size_human: Option<String>,
    /// What is not known, and why.
    pub unknown: Option<String>,
    /// The hard cap (`history.max_bytes`); null without one.
    pub max_bytes: Option<u64>,
    /// What it is going to take once it is as old as the retention lets it get, while what is watched
    /// changes as it did: the cap at most. Null while less than a day was seen.
    pub projected: Option<Projected>,
    /// Databases that have a history.
    pub databases: u64,
    /// Their samples.
    pub samples: u64,
    /// The values that these hold: one for each size of a relation that changed.
    pub values: u64,
    /// What the cap last made go; null if it never did.
    pub last_shrink: Option<ShrinkAnswer>,
}

/// What the history is going to take: the wider the range, the less of its life it has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Projected {
    /// Bytes, if the same relations change again and again.
    pub low_bytes: u64,
    /// Bytes, if others do each time.
    pub high_bytes: u64,
    /// The same, to be read.
    pub human: String,
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
    let projected = footprint
        .size_bytes
        .and_then(|bytes| projection(databases, bytes, retention, now))
        .map(|range| projected(range, max_bytes.unwrap_or(u64::MAX)));
    let samples = || databases.iter().flat_map(|database| &database.samples);
    StoreAnswer {
        size_bytes: footprint.size_bytes,
        size_human: footprint.size_bytes.map(size_text::pretty),
        unknown: footprint.unknown.clone(),
        max_bytes,
        projected,
        databases: databases.len() as u64,
        samples: samples().count() as u64,
        values: samples().map(|sample| sample.values).sum(),
        last_shrink: footprint.last_shrink.as_ref().map(shrink_answer),
    }
}

fn projected(range: Projection, max_bytes: u64) -> Projected {
    let (low_bytes, high_bytes) = (
        range.low_bytes.min(max_bytes),
        range.high_bytes.min(max_bytes),
    );
    let (low, high) = (size_text::pretty(low_bytes), size_text::pretty(high_bytes));
    Projected {
        low_bytes,
        high_bytes,
        human: if low == high {
            low
        } else {
            format!("{low} to {high}")
        },
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
