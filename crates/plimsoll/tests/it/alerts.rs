//! `plimsoll alerts` and `check`, beside a `serve` that judges.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use throwaway_postgres::test;

use crate::serve::Service;
use crate::support::{Home, Ran, new_database};

/// What a running program answers, once it is so.
pub(crate) fn until(service: &Service, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let (status, answer) = service.get(path);
        assert_eq!(status, 200, "{answer}");
        if is_so(&answer) {
            return answer;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{answer}");
        sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_serve_raises_is_told_explained_silenced_and_closed_on_the_command_line() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "alerts");
    let home = Home::new();
    // No volume of this machine's fires, however full it is.
    let config = home.write(
        "plimsoll.toml",
        &format!(
            "[[instance]]\nname = \"main\"\nurl = \"{}\"\n\
             [[capacity]]\ndatabase = \"{database}\"\nbytes = \"1MB\"\n\
             [alerts.volume_full]\nenabled = false\n[alerts.filling_fast]\nenabled = false\n\
             [alerts.time_to_full]\nenabled = false\n[alerts.history_at_risk]\nenabled = false\n",
            server.url(&database)
        ),
    );
    let run = |args: &[&str]| Ran::of(home.plimsoll().arg("--config").arg(&config).args(args));
    let serve = || {
        let mut command = home.plimsoll();
        command.arg("--config").arg(&config);
        Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]))
    };
    let nothing = run(&["check"]);
    assert_eq!(nothing.code, Some(3), "{nothing:?}");
    assert!(
        nothing.out.starts_with("PLIMSOLL UNKNOWN - "),
        "{nothing:?}"
    );

    let service = serve();
    let route = "/api/storage/alerts?type=size_critical";
    let answer = until(&service, route, |answer| answer["count"] == 1);
    let alert = &answer["alerts"][0];
    assert_eq!(
        (&alert["severity"], &alert["database"]),
        (&"critical".into(), &database.as_str().into())
    );
    let listed = run(&["--output", "json", "alerts"]);
    assert_eq!(listed.code, Some(1), "something fires: {listed:?}");
    let listed: Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(listed["alerts"][0]["id"], alert["id"]);
    let screen = run(&["alerts"]);
    assert!(
        screen.out.contains("above its limit of 1024 kB"),
        "{screen:?}"
    );
    let explained = run(&["alerts", "explain"]);
    assert_eq!(explained.code, Some(0), "{explained:?}");
    for words in [
        "size_critical",
        "firing",
        "growth_warning",
        "unknown",
        "20 to 36 hours",
    ] {
        assert!(explained.out.contains(words), "no {words}: {explained:?}");
    }
    let check = run(&["check"]);
    assert_eq!(
        (check.code, check.out.lines().count()),
        (Some(2), 1),
        "{check:?}"
    );
    // 1 MB is its limit.
    assert!(
        check.out.contains(&format!("'main/{database}'=")) && check.out.contains("B;;1048576;0"),
        "{check:?}"
    );

    let silence = [
        "alerts", "silence", "main", "--for", "1h", "--why", "a test", "--who", "me",
    ];
    let silenced = run(&silence);
    assert_eq!(silenced.code, Some(0), "{silenced:?}");
    let check = run(&["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(check.out.contains("silenced=1;"), "{check:?}");
    assert!(run(&["alerts"]).out.contains("held back until"));
    let ended = run(&["alerts", "silence", "--end", "1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for words in ["Ended", "1  main  until", "me: a test"] {
        assert!(ended.out.contains(words), "no {words}: {ended:?}");
    }
    run(&["alerts", "silence", "--end", "1"]).failed_saying(&["no silence 1"]);
    for (id, until, shown) in [
        ("2", "2999-12-24", "until 2999-12-24T00:00:00Z"),
        ("3", "2999-12-24T06:30", "until 2999-12-24T06:30:00Z"),
        (
            "4",
            "2999-12-24T06:30:00+02:00",
            "until 2999-12-24T04:30:00Z",
        ),
    ] {
        let silence = [
            "alerts", "silence", "nowhere", "--why", "x", "--until", until,
        ];
        let silenced = run(&silence);
        assert!(silenced.out.contains(shown), "{silenced:?}");
        assert!(
            silenced.err.contains("alert.silence_fits_nothing"),
            "{silenced:?}"
        );
        let ended = run(&["--output", "json", "alerts", "silence", "--end", id]).json();
        assert_eq!(ended["match"], "nowhere");
    }
    run(&["alerts", "silence", "main", "--why", "x", "--until", "yule"]).failed_saying(&["yule"]);
    let weekly = ["--cron", "0 2 * * 0", "--for", "1m", "--why", "x"];
    let weekly = run(&[&["alerts", "silence", "main"][..], &weekly].concat());
    assert!(weekly.out.contains("for 1 minute at"), "{weekly:?}");
    run(&[
        "alerts", "silence", "prod//x", "--for", "1h", "--why", "x", "--who", "me",
    ])
    .failed_saying(&["no pattern"]);

    // A restart tells nothing anew, and what is closed stays closed.
    service.stop("-TERM");
    let service = serve();
    assert_eq!(service.post("/api/storage/samples").0, 201);
    let id = alert["id"].to_string();
    let closed = run(&[
        "alerts",
        "resolve",
        &id,
        "--comment",
        "it is small on purpose",
    ]);
    assert_eq!(closed.code, Some(0), "{closed:?}");
    assert!(closed.out.contains("closed by hand"), "{closed:?}");
    assert_eq!(service.post("/api/storage/samples").0, 201);
    let all = until(&service, &format!("{route}&state=all"), |answer| {
        answer["alerts"][0]["resolved_at"].is_string()
    });
    assert_eq!(
        (&all["total"], &all["alerts"][0]["id"]),
        (&1.into(), &alert["id"])
    );
    assert_eq!(run(&["alerts"]).code, Some(0));
    let check = run(&["check"]);
    assert_eq!(check.code, Some(0), "{check:?}");
    assert!(
        check.out.starts_with("PLIMSOLL OK - nothing fires | "),
        "{check:?}"
    );
    run(&["alerts", "resolve", "999"]).failed_saying(&["no alert 999"]);
    run(&["alerts", "--database", "nope"]).failed_saying(&["nope"]);
    run(&["alerts", "--type", "growth"]).failed_saying(&["growth"]);
}

#[test]
fn check_is_unknown_where_it_was_not_asked_rightly_and_knows_each_volume_of_each_instance() {
    let home = Home::new();
    for args in [
        &["check", "--bogus"][..],
        &["check", "now"],
        &["--bogus", "check"],
        &["check", "--output", "yaml"],
        &["--config", "/nowhere.toml", "check"],
    ] {
        let ran = Ran::of(home.plimsoll().args(args));
        assert_eq!(
            (ran.code, ran.out.lines().count()),
            (Some(3), 1),
            "{args:?}: {ran:?}"
        );
        assert!(ran.out.starts_with("PLIMSOLL UNKNOWN - "), "{ran:?}");
    }
    let ran = Ran::of(home.plimsoll().args(["check", "--help"]));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = Ran::of(home.plimsoll().args(["sizes", "--bogus"]));
    assert_eq!(ran.code, Some(2), "{ran:?}");

    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "checked");
    let url = server.url(&database);
    let mut text = "[alerts.volume_full]\nwarning_percent = 40\ncritical_percent = 99\n\
        [[alerts.override]]\nmatch = \"volume:/dev/two\"\nvolume_full = { warning_percent = 70 }\n"
        .to_owned();
    for (name, available, inodes) in [("one", 500, 900), ("two", 400, 100)] {
        let space = format!(
            "{{\\\"capacity_bytes\\\": 1000000000000, \\\"available_bytes\\\": {available}000000000, \
             \\\"inodes_total\\\": 1000, \\\"inodes_available\\\": {inodes}}}"
        );
        text += &format!(
            "[[instance]]\nname = \"{name}\"\nurl = \"{url}\"\n\
             [[capacity]]\ninstance = \"{name}\"\non = \"/dev/{name}\"\ncommand = [\"echo\", \"{space}\"]\n"
        );
    }
    let config = home.write("plimsoll.toml", &text);
    let run = |args: &[&str]| Ran::of(home.plimsoll().arg("--config").arg(&config).args(args));
    let mut command = home.plimsoll();
    command.arg("--config").arg(&config);
    let service = Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]));
    for instance in ["one", "two"] {
        until(
            &service,
            &format!("/api/storage/disk?instance={instance}"),
            |disk| disk["volumes"][0]["source"] == "command",
        );
        until(
            &service,
            &format!("/api/storage/history?kind=all&instance={instance}"),
            |history| history["total"].as_u64() > Some(0),
        );
    }
    until(&service, "/api/storage/alerts?type=volume_full", |answer| {
        answer["count"] == 2
    });
    let check = run(&["check"]);
    for metric in [
        "'/dev/one'=50.0%;40.0;99.0;0;100",
        "'/dev/one inodes'=10.0%;40.0;99.0;0;100",
        "'/dev/two'=60.0%;70.0;99.0;0;100",
        "'/dev/two inodes'=90.0%;70.0;99.0;0;100",
    ] {
        assert!(check.out.contains(metric), "no {metric}: {check:?}");
    }
    let one = run(&["--instance", "one", "check"]);
    assert!(
        one.out.contains("'/dev/one'=") && !one.out.contains("'/dev/two'="),
        "{one:?}"
    );
    // Of several instances all are explained, or the one that is named.
    let all = run(&["alerts", "explain"]);
    let one = run(&["--instance", "one", "alerts", "explain"]);
    for (ran, has_two) in [(&all, true), (&one, false)] {
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(
            ran.out.contains("volume_full") && ran.out.contains("one"),
            "{ran:?}"
        );
        assert_eq!(
            ran.out.contains(&format!("{database} on two")),
            has_two,
            "{ran:?}"
        );
    }
    let doctor = run(&["--instance", "one", "doctor"]);
    assert!(doctor.out.contains("cannot be judged now"), "{doctor:?}");
    let disk = run(&["--instance", "two", "disk"]);
    assert!(
        disk.out
            .contains("Inodes: 90.0 % of 1,000 are used, 100 left"),
        "{disk:?}"
    );
    assert!(
        !run(&["--instance", "one", "disk"]).out.contains("Inodes:"),
        "{disk:?}"
    );
    service.stop("-TERM");
}
