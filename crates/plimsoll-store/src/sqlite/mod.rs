//! The store in one SQLite file.
//!
//! In WAL mode with `synchronous = full`: what was acknowledged survives the death of the process
//! and, where the disk honours fsync, a loss of power. One connection writes and one reads, so that
//! an answer never waits for a sample being kept.

mod all_series;
mod append;
mod error;
mod file;
mod footprint;
mod migrate;
mod read;
mod reader;
mod rows;
mod steps;
mod thin;
mod transfer;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::change::EventKind;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::SampleHeader;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_core::thinning::Retention;
use rusqlite::Connection;
use tokio::sync::mpsc;

use self::append::Written;
use self::error::Wrong;
use self::file::{Access, File};
use self::reader::SqliteReader;
use self::rows::{SqliteTransaction, wait};
use crate::footprint::{Footprint, Shrink};
use crate::history::{
    Difference, DifferenceQuery, EventQuery, NamedEvent, Point, SeriesQuery, SetSeries, State,
    Stored, StoredSeries, TableName, TableSeries,
};
use crate::last_samples::LastSamples;
use crate::sample::{Recorded, Recording, SamplePage, SampleQuery, SampleRow};
use crate::{
    BackupProgress, DatabaseKey, ImportedHistory, NotImported, Progress, Row, Samples, Series,
    SeriesBatch, StoreError, Transfer, Upkeep, on_this_thread, queries,
};

/// How often a snapshot is compared anew because another process came first.
const RECORD_ATTEMPTS: u32 = 8;

/// Pages that a pass over a whole history keeps in memory, in KiB with a minus sign.
const PASSING_CACHE_SIZE: i32 = -2048;

/// Makes the folder that a store's file is to lie in.
pub(crate) fn create_folder(path: &Path) -> Result<(), StoreError> {
    if path == Path::new(":memory:") {
        return Ok(());
    }
    file::create_folder(path).map_err(|wrong| wrong.on(path))
}

/// A store in one SQLite file.
#[derive(Debug, Clone)]
pub(crate) struct SqliteStore {
    file: Arc<File>,
    last_samples: Arc<LastSamples>,
}

impl SqliteStore {
    /// A store in a file, which need not exist yet, or in memory (`:memory:`).
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            file: Arc::new(File::new(path)),
            last_samples: Arc::default(),
        }
    }

    /// Runs `work` in one read transaction.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SqliteTransaction) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Access::Read, "begin", work).await
    }

    /// As [`Self::read`], on a connection of its own: it takes as long as its reader takes.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SqliteTransaction) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.file.is_in_memory() {
            return self.read(work).await;
        }
        let other = Self::new(&self.file.path);
        other
            .read(move |transaction| {
                // it reads everything once: more pages in memory would be of no use
                transaction
                    .connection()
                    .pragma_update(None, "cache_size", PASSING_CACHE_SIZE)?;
                work(transaction)
            })
            .await
    }

    /// Runs `work` in one write transaction, which is committed if it succeeds.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SqliteTransaction) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.transact(Access::Write, "begin immediate", |transaction| {
            migrate::refuse_newer(&transaction.connection())?;
            work(transaction)
        })
        .await
    }

    async fn transact<T: Send + 'static>(
        &self,
        access: Access,
        begin: &'static str,
        work: impl FnOnce(&SqliteTransaction) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_file(move |file| {
            file.with_own(access, |connection| {
                SqliteTransaction::run(connection, file.name(), begin, work)
            })?
        })
        .await
    }

    /// Runs `work` outside of any transaction.
    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        work: impl FnOnce(&mut Connection) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_file(move |file| file.with(access, work)).await
    }

    async fn on_file<T: Send + 'static>(
        &self,
        work: impl FnOnce(&File) -> Result<T, Wrong> + Send + 'static,
    ) -> Result<T, StoreError> {
        let file = Arc::clone(&self.file);
        let result =
            tokio::task::spawn_blocking(move || work(&file).map_err(|wrong| wrong.on(&file.path)))
                .await;
        result.unwrap_or_else(|panic| {
            Err(StoreError::Failed {
                store: self.file.name(),
                reason: panic.to_string(),
            })
        })
    }
}

