//! One connection to a monitored server: read-only, bounded, cancellable, and metered.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::maybe_done;
use futures_util::{StreamExt, future};
use jiff::Timestamp;
use plimsoll_core::Oid;
use plimsoll_core::snapshot::{Cost, Server};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_util::sync::CancellationToken;

use crate::connect::{self, Connected};
use crate::error::{Scene, VisitError};
use crate::url::DatabaseUrl;
use crate::visit::VisitOptions;

/// The name that monitored servers show for our sessions.
pub const APPLICATION_NAME: &str = "plimsoll";

/// The oldest major version that is visited.
const OLDEST_MAJOR: u32 = 13;

/// How long a cancelled statement may take to end before the connection is dropped anyway.
const GRACE: Duration = Duration::from_secs(2);

/// How often a statement that a standby's replay cancelled is tried again.
const CONFLICT_RETRIES: u32 = 3;

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a statement may wait for a lock.
    pub lock_timeout: Duration,
    /// How long one statement may run.
    pub statement_timeout: Duration,
    /// How long connecting to one host may take.
    pub connect_timeout: Duration,
    /// When everything ends; what runs then is cancelled on the server.
    pub deadline: Instant,
}

impl From<&VisitOptions> for Limits {
    /// The deadline counts from now.
    fn from(options: &VisitOptions) -> Self {
        Self {
            lock_timeout: options.lock_timeout,
            statement_timeout: options.statement_timeout,
            connect_timeout: options.connect_timeout,
            deadline: Instant::now() + options.deadline,
        }
    }
}

/// A value for a statement, with its type: no round trip asks the server for it.
pub type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// A connection to one database of a monitored server.
///
/// Each statement is a short transaction of its own, so no snapshot outlives a statement.
pub struct Session {
    connected: Connected,
    limits: Limits,
    cancel: CancellationToken,
    server: Server,
    database: String,
    database_oid: Oid,
    statements: AtomicU64,
    server_us: AtomicU64,
    bytes_received: AtomicU64,
    /// Whether a statement runs on the server.
    is_running: AtomicBool,
}

