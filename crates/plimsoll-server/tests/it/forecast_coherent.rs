//! Forecasts of everything in a database agree, are made once a sample, and are made when they are
//! missing.

use jiff::SignedDuration;
use plimsoll_core::sample::SampleKind;
use serde_json::Value;
use throwaway_postgres::on_every_major;

use crate::service::{NOON, Service, at, watched};

const SHOWN: [f64; 3] = [7.0, 30.0, 90.0];

fn number(of: &Value) -> i64 {
    of.as_i64()
        .unwrap_or_else(|| panic!("{of} is no whole number"))
}

/// Every column of a ranking adds up to its total.
fn assert_adds_up(ranking: &Value) {
    let rows = ranking["rows"].as_array().unwrap();
    let sums = ["others", "to_come", "rest"].map(|name| &ranking[name]);
    let parts: Vec<&Value> = rows.iter().chain(sums).collect();
    let total = &ranking["total"];
    let level: i64 = parts.iter().map(|row| number(&row["level_bytes"])).sum();
    assert_eq!(level, number(&total["level_bytes"]), "{ranking}");
    for place in 0..SHOWN.len() {
        for column in ["grown_bytes", "bytes"] {
            let of = |row: &Value| number(&row["forecast"][place][column]);
            let sum: i64 = parts.iter().map(|row| of(row)).sum();
            assert_eq!(
                sum,
                of(total),
                "{column} in {} days: {ranking}",
                SHOWN[place]
            );
        }
    }
}

/// A ranking's row says what its own forecast does.
fn assert_same(row: &Value, alone: &Value, as_of: &Value) {
    assert_eq!(&alone["reconciled"]["as_of"], as_of, "{alone}");
    assert_eq!(alone["not_reconciled"], Value::Null);
    assert_eq!(row["level_bytes"], alone["level_bytes"]);
    for (band, alone) in row["forecast"]
        .as_array()
        .unwrap()
        .iter()
        .zip(alone["forecast"].as_array().unwrap())
    {
        assert_eq!(band["h"], alone["h"]);
        let apart = number(&band["bytes"]) - number(&alone["point"]);
        assert!(apart.abs() <= 2, "{row} but {alone}");
    }
}