/// Runs a query on one database in one read transaction; `$nothing` where it has no samples.
macro_rules! query {
    ($store:expr, $of:expr, $nothing:expr, |$reader:ident, $keys:ident| $query:expr) => {{
        let of = $of.clone();
        $store
            .read(move |work| {
                let Some($keys) = read::keys(&work.connection(), &of)? else {
                    return Ok($nothing);
                };
                let $reader = &SqliteReader(work);
                wait($query)
            })
            .await
    }};
}

#[async_trait]
impl Samples for SqliteStore {
    async fn record(
        &self,
        snapshot: &Snapshot,
        recording: Recording,
    ) -> Result<Recorded, StoreError> {
        let row = Arc::new(SampleRow::new(snapshot, recording));
        let comparison = on_this_thread(|| self.last_samples.comparison(snapshot));
        for _ in 0..RECORD_ATTEMPTS {
            let sample = Arc::clone(&row);
            let guess = comparison.guess.clone();
            let before = self
                .read(move |work| append::load(work, &sample, guess.as_deref()))
                .await?;
            if let Some(header) = before.already {
                return Ok(Recorded::Already(header));
            }
            let changes = Arc::new(on_this_thread(|| comparison.changes(&before)));
            let (sample, to_write, last_tick) =
                (Arc::clone(&row), Arc::clone(&changes), before.last_tick);
            let written = self
                .write(move |work| append::write(work, &sample, last_tick, &to_write))
                .await?;
            match written {
                Written::New(header, place) => {
                    on_this_thread(|| {
                        self.last_samples
                            .keep(&comparison, &before, &changes, place);
                    });
                    return Ok(Recorded::New(header));
                }
                Written::Already(header) => return Ok(Recorded::Already(header)),
                Written::Outdated => {}
            }
        }
        Err(StoreError::Busy {
            store: self.file.path.display().to_string(),
            reason: format!(
                "other processes kept samples of `{}` all the time",
                row.database
            ),
        })
    }

    async fn samples(&self, query: &SampleQuery) -> Result<SamplePage, StoreError> {
        let query = query.clone();
        self.read(move |work| read::samples(&work.connection(), &query))
            .await
    }

    async fn table_sizes(
        &self,
        sample: &SampleHeader,
        largest: Option<usize>,
        table: Option<&str>,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let (id, table) = (sample.id, table.map(str::to_owned));
        self.read(move |work| read::table_sizes(&work.connection(), id, largest, table.as_deref()))
            .await
    }

    async fn last_good(&self, of: &DatabaseKey) -> Result<HashMap<Oid, LastGood>, StoreError> {
        let of = of.clone();
        self.read(move |work| read::last_good(&work.connection(), &of))
            .await
    }

    async fn databases(&self) -> Result<Vec<DatabaseKey>, StoreError> {
        self.read(|work| read::databases(&work.connection())).await
    }
}

#[async_trait]
impl Series for SqliteStore {
    async fn table_series(
        &self,
        of: &DatabaseKey,
        table: &TableName,
        query: &SeriesQuery,
    ) -> Result<Option<TableSeries>, StoreError> {
        let (table, query) = (table.clone(), query.clone());
        query!(self, of, None, |reader, keys| queries::table_series(
            reader, keys, &table, &query
        ))
    }

    async fn set_series(
        &self,
        of: &DatabaseKey,
        root: &TableName,
        query: &SeriesQuery,
    ) -> Result<Option<SetSeries>, StoreError> {
        let (root, query) = (root.clone(), query.clone());
        query!(self, of, None, |reader, keys| queries::set_series(
            reader, keys, &root, &query
        ))
    }

    async fn schema_series(
        &self,
        of: &DatabaseKey,
        schema_name: &str,
        query: &SeriesQuery,
    ) -> Result<Vec<Point>, StoreError> {
        let (schema_name, query) = (schema_name.to_owned(), query.clone());
        query!(self, of, Vec::new(), |reader, keys| {
            queries::schema_series(reader, keys, &schema_name, &query)
        })
    }

    async fn stored_series(
        &self,
        of: &DatabaseKey,
        stored: &[Stored],
        query: &SeriesQuery,
    ) -> Result<StoredSeries, StoreError> {
        let (stored, query) = (stored.to_vec(), query.clone());
        query!(self, of, StoredSeries::default(), |reader, keys| {
            queries::stored_series(reader, keys, &stored, &query)
        })
    }

