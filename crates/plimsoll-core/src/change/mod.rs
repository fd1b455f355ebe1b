//! What changed between what is known of a database and a new snapshot: the rows that a history
//! that keeps changes only has to write, and the events that are not growth.

mod compare;
mod event;
mod link;
mod moved;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use crate::Oid;
use crate::size::{Size, Status};
use crate::snapshot::{Snapshot, TableKind};

pub use self::compare::{IMPORTED_BEFORE, IMPORTED_OTHERWISE, compare};
pub use self::event::{Event, EventKind};
pub use self::moved::{Fingerprint, LastTables, Moved, fingerprints};

/// Names a relation within its database for as long as the history knows it, whatever its name and
/// OID become.
pub type RelationId = i32;

/// What the history knows of a database before a new snapshot.
#[derive(Debug, Clone, Default)]
pub struct KnownDatabase {
    /// The server and the time of the last sample; `None` when there is none.
    pub last: Option<LastVisit>,
    /// Every relation that was there at the last sample.
    pub relations: Vec<KnownRelation>,
    /// Parts that the last sample could not measure, and why not at first.
    pub unread: Vec<(RelationId, Part, Status)>,
    /// The next relation that is new gets this id.
    pub next_relation_id: RelationId,
}

/// What is remembered of the last visit as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastVisit {
    /// When it was.
    pub sampled_at: Timestamp,
    /// The database's OID.
    pub database_oid: Oid,
    /// `system_identifier`, if it could be read.
    pub system_identifier: Option<u64>,
    /// The timeline, if it could be read.
    pub timeline: Option<u32>,
    /// Whether the server was a standby.
    pub in_recovery: bool,
    /// When the database's statistics were last reset.
    pub stats_reset_at: Option<Timestamp>,
    /// `pg_database_size`, if it was known.
    pub total_bytes: Option<u64>,
}

/// What kind of relation has a row of its own in the history; toast belongs to its table's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelationKind {
    /// Anything that owns its indexes and toast.
    Table(TableKind),
    /// An index.
    Index,
}

impl RelationKind {
    /// One letter, as the stores keep it: those of `pg_class.relkind`, and `c` for what the system
    /// owns.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Table(TableKind::Table) => "r",
            Self::Table(TableKind::Matview) => "m",
            Self::Table(TableKind::Partitioned) => "p",
            Self::Table(TableKind::Catalog) => "c",
            Self::Table(TableKind::Sequence) => "S",
            Self::Table(TableKind::Temporary) => "t",
            Self::Index => "i",
        }
    }

    /// The kind that a letter stands for.
    pub fn from_letter(letter: &str) -> Option<Self> {
        Some(match letter {
            "r" => Self::Table(TableKind::Table),
            "m" => Self::Table(TableKind::Matview),
            "p" => Self::Table(TableKind::Partitioned),
            "c" => Self::Table(TableKind::Catalog),
            "S" => Self::Table(TableKind::Sequence),
            "t" => Self::Table(TableKind::Temporary),
            "i" => Self::Index,
            _ => return None,
        })
    }
}

/// A relation as the history knows it: who it is, and its last measured sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRelation {
    /// Its id in the history.
    pub id: RelationId,
    /// `pg_class.oid`.
    pub oid: Oid,
    /// What it is.
    pub kind: RelationKind,
    /// The table that owns this index.
    pub owner: Option<RelationId>,
    /// `pg_namespace.nspname`, raw; empty for an index, which lies in its table's schema.
    pub schema_name: Box<str>,
    /// `pg_class.relname`, raw.
    pub relation_name: Box<str>,
    /// The table that it inherits from or is a partition of.
    pub parent: Option<RelationId>,
    /// Its file; 0 where it has none.
    pub filenode: Oid,
    /// Its toast table.
    pub toast: Option<KnownToast>,
    /// Its last measured sizes.
    pub sizes: Sizes,
}

/// A toast table as the history knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownToast {
    /// Its OID.
    pub oid: Oid,
    /// Its file.
    pub filenode: Oid,
    /// OID of its index.
    pub index_oid: Oid,
    /// File of its index.
    pub index_filenode: Oid,
}

/// One point of a relation's series. `None`: never measured, or there is no such part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Sizes {
    /// The relation itself, all forks. An index has only this.
    pub heap_bytes: Option<u64>,
    /// Its toast table.
    pub toast_bytes: Option<u64>,
    /// Its toast table's index.
    pub toast_index_bytes: Option<u64>,
    /// Its indexes together, as far as they were ever measured.
    pub index_bytes: u64,
    /// Rows, as the server's statistics said.
    pub row_count: Option<u64>,
}

