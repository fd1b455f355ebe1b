//! What can go wrong on a visit, each with a stable code and a text that says what to do.

use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::url::UrlError;

/// Why a visit, or one statement of it, failed.
///
/// Texts name the server, the database and the role, never a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// The URL cannot be used.
    #[error(transparent)]
    InvalidUrl(#[from] UrlError),

    /// Nothing answers at the address, or the name does not resolve.
    #[error(
        "cannot reach {server}: {reason}; check the address, and that the server runs and listens there"
    )]
    Unreachable {
        /// `host:port`, or the socket's path.
        server: String,
        /// What the operating system said.
        reason: String,
    },

    /// No TLS connection came about, or the server's certificate is not to be trusted.
    #[error("no TLS connection to {server}: {reason}")]
    TlsFailed {
        /// `host:port`.
        server: String,
        /// What went wrong, and what to do.
        reason: String,
    },

    /// The server did not let the role in.
    #[error(
        "{server} did not let {user} in: {reason}; check the user and the password in the URL, and pg_hba.conf on the server"
    )]
    AuthenticationFailed {
        /// `host:port`, or the socket's path.
        server: String,
        /// The role that tried, quoted, or `the default user`.
        user: String,
        /// What the server said.
        reason: String,
    },

    /// The server has no database of that name.
    #[error("{server} has no database {database}: {reason}; check the name in the URL")]
    UnknownDatabase {
        /// `host:port`, or the socket's path.
        server: String,
        /// The name that was asked for, quoted.
        database: String,
        /// What the server said.
        reason: String,
    },

    /// The role may not do what was attempted.
    #[error(
        "{attempted} on {server}: {reason}; `plimsoll doctor --grants` prints what the role needs"
    )]
    PermissionDenied {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
        /// What the server said.
        reason: String,
    },

    /// Every connection slot that the role may take is taken.
    #[error(
        "{server} has no free connection: {reason}; one connection is enough, so free one or raise max_connections (or the role's connection limit)"
    )]
    TooManyConnections {
        /// `host:port`, or the socket's path.
        server: String,
        /// What the server said.
        reason: String,
    },

    /// The server does not take connections yet, or no longer.
    #[error("{server} does not take connections now: {reason}; try again when it is up")]
    ServerStarting {
        /// `host:port`, or the socket's path.
        server: String,
        /// What the server said.
        reason: String,
    },

    /// The server ended the connection: it shuts down, or an administrator ended the session.
    #[error("{server} ended the connection: {reason}")]
    ServerShuttingDown {
        /// `host:port`, or the socket's path.
        server: String,
        /// What the server said.
        reason: String,
    },

    /// The connection broke.
    #[error(
        "the connection to {server} was lost: {reason}; the server's log says whether it crashed"
    )]
    ConnectionLost {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was noticed.
        reason: String,
    },

    /// The deadline came first; what ran on the server was cancelled there.
    #[error("{server} did not answer in time: {attempted} took longer than allowed")]
    TimedOut {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
    },

    /// Somebody asked to stop; what ran on the server was cancelled there.
    #[error("stopped on request: {attempted} on {server}")]
    Cancelled {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was under way.
        attempted: String,
    },

    /// One statement ran longer than `statement_timeout`, or was cancelled by somebody on the server.
    #[error("{attempted} on {server} was ended by the server: {reason}")]
    StatementTimedOut {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
        /// What the server said.
        reason: String,
    },

    /// One statement waited for a lock longer than `lock_timeout` (SQLSTATE 55P03).
    #[error("{attempted} on {server} met a lock: {reason}")]
    LockTimedOut {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
        /// What the server said.
        reason: String,
    },

    /// A standby cancelled the statement, several times in a row, because replay needed what it read.
    #[error("{attempted} on the standby {server} conflicts with replay: {reason}; try again later")]
    RecoveryConflict {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
        /// What the server said.
        reason: String,
    },

    /// Older than PostgreSQL 13, or not PostgreSQL.
    #[error("{server} runs {version}; Plimsoll needs PostgreSQL 13 or later")]
    UnsupportedServer {
        /// `host:port`, or the socket's path.
        server: String,
        /// What it says it is.
        version: String,
    },

    /// The server refused a statement for a reason that has no name of its own here.
    #[error("{attempted} on {server} failed: {reason} (SQLSTATE {sqlstate})")]
    QueryFailed {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
        /// SQLSTATE, or `-` when the answer could not be read.
        sqlstate: String,
        /// What the server said.
        reason: String,
    },
}

