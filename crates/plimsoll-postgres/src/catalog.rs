//! What the catalog says exists: every relation with storage, compactly, and who owns it.
//!
//! 100,000 tables are 400,000 relations, so a relation here is 48 bytes and its name a slice of one
//! long text; the tables of the snapshot are made of it at the end.

mod changed;
mod names;
mod timescaledb;

use foldhash::{HashMap, HashSet};

use plimsoll_core::Oid;
use plimsoll_core::snapshot::Persistence;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use crate::catalog::names::Names;
use crate::counters::{Counting, RowCounts};
use crate::error::VisitError;
use crate::raw_text::Char;
use crate::session::Session;

/// How often a catalog that somebody rewrites (`vacuum full pg_class`) is asked again, and how long
/// after the time before.
const LOCKED_CATALOG_TRIES: u32 = 20;
const LOCKED_CATALOG_PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

/// Every relation of the database, and the names around them.
#[derive(Debug, Default)]
pub(crate) struct Catalog {
    relations: Vec<Relation>,
    /// Every relation's name, one after the other.
    text: String,
    slots: HashMap<Oid, Slot>,
    names: Names,
    /// The first parent of each table that inherits or is a partition.
    parents: HashMap<Oid, Oid>,
    /// Those whose parent only their names tell.
    named_after_parents: HashSet<Oid>,
    default_tablespace: Oid,
    snapshot: String,
}

/// A relation's place in [`Catalog::relations`].
pub(crate) type Slot = u32;

/// One row of `pg_class`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relation {
    pub oid: Oid,
    pub kind: Kind,
    pub persistence: Persistence,
    /// `indisvalid`; true for what is no index.
    pub is_valid: bool,
    /// 0 where there is no storage.
    pub filenode: Oid,
    /// The database's default resolved; 0 where there is no storage.
    pub tablespace: Oid,
    /// What the last VACUUM or ANALYZE saw.
    pub pages: u32,
    /// `reltuples`: -1, and before PostgreSQL 14 also 0, where it was never counted.
    pub tuples: f32,
    /// A table's toast table, or 0.
    pub toast: Oid,
    /// An index's table, or 0.
    pub table: Oid,
    pub namespace: Oid,
    pub access_method: Oid,
    name_at: u32,
    name_len: u16,
}

const _: () = assert!(size_of::<Relation>() == 48, "there are 400,000 of them");

/// `pg_class.relkind`, as far as it has storage or owns what has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Table,
    Matview,
    Partitioned,
    Sequence,
    Toast,
    Index,
}

impl Kind {
    fn of(relkind: u8) -> Option<Self> {
        Some(match relkind {
            b'r' => Self::Table,
            b'm' => Self::Matview,
            b'p' => Self::Partitioned,
            b'S' => Self::Sequence,
            b't' => Self::Toast,
            b'i' => Self::Index,
            _ => return None,
        })
    }
}

/// Where a relation's files are: their names begin with it, and it is unique within the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FileKey {
    pub tablespace: Oid,
    /// The backend whose temporary relation it is, or [`PERMANENT`].
    pub backend: i32,
    pub filenode: Oid,
}

/// The [`FileKey::backend`] of what is not temporary.
pub(crate) const PERMANENT: i32 = -1;

impl Catalog {
    /// Reads the whole catalog, and what is counted of its tables.
    pub(crate) async fn read(
        session: &Session,
        counting: Counting,
    ) -> Result<(Self, RowCounts), VisitError> {
        let mut tries = 0;
        loop {
            match Self::read_once(session, counting).await {
                Err(error) if error.is_lock_timeout() && tries < LOCKED_CATALOG_TRIES => {
                    tries += 1;
                    tokio::time::sleep(LOCKED_CATALOG_PAUSE).await;
                }
                result => return result,
            }
        }
    }

    async fn read_once(
        session: &Session,
        counting: Counting,
    ) -> Result<(Self, RowCounts), VisitError> {
        let row = session.one(include_str!("catalog/place.sql"), &[]).await?;
        let mut catalog = Self {
            default_tablespace: session.read(&row, 0)?,
            snapshot: session.read(&row, 1)?,
            ..Self::default()
        };
        let mut counts = RowCounts::default();
        let params = [
            (&counting.rows() as _, Type::BOOL),
            (&counting.moves() as _, Type::BOOL),
        ];
        session
            .stream(include_str!("catalog/relations.sql"), &params, |row| {
                catalog.put(session, &row, None)?;
                counts.put(session, &row, counting)
            })
            .await?;
        catalog.assign_indexes(session).await?;
        catalog.read_parents(session).await?;
        catalog.names = Names::read(session).await?;
        catalog.read_compressed(session).await?;
        catalog.relations.shrink_to_fit();
        catalog.text.shrink_to_fit();
        Ok((catalog, counts))
    }

