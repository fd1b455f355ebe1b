//! A few connections to the store's server, and transactions on them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult, Timeouts};
use plimsoll_connect::DatabaseUrl;
use tokio::task::JoinHandle;
use tokio_postgres::types::{BorrowToSql, ToSql};
use tokio_postgres::{Client, CopyInSink, IsolationLevel, Row, RowStream, Statement, Transaction};

use super::error::Wrong;
use super::recognise::{LAST, recognise};
use crate::migration::{Applied, POSTGRES};
use crate::session;

/// How many connections one process takes at most.
pub(super) const MAX_CONNECTIONS: usize = 6;
/// How long a connection may have been idle before it is tried again.
const IDLE: Duration = Duration::from_secs(1);
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) type Pool = managed::Pool<Connections>;

/// Opens the pool's connections.
#[derive(Debug)]
pub(super) struct Connections {
    url: DatabaseUrl,
}

/// A connection with the statements that were prepared on it.
#[derive(Debug)]
pub(super) struct Connection {
    /// What errors call the store.
    store: String,
    client: Client,
    driver: JoinHandle<()>,
    statements: Statements,
}

#[derive(Default)]
struct Statements {
    prepared: Mutex<HashMap<String, Statement>>,
}

impl std::fmt::Debug for Statements {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Statements").finish_non_exhaustive()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl managed::Manager for Connections {
    type Type = Connection;
    type Error = Wrong;

    async fn create(&self) -> Result<Connection, Wrong> {
        let connected = session::open(&self.url).await?;
        let mut connection = Connection {
            store: self.url.to_string(),
            client: connected.client,
            driver: connected.task,
            statements: Statements::default(),
        };
        // whatever is asked of another's tables, or a newer program's, nothing is done
        let work = connection.read().await?;
        work.applied().await?.missing(POSTGRES)?;
        work.commit().await?;
        Ok(connection)
    }

    /// A connection that was lost while it was idle, also without a word, is replaced unseen.
    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<Wrong> {
        if connection.client.is_closed() {
            return Err(RecycleError::message("closed by the server"));
        }
        if metrics.last_used() < IDLE {
            return Ok(());
        }
        let answer = connection.client.batch_execute("");
        match tokio::time::timeout(TRY_TIMEOUT, answer).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(RecycleError::message("no longer answers")),
        }
    }
}

pub(super) fn pool(url: DatabaseUrl) -> Result<Pool, managed::BuildError> {
    Pool::builder(Connections { url })
        .max_size(MAX_CONNECTIONS)
        .runtime(deadpool::Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(POOL_TIMEOUT),
            create: None,
            recycle: None,
        })
        .build()
}

pub(super) async fn get(pool: &Pool) -> Result<managed::Object<Connections>, Wrong> {
    pool.get().await.map_err(|error| match error {
        managed::PoolError::Backend(wrong) => wrong,
        _ => Wrong::PoolBusy,
    })
}

/// As [`get`], for good: the connection ends when it is dropped.
pub(super) async fn take(pool: &Pool) -> Result<Connection, Wrong> {
    Ok(managed::Object::take(get(pool).await?))
}

impl Connection {
    /// Takes an advisory lock for as long as the connection lives, unless somebody else has it.
    pub(super) async fn try_lock(&self, lock: i64) -> Result<bool, Wrong> {
        let sql = "select pg_try_advisory_lock($1)";
        Ok(self.client.query_one(sql, &[&lock]).await?.try_get(0)?)
    }

    /// Gives back what [`Self::try_lock`] took.
    pub(super) async fn unlock(&self, lock: i64) -> Result<(), Wrong> {
        let sql = "select pg_advisory_unlock($1)";
        self.client.query_one(sql, &[&lock]).await?;
        Ok(())
    }

