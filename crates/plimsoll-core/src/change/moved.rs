//! What a new snapshot shows otherwise than the last one that was kept: of the rest a store need look up nothing.
//!
//! Of each table a number is remembered that stands for all that [`compare`](fn@super::compare) looks at. A table of the
//! same number changes nothing; where some part of it could not be read there is none, and it is looked up each time.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::link::OidMap;
use super::{Changes, KnownDatabase, RelationId};
use crate::Oid;
use crate::size::Size;
use crate::snapshot::{Index, Snapshot, Table};

/// With a larger share of a database's tables it is no more work to look up all.
const MOST: usize = 4;

/// A number for all that is compared of a table; none where some part was not read.
pub type Fingerprint = Option<u64>;

/// The tables of a database's last sample, by OID.
#[derive(Debug, Clone, Default)]
pub struct LastTables {
    tables: OidMap<(RelationId, Fingerprint)>,
}

/// The part of a snapshot that may change something.
#[derive(Debug, Clone)]
pub struct Moved {
    /// The snapshot with the tables that may have changed, and what these are partitions of.
    pub snapshot: Snapshot,
    /// The known tables that it is compared with: these and their indexes are looked up.
    pub ids: Vec<RelationId>,
    /// How many of the tables that `table_sizes` names are left out.
    pub left_out: u64,
}

/// The fingerprints of a snapshot's tables, in their order.
pub fn fingerprints(now: &Snapshot) -> Vec<Fingerprint> {
    now.tables.iter().map(fingerprint).collect()
}

impl LastTables {
    /// The tables of a sample that was just kept, with the ids that they have now.
    ///
    /// `before` are all that were known, or `None` where only what moved since `self` was compared.
    #[must_use]
    pub fn after(
        &self,
        before: Option<&KnownDatabase>,
        changes: &Changes,
        now: &Snapshot,
        fingerprints: &[Fingerprint],
    ) -> Self {
        let mut stale: HashSet<RelationId> = changes.gone.iter().copied().collect();
        stale.extend(changes.updated.iter().map(|known| known.id));
        let mut ids: OidMap<RelationId> = OidMap::default();
        let keep = |(oid, id): &(Oid, RelationId)| (!stale.contains(id)).then_some((*oid, *id));
        match before {
            Some(before) => {
                let tables = before
                    .relations
                    .iter()
                    .filter(|known| known.owner.is_none());
                let known = tables.map(|known| (known.oid, known.id));
                ids.extend(known.filter_map(|known| keep(&known)));
            }
            None => {
                let known = self.tables.iter().map(|(oid, (id, _))| (*oid, *id));
                ids.extend(known.filter_map(|known| keep(&known)));
            }
        }
        let new = changes.updated.iter().chain(&changes.added);
        ids.extend(
            new.filter(|known| known.owner.is_none())
                .map(|known| (known.oid, known.id)),
        );
        let tables = now.tables.iter().zip(fingerprints);
        Self {
            tables: tables
                .filter_map(|(table, fingerprint)| {
                    let id = *ids.get(&table.oid)?;
                    table
                        .kind
                        .has_series()
                        .then_some((table.oid, (id, *fingerprint)))
                })
                .collect(),
        }
    }

    /// What may have changed since; `None` where that is so much that all is looked up.
    pub fn moved(&self, now: &Snapshot, fingerprints: &[Fingerprint]) -> Option<Moved> {
        let mut is_moved = vec![false; now.tables.len()];
        // tables that came, and those that went
        let mut others: HashSet<Oid> = self.tables.keys().copied().collect();
        for ((table, fingerprint), is_moved) in
            now.tables.iter().zip(fingerprints).zip(&mut is_moved)
        {
            if !table.kind.has_series() {
                continue;
            }
            let last = self.tables.get(&table.oid);
            if last.is_some() {
                others.remove(&table.oid);
            } else {
                others.insert(table.oid);
            }
            *is_moved = !last.is_some_and(|(_, last)| last.is_some() && last == fingerprint);
        }
        if !others.is_empty() {
            for (table, is_moved) in now.tables.iter().zip(&mut is_moved) {
                *is_moved |= table.parent_oid.is_some_and(|oid| others.contains(&oid));
            }
        }
        let gone = others.iter().filter_map(|oid| self.tables.get(oid));
        let mut ids: Vec<RelationId> = gone.map(|(id, _)| *id).collect();
        let count = is_moved.iter().filter(|is_moved| **is_moved).count();
        if (count + ids.len()) * MOST > now.tables.len() {
            return None;
        }
        with_parents(now, &mut is_moved);
        let mut tables = Vec::with_capacity(count);
        let mut left_out = 0;
        for (table, is_moved) in now.tables.iter().zip(is_moved) {
            if is_moved {
                ids.extend(self.tables.get(&table.oid).map(|(id, _)| *id));
                tables.push(table.clone());
            } else if table.kind.in_table_sizes() {
                // all of it was read, or it would be here
                left_out += u64::from(table.heap.size.bytes.is_some());
            }
        }
        Some(Moved {
            snapshot: Snapshot {
                instance: now.instance.clone(),
                database: now.database.clone(),
                database_oid: now.database_oid,
                server: now.server.clone(),
                measured_at: now.measured_at,
                took_ms: now.took_ms,
                method: now.method,
                full_sweep_at: now.full_sweep_at,
                tables,
                totals: now.totals,
                unattributed: Vec::new(),
                facts: now.facts.clone(),
                cost: now.cost.clone(),
            },
            ids,
            left_out,
        })
    }
}

/// A table's parent is compared by its id, which is known of what is compared itself.
fn with_parents(now: &Snapshot, is_moved: &mut [bool]) {
    let has_parent = |(table, is_moved): (&Table, &bool)| *is_moved && table.parent_oid.is_some();
    if !now.tables.iter().zip(&*is_moved).any(has_parent) {
        return;
    }
    let places = now.tables.iter().enumerate();
    let places: OidMap<usize> = places.map(|(place, table)| (table.oid, place)).collect();
    for place in 0..is_moved.len() {
        if !is_moved[place] {
            continue;
        }
        let mut at = place;
        while let Some(parent) = now.tables[at].parent_oid.and_then(|oid| places.get(&oid)) {
            if std::mem::replace(&mut is_moved[*parent], true) {
                break;
            }
            at = *parent;
        }
    }
}

/// The order of indexes says nothing.
fn fingerprint(table: &Table) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    (&*table.schema_name, &*table.table_name).hash(&mut hasher);
    (table.kind, table.parent_oid, table.rows.count).hash(&mut hasher);
    (table.heap.filenode, read(&table.heap.size)?).hash(&mut hasher);
    if let Some(toast) = &table.toast {
        (toast.oid, toast.heap.filenode, read(&toast.heap.size)?).hash(&mut hasher);
        (
            toast.index_oid,
            toast.index.filenode,
            read(&toast.index.size)?,
        )
            .hash(&mut hasher);
    }
    let mut indexes: u64 = 0;
    for index in &table.indexes {
        indexes = indexes.wrapping_add(of_index(index)?);
    }
    (table.toast.is_some(), table.indexes.len(), indexes).hash(&mut hasher);
    Some(hasher.finish())
}

fn of_index(index: &Index) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    (index.oid, &*index.index_name).hash(&mut hasher);
    (index.storage.filenode, read(&index.storage.size)?).hash(&mut hasher);
    Some(hasher.finish())
}

/// What this visit read, if it did.
fn read(size: &Size) -> Option<Option<u64>> {
    size.is_measured().then_some(size.bytes)
}

#[cfg(test)]
mod tests;
