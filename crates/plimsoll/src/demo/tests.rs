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

        let before = number(server, "select count(*) from events");
        let cancel = CancellationToken::new();
        let url = server.url(DATABASE);
        let (load, ()) = tokio::join!(inserts::keep_inserting(&url, &cancel), async {
            while number(server, "select count(*) from events") < before + 40 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            cancel.cancel();
        });
        load.unwrap();
    }
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
