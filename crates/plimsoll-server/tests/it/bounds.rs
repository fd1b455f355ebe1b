//! What is refused, and how; none of it needs a server that answers.

use axum::http::Request;
use plimsoll_server::settings::Settings;
use tokio::net::TcpListener;

use crate::service::{Service, watched};

/// A port of this machine where nothing listens.
async fn nobody() -> Service {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("postgres://watcher:hush-hush@127.0.0.1:{port}/app?sslmode=disable");
    Service::of(vec![watched("main", &url)]).await
}

#[tokio::test]
async fn wrong_parameters_are_named_with_what_is_allowed() {
    let service = nobody().await;
    for (path, parameter, text) in [
        ("/api/storage/sizes?limit=0", "limit", "1 to 1000000"),
        ("/api/storage/sizes?limit=ten", "limit", "whole number"),
        ("/api/storage/sizes?limit=", "limit", "whole number"),
        ("/api/storage/sizes?limit=5&limit=6", "limit", "twice"),
        ("/api/storage/sizes?offset=-1", "offset", "whole number"),
        (
            "/api/storage/sizes?sort=weight",
            "sort",
            "size, name, rows, growth",
        ),
        ("/api/storage/sizes?kind=tables", "kind", "matview"),
        ("/api/storage/sizes?max_age=-1", "max_age", "0 to 86400"),
        ("/api/storage/sizes?wait=31", "wait", "0 to 30"),
        ("/api/storage/sizes?order=size", "order", "sort"),
        ("/api/storage/history?limit=1001", "limit", "1 to 1000"),
        ("/api/storage/history?kind=weekly", "kind", "daily"),
        ("/api/storage/history?since=yesterday", "since", "7d"),
        ("/api/storage/history?since=99999999999y", "since", "7d"),
        ("/api/storage/history?step=week", "step", "hour"),
        ("/api/storage/history?table=a.b.c", "table", "sales.orders"),
        ("/api/cleanup/history?limit=0", "limit", "1 to 1000"),
        ("/api/jobs?limit=1", "limit", "none"),
        ("/?sort=weight", "sort", "size"),
    ] {
        let answer = service.get(path).await;
        let detail = answer.problem(400, "invalid_parameter");
        assert_eq!(answer.json()["parameter"], parameter, "{path}");
        assert!(detail.contains(text), "{path}: {detail}");
    }
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let service = nobody().await;
    let detail = service
        .get("/api/storage/size")
        .await
        .problem(404, "unknown_route");
    assert!(detail.contains("/api/openapi.json"));
    service
        .get("/api/storage/tables/public")
        .await
        .problem(404, "unknown_route");
    let wrong = service.post("/api/storage/sizes").await;
    wrong.problem(405, "method_not_allowed");
    assert_eq!(wrong.headers["allow"], "GET,HEAD");
    assert_eq!(service.send(Request::head("/healthz")).await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_down_is_said_plainly_and_without_its_password() {
    let service = nobody().await;
    let answer = service.get("/api/storage/sizes").await;
    let detail = answer.problem(503, "server_unreachable");
    assert!(detail.contains("127.0.0.1:"), "{detail}");
    assert_eq!(answer.headers["retry-after"], "5");
    // a server that is down is no reason to start Plimsoll again
    let ready = service.get("/readyz").await;
    assert_eq!(ready.status, 200);
    for (at, name, is_ready) in [
        (0, "store", true),
        (1, "schedule", true),
        (2, "main/app", false),
    ] {
        let check = &ready.json()["checks"][at];
        assert_eq!(
            (&check["name"], &check["ready"]),
            (&name.into(), &is_ready.into())
        );
        assert_eq!(check["reason"].is_null(), is_ready, "{check}");
    }
    let page = service.get("/").await;
    assert_eq!(
        page.status, 200,
        "the page says what is wrong instead of failing"
    );
    assert!(page.text().contains("cannot reach"));
    for text in [
        detail,
        ready.text(),
        page.text(),
        service.get("/api/databases").await.text(),
    ] {
        assert!(!text.contains("hush-hush"), "{text}");
    }
    assert_eq!(service.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn pages_of_other_sites_are_kept_out() {
    let service = nobody().await;
    let get = |host: &str| Request::get("/healthz").header("host", host);
    for (host, fine) in [
        ("localhost:8000", true),
        ("127.0.0.1", true),
        ("127.9.9.9:1", true),
        ("[::1]:8000", true),
        ("attacker.example:8000", false),
        ("localhost.attacker.example", false),
        ("169.254.169.254", false),
        ("", false),
    ] {
        let answer = service.send(get(host)).await;
        if fine {
            assert_eq!(answer.status, 200, "{host}");
        } else {
            answer.problem(421, "unknown_host");
        }
    }
    let post = || Request::post("/api/storage/samples?nothing=1").header("host", "127.0.0.1:8000");
    for (header, value, fine) in [
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
        ("sec-fetch-site", "same-origin", true),
        ("origin", "http://127.0.0.1:8000", true),
        ("origin", "http://attacker.example", false),
        ("origin", "http://127.0.0.1:9999", false),
        ("origin", "null", false),
        ("accept", "*/*", true),
    ] {
        let answer = service.send(post().header(header, value)).await;
        if fine {
            answer.problem(400, "invalid_parameter");
        } else {
            answer.problem(403, "cross_site_request");
        }
    }
    let page = service.get("/").await;
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'self';")
    );
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["x-frame-options"], "DENY");
}

#[tokio::test]
async fn requests_are_bounded_and_carry_an_id() {
    // A server that takes the connection and never says anything.
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgres://u@{}/app?sslmode=disable",
        hanging.local_addr().unwrap()
    );
    let mut settings = Settings::new(
        "127.0.0.1:8000".parse().unwrap(),
        vec![watched("main", &url)],
    );
    settings.requests.concurrency = 1;
    settings.requests.timeout = std::time::Duration::from_millis(300);
    let service = Service::with(settings).await;
    let (first, second) = tokio::join!(
        service.post("/api/storage/samples"),
        service.post("/api/storage/samples")
    );
    first.problem(504, "timed_out");
    second.problem(503, "overloaded");
    service.stop.cancel();
    drop(hanging);

    let large = Request::post("/api/storage/samples").header("content-length", "10000000");
    service.send(large).await.problem(413, "body_too_large");
    let given = service
        .send(Request::get("/healthz").header("x-request-id", "abc-1"))
        .await;
    assert_eq!(given.headers["x-request-id"], "abc-1");
    let evil = service
        .send(Request::get("/healthz").header("x-request-id", "a b"))
        .await;
    assert_eq!(
        evil.headers["x-request-id"].len(),
        16,
        "an id that would harm a log is replaced"
    );
    let zipped = service
        .send(Request::get("/api/openapi.json").header("accept-encoding", "gzip"))
        .await;
    assert_eq!(zipped.headers["content-encoding"], "gzip");
}
