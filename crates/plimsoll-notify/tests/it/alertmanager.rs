//! Alertmanager: Debian's, where it is installed, and one that is told what to answer.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_call::http::{Request, call};
use plimsoll_call::{Address, Login};
use plimsoll_notify::{Channel, Event, Message, SendErrorCode, Severity};
use serde_json::{Value, json};

use crate::receiver::{Does, Receiver, answers};
use crate::support::{HOSTILE, HUSH, channel, message};

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The alerts that fire there, by name, severity and table, with when they began and end.
async fn firing(port: u16) -> Option<Vec<Value>> {
    let address = format!("http://127.0.0.1:{port}/api/v2/alerts?active=true");
    let answer = call(Request {
        address: Address::parse(&address.into()).unwrap(),
        login: Login::None,
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(60),
        ca_file: None,
        most_bytes: 1 << 20,
    });
    let answer = answer.await.ok()?;
    let mut alerts: Vec<Value> = serde_json::from_slice(&answer.body).ok()?;
    alerts.sort_by_key(|alert| alert["labels"].to_string());
    Some(alerts)
}

fn labels(alerts: &[Value]) -> Vec<Value> {
    alerts.iter().map(|alert| alert["labels"].clone()).collect()
}

#[tokio::test]
async fn debians_alertmanager_sees_an_alert_open_get_worse_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("alertmanager.yml");
    // What has no end of its own would end after a second.
    std::fs::write(&config, "global: { resolve_timeout: 1s }\nroute: { receiver: nobody }\nreceivers: [{ name: nobody }]\n").unwrap();
    // A port that is free now; nobody else takes it in a moment.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let started = Command::new("prometheus-alertmanager")
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--cluster.listen-address=")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut running = match started {
        Ok(child) => Running(child),
        Err(error) => {
            eprintln!(
                "Alertmanager: not tested: it cannot be started ({error}; scripts/fetch-alertmanager)"
            );
            return;
        }
    };
    while firing(port).await.is_none() {
        if let Some(status) = running.0.try_wait().unwrap() {
            eprintln!(
                "Alertmanager: not tested: it does not run here ({status}; scripts/fetch-alertmanager)"
            );
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    eprintln!("Alertmanager: tested");
    // One member of two is gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let alertmanager = channel(&format!(
        "kind = 'alertmanager'\nurls = ['http://127.0.0.1:{gone}', 'http://127.0.0.1:{port}']\ntimeout = '60s'"
    ));
    assert!(alertmanager.resends() && alertmanager.beats());

    // Alerts opened a while ago are told with all that they may be called.
    let opened_at = Timestamp::now() - SignedDuration::from_mins(2);
    let opened = |name: &str| Message {
        created_at: opened_at,
        at: opened_at,
        ..message("k", name)
    };
    let messages: Vec<_> = HOSTILE.iter().map(|name| opened(name)).collect();
    alertmanager
        .send(&messages, Timestamp::now())
        .await
        .unwrap();
    let alerts = firing(port).await.unwrap();
    let mut names: Vec<_> = labels(&alerts)
        .iter()
        .map(|labels| labels["table_name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    let mut expect = HOSTILE.map(str::to_owned);
    expect.sort();
    assert_eq!(names, expect, "names are whole");
    // Beyond its own time to resolve.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(
        labels(&firing(port).await.unwrap()),
        labels(&alerts),
        "they fire on"
    );
    for name in HOSTILE {
        let end = Message {
            event: Event::Resolved,
            resolved_at: Some(Timestamp::now()),
            ..opened(name)
        };
        alertmanager.send(&[end], Timestamp::now()).await.unwrap();
    }
    assert_eq!(firing(port).await.unwrap(), Vec::<Value>::new());

    // Worse: one fires, the other is gone, and both have the same beginning.
    let first = opened("orders");
    alertmanager
        .send(std::slice::from_ref(&first), Timestamp::now())
        .await
        .unwrap();
    let before = firing(port).await.unwrap();
    let worse = Message {
        event: Event::Escalated,
        severity: Severity::Critical,
        previous_severity: Some(Severity::Warning),
        at: Timestamp::now(),
        ..first.clone()
    };
    alertmanager
        .send(std::slice::from_ref(&worse), Timestamp::now())
        .await
        .unwrap();
    let after = firing(port).await.unwrap();
    assert_eq!(
        labels(&after),
        [
            json!({"alertname": "PlimsollGrowthWarning", "alert_type": "growth_warning", "severity": "critical",
                "server": "prod", "database": "shop", "schema_name": "public", "table_name": "orders"})
        ]
    );
    assert_eq!(
        (labels(&before)[0]["severity"].as_str(), before.len()),
        (Some("warning"), 1)
    );
    assert_eq!(after[0]["startsAt"], before[0]["startsAt"]);
    assert_eq!(
        after[0]["annotations"]["runbook_url"],
        "docs/runbooks/growth_warning.md"
    );
    // Sent again, as each minute, it lasts longer.
    alertmanager
        .send(
            std::slice::from_ref(&worse),
            Timestamp::now() + SignedDuration::from_mins(1),
        )
        .await
        .unwrap();
    let again = firing(port).await.unwrap();
    assert_eq!(labels(&again), labels(&after));
    assert!(again[0]["endsAt"].as_str().unwrap() > after[0]["endsAt"].as_str().unwrap());

    alertmanager.beat(Timestamp::now()).await.unwrap();
    let end = Message {
        event: Event::Resolved,
        resolved_at: Some(Timestamp::now()),
        previous_severity: None,
        ..worse
    };
    alertmanager.send(&[end], Timestamp::now()).await.unwrap();
    let left = labels(&firing(port).await.unwrap());
    assert_eq!(
        left,
        [json!({"alertname": "PlimsollWatchdog", "severity": "none"})]
    );
}

