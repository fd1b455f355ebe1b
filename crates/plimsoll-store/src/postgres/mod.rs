//! The store in a PostgreSQL database, in the schema `plimsoll`.

/// Begins a transaction on a connection of the pool's. One that turns out to be lost, with nothing asked on
/// it yet, is replaced: after a restart of the server all of them are.
macro_rules! begin {
    ($pool:expr, $connection:ident, $kind:ident) => {{
        let mut lost = 0;
        loop {
            $connection = $crate::postgres::pool::get($pool).await?;
            match $connection.$kind().await {
                Ok(work) => break work,
                Err(wrong) if wrong.is_lost() && lost < $crate::postgres::pool::MAX_CONNECTIONS => {
                    lost += 1;
                }
                Err(wrong) => return Err(wrong),
            }
        }
    }};
}

/// Runs one transaction: reads, while the server is not silent, or writes and commits. Once more, where the server
/// was lost before it was committed; not where `once` is said, because something of it is out already.
macro_rules! transaction {
    ($store:expr, read, |$work:ident| $body:expr) => {{
        let store = $store;
        let reading = async { transaction!(@twice store, read, |$work| $body) };
        let result = store.probe.unless_silent(&store.pool, reading).await;
        result.map_err(|wrong: Wrong| wrong.on(&store.name))
    }};
    ($store:expr, $kind:ident, |$work:ident| $body:expr) => {{
        let store = $store;
        let result = transaction!(@twice store, $kind, |$work| $body);
        result.map_err(|wrong: Wrong| wrong.on(&store.name))
    }};
    ($store:expr, once $kind:ident, |$work:ident| $body:expr) => {{
        let store = $store;
        let result = transaction!(@one store, $kind, |$work| $body);
        result.map_err(|wrong: Wrong| wrong.on(&store.name))
    }};
    (@twice $store:ident, $kind:ident, |$work:ident| $body:expr) => {{
        let mut again = true;
        loop {
            match transaction!(@one $store, $kind, |$work| $body) {
                Err(wrong) if wrong.is_lost() && again => again = false,
                result => break result,
            }
        }
    }};
    (@one $store:ident, $kind:ident, |$work:ident| $body:expr) => {{
        let one = async {
            let mut connection;
            let $work = begin!(&$store.pool, connection, $kind);
            let result: Result<_, Wrong> = $body.await;
            let value = result?;
            $work.commit().await?;
            Ok::<_, Wrong>(value)
        };
        one.await
    }};
}

mod all_series;
mod append;
mod citus;
mod error;
mod footprint;
mod key_cache;
mod migrate;
mod param;
mod partition;
mod pool;
mod probe;
mod read;
mod reader;
mod recognise;
mod rows;
mod thin;
mod transfer;
mod work;

use std::collections::HashMap;
use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_connect::DatabaseUrl;
use plimsoll_core::Oid;
use plimsoll_core::change::EventKind;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_core::thinning::Retention;
use tokio::sync::mpsc;

use self::append::Written;
use self::error::Wrong;
use self::key_cache::KeyCache;
use self::partition::Partitions;
use self::pool::Pool;
use self::probe::Probe;
use crate::footprint::{Footprint, Shrink};
use crate::history::{
    Difference, DifferenceQuery, EventQuery, NamedEvent, Point, SeriesQuery, SetSeries, State,
    Stored, StoredSeries, TableName, TableSeries,
};
use crate::keys::Keys;
use crate::last_samples::{Comparison, LastSamples};
use crate::sample::{Recorded, Recording, SamplePage, SampleQuery, SampleRow};
use crate::{
    BackupProgress, DatabaseKey, ImportedHistory, NotImported, Progress, Row, Samples, Series,
    SeriesBatch, StoreError, Transfer, Upkeep, on_this_thread, queries,
};

/// How often a snapshot is compared anew because another process came first.
const RECORD_ATTEMPTS: u32 = 8;

/// A store in a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    pool: Pool,
    probe: Probe,
    partitions: Partitions,
    key_cache: KeyCache,
    last_samples: LastSamples,
    /// The server and database, without the password.
    name: String,
}

/// Runs a query on one database in one read transaction; `$nothing` where it has no samples. It is asked with the
/// keys that the database had the last time, while they are looked up anew: a wait less.
macro_rules! query {
    ($store:expr, $of:expr, $nothing:expr, |$reader:ident, $keys:ident| $query:expr) => {
        transaction!($store, read, |work| async {
            let $reader = &work;
            let ask = |$keys: Keys| $query;
            let found = if let Some(known) = $store.key_cache.get($of) {
                let (answer, found) =
                    tokio::try_join!(biased; ask(known), read::keys(&work, $of))?;
                if found == Some(known) {
                    return Ok(answer);
                }
                found
            } else {
                read::keys(&work, $of).await?
            };
            $store.key_cache.set($of, found);
            match found {
                Some(keys) => ask(keys).await,
                None => Ok($nothing),
            }
        })
    };
}