    /// Finds which table is a child of which. No size needs it: a role that may not know learns less.
    async fn read_parents(&mut self, session: &Session) -> Result<(), VisitError> {
        let mut read = async |sql| {
            let read = session.stream(sql, &[], |row| {
                if let Some(parent) = session.read(&row, 1)? {
                    self.parents.insert(session.read(&row, 0)?, parent);
                }
                Ok(())
            });
            read.await
        };
        let mut result = read(include_str!("catalog/parents.sql")).await;
        if matches!(result, Err(VisitError::PermissionDenied { .. })) {
            result = read(include_str!("catalog/partition_parents.sql")).await;
        }
        match result {
            Err(VisitError::PermissionDenied { reason, .. }) => {
                tracing::warn!(reason, "storage.catalog.parents_not_read");
                Ok(())
            }
            result => result,
        }
    }

    /// Finds whose compressed chunks TimescaleDB's are, where there are any.
    async fn read_compressed(&mut self, session: &Session) -> Result<(), VisitError> {
        let Some(schema) = self.names.schema_named(timescaledb::SCHEMA) else {
            return Ok(());
        };
        if let Some(parents) = timescaledb::by_catalog(session).await? {
            self.parents.extend(parents);
            return Ok(());
        }
        let tables = self
            .relations
            .iter()
            .filter(|relation| relation.namespace == schema && relation.kind == Kind::Table);
        let tables = tables.map(|relation| (relation.oid, self.name(relation)));
        let parents = timescaledb::by_name(tables, |oid| self.parent(oid));
        if !parents.is_empty() {
            tracing::info!(
                chunks = parents.len(),
                "storage.catalog.timescaledb_by_name"
            );
        }
        self.named_after_parents = parents.iter().map(|(chunk, _)| *chunk).collect();
        self.parents.extend(parents);
        Ok(())
    }

    /// Finds each index's table.
    async fn assign_indexes(&mut self, session: &Session) -> Result<(), VisitError> {
        session
            .stream(include_str!("catalog/indexes.sql"), &[], |row| {
                if let Some(slot) = self.slot(session.read(&row, 0)?) {
                    let index = &mut self.relations[slot as usize];
                    index.table = session.read(&row, 1)?;
                    index.is_valid = session.read(&row, 2)?;
                }
                Ok(())
            })
            .await?;
        let is_orphan = |relation: &&Relation| relation.kind == Kind::Index && relation.table == 0;
        let orphans: Vec<Oid> = self
            .relations
            .iter()
            .filter(is_orphan)
            .map(|relation| relation.oid)
            .collect();
        if orphans.is_empty() {
            return Ok(());
        }
        // Dropped since, or the catalog is damaged.
        let there = self.read_some(session, &orphans).await?;
        self.relations
            .retain(|relation| there.contains(&relation.oid) || !is_orphan(&relation));
        let slots = (0..).zip(&self.relations);
        self.slots = slots.map(|(slot, relation)| (relation.oid, slot)).collect();
        Ok(())
    }

    /// Reads some relations again, and those that are new for the first time.
    pub(crate) async fn read_again(
        &mut self,
        session: &Session,
        oids: &[Oid],
    ) -> Result<(), VisitError> {
        self.read_some(session, oids).await?;
        // A schema may be as new as what is in it.
        self.names = Names::read(session).await?;
        Ok(())
    }

    /// Reads some relations; returns those that are there.
    async fn read_some(
        &mut self,
        session: &Session,
        oids: &[Oid],
    ) -> Result<HashSet<Oid>, VisitError> {
        let mut there = HashSet::default();
        let sql = include_str!("catalog/relations_by_oid.sql");
        session
            .stream(sql, &[(&oids, Type::OID_ARRAY)], |row| {
                there.insert(session.read(&row, 0)?);
                let table: Option<Oid> = session.read(&row, 11)?;
                let is_valid: Option<bool> = session.read(&row, 12)?;
                self.put(session, &row, table.zip(is_valid))
            })
            .await?;
        Ok(there)
    }

