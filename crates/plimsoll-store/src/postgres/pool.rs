//! A few connections to the store's server.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleError, RecycleResult, Timeouts};
use plimsoll_connect::DatabaseUrl;

use super::error::Wrong;
use super::recognise::{LAST, recognise};
use super::work::Work;
use crate::migration::{Applied, POSTGRES};
use crate::session::{self, Mode, Session};

/// How many connections one process takes at most.
pub(super) const MAX_CONNECTIONS: usize = 6;
/// How long a connection may have been idle before it is tried again, and
const IDLE: Duration = Duration::from_secs(1);
/// before another takes its place: what lies between may have forgotten it without a word.
const MOST_IDLE: Duration = Duration::from_secs(5 * 60);
const TRY_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) type Pool = managed::Pool<Connections>;

/// Opens the pool's connections.
#[derive(Debug)]
pub(super) struct Connections {
    url: DatabaseUrl,
    /// How often the server turned out to be silent: connections from before that are replaced.
    silences: AtomicU32,
}

impl Connections {
    /// Lets none of the connections that are open be used again.
    pub(super) fn give_up(&self) {
        self.silences.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// What errors call the store.
    store: String,
    session: Session,
    /// Whether the server left a question of ours without an answer.
    is_silent: AtomicBool,
    /// After how many of the server's silences it was opened.
    opened_after: u32,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.session.connected.task.abort();
    }
}

impl managed::Manager for Connections {
    type Type = Connection;
    type Error = Wrong;

    async fn create(&self) -> Result<Connection, Wrong> {
        let mut connection = Connection {
            opened_after: self.silences.load(Ordering::Relaxed),
            store: self.url.to_string(),
            session: session::open(&self.url).await?,
            is_silent: AtomicBool::new(false),
        };
        // whatever is asked of another's tables, or a newer program's, nothing is done
        let work = connection.read().await?;
        recognise(&work).await?.missing(POSTGRES)?;
        work.commit().await?;
        Ok(connection)
    }

    /// A connection that was lost while it was idle, also without a word, is replaced unseen.
    async fn recycle(
        &self,
        connection: &mut Connection,
        metrics: &Metrics,
    ) -> RecycleResult<Wrong> {
        if connection.session.client().is_closed()
            || *connection.is_silent.get_mut()
            || connection.opened_after != self.silences.load(Ordering::Relaxed)
        {
            return Err(RecycleError::message("closed by the server"));
        }
        if metrics.last_used() < IDLE {
            return Ok(());
        }
        if metrics.last_used() > MOST_IDLE {
            return Err(RecycleError::message("not used for long"));
        }
        let answer = connection.session.client().batch_execute("");
        match tokio::time::timeout(TRY_TIMEOUT, answer).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(RecycleError::message("no longer answers")),
        }
    }
}

pub(super) fn pool(url: DatabaseUrl) -> Result<Pool, managed::BuildError> {
    let connections = Connections {
        url,
        silences: AtomicU32::new(0),
    };
    Pool::builder(connections)
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

impl Connection {
    /// Begins a transaction that sees one state of the store and changes nothing.
    pub(super) async fn read(&mut self) -> Result<Work<'_>, Wrong> {
        self.begin(Mode::Read).await
    }

    /// As [`Self::read`], for what is written next.
    pub(super) async fn load(&mut self) -> Result<Work<'_>, Wrong> {
        self.begin(Mode::Load).await
    }

    /// As [`Self::read`], for what passes over a whole history: it takes as long as its reader takes.
    pub(super) async fn pass(&mut self) -> Result<Work<'_>, Wrong> {
        let mut work = self.read().await?;
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
        self.begin(Mode::Write).await
    }

    /// Vacuums a table, which can be part of no transaction; nothing is set for it.
    pub(super) async fn vacuum(&self, table: &str) -> Result<(), Wrong> {
        let sql = format!("vacuum {table}");
        Ok(self.session.client().batch_execute(&sql).await?)
    }

    async fn begin(&mut self, mode: Mode) -> Result<Work<'_>, Wrong> {
        Work::begin(&self.session, mode, &self.store, &self.is_silent).await
    }
}
