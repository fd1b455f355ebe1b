//! The made-up history, from a present that looks like the demo's.

use std::collections::HashMap;

use jiff::Timestamp;
use plimsoll_core::instance::{DatabaseTotal, InstanceFacts};
use plimsoll_core::snapshot::Totals;
use plimsoll_core::snapshot::{
    Cost, Method, Persistence, RowCountSource, Rows, Server, TableKind, Toast,
};

use super::*;

const MB: u64 = 1024 * 1024;

fn storage(oid: u32, bytes: u64) -> Storage {
    Storage {
        filenode: oid,
        tablespace: 1663,
        size: Size::measured(bytes),
    }
}

fn table(oid: u32, schema: &str, name: &str, heap: u64) -> Table {
    Table {
        oid,
        schema_name: schema.into(),
        table_name: name.into(),
        kind: TableKind::Table,
        persistence: Persistence::Permanent,
        access_method: None,
        heap: storage(oid, heap),
        toast: (name == "documents").then(|| Toast {
            oid: oid + 1,
            heap: storage(oid + 1, 30 * MB),
            index_oid: oid + 2,
            index: storage(oid + 2, MB),
        }),
        indexes: vec![Index {
            oid: oid + 3,
            index_name: format!("{name}_pkey").into(),
            access_method: "btree".into(),
            is_valid: true,
            storage: storage(oid + 3, (heap / 4).max(8192)),
        }],
        rows: Rows {
            count: Some(1000),
            source: RowCountSource::Statistics,
            dead: Some(10),
        },
        parent_oid: None,
        parent_by_name: false,
    }
}

fn present(now: Timestamp) -> Snapshot {
    let names = [
        ("public", "events", 40 * MB),
        ("public", "orders", 9 * MB),
        ("public", "order_items", 9 * MB),
        ("public", "customers", 2 * MB),
        ("public", "products", MB),
        ("public", "sessions", 8 * MB),
        ("public", "documents", MB),
        ("public", "job_queue", 10 * MB),
        ("public", "notifications", 3 * MB),
        ("public", "countries", 16384),
        ("audit", "log", 11 * MB),
        ("pg_catalog", "pg_proc", MB),
    ];
    let mut tables: Vec<Table> = (0..)
        .zip(names)
        .map(|(at, (schema, name, heap))| table(16_400 + at * 10, schema, name, heap))
        .collect();
    let month = date_of(now).first_of_month();
    for (at, age) in (0..).zip(-5..=1) {
        let month = month.checked_add(age.months()).unwrap();
        let heap = rounded(4 * MB, filled(month, date_of(now))) / 8192 * 8192;
        tables.push(table(
            17_000 + at * 10,
            "metrics",
            &format!("measurements_{}", suffix(month)),
            heap,
        ));
    }
    let attributed: u64 = tables
        .iter()
        .flat_map(Table::parts)
        .filter_map(|size| size.bytes)
        .sum();
    Snapshot {
        instance: "demo".into(),
        database: "shop".into(),
        database_oid: 16_384,
        server: Server {
            version_num: 180_004,
            system_identifier: Some(1),
            timeline: Some(1),
            in_recovery: false,
            started_at: now,
            stats_reset_at: None,
            block_size: 8192,
        },
        measured_at: now,
        took_ms: 20,
        method: Method::Files,
        full_sweep_at: Some(now),
        tables,
        totals: Totals {
            total_bytes: Some(attributed + 500_000),
            attributed_bytes: attributed,
            unattributed_bytes: Some(500_000),
            ..Totals::default()
        },
        unattributed: Vec::new(),
        facts: InstanceFacts {
            databases: Figure::Known(vec![DatabaseTotal {
                connect_name: String::new(),
                oid: 16_384,
                name: "shop".to_owned(),
                bytes: Figure::Known(attributed + 500_000),
                allows_connections: true,
                is_template: false,
            }]),
            ..InstanceFacts::default()
        },
        cost: Cost::default(),
    }
}

fn size_of(snapshot: &Snapshot, name: &str) -> Option<u64> {
    snapshot
        .tables
        .iter()
        .find(|table| &*table.table_name == name)?
        .size()
        .bytes
}

