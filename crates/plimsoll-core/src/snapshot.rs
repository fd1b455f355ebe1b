//! What one visit saw: a database's total, and each relation's bytes with a status.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Oid;
use crate::instance::InstanceFacts;
use crate::size::Size;

/// What one visit to one database saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The configured name of the instance.
    pub instance: Arc<str>,
    /// The database's name.
    pub database: Arc<str>,
    /// The database's OID.
    pub database_oid: Oid,
    /// The server, as it was during the visit.
    pub server: Server,
    /// When the visit began.
    pub measured_at: Timestamp,
    /// How long the visit took, in milliseconds.
    pub took_ms: u64,
    /// How the sizes were read.
    pub method: Method,
    /// When every relation was last read: `measured_at` unless `method` is [`Method::Changes`].
    pub full_sweep_at: Option<Timestamp>,
    /// Every relation that owns bytes, in no particular order.
    pub tables: Vec<Table>,
    /// The database's total and how it divides.
    pub totals: Totals,
    /// The bytes of `totals.unattributed_bytes`, by cause; empty where the method cannot tell.
    pub unattributed: Vec<Unattributed>,
    /// The rest of the server's disk, as far as the role may see it.
    pub facts: InstanceFacts,
    /// What the visit cost the server.
    pub cost: Cost,
}

/// A database's total and how it divides.
///
/// `total_bytes` = `attributed_bytes` + `unattributed_bytes` + `unmeasured_bytes`, wherever it is known; where
/// `unattributed_bytes` is not, those bytes are among the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// `pg_database_size`. Null where the server could not be asked, and where files are missing that it would
    /// have counted.
    pub total_bytes: Option<u64>,
    /// Bytes that have an owner, whatever their source.
    pub attributed_bytes: u64,
    /// Of `attributed_bytes`, those that stand in for a measurement (last good, relpages).
    pub estimated_bytes: u64,
    /// Bytes that certainly belong to no relation. Null where that cannot be told: for want of a total, or because
    /// they may be bytes of relations that could not be read.
    pub unattributed_bytes: Option<u64>,
    /// What is left: bytes of relations that could not be read, not told apart, and where `unattributed_bytes` is null
    /// of none. Null without a total.
    pub unmeasured_bytes: Option<u64>,
}

/// The server that was visited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    /// `server_version_num`, such as 150018.
    pub version_num: u32,
    /// `pg_control_system().system_identifier`, if the role may read it.
    pub system_identifier: Option<u64>,
    /// `pg_control_checkpoint().timeline_id`, if the role may read it.
    pub timeline: Option<u32>,
    /// Whether it is a standby.
    pub in_recovery: bool,
    /// `pg_postmaster_start_time()`.
    pub started_at: Timestamp,
    /// `pg_stat_database.stats_reset` of this database.
    pub stats_reset_at: Option<Timestamp>,
    /// `block_size`, 8192 unless compiled otherwise.
    pub block_size: u32,
}

impl Server {
    /// The major version: 15 for 150018.
    pub const fn major(&self) -> u32 {
        self.version_num / 10_000
    }
}

/// How the sizes of a snapshot were read (DESIGN: the three ways to size).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Method {
    /// `pg_ls_dir` and `pg_stat_file`: lock-free.
    #[serde(rename = "files")]
    Files,
    /// `pg_relation_size` of each relation.
    #[serde(rename = "functions")]
    Functions,
    /// *functions*, for what can have changed since the last full sweep only.
    #[serde(rename = "changes+functions")]
    Changes,
}

impl Method {
    /// Every name.
    pub const NAMES: [&'static str; 3] = [
        Self::Files.as_str(),
        Self::Functions.as_str(),
        Self::Changes.as_str(),
    ];

    /// The name that answers and logs carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Functions => "functions",
            Self::Changes => "changes+functions",
        }
    }
}

