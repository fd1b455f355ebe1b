//! Messages about alerts on their way to a channel: once and again, in order, held back, gathered, given up.

use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_server::channels::ConfiguredChannel;
use plimsoll_server::settings::{Settings, Watched};
use serde_json::{Value, json};
use throwaway_postgres::{Server, test};

use crate::service::{NOON, Service, at, watched};

/// A channel that writes each message into a file as a line, and fails while there is a file `broken` beside it.
fn channel(folder: &Path, more: &Value) -> ConfiguredChannel {
    let script = format!(
        "cd '{}'; [ -e broken ] && exit 1; cat >> told; echo >> told",
        folder.display()
    );
    let mut written = json!({"name": "ops", "kind": "command", "command": ["sh", "-c", script]});
    for (key, value) in more.as_object().unwrap() {
        written[key] = value.clone();
    }
    let written: plimsoll_notify::Settings = serde_json::from_value(written).unwrap();
    ConfiguredChannel::all(&[written]).unwrap().remove(0)
}

/// The messages that arrived, as `(event, key, thread)`.
fn told(folder: &Path) -> Vec<(String, String, String)> {
    let text = std::fs::read_to_string(folder.join("told")).unwrap_or_default();
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let delivery: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for message in delivery["data"]["messages"]
            .as_array()
            .unwrap_or_else(|| panic!("{delivery}"))
        {
            let text = |key: &str| message[key].as_str().unwrap().to_owned();
            all.push((text("event"), text("key"), text("thread")));
        }
    }
    all
}

fn events(folder: &Path) -> Vec<String> {
    told(folder).into_iter().map(|(event, ..)| event).collect()
}

fn seconds(n: i64) -> Timestamp {
    at(NOON) + SignedDuration::from_secs(n)
}

/// A database that is above its limit as soon as it is sampled.
fn above_its_limit(server: &Server, database: &str) -> Watched {
    server
        .sql("postgres", &format!("create database {database}"))
        .unwrap();
    let mut main = watched("main", &server.url(database));
    main.database_limits = [(database.to_owned(), 1 << 20)].into();
    main
}

fn settings(main: &Watched, channels: Vec<ConfiguredChannel>) -> Settings {
    let mut settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![main.clone()]);
    settings.channels = channels;
    settings
}

async fn sample(service: &Service) {
    assert_eq!(service.post("/api/storage/samples").await.status, 201);
    service.settled().await;
}

