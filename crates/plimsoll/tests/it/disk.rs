//! `plimsoll disk`: what fills a volume, from the built binary's one look and from its watching.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;
use throwaway_postgres::{Options, Server};

use crate::support::{Home, number};

/// A server of which a forgotten slot keeps WAL.
fn server() -> Server {
    let options = Options::default()
        .setting("max_wal_size", "32MB")
        .setting("min_wal_size", "32MB");
    let server = Server::start(&options).unwrap();
    for sql in [
        "create database shop",
        "create role plain login",
        "select pg_create_physical_replication_slot('forgotten', true)",
        "create table load as select repeat('x', 1000) from generate_series(1, 60000)",
        "checkpoint",
    ] {
        server.sql("postgres", sql).unwrap();
    }
    server
}

fn sum(volume: &Value) -> i64 {
    volume["parts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part["bytes"].as_i64())
        .sum()
}

fn part<'a>(volume: &'a Value, kind: &str, name: Option<&str>) -> &'a Value {
    let parts = volume["parts"].as_array().unwrap();
    parts
        .iter()
        .find(|part| part["part"] == kind && part["name"].as_str() == name)
        .unwrap()
}

#[test]
fn one_look_says_what_fills_the_volume_and_what_would_help() {
    let server = server();
    let (home, url) = (Home::new(), server.url("postgres"));
    let disk = home.run(&url, &["--output", "json", "disk"]).json();
    let volume = &disk["volumes"][0];
    assert_eq!(disk["volumes"].as_array().unwrap().len(), 1);
    assert_eq!(Some(sum(volume)), volume["used_bytes"].as_i64());
    assert_eq!(volume["source"], "statvfs");
    assert_eq!(
        part(volume, "database", Some("shop"))["bytes"],
        number(&server, "postgres", "select pg_database_size('shop')")
    );
    assert_eq!(
        part(volume, "wal", None)["bytes"],
        number(&server, "postgres", "select sum(size) from pg_ls_waldir()")
    );
    assert_eq!(part(volume, "unexplained", None)["bytes"], 0);
    for kind in [
        "global",
        "temporary",
        "log",
        "replication",
        "transaction_status",
        "other_in_data_directory",
        "elsewhere",
    ] {
        assert!(
            part(volume, kind, None)["bytes"].is_i64(),
            "{kind}: {volume}"
        );
    }
    assert!(
        volume["pace"].is_null() && volume["full"]["at_pace"].is_null(),
        "one look is no pace: {volume}"
    );
    assert!(volume["pace_unknown"].as_str().unwrap().contains("three"));
    let held = &disk["wal"]["retained_by"][0];
    assert_eq!(
        (held["holder"].as_str(), held["name"].as_str()),
        (Some("slot"), Some("forgotten"))
    );
    assert!(held["bytes"].as_u64() > Some(60_000_000), "{held}");

    let screen = home.run(&url, &["disk"]);
    assert_eq!(screen.code, Some(0), "{screen:?}");
    // which parts have a row of their own depends on what else is on the volume
    for words in [
        "┤─⊖─",
        "free",
        "WAL",
        "slot forgotten, inactive",
        "What would help",
        "pg_drop_replication_slot('forgotten')",
        "Never remove files under pg_wal",
        "All parts visible",
        "no lock",
    ] {
        assert!(
            screen.out.contains(words),
            "no {words:?} in\n{}",
            screen.out
        );
    }

    // Without a grant the same look says what it cannot see, and the sum still holds.
    let plain = url.replacen("postgres@", "plain@", 1);
    let screen = home.run(&plain, &["disk"]);
    for words in [
        "How full it is, is unknown",
        "pg_read_all_settings",
        "Not or not wholly visible: ",
        "WAL",
    ] {
        assert!(
            screen.out.contains(words),
            "no {words:?} in\n{}",
            screen.out
        );
    }
    server.sql("postgres", "grant pg_monitor to plain").unwrap();
    let disk = home.run(&plain, &["--output", "json", "disk"]).json();
    let volume = &disk["volumes"][0];
    assert_eq!(Some(sum(volume)), volume["used_bytes"].as_i64());
    assert!(part(volume, "elsewhere", None)["bytes"].is_null());
    assert!(
        part(volume, "elsewhere", None)["unknown"]
            .as_str()
            .unwrap()
            .contains("transaction status")
    );
    assert!(
        !server.log().contains("permission denied"),
        "{}",
        server.log()
    );
}

