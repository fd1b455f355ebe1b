//! Looking never waits for a server: what is known is answered at once, with its age and why there is no
//! more.

use std::time::Duration;

use axum::http::Request;
use futures_util::future::join_all;
use jiff::SignedDuration;
use plimsoll_server::jobs::{SAMPLE, Step, WATCH};
use plimsoll_server::settings::{Settings, Watched};
use serde_json::Value;
use throwaway_postgres::{Server, on_every_major, test};

use crate::proxy::{Fault, Proxy};
use crate::service::{NOON, Service, at, watched};

/// Every GET there is, of a database with a table `t`.
const LOOKS: [&str; 15] = [
    "/api/storage/sizes",
    "/api/storage/sizes?sort=growth&limit=1",
    "/api/storage/tables/public/t",
    "/api/storage/history?kind=all",
    "/api/storage/series?table=t",
    "/api/storage/growth",
    "/api/storage/forecast",
    "/api/storage/forecast?by=table",
    "/api/storage/state",
    "/api/storage/events",
    "/api/storage/instance",
    "/api/storage/disk",
    "/api/databases",
    "/api/cleanup/stats",
    "/api/jobs",
];

fn with(path: &str, parameter: &str) -> String {
    let separator = if path.contains('?') { '&' } else { '?' };
    format!("{path}{separator}{parameter}")
}

/// With `wait=0` where that is known.
fn without_waiting(path: &str) -> String {
    if path.contains("/sizes") || path.contains("/tables/") {
        return with(path, "wait=0");
    }
    path.to_owned()
}

fn database(server: &Server, name: &str) {
    server
        .sql("postgres", &format!("create database {name}"))
        .unwrap();
    server
        .sql(name, "create table t as select generate_series(1, 1000) n")
        .unwrap();
}

async fn behind_a_proxy(server: &Server, name: &str) -> (Proxy, Watched) {
    database(server, name);
    let proxy = Proxy::to(server).await;
    let url = proxy.url(name);
    (proxy, watched("main", &url))
}

/// A visit that hangs: nothing ends it but its deadline, which does not come.
fn patient(mut watched: Watched) -> Watched {
    watched.visit.deadline = Duration::from_secs(3600);
    watched.visit.connect_timeout = Duration::from_secs(3600);
    watched
}

