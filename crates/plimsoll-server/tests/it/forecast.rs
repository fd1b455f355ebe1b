//! Forecasts over HTTP, of a history of real visits on made-up days.

use jiff::SignedDuration;
use serde_json::Value;
use throwaway_postgres::on_every_major;

use plimsoll_server::capacity::{ConfiguredCapacity, Source};

use crate::service::{NOON, Service, at, watched};

on_every_major! {
    async fn each_level_is_forecast_against_what_is_free(server: &Server) {
        server.sql("postgres", "create database ahead").unwrap();
        server.sql("ahead", "
            create schema s;
            create table s.t (id int);
            create table parts (id int) partition by range (id);
            create table parts_1 partition of parts for values from (0) to (1000000);
            create table still as select 1 as one").unwrap();
        let mut settings = watched("main", &server.url("ahead"));
        let gigabyte = 1_u64 << 30;
        settings.capacity = vec![ConfiguredCapacity { place: None, on: None, file_system: None, sources: vec![Source::Bytes(gigabyte)] }];
        let service = Service::of(vec![settings]).await;
        let early = service.json("/api/storage/forecast").await;
        assert_eq!(early["insufficient_data"]["samples"], 0, "{early}");
        assert_eq!((&early["full_on"], &early["level_bytes"]), (&Value::Null, &Value::Null));
        for day in 0..12 {
            service.clock.set(at(NOON) + SignedDuration::from_hours(24 * day));
            server.sql("ahead", "
                insert into s.t select generate_series(1, 20000);
                insert into parts select generate_series(1, 3000)").unwrap();
            assert_eq!(service.post("/api/storage/samples").await.status, 201);
        }
        service.settled().await;

        let database = service.json("/api/storage/forecast?horizons=1,10").await;
        assert_eq!(database["of"], "database");
        assert_eq!(database["forecast"].as_array().unwrap().len(), 2);
        assert_eq!(database["widened"], true, "eleven days are little");
        let slope = database["slope_bytes_per_day"].as_f64().unwrap();
        assert!((500_000.0..2_000_000.0).contains(&slope), "{database}");
        let room = &database["capacity"];
        assert_eq!((&room["source"], &room["capacity_bytes"]), (&"config".into(), &gigabyte.into()));
        let used = room["used_bytes"].as_u64().unwrap();
        assert!(used >= database["level_bytes"].as_u64().unwrap(), "{room}");
        assert_eq!(room["available_bytes"], gigabyte - used);
        assert_eq!(database["limits"][0]["bytes"], room["limit_bytes"]);
        assert_eq!(database["unknown"], Value::Null);
        assert!(database["backtest"].is_array(), "{database}");

        let of = async |query: &str| service.json(&format!("/api/storage/forecast?{query}")).await;
        let (table, schema) = (of("table=s.t").await, of("schema=s").await);
        assert_eq!(table["forecast"], schema["forecast"], "the schema has nothing else");
        assert_eq!((&table["of"], &schema["of"]), (&"table".into(), &"schema".into()));
        let set = of("table=parts").await;
        assert_eq!(set["of"], "set");
        assert!(set["slope_bytes_per_day"].as_i64() > Some(10_000), "{set}");
        let instance = of("scope=instance").await;
        assert_eq!((&instance["of"], &instance["database"]), (&"instance".into(), &Value::Null));
        assert_eq!(instance["forecast"], of("scope=database").await["forecast"], "one database is watched");
        let tablespace = of("tablespace=pg_default").await;
        assert_eq!(tablespace["tablespace"], "pg_default");
        let difference = tablespace["slope_bytes_per_day"].as_f64().unwrap() - slope;
        assert!(difference.abs() < 0.2 * slope, "{tablespace}");
        let still = of("table=still&capacity=1000000").await;
        let level = still["level_bytes"].as_u64().unwrap();
        assert_eq!(still["forecast"][2]["hi95"], level, "what never moved stays");
        assert_eq!(still["full_on"]["low"], Value::Null);
        assert_eq!(still["limits"][0]["bytes"], 1_000_000);

        let wrong = async |query: &str| service.get(&format!("/api/storage/forecast?{query}")).await;
        wrong("table=nope").await.problem(404, "unknown_table");
        wrong("schema=nope").await.problem(404, "unknown_schema");
        wrong("tablespace=nope").await.problem(404, "unknown_tablespace");
        wrong("table=s.t&schema=s").await.problem(400, "invalid_parameter");
        wrong("horizons=0").await.problem(400, "invalid_parameter");
        wrong("capacity=-1").await.problem(400, "invalid_parameter");
        wrong("scope=planet").await.problem(400, "invalid_parameter");

        // a rewrite is no growth: it is named, and leaves the trend
        server.sql("ahead", "delete from s.t where id % 2 = 0").unwrap();
        server.sql("ahead", "vacuum full s.t").unwrap();
        service.clock.set(at(NOON) + SignedDuration::from_hours(24 * 12));
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        service.settled().await;
        let table = of("table=s.t").await;
        assert_eq!(table["not_growth"][0]["kind"], "rewrite", "{table}");
        assert!(table["slope_bytes_per_day"].as_i64() > Some(100_000), "{table}");
        let events = service.json("/api/storage/events?table=s.t").await;
        assert_eq!(events["events"][0]["kind"], "rewrite");
        assert!(events["events"][0]["delta_bytes"].as_i64() < Some(0), "{events}");
        assert_eq!(events["count"], events["events"].as_array().unwrap().len());
        service.get("/api/storage/events?table=nope").await.problem(404, "unknown_table");
    }
}