/// Ordinary moments, the first and last of a month, and the minutes around 03:00.
fn nows() -> Vec<Timestamp> {
    [
        "2026-11-24T12:00:00Z",
        "2026-11-01T03:00:00Z",
        "2027-01-31T23:59:59Z",
        "2026-03-02T02:59:00Z",
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect()
}

#[test]
fn there_is_one_sample_a_day_up_to_the_day_before() {
    for now in nows() {
        let samples: Vec<_> = history(&present(now), now).collect();
        assert_eq!(samples.len(), usize::from(DAYS));
        for pair in samples.windows(2) {
            let apart = pair[1].scheduled_for.duration_since(pair[0].scheduled_for);
            assert_eq!(apart, SignedDuration::from_hours(24));
            assert!(pair[0].snapshot.measured_at < pair[1].snapshot.measured_at);
        }
        let last = &samples[samples.len() - 1];
        let age = now.duration_since(last.scheduled_for);
        assert!((SignedDuration::from_hours(24)..SignedDuration::from_hours(48)).contains(&age));
        assert_eq!(last.scheduled_for.to_zoned(TimeZone::UTC).hour(), 3);
        assert!(last.snapshot.measured_at < now);
    }
}

#[test]
fn it_is_the_same_every_time() {
    let now = nows()[0];
    let twice = [0, 1].map(|_| history(&present(now), now).collect::<Vec<_>>());
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn every_total_adds_up_and_every_relation_is_one() {
    for now in nows() {
        for PastSample { snapshot, .. } in history(&present(now), now) {
            let totals = snapshot.totals;
            assert_eq!(totals.total_bytes, Some(totals.attributed_bytes + 500_000));
            assert_eq!(totals.unattributed_bytes, Some(500_000));
            assert_eq!(
                snapshot.facts.databases.each()[0].bytes,
                Figure::Known(totals.total_bytes.unwrap())
            );
            let mut seen = HashMap::new();
            for table in &snapshot.tables {
                for oid in [table.oid]
                    .into_iter()
                    .chain(table.indexes.iter().map(|index| index.oid))
                {
                    assert!(seen.insert(oid, &table.table_name).is_none(), "{oid} twice");
                }
                for size in table.parts() {
                    assert_eq!(size.bytes.unwrap() % 8192, 0);
                }
                assert!(table.size().bytes.unwrap() > 0, "{}", table.table_name);
            }
        }
    }
}

#[test]
fn it_ends_where_the_present_begins() {
    for now in nows() {
        let present = present(now);
        let last = history(&present, now).last().unwrap().snapshot;
        for table in &present.tables {
            let name = &*table.table_name;
            let then = size_of(&last, name).unwrap_or(0);
            let size = table.size().bytes.unwrap();
            // Retention may have fallen between, and the present month's partition is young.
            let least = if matches!(name, "sessions") || name.starts_with("measurements") {
                0
            } else {
                size / 10 * 9
            };
            let most = if name == "sessions" { size * 2 } else { size };
            assert!(
                (least..=most).contains(&then),
                "{now} {name}: {then}, now {size}"
            );
        }
        let [then, total] = [last, present.clone()].map(|it| it.totals.total_bytes.unwrap());
        assert!(
            then > total / 100 * 85 && then < total / 100 * 115,
            "{now}: {then}, now {total}"
        );
    }
}

#[test]
fn each_table_has_a_past_of_its_own() {
    let now = nows()[0];
    let present = present(now);
    let samples: Vec<_> = history(&present, now)
        .map(|sample| sample.snapshot)
        .collect();
    let series = |name| {
        samples
            .iter()
            .map(|snapshot| size_of(snapshot, name))
            .collect::<Vec<_>>()
    };

    assert!(
        series("countries")
            .iter()
            .all(|size| *size == size_of(&present, "countries"))
    );
    assert!(
        series("pg_proc")
            .iter()
            .all(|size| *size == size_of(&present, "pg_proc"))
    );
    assert!(series("events").is_sorted());
    assert!(series("documents").is_sorted());
    assert_eq!(
        series("notifications")
            .iter()
            .filter(|size| size.is_some())
            .count(),
        26
    );
    assert!(series("notifications")[0].is_none());
    assert!(!series("sessions").is_sorted());

    // A month that retention has dropped since, and one that did not exist yet.
    assert!(series("measurements_2026_05")[0].is_some());
    assert!(series("measurements_2026_05")[119].is_none());
    assert!(series("measurements_2026_12")[0].is_none());
    assert!(series("measurements_2026_12")[119].is_some());

    // VACUUM FULL and REINDEX: smaller at once, in another file.
    let filenodes = |name: &str| {
        let of = |snapshot: &Snapshot| {
            let table = snapshot
                .tables
                .iter()
                .find(|table| &*table.table_name == name)
                .unwrap();
            (table.heap.filenode, table.indexes[0].storage.filenode)
        };
        let mut all: Vec<_> = samples.iter().map(of).collect();
        all.dedup();
        all
    };
    assert_eq!(filenodes("customers").len(), 2);
    assert_ne!(filenodes("customers")[0].0, filenodes("customers")[1].0);
    assert_eq!(filenodes("orders").len(), 2);
    assert_eq!(filenodes("orders")[0].0, filenodes("orders")[1].0);
    assert_eq!(filenodes("events").len(), 1);
    let fell = series("customers")
        .windows(2)
        .filter(|pair| pair[1] < pair[0])
        .count();
    assert_eq!(fell, 1);
}

#[tokio::test]
async fn the_store_takes_it_as_demo_data_and_leaves_room_for_the_first_real_sample() {
    use plimsoll_core::sample::SampleKind;
    use plimsoll_store::{DatabaseKey, Recorded, Recording, SampleQuery, Step};

    let now = nows()[0];
    let present = present(now);
    let folder = tempfile::tempdir().unwrap();
    let store = plimsoll_store::open(&format!(
        "sqlite:{}",
        folder.path().join("history.db").display()
    ))
    .unwrap();
    store.migrate().await.unwrap();
    let recorded = super::super::record::record_history(store.as_ref(), &present, now)
        .await
        .unwrap();
    assert_eq!(recorded, usize::from(DAYS));

    // What the schedule takes when it starts: the latest 03:00.
    let recording = Recording {
        kind: SampleKind::Daily,
        scheduled_for: Some("2026-11-24T03:00:00Z".parse().unwrap()),
        is_demo: false,
    };
    let first_real = store.record(&present, recording).await.unwrap();
    assert!(matches!(first_real, Recorded::New(_)));

    let query = SampleQuery {
        of: DatabaseKey {
            instance: "demo".to_owned(),
            database: "shop".to_owned(),
        },
        kinds: vec![SampleKind::Daily],
        since: None,
        step: Step::All,
        limit: 1000,
    };
    let page = store.samples(&query).await.unwrap();
    assert_eq!(page.samples.len(), usize::from(DAYS) + 1);
    assert_eq!(
        page.samples.iter().filter(|sample| !sample.is_demo).count(),
        1
    );
    let oldest = page.samples.last().unwrap();
    let sizes = store.table_sizes(oldest, None, None).await.unwrap();
    assert!(sizes.iter().any(|(key, _)| key == "audit.log"));
    assert!(!sizes.iter().any(|(key, _)| key == "notifications"));
}
