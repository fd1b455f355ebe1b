//! What happens to a whole database between two visits: restored, failed over, statistics reset.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_server::settings::Settings;
use serde_json::{Value, json};
use throwaway_postgres::{Server, on_every_major};

use crate::service::{NOON, Service, at, watched};

const TABLES: &str = "
    create table a (id int primary key, body text);
    create table b (id int primary key, body text);
    insert into a select n, repeat('x', 100) from generate_series(1, 3000) n;
    insert into b select n, repeat('x', 100) from generate_series(1, 5000) n;
    create table parts (id int) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (1000);
    insert into parts select generate_series(0, 999)";

/// The time of sample number `n`, one a day.
fn day(n: i64) -> jiff::Timestamp {
    at(NOON) + jiff::SignedDuration::from_hours(24 * n)
}

/// A service for each kind of store; those of one `name` share theirs.
async fn on_both_stores(server: &Server, name: &str, url: &str) -> [Service; 2] {
    let store = format!("store_{name}");
    let exists = format!("select 1 from pg_database where datname = '{store}'");
    if server.sql("postgres", &exists).unwrap().is_empty() {
        server
            .sql("postgres", &format!("create database {store}"))
            .unwrap();
    }
    let settings = || {
        Settings::new(
            "127.0.0.1:8000".parse().unwrap(),
            vec![watched("main", url)],
        )
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    [
        Service::sharing(settings(), Arc::clone(&folder)).await,
        Service::on_store(settings(), &server.url(&store), folder).await,
    ]
}

/// That time as answers write it.
fn said(n: i64) -> Value {
    json!(format!("{:.3}", day(n)))
}

async fn sample(service: &Service, n: i64) -> Value {
    service.clock.set(day(n));
    let sample = service.post("/api/storage/samples").await;
    assert_eq!(sample.status, 201, "{}", sample.text());
    sample.json()
}

/// Every event, oldest first, without those that `but` names.
async fn events(service: &Service, but: &[&str]) -> Vec<Value> {
    let mut events = service.json("/api/storage/events?limit=1000").await["events"].take();
    let events = events.as_array_mut().unwrap();
    events.retain(|event| !but.iter().any(|kind| event["kind"] == *kind));
    events.reverse();
    std::mem::take(events)
}

/// The bytes of a table's series, oldest first.
async fn series(service: &Service, table: &str) -> Vec<Option<u64>> {
    let series = service
        .json(&format!("/api/storage/series?table={table}"))
        .await;
    assert_eq!(series["is_gone"], false, "{series:#}");
    let points = series["points"].as_array().unwrap();
    points
        .iter()
        .map(|point| point["size_bytes"].as_u64())
        .collect()
}

on_every_major! {
    async fn a_restored_database_goes_on_by_its_names(server: &Server) {
        server.sql("postgres", "create database restored").unwrap();
        server.sql("restored", TABLES).unwrap();
        for service in on_both_stores(server, "restored", &server.url("restored")).await {
            let first = sample(&service, 0).await;
            let oid = |of: &str| {
                let sql = format!("select '{of}'::regclass::oid::text");
                server.sql("restored", &sql).unwrap()[0][0].clone().unwrap()
            };
            let was = ["a", "b", "parts", "parts_1"].map(oid);
            // what `pg_dump` and `pg_restore` into a new database do, in another order: a's old OID
            // may now be another table's, and it does not matter
            server.sql("postgres", "create database in_the_making").unwrap();
            server.sql("in_the_making", &format!("create table aside (id int); drop table aside; {TABLES}")).unwrap();
            server.sql("in_the_making", "delete from b where id > 2000; create table c (id int)").unwrap();
            server.sql("in_the_making", "vacuum full b").unwrap();
            server.sql("postgres", "drop database restored").unwrap();
            server.sql("postgres", "alter database in_the_making rename to restored").unwrap();
            let is = ["a", "b", "parts", "parts_1"].map(oid);
            let second = sample(&service, 1).await;

            let told = events(&service, &[]).await;
            assert_eq!(told.len(), 6, "{told:#?}");
            let database = told.iter().find(|event| event["table_name"].is_null()).unwrap();
            assert_eq!(database["kind"], "restore");
            assert_eq!(database["bytes_before"], first["total_bytes"]);
            assert_eq!(database["bytes_after"], second["total_bytes"]);
            assert_eq!((&database["from"], &database["to"]), (&said(0), &said(1)));
            for (at, table) in ["a", "b", "parts", "parts_1"].into_iter().enumerate() {
                let event = told.iter().find(|event| event["table_name"] == table).unwrap();
                assert_eq!(event["kind"], "restore", "{event}");
                if was[at] != is[at] {
                    assert_eq!(event["detail"], format!("OID {} became {}", was[at], is[at]));
                }
                if table != "parts" {
                    assert_eq!(event["bytes_before"], first["table_sizes"][table], "{event}");
                    assert_eq!(event["bytes_after"], second["table_sizes"][table], "{event}");
                    let both = [&first, &second].map(|sample| sample["table_sizes"][table].as_u64());
                    assert_eq!(series(&service, table).await, both);
                }
            }
            assert!(told.iter().any(|event| event["kind"] == "create" && event["table_name"] == "c"));
            assert!(second["table_sizes"]["b"].as_u64() < first["table_sizes"]["b"].as_u64());
            let indexes = service.json("/api/storage/series?table=a").await["indexes"].take();
            assert_eq!(indexes.as_array().unwrap().len(), 1);
            assert_eq!(indexes[0]["points"].as_array().unwrap().len(), 2);
            sample(&service, 2).await;
            assert_eq!(events(&service, &[]).await.len(), 6, "it is told once");
            server.sql("restored", "drop table c; insert into b select n, 'x' from generate_series(10000, 30000) n").unwrap();
        }
    }

    async fn a_failover_is_told_once_and_breaks_no_series(server: &Server) {
        server.sql("postgres", "create database failed_over").unwrap();
        server.sql("failed_over", TABLES).unwrap();
        let standby = server.standby(&[]).unwrap();
        standby.wait_for(server).unwrap();
        // counters are each server's own
        let but = ["statistics_reset"];
        let of_primary = on_both_stores(server, "failover", &server.url("failed_over")).await;
        let of_standby = on_both_stores(server, "of_standby", &standby.url("failed_over")).await;
        let mut first = Vec::new();
        for service in of_primary.iter().chain(&of_standby) {
            first.push(sample(service, 0).await);
        }
        standby.sql("postgres", "select pg_promote()").unwrap();
        standby.sql("failed_over", "drop table b").unwrap();
        // the same instance in the configuration, at the address of its new primary
        let settings = || Settings::new(
            "127.0.0.1:8000".parse().unwrap(),
            vec![watched("main", &standby.url("failed_over"))],
        );
        let moved = [
            Service::sharing(settings(), Arc::clone(&of_primary[0].folder)).await,
            Service::on_store(settings(), &server.url("store_failover"), Arc::clone(&of_primary[0].folder)).await,
        ];
        // whether a visit comes before the checkpoint that writes the timeline down, or after
        for service in moved.iter().chain(&of_standby) {
            sample(service, 1).await;
        }
        standby.sql("postgres", "checkpoint").unwrap();
        for (service, first) in moved.iter().chain(&of_standby).zip(first) {
            sample(service, 2).await;
            let fourth = sample(service, 3).await;
            let told = events(service, &but).await;
            let kinds: Vec<_> = told.iter().map(|event| (event["kind"].as_str().unwrap(), event["table_name"].as_str())).collect();
            let mut sorted = kinds.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [("drop", Some("b")), ("failover", None)], "{told:#?}");
            let failover = told.iter().find(|event| event["kind"] == "failover").unwrap();
            assert_eq!(failover["detail"], "timeline 1 became 2");
            assert!(failover["bytes_before"].as_u64() > Some(0) && failover["bytes_after"].as_u64() > Some(0));
            assert!(failover["from"].as_str().unwrap() < failover["to"].as_str().unwrap());
            let sizes = series(service, "a").await;
            assert_eq!(sizes.len(), 4);
            assert_eq!((sizes[0], sizes[3]), (first["table_sizes"]["a"].as_u64(), fourth["table_sizes"]["a"].as_u64()));
        }
    }

    async fn a_reset_of_the_statistics_is_told_once(server: &Server) {
        server.sql("postgres", "create database reset_statistics").unwrap();
        server.sql("reset_statistics", TABLES).unwrap();
        let services = on_both_stores(server, "reset", &server.url("reset_statistics")).await;
        let date = || {
            let sql = "select stats_reset::text from pg_stat_database where datname = 'reset_statistics'";
            server.sql("postgres", sql).unwrap()[0][0].clone()
        };
        let mut last = Vec::new();
        for service in &services {
            last.push(sample(service, 0).await);
        }
        let mut expect = 0;
        for reset in 0..2 {
            let before = date();
            server.sql("reset_statistics", "select pg_stat_reset()").unwrap();
            // PostgreSQL 13 and 14 reset when their collector comes to it
            while date() == before || date().is_none() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            expect += 1;
            for (service, last) in services.iter().zip(&mut last) {
                let n = 1 + 2 * reset;
                let is = sample(service, n).await;
                let was = std::mem::replace(last, sample(service, n + 1).await);
                let told = events(service, &[]).await;
                assert_eq!(told.len(), expect, "{told:#?}");
                let event = told.last().unwrap();
                assert_eq!((&event["kind"], &event["table_name"]), (&json!("statistics_reset"), &Value::Null));
                assert_eq!((&event["from"], &event["to"]), (&said(n - 1), &said(n)));
                assert_eq!(event["bytes_after"], is["total_bytes"]);
                assert_eq!(event["bytes_before"], was["total_bytes"]);
                assert_eq!(series(service, "a").await.len(), usize::try_from(n).unwrap() + 2);
            }
        }
    }
}
