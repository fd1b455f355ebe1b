//! Which known relation a relation of the new snapshot is.

use std::collections::HashMap;

use super::{Known, KnownDatabase, RelationKind};
use crate::Oid;
use crate::snapshot::{Index, Snapshot, Table};

/// Finds known relations by OID, and by name what has none of a known OID.
///
/// After a restore OIDs say nothing (a number may even stand for another table): then only names
/// count.
pub(super) struct Links<'a> {
    relations: &'a [Known],
    by_oid: HashMap<Oid, usize>,
    tables_by_name: HashMap<(&'a str, &'a str), usize>,
    indexes: HashMap<i32, Vec<usize>>,
    taken: Vec<bool>,
    restored: bool,
}

/// Whether the database is another one than at the last visit, though it has the same name.
pub(super) fn is_restored(before: &KnownDatabase, now: &Snapshot) -> bool {
    before.last.as_ref().is_some_and(|last| {
        last.database_oid != now.database_oid
            || matches!(
                (last.system_identifier, now.server.system_identifier),
                (Some(was), Some(is)) if was != is
            )
    })
}

impl<'a> Links<'a> {
    pub(super) fn new(before: &'a KnownDatabase, now: &Snapshot, restored: bool) -> Self {
        let relations = &before.relations[..];
        let mut links = Self {
            relations,
            by_oid: HashMap::with_capacity(relations.len()),
            tables_by_name: HashMap::new(),
            indexes: HashMap::new(),
            taken: vec![false; relations.len()],
            restored,
        };
        for (at, known) in relations.iter().enumerate() {
            links.by_oid.insert(known.oid, at);
            if let Some(owner) = known.owner {
                links.indexes.entry(owner).or_default().push(at);
            }
        }
        // By name only what no OID leads to: a table that was renamed keeps its history even when
        // another one takes its old name.
        let reached: Vec<bool> = if restored {
            vec![false; relations.len()]
        } else {
            let mut reached = vec![false; relations.len()];
            for table in &now.tables {
                if let Some(&at) = links.by_oid.get(&table.oid) {
                    reached[at] = true;
                }
            }
            reached
        };
        for (at, known) in relations.iter().enumerate() {
            if !reached[at] && matches!(known.kind, RelationKind::Table(_)) {
                links
                    .tables_by_name
                    .insert((&known.schema_name, &known.relation_name), at);
            }
        }
        links
    }

    /// The known relation that a table of the snapshot is.
    pub(super) fn table(&mut self, table: &Table) -> Option<&'a Known> {
        let by_oid = if self.restored {
            None
        } else {
            self.by_oid
                .get(&table.oid)
                .copied()
                .filter(|&at| matches!(self.relations[at].kind, RelationKind::Table(_)))
        };
        let at = by_oid
            .or_else(|| {
                self.tables_by_name
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
        owner: i32,
        index: &Index,
        siblings: &[Index],
    ) -> Option<&'a Known> {
        let ours = self.indexes.get(&owner)?;
        let by_oid = ours
            .iter()
            .copied()
            .find(|&at| !self.restored && self.relations[at].oid == index.oid);
        let at = by_oid
            .or_else(|| {
                ours.iter().copied().find(|&at| {
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
    pub(super) fn left_over(&self) -> impl Iterator<Item = &'a Known> + use<'a, '_> {
        self.relations
            .iter()
            .zip(&self.taken)
            .filter(|(_, taken)| !**taken)
            .map(|(known, _)| known)
    }
}
