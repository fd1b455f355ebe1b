//! Commands, by the shell of this host.

use jiff::Timestamp;
use plimsoll_notify::{Channel, SendErrorCode};
use serde_json::{Value, json};

use crate::support::{HOSTILE, HUSH, channel, message};

fn shell(script: &str, timeout: &str) -> Channel {
    channel(&format!(
        "kind = 'command'\ncommand = ['/bin/sh', '-c', '''{script}''', '{HUSH}']\ntimeout = '{timeout}'"
    ))
}

#[tokio::test]
async fn a_command_reads_every_name_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("read");
    let command = shell(&format!("cat > {}", file.display()), "60s");
    let messages: Vec<_> = HOSTILE.iter().map(|name| message(name, name)).collect();
    command.send(&messages, Timestamp::now()).await.unwrap();
    let read: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let names: Vec<_> = read["data"]["messages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["table_name"].clone())
        .collect();
    assert_eq!(json!(names), json!(HOSTILE));
}

#[tokio::test]
async fn a_command_that_fails_says_how_and_one_that_hangs_is_ended() {
    for (script, timeout, code, part) in [
        (
            "echo out; printf \"no \\033[31mroom\\n\" >&2; exit 7",
            "60s",
            SendErrorCode::Busy,
            "/bin/sh failed (exit status: 7): no \\u{1b}[31mroom",
        ),
        (
            "head -c 1000000 /dev/zero | tr \"\\0\" x >&2; exit 1",
            "60s",
            SendErrorCode::Busy,
            "xxx…",
        ),
        ("kill -9 $$", "60s", SendErrorCode::Busy, "signal: 9"),
        (
            "sleep 1000 & sleep 1000",
            "200ms",
            SendErrorCode::TimedOut,
            "did not end within 200 ms",
        ),
    ] {
        let error = shell(script, timeout)
            .send(&[message("k", "t")], Timestamp::now())
            .await
            .unwrap_err();
        assert_eq!(error.code, code, "{script}");
        assert!(error.retry_helps());
        assert!(
            error.text.contains(part) && !error.text.contains(HUSH),
            "{script}: {error}"
        );
        assert!(error.text.len() < 1000, "{error}");
    }
    let missing = channel("kind = 'command'\ncommand = ['/no/such/program', 'hush-hush']");
    let error = missing
        .send(&[message("k", "t")], Timestamp::now())
        .await
        .unwrap_err();
    assert_eq!(error.code, SendErrorCode::NotReady);
    assert!(
        error.text.contains("/no/such/program") && !error.text.contains(HUSH),
        "{error}"
    );
}

#[tokio::test]
async fn a_command_that_nobody_waits_for_any_more_is_gone_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let command = shell(
        &format!(
            "sleep 1000 & echo $! > {0}.new; mv {0}.new {0}; wait",
            file.display()
        ),
        "60s",
    );
    let sending =
        tokio::spawn(async move { command.send(&[message("k", "t")], Timestamp::now()).await });
    let pid = loop {
        match std::fs::read_to_string(&file) {
            Ok(pid) => break pid,
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
        }
    };
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    let is_running = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z"))
    };
    while is_running() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
