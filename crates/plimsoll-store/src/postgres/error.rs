//! What PostgreSQL's codes mean for the store.

use std::time::Duration;

use plimsoll_connect::{ConnectError, allows_no_transactions};
use tokio_postgres::error::SqlState;

use crate::StoreError;
use crate::migration::Newer;
use crate::session::OpenError;

/// What went wrong, before it is said of which server.
#[derive(Debug)]
pub(super) enum Wrong {
    Statement(tokio_postgres::Error),
    Connect(ConnectError),
    /// The server did not answer in this time, although it should have ended the statement itself.
    Silent(Duration),
    /// The connection was lost while a transaction was being committed.
    InDoubt(Box<Wrong>),
    /// No connection of the pool became free.
    PoolBusy,
    Newer(Newer),
    /// The schema holds something else: what.
    Foreign(String),
    /// What the layer for kinds of rows has said of this store already.
    Said(StoreError),
    /// So many shards lie on nodes that do not answer.
    Shards(i64),
    /// A row that cannot be read.
    Row(String),
}

impl From<tokio_postgres::Error> for Wrong {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Statement(error)
    }
}

impl From<ConnectError> for Wrong {
    fn from(error: ConnectError) -> Self {
        Self::Connect(error)
    }
}

impl From<OpenError> for Wrong {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Connect(error) => Self::Connect(error),
            OpenError::Pin(error) => Self::Statement(error),
        }
    }
}

impl From<Newer> for Wrong {
    fn from(newer: Newer) -> Self {
        Self::Newer(newer)
    }
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Said(error)
    }
}

impl Wrong {
    /// Whether the transaction gave way to another one, and may simply be tried again.
    pub(super) fn is_conflict(&self) -> bool {
        if let Self::Said(error) = self {
            return matches!(error, StoreError::Busy { .. });
        }
        let Self::Statement(error) = self else {
            return false;
        };
        error.code().is_some_and(|code| {
            [
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
                SqlState::UNIQUE_VIOLATION,
                // another process dropped the week's partition
                SqlState::CHECK_VIOLATION,
                // behind a pooler, another program left one of the name that COPY takes: the next has another
                SqlState::DUPLICATE_PSTATEMENT,
            ]
            .contains(code)
        })
    }

    /// Whether the connection is gone, and with it what was not committed.
    pub(super) fn is_lost(&self) -> bool {
        if let Self::Said(error) = self {
            return matches!(error, StoreError::Unreachable { .. });
        }
        let Self::Statement(error) = self else {
            return false;
        };
        if allows_no_transactions(error) {
            return false;
        }
        error.is_closed()
            // a pooler says of the server that it was lost
            || error.code().is_some_and(|code| {
                code.code().starts_with("57P") || code.code().starts_with("08")
            })
            || std::error::Error::source(error)
                .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
    }

    /// Whether Citus lost a node in the middle of what it was asked.
    pub(super) fn is_lost_node(&self) -> bool {
        matches!(self, Self::Statement(error) if has_lost_a_node(error))
    }

    /// Whether nobody knows what became of a commit.
    pub(super) const fn is_in_doubt(&self) -> bool {
        matches!(self, Self::InDoubt(_))
    }