impl VisitError {
    /// A stable code, as answers and logs carry it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InvalidUrl(_) => "invalid_url",
            Self::Unreachable { .. } => "server_unreachable",
            Self::TlsFailed { .. } => "tls_failed",
            Self::AuthenticationFailed { .. } => "authentication_failed",
            Self::UnknownDatabase { .. } => "unknown_database",
            Self::PermissionDenied { .. } => "permission_denied",
            Self::TooManyConnections { .. } => "too_many_connections",
            Self::ServerStarting { .. } => "server_starting",
            Self::ServerShuttingDown { .. } => "server_shutting_down",
            Self::ConnectionLost { .. } => "connection_lost",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled { .. } => "cancelled",
            Self::StatementTimedOut { .. } => "statement_timed_out",
            Self::LockTimedOut { .. } => "lock_timed_out",
            Self::RecoveryConflict { .. } => "recovery_conflict",
            Self::UnsupportedServer { .. } => "unsupported_server",
            Self::QueryFailed { .. } => "query_failed",
        }
    }

    /// Whether a relation was locked: the caller may leave it out and go on.
    pub const fn is_lock_timeout(&self) -> bool {
        matches!(self, Self::LockTimedOut { .. })
    }

    /// Whether one statement took too long while the connection lives on.
    pub const fn is_statement_timeout(&self) -> bool {
        matches!(self, Self::StatementTimedOut { .. })
    }

    /// Whether only this statement failed: the session can go on with the next one.
    pub const fn session_lives(&self) -> bool {
        matches!(
            self,
            Self::LockTimedOut { .. }
                | Self::StatementTimedOut { .. }
                | Self::PermissionDenied { .. }
                | Self::RecoveryConflict { .. }
                | Self::QueryFailed { .. }
        )
    }

    /// Whether another host of the same URL may do better.
    pub(crate) const fn another_host_may_answer(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::ConnectionLost { .. }
                | Self::ServerStarting { .. }
                | Self::ServerShuttingDown { .. }
        )
    }
}

/// Where and as whom an error happened: what texts about it need to name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// `host:port`, or the socket's path.
    pub server: &'a str,
    /// The role, if the URL names one.
    pub user: Option<&'a str>,
    /// The database, if the URL names one.
    pub database: Option<&'a str>,
    /// What was attempted, in a few words.
    pub attempted: &'a str,
}

impl Scene<'_> {
    /// What the client library reported, in our words.
    pub(crate) fn error(&self, error: &tokio_postgres::Error) -> VisitError {
        if let Some(answer) = error.as_db_error() {
            return self.answered(answer);
        }
        let server = self.server.to_owned();
        let reason = deepest(error);
        let text = error.to_string();
        // The client library keeps its kinds of error private: what it prints first is all there is.
        if text.starts_with("error performing TLS handshake") {
            return VisitError::TlsFailed { server, reason };
        }
        if text.starts_with("error connecting to server") {
            return VisitError::Unreachable { server, reason };
        }
        if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
            return VisitError::AuthenticationFailed {
                server,
                user: quoted(self.user, "the default user"),
                reason,
            };
        }
        if error.is_closed() || text.starts_with("error communicating with the server") {
            return VisitError::ConnectionLost { server, reason };
        }
        VisitError::QueryFailed {
            server,
            attempted: self.attempted.to_owned(),
            sqlstate: "-".to_owned(),
            reason: format!("{text}: {reason}"),
        }
    }

    /// What the server answered, in our words.
    fn answered(&self, answer: &DbError) -> VisitError {
        let server = self.server.to_owned();
        let attempted = self.attempted.to_owned();
        let reason = answer.message().to_owned();
        let code = answer.code();
        if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        {
            return VisitError::AuthenticationFailed {
                server,
                user: quoted(self.user, "the default user"),
                reason,
            };
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return VisitError::UnknownDatabase {
                server,
                database: quoted(self.database, "of the role's name"),
                reason,
            };
        }
        if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            return VisitError::PermissionDenied {
                server,
                attempted,
                reason,
            };
        }
        if *code == SqlState::TOO_MANY_CONNECTIONS {
            return VisitError::TooManyConnections { server, reason };
        }
        if *code == SqlState::CANNOT_CONNECT_NOW {
            return VisitError::ServerStarting { server, reason };
        }
        if *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN
            || *code == SqlState::DATABASE_DROPPED
        {
            return VisitError::ServerShuttingDown { server, reason };
        }
        if *code == SqlState::QUERY_CANCELED {
            return VisitError::StatementTimedOut {
                server,
                attempted,
                reason,
            };
        }
        if *code == SqlState::LOCK_NOT_AVAILABLE {
            return VisitError::LockTimedOut {
                server,
                attempted,
                reason,
            };
        }
        let is_replay = *code == SqlState::T_R_SERIALIZATION_FAILURE
            || *code == SqlState::T_R_DEADLOCK_DETECTED;
        // Between two messages of a transaction, replay ends the session rather than the statement.
        if is_replay && answer.parsed_severity() == Some(Severity::Fatal) {
            return VisitError::ConnectionLost { server, reason };
        }
        if is_replay {
            return VisitError::RecoveryConflict {
                server,
                attempted,
                reason,
            };
        }
        if code.code().starts_with("08") {
            return VisitError::ConnectionLost { server, reason };
        }
        VisitError::QueryFailed {
            server,
            attempted,
            sqlstate: code.code().to_owned(),
            reason,
        }
    }
}

/// The innermost cause: the outer ones only say which layer noticed.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn quoted(name: Option<&str>, otherwise: &str) -> String {
    name.map_or_else(|| otherwise.to_owned(), |name| format!("\"{name}\""))
}
