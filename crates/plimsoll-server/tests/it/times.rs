//! Every time in every answer is written to the millisecond.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_server::jobs::SAMPLE;
use serde_json::Value;
use throwaway_postgres::test::shared_if_installed;

use crate::service::{NOON, Service, at, watched};

/// The times in an answer, by the names of their fields.
fn times<'v>(field: &'v str, value: &'v Value, found: &mut Vec<(&'v str, &'v str)>) {
    match value {
        Value::String(text) if text.parse::<Timestamp>().is_ok() => found.push((field, text)),
        Value::Array(items) => items.iter().for_each(|item| times(field, item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                times(name, value, found);
            }
        }
        _ => {}
    }
}

/// The routes that answer JSON, from the specification.
fn routes() -> Vec<String> {
    let specification: Value =
        serde_json::from_str(&plimsoll_server::http::specification()).unwrap();
    let mut routes: Vec<_> = specification["paths"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, methods)| {
            methods["get"]["responses"]["200"]["content"]
                .get("application/json")
                .is_some()
        })
        .map(|(path, _)| {
            path.replace("{schema}", "public")
                .replace("{table}", "grows")
        })
        .filter(|path| path != "/api/openapi.json")
        .collect();
    assert!(routes.len() > 10, "{routes:?}");
    routes.extend(
        [
            "/api/storage/forecast?table=grows",
            "/api/storage/forecast?by=table",
            "/api/storage/events?kind=all",
            "/api/storage/series?table=grows",
            "/api/storage/state?at=2d",
            "/api/storage/sizes?sort=growth",
        ]
        .map(str::to_owned),
    );
    routes
}

#[tokio::test(flavor = "multi_thread")]
async fn times_have_three_digits_in_every_answer() {
    let Some(server) = shared_if_installed(18) else {
        return;
    };
    server.sql("postgres", "create database times").unwrap();
    server
        .sql(
            "times",
            "create table grows (id int); create table held (id int)",
        )
        .unwrap();
    let mut watched = watched("main", &server.url("times"));
    // for this method what is held is locked
    watched.visit.method = plimsoll_postgres::MethodChoice::Functions;
    let service = Service::of(vec![watched]).await;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    // whole seconds, tenths, and more digits than a clock has; in the end one table is held
    for (day, micros) in [(0, 0), (1, 100_000), (2, 123_456), (3, 0)] {
        let now =
            at(NOON) + SignedDuration::from_hours(24 * day) + SignedDuration::from_micros(micros);
        service.clock.set(now);
        server
            .sql(
                "times",
                "insert into grows select generate_series(1, 20000)",
            )
            .unwrap();
        let mut holder = server.session("times").unwrap();
        if day == 3 {
            holder.run("begin; lock table held").unwrap();
        }
        service.step(&SAMPLE, 0).await;
        let taken = service.post("/api/storage/samples").await;
        assert_eq!(taken.status, 201, "{}", taken.text());
        service.settled().await;
        let answers = routes().into_iter().map(Some).chain([None]);
        for path in answers {
            let answer = match &path {
                Some(path) => service.get(path).await.json(),
                None => taken.json(),
            };
            let mut found = Vec::new();
            times("", &answer, &mut found);
            for (field, text) in found {
                let time: Timestamp = text.parse().unwrap();
                assert_eq!(text, format!("{time:.3}"), "`{field}` of {path:?}");
                *seen.entry(field.to_owned()).or_default() += 1;
            }
        }
    }
    for field in [
        "measured_at",
        "sampled_at",
        "computed_at",
        "as_of",
        "last_started_at",
        "started_at",
        "growth_since",
        "next_run_at",
        "last_good_at",
    ] {
        assert!(
            seen.contains_key(field),
            "no `{field}` was seen, only {seen:?}"
        );
    }
}
