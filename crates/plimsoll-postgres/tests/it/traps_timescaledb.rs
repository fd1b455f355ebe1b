//! Trap 76 on a real TimescaleDB, where one is installed: each release that it can make.

use std::collections::HashMap;

use plimsoll_core::Oid;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, timescaledb};

use crate::sizing::{
    BOTH, ask, assert_exact, database, number, options, run, see, table, try_visit, url_as,
};

/// Two hypertables, whose compressed chunks only the catalog tells apart, and an aggregate that is kept.
const HYPERTABLES: &str = "
    create table conditions (at timestamptz not null, device int, line text);
    select create_hypertable('conditions', 'at', chunk_time_interval => interval '1 day');
    create table \"Other\" (at timestamptz not null, device int);
    select create_hypertable('\"Other\"', 'at', chunk_time_interval => interval '1 day');
    create index on conditions (device, at);
    insert into conditions select '2026-01-01'::timestamptz + n * interval '5 minutes', n % 7, repeat(md5(n::text), 40)
        from generate_series(1, 1500) n;
    insert into \"Other\" select at, device from conditions;
    alter table conditions set (timescaledb.compress, timescaledb.compress_segmentby = 'device');
    alter table \"Other\" set (timescaledb.compress);
    select compress_chunk(c) from show_chunks('conditions', older_than => '2026-01-04'::timestamptz) c;
    select compress_chunk(c) from show_chunks('\"Other\"', older_than => '2026-01-03'::timestamptz) c;
    analyze";

#[tokio::test]
async fn trap_76_on_a_real_timescaledb_a_hypertable_is_one_set_of_all_its_chunks() {
    let Some(server) = timescaledb::server() else {
        eprintln!("TimescaleDB: not tested: no PostgreSQL that is here has it, or starts with it");
        return;
    };
    let releases = ask(
        &server,
        "postgres",
        "select string_agg(distinct version, ' ') from pg_available_extension_versions where name = 'timescaledb'",
    );
    run(&server, "postgres", "create role reader login");
    for (place, release) in releases.split(' ').enumerate() {
        let name = format!("chunks_{place}");
        // whatever loads it first decides which library that is
        database(&server, &name, "select 1");
        run(
            &server,
            &name,
            &format!("create extension timescaledb version '{release}'"),
        );
        run(&server, &name, HYPERTABLES);
        is_one_set(&server, &name, release).await;
    }
    eprintln!(
        "TimescaleDB: tested, {releases} on PostgreSQL {}",
        server.major()
    );
}

async fn is_one_set(server: &Server, database: &str, release: &str) {
    let compressed = number(
        server,
        database,
        "select count(*) from timescaledb_information.chunks where is_compressed",
    );
    assert_eq!(compressed, 5, "{release}");
    let reader = url_as(server, "reader", database);
    let mut seen = Vec::new();
    for method in BOTH {
        let snapshot = see(server, database, method).await;
        assert_exact(server, database, &snapshot);
        seen.push(snapshot);
    }
    // its catalog may be read by whoever may connect
    let of_reader = options(MethodChoice::Functions);
    let snapshot = try_visit(&reader, &of_reader, &mut Memory::default()).await;
    seen.push(snapshot.unwrap());
    for snapshot in &seen {
        assert!(
            snapshot.tables.iter().all(|table| !table.parent_by_name),
            "{release}: the catalog tells it"
        );
        for hypertable in ["conditions", "Other"] {
            let told = number(
                server,
                database,
                &format!("select hypertable_size('\"{hypertable}\"')"),
            );
            let root = table(snapshot, "public", hypertable).oid;
            assert_eq!(
                sum_below(snapshot, root),
                told,
                "{release}: {hypertable} by {:?}",
                snapshot.method
            );
        }
        // no chunk is in no set
        for chunk in &snapshot.tables {
            let name = &*chunk.table_name;
            let is_chunk = name.starts_with("_hyper_") || name.starts_with("compress_hyper_");
            assert!(
                !is_chunk || chunk.parent_oid.is_some(),
                "{release}: {}",
                chunk.table_name
            );
        }
    }
}

/// What a table and all below it have.
fn sum_below(snapshot: &Snapshot, root: Oid) -> u64 {
    let parents: HashMap<Oid, Oid> = snapshot
        .tables
        .iter()
        .filter_map(|table| Some((table.oid, table.parent_oid?)))
        .collect();
    let is_below = |oid: Oid| {
        let mut above = Some(oid);
        while let Some(at) = above.filter(|at| *at != root) {
            above = parents.get(&at).copied();
        }
        above == Some(root)
    };
    let below = snapshot.tables.iter().filter(|table| is_below(table.oid));
    below.map(|table| table.size().bytes.unwrap()).sum()
}