impl Sizes {
    /// Heap, toast and indexes; `None` while the relation itself was never measured.
    pub fn total_bytes(&self) -> Option<u64> {
        self.heap_bytes
            .map(|heap| heap + self.all_toast_bytes() + self.index_bytes)
    }

    /// The toast table with its index.
    pub fn all_toast_bytes(&self) -> u64 {
        self.toast_bytes.unwrap_or(0) + self.toast_index_bytes.unwrap_or(0)
    }
}

/// The parts of a relation that are measured one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The relation itself.
    Heap,
    /// Its toast table.
    Toast,
    /// Its toast table's index.
    ToastIndex,
}

impl Part {
    /// One letter, as the stores keep it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::Heap => "h",
            Self::Toast => "t",
            Self::ToastIndex => "x",
        }
    }

    /// The part that a letter stands for.
    pub fn from_letter(letter: &str) -> Option<Self> {
        [Self::Heap, Self::Toast, Self::ToastIndex]
            .into_iter()
            .find(|part| part.letter() == letter)
    }
}

/// What a snapshot adds to the history.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Relations that are new, with their sizes.
    pub added: Vec<KnownRelation>,
    /// Relations of which anything changed, as they are now.
    pub updated: Vec<KnownRelation>,
    /// Relations that are gone.
    pub gone: Vec<RelationId>,
    /// What a relation was called, or belonged to, until this sample.
    pub former: Vec<FormerIdentity>,
    /// New points of tables' series.
    pub table_points: Vec<(RelationId, Sizes)>,
    /// New points of indexes' series.
    pub index_points: Vec<(RelationId, u64)>,
    /// Parts that could be measured last time, or were not there, and could not this time.
    pub unread: Vec<(RelationId, Part, Status)>,
    /// Parts that are measured again, or gone.
    pub read_again: Vec<(RelationId, Part)>,
    /// What happened that is not growth.
    pub events: Vec<Event>,
    /// How many tables `table_sizes` names.
    pub table_count: u64,
    /// How many parts could not be measured.
    pub unread_count: u64,
    /// The id for the next new relation.
    pub next_relation_id: RelationId,
}

/// What a relation was called, and belonged to, before the sample at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerIdentity {
    /// Which relation.
    pub id: RelationId,
    /// Its schema then.
    pub schema_name: Box<str>,
    /// Its name then.
    pub relation_name: Box<str>,
    /// Its parent then.
    pub parent: Option<RelationId>,
}

/// A size that this visit measured, if it did.
fn measured(size: &Size) -> Option<u64> {
    if size.is_measured() { size.bytes } else { None }
}

impl KnownDatabase {
    /// A database that nothing is known of.
    pub fn new() -> Self {
        Self {
            next_relation_id: 1,
            ..Self::default()
        }
    }

    /// What is known after a snapshot whose changes these are: what a store returns when it is
    /// asked again.
    pub fn apply(&mut self, changes: &Changes, snapshot: &Snapshot) {
        let gone: HashSet<_> = changes.gone.iter().copied().collect();
        let mut updated: HashMap<_, _> = changes
            .updated
            .iter()
            .map(|known| (known.id, known))
            .collect();
        self.relations.retain(|known| !gone.contains(&known.id));
        for known in &mut self.relations {
            if let Some(now) = updated.remove(&known.id) {
                known.clone_from(now);
            }
        }
        self.relations.extend(changes.added.iter().cloned());
        let read_again: HashSet<_> = changes.read_again.iter().copied().collect();
        self.unread
            .retain(|&(id, part, _)| !read_again.contains(&(id, part)));
        self.unread.extend(changes.unread.iter().copied());
        self.next_relation_id = changes.next_relation_id;
        let server = &snapshot.server;
        let before = self.last.take();
        self.last = Some(LastVisit {
            sampled_at: snapshot.measured_at,
            database_oid: snapshot.database_oid,
            system_identifier: server
                .system_identifier
                .or_else(|| before.and_then(|last| last.system_identifier)),
            timeline: server
                .timeline
                .or_else(|| before.and_then(|last| last.timeline)),
            in_recovery: server.in_recovery,
            stats_reset_at: server
                .stats_reset_at
                // a restored database counts anew, and may not say yet since when
                .or_else(|| {
                    before
                        .filter(|last| last.database_oid == snapshot.database_oid)
                        .and_then(|last| last.stats_reset_at)
                }),
            total_bytes: snapshot.totals.total_bytes,
        });
    }
}

#[cfg(test)]
mod tests;