    /// Whether a lock was not to be had in time.
    pub(super) fn is_lock_timeout(&self) -> bool {
        let Self::Statement(error) = self else {
            return false;
        };
        error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)
    }

    /// Whether the server's disk is full.
    pub(super) fn is_full(&self) -> bool {
        let Self::Statement(error) = self else {
            return false;
        };
        error.code() == Some(&SqlState::DISK_FULL)
    }

    pub(super) fn on(self, store: &str) -> StoreError {
        let store = store.to_owned();
        match self {
            Self::Said(error) => error,
            Self::Statement(error) => explain(&error, store),
            Self::Connect(error) => refused(&error, store),
            Self::Silent(limit) => StoreError::Unreachable {
                store,
                reason: format!(
                    "no answer within {} s; see whether the server runs",
                    limit.as_secs()
                ),
            },
            Self::InDoubt(wrong) => {
                let lost = wrong.on(&store);
                StoreError::Unreachable {
                    store,
                    reason: format!(
                        "the connection was lost while a change was being committed, and whether it was kept is \
                         not known ({lost})"
                    ),
                }
            }
            Self::PoolBusy => StoreError::Busy {
                store,
                reason: "none of our connections became free in time".to_owned(),
            },
            Self::Shards(silent) => StoreError::Unreachable {
                store,
                reason: format!("{silent} shards lie on nodes that do not answer"),
            },
            Self::Row(reason) => StoreError::Failed { store, reason },
            Self::Newer(newer) => newer.on(store),
            Self::Foreign(holds) => StoreError::Foreign {
                store: format!("the schema plimsoll of {store}"),
                holds,
            },
        }
    }
}

/// Whether Citus says that it lost a node: with the code of an internal error or of one of reading and writing, and the
/// words of libpq, or its own for a commit or a COPY that was not answered.
fn has_lost_a_node(error: &tokio_postgres::Error) -> bool {
    const SAYS: [&str; 6] = [
        "server closed the connection unexpectedly",
        "connection not open",
        "could not receive data from server",
        "could not commit transaction for shard",
        "failed to COPY to shard",
        "failed to complete COPY on",
    ];
    let Some(said) = error.as_db_error() else {
        return false;
    };
    [SqlState::INTERNAL_ERROR, SqlState::IO_ERROR].contains(said.code())
        && SAYS.iter().any(|words| said.message().contains(words))
}

fn explain(error: &tokio_postgres::Error, store: String) -> StoreError {
    if allows_no_transactions(error) {
        return StoreError::Denied {
            store,
            reason: "the URL names a pooler in statement mode, which allows no transactions; name the server itself, \
                     or a pool of mode transaction or session"
                .to_owned(),
        };
    }
    let Some(code) = error.code() else {
        // `Display` of the client's own errors is only their outermost part
        let cause =
            std::error::Error::source(error).map_or(String::new(), |cause| format!(": {cause}"));
        let reason = format!("{error}{cause}");
        return if error.is_closed() || reason.contains("communicating with the server") {
            StoreError::Unreachable {
                store,
                reason: format!("the connection was lost ({reason}); see whether the server runs"),
            }
        } else {
            StoreError::Failed { store, reason }
        };
    };
    let reason = error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned());
    if has_lost_a_node(error) {
        return StoreError::Unreachable {
            store,
            reason: format!("it lost one of its nodes ({reason})"),
        };
    }
    match code.code() {
        "53100" | "53200" => StoreError::Full { store, reason },
        "25006" => StoreError::ReadOnly { store, reason },
        "42P01" | "3F000" | "42703" => StoreError::NotMigrated { store },
        "42501" => StoreError::Denied {
            store,
            reason: format!(
                "{reason}; to write, the role must own the schema plimsoll or may CREATE it in the database; to \
                 read, it needs USAGE on the schema and SELECT on its tables"
            ),
        },
        "40001" | "40P01" | "55P03" | "57014" => StoreError::Busy { store, reason },
        "XX001" | "XX002" => StoreError::Corrupt { store, reason },
        code if code.starts_with("08") || code.starts_with("57P") || code == "53300" => {
            StoreError::Unreachable { store, reason }
        }
        code if code.starts_with("28") => StoreError::Denied { store, reason },
        _ => StoreError::Failed { store, reason },
    }
}

fn refused(error: &ConnectError, store: String) -> StoreError {
    let reason = error.to_string();
    match error {
        ConnectError::InvalidUrl(_) => StoreError::Url(reason),
        ConnectError::AuthenticationFailed { .. } | ConnectError::PermissionDenied { .. } => {
            StoreError::Denied { store, reason }
        }
        _ => StoreError::Unreachable { store, reason },
    }
}
