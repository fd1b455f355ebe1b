//! Snapshots of databases that are made up.

use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::size::{Size, Status};
use plimsoll_core::snapshot::{
    Cost, Index, Method, Persistence, RowCountSource, Rows, Server, Snapshot, Storage, Table,
    TableKind, Toast,
};
use plimsoll_store::DatabaseKey;

/// A database whose tables tests change at will.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) instance: String,
    pub(crate) database: String,
    pub(crate) oid: u32,
    pub(crate) server: Server,
    pub(crate) tables: Vec<Table>,
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl World {
    pub(crate) fn new(instance: &str, database: &str) -> Self {
        Self {
            instance: instance.to_owned(),
            database: database.to_owned(),
            oid: database
                .bytes()
                .fold(16384, |oid, byte| oid * 3 + u32::from(byte)),
            server: Server {
                version_num: 180_004,
                system_identifier: Some(u64::MAX - 7),
                timeline: Some(1),
                in_recovery: false,
                started_at: at("2026-01-01T00:00:00Z"),
                stats_reset_at: None,
                block_size: 8192,
            },
            tables: Vec::new(),
        }
    }

    pub(crate) fn key(&self) -> DatabaseKey {
        DatabaseKey {
            instance: self.instance.clone(),
            database: self.database.clone(),
        }
    }

    /// Adds a table with a toast table and one index. Its OIDs are `oid` to `oid + 3`.
    pub(crate) fn add(&mut self, oid: u32, schema: &str, name: &str, heap: u64) -> &mut Table {
        let storage = |filenode, bytes| Storage {
            filenode,
            tablespace: 1663,
            size: Size::measured(bytes),
        };
        self.tables.push(Table {
            oid,
            schema_name: schema.into(),
            table_name: name.into(),
            kind: TableKind::Table,
            persistence: Persistence::Permanent,
            access_method: Some("heap".into()),
            heap: storage(oid, heap),
            toast: Some(Toast {
                oid: oid + 1,
                heap: storage(oid + 1, 0),
                index_oid: oid + 2,
                index: storage(oid + 2, 8192),
            }),
            indexes: vec![Index {
                oid: oid + 3,
                index_name: format!("{name}_pkey").into(),
                access_method: "btree".into(),
                is_valid: true,
                storage: storage(oid + 3, 16384),
            }],
            rows: Rows {
                count: Some(heap / 100),
                source: RowCountSource::Statistics,
                dead: Some(0),
            },
            parent_oid: None,
            parent_by_name: false,
        });
        self.tables.last_mut().unwrap()
    }

    pub(crate) fn table(&mut self, oid: u32) -> &mut Table {
        self.tables.iter_mut().find(|t| t.oid == oid).unwrap()
    }

    pub(crate) fn drop(&mut self, oid: u32) {
        self.tables.retain(|t| t.oid != oid);
    }

    pub(crate) fn snapshot(&self, at: Timestamp) -> Snapshot {
        let tables = self.tables.clone();
        let known: u64 = tables
            .iter()
            .flat_map(Table::parts)
            .filter_map(|size| size.bytes)
            .sum();
        let totals = reconcile(&tables, Some(known + 1_000_000), None);
        Snapshot {
            instance: Arc::from(&*self.instance),
            database: Arc::from(&*self.database),
            database_oid: self.oid,
            server: self.server.clone(),
            measured_at: at,
            took_ms: 12,
            method: Method::Files,
            full_sweep_at: Some(at),
            tables,
            totals,
            unattributed: Vec::new(),
            facts: InstanceFacts::default(),
            cost: Cost::default(),
        }
    }
}

/// A size that could not be read, with what `relpages` says instead.
pub(crate) fn locked() -> Size {
    Size::unread(Status::Locked, 1, 8192)
}

/// What `table_sizes` must say of a snapshot in which everything was measured.
pub(crate) fn expected(snapshot: &Snapshot) -> Vec<(String, u64)> {
    let mut sizes: Vec<_> = snapshot
        .tables
        .iter()
        .filter(|table| table.kind.in_table_sizes())
        .map(|table| {
            let key = plimsoll_core::name::table_key(
                &table.schema_name,
                &table.table_name,
                snapshot.server.major(),
            );
            (key, table.size().bytes.unwrap())
        })
        .collect();
    sizes.sort();
    sizes
}
