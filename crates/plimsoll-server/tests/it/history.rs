//! What the history is asked: growth, series, past states, events.

use serde_json::Value;
use throwaway_postgres::{Server, on_every_major};

use crate::service::{Service, at, watched};

/// Two samples, three days apart; between them tables grow, appear, vanish and are rewritten.
async fn two_samples(server: &Server, database: &str) -> Service {
    server
        .sql("postgres", &format!("create database {database}"))
        .unwrap();
    server
        .sql(
            database,
            "create schema s;
             create table s.grows (id int primary key, body text);
             create table vanishes as select generate_series(1, 10000) as n;
             create table rewritten as select generate_series(1, 10000) as n;
             create table parts (id int) partition by range (id);
             create table parts_1 partition of parts for values from (0) to (10000);
             create table parts_2 partition of parts for values from (10000) to (20000);
             insert into parts select n from generate_series(0, 9999) n;
             delete from rewritten where n % 2 = 0",
        )
        .unwrap();
    let service = Service::of(vec![watched("main", &server.url(database))]).await;
    assert_eq!(service.post("/api/storage/samples").await.status, 201);
    server
        .sql(
            database,
            "insert into s.grows select n, repeat('x', 100) from generate_series(1, 20000) n;
             drop table vanishes;
             create table appears as select generate_series(1, 5000) as n;
             insert into parts select n from generate_series(10000, 19999) n",
        )
        .unwrap();
    server.sql(database, "vacuum full rewritten").unwrap();
    service.clock.set(at("2026-03-13T12:00:00Z"));
    assert_eq!(service.post("/api/storage/samples").await.status, 201);
    service
}

fn names<'a>(rows: &'a Value, field: &str) -> Vec<&'a str> {
    rows.as_array()
        .unwrap()
        .iter()
        .map(|row| row[field].as_str().unwrap())
        .collect()
}

on_every_major! {
    async fn trap_37_growth_adds_up_and_tells_new_from_grown(server: &Server) {
        let service = two_samples(server, "growth").await;
        let growth = service.json("/api/storage/growth").await;
        assert_eq!(growth["insufficient_data"], Value::Null);
        assert_eq!(growth["days"], 3.0);
        // a week was asked for
        assert_eq!(growth["asked_days"], 7.0);
        assert_eq!(growth["compares"], "shorter");
        assert!(growth["note"].as_str().unwrap().contains("3.0 days, not 7.0 days"));
        let number = |field: &str| growth[field].as_i64().unwrap();
        let moment = |field: &str| growth[field]["total_bytes"].as_i64().unwrap();
        assert_eq!(number("grown_bytes"), moment("to") - moment("from"));
        assert_eq!(number("grown_bytes"), number("relations_grown_bytes") + number("rest_grown_bytes"));
        assert_eq!(
            number("relations_grown_bytes"),
            number("heap_grown_bytes") + number("toast_grown_bytes") + number("index_grown_bytes")
        );
        assert_eq!(number("per_day_bytes"), number("grown_bytes") / 3);
        assert_eq!(names(&growth["tables"], "table_name"), ["grows", "parts_2", "rewritten"]);
        assert_eq!(names(&growth["new_tables"], "table_name"), ["appears"]);
        assert_eq!(names(&growth["vanished_tables"], "table_name"), ["vanishes"]);
        assert_eq!(growth["tables"][0]["per_day_bytes"], growth["tables"][0]["grown_bytes"].as_i64().unwrap() / 3);
        assert_eq!(names(&growth["sets"], "table_name"), ["parts"]);
        assert_eq!(growth["sets"][0]["grown_bytes"], growth["tables"][1]["grown_bytes"]);
        assert_eq!(growth["sets"][0]["tables"], 2);
        assert_eq!(names(&growth["indexes"], "index_name")[0], "grows_pkey");
        assert!(names(&growth["schemas"], "schema_name").contains(&"s"));
        let few = service.json("/api/storage/growth?limit=1").await;
        assert_eq!((names(&few["tables"], "table_name").len(), &few["tables_total"]), (1, &Value::from(3)));
        assert_eq!(few["relations_grown_bytes"], growth["relations_grown_bytes"]);
        let none = service.json("/api/storage/growth?until=2026-03-11").await;
        assert!(none["insufficient_data"].as_str().unwrap().contains("one sample"));
    }

    async fn series_states_and_events_are_read_back(server: &Server) {
        let service = two_samples(server, "series").await;
        let set = service.json("/api/storage/series?table=parts").await;
        let points = set["set_points"].as_array().unwrap();
        assert_eq!(points.len(), 2);
        assert!(points[1]["size_bytes"].as_u64() > points[0]["size_bytes"].as_u64());
        assert_eq!(set["members"].as_array().unwrap().len(), 2);
        let gone = service.json("/api/storage/series?table=vanishes").await;
        assert_eq!((&gone["is_gone"], gone["points"].as_array().unwrap().len()), (&Value::Bool(true), 1));
        assert_eq!(gone["gone"]["last_bytes"], gone["points"][0]["size_bytes"]);
        let detail = service.get("/api/storage/tables/public/vanishes").await.problem(404, "dropped_table");
        assert!(detail.contains("it was dropped: last seen on 2026-03-10 12:00 UTC, with "), "{detail}");
        let none = service.json("/api/storage/forecast?table=vanishes").await;
        assert_eq!(none["gone"], gone["gone"]);
        assert!(none["insufficient_data"]["reason"].as_str().unwrap().contains("was dropped"), "{none}");
        let one = service.json("/api/storage/series?table=s.grows&since=2026-03-12").await;
        assert_eq!(one["points"].as_array().unwrap().len(), 1);
        assert_eq!(one["indexes"][0]["index_name"], "grows_pkey");
        assert_eq!(service.json("/api/storage/series?schema=s").await["points"][1]["size_bytes"], one["points"][0]["size_bytes"]);
        assert_eq!(service.json("/api/storage/series").await["points"].as_array().unwrap().len(), 2);
        service.get("/api/storage/series?table=none").await.problem(404, "unknown_table");
        service.get("/api/storage/series?table=a&schema=b").await.problem(400, "invalid_parameter");

        let past = service.json("/api/storage/state?at=2026-03-11").await;
        assert!(names(&past["tables"], "table_name").contains(&"vanishes"));
        let now = service.json("/api/storage/state").await;
        assert!(!names(&now["tables"], "table_name").contains(&"vanishes"));
        let first = service.json("/api/storage/history").await["samples"][1]["table_sizes"]["vanishes"].clone();
        let was = past["tables"].as_array().unwrap().iter().find(|t| t["table_name"] == "vanishes").unwrap();
        assert_eq!(was["size_bytes"], first);

        let events = service.json("/api/storage/events?kind=rewrite,drop,create").await;
        let happened: Vec<_> = events["events"].as_array().unwrap().iter()
            .map(|e| (e["kind"].as_str().unwrap(), e["table_name"].as_str().unwrap())).collect();
        for expect in [("rewrite", "rewritten"), ("drop", "vanishes"), ("create", "appears")] {
            assert!(happened.contains(&expect), "{expect:?} is not among {happened:?}");
        }
        let one = service.json("/api/storage/tables/public/rewritten").await;
        assert_eq!(one["events"][0]["kind"], "rewrite");
        assert!(one["events"][0]["bytes_before"].as_u64() > one["events"][0]["bytes_after"].as_u64());
        service.get("/api/storage/events?kind=party").await.problem(400, "invalid_parameter");
    }
}