#[test]
fn watching_shows_what_a_part_gained_since_its_first_look() {
    let server = server();
    let (home, url) = (Home::new(), server.url("postgres"));
    let mut child = home
        .on(&url)
        .args(["--output", "json", "disk", "--watch"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let first = next();
    server
        .sql(
            "postgres",
            "insert into load select repeat('x', 1000) from generate_series(1, 60000)",
        )
        .unwrap();
    let second = next();
    child.kill().unwrap();
    child.wait().unwrap();
    let wal = |disk: &Value| {
        part(&disk["volumes"][0], "wal", None)["bytes"]
            .as_i64()
            .unwrap()
    };
    let gained = wal(&second) - wal(&first);
    assert!(gained > 40_000_000, "{gained}");
    assert_eq!(
        part(&second["volumes"][0], "wal", None)["change_bytes"],
        gained
    );
    let causes = second["volumes"][0]["why"].as_array().unwrap();
    let cause = causes.iter().find(|cause| cause["part"] == "wal").unwrap();
    assert!(
        cause["text"].as_str().unwrap().contains("slot forgotten"),
        "{cause}"
    );
    assert_eq!(
        Some(sum(&second["volumes"][0])),
        second["volumes"][0]["used_bytes"].as_i64()
    );
    assert!(second["wal"]["bytes_per_hour"].as_f64() > Some(0.0));
}

/// As wide as a terminal of so many columns.
fn screen(home: &Home, url: &str, columns: usize, args: &[&str]) -> crate::support::Ran {
    crate::support::Ran::of(home.on(url).env("COLUMNS", columns.to_string()).args(args))
}

#[test]
fn what_serve_kept_is_shown_without_looking_and_told_with_a_look() {
    let server = server();
    let (home, url) = (Home::new(), server.url("postgres"));
    home.run(&url, &["disk", "--stored"])
        .failed_saying(&["plimsoll"]);
    let mut serve = home
        .on(&url)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It looks when it starts; then it is killed as it is.
    let stored = loop {
        let ran = home.run(
            &url,
            &["--output", "json", "disk", "--stored", "--step", "minute"],
        );
        if ran.code == Some(0) && ran.json()["measured_at"].is_string() {
            break ran.json();
        }
        assert!(serve.try_wait().unwrap().is_none(), "serve ended: {ran:?}");
    };
    serve.kill().unwrap();
    serve.wait().unwrap();
    let volume = &stored["volumes"][0];
    assert_eq!(Some(sum(volume)), volume["used_bytes"].as_i64());
    assert!(!volume["series"]["t"].as_array().unwrap().is_empty());
    assert_eq!(stored["wal"]["retained_by"][0]["name"], "forgotten");
    let again = home
        .run(&url, &["--output", "json", "disk", "--stored"])
        .json();
    assert_eq!(again["measured_at"], stored["measured_at"], "it only reads");

    // Each kept look is a line, with the parts that changed most.
    let again = home
        .run(
            &url,
            &["--output", "json", "disk", "--stored", "--step", "minute"],
        )
        .json();
    let series = &again["volumes"][0]["series"];
    let shown = home.run(&url, &["disk", "--stored", "--step", "minute"]);
    let (_, table) = shown.out.split_once(" over time\n").unwrap();
    let rows: Vec<&str> = table.lines().filter(|line| !line.is_empty()).collect();
    for words in ["WHEN (UTC)", "USED", "CHANGE", "WHAT CHANGED MOST"] {
        assert!(rows[0].contains(words), "no {words:?} in {table}");
    }
    assert_eq!(
        rows.len() - 1,
        series["t"].as_array().unwrap().len(),
        "{table}"
    );
    let used = series["used"].as_array().unwrap().last().unwrap();
    let used = plimsoll_core::size_text::pretty(used.as_u64().unwrap());
    let last = rows.last().unwrap();
    assert!(last.contains(&used), "no {used} in {last}");
    let parts = series["parts"].as_array().unwrap().len().min(3);
    assert_eq!(last.matches(',').count(), parts - 1, "{last}");
    // What is kept by other steps only is said, and no line.
    let shown = home.run(&url, &["disk", "--stored", "--step", "day"]);
    assert!(shown.out.contains("Nothing is kept of how"), "{shown:?}");

    // A look of its own tells what changed since the kept one, and keeps nothing.
    let more = "insert into load select repeat('x', 1000) from generate_series(1, 60000)";
    server.sql("postgres", more).unwrap();
    let looked = home
        .run(&url, &["--output", "json", "disk", "--since", "1h"])
        .json();
    let volume = &looked["volumes"][0];
    assert_eq!(volume["since"], stored["measured_at"]);
    let gained = part(volume, "wal", None)["change_bytes"].as_i64().unwrap();
    assert!(gained > 40_000_000, "{gained}");
    let again = home
        .run(&url, &["--output", "json", "disk", "--stored"])
        .json();
    assert_eq!(again["measured_at"], stored["measured_at"]);

    // How each part went stands beside what it gained.
    let shown = screen(&home, &url, 100, &["disk", "--since", "1h"]);
    for words in ["since ", "▁", "█", "slot forgotten"] {
        assert!(shown.out.contains(words), "no {words:?} in\n{}", shown.out);
    }

    // On narrow terminals every line fits but a command, which is to be copied.
    for columns in [40, 60, 80] {
        for args in [&["disk"][..], &["disk", "--stored"]] {
            let shown = screen(&home, &url, columns, args);
            assert_eq!(shown.code, Some(0), "{shown:?}");
            for line in shown.out.lines() {
                let is_command =
                    line.contains("SELECT ") || line.contains("pg_drop_replication_slot");
                assert!(
                    is_command || line.chars().count() <= columns,
                    "{columns} columns: {line:?} in\n{}",
                    shown.out
                );
            }
            for words in [
                "┤─⊖─",
                "slot forgotten",
                "What would help",
                "pg_drop_replication_slot('forgotten')",
            ] {
                let flat = shown.out.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(
                    flat.contains(words),
                    "no {words:?} at {columns} in\n{}",
                    shown.out
                );
            }
        }
    }

    // A server that is gone still has its volume, and what held its WAL: that it is gone goes before all of it.
    server.stop().unwrap();
    let ran = home.run(&url, &["disk"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.out.starts_with("THE SERVER DOES NOT ANSWER: "),
        "{ran:?}"
    );
    assert!(ran.err.contains("looking at"), "{ran:?}");
    assert_eq!(home.run(&url, &["disk", "--stored"]).code, Some(0));
    for words in [
        "the parts are those of",
        "slot forgotten",
        "free",
        "unexplained",
    ] {
        assert!(ran.out.contains(words), "no {words:?} in\n{}", ran.out);
    }
    let nobody = Home::new();
    nobody.run(&url, &["disk"]).failed_saying(&["looking at"]);
}
