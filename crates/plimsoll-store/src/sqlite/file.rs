//! The file of a SQLite store, and its two connections.
//!
//! What a file holds is looked at before anything is written, also by SQLite itself (`journal_mode`).

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, percent_encode};
use plimsoll_connect::folder::of_file;
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
    /// How the file was when it was opened as one that nobody writes: no lock says whether that is true.
    unwritten: Option<Written>,
}

/// When a file was written last, and how long it was then; none while what was written lies beside it.
type Written = Option<(SystemTime, u64)>;

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
        let result = work(&mut open.connection);
        self.refuse_written(open.unwritten)?;
        result
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
        let Open {
            connection,
            file,
            unwritten,
        } = match slot.take() {
            Some(open) => open,
            None => self.open(access)?,
        };
        let (connection, result) = work(connection);
        if !connection.is_autocommit() {
            connection.execute_batch("rollback")?;
        }
        *slot = Some(Open {
            connection,
            file,
            unwritten,
        });
        self.refuse_written(unwritten)?;
        if access != Access::Read && self.file_id() != file {
            // what was just written is in a file that nobody will find
            return Err(Wrong::Replaced);
        }
        Ok(result)
    }

    /// Lets go of a file that was deleted, or that another one has taken the name of; and of one that was
    /// opened as one that nobody writes, and was written.
    fn let_go_of_another(&self, slot: &mut Option<Open>) {
        if slot.as_ref().is_some_and(|open| {
            open.file != self.file_id() || self.refuse_written(open.unwritten).is_err()
        }) {
            *slot = None;
        }
    }

    fn refuse_written(&self, unwritten: Option<Written>) -> Result<(), Wrong> {
        match unwritten {
            Some(before) if before.is_none() || before != written(&self.path) => {
                Err(Wrong::Written)
            }
            _ => Ok(()),
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
        let file = self.file_id();
        let (connection, unwritten) = if self.is_in_memory() {
            (Connection::open_in_memory()?, None)
        } else if access == Access::Read {
            connect_to_read(&self.path)?
        } else {
            (connect(&self.path, access)?, None)
        };
        Ok(Open {
            connection,
            file: file.or_else(|| self.file_id()),
            unwritten,
        })
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

    /// Where it is, unless it is in memory.
    pub(super) fn path(&self) -> Option<&Path> {
        (!self.is_in_memory()).then_some(&*self.path)
    }
}

/// A connection of its own, which may write.
fn connect(path: &Path, access: Access) -> Result<Connection, Wrong> {
    if is_file(path)? {
        // whatever follows, another's file is not touched
        drop(connect_to_read(path)?);
    } else if access == Access::Create {
        create(path)?;
    } else {
        return Err(Wrong::Absent);
    }
    // SQLite would open it for reading, and fail later with words that help nobody
    may_write(path).map_err(Wrong::Create)?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    be_incremental(&connection)?;
    use_wal(&connection)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// A connection that only reads a file of ours; and how the file was, where nothing but that tells whether it
/// was written meanwhile.
pub(super) fn connect_to_read(path: &Path) -> Result<(Connection, Option<Written>), Wrong> {
    if !is_file(path)? {
        return Err(Wrong::Absent);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let ready = |connection: Connection| -> Result<Connection, Wrong> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "cache_size", CACHE_SIZE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        migrate::missing(&connection)?;
        Ok(connection)
    };
    let as_unwritten = || -> Result<_, Wrong> {
        let before = written(path);
        let uri = format!("file:{}?immutable=1", uri_path(path));
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        let connection = ready(Connection::open_with_flags(uri, flags)?)?;
        Ok((connection, Some(before)))
    };
    // SQLite would make the files beside it that are shared with who writes, as this user's: and whoever may
    // write could not any more
    if may_write(path).is_err() && !beside(path, "-wal").exists() {
        return as_unwritten();
    }
    match ready(Connection::open_with_flags(path, flags)?) {
        Err(Wrong::Sqlite(error))
            if matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::CannotOpen | rusqlite::ErrorCode::ReadOnly)
            ) && !has_wal(path) =>
        {
            // on a read-only volume there can be no shared memory, and nobody else who writes
            as_unwritten()
        }
        result => Ok((result?, None)),
    }
}

/// Whether something has the name.
fn is_there(path: &Path) -> Result<bool, Wrong> {
    match path.try_exists() {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            Err(Wrong::Closed(of_file(path, error)))
        }
        // below a file, say, there is nothing
        found => Ok(found.unwrap_or(false)),
    }
}

/// Whether there is a file; what is something else is refused, as reading a pipe may never end.
fn is_file(path: &Path) -> Result<bool, Wrong> {
    if !is_there(path)? {
        return Ok(false);
    }
    let kind = fs::metadata(path).map_err(Wrong::Create)?.file_type();
    let other = if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        return Ok(true);
    };
    Err(Wrong::NoFile(other))
}

fn may_write(path: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
}

fn written(path: &Path) -> Written {
    if has_wal(path) {
        return None;
    }
    let file = fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

/// The file that SQLite keeps beside one.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// The value of `auto_vacuum` with which pages can be given back one by one.
pub(super) const INCREMENTAL: i64 = 2;

/// Lets pages be given back one by one: of a new file, or from its next rewriting on.
pub(super) fn be_incremental(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "auto_vacuum", INCREMENTAL)
}

/// Whether something was written that is not in the file itself yet.
fn has_wal(path: &Path) -> bool {
    fs::metadata(beside(path, "-wal")).is_ok_and(|wal| wal.len() > 0)
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
fn create(path: &Path) -> Result<(), Wrong> {
    if let Some(folder) = folder(path)
        && !is_there(folder)?
    {
        return Err(Wrong::NoFolder);
    }
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|error| Wrong::Create(of_file(path, error)))?;
    Ok(())
}

/// Makes the folder for a file, which only its owner may enter.
pub(super) fn create_folder(path: &Path) -> Result<(), Wrong> {
    let Some(folder) = folder(path) else {
        return Ok(());
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| Wrong::Create(of_file(folder, error)))
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
}