/// Finds what is due and sends it, at so many seconds after noon.
async fn tell(service: &Service, n: i64) {
    service.clock.pass_until(seconds(n));
    service.telling.gather().await;
    service.telling.send(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_sent_until_it_arrives_and_then_no_more() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let main = above_its_limit(server, "telling");
    let ops = || vec![channel(folder.path(), &json!({}))];
    let service = Service::with(settings(&main, ops())).await;
    tell(&service, 0).await;
    assert!(events(folder.path()).is_empty());
    // A channel that fails is tried again after 5 s, and then after 10.
    std::fs::write(folder.path().join("broken"), "").unwrap();
    sample(&service).await;
    tell(&service, 1).await;
    std::fs::remove_file(folder.path().join("broken")).unwrap();
    tell(&service, 5).await;
    assert!(
        events(folder.path()).is_empty(),
        "not before its pause is over"
    );
    let alert = service.json("/api/storage/alerts").await["alerts"][0].clone();
    let delivery = &alert["deliveries"][0];
    assert_eq!(
        (&delivery["channel"], &delivery["state"], &delivery["tries"]),
        (&json!("ops"), &json!("waits"), &json!(1)),
        "{alert}"
    );
    assert!(delivery["error"].is_string(), "{alert}");
    // It is seen, and Plimsoll is ready all the same.
    let ops_now = service.json("/api/channels").await["channels"][0].clone();
    assert_eq!(
        (&ops_now["waiting"], &ops_now["waiting_since"]),
        (&json!(1), &delivery["created_at"]),
        "{ops_now}"
    );
    let ready = service.get("/readyz").await;
    let checks = ready.json()["checks"].as_array().unwrap().clone();
    let check = checks.iter().find(|check| check["name"] == "channel ops");
    assert_eq!(
        (ready.status.as_u16(), &check.unwrap()["ready"]),
        (200, &json!(false))
    );
    assert!(
        check.unwrap()["reason"]
            .as_str()
            .unwrap()
            .contains("exit status: 1"),
        "{check:?}"
    );
    // Also by a process that was started meanwhile.
    let service = Service::sharing(settings(&main, ops()), Arc::clone(&service.folder)).await;
    service.clock.set(seconds(5));
    // What a process was sending that was killed is sent a minute later.
    let waiting = service.store.waiting_messages("ops").await.unwrap();
    let taken = service
        .store
        .take_messages(&waiting, seconds(66))
        .await
        .unwrap();
    assert_eq!(taken.len(), 1);
    tell(&service, 65).await;
    assert!(events(folder.path()).is_empty(), "somebody else sends it");
    tell(&service, 66).await;
    assert_eq!(events(folder.path()), ["opened"]);
    for n in [67, 140, 3600] {
        tell(&service, n).await;
    }
    assert_eq!(events(folder.path()), ["opened"], "told once");
    tell(&service, 1 + 4 * 3600).await;
    assert_eq!(
        events(folder.path()),
        ["opened", "reminder"],
        "critical: after 4 hours"
    );
    let path = format!("/api/storage/alerts/{}/resolve", alert["id"]);
    assert_eq!(service.post(&path).await.status, 200);
    tell(&service, 5 * 3600).await;
    tell(&service, 6 * 3600).await;
    let all = told(folder.path());
    assert_eq!(events(folder.path()), ["opened", "reminder", "resolved"]);
    // an end is told in the past
    let text = std::fs::read_to_string(folder.path().join("told")).unwrap();
    let last = text.lines().rfind(|line| !line.trim().is_empty()).unwrap();
    for words in [
        "\"size_critical of ",
        " is over\"",
        "when it was closed by hand.",
        "It had been told as: ",
    ] {
        assert!(last.contains(words), "no {words} in {last}");
    }
    assert!(
        all.iter().all(|(_, _, thread)| *thread == all[0].1),
        "{all:?}"
    );
    let keys: std::collections::BTreeSet<_> = all.iter().map(|(_, key, _)| key).collect();
    assert_eq!(keys.len(), 3, "{all:?}");
    let alert = service.json("/api/storage/alerts?state=all").await["alerts"][0].clone();
    let states: Vec<_> = alert["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["state"])
        .collect();
    assert_eq!(states, ["sent", "sent", "sent"], "{alert}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_holds_back_and_what_still_fires_after_it_is_told() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let main = above_its_limit(server, "telling_silenced");
    let service = Service::with(settings(&main, vec![channel(folder.path(), &json!({}))])).await;
    let silence = plimsoll_server::answer::silences::SilenceRequest {
        pattern: "main/telling_*".to_owned(),
        length_seconds: Some(600),
        who: "ops".to_owned(),
        why: "a load".to_owned(),
        ..Default::default()
    };
    plimsoll_server::answer::silences::add(&*service.store, silence, seconds(0))
        .await
        .unwrap();
    sample(&service).await;
    tell(&service, 60).await;
    assert!(events(folder.path()).is_empty());
    assert_eq!(
        service.json("/api/storage/alerts").await["count"],
        1,
        "it is kept all the same"
    );
    tell(&service, 600).await;
    assert_eq!(events(folder.path()), ["opened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_gets_what_it_takes_and_gives_up_after_three_days() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let main = above_its_limit(server, "telling_never");
    let others = channel(folder.path(), &json!({"match": "other/*"}));
    let service = Service::with(settings(&main, vec![others])).await;
    sample(&service).await;
    tell(&service, 60).await;
    assert!(events(folder.path()).is_empty());
    std::fs::write(folder.path().join("broken"), "").unwrap();
    let all = channel(folder.path(), &json!({"send_resolved": false}));
    let service = Service::sharing(settings(&main, vec![all]), Arc::clone(&service.folder)).await;
    service.clock.set(seconds(60));
    tell(&service, 61).await;
    let day = 24 * 3600;
    tell(&service, 3 * day).await;
    tell(&service, 3 * day + 3600).await;
    let alert = service.json("/api/storage/alerts").await["alerts"][0].clone();
    assert_eq!(alert["deliveries"][0]["state"], "given_up", "{alert}");
    std::fs::remove_file(folder.path().join("broken")).unwrap();
    let path = format!("/api/storage/alerts/{}/resolve", alert["id"]);
    service.post(&path).await;
    tell(&service, 4 * day).await;
    assert!(
        !events(folder.path()).contains(&"resolved".to_owned()),
        "it does not want ends"
    );
}
