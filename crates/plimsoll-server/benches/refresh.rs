//! What it takes to forecast everything in a database anew: 100,000 tables of which 5 % move, 90 daily
//! samples, on both stores. At most 10 seconds, and 25 MB more than the process had.
//!
//! `cargo bench -p plimsoll-server --bench refresh`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::process::{Command, ExitCode};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::{
    Cost, Method, Persistence, RowCountSource, Rows, Server, Snapshot, Storage, Table, TableKind,
};
use plimsoll_server::clock::SystemClock;
use plimsoll_server::forecasting::refresh;
use plimsoll_store::{DatabaseKey, PartKind, PartQuery};

const TABLES: u32 = 100_000;
const MOVING: usize = 20;
const DAYS: i64 = 90;
const LONGEST_S: f64 = 10.0;
const MOST_MB: f64 = 25.0;
/// A process of its own measures one store: what filling it took from the system stays out.
const CHILD: &str = "--refresh-of";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    if let [_, flag, url, ..] = &*args
        && flag == CHILD
    {
        return measure(url);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut is_met = of_store(
        &format!("sqlite:{}", folder.path().join("h.db").display()),
        "SQLite",
    );
    if let Ok(installation) = throwaway_postgres::Installation::find(None) {
        let options = throwaway_postgres::Options {
            installation: Some(installation),
            ..Default::default()
        };
        let server = throwaway_postgres::Server::start(&options).unwrap();
        server.sql("postgres", "create database history").unwrap();
        let name = format!("PostgreSQL {}", server.major());
        is_met &= of_store(&server.url("history"), &name);
    }
    if is_met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn of_store(url: &str, name: &str) -> bool {
    println!("-- {name}, {TABLES} tables, every {MOVING}th moving, {DAYS} daily samples");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let began = Instant::now();
    runtime.block_on(fill(url));
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    let child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, url])
        .status()
        .unwrap();
    child.success()
}

fn measure(url: &str) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = plimsoll_store::open(url).unwrap();
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: "many".to_owned(),
    };
    // connected, and its pages in memory, as in a process that serves
    runtime.block_on(store.footprint()).unwrap();
    let before = memory_mb("VmRSS:");
    let mut is_met = true;
    for round in ["first", "second"] {
        let began = Instant::now();
        let header = runtime
            .block_on(refresh(&*store, &of, &SystemClock))
            .unwrap()
            .unwrap();
        let took = began.elapsed().as_secs_f64();
        let more = memory_mb("VmHWM:") - before;
        println!(
            "{round} refresh of {} tables: {took:.1} s (at most {LONGEST_S}), {more:.1} MB more at most (at most {MOST_MB})",
            header.table_count
        );
        is_met &= took <= LONGEST_S && more <= MOST_MB;
    }
    let query = PartQuery {
        kinds: vec![PartKind::Table],
        limit: Some(20),
        name: None,
    };
    let began = Instant::now();
    let kept = runtime
        .block_on(store.kept_forecast(&of, &query))
        .unwrap()
        .unwrap();
    assert_eq!(kept.parts.len(), 20);
    println!(
        "the 20 that grow most: {:.1} ms",
        began.elapsed().as_secs_f64() * 1000.0
    );
    if is_met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A figure of this process's memory, in millions of bytes.
fn memory_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kilobytes: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    f64::from(kilobytes) * 1024.0 / 1e6
}

async fn fill(url: &str) {
    let store = plimsoll_store::open(url).unwrap();
    store.migrate().await.unwrap();
    let mut state = 42_u64;
    let mut random = |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    let start: Timestamp = "2026-01-01T03:00:00Z".parse().unwrap();
    let mut snapshot = snapshot(start);
    for day in 0..DAYS {
        snapshot.measured_at = start + SignedDuration::from_hours(24 * day);
        for table in snapshot.tables.iter_mut().step_by(MOVING) {
            let bytes = table.heap.size.bytes.unwrap_or(0);
            table.heap.size = Size::measured(bytes + 8192 * random(300));
        }
        let sum: u64 = snapshot
            .tables
            .iter()
            .filter_map(|table| table.size().bytes)
            .sum();
        snapshot.totals = reconcile(&snapshot.tables, Some(sum + 8_000_000), None);
        store
            .record_sample(&snapshot, SampleKind::Daily, None)
            .await
            .unwrap();
    }
}

fn snapshot(at: Timestamp) -> Snapshot {
    Snapshot {
        instance: "main".into(),
        database: "many".into(),
        database_oid: 5,
        server: Server {
            version_num: 180_004,
            system_identifier: Some(1),
            timeline: Some(1),
            in_recovery: false,
            started_at: at,
            stats_reset_at: None,
            block_size: 8192,
        },
        measured_at: at,
        took_ms: 2000,
        method: Method::Files,
        full_sweep_at: None,
        tables: (0..TABLES).map(table).collect(),
        totals: reconcile(&[], Some(0), None),
        unattributed: Vec::new(),
        facts: InstanceFacts::default(),
        cost: Cost::default(),
    }
}

fn table(number: u32) -> Table {
    let oid = 16_384 + number;
    Table {
        oid,
        schema_name: format!("schema_{}", number % 10).into(),
        table_name: format!("table_{number}").into(),
        kind: TableKind::Table,
        persistence: Persistence::Permanent,
        access_method: None,
        heap: Storage {
            filenode: oid,
            tablespace: 1663,
            size: Size::measured(8192 * u64::from(1 + number % 1000)),
        },
        toast: None,
        indexes: Vec::new(),
        rows: Rows {
            count: Some(1),
            source: RowCountSource::Statistics,
            dead: Some(0),
        },
        parent_oid: None,
        parent_by_name: false,
    }
}
