//! One connection to a monitored server: read-only, bounded, cancellable, and metered.

mod exchange;
mod lending;
mod reading;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_connect::{APPLICATION_NAME, Connected, DatabaseUrl, Peer};
use plimsoll_core::Oid;
use plimsoll_core::snapshot::{Cost, Server};
use tokio::time::Instant;
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};
use tokio_util::sync::CancellationToken;

use crate::encoding::Encoding;
use crate::error::{ErrorContext, VisitError};

pub use lending::Lending;

/// The oldest major version that is visited.
const OLDEST_MAJOR: u32 = 13;

/// How long a cancelled statement may take to end before the connection is dropped anyway.
const GRACE: Duration = Duration::from_secs(2);

/// How often a statement that a standby's replay cancelled is tried again.
const CONFLICT_RETRIES: u32 = 3;

/// What is waited before that. Replay may signal the same conflict once more, and a session that is
/// between two messages of its next transaction then would be ended rather than its statement.
const CONFLICT_PAUSE: Duration = Duration::from_millis(50);

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
    may_add_forks: bool,
    /// Of this database's text.
    encoding: Encoding,
    /// Of the whole server's, as far as anybody can tell: that of its untouched template.
    server_encoding: Encoding,
    statements: AtomicU64,
    server_us: AtomicU64,
    bytes_received: AtomicU64,
    /// Whether a statement runs on the server.
    is_running: AtomicBool,
    /// Who may ask something between two statements.
    lending: Option<Lending>,
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
            opened = url.connect(APPLICATION_NAME, limits.connect_timeout) => opened?,
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
            may_add_forks: true,
            encoding: connected
                .encoding
                .as_deref()
                .map_or(Encoding::Unknown, Encoding::named),
            server_encoding: Encoding::Unknown,
            statements: AtomicU64::new(0),
            server_us: AtomicU64::new(0),
            bytes_received: AtomicU64::new(0),
            is_running: AtomicBool::new(false),
            lending: None,
            connected,
        };
        session.introduce().await?;
        Ok(session)
    }

    async fn introduce(&mut self) -> Result<(), VisitError> {
        let row = self.one(include_str!("session/server.sql"), &[]).await?;
        self.server.version_num = self.read::<i32, _>(&row, "version_num")?.unsigned_abs();
        self.server.in_recovery = self.read(&row, "in_recovery")?;
        self.server.started_at = self.read(&row, "started_at")?;
        self.may_add_forks = self.read(&row, "may_add_forks")?;
        self.server.block_size = self.read::<i32, _>(&row, "block_size")?.unsigned_abs();
        self.database_oid = self.read(&row, "database_oid")?;
        self.encoding = Encoding::named(&self.shared_text(&row, "encoding")?);
        let server_encoding: Option<&str> = self.read(&row, "server_encoding")?;
        self.server_encoding = server_encoding.map_or(Encoding::Unknown, Encoding::named);
        self.database = self.database_name(self.read(&row, "database")?).await?;
        if self.server.major() < OLDEST_MAJOR {
            return Err(VisitError::UnsupportedServer {
                server: self.connected.server.clone(),
                version: format!("version {}", self.server.version_num),
            });
        }
        if self.read(&row, "may_read_reset")? {
            let sql = include_str!("session/stats_reset.sql");
            let row = self.one(sql, &[(&self.database_oid, Type::OID)]).await?;
            self.server.stats_reset_at = self.read(&row, "stats_reset_at")?;
        }
        if self.read(&row, "may_read_control")? {
            let row = self.one(include_str!("session/control.sql"), &[]).await?;
            let identifier: i64 = self.read(&row, "system_identifier")?;
            // The server keeps both without a sign and shows the same bits with one.
            self.server.system_identifier = Some(identifier.cast_unsigned());
            self.server.timeline = Some(self.read::<i32, _>(&row, "timeline")?.cast_unsigned());
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

    /// Whether the role may ask for all forks of a relation in one go (`pg_table_size`).
    pub(crate) const fn may_add_forks(&self) -> bool {
        self.may_add_forks
    }

    /// The database's name, as it is shown.
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

    /// Sets a new deadline, for a session that stays open from one look to the next.
    pub const fn set_deadline(&mut self, deadline: Instant) {
        self.limits.deadline = deadline;
    }

    /// Lets others ask between two of its statements.
    pub(crate) fn lent_by(mut self, lending: &Lending) -> Self {
        self.lending = Some(lending.clone());
        self
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
        if let Some(lending) = &self.lending {
            lending.serve(self).await;
        }
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
                    tokio::time::sleep(CONFLICT_PAUSE).await;
                }
                result => return result,
            }
        }
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

    fn unreadable(&self, sql: &str, reason: String) -> VisitError {
        VisitError::QueryFailed {
            server: self.connected.server.clone(),
            attempted: title(sql).to_owned(),
            sqlstate: "-".to_owned(),
            reason,
        }
    }

    fn error_context<'a>(&'a self, attempted: &'a str) -> ErrorContext<'a> {
        ErrorContext {
            peer: Peer {
                server: &self.connected.server,
                user: None,
                database: Some(&self.database),
            },
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

/// What a statement is for: the first words of its first comment, else of itself.
pub(crate) fn title(sql: &str) -> &str {
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
