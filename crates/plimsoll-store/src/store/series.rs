//! Series: how sizes went over time, and what happened.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::change::EventKind;
use tokio::sync::mpsc;

use crate::history::{
    Difference, DifferenceQuery, EventQuery, NamedEvent, Point, SeriesQuery, SetSeries, State,
    Stored, StoredSeries, TableName, TableSeries,
};
use crate::{DatabaseKey, SeriesBatch, StoreError};

/// Answers how sizes went over time.
#[async_trait]
pub trait Series: Send + Sync {
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

    /// The sum over what is stored in some place: heaps and single indexes.
    async fn stored_series(
        &self,
        of: &DatabaseKey,
        stored: &[Stored],
        query: &SeriesQuery,
    ) -> Result<StoredSeries, StoreError>;

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

    /// Every relation but indexes at a past time: as the last sample not after it saw them, or else
    /// the first one there is. `None` without samples.
    async fn state(&self, of: &DatabaseKey, at: Timestamp) -> Result<Option<State>, StoreError>;

    /// As [`Series::state`], of one table only, the one above it, and those directly below it.
    async fn table_state(
        &self,
        of: &DatabaseKey,
        at: Timestamp,
        table: &TableName,
    ) -> Result<Option<State>, StoreError>;

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
}
