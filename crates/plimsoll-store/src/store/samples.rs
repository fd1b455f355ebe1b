//! Samples: keeping snapshots, and reading what was kept.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::Snapshot;

use crate::sample::{Recorded, Recording, SamplePage, SampleQuery};
use crate::{DatabaseKey, StoreError};

/// Keeps snapshots, and reads them.
#[async_trait]
pub trait Samples: Send + Sync {
    /// Keeps a snapshot.
    ///
    /// With `scheduled_for`, at most one sample exists for (database, kind, scheduled time).
    async fn record(
        &self,
        snapshot: &Snapshot,
        recording: Recording,
    ) -> Result<Recorded, StoreError>;

    /// As [`Samples::record`], for a snapshot that is no demo.
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

    /// The last measured size of every relation of a database.
    async fn last_good(&self, of: &DatabaseKey) -> Result<HashMap<Oid, LastGood>, StoreError>;

    /// Databases that have samples.
    async fn databases(&self) -> Result<Vec<DatabaseKey>, StoreError>;
}
