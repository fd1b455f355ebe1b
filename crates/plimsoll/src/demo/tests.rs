//! The demo's schema, data and live load on each major.

use std::time::Duration;

use throwaway_postgres::{Server, on_every_major};
use tokio_util::sync::CancellationToken;

use super::*;

fn number(server: &Server, sql: &str) -> u64 {
    let rows = server.sql(DATABASE, sql).unwrap();
    rows.into_iter()
        .flatten()
        .flatten()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

const TABLES: [&str; 13] = [
    "countries",
    "currencies",
    "customers",
    "products",
    "orders",
    "order_items",
    "events",
    "sessions",
    "documents",
    "job_queue",
    "notifications",
    "audit.log",
    "metrics.measurements",
];

on_every_major! {
    async fn it_fills_and_lives(server: &Server) {
        fill(server).unwrap();
        for table in TABLES {
            assert!(number(server, &format!("select count(*) from {table}")) > 100, "{table}");
        }
        assert_eq!(number(server, "select count(*) from metrics.measurements_default"), 0);

        // Ten days within moments, as fast as the days before them.
        let sizes = || {
            GROWING.map(|table| number(server, &format!("select pg_total_relation_size('{table}')")) as f64)
        };
        let before = sizes();
        let cancel = CancellationToken::new();
        let url = server.url(DATABASE);
        let rows = number(server, "select count(*) from events");
        let beat = Duration::from_millis(1);
        let (load, ()) = tokio::join!(inserts::keep_inserting(&url, beat, 0.25, &cancel), async {
            while number(server, "select count(*) from events") < rows + 9000 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            cancel.cancel();
        });
        load.unwrap();
        let grown: f64 = sizes().iter().zip(before).map(|(now, then)| now - then).sum();
        let expected: f64 = GROWING.iter().zip(before).map(|(table, size)| size * grown_in_ten_days(table)).sum();
        let speed = grown / expected;
        assert!((0.5..2.0).contains(&speed), "{speed} times as fast as its past: {grown} and {expected} bytes");
    }
}

/// Those whose growth is not hidden by space that was free at first.
const GROWING: [&str; 5] = [
    "events",
    "documents",
    "notifications",
    "job_queue",
    "audit.log",
];

/// By which share of its size a table grew in the last ten days of the made-up history.
fn grown_in_ten_days(table: &str) -> f64 {
    let (schema, name) = table.split_once('.').unwrap_or(("public", table));
    let past = past::past_of(schema, name);
    let part = if name == "documents" {
        past.toast
    } else {
        past.table
    };
    // on average over what chance makes of it
    let shares: f64 = (0..20)
        .map(|seed| part.share(10, 20_780, seed).unwrap())
        .sum();
    1.0 - shares / 20.0
}

#[test]
fn its_own_server_is_small_enough_for_a_laptop() {
    let began = std::time::Instant::now();
    let server = start_server().unwrap();
    // Told, not judged: it depends on what else the machine does.
    eprintln!(
        "PostgreSQL {} was ready after {:?}",
        server.major(),
        began.elapsed()
    );
    let megabytes = number(
        &server,
        "select pg_database_size(current_database()) / 1048576",
    );
    assert!((80..400).contains(&megabytes), "{megabytes} MB");
}
