//! What a source says, and what becomes of it when it does not answer: real commands, a real HTTP server.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use plimsoll_call::Login;
use plimsoll_core::instance::InstanceFacts;

use super::*;

fn now() -> Timestamp {
    Timestamp::now()
}

async fn ask(source: Source) -> Result<Space, String> {
    source
        .ask(&Volumes::default(), Complaints::Hidden, now())
        .await
}

#[tokio::test]
async fn what_a_command_complains_of_is_told_only_to_who_looks_for_what_is_wrong() {
    let long = Duration::from_secs(60);
    let noise = "yes x | head -c 100000 >&2;";
    let say = "printf 'first\\nno \\033[31mtoken\\302\\205 in s3cret\\n' >&2;";
    for (script, heard) in [
        (
            format!("{say} exit 3"),
            Some("no \\u{1b}[31mtoken\\u{85} in s3cret"),
        ),
        (format!("{say} echo nothing"), Some("in s3cret")),
        (format!("{noise} {say} exit 3"), Some("it says: x")),
        ("exit 3".to_owned(), None),
        // one that stays behind and holds its end of the pipe holds nobody up
        (format!("sleep 60 & {say} exit 3"), Some("in s3cret")),
    ] {
        let source = shell(&script, long);
        let told = source
            .ask(&Volumes::default(), Complaints::Told, now())
            .await;
        let told = told.unwrap_err();
        let hidden = ask(source).await.unwrap_err();
        assert!(!hidden.contains("s3cret"), "{hidden}");
        match heard {
            Some(heard) => assert!(told.contains("it says: ") && told.contains(heard), "{told}"),
            None => assert_eq!(told, hidden),
        }
        assert!(told.len() < 400 && !told.contains('\u{1b}'), "{told:?}");
    }
    // what went well is heard of no more
    let fine = shell("echo complaint >&2; echo 1000", long);
    let space = fine.ask(&Volumes::default(), Complaints::Told, now()).await;
    assert_eq!(space.unwrap().capacity_bytes, 1000);
}

fn shell(script: &str, timeout: Duration) -> Source {
    Source::Command(Program {
        program: "/bin/sh".to_owned(),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        timeout,
    })
}

#[tokio::test]
async fn a_command_says_a_number_or_json_and_is_left_when_it_does_neither() {
    let long = Duration::from_secs(60);
    let space = ask(shell("echo 1000", long)).await.unwrap();
    assert_eq!(
        (space.capacity_bytes, space.used_bytes, space.source),
        (1000, None, CapacitySource::Command)
    );
    assert!(space.source_at.is_some());
    let json = "echo '{\"capacity_bytes\": 1000, \"available_bytes\": 250, \"inodes_total\": 7}'";
    let space = ask(shell(json, long)).await.unwrap();
    assert_eq!(
        (space.used_bytes, space.available_bytes, space.inodes_total),
        (Some(750), Some(250), Some(7))
    );
    for (script, timeout, expect) in [
        ("echo hush >&2; exit 3", long, "failed"),
        ("echo hush", long, "neither a number"),
        ("head -c 100000 /dev/zero", long, "more than"),
        // Also what it started ends.
        (
            "sleep 1000 & sleep 1000",
            Duration::from_millis(200),
            "did not end",
        ),
    ] {
        let error = ask(shell(script, timeout)).await.unwrap_err();
        assert!(
            error.contains(expect) && !error.contains("hush"),
            "{script}: {error}"
        );
    }
    let missing = Source::Command(Program {
        program: "/no/such/program".to_owned(),
        arguments: vec!["hush".to_owned()],
        timeout: long,
    });
    let error = ask(missing).await.unwrap_err();
    assert!(
        error.contains("does not start") && !error.contains("hush"),
        "{error}"
    );
}

#[tokio::test]
async fn a_directory_says_what_its_file_system_has() {
    let folder = tempfile::tempdir().unwrap();
    let space = ask(Source::Path(folder.path().to_path_buf()))
        .await
        .unwrap();
    assert!(space.used_bytes.unwrap() + space.available_bytes.unwrap() <= space.capacity_bytes);
    assert_eq!(space.source, CapacitySource::Path);
    let error = ask(Source::Path(folder.path().join("missing")))
        .await
        .unwrap_err();
    assert!(error.contains("missing"), "{error}");
}

#[tokio::test]
async fn an_answer_holds_until_it_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("says");
    std::fs::write(&file, "1000").unwrap();
    let cat = Source::Command(Program {
        program: "/bin/cat".to_owned(),
        arguments: vec![file.to_string_lossy().into_owned()],
        timeout: Duration::from_secs(60),
    });
    let entry = ConfiguredCapacity {
        place: None,
        file_system: None,
        on: None,
        sources: vec![cat],
    };
    let capacities = Capacities::new(&[entry]);
    let at = |minutes: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
    let seen = async |minutes: i64| {
        let mut facts = InstanceFacts::default();
        capacities.ask(at(minutes)).await.apply_to_facts(&mut facts);
        match facts.capacity {
            Figure::Known(known) => Ok((known.capacity_bytes, known.source_at)),
            Figure::Absent(reason) => Err(reason),
        }
    };
    assert_eq!(seen(0).await, Ok((1000, Some(at(0)))));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(seen(15).await, Ok((1000, Some(at(0)))), "with its age");
    let error = seen(16).await.unwrap_err();
    assert!(
        error.contains("command") && error.contains("failed"),
        "{error}"
    );
    // A resize is seen at once.
    std::fs::write(&file, "2000").unwrap();
    assert_eq!(seen(17).await, Ok((2000, Some(at(17)))));
}

