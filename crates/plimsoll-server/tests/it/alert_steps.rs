//! What tests of alerts have in common: samples and looks at their minutes, and what became of alerts.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_call::Program;
use plimsoll_server::capacity::{ConfiguredCapacity, Source};
use plimsoll_server::jobs::{DISK, Step};
use plimsoll_server::settings::{Settings, Watched};
use serde_json::{Value, json};
use throwaway_postgres::Server;

use crate::service::{NOON, Service, at, watched};

pub(crate) const ROUTE: &str = "/api/storage/alerts";

pub(crate) fn settings(instances: Vec<Watched>) -> Settings {
    Settings::new("127.0.0.1:8000".parse().unwrap(), instances)
}

pub(crate) fn minute(n: i64) -> Timestamp {
    at(NOON) + SignedDuration::from_mins(n)
}

pub(crate) async fn sample_at(service: &Service, n: i64, database: &str) {
    service.clock.pass_until(minute(n));
    let path = format!("/api/storage/samples?database={database}");
    assert_eq!(service.post(&path).await.status, 201);
    service.settled().await;
}

/// Looks at the volumes of every instance at the n-th minute.
pub(crate) async fn look_at(service: &Service, n: i64) {
    service.clock.pass_until(minute(n));
    for instance in 0..service.watch.instances().len() {
        assert_eq!(service.step(&DISK, instance).await, Step::Ran, "minute {n}");
    }
    service.settled().await;
}

/// Alerts of a type, as `severity` or `resolved`, newest first.
pub(crate) async fn told(service: &Service, alert_type: &str) -> Vec<Value> {
    let answer = service
        .json(&format!("{ROUTE}?state=all&type={alert_type}"))
        .await;
    answer["alerts"].as_array().unwrap().clone()
}

pub(crate) fn words(alerts: &[Value]) -> Vec<&str> {
    let word = |alert: &Value| {
        if alert["resolved_at"].is_null() {
            alert["severity"].as_str().unwrap().to_owned()
        } else {
            "resolved".to_owned()
        }
    };
    let all = alerts.iter().map(word);
    all.map(|word| match &*word {
        "warning" => "warning",
        "critical" => "critical",
        _ => "resolved",
    })
    .collect()
}

pub(crate) fn number(server: &Server, database: &str, sql: &str) -> i64 {
    let rows = server.sql(database, sql).unwrap();
    rows.last().unwrap()[0].as_deref().unwrap().parse().unwrap()
}

/// A volume of which a file says how full it is.
pub(crate) fn on_a_pool(name: &str, server: &Server, says: &Path) -> Watched {
    let mut watched = watched(name, &server.url("postgres"));
    watched.capacity = vec![ConfiguredCapacity {
        place: None,
        on: Some("san".to_owned()),
        file_system: None,
        sources: vec![Source::Command(Program {
            program: "cat".to_owned(),
            arguments: vec![says.to_str().unwrap().to_owned()],
            timeout: Duration::from_secs(10),
        })],
    }];
    watched
}

pub(crate) fn say(file: &PathBuf, used_percent: u64) {
    let answer = json!({
        "capacity_bytes": 100_000_000_000_u64,
        "used_bytes": used_percent * 1_000_000_000,
        "available_bytes": (100 - used_percent) * 1_000_000_000,
    });
    std::fs::write(file, answer.to_string()).unwrap();
}
