//! Mail, to a real server, read as Python's own library reads it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use jiff::Timestamp;
use plimsoll_notify::{Channel, Event, Message, SendErrorCode};
use serde_json::Value;

use crate::support::{
    Certificate, Folder, HOSTILE, HUSH, channel, folder, message, python, script,
};

/// A mail server; it ends with the test.
struct Server {
    port: u16,
    child: Child,
    lines: BufReader<ChildStdout>,
    _stdin: Option<ChildStdin>,
}

impl Server {
    fn start(python: &Path, mode: &str, certificate: &Certificate) -> Self {
        let mut child = Command::new(python)
            .arg(script("mail.py"))
            .arg(mode)
            .args([&certificate.chain, &certificate.key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        Self {
            port: line.trim().parse().unwrap(),
            child,
            lines,
            _stdin: stdin,
        }
    }

    /// The next mail that it took.
    fn mail(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn channel(&self, folder: &Folder, tls: &str, more: &str) -> Channel {
        channel(&format!(
            "kind = 'smtp'\nhost = 'localhost'\nport = {}\ntls = '{tls}'\nfrom = 'Plimsoll <plimsoll@example.org>'\n\
             ca_file = '{}'\ntimeout = '60s'\n{more}",
            self.port,
            folder.authority.display()
        ))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const TO: &str = "to = ['Ops <ops@example.org>']";

fn header<'a>(mail: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers
        .filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name))
        .map(|header| header[1].as_str().unwrap())
        .collect()
}

fn here() -> Option<PathBuf> {
    let python = python();
    match python {
        Some(_) => eprintln!("Aiosmtpd: tested"),
        None => eprintln!("Aiosmtpd: not tested: it is not installed (scripts/fetch-receivers)"),
    }
    python
}

#[tokio::test]
async fn mail_over_starttls_is_whole_whatever_is_in_a_name() {
    let Some(python) = here() else { return };
    let folder = folder();
    let mut server = Server::start(&python, "starttls", &folder.certificate);
    let login = format!(
        "user = 'plimsoll'\npassword_file = '{}'",
        folder.folder.path().join("password").display()
    );
    let mail = server.channel(&folder, "starttls", &format!("{TO}\n{login}"));
    for (at, name) in HOSTILE.iter().enumerate() {
        let message = message(&format!("key-{at}"), name);
        mail.send(std::slice::from_ref(&message), Timestamp::now())
            .await
            .unwrap();
        let got = server.mail();
        assert_eq!(
            (&got["tls"], got["user"].as_str()),
            (&Value::Bool(true), Some("plimsoll"))
        );
        assert_eq!(got["defects"].as_array().unwrap().len(), 0, "{got}");
        assert_eq!(got["to"], serde_json::json!(["ops@example.org"]));
        let subject = header(&got, "subject");
        assert_eq!(subject.len(), 1);
        let shown = plimsoll_core::name::visible(&message.headline).into_owned();
        assert_eq!(subject[0], format!("[warning] {shown}"));
        assert_eq!(header(&got, "auto-submitted"), ["auto-generated"]);
        assert_eq!(
            header(&got, "message-id"),
            [format!("<key-{at}@example.org>")]
        );
        assert!(header(&got, "bcc").is_empty() && header(&got, "in-reply-to").is_empty());
        assert!(got["longest"].as_u64().unwrap() <= 78, "{got}");
        let body = got["body"].as_str().unwrap();
        assert!(
            body.contains("Since yesterday.") && body.contains("Alert 17, growth_warning."),
            "{body}"
        );
        assert!(!body.contains('\u{202e}'), "{body}");
    }
}

#[tokio::test]
async fn mail_over_tls_says_how_it_goes_on_in_one_thread() {
    let Some(python) = here() else { return };
    let folder = folder();
    let mut server = Server::start(&python, "tls", &folder.certificate);
    let mail = server.channel(&folder, "tls", "to = ['a@example.org', 'b@example.org']");
    let first = message("first", "orders");
    let end = Message {
        key: "end".to_owned(),
        thread: "first".to_owned(),
        event: Event::Resolved,
        ..first.clone()
    };
    mail.send(&[first], Timestamp::now()).await.unwrap();
    mail.send(&[end.clone(), message("other", "mails")], Timestamp::now())
        .await
        .unwrap();
    mail.send(&[end], Timestamp::now()).await.unwrap();
    let (one, both, last) = (server.mail(), server.mail(), server.mail());
    assert_eq!(one["tls"], true);
    assert_eq!(
        one["to"],
        serde_json::json!(["a@example.org", "b@example.org"])
    );
    assert_eq!(
        header(&both, "in-reply-to"),
        ["<first@example.org> <other@example.org>"]
    );
    assert!(header(&both, "subject")[0].starts_with("[warning] 2 messages, first mails on prod"));
    assert_eq!(header(&last, "in-reply-to"), ["<first@example.org>"]);
    assert_eq!(header(&last, "references"), ["<first@example.org>"]);
    assert!(header(&last, "subject")[0].starts_with("[resolved] orders on prod"));
}

#[tokio::test]
async fn mail_never_goes_in_the_clear_unless_asked_to() {
    let Some(python) = here() else { return };
    let folder = folder();
    let mut server = Server::start(&python, "plain", &folder.certificate);
    let sent = [message("k", "t")];
    for tls in ["starttls", "tls"] {
        let error = server
            .channel(&folder, tls, TO)
            .send(&sent, Timestamp::now())
            .await
            .unwrap_err();
        assert!(error.retry_helps(), "{error}");
    }
    let asked = server.channel(&folder, "none", TO);
    asked.send(&sent, Timestamp::now()).await.unwrap();
    assert_eq!(server.mail()["tls"], false, "and the others sent nothing");
}

#[tokio::test]
async fn whom_nobody_vouches_for_gets_nothing() {
    let Some(python) = here() else { return };
    let folder = folder();
    for mode in ["starttls", "tls"] {
        let server = Server::start(&python, mode, &folder.certificate);
        let settings = format!(
            "kind = 'smtp'\nhost = 'localhost'\nport = {}\ntls = '{mode}'\nfrom = 'p@example.org'\n{TO}",
            server.port
        );
        let error = channel(&settings)
            .send(&[message("k", "t")], Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.code, SendErrorCode::Unreachable);
        assert!(error.text.contains("certificate"), "{error}");
        let gone = format!("{settings}\nca_file = '/no/such/file'");
        let error = channel(&gone)
            .send(&[message("k", "t")], Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.code, SendErrorCode::NotReady);
    }
}

#[tokio::test]
async fn what_the_server_says_is_told_but_never_a_password() {
    let Some(python) = here() else { return };
    let folder = folder();
    let mut server = Server::start(&python, "starttls", &folder.certificate);
    let sent = [message("k", "t")];
    let password = |name: &str| {
        format!(
            "user = 'plimsoll'\npassword_file = '{}'",
            folder.folder.path().join(name).display()
        )
    };
    let wrong = server.channel(&folder, "starttls", &format!("{TO}\n{}", password("wrong")));
    let error = wrong.send(&sent, Timestamp::now()).await.unwrap_err();
    assert_eq!(error.code, SendErrorCode::Refused);
    assert!(
        !error.text.contains(HUSH) && error.text.contains("repeats the password"),
        "{error}"
    );
    let good = password("password");
    let send = async |to: &str| {
        let channel = server.channel(&folder, "starttls", &format!("to = {to}\n{good}"));
        channel.send(&sent, Timestamp::now()).await
    };
    let busy = send("['busy@example.org']").await.unwrap_err();
    assert_eq!(busy.code, SendErrorCode::Busy);
    assert!(busy.text.contains("come again"), "{busy}");
    let unknown = send("['unknown@example.org']").await.unwrap_err();
    assert_eq!(unknown.code, SendErrorCode::Rejected);
    assert!(unknown.text.contains("no such user"), "{unknown}");
    // One who is not known keeps it from nobody else.
    send("['unknown@example.org', 'a@example.org']")
        .await
        .unwrap();
    assert_eq!(server.mail()["to"], serde_json::json!(["a@example.org"]));
}

#[tokio::test]
async fn a_mail_server_that_hangs_is_left_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hangs = channel(&format!(
        "kind = 'smtp'\nhost = '127.0.0.1'\nport = {port}\ntls = 'none'\nfrom = 'p@example.org'\n{TO}\ntimeout = '300ms'"
    ));
    let error = hangs
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::TimedOut);
    drop(listener);
    let error = hangs
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::Unreachable, "{error}");
}
