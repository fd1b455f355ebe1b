//! A running `serve` and the receivers that people have: Debian's Alertmanager, a mail server, a webhook by the library of
//! Standard Webhooks. What is not installed here is named and left out.
#![expect(clippy::print_stderr, reason = "what is tested here is said")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use throwaway_postgres::test;

use crate::receiver::{Got, Receiver, SECRET, any};
use crate::serve::Service;
use crate::server_faults::wait_until;
use crate::support::{Home, new_database};

/// A name that breaks what does not escape.
const HOSTILE: &str = "a\"b'c\\d <!channel>\r\nBcc: evil@example.org|x=y";

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Debian's Alertmanager, where what has no end of its own would end after a second.
struct Alertmanager {
    port: u16,
    _running: Running,
    _folder: tempfile::TempDir,
}

impl Alertmanager {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("alertmanager.yml");
        let text = "global: { resolve_timeout: 1s }\nroute: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";
        std::fs::write(&config, text).unwrap();
        // a port that is free now; nobody else takes it in a moment
        let port = any().local_addr().unwrap().port();
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
                return None;
            }
        };
        while alerts(port).is_none() {
            if let Some(status) = running.0.try_wait().unwrap() {
                eprintln!(
                    "Alertmanager: not tested: it does not run here ({status}; scripts/fetch-alertmanager)"
                );
                return None;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        eprintln!("Alertmanager: tested");
        Some(Self {
            port,
            _running: running,
            _folder: folder,
        })
    }

    /// The severity and the beginning of what fires there of this name, with whom it is about.
    fn firing(&self, alertname: &str) -> Vec<(String, String, Value)> {
        let all = alerts(self.port).unwrap();
        let all = all.as_array().unwrap().iter();
        let ours = all.filter(|alert| alert["labels"]["alertname"] == alertname);
        ours.map(|alert| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let labels = alert["labels"].clone();
            (text(&labels["severity"]), text(&alert["startsAt"]), labels)
        })
        .collect()
    }
}

fn alerts(port: u16) -> Option<Value> {
    let address = format!("http://127.0.0.1:{port}/api/v2/alerts?active=true");
    let text = ureq::get(address).call().ok()?.body_mut().read_to_string();
    serde_json::from_str(&text.ok()?).ok()
}

/// The Python that `scripts/fetch-receivers` gets, if it did.
fn python() -> Option<PathBuf> {
    let cached = |cache: &Path| cache.join("plimsoll/receivers/bin/python3");
    let var = |name| std::env::var_os(name).map(PathBuf::from);
    let user = var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
    [cached(Path::new("/var/cache"))]
        .into_iter()
        .chain(user.as_deref().map(cached))
        .find(|program| program.with_file_name("../packages").is_file())
}

fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// A mail server that takes mail over STARTTLS only, and reads it with Python's own library.
struct MailServer {
    port: u16,
    mails: Arc<Mutex<Vec<Value>>>,
    _running: Running,
    _stdin: Option<ChildStdin>,
}

impl MailServer {
    fn start(python: &Path, home: &Home) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let chain = home.write("ca.pem", &made.cert.pem());
        let key = home.write("key.pem", &made.signing_key.serialize_pem());
        home.write("password", "s3cret pass\n");
        let mut child = Command::new(python)
            .arg(beside("crates/plimsoll-notify/tests/receivers/mail.py"))
            .arg("starttls")
            .args([chain, key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().trim().parse().unwrap();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&mails);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock()
                    .unwrap()
                    .push(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            port,
            mails,
            _running: Running(child),
            _stdin: stdin,
        }
    }

    /// Their subjects.
    fn subjects(&self) -> Vec<String> {
        let mails = self.mails.lock().unwrap();
        mails
            .iter()
            .map(|mail| header(mail, "subject").remove(0))
            .collect()
    }
}

fn header(mail: &Value, name: &str) -> Vec<String> {
    let headers = mail["headers"].as_array().unwrap().iter();
    headers
        .filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name))
        .map(|header| header[1].as_str().unwrap().to_owned())
        .collect()
}

