//! How many bytes may be used, and where that number comes from.

use serde::{Deserialize, Serialize};

/// A limit with its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Bytes that may be used in all.
    pub capacity_bytes: u64,
    /// Bytes in use on the volume by anything (`statvfs` only).
    pub used_bytes: Option<u64>,
    /// Bytes still free to an ordinary process (`statvfs` only).
    pub available_bytes: Option<u64>,
    /// Where the number comes from.
    pub source: CapacitySource,
    /// The directory that was looked at (`statvfs` only).
    pub path: Option<String>,
    /// The mount point of the volume (`statvfs` only).
    pub mount_point: Option<String>,
    /// The pool of free space, equal for all that share it: as it was found, or the place that the number is of.
    pub pool: String,
}

/// Where a capacity comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CapacitySource {
    /// A `[[capacity]]` entry of the configuration.
    Config,
    /// The file system under the directory, as this host sees it.
    Statvfs,
}
