//! Alerts on real servers: what opens one, keeps it, says why, and closes it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use plimsoll_core::alert::AlertType;
use plimsoll_server::alerting::Replay;
use plimsoll_server::answer::alerts as answer;
use plimsoll_store::DatabaseKey;
use serde_json::{Value, json};
use throwaway_postgres::{Server, test};
use tower::ServiceExt;

use crate::alert_steps::{
    ROUTE, look_at, minute, number, on_a_pool, sample_at, say, settings, told, words,
};
use crate::service::{Service, watched};

async fn send(service: &Service, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let response = service.router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_grew_is_told_once_with_what_grew_and_stays_told_after_a_restart() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server.sql("postgres", "create database grew").unwrap();
    server
        .sql(
            "grew",
            "create table orders as select n from generate_series(1, 500000) n;
             create table mails (id int, body text);
             alter table mails alter column body set storage external;
             insert into mails values (0, 'none')",
        )
        .unwrap();
    let main = || vec![watched("main", &server.url("grew"))];
    let service = Service::of(main()).await;
    sample_at(&service, 0, "grew").await;
    assert_eq!(
        service.json(ROUTE).await,
        json!({"alerts": [], "count": 0, "total": 0})
    );
    let before = number(server, "grew", "select pg_database_size('grew')");
    server
        .sql(
            "grew",
            "create index orders_by_n on orders (n);
             insert into mails select n, repeat('x', 1000000) from generate_series(1, 100) n",
        )
        .unwrap();
    let day = 24 * 60;
    sample_at(&service, day, "grew").await;
    let now = number(server, "grew", "select pg_database_size('grew')");
    let alerts = told(&service, "growth_warning").await;
    assert_eq!(words(&alerts), ["warning"], "{alerts:?}");
    let alert = &alerts[0];
    assert_eq!(
        (&alert["instance"], &alert["database"], &alert["state"]),
        (&json!("main"), &json!("grew"), &json!("firing"))
    );
    assert_eq!(
        (&alert["current_bytes"], &alert["previous_bytes"]),
        (&json!(now), &json!(before))
    );
    assert_eq!(alert["value"], json!((now - before) as f64));
    assert!(alert["growth_percent"].as_f64().unwrap() > 100.0, "{alert}");
    assert_eq!(alert["created_at"], format!("{:.3}", minute(day)));

    // Exactly these two, with their bytes; all of it adds up.
    let bytes = |sql: &str| number(server, "grew", sql);
    let toast =
        bytes("select pg_total_relation_size(reltoastrelid) from pg_class where relname = 'mails'");
    let empty_toast = 8192;
    let index = bytes("select pg_total_relation_size('orders_by_n')");
    let shares = alert["contributors"].as_array().unwrap();
    let named: Vec<_> = shares
        .iter()
        .map(|share| {
            let name = share["name"].as_str().or(share["table_name"].as_str());
            (
                share["part"].as_str().unwrap(),
                name,
                share["bytes"].as_i64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        named[..2],
        [
            ("toast", Some("mails"), toast - empty_toast),
            ("index", Some("orders_by_n"), index),
        ],
        "{alert}"
    );
    assert!(
        named[2..]
            .iter()
            .all(|(part, ..)| ["other", "no_relation"].contains(part)),
        "{named:?}"
    );
    let sum: i64 = named.iter().map(|(.., bytes)| bytes).sum();
    assert_eq!(sum, now - before, "{named:?}");
    let message = alert["message"].as_str().unwrap();
    for part in [
        "grew on main grew by",
        "the toast of mails",
        "index orders_by_n of orders",
        "plimsoll growth --since 24h\n",
        "Runbook: plimsoll alerts runbook growth_warning",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(
        !message.contains("Not growth"),
        "an index that was created is growth: {message}"
    );

    // Told once, also by a process that was started anew.
    let service = Service::sharing(settings(main()), Arc::clone(&service.folder)).await;
    service.clock.set(minute(day));
    sample_at(&service, day + 15, "grew").await;
    let again = told(&service, "growth_warning").await;
    assert_eq!(words(&again), ["warning"]);
    assert_eq!(again[0]["id"], alert["id"]);
    assert_eq!(again[0]["created_at"], alert["created_at"]);
    assert_eq!(again[0]["evaluated_at"], format!("{:.3}", minute(day + 15)));

    // Closed by hand it is silent, however long it goes on.
    let path = format!("{ROUTE}/{}/resolve", alert["id"]);
    let comment = json!({"comment": "a load that was planned"});
    let (status, closed) = send(&service, "POST", &path, &comment).await;
    assert_eq!(
        (status, &closed["resolved_by"]),
        (200, &json!("hand")),
        "{closed}"
    );
    let (status, twice) = send(&service, "POST", &path, &json!({})).await;
    assert_eq!((status, twice), (200, closed), "twice is fine");
    sample_at(&service, day + 30, "grew").await;
    assert_eq!(words(&told(&service, "growth_warning").await), ["resolved"]);
    service.get(ROUTE).await.json()["total"]
        .as_u64()
        .filter(|total| *total == 0)
        .unwrap();
    // Once it was false, it may be told again.
    sample_at(&service, 2 * day + 15, "grew").await;
    server
        .sql(
            "grew",
            "insert into mails select n, repeat('x', 1000000) from generate_series(1, 130) n",
        )
        .unwrap();
    sample_at(&service, 3 * day + 15, "grew").await;
    assert_eq!(
        words(&told(&service, "growth_warning").await),
        ["warning", "resolved"]
    );
    // And is over when its condition is.
    server.sql("grew", "truncate mails").unwrap();
    sample_at(&service, 3 * day + 30, "grew").await;
    let all = told(&service, "growth_warning").await;
    assert_eq!(words(&all), ["resolved", "resolved"]);
    assert_eq!(all[0]["resolved_by"], "condition");

    // The same rules on what is kept tell the same, but for what somebody closed.
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: "grew".to_owned(),
    };
    let replay = Replay {
        of: &of,
        settings: &plimsoll_core::alert::settings::Settings::default(),
        limit_bytes: None,
        since: minute(0),
    };
    let replayed = answer::replay(&*service.store, replay).await.unwrap();
    assert_eq!(replayed.samples, 7);
    let growth = replayed
        .told
        .iter()
        .filter(|told| told.alert_type == AlertType::GrowthWarning);
    let growth: Vec<_> = growth.map(|told| (told.at, told.change)).collect();
    assert_eq!(
        growth,
        [
            (minute(day), "opened"),
            (minute(2 * day + 15), "resolved"),
            (minute(3 * day + 15), "opened"),
            (minute(3 * day + 30), "resolved"),
        ]
    );

    let (status, problem) = send(
        &service,
        "POST",
        &format!("{ROUTE}/999/resolve"),
        &json!({}),
    )
    .await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown_alert")));
    let (status, problem) = send(&service, "POST", &path, &json!({"comments": 1})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("invalid_body")));
    service
        .get(&format!("{ROUTE}?database=nope"))
        .await
        .problem(404, "unknown_database");
    service
        .get(&format!("{ROUTE}?instance=nope"))
        .await
        .problem(404, "unknown_instance");
    assert_eq!(
        service
            .json(&format!("{ROUTE}?state=all&database=grew"))
            .await["count"],
        2
    );
    service
        .get(&format!("{ROUTE}?type=growth"))
        .await
        .problem(400, "invalid_parameter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_two_instances_share_is_one_alert_that_rises_and_ends() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("san.json");
    say(&file, 84);
    let both = ["a", "b"].map(|name| on_a_pool(name, server, &file));
    let service = Service::of(both.to_vec()).await;
    look_at(&service, 0).await;
    assert!(told(&service, "volume_full").await.is_empty());
    for (minute, used, expected) in [
        (1, 85, &["warning"][..]),
        (2, 94, &["warning"]),
        (3, 95, &["critical"]),
        // A lower severity is not told, and it stays open until it is well below.
        (4, 86, &["critical"]),
        (5, 82, &["critical"]),
        (6, 81, &["resolved"]),
        (7, 96, &["critical", "resolved"]),
    ] {
        say(&file, used);
        look_at(&service, minute).await;
        let alerts = told(&service, "volume_full").await;
        assert_eq!(words(&alerts), expected, "{used} %: {alerts:?}");
    }
    let alert = &told(&service, "volume_full").await[0];
    assert_eq!(
        (&alert["volume"], &alert["instance"]),
        (&json!("san"), &Value::Null)
    );
    assert_eq!(
        (&alert["value"], &alert["unit"]),
        (&json!(96.0), &json!("percent"))
    );
    let message = alert["message"].as_str().unwrap();
    assert!(
        message.starts_with("volume san is 96.0 % full (limit 95.0 %)"),
        "{message}"
    );
    // It names what lies there of both, and a command names one of them.
    for part in [" of a; ", " of b.", "plimsoll disk --instance "] {
        assert!(message.contains(part), "no {part}: {message}");
    }

    // What is not known any more holds the state, and shows.
    std::fs::remove_file(&file).unwrap();
    look_at(&service, 40).await;
    let held = &told(&service, "volume_full").await[0];
    assert_eq!(held["resolved_at"], Value::Null);
    assert_eq!(held["evaluated_at"], alert["evaluated_at"]);

    // A silence holds back messages, and answers say so.
    let silence = json!({"match": "volume:s*n", "length_seconds": 3600, "who": "ops", "why": "a new disk comes"});
    let (status, made) = send(&service, "POST", "/api/storage/silences", &silence).await;
    assert_eq!(status, 201, "{made}");
    let silenced = &told(&service, "volume_full").await[0];
    assert_eq!(silenced["silenced_until"], made["until"]);
    let path = format!("/api/storage/silences/{}", made["id"]);
    assert_eq!(send(&service, "DELETE", &path, &json!({})).await.0, 204);
    let (status, problem) = send(&service, "DELETE", &path, &json!({})).await;
    assert_eq!((status, &problem["code"]), (404, &json!("unknown_silence")));
    let (status, problem) = send(
        &service,
        "POST",
        "/api/storage/silences",
        &json!({"match": "a"}),
    )
    .await;
    assert_eq!(
        (status, &problem["code"]),
        (400, &json!("invalid_body")),
        "{problem}"
    );
    assert_eq!(service.json("/api/storage/silences").await["count"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_lost_its_wal_is_critical_until_it_is_dropped() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let options = test::options(&installation)
        .setting("max_slot_wal_keep_size", "1MB")
        .setting("max_wal_size", "32MB")
        .setting("min_wal_size", "32MB");
    let server = Server::start(&options).unwrap();
    let sql = |sql: &str| server.sql("postgres", sql).unwrap();
    sql("select pg_create_physical_replication_slot('forgotten', true)");
    let service = Service::of(vec![watched("main", &server.url("postgres"))]).await;
    look_at(&service, 0).await;
    assert!(told(&service, "wal_retention").await.is_empty());
    for _ in 0..4 {
        sql("create table t (a int); drop table t");
        sql("select pg_switch_wal()");
    }
    sql("checkpoint");
    let status = sql("select wal_status from pg_replication_slots");
    assert_eq!(status[0][0].as_deref(), Some("lost"));
    look_at(&service, 1).await;
    let alerts = told(&service, "wal_retention").await;
    assert_eq!(words(&alerts), ["critical"], "{alerts:?}");
    assert_eq!(
        (&alerts[0]["instance"], &alerts[0]["name"]),
        (&json!("main"), &json!("slot forgotten"))
    );
    // A server that does not answer says nothing of its slots.
    server.stop().unwrap();
    look_at(&service, 2).await;
    assert_eq!(words(&told(&service, "wal_retention").await), ["critical"]);
    server.start_again().unwrap();
    server
        .sql("postgres", "select pg_drop_replication_slot('forgotten')")
        .unwrap();
    look_at(&service, 3).await;
    assert_eq!(words(&told(&service, "wal_retention").await), ["resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_that_stay_away_are_told_and_a_clock_that_jumps_is_no_reason() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server.sql("postgres", "create database stale").unwrap();
    let main = || vec![watched("main", &server.url("stale"))];
    let service = Service::of(main()).await;
    sample_at(&service, 0, "stale").await;
    look_at(&service, 1).await;
    // The clock is set forward by two days, and goes on from there.
    let jumped = 2 * 24 * 60;
    service.clock.set(minute(jumped));
    look_at(&service, jumped).await;
    assert!(
        told(&service, "sampling_stale").await.is_empty(),
        "no time passed"
    );
    look_at(&service, jumped + 43).await;
    assert!(told(&service, "sampling_stale").await.is_empty());
    look_at(&service, jumped + 45).await;
    let alerts = told(&service, "sampling_stale").await;
    assert_eq!(
        words(&alerts),
        ["warning"],
        "three intervals of 15 minutes: {alerts:?}"
    );
    // Whoever starts anew says nothing before a visit, and ends nothing.
    let service = Service::sharing(settings(main()), Arc::clone(&service.folder)).await;
    service.clock.set(minute(jumped + 45));
    let later = jumped + 27 * 60;
    look_at(&service, later).await;
    assert_eq!(words(&told(&service, "sampling_stale").await), ["warning"]);
    sample_at(&service, later + 1, "stale").await;
    look_at(&service, later + 2).await;
    assert_eq!(words(&told(&service, "sampling_stale").await), ["resolved"]);
    look_at(&service, later + 27 * 60).await;
    let alerts = told(&service, "sampling_stale").await;
    assert_eq!(words(&alerts), ["critical", "resolved"], "26 hours");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_above_its_own_limit_is_critical_whatever_it_lies_on() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server.sql("postgres", "create database limited").unwrap();
    let size = |database: &str| {
        let sql = format!("select pg_database_size('{database}')");
        u64::try_from(number(server, "postgres", &sql)).unwrap()
    };
    let mut main = watched("main", &server.url("limited"));
    let limit = size("limited") - 1;
    main.database_limits = [("limited".to_owned(), limit)].into();
    let service = Service::of(vec![main.clone()]).await;
    sample_at(&service, 0, "limited").await;
    let alerts = told(&service, "size_critical").await;
    assert_eq!(words(&alerts), ["critical"]);
    assert_eq!(alerts[0]["threshold"], json!(limit as f64));
    // Its limit is raised, and it is below 95 % of that.
    main.database_limits = [("limited".to_owned(), size("limited") * 2)].into();
    let service = Service::sharing(settings(vec![main]), Arc::clone(&service.folder)).await;
    service.clock.set(minute(0));
    sample_at(&service, 15, "limited").await;
    assert_eq!(words(&told(&service, "size_critical").await), ["resolved"]);
}
