//! Trap 58 through the routes: what another tool measured is never growth of what Plimsoll measures.

use std::io::Cursor;

use jiff::{SignedDuration, Timestamp};
use plimsoll_store::DatabaseKey;
use plimsoll_store::transfer::csv::{Options, import};
use serde_json::Value;
use throwaway_postgres::{Server, test};

use crate::service::{NOON, Service, at, watched};

const GIGABYTE: i64 = 1_000_000_000;

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

async fn on_a_new_database(server: &Server, name: &str) -> (Service, DatabaseKey) {
    let sql = format!("create database {name}");
    server.sql("postgres", &sql).unwrap();
    server
        .sql(
            name,
            "create table orders as select generate_series(1, 30000) n",
        )
        .unwrap();
    let service = Service::of(vec![watched("main", &server.url(name))]).await;
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: name.to_owned(),
    };
    (service, of)
}

async fn take(service: &Service, of: &DatabaseKey, text: String) {
    let imported = import(&*service.store, of, Cursor::new(text), &Options::default()).await;
    assert!(imported.unwrap().history.samples > 0);
}

/// So many own samples, a day apart; the table grows by some pages between them.
async fn measure(service: &Service, server: &Server, of: &DatabaseKey, samples: i64) {
    let noon: Timestamp = at(NOON);
    for day in 0..samples {
        service.clock.set(noon + days(day));
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        server
            .sql(
                &of.database,
                "insert into orders select generate_series(1, 3000)",
            )
            .unwrap();
    }
    service.settled().await;
}

