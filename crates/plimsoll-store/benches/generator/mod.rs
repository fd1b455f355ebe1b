//! Makes databases up: many tables with toast and indexes, of which some change from sample to sample.

use std::sync::Arc;

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::Totals;
use plimsoll_core::snapshot::{
    Cost, Index, Method, Persistence, RowCountSource, Rows, Server, Snapshot, Storage, Table,
    TableKind, Toast,
};

const PAGE: u64 = 8192;

/// A small generator: the same numbers in every run.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next number below a limit.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A database with `tables` tables in ten schemas, each with a toast table, a primary key and, every
/// second one, another index.
pub(crate) fn database(
    instance: &str,
    tables: u32,
    at: Timestamp,
    random: &mut Random,
) -> Snapshot {
    let schemas: Vec<Arc<str>> = (0..10)
        .map(|n| {
            if n == 0 {
                "public".into()
            } else {
                format!("tenant_{n}").into()
            }
        })
        .collect();
    let storage = |oid: u32, pages: u64| Storage {
        filenode: oid,
        tablespace: 1663,
        size: Size::measured(pages * PAGE),
    };
    let btree: Arc<str> = "btree".into();
    let mut all = Vec::new();
    for n in 0..tables {
        let oid = 16_384 + n * 6;
        // most tables are small, few are large
        let magnitude = random.below(17);
        let pages = 1 + random.below(1 << magnitude);
        let name = format!("orders_{n:06}");
        let index = |place: u32, column: &str, pages: u64| Index {
            oid: oid + 3 + place,
            index_name: format!("{name}_{column}").into(),
            access_method: btree.clone(),
            is_valid: true,
            storage: storage(oid + 3 + place, pages),
        };
        let mut indexes = vec![index(0, "pkey", 2 + pages / 4)];
        if n % 2 == 0 {
            indexes.push(index(1, "created_at_idx", 2 + pages / 5));
        }
        all.push(Table {
            oid,
            schema_name: schemas[usize::try_from(n % 10).unwrap_or(0)].clone(),
            table_name: name.as_str().into(),
            kind: TableKind::Table,
            persistence: Persistence::Permanent,
            access_method: None,
            heap: storage(oid, pages),
            toast: Some(Toast {
                oid: oid + 1,
                heap: storage(oid + 1, random.below(4)),
                index_oid: oid + 2,
                index: storage(oid + 2, 1),
            }),
            indexes,
            rows: Rows {
                count: Some(pages * 60),
                source: RowCountSource::Statistics,
                dead: None,
            },
            parent_oid: None,
            parent_by_name: false,
        });
    }
    let mut snapshot = Snapshot {
        instance: instance.into(),
        database: "app".into(),
        database_oid: 16_000,
        server: Server {
            version_num: 180_004,
            system_identifier: Some(7),
            timeline: Some(1),
            in_recovery: false,
            started_at: at,
            stats_reset_at: None,
            block_size: 8192,
        },
        measured_at: at,
        took_ms: 100,
        method: Method::Files,
        full_sweep_at: Some(at),
        tables: all,
        totals: Totals::default(),
        unattributed: Vec::new(),
        facts: InstanceFacts::default(),
        cost: Cost::default(),
    };
    add_up(&mut snapshot);
    snapshot
}

/// Lets `changing` tables of a thousand grow: the table, every index, its rows, and the toast table of
/// every second one.
pub(crate) fn grow(snapshot: &mut Snapshot, at: Timestamp, changing: u64, random: &mut Random) {
    let count = u64::try_from(snapshot.tables.len()).unwrap_or(0);
    for _ in 0..(count * changing).div_ceil(1000) {
        let n = usize::try_from(random.below(count)).unwrap_or(0);
        let pages = 1 + random.below(64);
        let table = &mut snapshot.tables[n];
        more(&mut table.heap.size, pages);
        for index in &mut table.indexes {
            more(&mut index.storage.size, 1 + pages / 4);
        }
        if let Some(toast) = &mut table.toast
            && pages.is_multiple_of(2)
        {
            more(&mut toast.heap.size, pages);
            more(&mut toast.index.size, 1);
        }
        table.rows.count = table
            .rows
            .count
            .map(|rows| rows + pages * 60 + random.below(60));
    }
    snapshot.measured_at = at;
    snapshot.full_sweep_at = Some(at);
    add_up(snapshot);
}

fn more(size: &mut Size, pages: u64) {
    *size = Size::measured(size.bytes.unwrap_or(0) + pages * PAGE);
}

fn add_up(snapshot: &mut Snapshot) {
    let attributed = snapshot
        .tables
        .iter()
        .filter_map(|table| table.size().bytes)
        .sum();
    snapshot.totals = Totals {
        total_bytes: Some(attributed + 7_000_000),
        attributed_bytes: attributed,
        estimated_bytes: 0,
        unattributed_bytes: Some(7_000_000),
        unmeasured_bytes: Some(0),
    };
}