fn both(one: &Receiver, other: &Receiver) -> Channel {
    channel(&format!(
        "kind = 'alertmanager'\nurls = ['http://{}/{HUSH}', 'http://{}/{HUSH}']\ntimeout = '60s'",
        one.address, other.address
    ))
}

#[tokio::test]
async fn what_is_refused_together_is_sent_one_by_one() {
    let bad = Does::Answers(400, String::new(), "\"bad label\"");
    let receiver = Receiver::start([bad.clone(), answers(200), bad.clone(), answers(200)]).await;
    let alertmanager = channel(&format!(
        "kind = 'alertmanager'\nurls = ['http://{}']",
        receiver.address
    ));
    let three = ["a", "b", "c"].map(|table| message(table, table));
    let error = alertmanager
        .send(&three, Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::Rejected);
    assert!(
        error.text.contains("bad label") && error.text.ends_with("(1 of 3)"),
        "{error}"
    );
    let sizes: Vec<_> = receiver
        .got()
        .iter()
        .map(|got| {
            let alerts: Vec<Value> = serde_json::from_str(&got.body).unwrap();
            (got.line.clone(), alerts.len())
        })
        .collect();
    let line = "POST /api/v2/alerts HTTP/1.1".to_owned();
    assert_eq!(
        sizes,
        [
            (line.clone(), 3),
            (line.clone(), 1),
            (line.clone(), 1),
            (line, 1)
        ]
    );
}

#[tokio::test]
async fn one_member_that_takes_it_is_enough_and_none_is_an_error() {
    let bad = Does::Answers(400, String::new(), "");
    let busy = Does::Answers(503, "retry-after: 5\r\n".to_owned(), "");
    let (one, other) = (
        Receiver::start([bad.clone(), busy.clone(), bad.clone(), answers(302)]).await,
        Receiver::start([answers(200), busy, bad, answers(500)]).await,
    );
    let alertmanager = both(&one, &other);
    let sent = [message("k", "t")];
    alertmanager.send(&sent, Timestamp::now()).await.unwrap();
    let error = alertmanager
        .send(&sent, Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(
        (error.code, error.retry_after),
        (SendErrorCode::Busy, Some(Duration::from_secs(5)))
    );
    assert!(
        error.text.contains(&one.address.to_string())
            && error.text.contains(&other.address.to_string())
    );
    let error = alertmanager
        .send(&sent, Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::Rejected);
    let error = alertmanager
        .send(&sent, Timestamp::now())
        .await
        .unwrap_err();
    assert!(
        error.retry_helps() && error.text.contains("name that address as `urls`"),
        "{error}"
    );
    assert!(!error.text.contains(HUSH), "{error}");
}

#[tokio::test]
async fn a_token_goes_along_and_is_not_shown() {
    let receiver = Receiver::start([answers(401)]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{HUSH}\n")).unwrap();
    let alertmanager = channel(&format!(
        "kind = 'alertmanager'\nurls = ['http://{}']\ntoken_file = '{}'",
        receiver.address,
        file.path().display()
    ));
    let error = alertmanager
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::Refused);
    assert!(
        !format!("{error:?} {alertmanager:?}").contains(HUSH),
        "{error}"
    );
    assert_eq!(
        receiver.got()[0].headers["authorization"],
        format!("Bearer {HUSH}")
    );
}
