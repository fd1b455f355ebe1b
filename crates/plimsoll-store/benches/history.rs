//! What a history costs and how fast it answers: 10,000 tables, 90 daily samples, 5 % of the tables
//! changing a day, on both stores; and appending to 100,000 tables. Next to it, in the same SQLite,
//! one row for each relation and sample.
//!
//! `cargo bench -p plimsoll-store --bench history` prints a line for each bar, and fails where one
//! is missed.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and fails by panicking"
)]

mod generator;
mod measure;

use std::process::ExitCode;
use std::time::Instant;

use generator::{Random, database, grow};
use jiff::{SignedDuration, Timestamp};
use measure::{Clock, at_least, bar, bar_of, megabytes, verdict};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{DatabaseKey, DifferenceQuery, SeriesQuery, Store, TableName, open};

const DAYS: i64 = 90;

#[tokio::main]
async fn main() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let sqlite = open(&format!("sqlite:{}", path.display())).unwrap();
    println!("-- SQLite, 10,000 tables, {DAYS} daily samples, 5 % changing a day");
    let snapshots = history(&*sqlite).await;
    drop(sqlite);
    let size = std::fs::metadata(&path).unwrap().len();
    bar("file", megabytes(size), "MB", 8.0);
    let naive = one_row_for_each(folder.path(), &snapshots);
    println!(
        "one row for each relation and sample: {:.1} MB",
        megabytes(naive)
    );
    at_least(
        "how many times larger",
        megabytes(naive) / megabytes(size),
        20.0,
    );
    let sqlite = open(&format!("sqlite:{}", path.display())).unwrap();
    questions(&*sqlite, 1.0).await;
    drop(sqlite);

    println!("-- SQLite, 100,000 tables, 1 % changing");
    let store = open(&format!(
        "sqlite:{}",
        folder.path().join("large.db").display()
    ))
    .unwrap();
    append_large(&*store).await;

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
    println!(
        "-- PostgreSQL {}, 10,000 tables, {DAYS} daily samples, 5 % changing a day",
        server.major()
    );
    let postgres = open(&server.url("history")).unwrap();
    history(&*postgres).await;
    println!(
        "size: {:.1} MB",
        megabytes(postgres.size_bytes().await.unwrap())
    );
    server.sql("history", "analyze").unwrap();
    questions(&*postgres, 10.0).await;
    println!(
        "-- PostgreSQL {}, 100,000 tables, 1 % changing",
        server.major()
    );
    server.sql("postgres", "create database large").unwrap();
    let postgres = open(&server.url("large")).unwrap();
    append_large(&*postgres).await;
    verdict()
}

fn first_day() -> Timestamp {
    "2026-01-01T03:00:00Z".parse().unwrap()
}

fn day(n: i64) -> Timestamp {
    first_day() + SignedDuration::from_hours(24 * n)
}

async fn history(store: &dyn Store) -> Vec<Snapshot> {
    store.migrate().await.unwrap();
    let mut random = Random(42);
    let mut snapshot = database("main", 10_000, day(0), &mut random);
    let mut snapshots = Vec::new();
    let began = Instant::now();
    for n in 0..DAYS {
        if n > 0 {
            grow(&mut snapshot, day(n), 50, &mut random);
        }
        store
            .record_sample(&snapshot, SampleKind::Daily, Some(day(n)))
            .await
            .unwrap();
        snapshots.push(snapshot.clone());
    }
    println!("written in {:.1} s", began.elapsed().as_secs_f64());
    snapshots
}