impl PostgresStore {
    /// A store in the database that the URL names. Nothing is connected yet.
    pub(crate) fn open(url: &str) -> Result<Self, StoreError> {
        let url: DatabaseUrl = url
            .parse()
            .map_err(|error: plimsoll_connect::UrlError| StoreError::Url(error.to_string()))?;
        let name = url.to_string();
        let pool = pool::pool(url.clone()).map_err(|error| StoreError::Url(error.to_string()))?;
        Ok(Self {
            pool,
            probe: Probe::of(url),
            partitions: Partitions::default(),
            key_cache: KeyCache::default(),
            last_samples: LastSamples::default(),
            name,
        })
    }

    async fn try_record(
        &self,
        row: &SampleRow,
        comparison: &Comparison<'_>,
        in_doubt: bool,
    ) -> Result<Option<Recorded>, Wrong> {
        let mut connection;
        let work = begin!(&self.pool, connection, load);
        if in_doubt && let Some(header) = append::kept(&work, row).await? {
            return Ok(Some(Recorded::New(header)));
        }
        let before = append::load(&work, row, comparison.guess.as_deref()).await?;
        work.commit().await?;
        if let Some(header) = before.already {
            return Ok(Some(Recorded::Already(header)));
        }
        // nobody holds a connection while waiting for another
        drop(connection);
        let changes = on_this_thread(|| comparison.changes(&before));
        self.partitions
            .ensure(&self.pool, row.tick(before.last_tick))
            .await?;
        let mut connection;
        let work = begin!(&self.pool, connection, write);
        let written = append::write(&work, row, before.last_tick, &changes).await?;
        match written {
            Written::New(header, place) => {
                work.commit().await?;
                drop(connection);
                on_this_thread(|| self.last_samples.keep(comparison, &before, &changes, place));
                self.partitions.ensure_ahead(&self.pool, place.tick).await;
                Ok(Some(Recorded::New(header)))
            }
            Written::Already(header) => Ok(Some(Recorded::Already(header))),
            Written::Outdated => Ok(None),
        }
    }
}

#[async_trait]
impl Samples for PostgresStore {
    async fn record(
        &self,
        snapshot: &Snapshot,
        recording: Recording,
    ) -> Result<Recorded, StoreError> {
        let row = SampleRow::new(snapshot, recording);
        let comparison = on_this_thread(|| self.last_samples.comparison(snapshot));
        let (mut again, mut in_doubt) = (true, false);
        for _ in 0..RECORD_ATTEMPTS {
            match self.try_record(&row, &comparison, in_doubt).await {
                Ok(Some(recorded)) => return Ok(recorded),
                Ok(None) => {}
                Err(wrong) if wrong.is_conflict() => self.partitions.forget(),
                // once more; a sample that was kept after all is looked for first
                Err(wrong) if again && (wrong.is_lost() || wrong.is_in_doubt()) => {
                    again = false;
                    in_doubt = wrong.is_in_doubt();
                }
                Err(wrong) => return Err(wrong.on(&self.name)),
            }
        }
        Err(StoreError::Busy {
            store: self.name.clone(),
            reason: format!(
                "other processes kept samples of `{}` all the time",
                row.database
            ),
        })
    }

    async fn samples(&self, query: &SampleQuery) -> Result<SamplePage, StoreError> {
        transaction!(self, read, |work| read::samples(&work, query))
    }

    async fn table_sizes(
        &self,
        sample: &SampleHeader,
        largest: Option<usize>,
        table: Option<&str>,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        transaction!(self, read, |work| read::table_sizes(
            &work, sample, largest, table
        ))
    }

    async fn last_good(&self, of: &DatabaseKey) -> Result<HashMap<Oid, LastGood>, StoreError> {
        transaction!(self, read, |work| read::last_good(&work, of))
    }

    async fn databases(&self) -> Result<Vec<DatabaseKey>, StoreError> {
        transaction!(self, read, |work| read::databases(&work))
    }
}

#[async_trait]
impl Series for PostgresStore {
    async fn table_series(
        &self,
        of: &DatabaseKey,
        table: &TableName,
        query: &SeriesQuery,
    ) -> Result<Option<TableSeries>, StoreError> {
        query!(self, of, None, |reader, keys| queries::table_series(
            reader, keys, table, query
        ))
    }

    async fn set_series(
        &self,
        of: &DatabaseKey,
        root: &TableName,
        query: &SeriesQuery,
    ) -> Result<Option<SetSeries>, StoreError> {
        query!(self, of, None, |reader, keys| queries::set_series(
            reader, keys, root, query
        ))
    }