/// What kind of relation owns the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// An ordinary table, a partition, or a parent of plain inheritance.
    Table,
    /// A materialized view.
    Matview,
    /// A partitioned table: no bytes of its own.
    Partitioned,
    /// A table of `pg_catalog` or `information_schema`, and whatever else the system owns.
    Catalog,
    /// A sequence.
    Sequence,
    /// A temporary table of any session.
    Temporary,
}

impl TableKind {
    /// Every name.
    pub const NAMES: [&'static str; 6] = [
        Self::Table.as_str(),
        Self::Matview.as_str(),
        Self::Partitioned.as_str(),
        Self::Catalog.as_str(),
        Self::Sequence.as_str(),
        Self::Temporary.as_str(),
    ];

    /// The name that answers and stores carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Matview => "matview",
            Self::Partitioned => "partitioned",
            Self::Catalog => "catalog",
            Self::Sequence => "sequence",
            Self::Temporary => "temporary",
        }
    }

    /// Whether lists of tables show it without being asked: what people call a table.
    pub const fn is_listed(self) -> bool {
        matches!(self, Self::Table | Self::Matview | Self::Partitioned)
    }

    /// Whether the history keeps a series of it. Temporary relations come and go with their
    /// sessions, and a partitioned parent has no bytes.
    pub const fn has_series(self) -> bool {
        !matches!(self, Self::Temporary)
    }

    /// Whether `storage_samples.table_sizes` names it.
    pub const fn in_table_sizes(self) -> bool {
        matches!(self, Self::Table | Self::Matview)
    }
}

/// `pg_class.relpersistence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Persistence {
    /// Logged and replicated.
    Permanent,
    /// Not written to WAL: empty after a crash and on a standby.
    Unlogged,
    /// Gone with its session.
    Temporary,
}

/// A relation that owns its toast and indexes; every byte has exactly one owner.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// `pg_namespace.nspname`, raw.
    pub schema_name: Arc<str>,
    /// `pg_class.relname`, raw.
    pub table_name: Box<str>,
    /// What kind of relation it is.
    pub kind: TableKind,
    /// Whether it is logged.
    pub persistence: Persistence,
    /// `pg_am.amname`: `heap` unless a table access method is in use.
    pub access_method: Option<Arc<str>>,
    /// Main, fsm, vm and init fork of the table itself.
    pub heap: Storage,
    /// Its toast table, if it has one.
    pub toast: Option<Toast>,
    /// Its indexes.
    pub indexes: Vec<Index>,
    /// How many rows it holds.
    pub rows: Rows,
    /// The table that it inherits from or is a partition of (the first one, where there are several); of a compressed
    /// chunk of TimescaleDB the hypertable, or the chunk, whose rows it holds.
    pub parent_oid: Option<Oid>,
    /// Whether its name alone tells that (of compressed chunks of TimescaleDB, where its catalog may not be read).
    pub parent_by_name: bool,
}

/// The file of a relation, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Storage {
    /// `pg_relation_filenode`: changes when the relation is rewritten. 0 where there is no storage.
    pub filenode: Oid,
    /// The tablespace's OID, the database's default resolved. 0 where there is no storage.
    pub tablespace: Oid,
    /// Bytes of all forks.
    pub size: Size,
}

/// A table's toast table with its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toast {
    /// OID of the toast table.
    pub oid: Oid,
    /// The toast table.
    pub heap: Storage,
    /// OID of its index.
    pub index_oid: Oid,
    /// Its index.
    pub index: Storage,
}

/// An index of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Index {
    /// `pg_class.oid`.
    pub oid: Oid,
    /// `pg_class.relname`, raw.
    pub index_name: Box<str>,
    /// `pg_am.amname`.
    pub access_method: Arc<str>,
    /// `indisvalid`: false for one being built and for what a failed CREATE INDEX CONCURRENTLY left.
    pub is_valid: bool,
    /// Its file and size.
    pub storage: Storage,
}

