//! Alerts that nobody judges any more: they are closed, with the reason, by who may.

use std::path::Path;
use std::sync::Arc;

use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::settings::{Rule, Settings as Rules};
use plimsoll_server::channels::ConfiguredChannel;
use plimsoll_server::settings::{Databases, Settings, Watched};
use serde_json::{Value, json};
use throwaway_postgres::{Server, test};

use crate::alert_steps::{look_at, minute, on_a_pool, sample_at, say, settings, told, words};
use crate::service::{Service, watched};

/// Settings under which a rule is disabled.
fn without(alert_type: AlertType, instances: Vec<Watched>) -> Settings {
    let rule = Rule {
        enabled: false,
        ..Rule::default_of(alert_type)
    };
    Settings {
        alerts: Arc::new(Rules::new(&[rule], Vec::new())),
        ..settings(instances)
    }
}

/// An instance whose databases are all above their limits.
fn above_limits(name: &str, server: &Server, databases: &[&str]) -> Watched {
    let names = databases.iter().map(|name| (*name).to_owned());
    Watched {
        databases: Databases::Listed(names.clone().collect()),
        database_limits: names.map(|name| (name, 1 << 20)).collect(),
        ..watched(name, &server.url(databases[0]))
    }
}

/// Each alert's database with why it ended, oldest first.
async fn ends(service: &Service, alert_type: &str) -> Vec<(String, Value)> {
    let mut alerts = told(service, alert_type).await;
    alerts.reverse();
    let end = |alert: &Value| {
        let database = alert["database"].as_str().unwrap_or_default();
        (database.to_owned(), alert["resolved_by"].clone())
    };
    alerts.iter().map(end).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_watched_any_more_and_what_no_rule_judges_is_closed_with_the_reason() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    for name in ["closing_a", "closing_b"] {
        server
            .sql("postgres", &format!("create database {name}"))
            .unwrap();
    }
    let both = || above_limits("main", server, &["closing_a", "closing_b"]);
    let service = Service::of(vec![both()]).await;
    for name in ["closing_a", "closing_b"] {
        sample_at(&service, 0, name).await;
    }
    look_at(&service, 1).await;
    assert_eq!(
        words(&told(&service, "size_critical").await),
        ["critical"; 2]
    );

    // A server that does not answer is not one that is not watched.
    let mut silent = both();
    silent.url = "postgres://u@127.0.0.1:1/closing_a?sslmode=disable"
        .parse()
        .unwrap();
    silent.databases = Databases::All;
    let folder = Arc::clone(&service.folder);
    let service = Service::sharing(settings(vec![silent]), folder).await;
    look_at(&service, 2).await;
    assert_eq!(
        words(&told(&service, "size_critical").await),
        ["critical"; 2]
    );

    // One database is taken out of the configuration.
    let one = || above_limits("main", server, &["closing_a"]);
    let folder = Arc::clone(&service.folder);
    let service = Service::sharing(settings(vec![one()]), folder).await;
    look_at(&service, 3).await;
    let not_watched = ("closing_b".to_owned(), json!("not_watched"));
    let mut all = ends(&service, "size_critical").await;
    all.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(all, [("closing_a".to_owned(), Value::Null), not_watched]);

    // The rule is disabled; and when it is enabled again, the alert opens anew.
    let folder = Arc::clone(&service.folder);
    let off = without(AlertType::SizeCritical, vec![one()]);
    let service = Service::sharing(off, folder).await;
    look_at(&service, 4).await;
    let alerts = told(&service, "size_critical").await;
    assert_eq!(words(&alerts), ["resolved"; 2]);
    let closed = alerts.iter().find(|it| it["database"] == "closing_a");
    assert_eq!(closed.unwrap()["resolved_by"], "rule_disabled");
    assert_eq!(closed.unwrap()["resolved_at"], format!("{:.3}", minute(4)));
    let folder = Arc::clone(&service.folder);
    let service = Service::sharing(settings(vec![one()]), folder).await;
    sample_at(&service, 5, "closing_a").await;
    let alerts = told(&service, "size_critical").await;
    assert_eq!(words(&alerts), ["critical", "resolved", "resolved"]);
}

