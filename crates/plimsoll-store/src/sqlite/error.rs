//! What SQLite's codes mean for the store.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use crate::StoreError;
use crate::migration::Newer;

/// What went wrong, before it is said of which file.
#[derive(Debug)]
pub(super) enum Wrong {
    Sqlite(rusqlite::Error),
    /// The file was deleted or replaced while it was written.
    Replaced,
    /// The file was written while it was read as one that nobody writes.
    Written,
    /// There is no file.
    Absent,
    /// A transaction was to be undone; nobody is told.
    Undone,
    /// A transaction on a file waited for something else than the file.
    Waited,
    /// The file or its folder could not be made.
    Create(std::io::Error),
    /// It may not be looked at.
    Closed(std::io::Error),
    /// There is something of the name, and it is no file: what.
    NoFile(&'static str),
    /// There is no file, and no folder for one.
    NoFolder,
    /// The file holds something else: what.
    Foreign(String),
    Newer(Newer),
    /// What the layer for kinds of rows has said of this store already.
    Said(StoreError),
}

impl From<rusqlite::Error> for Wrong {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
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
    pub(super) fn on(self, path: &Path) -> StoreError {
        let store = if path.as_os_str().is_empty() {
            "in memory".to_owned()
        } else {
            path.display().to_string()
        };
        match self {
            Self::Said(error) => error,
            Self::Sqlite(error) => explain(&error, store),
            Self::Undone => StoreError::Failed {
                store,
                reason: "a transaction was undone".to_owned(),
            },
            Self::Waited => StoreError::Failed {
                store,
                reason: "a transaction on a file waited for something else".to_owned(),
            },
            Self::Replaced => StoreError::Unreachable {
                store,
                reason:
                    "the file was moved away, deleted or replaced while it was written; nothing of \
                         this is kept"
                        .to_owned(),
            },
            Self::Written => StoreError::Busy {
                store,
                reason: "it was written while it was read".to_owned(),
            },
            Self::Absent => StoreError::Absent { store },
            Self::Closed(error) => StoreError::Denied {
                store,
                reason: error.to_string(),
            },
            Self::NoFile(what) => StoreError::Corrupt {
                store,
                reason: format!("it is {what}, and no file"),
            },
            Self::NoFolder => StoreError::NoFolder { store },
            Self::Foreign(holds) => StoreError::Foreign { store, holds },
            Self::Create(error) => {
                let reason = error.to_string();
                match error.kind() {
                    std::io::ErrorKind::PermissionDenied
                    | std::io::ErrorKind::ReadOnlyFilesystem => {
                        StoreError::ReadOnly { store, reason }
                    }
                    std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                        StoreError::Full { store, reason }
                    }
                    _ => StoreError::Unreachable { store, reason },
                }
            }
            Self::Newer(newer) => newer.on(store),
        }
    }
}

fn explain(error: &rusqlite::Error, store: String) -> StoreError {
    let reason = error.to_string();
    let rusqlite::Error::SqliteFailure(failure, _) = error else {
        return StoreError::Failed { store, reason };
    };
    match (failure.code, failure.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            StoreError::Busy { store, reason }
        }
        (ErrorCode::ReadOnly, _) => StoreError::ReadOnly { store, reason },
        // a limit on the size of files shows as a failed write, not as a full disk
        (ErrorCode::DiskFull, _)
        | (_, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_TRUNCATE | ffi::SQLITE_IOERR_SHMSIZE) => {
            StoreError::Full { store, reason }
        }
        (ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt, _) => {
            StoreError::Corrupt { store, reason }
        }
        (ErrorCode::CannotOpen | ErrorCode::PermissionDenied, _) => StoreError::Unreachable {
            reason: format!("{reason}; see that the file and its folder can be read and written"),
            store,
        },
        _ if reason.contains("no such table") => StoreError::NotMigrated { store },
        _ => StoreError::Failed { store, reason },
    }
}