/// That the library of Standard Webhooks takes all that came, and the schema that the documentation has.
fn check_webhook(python: &Path, receiver: &Receiver) {
    let schema = std::fs::read_to_string(beside("docs/webhook.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let got = receiver.got();
    let requests = got
        .iter()
        .map(|got| json!({"headers": got.headers, "body": got.body, "secrets": [SECRET]}));
    let given = json!({
        "schema": schema,
        "requests": requests.collect::<Vec<_>>(),
        "other_secret": "whsec_bm90IHRoZSBzZWNyZXQgdGhhdCB0aGV5IHNoYXJl",
    });
    let mut child = Command::new(python)
        .arg(beside(
            "crates/plimsoll-notify/tests/receivers/check_webhook.py",
        ))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(given.to_string().as_bytes()).unwrap();
    drop(stdin);
    let ran = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert_eq!(said.trim(), format!("checked {}", got.len()), "{ran:?}");
}

fn fullness(file: &Path, percent: u64) {
    let (all, part) = (1_000_000_000_000_u64, 10_000_000_000 * percent);
    let space = json!({"capacity_bytes": all, "used_bytes": part, "available_bytes": all - part});
    // at once, so that nobody reads half of it
    let new = file.with_extension("new");
    std::fs::write(&new, space.to_string()).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn alertmanager_mail_and_a_webhook_are_told_by_serve_of_an_alert_that_opens_rises_and_ends() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let (home, webhook) = (Home::new(), Receiver::start());
    let (alertmanager, python) = (Alertmanager::start(), python());
    let mail = python
        .as_deref()
        .map(|python| MailServer::start(python, &home));
    match &mail {
        Some(_) => eprintln!("Aiosmtpd: tested"),
        None => eprintln!("Aiosmtpd: not tested: it is not installed (scripts/fetch-receivers)"),
    }
    let quoted = HOSTILE.replace('"', "\"\"");
    server
        .sql("postgres", &format!("create database \"{quoted}\""))
        .unwrap();
    let plain = new_database(server, "real");
    let file = home.path("volume");
    fullness(&file, 50);
    let mut config = format!(
        "[schedule]\ndisk = \"* * * * * *\"\n[alerts.filling_fast]\nenabled = false\n[alerts.time_to_full]\nenabled = false\n\
         [[instance]]\nname = \"main\"\nurl = \"{url}\"\n\
         [[capacity]]\ninstance = \"main\"\non = \"/dev/main\"\ncommand = [\"cat\", \"{file}\"]\n\
         [[instance]]\nname = \"hostile\"\nurl = \"{url}\"\ndatabases = [{name}]\n\
         [[capacity]]\ninstance = \"hostile\"\ndatabase = {name}\nbytes = \"1MB\"\n\
         [[capacity]]\ninstance = \"hostile\"\non = \"/dev/hostile\"\ncommand = [\"cat\", \"{elsewhere}\"]\n{webhook}",
        url = server.url(&plain),
        file = file.display(),
        name = json!(HOSTILE),
        elsewhere = {
            let elsewhere = home.path("elsewhere");
            fullness(&elsewhere, 50);
            elsewhere
        }
        .display(),
        webhook = webhook.channel("hook", ""),
    );
    if let Some(alertmanager) = &alertmanager {
        config += &format!(
            "[[channel]]\nname = \"alertmanager\"\nkind = \"alertmanager\"\nurls = [\"http://127.0.0.1:{}\"]\n",
            alertmanager.port
        );
    }
    if let Some(mail) = &mail {
        config += &format!(
            "[[channel]]\nname = \"mail\"\nkind = \"smtp\"\nhost = \"localhost\"\nport = {}\ntls = \"starttls\"\n\
             from = \"Plimsoll <plimsoll@example.org>\"\nto = [\"ops@example.org\"]\nuser = \"plimsoll\"\n\
             password_file = \"{}\"\nca_file = \"{}\"\n",
            mail.port,
            home.path("password").display(),
            home.path("ca.pem").display()
        );
    }
    let config = home.write("plimsoll.toml", &config);
    let mut command = home.plimsoll();
    command.arg("--config").arg(&config);
    let service = Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]));
    wait_until("the volume is not known", || {
        let (_, disk) = service.get("/api/storage/disk?instance=main");
        disk["volumes"][0]["source"] == "command"
    });

    let events = |alert_type: &str| -> Vec<String> {
        let messages = webhook.messages().into_iter();
        let of = messages.filter(|message| message["alert_type"] == alert_type);
        of.map(|message| message["event"].as_str().unwrap().to_owned())
            .collect()
    };
    wait_until("nothing of the hostile name", || {
        events("size_critical") == ["opened"]
    });
    let mut began = None;
    for (percent, event, severity) in [
        (90, "opened", Some("warning")),
        (96, "escalated", Some("critical")),
        (50, "resolved", None),
    ] {
        fullness(&file, percent);
        wait_until(&format!("{event} does not arrive"), || {
            events("volume_full")
                .last()
                .is_some_and(|last| last == event)
        });
        if let Some(mail) = &mail {
            wait_until(&format!("no mail that it {event}"), || {
                let subjects = mail.subjects();
                let about = |subject: &&String| !subject.contains("evil");
                subjects.iter().filter(about).count() == events("volume_full").len()
            });
        }
        let Some(alertmanager) = &alertmanager else {
            continue;
        };
        let severities = || -> Vec<String> {
            let firing = alertmanager.firing("PlimsollVolumeFull").into_iter();
            firing.map(|(severity, ..)| severity).collect()
        };
        let expected: Vec<String> = severity.into_iter().map(str::to_owned).collect();
        wait_until(&format!("Alertmanager after it {event}"), || {
            severities() == expected
        });
        if severity.is_some() {
            // beyond its own time to resolve
            std::thread::sleep(std::time::Duration::from_millis(2500));
            assert_eq!(severities(), expected, "it fires on");
            let (_, starts_at, labels) = alertmanager.firing("PlimsollVolumeFull").remove(0);
            assert_eq!(labels["volume"], "/dev/main");
            assert_eq!(began.get_or_insert(starts_at.clone()), &starts_at);
        }
    }
    if let Some(alertmanager) = &alertmanager {
        let hostile = alertmanager.firing("PlimsollSizeCritical");
        assert_eq!(hostile.len(), 1, "{hostile:?}");
        assert_eq!(hostile[0].2["database"], HOSTILE, "the name is whole");
        assert_eq!(alertmanager.firing("PlimsollWatchdog").len(), 1);
    }
    if let Some(mail) = &mail {
        let mails = mail.mails.lock().unwrap().clone();
        for mail in &mails {
            assert_eq!(
                (&mail["tls"], &mail["user"]),
                (&json!(true), &json!("plimsoll")),
                "{mail}"
            );
            assert_eq!(mail["defects"], json!([]), "{mail}");
            assert_eq!(mail["to"], json!(["ops@example.org"]), "{mail}");
            assert!(header(mail, "bcc").is_empty(), "{mail}");
        }
        // one thread: the later ones answer the first
        let of_volume = mails
            .iter()
            .filter(|mail| !header(mail, "subject")[0].contains("evil"));
        let ids: Vec<(Vec<String>, Vec<String>)> = of_volume
            .map(|mail| (header(mail, "message-id"), header(mail, "in-reply-to")))
            .collect();
        assert!(
            ids[0].1.is_empty() && ids[1..].iter().all(|(_, to)| *to == ids[0].0),
            "{ids:?}"
        );
    }
    if let Some(python) = &python {
        check_webhook(python, &webhook);
    }
    assert!(webhook.got().iter().all(Got::is_signed));
    let threads: BTreeSet<String> = webhook
        .messages()
        .iter()
        .filter(|message| message["alert_type"] == "volume_full")
        .map(|message| message["thread"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(threads.len(), 1, "{threads:?}");
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(
        !log.contains("panicked") && !log.contains("s3cret"),
        "{log}"
    );
}
