//! What can go wrong with a connection, each with a stable code and a text that says what to do.

use plimsoll_core::name::visible;
use tokio_postgres::error::{DbError, Severity, SqlState};

use crate::url::UrlError;

/// Why no connection came about, or why it ended.
///
/// Texts name the server, the database and the role, never a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
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

    /// The role may not enter the database.
    #[error("{server} did not let {user} in: {reason}; the role needs CONNECT on the database")]
    PermissionDenied {
        /// `host:port`, or the socket's path.
        server: String,
        /// The role that tried, quoted, or `the default user`.
        user: String,
        /// What the server said.
        reason: String,
    },

    /// Every connection slot that the role may take is taken.
    #[error(
        "{server} has no free connection: {reason}; one is enough: a running `plimsoll serve` of the same role may hold it \
         (application_name plimsoll in pg_stat_activity), so try again in a moment or ask that one; else free another, \
         or raise max_connections or the role's connection limit"
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

    /// The server, or a pooler before it, ended the session for a reason that has no name of its own here.
    #[error("{server} ended the session: {reason}")]
    Ended {
        /// `host:port`, or the socket's path.
        server: String,
        /// What it said, with its SQLSTATE.
        reason: String,
    },

    /// The connection broke.
    #[error(
        "the connection to {server} was lost: {reason}; the server's log says whether it crashed"
    )]
    Lost {
        /// `host:port`, or the socket's path.
        server: String,
        /// What was noticed.
        reason: String,
    },

    /// The server turned the connection down for a reason that has no name of its own here.
    #[error("{server} refused the connection: {reason}")]
    Refused {
        /// `host:port`, or the socket's path.
        server: String,
        /// What the server said, with its SQLSTATE.
        reason: String,
    },

    /// No connection came about in the time allowed.
    #[error("{server} did not answer in time: connecting took longer than allowed")]
    TimedOut {
        /// `host:port`, or the socket's path.
        server: String,
    },
}

impl ConnectError {
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
            Self::Ended { .. } => "session_ended",
            Self::Lost { .. } => "connection_lost",
            Self::Refused { .. } => "connection_refused",
            Self::TimedOut { .. } => "timed_out",
        }
    }

    /// Whether another host of the same URL may do better.
    pub(crate) const fn another_host_may_answer(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. }
                | Self::TimedOut { .. }
                | Self::Lost { .. }
                | Self::ServerStarting { .. }
                | Self::ServerShuttingDown { .. }
        )
    }
}

/// Whom an error is about: what texts about it need to name.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// `host:port`, or the socket's path.
    pub server: &'a str,
    /// The role, if the URL names one.
    pub user: Option<&'a str>,
    /// The database, if the URL names one.
    pub database: Option<&'a str>,
}

impl Peer<'_> {
    /// What the client library reported about the connection, in our words; `None` where the
    /// connection is as it should be, and only what was asked for failed.
    pub fn error(&self, error: &tokio_postgres::Error) -> Option<ConnectError> {
        if let Some(answer) = error.as_db_error() {
            let is_over = matches!(
                answer.parsed_severity(),
                Some(Severity::Fatal | Severity::Panic)
            );
            // A pooler may call it an error.
            let is_over = is_over || answer.code().code().starts_with("08");
            let ended = || ConnectError::Ended {
                server: self.server.to_owned(),
                reason: format!(
                    "{} (SQLSTATE {}){}",
                    said(answer),
                    answer.code().code(),
                    if allows_no_transactions(error) {
                        STATEMENT_MODE
                    } else {
                        ""
                    }
                ),
            };
            return self.answered(answer).or_else(|| is_over.then(ended));
        }
        let server = self.server.to_owned();
        let reason = deepest(error);
        let text = error.to_string();
        // The client library keeps its kinds of error private: what it prints first is all there is.
        if text.starts_with("error performing TLS handshake") {
            return Some(ConnectError::TlsFailed { server, reason });
        }
        if text.starts_with("error connecting to server") {
            return Some(ConnectError::Unreachable { server, reason });
        }
        if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
            return Some(ConnectError::AuthenticationFailed {
                server,
                user: self.user_text(),
                reason,
            });
        }
        if error.is_closed() || text.starts_with("error communicating with the server") {
            return Some(ConnectError::Lost { server, reason });
        }
        None
    }

    /// As [`Self::error`], while connecting: whatever it is, there is no connection.
    pub(crate) fn refusal(&self, error: &tokio_postgres::Error) -> ConnectError {
        let server = self.server.to_owned();
        let Some(answer) = error.as_db_error() else {
            return self.error(error).unwrap_or_else(|| ConnectError::Lost {
                server,
                reason: format!("not a PostgreSQL server's answer: {}", deepest(error)),
            });
        };
        if let Some(error) = self.answered(answer) {
            return error;
        }
        if *answer.code() == SqlState::INSUFFICIENT_PRIVILEGE {
            return ConnectError::PermissionDenied {
                server,
                user: self.user_text(),
                reason: said(answer),
            };
        }
        ConnectError::Refused {
            server,
            reason: format!("{} (SQLSTATE {})", said(answer), answer.code().code()),
        }
    }

    /// What the server answered, in our words.
    fn answered(&self, answer: &DbError) -> Option<ConnectError> {
        let server = self.server.to_owned();
        let reason = said(answer);
        let code = answer.code();
        if *code == SqlState::INVALID_PASSWORD
            || *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        {
            return Some(ConnectError::AuthenticationFailed {
                server,
                user: self.user_text(),
                reason,
            });
        }
        if *code == SqlState::INVALID_CATALOG_NAME {
            return Some(ConnectError::UnknownDatabase {
                server,
                database: quoted(self.database, "of the role's name"),
                reason,
            });
        }
        if *code == SqlState::TOO_MANY_CONNECTIONS {
            return Some(ConnectError::TooManyConnections { server, reason });
        }
        if *code == SqlState::CANNOT_CONNECT_NOW {
            return Some(ConnectError::ServerStarting { server, reason });
        }
        if *code == SqlState::ADMIN_SHUTDOWN
            || *code == SqlState::CRASH_SHUTDOWN
            || *code == SqlState::DATABASE_DROPPED
        {
            return Some(ConnectError::ServerShuttingDown { server, reason });
        }
        None
    }

    fn user_text(&self) -> String {
        quoted(self.user, "the default user")
    }
}

/// What helps where a pooler runs each statement wherever it likes.
const STATEMENT_MODE: &str =
    "; name the server itself in the URL, or a pool of mode transaction or session";

/// Whether a pooler said that it allows no transactions: PgBouncer with `pool_mode = statement`.
pub fn allows_no_transactions(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|answer| {
        answer.code().code() == "08P01"
            && answer.message().contains("transaction blocks not allowed")
    })
}

/// What a server said, in one line: it may hold any name.
fn said(answer: &DbError) -> String {
    visible(answer.message()).into_owned()
}

/// The innermost cause: the outer ones only say which layer noticed.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    visible(&cause.to_string()).into_owned()
}

fn quoted(name: Option<&str>, otherwise: &str) -> String {
    name.map_or_else(
        || otherwise.to_owned(),
        |name| format!("\"{}\"", visible(name)),
    )
}
