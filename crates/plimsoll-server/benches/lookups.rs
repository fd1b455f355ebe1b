//! What each route takes that asks for one table, one schema or some rows of a large history: 100,000 tables,
//! 400 samples, on both stores. Nobody is visited: all of it comes from the store.
//!
//! `cargo bench -p plimsoll-server --bench lookups` prints a line for each route, and fails where a bar is missed.
//! `PLIMSOLL_BENCH_TABLES` and `PLIMSOLL_BENCH_SAMPLES` make a smaller history.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../plimsoll-store/benches/generator/mod.rs"]
mod generator;
#[path = "../../plimsoll-store/benches/measure/mod.rs"]
#[expect(dead_code, reason = "one bar is of the store's own benches only")]
mod measure;
mod routes;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use generator::{Random, database, grow};
use jiff::{SignedDuration, Timestamp};
use measure::{Clock, bar_of, megabytes, verdict};
use plimsoll_core::instance::{Figure, Tablespace};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_server::clock::ManualClock;
use plimsoll_server::forecasting::{ForecastOf, ForecastQuery, VisitedSnapshots, forecast};
use plimsoll_server::http::router;
use plimsoll_server::settings::{Settings, Watched};
use plimsoll_store::{DatabaseKey, Store};
use routes::get;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Tables in a thousand that change from sample to sample.
const CHANGING: u64 = 5;
const ROUNDS: u32 = 9;

/// The routes, and what each may take in milliseconds on SQLite. `{n}` is a number, `{table}` a table of it.
const ROUTES: [(&str, f64); 15] = [
    // one look-up
    ("history?limit=1000&kind=all&table={table}", 20.0),
    ("series?table={table}", 20.0),
    ("events?table={table}", 20.0),
    ("forecast?table={table}", 100.0),
    ("tables/{path}", 100.0),
    // a part of the whole
    ("history?limit=1", 1000.0),
    ("history?limit=5&tables=3", 2000.0),
    ("history?limit=30&tables=0", 200.0),
    ("series?schema=tenant_{n}", 2000.0),
    ("forecast?schema=tenant_{n}", 2000.0),
    ("growth?since=30d&limit=10", 2000.0),
    ("state?at=7d&limit=10", 2000.0),
    ("events?limit=10", 200.0),
    ("sizes?limit=10", 2000.0),
    ("sizes?schema=tenant_{n}&limit=10", 2000.0),
];

fn asked(name: &str, default: u32) -> u32 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[tokio::main]
async fn main() -> ExitCode {
    let tables = asked("PLIMSOLL_BENCH_TABLES", 100_000);
    let samples = asked("PLIMSOLL_BENCH_SAMPLES", 400);
    let folder = tempfile::tempdir().unwrap();
    println!("-- SQLite, {tables} tables, {samples} samples, {CHANGING} in a thousand changing");
    let url = format!("sqlite:{}", folder.path().join("history.db").display());
    let (store, last) = fill(&url, tables, samples).await;
    of_tablespace(&store, last, 1.0).await;
    ask(store, tables, samples, 1.0).await;
    let Ok(installation) = throwaway_postgres::Installation::find(None) else {
        println!("-- PostgreSQL: not measured, none is installed");
        return verdict();
    };
    let options = throwaway_postgres::Options {
        installation: Some(installation),
        ..Default::default()
    };
    let server = throwaway_postgres::Server::start(&options).unwrap();
    server.sql("postgres", "create database history").unwrap();
    println!("-- PostgreSQL {}, the same", server.major());
    let (store, last) = fill(&server.url("history"), tables, samples).await;
    server.sql("history", "vacuum analyze").unwrap();
    of_tablespace(&store, last, 4.0).await;
    ask(store, tables, samples, 4.0).await;
    verdict()
}

fn day(n: u32) -> Timestamp {
    let first: Timestamp = "2025-01-01T03:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24 * i64::from(n))
}

async fn fill(url: &str, tables: u32, samples: u32) -> (Arc<dyn Store>, Snapshot) {
    let store = plimsoll_store::open(url).unwrap();
    store.migrate().await.unwrap();
    let mut random = Random(42);
    let mut snapshot = database("main", tables, day(0), &mut random);
    let began = Instant::now();
    for n in 0..samples {
        if n > 0 {
            grow(&mut snapshot, day(n), CHANGING, &mut random);
        }
        store
            .record_sample(&snapshot, SampleKind::Daily, Some(day(n)))
            .await
            .unwrap();
    }
    let size = megabytes(store.size_bytes().await.unwrap());
    println!(
        "written in {:.0} s, {size:.0} MB",
        began.elapsed().as_secs_f64()
    );
    (store, snapshot)
}

/// The forecast of a tablespace in which a tenth of all tables lie: which, only a visit tells.
async fn of_tablespace(store: &Arc<dyn Store>, mut seen: Snapshot, factor: f64) {
    const OID: u32 = 50_000_000;
    for table in seen.tables.iter_mut().step_by(10) {
        table.heap.tablespace = OID;
        for index in &mut table.indexes {
            index.storage.tablespace = OID;
        }
    }
    seen.facts.tablespaces = Figure::Known(vec![Tablespace {
        oid: OID,
        name: "other".to_owned(),
        location: Figure::Absent(String::new()),
        bytes: Figure::Absent(String::new()),
        capacity: Figure::Absent(String::new()),
    }]);
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: "app".to_owned(),
    };
    let what = ForecastOf::Tablespace("other".to_owned());
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let saw = VisitedSnapshots {
            database: Ok(&seen),
            others: &[],
        };
        let began = Clock::now();
        let found = forecast(&**store, &of, &what, saw, &ForecastQuery::default()).await;
        took.push(began.elapsed());
        assert!(!found.unwrap().points.is_empty());
    }
    let what = "forecast of a tablespace with a tenth of the tables";
    bar_of(what, &mut took, 2000.0 * factor, 1.0, "ms");
}

async fn ask(store: Arc<dyn Store>, tables: u32, samples: u32, factor: f64) {
    let url = "postgres://nobody@127.0.0.1:1/app".parse().unwrap();
    let listen = "127.0.0.1:8000".parse().unwrap();
    let settings = Settings::new(listen, vec![Watched::new("main", url)]);
    let clock = Arc::new(ManualClock::new(
        day(samples - 1) + SignedDuration::from_hours(1),
    ));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let assembled = plimsoll_server::assemble(settings, store, clock, &tasks, &stop);
    let router = router(assembled.app);
    let mut random = Random(44);
    for (route, bar_ms) in ROUTES {
        let mut took = Vec::new();
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let n = random.below(u64::from(tables));
            let (schema, name) = match n % 10 {
                0 => ("public".to_owned(), format!("orders_{n:06}")),
                other => (format!("tenant_{other}"), format!("orders_{n:06}")),
            };
            let path = route
                .replace("{table}", &format!("{schema}.{name}"))
                .replace("{path}", &format!("{schema}/{name}"))
                .replace("{n}", &(1 + n % 9).to_string());
            let began = Clock::now();
            bytes = get(&router, &without_waiting(&path)).await;
            took.push(began.elapsed());
        }
        let what = format!("{route}, {bytes} bytes");
        bar_of(&what, &mut took, bar_ms * factor, 1.0, "ms");
    }
}

/// The path, with which no visit is begun, and none is waited for.
fn without_waiting(path: &str) -> String {
    match path.split_once('?') {
        Some((route, query)) if route == "sizes" => format!("{route}?wait=0&{query}"),
        None => format!("{path}?wait=0"),
        _ => path.to_owned(),
    }
}
