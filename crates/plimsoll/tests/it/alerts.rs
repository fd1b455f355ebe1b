//! `plimsoll alerts` and `check`, beside a `serve` that judges.

use std::collections::BTreeSet;
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
    assert!(
        check.out.contains(&format!("'main/{database}'=")),
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
    assert_eq!(run(&["alerts", "silence", "--end", "1"]).code, Some(0));
    run(&["alerts", "silence", "--end", "1"]).failed_saying(&["no silence 1"]);
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

/// Programs are killed while alerts open and messages go out.
const KILLS: u64 = 10;

#[test]
fn messages_outlive_kills_and_what_is_sent_twice_has_one_key() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let databases = [(); 4].map(|()| new_database(server, "told"));
    let home = Home::new();
    let told = home.path("told");
    let limits: String = databases
        .iter()
        .map(|name| format!("[[capacity]]\ndatabase = \"{name}\"\nbytes = \"1MB\"\n"))
        .collect();
    let config = home.write(
        "plimsoll.toml",
        &format!(
            "[[instance]]\nname = \"main\"\nurl = \"{}\"\ndatabases = {databases:?}\n{limits}\
             [[channel]]\nname = \"ops\"\nkind = \"command\"\nmatch = \"main/*\"\nleast = \"critical\"\n\
             command = [\"sh\", \"-c\", \"sleep 0.2; cat >> '{}'; echo >> '{}'\"]\n",
            server.url(&databases[0]),
            told.display(),
            told.display()
        ),
    );
    let serve = || {
        let mut command = home.plimsoll();
        command.arg("--config").arg(&config);
        Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]))
    };
    for kill in 0..KILLS {
        let service = serve();
        sleep(Duration::from_millis(kill * 211 % 1500));
        service.stop("-KILL");
    }
    let service = serve();
    let is_sent = |alert: &Value| {
        let deliveries = alert["deliveries"].as_array().unwrap();
        deliveries.iter().any(|one| one["state"] == "sent")
    };
    until(
        &service,
        "/api/storage/alerts?type=size_critical",
        |answer| {
            let alerts = answer["alerts"].as_array().unwrap();
            alerts.len() == databases.len() && alerts.iter().all(is_sent)
        },
    );
    service.stop("-TERM");
    let text = std::fs::read_to_string(&told).unwrap();
    let mut opened = BTreeSet::new();
    let mut keys = BTreeSet::new();
    // A line may be cut short by a kill; it is sent again.
    let deliveries = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for delivery in deliveries {
        for message in delivery["data"]["messages"].as_array().unwrap() {
            assert_eq!(message["event"], "opened", "{message}");
            opened.insert(message["database"].as_str().unwrap().to_owned());
            keys.insert(message["key"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(opened, databases.into_iter().collect(), "none is lost");
    assert_eq!(keys.len(), opened.len(), "{keys:?}");
}
