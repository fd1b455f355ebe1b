//! Makes tables of relations: each toast table, its index and each index goes to the table that owns
//! it, so that every byte has one owner.

use foldhash::{HashMap, HashMapExt};
use std::sync::Arc;

use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{Index, Persistence, Rows, Storage, Table, TableKind, Toast};

use crate::catalog::{Catalog, Kind, Relation, Slot};
use crate::inventory::Inventory;
use crate::rows::rows;
use crate::sizes::Sizes;

/// `pg_namespace.oid` of `pg_toast`: fixed since 8.1.
const PG_TOAST: Oid = 99;

/// A place in the list of tables under construction.
type At = u32;

/// The snapshot's tables.
///
/// A toast table or index whose owner the catalog does not show (a damaged catalog, or one that
/// changed while it was read) becomes a table of its own rather than vanish. An index or toast
/// table that was dropped while its table stayed is nobody's any more.
pub(crate) fn tables(inventory: &Inventory, sizes: &Sizes) -> Vec<Table> {
    let catalog = &inventory.catalog;
    let owners = Owners::find(catalog, sizes);
    let mut tables = Vec::with_capacity(owners.heads.len());
    for (slot, index_count) in &owners.heads {
        let mut table = head(inventory, *slot, sizes);
        table.indexes = Vec::with_capacity(*index_count as usize);
        tables.push(table);
    }
    for (slot, relation) in catalog.slots() {
        let Some(at) = owners.of(slot) else { continue };
        let table: &mut Table = &mut tables[at as usize];
        if sizes.is_gone(slot) && table.heap.size.status != Status::Dropped {
            continue;
        }
        let storage = storage(inventory, slot, sizes);
        match relation.kind {
            Kind::Toast => {
                table.toast.get_or_insert(EMPTY_TOAST).oid = relation.oid;
                table.toast.get_or_insert(EMPTY_TOAST).heap = storage;
            }
            Kind::Index
                if is_toast(catalog, relation.table)
                    && relation.is_valid
                    && table.toast.is_none_or(|toast| toast.index_oid == 0) =>
            {
                table.toast.get_or_insert(EMPTY_TOAST).index_oid = relation.oid;
                table.toast.get_or_insert(EMPTY_TOAST).index = storage;
            }
            // Also a second index of a toast table: one that REINDEX CONCURRENTLY builds or left.
            _ => table.indexes.push(index(catalog, relation, storage)),
        }
    }
    tables
}

fn head(inventory: &Inventory, slot: Slot, sizes: &Sizes) -> Table {
    let catalog = &inventory.catalog;
    let relation = catalog.relation(slot);
    let schema_name = catalog.schema(relation);
    Table {
        oid: relation.oid,
        kind: table_kind(relation, &schema_name),
        schema_name,
        table_name: catalog.name(relation).into(),
        persistence: relation.persistence,
        access_method: catalog.access_method(relation).cloned(),
        heap: storage(inventory, slot, sizes),
        toast: None,
        indexes: Vec::new(),
        rows: match relation.kind {
            Kind::Table | Kind::Matview => rows(
                &inventory.counts,
                relation,
                sizes.get(slot),
                inventory.block_size,
            ),
            _ => Rows::default(),
        },
        parent_oid: catalog.parent(relation.oid),
        parent_by_name: catalog.is_parent_by_name(relation.oid),
    }
}

fn table_kind(relation: &Relation, schema_name: &str) -> TableKind {
    if relation.persistence == Persistence::Temporary {
        return TableKind::Temporary;
    }
    let is_system = relation.namespace == PG_TOAST
        || matches!(schema_name, "pg_catalog" | "information_schema");
    match relation.kind {
        Kind::Sequence => TableKind::Sequence,
        _ if is_system => TableKind::Catalog,
        Kind::Matview => TableKind::Matview,
        Kind::Partitioned => TableKind::Partitioned,
        Kind::Table => TableKind::Table,
        Kind::Toast | Kind::Index => TableKind::Catalog,
    }
}

fn index(catalog: &Catalog, relation: &Relation, storage: Storage) -> Index {
    Index {
        oid: relation.oid,
        index_name: catalog.name(relation).into(),
        access_method: catalog
            .access_method(relation)
            .cloned()
            .unwrap_or_else(|| Arc::from("")),
        is_valid: relation.is_valid,
        storage,
    }
}

fn storage(inventory: &Inventory, slot: Slot, sizes: &Sizes) -> Storage {
    let relation = inventory.catalog.relation(slot);
    Storage {
        filenode: relation.filenode,
        tablespace: relation.tablespace,
        size: sizes.get(slot).size(relation, inventory.block_size),
    }
}

fn is_toast(catalog: &Catalog, oid: Oid) -> bool {
    catalog
        .slot(oid)
        .is_some_and(|slot| catalog.relation(slot).kind == Kind::Toast)
}

const EMPTY_TOAST: Toast = Toast {
    oid: 0,
    heap: Storage {
        filenode: 0,
        tablespace: 0,
        size: plimsoll_core::size::Size::measured(0),
    },
    index_oid: 0,
    index: Storage {
        filenode: 0,
        tablespace: 0,
        size: plimsoll_core::size::Size::measured(0),
    },
};

/// Which relations are tables of the snapshot, and to which of them the others belong.
struct Owners {
    /// The tables' slots, each with how many indexes it has.
    heads: Vec<(Slot, u32)>,
    /// For each slot the table that owns it; [`NOBODY`] for the tables themselves.
    owner: Vec<At>,
}

const NOBODY: At = At::MAX;

impl Owners {
    fn find(catalog: &Catalog, sizes: &Sizes) -> Self {
        let mut heads = Vec::new();
        let mut owner = vec![NOBODY; catalog.relations().len()];
        let mut at = vec![NOBODY; catalog.relations().len()];
        let mut of_toast = HashMap::new();
        let mut lead = |slot: Slot, at: &mut Vec<At>| {
            let place = At::try_from(heads.len()).unwrap_or(NOBODY);
            at[slot as usize] = place;
            heads.push((slot, 0));
            place
        };
        for (slot, relation) in catalog.slots() {
            if matches!(relation.kind, Kind::Toast | Kind::Index) {
                continue;
            }
            let place = lead(slot, &mut at);
            if relation.toast != 0 {
                of_toast.insert(relation.toast, place);
            }
        }
        for (slot, relation) in catalog.slots() {
            if relation.kind == Kind::Toast {
                match of_toast.get(&relation.oid) {
                    Some(place) => owner[slot as usize] = *place,
                    None if sizes.is_gone(slot) => {}
                    None => {
                        lead(slot, &mut at);
                    }
                }
            }
        }
        drop(of_toast);
        for (slot, relation) in catalog.slots() {
            if relation.kind != Kind::Index {
                continue;
            }
            let table = catalog.slot(relation.table).map(|table| table as usize);
            let place = table
                .map(|table| owner[table].min(at[table]))
                .filter(|place| *place != NOBODY);
            match place {
                Some(place) => {
                    owner[slot as usize] = place;
                    if !table.is_some_and(|table| catalog.relations()[table].kind == Kind::Toast) {
                        heads[place as usize].1 += 1;
                    }
                }
                None if sizes.is_gone(slot) => {}
                None => {
                    // `lead` borrows `heads`; an index without a table is too rare to share it.
                    at[slot as usize] = At::try_from(heads.len()).unwrap_or(NOBODY);
                    heads.push((slot, 0));
                }
            }
        }
        Self { heads, owner }
    }

    fn of(&self, slot: Slot) -> Option<At> {
        let owner = self.owner[slot as usize];
        (owner != NOBODY).then_some(owner)
    }
}
