//! What can go wrong while a temporary server is made, started or talked to.

use std::io;
use std::path::PathBuf;

/// Why a server could not be started, stopped or asked.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The wanted major is not installed, or no PostgreSQL at all.
    #[error(
        "no PostgreSQL{} found: install it, fetch it with scripts/fetch-postgres, or name the folder \
         of its `initdb` and `postgres` in PLIMSOLL_PG_BIN",
        .major.map(|major| format!(" {major}")).unwrap_or_default()
    )]
    NotInstalled {
        /// The wanted major, if a certain one was.
        major: Option<u32>,
    },
    /// PostgreSQL refuses to run as root, and there is nobody else.
    #[error(
        "PostgreSQL refuses to run as root, and /etc/passwd has neither `postgres` nor `nobody`"
    )]
    NoAccount,
    /// A step on files or processes failed.
    #[error("{attempt}: {source}")]
    Io {
        /// What was attempted, and on what.
        attempt: String,
        /// Why it failed.
        source: io::Error,
    },
    /// `initdb` or `postgres` ended with an error.
    #[error("{program} of {} failed, it said:\n{log}", .bin.display())]
    Failed {
        /// `initdb` or `postgres`.
        program: &'static str,
        /// The folder of its binaries.
        bin: PathBuf,
        /// The end of its log.
        log: String,
    },
    /// The server was not ready in time.
    #[error("the server in {} was not ready after {seconds} s, its log ends:\n{log}", .folder.display())]
    TooSlow {
        /// Its folder.
        folder: PathBuf,
        /// How long it was waited for.
        seconds: u64,
        /// The end of its log.
        log: String,
    },
    /// The server answered a statement with an error.
    #[error("{message} (SQLSTATE {code}) in: {statement}")]
    Sql {
        /// The server's SQLSTATE.
        code: String,
        /// The server's message.
        message: String,
        /// What was asked.
        statement: String,
    },
}

impl StartError {
    /// Wraps an I/O error with what was attempted.
    pub(crate) fn io(attempt: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let attempt = attempt.into();
        |source| Self::Io { attempt, source }
    }
}