on_every_major! {
    async fn what_a_database_grows_by_is_what_its_parts_grow_by(server: &Server) {
        server.sql("postgres", "create database agree").unwrap();
        server.sql("agree", "
            create schema sales;
            create table sales.orders (id int, note text);
            create table logs (id int, line text);
            create table parts (id int) partition by range (id);
            create table parts_1 partition of parts for values from (0) to (5000);
            create table parts_2 partition of parts for values from (5000) to (1000000);
            create table still as select 1 as one").unwrap();
        let service = Service::of(vec![watched("main", &server.url("agree"))]).await;
        let of = async |query: &str| service.json(&format!("/api/storage/forecast?{query}")).await;
        let nothing = of("by=table").await;
        assert_eq!((&nothing["as_of"], &nothing["rows"]), (&Value::Null, &Value::Array(Vec::new())));
        assert_eq!(nothing["insufficient_data"], "there are no samples yet");
        let day = |day: i64| service.clock.set(at(NOON) + SignedDuration::from_hours(24 * day));
        for n in 0..15_i64 {
            day(n);
            // uneven, so that no two forecasts are equally sure
            let rows = [2000 + n * 7919 % 5 * 3000, 1000 + n * 104_729 % 7 * 4000, 1500 + n * 31 % 3 * 900];
            server.sql("agree", &format!("
                insert into sales.orders select generate_series(1, {}), repeat('x', 40);
                insert into logs select generate_series(1, {}), repeat('y', 90);
                insert into parts select 4000 + {n} * 2000 + generate_series(1, {})", rows[0], rows[1], rows[2])).unwrap();
            if n == 9 {
                server.sql("agree", "create table late as select generate_series(1, 60000) as id").unwrap();
            }
            assert_eq!(service.post("/api/storage/samples").await.status, 201);
        }
        service.settled().await;

        let tables = of("by=table&limit=50").await;
        let as_of = tables["as_of"].clone();
        assert_eq!(tables["insufficient_data"], Value::Null);
        let rankings = [of("by=schema").await, of("by=set").await, of("by=table&limit=1").await, tables.clone()];
        for ranking in &rankings {
            assert_eq!(ranking["as_of"], as_of);
            assert_eq!(ranking["total"], tables["total"]);
            assert_adds_up(ranking);
        }
        assert_eq!(rankings[2]["rows"].as_array().unwrap().len(), 1);
        assert_eq!(rankings[2]["rows"][0], tables["rows"][0], "what grows most comes first");
        let grown: Vec<i64> = tables["rows"].as_array().unwrap().iter()
            .map(|row| number(&row["forecast"][2]["grown_bytes"])).collect();
        assert!(grown.is_sorted_by(|a, b| a >= b) && grown[0] > 1_000_000, "{grown:?}");
        let row = |ranking: &Value, schema: &str, table: Option<&str>| -> Value {
            let rows = ranking["rows"].as_array().unwrap();
            rows.iter()
                .find(|row| row["schema_name"] == schema && row["table_name"].as_str() == table)
                .unwrap_or_else(|| panic!("no {schema} {table:?} in {ranking}"))
                .clone()
        };
        assert!(!tables["rows"].to_string().contains("\"still\""), "what does not move is in the others");

        assert_same(&tables["total"], &of("").await, &as_of);
        assert_same(&tables["total"], &of("scope=instance").await, &as_of);
        for schema in ["public", "sales"] {
            assert_same(&row(&rankings[0], schema, None), &of(&format!("schema={schema}")).await, &as_of);
        }
        for (name, schema, table) in [("sales.orders", "sales", "orders"), ("logs", "public", "logs"), ("parts_2", "public", "parts_2")] {
            assert_same(&row(&tables, schema, Some(table)), &of(&format!("table={name}")).await, &as_of);
        }
        let set = of("table=parts").await;
        assert_eq!(set["of"], "set");
        assert_same(&row(&rankings[1], "public", Some("parts")), &set, &as_of);
        let still = of("table=still").await;
        assert_eq!(still["forecast"][2]["hi95"], still["level_bytes"], "{still}");
        assert_eq!(still["reconciled"]["as_of"], as_of);

        // the date that the disk is full on is of the same forecast
        let database = of("").await;
        let point = number(&database["forecast"][1]["point"]);
        let limited = of(&format!("capacity={point}")).await;
        let days = limited["limits"][0]["point"].as_f64().unwrap();
        assert!(days <= 30.0, "{limited}");
        // the first day on which it, with a fifth of the 80 % width ahead for jerks, reaches the limit
        let bands = of(&format!("horizons={},{days}", days - 1.0)).await;
        let ahead = |band: &Value| {
            let [expected, upper] = ["point", "hi80"].map(|bound| number(&band[bound]));
            expected + (upper - expected) / 5
        };
        let [before, then] = [0, 1].map(|at| ahead(&bands["forecast"][at]));
        assert!(before < point && point <= then + 1, "{before} {then} {limited}");

        assert_same(&tables["total"], &of("tablespace=pg_default").await, &as_of);
        let alone = of("schema=pg_catalog").await;
        assert_eq!(alone["reconciled"], Value::Null);
        assert!(alone["not_reconciled"].as_str().unwrap().contains("on its own"), "{alone}");

        // asked again, nothing is computed again
        let computed_at = tables["computed_at"].clone();
        service.clock.set(at(NOON) + SignedDuration::from_hours(24 * 14 + 1));
        assert_eq!(of("by=table").await["computed_at"], computed_at);
        // a new sample is followed by forecasts
        day(15);
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        service.settled().await;
        let key = service.watch.databases()[0].key().clone();
        let kept = service.store.kept_forecast(&key, &plimsoll_store::PartQuery::default()).await.unwrap().unwrap();
        assert_eq!(kept.header.sampled_at, at(NOON) + SignedDuration::from_hours(24 * 15));
        // one whose process died before that has them when somebody asks; until then the last ones hold
        day(16);
        let watched = service.watch.databases().remove(0);
        let snapshot = service.watch.visit(&watched).await.unwrap();
        service.store.record_sample(&snapshot, SampleKind::Manual, None).await.unwrap();
        let alone = of("").await;
        assert_eq!(at(alone["reconciled"]["as_of"].as_str().unwrap()), kept.header.sampled_at);
        let after = of("by=schema").await;
        assert_eq!(at(after["as_of"].as_str().unwrap()), at(NOON) + SignedDuration::from_hours(24 * 16));
        assert_adds_up(&after);
        // what is too old is not used
        service.store.record_sample(&{
            let mut later = (*snapshot).clone();
            later.measured_at += SignedDuration::from_hours(25);
            later
        }, SampleKind::Manual, None).await.unwrap();
        // what another process wrote is seen a second later
        service.clock.set(at(NOON) + SignedDuration::from_hours(24 * 16) + SignedDuration::from_secs(2));
        let alone = of("").await;
        assert!(alone["not_reconciled"].as_str().unwrap().contains("as of 2026-03-26T12:00:00Z"), "{alone}");

        let wrong = async |query: &str| service.get(&format!("/api/storage/forecast?{query}")).await;
        wrong("by=planet").await.problem(400, "invalid_parameter");
        wrong("by=table&table=logs").await.problem(400, "invalid_parameter");
        wrong("by=table&limit=0").await.problem(400, "invalid_parameter");
        wrong("limit=5").await.problem(400, "invalid_parameter");
    }
}
