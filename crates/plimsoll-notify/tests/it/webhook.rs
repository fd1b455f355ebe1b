//! Webhooks: whatever a receiver does, it gets every message in the end, under one id, signed.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_notify::{Channel, SendErrorCode, delivery_key};
use serde_json::{Value, json};

use crate::receiver::{Does, Got, Receiver, answers};
use crate::schema;
use crate::support::{HOSTILE, HUSH, channel, message, python, script};

const SECRETS: [&str; 2] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_bmV3LXNlY3JldC1uZXctc2VjcmV0LW5ldw==",
];

fn webhook(receiver: &Receiver, timeout: &str) -> Channel {
    channel(&format!(
        "kind = 'webhook'\nurl = 'http://{HUSH}:{HUSH}@{}/{HUSH}?{HUSH}'\nsecret = {SECRETS:?}\ntimeout = '{timeout}'",
        receiver.address
    ))
}

#[tokio::test]
async fn whatever_a_receiver_does_it_gets_the_message_under_one_id_in_the_end() {
    let header = |line: &str| Does::Answers(429, format!("{line}\r\n"), HUSH);
    let elsewhere = "location: http://127.0.0.1:1/\r\n".to_owned();
    let steps = [
        (answers(500), SendErrorCode::Busy, None),
        (header("retry-after: 7"), SendErrorCode::Busy, Some(7)),
        (
            Does::Answers(503, "retry-after: 9\r\n".to_owned(), ""),
            SendErrorCode::Busy,
            Some(9),
        ),
        (
            Does::Answers(302, elsewhere, ""),
            SendErrorCode::Refused,
            None,
        ),
        (answers(401), SendErrorCode::Refused, None),
        (answers(404), SendErrorCode::Refused, None),
        (Does::Closes, SendErrorCode::Unreachable, None),
        (Does::ClosesInHead, SendErrorCode::Unreachable, None),
        (Does::ClosesInBody, SendErrorCode::Unreachable, None),
        (Does::Hangs, SendErrorCode::TimedOut, None),
        (Does::Drips, SendErrorCode::TimedOut, None),
    ];
    let receiver = Receiver::start(steps.iter().map(|(does, ..)| does.clone())).await;
    let slow = webhook(&receiver, "60s");
    let quick = webhook(&receiver, "500ms");
    let messages: Vec<_> = HOSTILE
        .iter()
        .enumerate()
        .map(|(at, name)| message(&format!("key-{at}"), name))
        .collect();
    let sent_at = Timestamp::now();
    for (at, (does, code, retry_after)) in steps.iter().enumerate() {
        let channel = if *code == SendErrorCode::TimedOut {
            &quick
        } else {
            &slow
        };
        let now = sent_at + Duration::from_secs(at as u64);
        let error = channel.send(&messages, now).await.unwrap_err();
        assert_eq!(
            (error.code, error.retry_after.map(|wait| wait.as_secs())),
            (*code, *retry_after),
            "{does:?}: {error}"
        );
        assert!(error.retry_helps());
        let shown = format!("{error} {error:?} {channel:?}");
        assert!(!shown.contains(HUSH), "{shown}");
        assert!(
            error.text.contains(&format!("http://{}", receiver.address)),
            "{error}"
        );
    }
    slow.send(&messages, sent_at).await.unwrap();
    let got = receiver.got();
    assert_eq!(got.len(), steps.len() + 1, "each was sent once");
    let id = delivery_key(&messages);
    for (at, got) in got.iter().enumerate() {
        assert_eq!(got.line, format!("POST /{HUSH}?{HUSH} HTTP/1.1"));
        assert_eq!(got.headers["webhook-id"], id);
        assert_eq!(got.headers["content-type"], "application/json");
        assert!(got.headers["authorization"].starts_with("Basic "));
        let offset = i64::try_from(if at < steps.len() { at } else { 0 }).unwrap();
        assert_eq!(
            got.headers["webhook-timestamp"],
            (sent_at.as_second() + offset).to_string()
        );
    }
    assert!(got.windows(2).all(|two| two[0].body == two[1].body));
    let body: Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(
        (&body["type"], &body["key"]),
        (&json!("plimsoll.alerts"), &json!(id))
    );
    let names: Vec<_> = body["data"]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["table_name"].clone())
        .collect();
    assert_eq!(json!(names), json!(HOSTILE), "names stand as they are");
    assert_eq!(body["data"]["messages"][0]["key"], "key-0");
    check(&got);
}

/// By a library that is not ours, and by the schema.
fn check(got: &[Got]) {
    let Some(python) = python() else {
        eprintln!("Aiosmtpd: not tested: it is not installed (scripts/fetch-receivers)");
        return;
    };
    let requests: Vec<_> = got
        .iter()
        .map(|got| json!({"headers": got.headers, "body": got.body, "secrets": SECRETS}))
        .collect();
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string(schema::path()).unwrap()).unwrap();
    let given = json!({"schema": schema, "requests": requests, "other_secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"});
    let mut child = Command::new(python)
        .arg(script("check_webhook.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(given.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said.trim(), format!("checked {}", got.len()), "{complaint}");
}

#[tokio::test]
async fn a_message_that_will_never_be_taken_is_told_apart() {
    let receiver = Receiver::start([400, 410, 413, 415, 422].map(answers)).await;
    let webhook = webhook(&receiver, "60s");
    for _ in 0..5 {
        let error = webhook
            .send(&[message("k", "t")], Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.code, SendErrorCode::Rejected);
        assert!(!error.retry_helps());
    }
}

#[tokio::test]
async fn an_answer_without_end_is_read_no_further() {
    let receiver = Receiver::start([Does::Floods]).await;
    let webhook = webhook(&receiver, "60s");
    webhook
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_there_is_unreachable_and_a_missing_secret_is_said() {
    let receiver = Receiver::start([]).await;
    let gone = webhook(&receiver, "60s");
    drop(receiver);
    tokio::task::yield_now().await;
    let error = gone
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::Unreachable);
    assert!(!error.text.contains(HUSH), "{error}");
    let nowhere = channel(
        "kind = 'webhook'\nurl = 'http://host.invalid/hush-hush'\nsecret_file = '/no/such/file'",
    );
    let error = nowhere
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::NotReady);
    assert!(error.text.contains("/no/such/file"), "{error}");
}

#[tokio::test]
async fn a_hanging_receiver_holds_up_nobody_and_is_left_at_once() {
    let hangs = Receiver::start(vec![Does::Hangs; 30]).await;
    let well = Receiver::start([]).await;
    let sent = message("k", "t");
    let mut hanging = Vec::new();
    for _ in 0..30 {
        let (channel, sent) = (webhook(&hangs, "60s"), sent.clone());
        hanging.push(tokio::spawn(async move {
            channel.send(&[sent], Timestamp::now()).await
        }));
    }
    while hangs.got().len() < 30 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    webhook(&well, "60s")
        .send(&[sent], Timestamp::now())
        .await
        .unwrap();
    assert!(
        hanging.iter().all(|one| !one.is_finished()),
        "the others still wait"
    );
    for one in hanging {
        one.abort();
        assert!(one.await.unwrap_err().is_cancelled());
    }
    // Closed, so that the runtime need not wait for their limit.
    drop(hangs);
}