impl Session {
    /// Connects and reads what the server is.
    ///
    /// # Errors
    /// Every variant of [`VisitError`] that has to do with connecting.
    pub async fn open(
        url: &DatabaseUrl,
        limits: &Limits,
        cancel: &CancellationToken,
    ) -> Result<Self, VisitError> {
        let attempted = || "connecting".to_owned();
        let connected = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(VisitError::Cancelled {
                server: url.host_text(),
                attempted: attempted(),
            }),
            () = tokio::time::sleep_until(limits.deadline) => return Err(VisitError::TimedOut {
                server: url.host_text(),
                attempted: attempted(),
            }),
            opened = connect::open(url, APPLICATION_NAME, limits.connect_timeout) => opened?,
        };
        if let Some(version) = &connected.version
            && announced_major(version).is_some_and(|major| major < OLDEST_MAJOR)
        {
            return Err(VisitError::UnsupportedServer {
                server: connected.server,
                version: format!("PostgreSQL {version}"),
            });
        }
        let mut session = Self {
            connected,
            limits: *limits,
            cancel: cancel.clone(),
            server: Server {
                version_num: 0,
                system_identifier: None,
                timeline: None,
                in_recovery: false,
                started_at: Timestamp::UNIX_EPOCH,
                stats_reset_at: None,
                block_size: 8192,
            },
            database: String::new(),
            database_oid: 0,
            statements: AtomicU64::new(0),
            server_us: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
        };
        session.introduce().await?;
        Ok(session)
    }

    async fn introduce(&mut self) -> Result<(), VisitError> {
        let row = self.one(include_str!("session/server.sql"), &[]).await?;
        let unsigned = |value: i32| u32::try_from(value).unwrap_or(0);
        self.server.version_num = unsigned(self.read(&row, "version_num")?);
        self.server.in_recovery = self.read(&row, "in_recovery")?;
        self.server.started_at = self.read(&row, "started_at")?;
        self.server.stats_reset_at = self.read(&row, "stats_reset_at")?;
        self.server.block_size = unsigned(self.read(&row, "block_size")?);
        self.database = self.read(&row, "database")?;
        self.database_oid = self.read(&row, "database_oid")?;
        if self.server.major() < OLDEST_MAJOR {
            return Err(VisitError::UnsupportedServer {
                server: self.connected.server.clone(),
                version: format!("version {}", self.server.version_num),
            });
        }
        if self.read(&row, "may_read_control")? {
            let row = self.one(include_str!("session/control.sql"), &[]).await?;
            let identifier: i64 = self.read(&row, "system_identifier")?;
            // The server keeps it unsigned and shows the same bits as a bigint.
            self.server.system_identifier = Some(u64::from_ne_bytes(identifier.to_ne_bytes()));
            self.server.timeline = Some(unsigned(self.read(&row, "timeline")?));
        }
        Ok(())
    }

    /// The server, as it was when the session began.
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The database's OID.
    pub const fn database_oid(&self) -> Oid {
        self.database_oid
    }

    /// The database's name, raw.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// `host:port` or the socket's path of the host that answered.
    pub fn host_text(&self) -> &str {
        &self.connected.server
    }

    /// Whether the connection goes through a Unix-domain socket.
    pub const fn is_unix_socket(&self) -> bool {
        self.connected.is_unix_socket
    }

    /// How long things may take.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Every row of the answer.
    pub async fn rows(&self, sql: &str, params: &[Param<'_>]) -> Result<Vec<Row>, VisitError> {
        let mut rows = Vec::new();
        self.stream(sql, params, |row| {
            rows.push(row);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// The only row of the answer; another number of rows is an error.
    pub async fn one(&self, sql: &str, params: &[Param<'_>]) -> Result<Row, VisitError> {
        let mut rows = self.rows(sql, params).await?;
        match (rows.pop(), rows.len()) {
            (Some(row), 0) => Ok(row),
            (last, others) => Err(self.unreadable(
                sql,
                format!(
                    "{} rows where one was expected",
                    others + usize::from(last.is_some())
                ),
            )),
        }
    }

    /// The first row of the answer, if it has one.
    pub async fn opt(&self, sql: &str, params: &[Param<'_>]) -> Result<Option<Row>, VisitError> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Hands over row after row as they arrive, so that the whole answer is never in memory.
    ///
    /// A standby's replay that cancels the statement before its first row is no error: it is tried
    /// again. An error of `each` ends the statement on the server and comes back.
    pub async fn stream<F>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        mut each: F,
    ) -> Result<(), VisitError>
    where
        F: FnMut(Row) -> Result<(), VisitError> + Send,
    {
        let mut retries = 0;
        loop {
            let mut delivered = false;
            let result = self
                .bounded(sql, params, &mut |row| {
                    delivered = true;
                    each(row)
                })
                .await;
            match result {
                Err(VisitError::RecoveryConflict { .. })
                    if !delivered && retries < CONFLICT_RETRIES =>
                {
                    retries += 1;
                    tracing::debug!(
                        retries,
                        attempted = title(sql),
                        "replay cancelled a statement"
                    );
                }
                result => return result,
            }
        }
    }

    /// A column of a row, by name or position.
    pub fn read<'a, T, I>(&self, row: &'a Row, column: I) -> Result<T, VisitError>
    where
        T: FromSql<'a>,
        I: tokio_postgres::row::RowIndex + std::fmt::Display,
    {
        row.try_get(column)
            .map_err(|error| self.scene("reading an answer").error(&error))
    }

    /// What this session has cost the server so far.
    ///
    /// `statements` counts questions: each also sends the `begin` and `commit` around it.
    pub fn cost(&self) -> Cost {
        Cost {
            statements: self.statements.load(Ordering::Relaxed),
            connections: 1,
            server_ms: self.server_us.load(Ordering::Relaxed) / 1000,
            bytes_received: self.bytes_received.load(Ordering::Relaxed),
            ..Cost::default()
        }
    }

    /// Memory of this session's backend in bytes, or why it is not known.
    pub async fn backend_memory(&self) -> (Option<u64>, Option<String>) {
        if self.server.major() < 14 {
            let reason = "the server is older than PostgreSQL 14".to_owned();
            return (None, Some(reason));
        }
        let read = async {
            let sql = include_str!("session/may_read_memory.sql");
            let may: bool = self.read(&self.one(sql, &[]).await?, 0)?;
            if !may {
                return Ok(None);
            }
            let row = self.one(include_str!("session/memory.sql"), &[]).await?;
            let bytes: i64 = self.read(&row, 0)?;
            Ok::<_, VisitError>(u64::try_from(bytes).ok())
        };
        match read.await {
            Ok(Some(bytes)) => (Some(bytes), None),
            Ok(None) => (
                None,
                Some("the role may not read pg_backend_memory_contexts".to_owned()),
            ),
            Err(error) => (None, Some(error.to_string())),
        }
    }

    /// Says goodbye, and waits until the connection is closed.
    pub async fn close(self) {
        let task = self.connected.task.abort_handle();
        // Dropping the client makes the task send its farewell and end.
        let mut this = self;
        let waiting = std::mem::replace(&mut this.connected.task, tokio::spawn(async {}));
        drop(this);
        if tokio::time::timeout(GRACE, waiting).await.is_err() {
            task.abort();
        }
    }

    /// One statement, ended on the server when the deadline or a cancellation comes first.
    async fn bounded<F>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut F,
    ) -> Result<(), VisitError>
    where
        F: FnMut(Row) -> Result<(), VisitError> + Send,
    {
        let server = || self.connected.server.clone();
        let attempted = || title(sql).to_owned();
        if self.cancel.is_cancelled() {
            return Err(VisitError::Cancelled {
                server: server(),
                attempted: attempted(),
            });
        }
        if Instant::now() >= self.limits.deadline {
            return Err(VisitError::TimedOut {
                server: server(),
                attempted: attempted(),
            });
        }
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.is_running.store(true, Ordering::Relaxed);
        let mut work = pin!(self.exchange(sql, params, each));
        let interrupted = tokio::select! {
            biased;
            () = self.cancel.cancelled() => {
                VisitError::Cancelled { server: server(), attempted: attempted() }
            }
            () = tokio::time::sleep_until(self.limits.deadline) => {
                VisitError::TimedOut { server: server(), attempted: attempted() }
            }
            result = &mut work => {
                // An error of `each` leaves the rest of the answer unread.
                let is_over = !matches!(&result, Err(Failure::Consumer(_)));
                if !is_over {
                    let _ = tokio::time::timeout(GRACE, self.connected.cancel()).await;
                }
                self.is_running.store(false, Ordering::Relaxed);
                return result.map_err(|failure| self.failed(sql, failure));
            }
        };
        // The server has it in writing; now it gets a moment to comply, so that nothing of ours
        // runs there when the caller goes on.
        let ended = future::join(self.connected.cancel(), &mut work);
        if tokio::time::timeout(GRACE, ended).await.is_ok() {
            self.is_running.store(false, Ordering::Relaxed);
        }
        Err(interrupted)
    }

    /// Sends `begin`, the statement and `commit` at once, and reads the answers.
    async fn exchange<F>(
        &self,
        sql: &str,
        params: &[Param<'_>],
        each: &mut F,
    ) -> Result<(), Failure>
    where
        F: FnMut(Row) -> Result<(), VisitError> + Send,
    {
        let client = &self.connected.client;
        let started = Instant::now();
        let mut consuming = Duration::ZERO;
        let begin = self.begin();
        let params = params.iter().map(|(value, kind)| (*value, kind.clone()));
        let mut begun = pin!(maybe_done(client.batch_execute(&begin)));
        let mut queried = pin!(maybe_done(client.query_typed_raw(sql, params)));
        let mut committed = pin!(maybe_done(client.batch_execute("commit")));
        // Polled in this order, so that they go out in this order, in one packet where they fit.
        // The commit's answer comes after the rows; it is in the server's hands already, so the
        // transaction ends without waiting for us.
        poll_fn(|cx| {
            let begun = begun.as_mut().poll(cx).is_ready();
            let queried = queried.as_mut().poll(cx).is_ready();
            let _ = committed.as_mut().poll(cx);
            if begun && queried {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        let begun = begun.take_output().unwrap_or(Ok(()));
        let result = match (begun, queried.take_output()) {
            (Err(error), _) | (Ok(()), Some(Err(error))) => Err(Failure::Server(error)),
            (Ok(()), None) => Ok(()),
            (Ok(()), Some(Ok(rows))) => {
                let mut rows = pin!(rows);
                let mut result = Ok(());
                let mut bytes = 0_u64;
                while let Some(row) = rows.next().await {
                    match row {
                        Ok(row) => {
                            bytes += u64::try_from(row.raw_size_bytes()).unwrap_or(0);
                            let consumer = Instant::now();
                            let taken = each(row);
                            consuming += consumer.elapsed();
                            if let Err(error) = taken {
                                result = Err(Failure::Consumer(error));
                                break;
                            }
                        }
                        Err(error) => {
                            result = Err(Failure::Server(error));
                            break;
                        }
                    }
                }
                self.bytes_received.fetch_add(bytes, Ordering::Relaxed);
                result
            }
        };
        if result.is_ok() {
            committed.as_mut().await;
            if let Some(Err(error)) = committed.take_output() {
                return Err(Failure::Server(error));
            }
        }
        let waited = started.elapsed().saturating_sub(consuming);
        self.server_us.fetch_add(
            u64::try_from(waited.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
        result
    }

    /// The transaction's beginning, with every setting that must hold for the statement.
    ///
    /// `set local` in each transaction, and not `set` once: behind PgBouncer in transaction mode the
    /// next statement may run on another backend, and a plain `set` would stay behind on a backend
    /// that is somebody else's next. Startup `options` are refused there. When one of the settings
    /// fails the transaction is aborted, and the statement with it: it never runs without them.
    fn begin(&self) -> String {
        let ms = |duration: Duration| duration.as_millis().clamp(1, 2_147_483_647);
        // The server ends the statement by itself shortly after the deadline, even if our request
        // to cancel it is lost.
        let left = self
            .limits
            .deadline
            .saturating_duration_since(Instant::now());
        let statement = ms(self
            .limits
            .statement_timeout
            .min(left + Duration::from_millis(500)));
        let lock = ms(self.limits.lock_timeout);
        // Since 15 a statistics snapshot would keep a copy of every table's counters in the backend.
        let statistics = if self.server.major() >= 15 {
            "set local stats_fetch_consistency = none; "
        } else {
            ""
        };
        // pg_temp last, or somebody's temporary table on a shared backend would be found before a
        // catalog of that name. work_mem keeps long answers out of temporary files on the server.
        format!(
            "begin isolation level read committed read only; \
             set local statement_timeout = {statement}; \
             set local lock_timeout = {lock}; \
             set local idle_in_transaction_session_timeout = {statement}; \
             set local search_path = pg_catalog, pg_temp; \
             set local work_mem = '32MB'; \
             set local jit = off; \
             set local max_parallel_workers_per_gather = 0; \
             {statistics}\
             set local client_min_messages = error"
        )
    }

    fn failed(&self, sql: &str, failure: Failure) -> VisitError {
        let error = match failure {
            Failure::Consumer(error) => return error,
            Failure::Server(error) => error,
        };
        let scene = self.scene(title(sql));
        if error.is_closed()
            && let Some(cause) = self.connected.broken_by()
        {
            return scene.error(&cause);
        }
        scene.error(&error)
    }

    fn unreadable(&self, sql: &str, reason: String) -> VisitError {
        VisitError::QueryFailed {
            server: self.connected.server.clone(),
            attempted: title(sql).to_owned(),
            sqlstate: "-".to_owned(),
            reason,
        }
    }

    fn scene<'a>(&'a self, attempted: &'a str) -> Scene<'a> {
        Scene {
            server: &self.connected.server,
            user: None,
            database: Some(&self.database),
            attempted,
        }
    }
}

impl Drop for Session {
    /// A session that is dropped in the middle of a statement stops it on the server.
    fn drop(&mut self) {
        if self.is_running.load(Ordering::Relaxed)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            self.connected.cancel_in_background(&runtime);
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("server", &self.connected.server)
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

enum Failure {
    Server(tokio_postgres::Error),
    Consumer(VisitError),
}

/// What a statement is for: the first words of its first comment, else of itself.
fn title(sql: &str) -> &str {
    let line = sql.trim_start().lines().next().unwrap_or_default();
    let line = line.strip_prefix("--").unwrap_or(line).trim();
    let end = line.find([':', '.']).unwrap_or(line.len());
    let line = &line[..end];
    line.char_indices()
        .nth(80)
        .map_or(line, |(end, _)| &line[..end])
}

/// The major version in `server_version`: 15 for `15.18 (Debian 15.18-1)`, 9 for `9.6.24`.
fn announced_major(version: &str) -> Option<u32> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_servers_announce_them() {
        for (version, major) in [
            ("15.18 (Debian 15.18-0+deb12u1)", Some(15)),
            ("19beta1", Some(19)),
            ("9.6.24", Some(9)),
            ("unknown", None),
        ] {
            assert_eq!(announced_major(version), major, "{version}");
        }
    }

    #[test]
    fn a_statement_is_called_by_its_comment() {
        for (sql, name) in [
            (
                "-- reading the catalog: no locks\nselect 1",
                "reading the catalog",
            ),
            ("select 1", "select 1"),
            ("", ""),
        ] {
            assert_eq!(title(sql), name);
        }
    }
}