async fn append_large(store: &dyn Store) {
    store.migrate().await.unwrap();
    let mut random = Random(43);
    let mut snapshot = database("main", 100_000, day(0), &mut random);
    let began = Instant::now();
    store
        .record_sample(&snapshot, SampleKind::Daily, None)
        .await
        .unwrap();
    println!("the first sample: {:.2} s", began.elapsed().as_secs_f64());
    let mut took = Vec::new();
    for n in 1..8 {
        grow(&mut snapshot, day(n), 10, &mut random);
        let began = Clock::now();
        store
            .record_sample(&snapshot, SampleKind::Daily, None)
            .await
            .unwrap();
        took.push(began.elapsed());
    }
    bar_of("append a sample", &mut took, 0.5, 1000.0, "s");
}

async fn questions(store: &dyn Store, factor: f64) {
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: "app".to_owned(),
    };
    let mut random = Random(44);
    let mut series = Vec::new();
    let mut growers = Vec::new();
    let mut states = Vec::new();
    for round in 0..41 {
        let n = random.below(10_000);
        let schema = if n.is_multiple_of(10) {
            "public".to_owned()
        } else {
            format!("tenant_{}", n % 10)
        };
        let table = TableName::new(schema, format!("orders_{n:06}"));
        let began = Clock::now();
        let found = store
            .table_series(&of, &table, &SeriesQuery::default())
            .await
            .unwrap()
            .unwrap();
        series.push(began.elapsed());
        assert_eq!(found.points.len(), usize::try_from(DAYS).unwrap());
        if round % 2 == 1 {
            continue;
        }
        let to = day(DAYS - 1 - i64::try_from(random.below(40)).unwrap());
        let query = DifferenceQuery {
            from: to - SignedDuration::from_hours(30 * 24),
            to,
            kinds: Vec::new(),
            indexes: false,
            limit: Some(50),
        };
        let began = Clock::now();
        let found = store.difference(&of, &query).await.unwrap().unwrap();
        growers.push(began.elapsed());
        assert_eq!(found.growth.len(), 50);
        let began = Clock::now();
        let found = store
            .state(&of, to - SignedDuration::from_hours(7))
            .await
            .unwrap()
            .unwrap();
        states.push(began.elapsed());
        assert_eq!(found.tables.len(), 10_000);
    }
    for (what, took, limit) in [
        ("one table's series", &mut series, 5.0),
        ("top 50 growers over 30 days", &mut growers, 50.0),
        ("the state at a past time", &mut states, 100.0),
    ] {
        bar_of(what, took, limit * factor, 1.0, "ms");
    }
    let began = Clock::now();
    let found = store
        .database_series(&of, &SeriesQuery::default())
        .await
        .unwrap();
    println!(
        "the whole database's series, {} points: {:.1} ms",
        found.len(),
        began.elapsed().0
    );
}

/// What a table of one row for each relation and sample takes, as PgHero keeps it: its columns and its
/// index.
fn one_row_for_each(folder: &std::path::Path, snapshots: &[Snapshot]) -> u64 {
    let path = folder.join("naive.db");
    let mut connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "create table pghero_space_stats (id integer primary key, database text, schema text,
                 relation text, size integer, captured_at text);
             create index pghero_space_stats_index on pghero_space_stats (database, captured_at);",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare(
                "insert into pghero_space_stats (database, schema, relation, size, captured_at)
                 values ('primary', ?1, ?2, ?3, ?4)",
            )
            .unwrap();
        for snapshot in snapshots {
            let at = snapshot
                .measured_at
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string();
            for table in &snapshot.tables {
                let bytes =
                    |size: &plimsoll_core::size::Size| i64::try_from(size.bytes.unwrap()).unwrap();
                let whole = bytes(&table.heap.size) + bytes(&table.toast_size());
                insert
                    .execute((&*table.schema_name, &*table.table_name, whole, &at))
                    .unwrap();
                for index in &table.indexes {
                    insert
                        .execute((
                            &*table.schema_name,
                            &*index.index_name,
                            bytes(&index.storage.size),
                            &at,
                        ))
                        .unwrap();
                }
            }
        }
    }
    transaction.commit().unwrap();
    drop(connection);
    std::fs::metadata(path).unwrap().len()
}
