//! The rest of a server's disk: other databases, tablespaces, WAL, temporary files, logs.

use serde::{Deserialize, Serialize};

use crate::Oid;
use crate::capacity::Capacity;

/// A figure, or the reason why it is absent. Never both, never neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure<T> {
    /// It was read.
    Known(T),
    /// It was not; the text says why and, where the role lacks something, what.
    Absent(String),
}

impl<T> Figure<T> {
    /// The value, if it was read.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent(_) => None,
        }
    }

    /// Why it was not read.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Known(_) => None,
            Self::Absent(reason) => Some(reason),
        }
    }
}

impl<T> Figure<Vec<T>> {
    /// What is known of a list: all of it, or nothing.
    pub fn each(&self) -> &[T] {
        self.known().map_or(&[], Vec::as_slice)
    }

    /// As [`Self::each`], to change them.
    pub fn each_mut(&mut self) -> &mut [T] {
        match self {
            Self::Known(list) => list,
            Self::Absent(_) => &mut [],
        }
    }
}

impl<T> Default for Figure<T> {
    fn default() -> Self {
        Self::Absent("not looked at".to_owned())
    }
}

/// What a visit saw of the server's disk beside the database itself.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InstanceFacts {
    /// Every database of the server, largest first, unknown sizes last.
    pub databases: Figure<Vec<DatabaseTotal>>,
    /// Every tablespace.
    pub tablespaces: Figure<Vec<Tablespace>>,
    /// The write-ahead log.
    pub wal: Wal,
    /// Bytes in temporary files of running statements (`pg_ls_tmpdir`, all tablespaces).
    pub temporary_bytes: Figure<u64>,
    /// Bytes of the server's own log files (`pg_ls_logdir`).
    pub log_bytes: Figure<u64>,
    /// How many bytes the whole instance may use: configured, or the volume of its data directory.
    pub capacity: Figure<Capacity>,
    /// The volume of the server's own logs.
    pub log_capacity: Figure<Capacity>,
}

/// A database's total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseTotal {
    /// `pg_database.oid`.
    pub oid: Oid,
    /// `pg_database.datname`, as it is shown.
    pub name: String,
    /// The same in bytes, as `name::of_bytes` writes them: what to ask for when connecting.
    pub connect_name: String,
    /// `pg_database_size`.
    pub bytes: Figure<u64>,
    /// Whether it takes connections (`datallowconn`).
    pub allows_connections: bool,
    /// Whether it is a template.
    pub is_template: bool,
}

/// A tablespace, with the volume it lies on where that can be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tablespace {
    /// `pg_tablespace.oid`.
    pub oid: Oid,
    /// `pg_tablespace.spcname`, as it is shown.
    pub name: String,
    /// Where it lies; empty for `pg_default` and `pg_global`.
    pub location: Figure<String>,
    /// `pg_tablespace_size`.
    pub bytes: Figure<u64>,
    /// How many bytes may be used on its volume.
    pub capacity: Figure<Capacity>,
}

/// The write-ahead log, and what keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wal {
    /// Bytes in `pg_wal`, recycled segments included (`pg_ls_waldir`).
    pub bytes: Figure<u64>,
    /// What keeps segments from being removed, most bytes first.
    pub retained_by: Figure<Vec<WalRetention>>,
    /// `wal_keep_size` in bytes.
    pub keep_size_bytes: Figure<u64>,
    /// `max_wal_size` in bytes: up to here `pg_wal` grows on its own.
    pub max_size_bytes: Figure<u64>,
    /// Segments waiting to be archived; 0 where archiving is off.
    pub archive_pending: Figure<u64>,
    /// The volume of `pg_wal`.
    pub capacity: Figure<Capacity>,
}

/// One holder of WAL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalRetention {
    /// `slot`, `archiving` or `wal_keep_size`.
    pub holder: WalHolder,
    /// The slot's name, or the holder again.
    pub name: String,
    /// Bytes of WAL from what it keeps to the present position; null where a standby knows no position.
    pub bytes: Option<u64>,
    /// Whether a consumer is connected (slots only).
    pub is_active: Option<bool>,
    /// `pg_replication_slots.wal_status` (slots only).
    pub wal_status: Option<String>,
    /// `safe_wal_size`: how much more can be written before the slot is lost. Null when unlimited.
    pub safe_wal_bytes: Option<i64>,
}

/// Kinds of holders of WAL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalHolder {
    /// A replication slot.
    Slot,
    /// Segments that the archive command has not taken yet.
    Archiving,
    /// The setting `wal_keep_size`.
    WalKeepSize,
}