    async fn database_series(
        &self,
        of: &DatabaseKey,
        query: &SeriesQuery,
    ) -> Result<Vec<Point>, StoreError> {
        let query = query.clone();
        query!(self, of, Vec::new(), |reader, keys| {
            queries::database_series(reader, keys, &query)
        })
    }

    async fn read_series(
        &self,
        of: &DatabaseKey,
        query: &SeriesQuery,
        events: &[EventKind],
        to: mpsc::Sender<SeriesBatch>,
    ) -> Result<(), StoreError> {
        let (of, query, events) = (of.clone(), query.clone(), events.to_vec());
        self.apart(move |work| all_series::read_series(work, &of, &query, &events, &to))
            .await
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
        let table = table.clone();
        query!(self, of, None, |reader, keys| queries::state(
            reader,
            keys,
            at,
            Some(&table)
        ))
    }

    async fn difference(
        &self,
        of: &DatabaseKey,
        query: &DifferenceQuery,
    ) -> Result<Option<Difference>, StoreError> {
        let query = query.clone();
        query!(self, of, None, |reader, keys| queries::difference(
            reader, keys, &query
        ))
    }

    async fn events(
        &self,
        of: &DatabaseKey,
        query: &EventQuery,
    ) -> Result<Vec<NamedEvent>, StoreError> {
        let query = query.clone();
        query!(self, of, Vec::new(), |reader, keys| queries::events(
            reader, keys, &query
        ))
    }
}

#[async_trait]
impl Upkeep for SqliteStore {
    fn name(&self) -> String {
        self.file.name()
    }

    fn file(&self) -> Option<&Path> {
        self.file.path()
    }

    async fn migrate(&self) -> Result<Vec<String>, StoreError> {
        self.run(Access::Create, migrate::migrate).await
    }

    async fn distribute(&self, _: Progress<'_>) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn pending_migrations(&self) -> Result<Vec<String>, StoreError> {
        self.run(Access::Read, |connection| migrate::pending(connection))
            .await
    }

    async fn thin(
        &self,
        of: &DatabaseKey,
        retention: &Retention,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let (of, retention) = (of.clone(), *retention);
        self.write(move |work| thin::thin(work, &of, &retention, now))
            .await
    }

    async fn back_up(&self, to: &Path, progress: BackupProgress) -> Result<Option<()>, StoreError> {
        self.copy_to(to, progress).await.map(Some)
    }

    async fn size_bytes(&self) -> Result<u64, StoreError> {
        self.read(|work| read::size_bytes(&work.connection())).await
    }

    async fn footprint(&self) -> Result<Footprint, StoreError> {
        self.read(|work| footprint::footprint(&work.connection()))
            .await
    }

    async fn shrink(&self, max_bytes: u64, now: Timestamp) -> Result<Option<Shrink>, StoreError> {
        crate::footprint::shrink(self, max_bytes, now).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.read(|work| {
            work.connection()
                .query_row("select count(*) from instances", [], |_| Ok(()))?;
            Ok(())
        })
        .await
    }
}

#[async_trait]
impl Transfer for SqliteStore {
    async fn read_history(
        &self,
        of: &DatabaseKey,
        to: mpsc::Sender<Vec<Row>>,
    ) -> Result<(), StoreError> {
        let of = of.clone();
        self.apart(move |work| transfer::read(work, &of, &to)).await
    }

    async fn write_history(
        &self,
        from: mpsc::Receiver<Vec<Row>>,
    ) -> Result<Result<ImportedHistory, NotImported>, StoreError> {
        self.on_file(move |file| {
            let mut refused = None;
            let result = file.with_own(Access::Write, |connection| {
                SqliteTransaction::run(connection, file.name(), "begin immediate", |work| {
                    migrate::refuse_newer(&work.connection())?;
                    transfer::write(work, from)?.map_err(|reason| {
                        refused = Some(reason);
                        Wrong::Undone
                    })
                })
            })?;
            match refused {
                Some(reason) => Ok(Err(reason)),
                None => result.map(Ok),
            }
        })
        .await
    }
}
