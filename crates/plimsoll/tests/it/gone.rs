//! What was dropped is told as dropped: when it was last seen, and how large it was then.

use throwaway_postgres::test;

use crate::days_ago::date_back;
use crate::support::{Home, new_database, number};

#[test]
fn what_was_dropped_is_told_with_its_last_size_whoever_asks() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "gone");
    server
        .sql(
            &database,
            "create table stays as select generate_series(1, 1000) n;
             create table orders as select generate_series(1, 20000) n;
             create schema shut;
             create table shut.door as select generate_series(1, 5000) n;
             create table parts (day int) partition by range (day);
             create table parts_1 partition of parts for values from (0) to (10000);
             insert into parts select n from generate_series(0, 9999) n",
        )
        .unwrap();
    let (home, url) = (Home::new(), server.url(&database));
    let json = |args: &[&str]| {
        home.run(&url, &[&["--output", "json"], args].concat())
            .json()
    };
    // as many samples as a forecast needs
    for _ in 0..6 {
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
    }
    let bytes = |table: &str| {
        let sql = format!("select pg_total_relation_size('{table}')");
        number(server, &database, &sql)
    };
    let last = [
        ("orders", bytes("orders")),
        ("parts", bytes("parts_1")),
        ("shut.door", bytes("shut.door")),
    ];
    server
        .sql(
            &database,
            "drop table orders, parts; drop schema shut cascade",
        )
        .unwrap();
    for _ in 0..2 {
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
    }
    // within an hour, and days apart
    for is_dated_back in [false, true] {
        if is_dated_back {
            date_back(&home, &url);
        }
        let samples = json(&["history"]);
        let taken = |place: usize| samples["samples"][place]["sampled_at"].clone();
        let since_then = taken(0).as_str().unwrap().to_owned();
        for (table, bytes) in last {
            let told = |gone: &serde_json::Value, what: &str| {
                assert_eq!(gone["last_bytes"], bytes, "{what} {table}: {gone}");
                assert_eq!(gone["last_seen_at"], taken(2), "{what} {table}: {gone}");
                assert_eq!(gone["gone_at"], taken(1), "{what} {table}: {gone}");
            };
            let forecast = json(&["forecast", "--table", table, "--capacity", "500GB"]);
            told(&forecast["gone"], "forecast");
            let reason = forecast["insufficient_data"]["reason"].as_str().unwrap();
            assert!(
                reason.contains("was dropped") && forecast["forecast"] == serde_json::json!([]),
                "{forecast}"
            );
            assert_eq!(
                (&forecast["level_bytes"], &forecast["full_on"]),
                (&bytes.into(), &serde_json::Value::Null)
            );
            let shown = home.run(&url, &["forecast", "--table", table]);
            assert!(
                shown.out.contains("was dropped: last seen on")
                    && !shown.out.contains("takes a sample a day"),
                "{shown:?}"
            );
            let history = json(&["history", "--table", table, "--limit", "1"]);
            told(&history["table"]["gone"], "history");
            let shown = home.run(&url, &["history", "--table", table, "--limit", "1"]);
            assert!(
                shown.out.contains("was dropped") && !shown.out.contains("No samples"),
                "{shown:?}"
            );
            let shown = home.run(&url, &["history", "--table", table]);
            assert!(
                shown.out.contains("(6 samples)") && shown.out.contains("These are its last sizes"),
                "{shown:?}"
            );
            let growth = json(&[
                "growth",
                "--table",
                table,
                "--since",
                &since_then,
                "--until",
                "2999-01-01",
            ]);
            assert!(growth["insufficient_data"].is_string(), "{growth}");
            let since = taken(1);
            let growth = json(&[
                "growth",
                "--table",
                table,
                "--since",
                since.as_str().unwrap(),
            ]);
            assert!(
                growth["note"]
                    .as_str()
                    .is_some_and(|note| note.contains("was dropped")),
                "{growth}"
            );
            let events = json(&["events", "--table", table, "--since", &since_then]);
            told(&events["gone"], "events");
            let shown = home.run(&url, &["events", "--table", table, "--since", &since_then]);
            assert!(shown.out.contains("was dropped"), "{shown:?}");
        }
        let schema = json(&["forecast", "--schema", "shut", "--capacity", "500GB"]);
        assert_eq!(schema["gone"]["last_bytes"], last[2].1, "{schema}");
        // what is there is there
        let stays = json(&["forecast", "--table", "stays", "--capacity", "500GB"]);
        assert!(stays["gone"].is_null(), "{stays}");
        assert_eq!(
            json(&["history", "--table", "stays"])["table"]["gone"],
            serde_json::Value::Null
        );
    }
    home.run(&url, &["forecast", "--table", "never", "--capacity", "1GB"])
        .failed_saying(&["no table is known as never"]);
}
