//! The file of a SQLite store, and its two connections.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, percent_encode};
use rusqlite::{Connection, OpenFlags};

use super::error::Wrong;
use super::migrate;

/// How long a statement waits for another process's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pages kept in memory, in KiB with a minus sign as SQLite wants it.
const CACHE_SIZE: i32 = -4096;

/// How many prepared statements a connection keeps: all there are.
const STATEMENTS: usize = 128;

#[derive(Debug)]
pub(super) struct File {
    /// Empty for a store in memory.
    pub(super) path: PathBuf,
    /// Unused by a store in memory, which has one connection only. Before `writer`, because the
    /// connection that is closed last tidies up, and this one may not.
    reader: Mutex<Option<Open>>,
    writer: Mutex<Option<Open>>,
}

/// A connection, and the file that it has open: another one may have its name by now.
#[derive(Debug)]
struct Open {
    connection: Connection,
    file: Option<FileId>,
}

/// Device and inode.
type FileId = (u64, u64);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
    Create,
}

impl File {
    pub(super) fn new(path: &Path) -> Self {
        let path = if path == Path::new(":memory:") {
            PathBuf::new()
        } else {
            path.to_owned()
        };
        Self {
            path,
            writer: Mutex::new(None),
            reader: Mutex::new(None),
        }
    }

    /// Does some work on the connection that is for it, opened at its first use.
    pub(super) fn with<T>(
        &self,
        access: Access,
        work: impl FnOnce(&mut Connection) -> Result<T, Wrong>,
    ) -> Result<T, Wrong> {
        let mut slot = self.slot(access);
        self.let_go_of_another(&mut slot);
        let open = match &mut *slot {
            Some(open) => open,
            None => slot.insert(self.open(access)?),
        };
        work(&mut open.connection)
    }

    /// As [`Self::with`], but `work` has the connection for itself and gives it back. What it left
    /// uncommitted is rolled back; after a panic the next call opens the file anew.
    pub(super) fn with_own<T>(
        &self,
        access: Access,
        work: impl FnOnce(Connection) -> (Connection, T),
    ) -> Result<T, Wrong> {
        let mut slot = self.slot(access);
        self.let_go_of_another(&mut slot);
        let Open { connection, file } = match slot.take() {
            Some(open) => open,
            None => self.open(access)?,
        };
        let (connection, result) = work(connection);
        if !connection.is_autocommit() {
            connection.execute_batch("rollback")?;
        }
        *slot = Some(Open { connection, file });
        if access != Access::Read && self.file_id() != file {
            // what was just written is in a file that nobody will find
            return Err(Wrong::Replaced);
        }
        Ok(result)
    }

    /// Lets go of a file that was deleted, or that another one has taken the name of.
    fn let_go_of_another(&self, slot: &mut Option<Open>) {
        if slot
            .as_ref()
            .is_some_and(|open| open.file != self.file_id())
        {
            *slot = None;
        }
    }

    /// Which file has the name now; `None` for a store in memory, or where there is none.
    fn file_id(&self) -> Option<FileId> {
        if self.is_in_memory() {
            return None;
        }
        let file = fs::metadata(&self.path).ok()?;
        Some((file.dev(), file.ino()))
    }

    fn slot(&self, access: Access) -> MutexGuard<'_, Option<Open>> {
        let slot = if access == Access::Read && !self.is_in_memory() {
            &self.reader
        } else {
            &self.writer
        };
        // a panic while it was held rolled its transaction back: the connection is still good
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, access: Access) -> Result<Open, Wrong> {
        let connection = if self.is_in_memory() {
            Connection::open_in_memory()?
        } else {
            connect(&self.path, access)?
        };
        let file = self.file_id();
        Ok(Open { connection, file })
    }

    pub(super) fn is_in_memory(&self) -> bool {
        self.path.as_os_str().is_empty()
    }

    /// What errors call it.
    pub(super) fn name(&self) -> String {
        if self.is_in_memory() {
            return "in memory".to_owned();
        }
        self.path.display().to_string()
    }
}

/// A connection of its own.
pub(super) fn connect(path: &Path, access: Access) -> Result<Connection, Wrong> {
    let exists = path.exists();
    if !exists && access != Access::Create {
        return Err(Wrong::Absent);
    }
    if !exists {
        create(path).map_err(Wrong::Create)?;
    }
    if access == Access::Read {
        return connect_to_read(path);
    }
    // SQLite would open it for reading, and fail later with words that help nobody
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .map_err(Wrong::Create)?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    use_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    migrate::refuse_newer(&connection)?;
    Ok(connection)
}

fn connect_to_read(path: &Path) -> Result<Connection, Wrong> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = |connection: Connection| -> Result<Connection, Wrong> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        migrate::refuse_newer(&connection)?;
        Ok(connection)
    };
    match open(Connection::open_with_flags(path, flags)?) {
        Err(Wrong::Sqlite(error))
            if matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
            ) && !has_wal(path) =>
        {
            // on a read-only volume there can be no shared memory, and nobody else who writes
            let uri = format!("file:{}?immutable=1", uri_path(path));
            open(Connection::open_with_flags(
                uri,
                flags | OpenFlags::SQLITE_OPEN_URI,
            )?)
        }
        result => result,
    }
}

/// Whether something was written that is not in the file itself yet.
fn has_wal(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    fs::metadata(wal).is_ok_and(|wal| wal.len() > 0)
}

/// What stands for itself nowhere in the path of a `file:` URI.
const ENCODED_IN_URI: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');

fn uri_path(path: &Path) -> PercentEncode<'_> {
    percent_encode(path.as_os_str().as_encoded_bytes(), ENCODED_IN_URI)
}

/// Turns WAL on. SQLite does not wait for a process that is just turning it on too: so we do.
fn use_wal(connection: &Connection) -> Result<(), Wrong> {
    let mut attempt = 0;
    loop {
        let mode = connection.query_row("pragma journal_mode = wal", [], |row| {
            row.get::<_, String>(0)
        });
        match mode {
            Err(error)
                if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
                    && attempt < 100 =>
            {
                attempt += 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(error) => return Err(error.into()),
            Ok(_) => return Ok(()),
        }
    }
}

/// Makes an empty file that only its owner may read; SQLite gives its other files the same mode.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    Ok(())
}