/// Answers as a query asks it to.
async fn answer(
    State(here): State<SocketAddr>,
    Query(query): Query<std::collections::BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let vector = |values: &[&str]| {
        let at = now().as_second();
        let elements: Vec<_> = values
            .iter()
            .map(|value| format!("{{\"metric\":{{}},\"value\":[{at}.5,\"{value}\"]}}"))
            .collect();
        format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"vector\",\"result\":[{}]}}}}",
            elements.join(",")
        )
    };
    let login = headers.get("authorization").map(|it| it.to_str().unwrap());
    match query["query"].as_str() {
        "capacity" => vector(&["1e12"]).into_response(),
        "available" => vector(&["4e11"]).into_response(),
        "empty" => vector(&[]).into_response(),
        "two" => vector(&["1", "2"]).into_response(),
        "scalar" => format!(
            "{{\"status\":\"success\",\"data\":{{\"resultType\":\"scalar\",\"result\":[{},\"5\"]}}}}",
            now().as_second()
        )
        .into_response(),
        "matrix" => "{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[]}}".into_response(),
        "old" => "{\"status\":\"success\",\"data\":{\"resultType\":\"scalar\",\"result\":[1000,\"5\"]}}".into_response(),
        "error" => (
            StatusCode::UNPROCESSABLE_ENTITY,
            "{\"status\":\"error\",\"errorType\":\"execution\",\"error\":\"hush\"}",
        )
            .into_response(),
        "html" => "<html>".into_response(),
        "large" => "x".repeat(2 << 20).into_response(),
        "elsewhere" => Redirect::temporary(&format!("http://{here}/taken?query=capacity")).into_response(),
        "hangs" => std::future::pending().await,
        "token" if login == Some("Bearer s3cret") => vector(&["7"]).into_response(),
        "password" if login == Some("Basic dTpzM2NyZXQ=") => vector(&["8"]).into_response(),
        "token" | "password" => StatusCode::UNAUTHORIZED.into_response(),
        other => vector(&[other]).into_response(),
    }
}

#[tokio::test]
async fn prometheus_answers_with_one_number_or_not_at_all() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/under/api/v1/query", get(answer))
        .with_state(here);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s3cret\n").unwrap();
    let source = |capacity: &str, available: Option<&str>, login: Login, millis: u64| {
        Source::Prometheus(Prometheus {
            url: format!("http://{here}/under/").parse().unwrap(),
            capacity: capacity.to_owned(),
            available: available.map(str::to_owned),
            login,
            timeout: Duration::from_millis(millis),
        })
    };
    let asked = |capacity: &str| ask(source(capacity, None, Login::None, 60_000));
    let space = ask(source("capacity", Some("available"), Login::None, 60_000))
        .await
        .unwrap();
    assert_eq!(
        (
            space.capacity_bytes,
            space.used_bytes,
            space.available_bytes
        ),
        (
            1_000_000_000_000,
            Some(600_000_000_000),
            Some(400_000_000_000)
        )
    );
    assert_eq!(asked("scalar").await.unwrap().capacity_bytes, 5);
    let token = ask(source("token", None, Login::Token(secret.clone()), 60_000))
        .await
        .unwrap();
    let password = ask(source(
        "password",
        None,
        Login::Password("u".to_owned(), secret.clone()),
        60_000,
    ))
    .await
    .unwrap();
    assert_eq!((token.capacity_bytes, password.capacity_bytes), (7, 8));
    for (query, expect) in [
        ("empty", "nothing"),
        ("two", "2 series"),
        ("matrix", "neither a vector"),
        ("old", "another time"),
        ("error", "refuses the query (execution)"),
        ("html", "does not answer as Prometheus"),
        ("large", "more than"),
        ("elsewhere", "sends elsewhere"),
        ("token", "refuses to answer (401"),
        ("NaN", "NaN"),
        ("+Inf", "inf"),
        ("-1", "-1"),
        ("1e300", "with"),
        ("0", "capacity of 0"),
    ] {
        let error = asked(query).await.unwrap_err();
        assert!(
            error.contains(expect) && !error.contains("hush"),
            "{query}: {error}"
        );
    }
    let wrong = ask(source(
        "token",
        None,
        Login::Password("u".to_owned(), secret),
        60_000,
    ))
    .await
    .unwrap_err();
    assert!(
        wrong.contains("401") && !wrong.contains("s3cret"),
        "{wrong}"
    );
    let gone = ask(source(
        "token",
        None,
        Login::Token(folder.path().join("gone")),
        60_000,
    ))
    .await
    .unwrap_err();
    assert!(gone.contains("gone"), "{gone}");
    let hung = ask(source("hangs", None, Login::None, 300))
        .await
        .unwrap_err();
    assert!(hung.contains("timeout"), "{hung}");
    serving.abort();
    let nobody = ask(source("capacity", None, Login::None, 60_000));
    drop(serving.await);
    assert!(nobody.await.is_err());
}