    async fn schema_series(
        &self,
        of: &DatabaseKey,
        schema_name: &str,
        query: &SeriesQuery,
    ) -> Result<Vec<Point>, StoreError> {
        query!(self, of, Vec::new(), |reader, keys| {
            queries::schema_series(reader, keys, schema_name, query)
        })
    }

    async fn stored_series(
        &self,
        of: &DatabaseKey,
        stored: &[Stored],
        query: &SeriesQuery,
    ) -> Result<StoredSeries, StoreError> {
        query!(self, of, StoredSeries::default(), |reader, keys| {
            queries::stored_series(reader, keys, stored, query)
        })
    }

    async fn database_series(
        &self,
        of: &DatabaseKey,
        query: &SeriesQuery,
    ) -> Result<Vec<Point>, StoreError> {
        query!(self, of, Vec::new(), |reader, keys| {
            queries::database_series(reader, keys, query)
        })
    }

    async fn read_series(
        &self,
        of: &DatabaseKey,
        query: &SeriesQuery,
        events: &[EventKind],
        to: mpsc::Sender<SeriesBatch>,
    ) -> Result<(), StoreError> {
        transaction!(self, once pass, |work| all_series::read_series(
            &work, of, query, events, &to
        ))
    }

    async fn state(&self, of: &DatabaseKey, at: Timestamp) -> Result<Option<State>, StoreError> {
        query!(self, of, None, |reader, keys| queries::state(
            reader, keys, at, None
        ))
    }

    async fn table_state(
        &self,
        of: &DatabaseKey,
        at: Timestamp,
        table: &TableName,
    ) -> Result<Option<State>, StoreError> {
        query!(self, of, None, |reader, keys| queries::state(
            reader,
            keys,
            at,
            Some(table)
        ))
    }

    async fn difference(
        &self,
        of: &DatabaseKey,
        query: &DifferenceQuery,
    ) -> Result<Option<Difference>, StoreError> {
        query!(self, of, None, |reader, keys| queries::difference(
            reader, keys, query
        ))
    }

    async fn events(
        &self,
        of: &DatabaseKey,
        query: &EventQuery,
    ) -> Result<Vec<NamedEvent>, StoreError> {
        query!(self, of, Vec::new(), |reader, keys| queries::events(
            reader, keys, query
        ))
    }
}

#[async_trait]
impl Upkeep for PostgresStore {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn file(&self) -> Option<&Path> {
        None
    }

    async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        migrate::migrate(&self.pool)
            .await
            .map_err(|wrong| wrong.on(&self.name))
    }

    async fn distribute(&self, progress: Progress<'_>) -> Result<Vec<String>, StoreError> {
        citus::distribute(&self.pool, progress)
            .await
            .map_err(|wrong| wrong.on(&self.name))
    }

    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        migrate::pending(&self.pool)
            .await
            .map_err(|wrong| wrong.on(&self.name))
    }

    async fn thin(
        &self,
        of: &DatabaseKey,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let dropped = transaction!(self, write, |work| thin::thin(&work, of, retention, now))?;
        // What was to be dropped has been; a week that cannot be looked into today is dropped another time.
        if dropped > 0
            && let Err(wrong) = self.partitions.drop_past(&self.pool, now).await
        {
            tracing::warn!(reason = %wrong.on(&self.name), "store.partition.not_dropped");
        }
        if dropped > 0
            && let Err(wrong) = self.rewrite_past(now).await
        {
            tracing::warn!(reason = %wrong.on(&self.name), "store.partition.not_rewritten");
        }
        Ok(dropped)
    }

    async fn back_up(&self, _: &Path, _: BackupProgress) -> Result<Option<()>, StoreError> {
        Ok(None)
    }

    async fn size_bytes(&self) -> Result<u64, StoreError> {
        transaction!(self, read, |work| read::size_bytes(&work))
    }

    async fn footprint(&self) -> Result<Footprint, StoreError> {
        footprint::footprint(self).await
    }

    async fn shrink(&self, max_bytes: u64, now: Timestamp) -> Result<Option<Shrink>, StoreError> {
        footprint::shrink(self, max_bytes, now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        transaction!(self, read, |work| async {
            work.row("select count(*) from plimsoll.instances", &[])
                .await?;
            Ok(())
        })
    }
}

#[async_trait]
impl Transfer for PostgresStore {
    async fn read_history(
        &self,
        of: &DatabaseKey,
        to: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), StoreError> {
        transaction!(self, once pass, |work| transfer::read(&work, of, &to))
    }

    async fn write_history(
        &self,
        from: mpsc::Receiver<Vec<Row>>,
    ) -> Result<Result<ImportedHistory, NotImported>, StoreError> {
        transfer::write(self, from)
            .await
            .map_err(|wrong| wrong.on(&self.name))
    }
}
