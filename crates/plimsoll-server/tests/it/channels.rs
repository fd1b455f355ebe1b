//! The channels that are configured, listed and tried through the router.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use plimsoll_server::settings::{ConfiguredChannel, Settings};
use serde_json::{Value, json};

use crate::service::{Service, watched};

const HUSH: &str = "hush4711";

type Got = Arc<Mutex<Vec<(String, String)>>>;

/// Does what the path says.
async fn answer(State(got): State<Got>, Path(path): Path<String>, body: String) -> Response {
    let does = path.split('/').next().unwrap().to_owned();
    got.lock().unwrap().push((does.clone(), body));
    match does.as_str() {
        "hangs" => std::future::pending().await,
        status => StatusCode::from_bytes(status.as_bytes())
            .unwrap()
            .into_response(),
    }
}

async fn with_channels(written: Value) -> Service {
    let written: Vec<plimsoll_notify::Settings> = serde_json::from_value(written).unwrap();
    let nowhere = watched("main", "postgres://u@127.0.0.1:1/app");
    let mut settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![nowhere]);
    settings.channels = ConfiguredChannel::all(&written).unwrap();
    Service::with(settings).await
}

#[tokio::test]
async fn channels_are_listed_and_tried_and_show_no_secret() {
    let got = Got::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let router = Router::new()
        .fallback(axum::routing::any(answer))
        .route("/{*path}", axum::routing::any(answer))
        .with_state(Arc::clone(&got));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let slack = |name: &str, does: &str| json!({"name": name, "kind": "slack", "url": format!("http://u:{HUSH}@{at}/{does}/{HUSH}"), "timeout": "1s"});
    let service = with_channels(json!([
        {"name": "pager", "kind": "webhook", "url": format!("http://{at}/204/{HUSH}"), "least": "critical",
         "match": "prod/*", "send_resolved": false, "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
        slack("chat", "200"),
        slack("bad", "403"),
        slack("slow", "hangs"),
        {"name": "alive", "kind": "heartbeat", "url": format!("http://{at}/200/{HUSH}")},
        {"name": "script", "kind": "command", "command": ["/no/such/program", HUSH]},
    ]))
    .await;

    let listed = service.get("/api/channels").await;
    let target = format!("http://{at}");
    let of = |name: &str, kind: &str| json!({"name": name, "kind": kind, "target": target, "least": "warning", "match": null, "send_resolved": true, "waiting": 0, "waiting_since": null, "error": null});
    assert_eq!(
        listed.json(),
        json!({"count": 6, "channels": [
            {"name": "pager", "kind": "webhook", "target": target, "least": "critical", "match": "prod/*", "send_resolved": false, "waiting": 0, "waiting_since": null, "error": null},
            of("chat", "slack"), of("bad", "slack"), of("slow", "slack"),
            {"name": "alive", "kind": "heartbeat", "target": target, "least": null, "match": null, "send_resolved": null, "waiting": null, "waiting_since": null, "error": null},
            {"name": "script", "kind": "command", "target": "/no/such/program", "least": "warning", "match": null, "send_resolved": true, "waiting": 0, "waiting_since": null, "error": null},
        ]})
    );
    assert!(!listed.text().contains(HUSH) && !listed.text().contains("MfKQ"));

    for name in ["pager", "chat", "alive"] {
        let tried = service.post(&format!("/api/channels/{name}/test")).await;
        assert_eq!(tried.status, 200, "{}", tried.text());
        assert_eq!(tried.json()["channel"], name);
        assert_eq!(tried.json()["sent_at"], "2026-03-10T12:00:00.000Z");
    }
    for (name, status, code) in [
        ("bad", 502, "channel_refused"),
        ("slow", 504, "channel_timed_out"),
        ("script", 502, "channel_not_ready"),
        ("nobody", 404, "unknown_channel"),
    ] {
        let tried = service.post(&format!("/api/channels/{name}/test")).await;
        assert_eq!(
            (tried.status.as_u16(), tried.json()["code"].as_str()),
            (status, Some(code)),
            "{}",
            tried.text()
        );
        assert!(!tried.text().contains(HUSH), "{}", tried.text());
    }
    let unknown = service.post("/api/channels/nobody/test").await.text();
    assert!(
        unknown.contains("pager, chat, bad, slow, alive, script"),
        "{unknown}"
    );

    let got = got.lock().unwrap().clone();
    let body: Value = serde_json::from_str(&got[0].1).unwrap();
    assert_eq!(body["data"]["messages"][0]["event"], "test");
    let asked: Vec<_> = got.iter().map(|(does, _)| does.as_str()).collect();
    assert_eq!(asked, ["204", "200", "200", "403", "hangs"]);
    assert_eq!(got[2].1, "", "a heartbeat is only called");
}

#[tokio::test]
async fn without_channels_there_are_none() {
    let service = with_channels(json!([])).await;
    assert_eq!(
        service.get("/api/channels").await.json(),
        json!({"channels": [], "count": 0})
    );
    let tried = service.post("/api/channels/x/test").await;
    assert_eq!(tried.status, 404);
    assert!(
        tried.text().contains("has no [[channel]]"),
        "{}",
        tried.text()
    );
    assert_eq!(service.get("/api/channels/x/test").await.status, 405);
    assert_eq!(service.get("/api/channels?x=1").await.status, 400);
}