/// A channel of this name that takes each message and keeps none.
fn channel(name: &str) -> ConfiguredChannel {
    let command = ["sh", "-c", "cat > /dev/null"];
    let written = json!({"name": name, "kind": "command", "command": command});
    let written = serde_json::from_value(written).unwrap();
    ConfiguredChannel::all(&[written]).unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_process_watches_is_closed_when_nobody_looked_at_it_for_hours() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server.sql("postgres", "create database closing_c").unwrap();
    let telling = |settings: Settings, channel_name: &str| Settings {
        channels: vec![channel(channel_name)],
        ..settings
    };
    let a = || above_limits("a", server, &["closing_c"]);
    let first = Service::with(telling(settings(vec![a()]), "ops")).await;
    sample_at(&first, 0, "closing_c").await;
    look_at(&first, 0).await;
    first.telling.gather().await;
    let alert = told(&first, "size_critical").await.remove(0);

    // Another process watches another instance, and knows neither this one nor the rule.
    let b = above_limits("b", server, &["closing_c"]);
    let off = telling(without(AlertType::SizeCritical, vec![b]), "ops");
    let second = Service::sharing(off, Arc::clone(&first.folder)).await;
    for at in [1, 119] {
        look_at(&second, at).await;
        assert_eq!(
            words(&told(&second, "size_critical").await),
            ["critical"],
            "{at}"
        );
    }
    // The first is up again, and looks.
    look_at(&first, 119).await;
    look_at(&second, 200).await;
    assert_eq!(words(&told(&second, "size_critical").await), ["critical"]);
    look_at(&second, 240).await;
    let closed = told(&second, "size_critical").await.remove(0);
    assert_eq!(
        (&closed["id"], &closed["resolved_by"]),
        (&alert["id"], &json!("not_watched"))
    );
    assert!(second.store.alert_states("a").await.unwrap().is_empty());

    // Whoever was told that it opened is told once that it is over.
    second.telling.gather().await;
    second.telling.gather().await;
    let ids = [alert["id"].as_i64().unwrap()];
    let messages = second.store.messages_of(&ids).await.unwrap();
    assert_eq!(messages.len(), 2, "{messages:?}");
    let over: Value = serde_json::from_str(&messages[1].message.message).unwrap();
    let text = over["text"].as_str().unwrap();
    for part in [
        "is over",
        "when it is not watched any more.",
        "had been told as",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

/// A volume of which a file says how full it is, with an instance that lies there.
async fn on_it(name: &str, server: &Server, file: &Path, folder: Option<&Service>) -> Service {
    let settings = settings(vec![on_a_pool(name, server, file)]);
    match folder {
        Some(other) => Service::sharing(settings, Arc::clone(&other.folder)).await,
        None => Service::with(settings).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_closed_by_who_watches_all_that_lies_there_or_when_nothing_does() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("san.json");
    say(&file, 96);
    let first = on_it("a", server, &file, None).await;
    look_at(&first, 0).await;
    assert_eq!(words(&told(&first, "volume_full").await), ["critical"]);

    // Who has the rule disabled, and watches another instance there, leaves it alone.
    let b = || vec![on_a_pool("b", server, &file)];
    let off = without(AlertType::VolumeFull, b());
    let second = Service::sharing(off.clone(), Arc::clone(&first.folder)).await;
    for at in [1, 60] {
        look_at(&second, at).await;
        assert_eq!(
            words(&told(&second, "volume_full").await),
            ["critical"],
            "{at}"
        );
    }
    // Nobody looks at the other one any more.
    look_at(&second, 200).await;
    let alerts = told(&second, "volume_full").await;
    assert_eq!(alerts[0]["resolved_by"], "rule_disabled", "{alerts:?}");

    // It opens anew where it is judged; nothing lies there any more when the configuration names another pool.
    let third = Service::sharing(settings(b()), Arc::clone(&first.folder)).await;
    look_at(&third, 201).await;
    assert_eq!(
        words(&told(&third, "volume_full").await),
        ["critical", "resolved"]
    );
    let mut moved = b();
    moved[0].capacity[0].on = Some("nas".to_owned());
    say(&file, 10);
    let fourth = Service::sharing(settings(moved), Arc::clone(&first.folder)).await;
    look_at(&fourth, 202).await;
    look_at(&fourth, 230).await;
    let alerts = told(&fourth, "volume_full").await;
    assert_eq!(alerts[0]["resolved_by"], "gone", "{alerts:?}");
}
