//! Which known relation a relation of the new snapshot is.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{KnownDatabase, KnownRelation, RelationId, RelationKind};
use crate::Oid;
use crate::snapshot::{Index, Snapshot, Table};

/// Finds known relations by OID, and by name what has none of a known OID.
///
/// After a restore OIDs say nothing (a number may even stand for another table): then only names
/// count.
pub(super) struct Links<'a> {
    relations: &'a [KnownRelation],
    /// For each table of the snapshot the place of the known relation with its OID.
    by_oid: Vec<Option<usize>>,
    /// Tables that no OID leads to.
    by_name: HashMap<(&'a str, &'a str), usize>,
    /// Owners and places of indexes, sorted.
    indexes: Vec<(RelationId, usize)>,
    taken: Vec<bool>,
    restored: bool,
}

/// Whether the database is another one than at the last visit, though it has the same name.
pub(super) fn is_restored(before: &KnownDatabase, now: &Snapshot) -> bool {
    before.last.as_ref().is_some_and(|last| {
        (last.database_oid != 0 && last.database_oid != now.database_oid)
            || matches!(
                (last.system_identifier, now.server.system_identifier),
                (Some(was), Some(is)) if was != is
            )
    })
}

impl<'a> Links<'a> {
    pub(super) fn new(before: &'a KnownDatabase, now: &Snapshot, restored: bool) -> Self {
        let relations = &before.relations[..];
        let mut places: OidMap<usize> =
            OidMap::with_capacity_and_hasher(relations.len(), BuildHasherDefault::default());
        let mut indexes = Vec::with_capacity(relations.len());
        for (at, known) in relations.iter().enumerate() {
            match known.owner {
                Some(owner) => indexes.push((owner, at)),
                None if !restored => {
                    places.insert(known.oid, at);
                }
                None => {}
            }
        }
        indexes.sort_unstable();
        let mut reached = vec![false; relations.len()];
        let by_oid = now
            .tables
            .iter()
            .map(|table| {
                let at = places.get(&table.oid).copied()?;
                reached[at] = true;
                Some(at)
            })
            .collect();
        // By name only what no OID leads to: a table that was renamed keeps its history even when
        // another one takes its old name.
        let by_name = relations
            .iter()
            .enumerate()
            .filter(|(at, known)| !reached[*at] && known.owner.is_none())
            .map(|(at, known)| ((&*known.schema_name, &*known.relation_name), at))
            .collect();
        Self {
            relations,
            by_oid,
            by_name,
            indexes,
            taken: vec![false; relations.len()],
            restored,
        }
    }

    /// The known relation that table number `place` of the snapshot is.
    pub(super) fn table(&mut self, place: usize, table: &Table) -> Option<&'a KnownRelation> {
        let at = self.by_oid[place]
            .or_else(|| {
                if self.by_name.is_empty() {
                    return None;
                }
                self.by_name
                    .get(&(&*table.schema_name, &*table.table_name))
                    .copied()
                    .filter(|&at| self.relations[at].kind == RelationKind::Table(table.kind))
            })
            .filter(|&at| !self.taken[at])?;
        self.taken[at] = true;
        Some(&self.relations[at])
    }

    /// The known relation that an index of a known table is: REINDEX CONCURRENTLY gives a name a
    /// new OID.
    pub(super) fn index(
        &mut self,
        owner: RelationId,
        index: &Index,
        siblings: &[Index],
    ) -> Option<&'a KnownRelation> {
        let from = self.indexes.partition_point(|entry| entry.0 < owner);
        let ours = || {
            self.indexes[from..]
                .iter()
                .take_while(|entry| entry.0 == owner)
                .map(|entry| entry.1)
        };
        let by_oid = ours().find(|&at| !self.restored && self.relations[at].oid == index.oid);
        let at = by_oid
            .or_else(|| {
                ours().find(|&at| {
                    let known = &self.relations[at];
                    known.relation_name == index.index_name
                        && (self.restored
                            || !siblings.iter().any(|sibling| sibling.oid == known.oid))
                })
            })
            .filter(|&at| !self.taken[at])?;
        self.taken[at] = true;
        Some(&self.relations[at])
    }

    /// Known relations that nothing of the snapshot is.
    pub(super) fn left_over(&self) -> impl Iterator<Item = &'a KnownRelation> + use<'a, '_> {
        self.relations
            .iter()
            .zip(&self.taken)
            .filter(|(_, taken)| !**taken)
            .map(|(known, _)| known)
    }
}

/// A map by OID. OIDs are numbers that a server gave out one after the other: they need no defence
/// against being chosen to collide, and there are hundreds of thousands.
pub(super) type OidMap<T> = HashMap<Oid, T, BuildHasherDefault<OidHasher>>;

#[derive(Default)]
pub(super) struct OidHasher(u64);

impl Hasher for OidHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // Fibonacci hashing: Knuth, The Art of Computer Programming, volume 3, section 6.4
        self.0 = (self.0.rotate_left(5) ^ u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}