    /// Begins a transaction that sees one state of the store and changes nothing.
    pub(super) async fn read(&mut self) -> Result<Work<'_>, Wrong> {
        let transaction = self
            .client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .await?;
        Ok(Work {
            transaction,
            store: &self.store,
            statements: &self.statements,
        })
    }

    /// Runs a statement that cannot be part of a transaction.
    pub(super) async fn alone(&self, sql: &str) -> Result<(), Wrong> {
        self.client
            .batch_execute("set statement_timeout = '12h'")
            .await?;
        let result = self.client.batch_execute(sql).await;
        // back to what the session was pinned with
        self.client
            .batch_execute("set statement_timeout = '5min'")
            .await?;
        Ok(result?)
    }

    /// As [`Self::read`], for what passes over a whole history: it takes as long as its reader takes.
    pub(super) async fn pass(&mut self) -> Result<Work<'_>, Wrong> {
        let work = self.read().await?;
        work.may_take_long().await?;
        Ok(work)
    }

    /// Begins a transaction that writes, unless a newer program has been at the store since the connection was
    /// opened: whoever migrates from here on waits for the transaction.
    pub(super) async fn write(&mut self) -> Result<Work<'_>, Wrong> {
        let work = self.set_up().await?;
        let last = work.row(LAST, &[]).await?.try_get(0)?;
        Applied::of(last, None).missing(POSTGRES)?;
        Ok(work)
    }

    /// Begins a transaction that writes, whatever the store is.
    pub(super) async fn set_up(&mut self) -> Result<Work<'_>, Wrong> {
        let transaction = self.client.build_transaction().start().await?;
        Ok(Work {
            transaction,
            store: &self.store,
            statements: &self.statements,
        })
    }
}

/// A transaction; rolled back unless it is committed.
pub(super) struct Work<'a> {
    transaction: Transaction<'a>,
    store: &'a str,
    statements: &'a Statements,
}

type Params<'p> = &'p [&'p (dyn ToSql + Sync)];

impl Work<'_> {
    async fn prepare(&self, sql: &str) -> Result<Statement, Wrong> {
        let held = |statements: &Statements| {
            statements
                .prepared
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get(sql)
                .cloned()
        };
        if let Some(statement) = held(self.statements) {
            return Ok(statement);
        }
        let statement = self.transaction.prepare(sql).await?;
        self.statements
            .prepared
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) async fn query(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>, Wrong> {
        let statement = self.prepare(sql).await?;
        Ok(self.transaction.query(&statement, params).await?)
    }

    /// As [`Work::query`], row by row.
    pub(super) async fn stream<P>(&self, sql: &str, params: Vec<P>) -> Result<RowStream, Wrong>
    where
        P: BorrowToSql + Sync + Send,
    {
        let statement = self.prepare(sql).await?;
        Ok(self.transaction.query_raw(&statement, params).await?)
    }

    pub(super) async fn row(&self, sql: &str, params: Params<'_>) -> Result<Row, Wrong> {
        let statement = self.prepare(sql).await?;
        Ok(self.transaction.query_one(&statement, params).await?)
    }

    pub(super) async fn optional(
        &self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<Option<Row>, Wrong> {
        let statement = self.prepare(sql).await?;
        Ok(self.transaction.query_opt(&statement, params).await?)
    }

    pub(super) async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64, Wrong> {
        let statement = self.prepare(sql).await?;
        Ok(self.transaction.execute(&statement, params).await?)
    }

    /// How far the store's schema has come.
    pub(super) async fn applied(&self) -> Result<Applied, Wrong> {
        recognise(&self.transaction).await
    }

    /// Reads the rows of a statement that is not kept prepared, because it names a partition.
    pub(super) async fn query_once(&self, sql: &str) -> Result<Vec<Row>, Wrong> {
        Ok(self.transaction.query(sql, &[]).await?)
    }

    /// Lifts the limits that keep ordinary statements short.
    pub(super) async fn may_take_long(&self) -> Result<(), Wrong> {
        self.batch(
            "set local statement_timeout = '12h';
             set local lock_timeout = '10min';
             set local idle_in_transaction_session_timeout = '12h'",
        )
        .await
    }

    /// Runs several statements as they stand.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Wrong> {
        Ok(self.transaction.batch_execute(sql).await?)
    }

    /// Begins a binary COPY.
    pub(super) async fn copy_in(&self, sql: &str) -> Result<CopyInSink<bytes::Bytes>, Wrong> {
        let statement = self.prepare(sql).await?;
        Ok(self.transaction.copy_in(&statement).await?)
    }

    /// What errors call the store.
    pub(super) fn store(&self) -> &str {
        self.store
    }

    pub(super) async fn commit(self) -> Result<(), Wrong> {
        Ok(self.transaction.commit().await?)
    }
}
