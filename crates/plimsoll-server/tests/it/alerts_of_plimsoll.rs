//! Alerts about files that no relation owns, and about what goes wrong in Plimsoll itself.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::rules::stray::OrphanedFiles;
use plimsoll_core::alert::rules::upkeep::HistoryAtRisk;
use plimsoll_core::alert::settings::{Borders, Rule, Settings as Rules};
use plimsoll_server::jobs::{SAMPLE, Step};
use plimsoll_server::settings::{Settings, Watched};
use plimsoll_store::Held;
use serde_json::json;
use throwaway_postgres::{Server, test};

use crate::alert_steps::{look_at, minute, number, sample_at, settings, told, words};
use crate::service::{Service, watched};

/// Settings with another border of a rule.
fn with(alert_type: AlertType, borders: Borders, instances: Vec<Watched>) -> Settings {
    let rule = Rule {
        borders,
        ..Rule::default_of(alert_type)
    };
    Settings {
        alerts: Arc::new(Rules::new(&[rule], Vec::new())),
        ..settings(instances)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orphaned_files_are_told_after_two_daily_samples_and_over_when_they_are_gone() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let sql = |sql: &str| server.sql("postgres", sql).unwrap();
    sql("create database orphans");
    let oid = number(
        &server,
        "postgres",
        "select oid from pg_database where datname = 'orphans'",
    );
    let main = || {
        let borders = Borders::OrphanedFiles(OrphanedFiles { bytes: 1 << 20 });
        let instances = vec![watched("main", &server.url("orphans"))];
        with(AlertType::OrphanedFiles, borders, instances)
    };
    let service = Service::with(main()).await;
    // 03:00 of the days after the noon that clocks begin with.
    let three = |day: i64| day * 24 * 60 - 9 * 60;
    let daily = async |service: &Service, day: i64| {
        sql("select txid_current()");
        service.clock.pass_until(minute(three(day)));
        assert_eq!(service.step(&SAMPLE, 0).await, Step::Ran, "day {day}");
        service.settled().await;
    };
    let file = server.data_dir().join(format!("base/{oid}/987654"));
    std::fs::write(&file, vec![1; 2 << 20]).unwrap();
    sample_at(&service, 0, "orphans").await;
    daily(&service, 1).await;
    assert!(
        told(&service, "orphaned_files").await.is_empty(),
        "one daily sample"
    );
    sample_at(&service, three(1) + 15, "orphans").await;
    assert!(
        told(&service, "orphaned_files").await.is_empty(),
        "nor any other"
    );
    daily(&service, 2).await;
    let alerts = told(&service, "orphaned_files").await;
    assert_eq!(words(&alerts), ["warning"]);
    assert_eq!(alerts[0]["current_bytes"], 2 << 20);
    let message = alerts[0]["message"].as_str().unwrap();
    let path = format!("The largest: base/{oid}/987654 (2048 kB).");
    for part in [
        "orphans on main has 2048 kB in files",
        &path,
        "plimsoll sizes",
    ] {
        assert!(message.contains(part), "no {part}: {message}");
    }
    // Who starts anew does not know yet which files outlived their transactions.
    let service = Service::sharing(main(), Arc::clone(&service.folder)).await;
    daily(&service, 3).await;
    assert_eq!(words(&told(&service, "orphaned_files").await), ["warning"]);
    std::fs::remove_file(&file).unwrap();
    sample_at(&service, three(3) + 15, "orphans").await;
    assert_eq!(words(&told(&service, "orphaned_files").await), ["resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_cleanup_is_told_with_what_it_said_until_the_next_good_one() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let service = Service::of(vec![watched("main", &server.url("postgres"))]).await;
    let run = async |n: i64, outcome: &str, message: &str| {
        let claim = service
            .store
            .claim("cleanup/main", minute(n), Duration::from_secs(60));
        let claim = claim.await.unwrap().unwrap();
        let held = service.store.finish(claim, outcome, message).await.unwrap();
        assert_eq!(held, Held::Ours);
        look_at(&service, n).await;
        told(&service, "cleanup_failed").await
    };
    look_at(&service, 0).await;
    assert!(run(1, "skipped", "no policy").await.is_empty());
    let alerts = run(2, "failed", "permission denied for table logs").await;
    assert_eq!(words(&alerts), ["warning"]);
    let message = alerts[0]["message"].as_str().unwrap();
    for part in [
        "cleanup run of main failed",
        "It said: permission denied for table logs",
    ] {
        assert!(message.contains(part), "no {part}: {message}");
    }
    assert_eq!(
        words(&run(3, "cancelled", "stopped").await),
        ["warning"],
        "that says nothing"
    );
    assert_eq!(
        words(&run(4, "ok", "nothing to delete").await),
        ["resolved"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_volume_of_the_history_is_told_when_it_is_nearly_full() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let main = |used_per_mille| {
        let borders = Borders::HistoryAtRisk(HistoryAtRisk {
            used_per_mille,
            ..HistoryAtRisk::default()
        });
        let instances = ["a", "b"].map(|name| watched(name, &server.url("postgres")));
        with(AlertType::HistoryAtRisk, borders, instances.to_vec())
    };
    // Nothing is fuller than this, and everything than nothing.
    let service = Service::with(main(1100)).await;
    look_at(&service, 0).await;
    assert!(told(&service, "history_at_risk").await.is_empty());
    let service = Service::sharing(main(0), Arc::clone(&service.folder)).await;
    look_at(&service, 1).await;
    let alerts = told(&service, "history_at_risk").await;
    assert_eq!(
        words(&alerts),
        ["critical"],
        "there is one history: {alerts:?}"
    );
    assert_eq!(
        (&alerts[0]["instance"], &alerts[0]["unit"]),
        (&json!(null), &json!("percent"))
    );
    let message = alerts[0]["message"].as_str().unwrap();
    for part in [
        "the volume of the history is",
        "% full (limit 0.0 %)",
        "store.db",
        "plimsoll store",
    ] {
        assert!(message.contains(part), "no {part}: {message}");
    }
    let service = Service::sharing(main(1100), Arc::clone(&service.folder)).await;
    look_at(&service, 2).await;
    assert_eq!(
        words(&told(&service, "history_at_risk").await),
        ["resolved"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_samples_say_why_the_last_visit_failed() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let instances = ["a", "b"].map(|name| watched(name, &server.url("postgres")));
    let service = Service::of(instances.to_vec()).await;
    service.clock.pass_until(minute(0));
    for instance in ["a", "b"] {
        let path = format!("/api/storage/samples?instance={instance}");
        assert_eq!(service.post(&path).await.status, 201);
    }
    service.settled().await;
    look_at(&service, 1).await;
    server.stop().unwrap();
    service.clock.pass_until(minute(44));
    let path = "/api/storage/samples?instance=a";
    assert!(service.post(path).await.status.is_server_error());
    look_at(&service, 46).await;
    let alerts = told(&service, "sampling_stale").await;
    let of_a = alerts
        .iter()
        .find(|alert| alert["instance"] == "a")
        .unwrap();
    let message = of_a["message"].as_str().unwrap();
    for part in ["Why: cannot reach ", "plimsoll doctor --instance a"] {
        assert!(message.contains(part), "no {part}: {message}");
    }
}
