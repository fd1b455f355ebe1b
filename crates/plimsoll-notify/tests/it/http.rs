//! Slack's webhooks and heartbeats, over HTTP.

use jiff::Timestamp;
use plimsoll_notify::{Channel, Message, SendErrorCode};
use serde_json::Value;

use crate::receiver::{Does, Receiver, answers};
use crate::support::{HOSTILE, HUSH, channel, folder, message};

fn slack(receiver: &Receiver) -> Channel {
    channel(&format!(
        "kind = 'slack'\nurl = 'http://{}/services/{HUSH}'",
        receiver.address
    ))
}

#[tokio::test]
async fn slack_gets_text_in_which_no_name_calls_anybody() {
    let receiver = Receiver::start([]).await;
    let slack = slack(&receiver);
    for name in HOSTILE {
        slack
            .send(&[message("k", name)], Timestamp::now())
            .await
            .unwrap();
    }
    for got in receiver.got() {
        let body: Value = serde_json::from_str(&got.body).unwrap();
        let text = body["text"].as_str().unwrap();
        assert!(text.starts_with("🟡 warning: "), "{text}");
        assert!(!text.contains(['<', '>', '\u{202e}', '\r']), "{text}");
        assert!(!text.contains("@all") && !text.contains("]("), "{text}");
        assert_eq!(body["mrkdwn"], false);
    }
    let all: String = receiver.got().into_iter().map(|got| got.body).collect();
    assert!(
        all.contains("&lt;!channel&gt;") && all.contains("🐘abc"),
        "{all}"
    );
}

#[tokio::test]
async fn slacks_word_is_told_and_nothing_else_that_it_says() {
    let said = |status, body| Does::Answers(status, String::new(), body);
    let receiver = Receiver::start([
        said(400, "invalid_payload"),
        said(403, "hush-hush"),
        said(404, "no_service"),
        Does::Answers(429, "retry-after: 30\r\n".to_owned(), ""),
    ])
    .await;
    let slack = slack(&receiver);
    for (code, part) in [
        (
            SendErrorCode::Rejected,
            "(400 Bad Request): invalid_payload",
        ),
        (SendErrorCode::Refused, "403"),
        (SendErrorCode::Refused, ": no_service"),
        (SendErrorCode::Busy, "429"),
    ] {
        let error = slack
            .send(&[message("k", "t")], Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.code, code);
        assert!(
            error.text.contains(part) && !error.text.contains(HUSH),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_heartbeat_is_called_and_takes_no_message() {
    let receiver = Receiver::start([answers(200), answers(500)]).await;
    let heartbeat = channel(&format!(
        "kind = 'heartbeat'\nurl = 'http://{}/ping/{HUSH}'",
        receiver.address
    ));
    assert!(heartbeat.beats() && !heartbeat.takes_messages() && !heartbeat.resends());
    heartbeat.beat(Timestamp::now()).await.unwrap();
    let error = heartbeat.beat(Timestamp::now()).await.unwrap_err();
    assert!(
        error.text.contains("500") && !error.text.contains(HUSH),
        "{error}"
    );
    let none: [Message; 0] = [];
    heartbeat.send(&none, Timestamp::now()).await.unwrap();
    heartbeat
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap();
    let lines: Vec<_> = receiver.got().into_iter().map(|got| got.line).collect();
    assert_eq!(
        lines,
        [
            format!("GET /ping/{HUSH} HTTP/1.1"),
            format!("GET /ping/{HUSH} HTTP/1.1")
        ]
    );
}

#[tokio::test]
async fn over_tls_only_who_is_vouched_for_gets_something() {
    let folder = folder();
    let receiver = Receiver::start_over_tls(&folder.certificate).await;
    let port = receiver.address.port();
    let sent = [message("k", "t")];
    let to = |host: &str, more: &str| {
        channel(&format!(
            "kind = 'slack'\nurl = 'https://{host}:{port}/{HUSH}'\n{more}"
        ))
    };
    let authority = format!("ca_file = '{}'", folder.authority.display());
    // Nobody vouches for it; it is another's certificate.
    for (host, more) in [("localhost", ""), ("127.0.0.1", authority.as_str())] {
        let error = to(host, more)
            .send(&sent, Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.code, SendErrorCode::Unreachable);
        assert!(
            error.text.contains("certificate") && !error.text.contains(HUSH),
            "{error}"
        );
    }
    for (text, part) in [
        ("no certificate", "holds no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "none",
        ),
    ] {
        let wrong = folder.folder.path().join("wrong.pem");
        std::fs::write(&wrong, text).unwrap();
        let error = to("localhost", &format!("ca_file = '{}'", wrong.display()));
        let error = error.send(&sent, Timestamp::now()).await.unwrap_err();
        assert_eq!(error.code, SendErrorCode::NotReady);
        assert!(error.text.contains(part), "{error}");
    }
    assert!(receiver.got().is_empty());
    to("localhost", &authority)
        .send(&sent, Timestamp::now())
        .await
        .unwrap();
    assert_eq!(receiver.got().len(), 1);
}