/// How many live rows a table holds, as the server's statistics say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rows {
    /// Null exactly when `source` is [`RowCountSource::Unknown`].
    pub count: Option<u64>,
    /// Where the number comes from.
    pub source: RowCountSource,
    /// `n_dead_tup`, where the counters can be trusted.
    pub dead: Option<u64>,
}

/// Where a row count comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowCountSource {
    /// `n_live_tup`.
    Statistics,
    /// `reltuples`, scaled to the present number of pages.
    Estimate,
    /// Never analyzed, and no statistics.
    #[default]
    Unknown,
}

impl Table {
    /// Bytes of its indexes together.
    pub fn index_size(&self) -> Size {
        Size::sum(self.indexes.iter().map(|index| &index.storage.size))
    }

    /// Bytes of its toast table and that one's index together; 0 without a toast table.
    pub fn toast_size(&self) -> Size {
        Size::sum(
            self.toast
                .iter()
                .flat_map(|toast| [&toast.heap.size, &toast.index.size]),
        )
    }

    /// What `pg_total_relation_size` would say: heap, toast and indexes.
    ///
    /// Where the table itself is unknown the whole is unknown: the sum of its indexes is not its size.
    pub fn size(&self) -> Size {
        let mut size = Size::sum(self.parts());
        if self.heap.size.bytes.is_none() {
            size.bytes = None;
            size.source = crate::size::SizeSource::None;
        }
        size
    }

    /// Every relation whose bytes this table owns.
    pub fn parts(&self) -> impl Iterator<Item = &Size> {
        std::iter::once(&self.heap.size)
            .chain(
                self.toast
                    .iter()
                    .flat_map(|toast| [&toast.heap.size, &toast.index.size]),
            )
            .chain(self.indexes.iter().map(|index| &index.storage.size))
    }

    /// As [`Table::parts`], each with its OID, to be changed in place.
    pub fn parts_mut(&mut self) -> impl Iterator<Item = (Oid, &mut Size)> {
        std::iter::once((self.oid, &mut self.heap.size))
            .chain(self.toast.iter_mut().flat_map(|toast| {
                [
                    (toast.oid, &mut toast.heap.size),
                    (toast.index_oid, &mut toast.index.size),
                ]
            }))
            .chain(
                self.indexes
                    .iter_mut()
                    .map(|index| (index.oid, &mut index.storage.size)),
            )
    }
}

/// Bytes of a database's folder that belong to no relation, by cause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unattributed {
    /// Why they belong to no relation that this visit can see.
    pub cause: UnattributedCause,
    /// Their bytes.
    pub bytes: u64,
    /// How many files they are.
    pub files: u64,
    /// The largest of the files, largest first: a relation's segments and forks are one.
    pub largest: Vec<UnattributedFile>,
}

/// A file that belongs to no relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnattributedFile {
    /// Its path relative to the data directory.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
}

/// Why a file in a database's folder belongs to no relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnattributedCause {
    /// `PG_VERSION`, `pg_filenode.map`, `pg_internal.init` and the like.
    ServerFiles,
    /// A relation's file of a transaction that has not committed, or of one that just ended.
    Uncommitted,
    /// A relation's file that outlived every transaction that was running when it was first seen.
    Orphaned,
    /// A temporary relation's file that no visible temporary relation owns.
    Temporary,
}

/// What a visit cost the server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Cost {
    /// Statements sent.
    pub statements: u64,
    /// Connections opened, one after the other or side by side.
    pub connections: u32,
    /// Milliseconds spent waiting for the server's answers, over all connections.
    pub server_ms: u64,
    /// Most locks on user relations that were held at the moments the visit looked.
    pub user_relation_locks: u64,
    /// Largest memory of one backend at its end (`pg_backend_memory_contexts`, 14 and later).
    pub backend_memory_bytes: Option<u64>,
    /// Why `backend_memory_bytes` is null.
    pub backend_memory_unknown: Option<String>,
    /// Bytes of rows received from the server.
    pub bytes_received: u64,
}
