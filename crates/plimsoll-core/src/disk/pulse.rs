//! What one pulse saw: a look at an instance's WAL, temporary files, logs and volumes that touches no relation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::layout::Place;
use super::part::Part;
use super::volume::FileSystem;
use super::wal::{Holder, Limits};
use crate::capacity::CapacitySource;
use crate::instance::Figure;
use crate::size_text::pretty;

/// One pulse. Each fact stands on its own: one that could not be read is absent with its reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// When it was taken.
    pub at: Timestamp,
    /// The write position, in bytes; on a standby what was received, or replayed where nothing is received.
    pub position: Figure<u64>,
    /// What holds WAL, most bytes first.
    pub holders: Figure<Vec<Holder>>,
    /// What bounds that.
    pub limits: Limits,
    /// `max_wal_size`: up to here `pg_wal` grows by itself.
    pub max_wal_bytes: Figure<u64>,
    /// `wal`, `temporary` (by tablespace), `log` and `replication`, each with the place that it lies on.
    pub parts: Vec<(Place, Part)>,
    /// Tables that are rewritten and indexes that are built now.
    pub rewrites: Figure<Vec<Rewriting>>,
    /// Sessions that write temporary files.
    pub writers: Figure<Vec<Writer>>,
    /// Every volume that was found, by its pool.
    pub volumes: BTreeMap<String, Figure<Space>>,
    /// Which pool the configuration says that a place lies on.
    #[serde(default)]
    pub declared: BTreeMap<Place, String>,
    /// What the file system says of a pool of which the configuration says something else: it stands in where that
    /// cannot be.
    #[serde(default)]
    pub beneath: BTreeMap<String, Space>,
    /// What the configuration says of volumes that cannot be, or was not answered.
    #[serde(default)]
    pub problems: Vec<String>,
    /// The names of all tablespaces.
    #[serde(default)]
    pub tablespaces: Vec<String>,
    /// Which pool each place lies on, as far as it was found.
    pub found: BTreeMap<Place, String>,
    /// Where the directories of those places are, as `name::of_bytes` writes paths: what a server that does not answer
    /// any more has left is looked for there.
    #[serde(default)]
    pub directories: BTreeMap<Place, String>,
    /// Of which host those paths are; empty where nothing was found.
    #[serde(default)]
    pub host: String,
    /// Why a place was not found, or what it lies on does not answer.
    #[serde(default)]
    pub lost: BTreeMap<Place, String>,
    /// Why no place was found, if none was.
    pub not_found: Option<String>,
    /// What it cost.
    pub statements: u64,
}

/// A rewrite or an index build under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewriting {
    /// The backend.
    pub pid: i32,
    /// `CLUSTER`, `VACUUM FULL`, `CREATE INDEX`, ...
    pub command: String,
    /// When its statement began, where the role may see that.
    pub since: Option<Timestamp>,
    /// What its new files take at most: the bytes that it reads; none where that is not known.
    pub needs_bytes: Option<u64>,
}

/// A session that writes temporary files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// The backend.
    pub pid: i32,
    /// Its role, where it may be seen.
    pub user: Option<String>,
    /// When its statement began, where that may be seen.
    pub since: Option<Timestamp>,
    /// What its temporary files hold.
    pub bytes: u64,
    /// The text of its query; read only on request.
    pub query: Option<String>,
}

/// What a volume has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Space {
    /// The mount point that it was looked at by; empty where it was not looked at from this host.
    pub mount_point: String,
    /// `ext4`, `btrfs`, ...
    pub fs_type: String,
    /// Bytes in all.
    pub capacity_bytes: u64,
    /// Bytes in use; none where only a number is known of it.
    pub used_bytes: Option<u64>,
    /// Bytes that an ordinary process may still use: without root's reserve. None where only a number is known of it.
    pub available_bytes: Option<u64>,
    /// Inodes in all; none where they are not counted.
    pub inodes_total: Option<u64>,
    /// Inodes that are left.
    pub inodes_available: Option<u64>,
    /// Where all this comes from.
    #[serde(default)]
    pub source: CapacitySource,
    /// When it was read; none for a number of the configuration.
    #[serde(default)]
    pub source_at: Option<Timestamp>,
}

/// Files may have so much more than their volume uses before that is a contradiction: a tenth, for they are looked at one
/// after the other, and a segment of WAL.
const SLACK: u64 = 10;
const SEGMENT: u64 = 16 << 20;

impl Space {
    /// A volume of which nothing but its capacity is known.
    pub const fn of_capacity(capacity_bytes: u64, source: CapacitySource) -> Self {
        Self {
            mount_point: String::new(),
            fs_type: String::new(),
            capacity_bytes,
            used_bytes: None,
            available_bytes: None,
            inodes_total: None,
            inodes_available: None,
            source,
            source_at: None,
        }
    }

    /// Why it cannot be the volume on which PostgreSQL's files have so many bytes; none if it can.
    ///
    /// What the file system under the server says is believed as it is, and where a file system compresses, files have
    /// more bytes than they take.
    pub fn cannot_hold(&self, files_bytes: u64) -> Option<String> {
        let compresses = FileSystem::of(&self.fs_type) == FileSystem::Compressing;
        if self.source == CapacitySource::Statvfs || compresses {
            return None;
        }
        let used = self.used_bytes.unwrap_or(self.capacity_bytes);
        if files_bytes <= used.saturating_add(used / SLACK).saturating_add(SEGMENT) {
            return None;
        }
        let of = match self.used_bytes {
            Some(used) => format!(
                "{} of {} are used",
                pretty(used),
                pretty(self.capacity_bytes)
            ),
            None => format!("there are {} in all", pretty(self.capacity_bytes)),
        };
        Some(format!(
            "{} says that {of}, but PostgreSQL's files alone have {} there: it is another volume's, or one that compresses \
             (then its [[capacity]] says file_system = \"zfs\", or which it is)",
            self.source.as_str(),
            pretty(files_bytes)
        ))
    }
}