    /// Keeps a row of `pg_class`; of an index with its table, and whether it is valid, where that is known.
    fn put(
        &mut self,
        session: &Session,
        row: &Row,
        index_of: Option<(Oid, bool)>,
    ) -> Result<(), VisitError> {
        let Char(relkind) = session.read(row, 3)?;
        let Some(kind) = Kind::of(relkind) else {
            return Ok(());
        };
        let oid: Oid = session.read(row, 0)?;
        let Char(persistence) = session.read(row, 4)?;
        let filenode = match kind {
            Kind::Partitioned => 0,
            _ => session.read::<Option<Oid>, _>(row, 5)?.unwrap_or(0),
        };
        let tablespace = self.tablespace(filenode, session.read(row, 6)?);
        let (name_at, name_len) = self.keep_name(&session.text(row, 1)?);
        let relation = Relation {
            oid,
            kind,
            persistence: match persistence {
                b'u' => Persistence::Unlogged,
                b't' => Persistence::Temporary,
                _ => Persistence::Permanent,
            },
            is_valid: index_of.is_none_or(|(_, is_valid)| is_valid),
            filenode,
            tablespace,
            // A number without a sign, which the server shows with one. A partitioned table has -1.
            pages: match filenode {
                0 => 0,
                _ => session.read::<i32, _>(row, 7)?.cast_unsigned(),
            },
            tuples: session.read(row, 8)?,
            toast: session.read(row, 9)?,
            table: index_of.map_or(0, |(table, _)| table),
            namespace: session.read(row, 2)?,
            access_method: session.read(row, 10)?,
            name_at,
            name_len,
        };
        if let Some(slot) = self.slots.get(&oid) {
            self.relations[*slot as usize] = relation;
        } else {
            let slot = Slot::try_from(self.relations.len()).unwrap_or(Slot::MAX);
            self.slots.insert(oid, slot);
            self.relations.push(relation);
        }
        Ok(())
    }

    /// What `reltablespace` means; 0 where there is no storage.
    const fn tablespace(&self, filenode: Oid, reltablespace: Oid) -> Oid {
        match (filenode, reltablespace) {
            (0, _) => 0,
            (_, 0) => self.default_tablespace,
            (_, tablespace) => tablespace,
        }
    }

    fn keep_name(&mut self, name: &str) -> (u32, u16) {
        let at = u32::try_from(self.text.len()).unwrap_or(u32::MAX);
        self.text.push_str(name);
        (at, u16::try_from(name.len()).unwrap_or(u16::MAX))
    }

    /// Every relation, in the order of their slots.
    pub(crate) fn relations(&self) -> &[Relation] {
        &self.relations
    }

    /// Every relation with its slot.
    pub(crate) fn slots(&self) -> impl Iterator<Item = (Slot, &Relation)> {
        (0..).zip(&self.relations)
    }

    /// A relation.
    pub(crate) fn relation(&self, slot: Slot) -> &Relation {
        &self.relations[slot as usize]
    }

    /// Where a relation is.
    pub(crate) fn slot(&self, oid: Oid) -> Option<Slot> {
        self.slots.get(&oid).copied()
    }

    /// `pg_current_snapshot()` from before the catalog was read.
    pub(crate) fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// `pg_am.amname` of a relation's access method.
    pub(crate) fn access_method(&self, relation: &Relation) -> Option<&std::sync::Arc<str>> {
        self.names.access_method(relation.access_method)
    }

    /// Where a relation's files are; none without storage.
    pub(crate) fn file_key(&self, relation: &Relation) -> Option<FileKey> {
        (relation.filenode != 0).then(|| FileKey {
            tablespace: relation.tablespace,
            backend: match relation.persistence {
                Persistence::Temporary => self.names.temporary_backend(relation.namespace),
                _ => PERMANENT,
            },
            filenode: relation.filenode,
        })
    }

    /// `nspname` of a relation's schema; where that was dropped in between, its number.
    pub(crate) fn schema(&self, relation: &Relation) -> std::sync::Arc<str> {
        self.names.schema(relation.namespace)
    }

    /// The first parent of a table that inherits or is a partition.
    pub(crate) fn parent(&self, oid: Oid) -> Option<Oid> {
        self.parents.get(&oid).copied()
    }

    /// Whether only its name tells what its parent is.
    pub(crate) fn is_parent_by_name(&self, oid: Oid) -> bool {
        self.named_after_parents.contains(&oid)
    }

    /// A relation's name.
    pub(crate) fn name(&self, relation: &Relation) -> &str {
        let start = relation.name_at as usize;
        self.text
            .get(start..start + usize::from(relation.name_len))
            .unwrap_or_default()
    }
}
