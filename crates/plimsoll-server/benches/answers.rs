//! How long answers about 100,000 tables (400,000 relations) take, from the latest snapshot.
//!
//! `GET /api/storage/sizes?limit=100` must take less than 50 ms; this fails when the part of it that
//! depends on the number of tables, selecting, ordering and writing, does not.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::{
    Cost, Index, Method, Persistence, RowCountSource, Rows, Server, Snapshot, Storage, Table,
    TableKind, Toast,
};
use plimsoll_server::answer::sizes::{SizesQuery, sizes};
use plimsoll_server::ask::{Kinds, Sort};

const TABLES: u32 = 100_000;
const LONGEST: Duration = Duration::from_millis(50);

fn main() {
    let snapshot = Arc::new(snapshot());
    let page = |sort| SizesQuery {
        limit: Some(100),
        sort,
        ..SizesQuery::default()
    };
    let found = SizesQuery {
        search: Some("table_77".to_owned()),
        ..page(Sort::Size)
    };
    let all = SizesQuery {
        kinds: Kinds::All,
        ..SizesQuery::default()
    };
    for (name, query, bound) in [
        ("limit=100", page(Sort::Size), Some(LONGEST)),
        ("limit=100&sort=rows", page(Sort::Rows), Some(LONGEST)),
        ("limit=100&sort=name", page(Sort::Name), None),
        ("limit=100&search=table_77", found, Some(LONGEST)),
        ("kind=all", all, None),
    ] {
        let mut times: Vec<_> = (0..11).map(|_| measure(&snapshot, &query)).collect();
        times.sort_unstable();
        let (median, bytes) = times[times.len() / 2];
        println!("sizes?{name}: median {median:.1?}, {bytes} bytes");
        assert!(
            bound.is_none_or(|bound| median < bound),
            "sizes?{name} takes {median:?}"
        );
    }
}

fn measure(snapshot: &Arc<Snapshot>, query: &SizesQuery) -> (Duration, usize) {
    let began = Instant::now();
    let pieces = sizes(snapshot, query, None).unwrap().into_json().unwrap();
    let bytes = pieces.map(|piece| black_box(piece.unwrap()).len()).sum();
    (began.elapsed(), bytes)
}

fn snapshot() -> Snapshot {
    let tables: Vec<_> = (0..TABLES).map(table).collect();
    let totals = reconcile(&tables, Some(1 << 50), None);
    Snapshot {
        instance: "main".into(),
        database: "many".into(),
        database_oid: 5,
        server: Server {
            version_num: 150_018,
            system_identifier: Some(1),
            timeline: Some(1),
            in_recovery: false,
            started_at: Timestamp::UNIX_EPOCH,
            stats_reset_at: None,
            block_size: 8192,
        },
        measured_at: Timestamp::UNIX_EPOCH,
        took_ms: 2000,
        method: Method::Files,
        full_sweep_at: None,
        tables,
        totals,
        unattributed: Vec::new(),
        facts: InstanceFacts::default(),
        cost: Cost::default(),
    }
}

/// Each with a toast table, that one's index, and an index; one in ten is a partition of another.
fn table(number: u32) -> Table {
    let oid = 16_384 + number * 4;
    let storage = |oid: u32| Storage {
        filenode: oid,
        tablespace: 1663,
        size: Size::measured(u64::from(oid.wrapping_mul(2_654_435_761)) * 8192),
    };
    Table {
        oid,
        schema_name: format!("schema_{}", number % 10).into(),
        table_name: format!("table_{number}").into(),
        kind: TableKind::Table,
        persistence: Persistence::Permanent,
        access_method: None,
        heap: storage(oid),
        toast: Some(Toast {
            oid: oid + 1,
            heap: storage(oid + 1),
            index_oid: oid + 2,
            index: storage(oid + 2),
        }),
        indexes: vec![Index {
            oid: oid + 3,
            index_name: format!("table_{number}_pkey").into(),
            access_method: "btree".into(),
            is_valid: true,
            storage: storage(oid + 3),
        }],
        rows: Rows {
            count: Some(u64::from(number)),
            source: RowCountSource::Statistics,
            dead: Some(0),
        },
        parent_oid: (number % 10 == 1).then(|| oid - 4),
        parent_by_name: false,
    }
}