#[tokio::test(flavor = "multi_thread")]
async fn every_get_answers_while_a_visit_hangs() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (proxy, main) = behind_a_proxy(server, "look_hangs").await;
    let service = Service::of(vec![patient(main)]).await;
    assert_eq!(service.post("/api/storage/samples").await.status, 201);
    service.settled().await;
    let before = service.json("/api/storage/sizes").await;
    assert_eq!(
        (&before["refreshing"], &before["visit_error"]),
        (&false.into(), &Value::Null)
    );

    proxy.set(Fault::Hang);
    service.clock.set(at(NOON) + SignedDuration::from_hours(1));
    let after = service.json("/api/storage/sizes").await;
    assert_eq!(
        after["refreshing"], true,
        "a second was waited, and no longer"
    );
    assert_eq!(after["measured_at"], before["measured_at"]);
    assert_eq!(after["tables"], before["tables"]);
    for path in LOOKS {
        service.json(&without_waiting(path)).await;
    }
    // the visit hangs on: none of these ended it, or waited for it
    assert_eq!(
        service.json("/api/storage/sizes?wait=0").await["refreshing"],
        true
    );
    let stamp = service.get("/api/storage/sizes?wait=0").await.headers["date"].clone();
    assert_eq!(
        stamp, "Tue, 10 Mar 2026 13:00:00 GMT",
        "the age is told by it"
    );

    // more than there are places wait: who finds none is answered at once all the same
    let many = join_all((0..300).map(|_| service.get("/api/storage/sizes?wait=1"))).await;
    assert!(many.iter().all(|answer| answer.status == 200));
    service.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_visit_nobody_who_looks_begins_one() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (proxy, main) = behind_a_proxy(server, "look_fails").await;
    let service = Service::of(vec![main]).await;
    assert_eq!(service.step(&SAMPLE, 0).await, Step::Ran);
    let before = service.json("/api/storage/sizes").await;
    proxy.set(Fault::Refuse);
    service.clock.set(at(NOON) + SignedDuration::from_mins(20));
    let failed = service.json("/api/storage/sizes?wait=30").await;
    assert_eq!(
        failed["tables"], before["tables"],
        "what is known is answered"
    );
    assert_eq!(
        failed["visit_error"]["failed_at"], "2026-03-10T12:20:00.000Z",
        "{failed}"
    );
    assert!(
        failed["visit_error"]["message"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let instance = service.json("/api/storage/instance").await;
    assert_eq!(instance["visit_error"], failed["visit_error"]);
    // it can be visited again, but looking does not: the schedule does
    proxy.set(Fault::None);
    let callers = proxy.callers();
    service.clock.set(at(NOON) + SignedDuration::from_hours(24));
    for path in LOOKS {
        service.json(path).await;
    }
    assert_eq!(proxy.callers(), callers);
    assert_eq!(service.step(&WATCH, 0).await, Step::Ran);
    let mended = service.json("/api/storage/sizes").await;
    assert_eq!(mended["visit_error"], Value::Null);
    assert_ne!(mended["measured_at"], before["measured_at"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_begin_no_visit() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (proxy, main) = behind_a_proxy(server, "look_sites").await;
    let service = Service::of(vec![main]).await;
    let get = |path: &str| Request::get(path).header("host", "127.0.0.1:8000");
    for (header, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://attacker.example"),
    ] {
        for path in LOOKS {
            let answer = service.send(get(path).header(header, value)).await;
            assert!(
                [200, 404, 503].contains(&answer.status.as_u16()),
                "{path}: {}",
                answer.text()
            );
        }
    }
    assert_eq!(proxy.callers(), 0);
    let own = get("/api/storage/sizes?wait=30").header("sec-fetch-site", "same-origin");
    assert_eq!(service.send(own).await.status, 200);
    assert!(proxy.callers() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_waits_for_its_first_visit_and_then_says_that_nothing_is_known() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (proxy, main) = behind_a_proxy(server, "look_first").await;
    proxy.set(Fault::Hang);
    let service = Service::of(vec![patient(main)]).await;
    for path in [
        "/api/storage/sizes?wait=0",
        "/api/storage/tables/public/t?wait=0",
    ] {
        let answer = service.get(path).await;
        answer.problem(503, "no_sample_yet");
        assert_eq!(answer.headers["retry-after"], "5");
    }
    proxy.set(Fault::None);
    // what hung goes on: the first look that waits is answered
    service.json("/api/storage/sizes?wait=30").await;
    service.json("/api/storage/instance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_the_last_sample_is_known() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (proxy, main) = behind_a_proxy(server, "look_restart").await;
    server
        .sql(
            "look_restart",
            "create table big (id int primary key, body text);
             insert into big select n, repeat(md5(n::text), 100) from generate_series(1, 2000) n;
             create table parts (id int) partition by range (id);
             create table parts_1 partition of parts for values from (0) to (10);
             insert into parts values (1)",
        )
        .unwrap();
    let settings = || Settings::new("127.0.0.1:8000".parse().unwrap(), vec![main.clone()]);
    let first = Service::with(settings()).await;
    assert_eq!(first.post("/api/storage/samples").await.status, 201);
    let seen = first.json("/api/storage/sizes").await;
    let table = first.json("/api/storage/tables/public/big").await;
    proxy.set(Fault::Refuse);
    let again = Service::sharing(settings(), first.folder.clone()).await;
    again.clock.set(at(NOON) + SignedDuration::from_hours(1));
    let kept = again.json("/api/storage/sizes?wait=30").await;
    assert_eq!(kept["measured_at"], seen["measured_at"]);
    assert_eq!(kept["total_bytes"], seen["total_bytes"]);
    assert!(kept["visit_error"]["code"].is_string(), "{kept}");
    let bytes = |field: &str| kept[field].as_u64().unwrap();
    // the history does not keep it apart
    assert!(kept["unattributed_bytes"].is_null() && kept["unattributed_unknown"].is_string());
    assert_eq!(
        bytes("total_bytes"),
        bytes("attributed_bytes") + bytes("unmeasured_bytes")
    );
    let field = |of: &Value, field: &str| -> Vec<Value> {
        of["tables"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row[field].clone())
            .collect()
    };
    for name in [
        "table_name",
        "size_bytes",
        "heap_bytes",
        "index_bytes",
        "kind",
        "set_bytes",
    ] {
        assert_eq!(field(&kept, name), field(&seen, name), "{name}");
    }
    assert!(
        field(&kept, "size_source")
            .iter()
            .all(|source| source == "last_good")
    );
    for (query, rows) in [("limit=1", 1), ("search=PARTS", 2), ("kind=partitioned", 1)] {
        let page = again.json(&format!("/api/storage/sizes?{query}")).await;
        assert_eq!(field(&page, "table_name").len(), rows, "{query}");
    }
    let of_table = again.json("/api/storage/tables/public/big").await;
    for part in ["size", "heap", "toast"] {
        assert_eq!(
            of_table[part]["size_bytes"], table[part]["size_bytes"],
            "{part}"
        );
    }
    assert_eq!(of_table["indexes"][0]["index_name"], "big_pkey");
    assert_eq!(
        of_table["indexes"][0]["size"]["size_bytes"],
        table["indexes"][0]["size"]["size_bytes"]
    );
    assert_eq!(of_table["series"].as_array().unwrap().len(), 1);
    again
        .get("/api/storage/sizes?schema=none")
        .await
        .problem(404, "unknown_schema");
    again
        .get("/api/storage/tables/public/none")
        .await
        .problem(404, "unknown_table");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_hung_server_delays_no_others_schedule() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (proxy, hung) = behind_a_proxy(server, "look_hung").await;
    let hung = Watched {
        instance: "hung".into(),
        // more than there are visits side by side
        databases: plimsoll_server::settings::Databases::Listed(
            (0..8).map(|number| format!("d{number}")).collect(),
        ),
        ..patient(hung)
    };
    database(server, "look_fine");
    let fine = watched("fine", &server.url("look_fine"));
    proxy.set(Fault::Hang);
    let service = Service::of(vec![hung, fine]).await;
    let of = service.watch.instances();
    let hangs = service.step(&SAMPLE, 0);
    tokio::pin!(hangs);
    let others = async {
        while proxy.callers() < 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(service.step(&SAMPLE, 1).await, Step::Ran);
        service.json("/api/storage/sizes?instance=fine").await
    };
    let sizes = tokio::select! {
        step = &mut hangs => panic!("it cannot end: {step:?}"),
        sizes = others => sizes,
    };
    assert_eq!(sizes["instance"], *of[1].settings.instance);
    let of_fine = service
        .json("/api/storage/history?instance=fine&kind=daily")
        .await;
    assert_eq!(of_fine["total"], 1);
    service.stop.cancel();
}

on_every_major! {
    async fn what_is_still_the_same_is_not_sent_again(server: &Server) {
        database(server, "look_tags");
        let service = Service::of(vec![watched("main", &server.url("look_tags"))]).await;
        assert_eq!(service.step(&SAMPLE, 0).await, Step::Ran);
        service.settled().await;
        for path in LOOKS {
            let first = service.get(path).await;
            assert_eq!(first.status, 200, "{path}: {}", first.text());
            assert_eq!(first.headers["cache-control"], "no-cache", "{path}");
            let tag = first.headers["etag"].to_str().unwrap().to_owned();
            let again = |tag: &str| Request::get(path).header("if-none-match", tag);
            let same = service.send(again(&tag)).await;
            assert_eq!((same.status.as_u16(), same.body.len()), (304, 0), "{path}");
            assert_eq!(same.headers["etag"], *tag);
            assert!(same.headers.contains_key("date"), "{path}");
            let other = service.send(again("W/\"0\"")).await;
            assert_eq!((other.status.as_u16(), &other.body), (200, &first.body), "{path}");
        }
        // a new sample makes all that shows it another
        let tags = async |service: &Service| {
            let mut tags = Vec::new();
            for path in &LOOKS[..8] {
                tags.push(service.get(path).await.headers["etag"].clone());
            }
            tags
        };
        let before = tags(&service).await;
        service.clock.set(at(NOON) + SignedDuration::from_hours(48));
        server.sql("look_tags", "insert into t select generate_series(1, 50000)").unwrap();
        assert_eq!(service.step(&SAMPLE, 0).await, Step::Ran);
        service.settled().await;
        let after = tags(&service).await;
        for ((path, before), after) in LOOKS.iter().zip(&before).zip(&after) {
            assert_ne!(before, after, "{path}");
        }
    }
}

#[tokio::test]
async fn every_error_is_a_problem() {
    let service = Service::of(vec![watched("main", "postgres://u@127.0.0.1:1/app")]).await;
    for (path, status, code) in [
        ("/api/storage/tables/public/%ff", 400, "invalid_path"),
        ("/api/storage/tables/%ff/t", 400, "invalid_path"),
        ("/api/storage/tables/public", 404, "unknown_route"),
        ("/%ff", 404, "unknown_route"),
        ("/api/storage/sizes?limit=%ff", 400, "invalid_parameter"),
        ("/api/storage/sizes?database=%ff", 404, "unknown_database"),
    ] {
        service.get(path).await.problem(status, code);
    }
    service
        .send(Request::put("/api/storage/sizes"))
        .await
        .problem(405, "method_not_allowed");
}
