//! What happens to a relation or a database and is not growth.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RelationId;

/// Something that happened between two samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which relation; `None` for the whole database.
    pub relation: Option<RelationId>,
    /// Not before this: the sample that did not show it yet.
    pub from: Timestamp,
    /// Not after this: the sample that shows it.
    pub to: Timestamp,
    /// Bytes at `from`, where known: of a table with its toast and indexes, of an index alone.
    pub bytes_before: Option<u64>,
    /// Bytes at `to`, where known.
    pub bytes_after: Option<u64>,
    /// What the numbers do not say, such as the name before and after.
    pub detail: Option<String>,
}

/// Kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A new file with the same rows: VACUUM FULL, CLUSTER, `pg_repack`, ALTER TABLE.
    Rewrite,
    /// A new, empty file.
    Truncate,
    /// Another name or schema.
    Rename,
    /// An index was built anew, and its table was not.
    Reindex,
    /// It was not there at the sample before.
    Create,
    /// It is there no more.
    Drop,
    /// It became a partition or an inheriting table.
    Attach,
    /// It is one no more.
    Detach,
    /// The whole database is another one of the same name, restored from a dump, and its tables with it.
    Restore,
    /// A table of the same name under a new OID: dropped and made again, or another one took its name.
    Recreate,
    /// The same system on another timeline, or a standby that became a primary.
    Failover,
    /// What can be seen of it changed, and not its size: its files are missing, or are back; it could not be read
    /// before, and so many bytes are read for the first time; of a database, what is newer was
    /// measured by another tool than what is older, or by Plimsoll.
    Coverage,
    /// The server's statistics began anew: row counts before and after do not compare.
    StatisticsReset,
    /// A volume of the server has another capacity.
    Resize,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 14] = [
        Self::Rewrite,
        Self::Truncate,
        Self::Rename,
        Self::Reindex,
        Self::Create,
        Self::Drop,
        Self::Attach,
        Self::Detach,
        Self::Restore,
        Self::Recreate,
        Self::Failover,
        Self::Coverage,
        Self::StatisticsReset,
        Self::Resize,
    ];

    /// The name that answers and stores carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rewrite => "rewrite",
            Self::Truncate => "truncate",
            Self::Rename => "rename",
            Self::Reindex => "reindex",
            Self::Create => "create",
            Self::Drop => "drop",
            Self::Attach => "attach",
            Self::Detach => "detach",
            Self::Restore => "restore",
            Self::Recreate => "recreate",
            Self::Failover => "failover",
            Self::Coverage => "coverage",
            Self::StatisticsReset => "statistics_reset",
            Self::Resize => "resize",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A kind of event that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of event")]
pub struct UnknownEventKind(pub String);

impl FromStr for EventKind {
    type Err = UnknownEventKind;

    fn from_str(text: &str) -> Result<Self, UnknownEventKind> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownEventKind(text.to_owned()))
    }
}
