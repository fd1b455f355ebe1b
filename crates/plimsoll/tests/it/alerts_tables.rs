//! Alerts of tables, of a `serve` that judges them.

use std::path::Path;

use serde_json::Value;
use throwaway_postgres::test;

use crate::alerts::until;
use crate::serve::Service;
use crate::support::{Home, Ran, new_database};

/// The databases or tables and events of the messages that arrived, in their order.
fn told(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let deliveries = text.lines().filter(|line| !line.is_empty());
    let messages = deliveries.flat_map(|line| {
        let delivery: Value = serde_json::from_str(line).unwrap();
        delivery["data"]["messages"].as_array().unwrap().clone()
    });
    let named = messages.map(|message| {
        let table = message["table_name"].as_str().unwrap_or("-").to_owned();
        (table, message["event"].as_str().unwrap().to_owned())
    });
    named.collect()
}

#[test]
fn a_table_that_a_pattern_names_is_judged_and_its_databases_alert_says_it_for_both() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "tables");
    server
        .sql(
            &database,
            "create table big as select n, repeat('x', 100) from generate_series(1, 20000) n;
             create table small (n int)",
        )
        .unwrap();
    let home = Home::new();
    let file = home.path("told");
    let config = |more: &str| {
        home.write(
            "plimsoll.toml",
            &format!(
                "[[instance]]\nname = \"main\"\nurl = \"{}\"\n\
                 [alerts.volume_full]\nenabled = false\n[alerts.filling_fast]\nenabled = false\n\
                 [alerts.time_to_full]\nenabled = false\n[alerts.history_at_risk]\nenabled = false\n\
                 [[channel]]\nname = \"ops\"\nkind = \"command\"\n\
                 command = [\"sh\", \"-c\", \"cat >> '{}'; echo >> '{}'\"]\n{more}",
                server.url(&database),
                file.display(),
                file.display()
            ),
        )
    };
    let limit = format!("[[capacity]]\ndatabase = \"{database}\"\nbytes = \"1MB\"\n");
    let pattern = format!(
        "[[alerts.override]]\nmatch = \"main/{database}/public.*\"\nsize_critical = {{ bytes = \"1MB\" }}\n"
    );
    let path = config(&format!("{limit}{pattern}"));
    let run = |args: &[&str]| Ran::of(home.plimsoll().arg("--config").arg(&path).args(args));
    let serve = || {
        let mut command = home.plimsoll();
        command.arg("--config").arg(&path);
        Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]))
    };
    let route = "/api/storage/alerts?type=size_critical&state=all";
    let find = |answer: &Value, table: &Value| {
        let alerts = answer["alerts"].as_array().unwrap();
        let alert = alerts.iter().find(|alert| alert["table_name"] == *table);
        alert.cloned().unwrap_or_default()
    };
    let (big, none) = (Value::from("big"), Value::Null);
    let is_sent = |alert: &Value, event: &str| {
        let deliveries = alert["deliveries"].as_array().into_iter().flatten();
        let mut of_event = deliveries.filter(|one| one["event"] == event);
        of_event.any(|one| one["state"] == "sent")
    };
    let service = serve();
    let answer = until(&service, route, |answer| {
        is_sent(&find(answer, &none), "opened") && find(answer, &big).is_object()
    });
    assert_eq!(
        answer["count"], 2,
        "the small one is below its limit: {answer}"
    );
    let listed = run(&["alerts"]);
    assert_eq!(listed.code, Some(1), "{listed:?}");
    for words in [
        format!("big in {database} on main is "),
        "plimsoll sizes --table big".to_owned(),
    ] {
        assert!(listed.out.contains(&words), "no {words}: {listed:?}");
    }
    let explained = run(&["alerts", "explain"]);
    for words in [format!("big in {database}"), format!("small in {database}")] {
        assert!(explained.out.contains(&words), "no {words}: {explained:?}");
    }
    service.stop("-TERM");

    // Without its own limit the database is small, and the table's alert is told in its turn.
    config(&pattern);
    let service = serve();
    assert_eq!(service.post("/api/storage/samples").0, 201);
    let answer = until(&service, route, |answer| {
        is_sent(&find(answer, &none), "resolved") && is_sent(&find(answer, &big), "opened")
    });
    let (of_database, of_table) = (find(&answer, &none), find(&answer, &big));
    let told_at = of_table["deliveries"][0]["created_at"].as_str().unwrap();
    assert!(
        told_at >= of_database["resolved_at"].as_str().unwrap(),
        "{answer}"
    );
    service.stop("-TERM");

    // No pattern names it any more.
    config("");
    let service = serve();
    until(&service, route, |answer| {
        find(answer, &big)["resolved_by"] == "rule_disabled"
            && is_sent(&find(answer, &big), "resolved")
    });
    service.stop("-TERM");
    let mut messages = told(&file);
    assert_eq!(messages.remove(0), ("-".to_owned(), "opened".to_owned()));
    messages.sort();
    let expected = [("-", "resolved"), ("big", "opened"), ("big", "resolved")];
    let expected = expected.map(|(table, event)| (table.to_owned(), event.to_owned()));
    assert_eq!(messages, expected);
    assert_eq!(run(&["alerts"]).code, Some(0));
}
