//! How many bytes may be used, and where that number comes from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A limit with its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Bytes that may be used in all.
    pub capacity_bytes: u64,
    /// Bytes in use on the volume by anything, where the source says so.
    pub used_bytes: Option<u64>,
    /// Bytes still free to an ordinary process, where the source says so.
    pub available_bytes: Option<u64>,
    /// Where the number comes from.
    pub source: CapacitySource,
    /// When it was read; none for a number of the configuration.
    pub source_at: Option<Timestamp>,
    /// The directory that was looked at (`path` and `statvfs`).
    pub path: Option<String>,
    /// The mount point of the volume (`path` and `statvfs`).
    pub mount_point: Option<String>,
    /// The pool of free space, equal for all that share it: as it was found, or the place that the number is of.
    pub pool: String,
}

/// Where a capacity comes from, in the order in which they are asked: the first that answers is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacitySource {
    /// A number in a `[[capacity]]` entry of the configuration.
    Config,
    /// What a command of the configuration prints.
    Command,
    /// What Prometheus answers.
    Prometheus,
    /// The file system under a directory of this host that the configuration names.
    Path,
    /// The file system under the server's directory, as this host sees it.
    #[default]
    Statvfs,
}

impl CapacitySource {
    /// Every source.
    pub const ALL: [Self; 5] = [
        Self::Config,
        Self::Command,
        Self::Prometheus,
        Self::Path,
        Self::Statvfs,
    ];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Command => "command",
            Self::Prometheus => "prometheus",
            Self::Path => "path",
            Self::Statvfs => "statvfs",
        }
    }
}