fn seams(answer: &Value) -> usize {
    let events = answer["events"].as_array().unwrap();
    let is_seam = |event: &&Value| event["kind"] == "coverage" && event["table_name"].is_null();
    events.iter().filter(is_seam).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_58_an_import_of_totals_is_growth_of_nothing() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    // what the volume has, say: a gigabyte a day more; and what meets the database's own size
    for (name, first, a_day) in [
        ("totals_of_a_volume", 90 * GIGABYTE, GIGABYTE),
        ("totals_that_meet", 9_300_000, 0),
    ] {
        let (service, of) = on_a_new_database(server, name).await;
        let mut text = "date,bytes\n".to_owned();
        for day in 0..40 {
            let date = (at(NOON) - days(41 - day)).strftime("%Y-%m-%d").to_string();
            text.push_str(&format!("{date},{}\n", first + a_day * day));
        }
        take(&service, &of, text).await;
        measure(&service, server, &of, 8).await;

        let ranked = service.json("/api/storage/forecast?by=table").await;
        let grown = |row: &Value| row["forecast"][1]["grown_bytes"].as_i64().unwrap();
        for part in ["total", "rest", "to_come", "others"] {
            assert!(
                grown(&ranked[part]).abs() < 20_000_000,
                "{name} {part}: {ranked}"
            );
        }
        let rest = ranked["rest"]["level_bytes"].as_i64().unwrap();
        assert!(rest < 20_000_000, "{ranked}");
        let forecast = service.json("/api/storage/forecast?capacity=500GB").await;
        assert!(
            forecast["slope_bytes_per_day"].as_i64().unwrap().abs() < 1_000_000,
            "{name}: {forecast}"
        );
        let is_cut = first > GIGABYTE;
        assert_eq!(
            forecast["coverage_changed_at"].is_string(),
            is_cut,
            "{name}: {forecast}"
        );
        assert_eq!(forecast["samples"], if is_cut { 8 } else { 48 }, "{name}");
        let events = service.json("/api/storage/events").await;
        assert!(
            events["events"]
                .as_array()
                .unwrap()
                .iter()
                .all(|event| event["alert"] == false),
            "{events}"
        );
        assert_eq!(seams(&events), 1, "{events}");
        let growth = service.json("/api/storage/growth?since=60d").await;
        assert!(
            growth["grown_bytes"].as_i64().unwrap() < 20_000_000,
            "{growth}"
        );
        assert!(
            growth["note"].as_str().unwrap().contains("from there on"),
            "{growth}"
        );
        let history = service.json("/api/storage/history?limit=1000").await;
        assert_eq!(
            history["coverage_changed_at"].as_array().unwrap().len(),
            1,
            "{history}"
        );
        assert_eq!(history["samples"][7]["is_imported"], false);
        assert_eq!(history["samples"][8]["is_imported"], true);
        // no line is drawn from one to the other
        let page = service.get("/").await.text();
        assert!(page.contains("Older samples are not drawn"), "{page}");
        // and a week ago is not what another tool measured
        let sizes = service.json("/api/storage/sizes?sort=growth").await;
        assert!(
            sizes["tables"][0]["growth_bytes"]
                .as_i64()
                .is_none_or(|bytes| bytes < GIGABYTE),
            "{sizes}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_58_too_few_own_samples_say_what_was_left_out() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (service, of) = on_a_new_database(server, "too_few").await;
    let text = (0..40).fold("date,bytes\n".to_owned(), |text, day| {
        let date = (at(NOON) - days(41 - day)).strftime("%Y-%m-%d").to_string();
        text + &format!("{date},{}\n", 90 * GIGABYTE + GIGABYTE * day)
    });
    take(&service, &of, text).await;
    // alone it is forecast
    let alone = service.json("/api/storage/forecast?capacity=500GB").await;
    assert!(alone["insufficient_data"].is_null(), "{alone}");
    measure(&service, server, &of, 2).await;
    for route in ["forecast?capacity=500GB", "forecast?by=table"] {
        let answer = service.json(&format!("/api/storage/{route}")).await;
        let reason = &answer["insufficient_data"];
        let reason = reason["reason"].as_str().or(reason.as_str());
        let reason = reason.unwrap_or_else(|| panic!("{route}: {answer}"));
        assert!(
            reason.contains("there are 2") && reason.contains("another tool"),
            "{route}: {answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_58_between_two_imports_is_a_seam_wherever_source_or_coverage_differs() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let date = |day: i64| (at(NOON) - days(80 - day)).strftime("%Y-%m-%d").to_string();
    let lines = |header: &str, from: i64, line: &dyn Fn(i64) -> String| {
        (from..from + 10).fold(format!("{header}\n"), |text, day| text + &line(day))
    };
    let totals = |header: &str, from: i64, bytes: i64| {
        lines(header, from, &|day| {
            format!("{},{}\n", date(day), bytes + day * 1000)
        })
    };
    let tables = |from: i64, names: &[&str], bytes: i64| {
        lines("time,table,bytes", from, &|day| {
            names
                .iter()
                .map(|name| format!("{},{name},{}\n", date(day), bytes + day * 1000))
                .collect()
        })
    };
    let pghero = |from: i64, names: &[&str]| {
        lines(
            "id,database,schema,relation,size,captured_at",
            from,
            &|day| {
                names
                    .iter()
                    .map(|name| {
                        format!(
                            "1,app,public,{name},{},{} 03:00:00\n",
                            500_000 + day * 1000,
                            date(day)
                        )
                    })
                    .collect()
            },
        )
    };
    for (n, (what, older, newer, expected)) in [
        (
            "the same series",
            totals("date,bytes", 0, 1_000_000),
            totals("date,bytes", 10, 1_000_000),
            0,
        ),
        (
            "of the same name, and of something else",
            totals("date,bytes", 0, 1_000_000),
            totals("date,bytes", 10, 9_000_000),
            1,
        ),
        (
            "another name",
            totals("date,database_bytes", 0, 1_000_000),
            totals("date,used_bytes", 10, 1_000_000),
            1,
        ),
        (
            "totals, then tables",
            totals("date,bytes", 0, 1_000_000),
            tables(10, &["orders"], 500_000),
            1,
        ),
        (
            "the same tables",
            tables(0, &["orders"], 500_000),
            tables(10, &["orders"], 500_000),
            0,
        ),
        (
            "another table more",
            tables(0, &["orders"], 500_000),
            tables(10, &["orders", "large"], 500_000),
            1,
        ),
        (
            "a table less",
            tables(0, &["orders", "large"], 500_000),
            tables(10, &["orders"], 500_000),
            1,
        ),
        (
            "tables, then PgHero",
            tables(0, &["orders"], 500_000),
            pghero(10, &["orders"]),
            1,
        ),
        (
            "PgHero, which shows what is new and gone",
            pghero(0, &["orders", "large"]),
            pghero(10, &["orders"]),
            0,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        // whichever comes first
        for is_older_first in [true, false] {
            let (service, of) =
                on_a_new_database(server, &format!("imports_{n}_{is_older_first}")).await;
            let (first, second) = if is_older_first {
                (&older, &newer)
            } else {
                (&newer, &older)
            };
            take(&service, &of, first.clone()).await;
            take(&service, &of, second.clone()).await;
            let context = format!("{what}, the older first: {is_older_first}");
            let events = service.json("/api/storage/events").await;
            assert_eq!(seams(&events), expected, "{context}: {events}");
            let growth = service.json("/api/storage/growth?since=2025-12-01").await;
            if expected == 1 {
                assert!(
                    growth["coverage_changed_at"].is_string(),
                    "{context}: {growth}"
                );
                assert!(
                    growth["note"].as_str().unwrap().contains("from there on"),
                    "{context}: {growth}"
                );
                assert!(
                    growth["days"].as_f64().unwrap() < 9.1,
                    "{context}: {growth}"
                );
            } else {
                assert!(
                    growth["days"].as_f64().unwrap() > 18.9,
                    "{context}: {growth}"
                );
            }
            // each table goes on as itself
            if older.contains("orders") {
                let series = service.json("/api/storage/series?table=orders").await;
                assert_eq!(
                    series["points"].as_array().unwrap().len(),
                    20,
                    "{context}: {series}"
                );
            }
            let forecast = service.json("/api/storage/forecast?capacity=1GB").await;
            let slope = forecast["slope_bytes_per_day"].as_i64();
            assert!(
                slope.is_none_or(|slope| slope < 20_000),
                "{context}: {forecast}"
            );
            // then Plimsoll's own: one more
            measure(&service, server, &of, 2).await;
            let events = service.json("/api/storage/events").await;
            assert_eq!(seams(&events), expected + 1, "{context}: {events}");
            let growth = service.json("/api/storage/growth?since=2025-12-01").await;
            assert!(
                growth["days"].as_f64().unwrap() < 1.1,
                "{context}: {growth}"
            );
        }
    }
}
