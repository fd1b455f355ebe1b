//! What can go wrong on a visit, each with a stable code and a text that says what to do.

use std::error::Error as _;

use plimsoll_connect::{ConnectError, Peer};
use plimsoll_core::name::visible;
use tokio_postgres::error::{DbError, SqlState};

/// Why a visit, or one statement of it, failed.
///
/// Texts name the server, the database and the role, never a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VisitError {
    /// No connection came about, or it ended.
    #[error(transparent)]
    Connect(ConnectError),

    /// The role may not do what was attempted.
    #[error("{attempted} on {server}: {reason}; {advice}")]
    PermissionDenied {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was attempted.
        attempted: String,
        /// What the server said.
        reason: String,
        /// What would help.
        advice: &'static str,
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
            Self::Connect(error) => error.code(),
            Self::PermissionDenied { .. } => "permission_denied",
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
}

impl From<ConnectError> for VisitError {
    /// A deadline is a deadline, whether it came while connecting or later.
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::TimedOut { server } => Self::TimedOut {
                server,
                attempted: "connecting".to_owned(),
            },
            error => Self::Connect(error),
        }
    }
}

/// Whom an error is about, and at what it happened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ErrorContext<'a> {
    pub peer: Peer<'a>,
    /// What was attempted, in a few words.
    pub attempted: &'a str,
}

impl ErrorContext<'_> {
    /// What the client library reported, in our words.
    pub(crate) fn error(&self, error: &tokio_postgres::Error) -> VisitError {
        if let Some(error) = self.peer.error(error) {
            return error.into();
        }
        if let Some(answer) = error.as_db_error() {
            return self.answered(answer);
        }
        let cause = error
            .source()
            .map_or(String::new(), |cause| format!(": {cause}"));
        VisitError::QueryFailed {
            server: self.peer.server.to_owned(),
            attempted: self.attempted.to_owned(),
            sqlstate: "-".to_owned(),
            reason: visible(&format!("{error}{cause}")).into_owned(),
        }
    }

    /// What the server answered to a statement, in our words.
    fn answered(&self, answer: &DbError) -> VisitError {
        let server = self.peer.server.to_owned();
        let attempted = self.attempted.to_owned();
        // It may hold any name.
        let reason = visible(answer.message()).into_owned();
        match *answer.code() {
            SqlState::INSUFFICIENT_PRIVILEGE => VisitError::PermissionDenied {
                server,
                attempted,
                reason,
                advice: if is_of_the_file_system(answer) {
                    "no grant helps: the account that the server runs as may not read that file or folder"
                } else {
                    "`plimsoll doctor --grants` prints what the role needs"
                },
            },
            SqlState::QUERY_CANCELED => VisitError::StatementTimedOut {
                server,
                attempted,
                reason,
            },
            SqlState::LOCK_NOT_AVAILABLE => VisitError::LockTimedOut {
                server,
                attempted,
                reason,
            },
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED => {
                VisitError::RecoveryConflict {
                    server,
                    attempted,
                    reason,
                }
            }
            ref code => VisitError::QueryFailed {
                server,
                attempted,
                sqlstate: code.code().to_owned(),
                reason,
            },
        }
    }
}

/// Whether it is the operating system that refused the server: both refusals have one SQLSTATE, and only the server's
/// function that reports them tells which (`fd.c`, `genfile.c`, `dbsize.c`).
fn is_of_the_file_system(answer: &DbError) -> bool {
    let file_access = [
        "AllocateDir",
        "ReadDirExtended",
        "pg_stat_file",
        "calculate_relation_size",
        "calculate_tablespace_size",
        "db_dir_size",
    ];
    answer
        .routine()
        .is_some_and(|routine| file_access.contains(&routine))
}
