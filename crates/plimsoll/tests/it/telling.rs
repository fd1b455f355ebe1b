//! Messages of a running `serve` on their way to a webhook, whatever the store, the receiver and the process do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;
use throwaway_postgres::{Server, Volume, report_volumes, test};

use crate::receiver::{Does, Got, Receiver, any};
use crate::serve::Service;
use crate::store_faults::fill;
use crate::support::{Home, new_database};

/// A look each second, and nothing of this machine's volumes but how full they are.
const SCHEDULE: &str = "[schedule]\ndisk = \"* * * * * *\"\n\
    [alerts.filling_fast]\nenabled = false\n[alerts.time_to_full]\nenabled = false\n";

fn serve(home: &Home, config: &str) -> Service {
    let config = home.write("plimsoll.toml", config);
    let mut command = home.plimsoll();
    command.arg("--config").arg(&config);
    Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]))
}

/// Returns once it is so; a failure shows what the program logged last.
fn until(service: &Service, what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if is_so() {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = service.log();
    let is_news = |line: &&str| !line.contains("http.request");
    let lines: Vec<&str> = log.lines().filter(is_news).collect();
    panic!(
        "{what}\n{}",
        lines[lines.len().saturating_sub(60)..].join("\n")
    );
}

/// The messages that were taken and say this, by event.
fn told(receiver: &Receiver, event: &str, words: &str) -> Vec<Value> {
    let says = |message: &Value| message["event"] == event && message.to_string().contains(words);
    receiver.messages().into_iter().filter(says).collect()
}

/// How often each key was taken.
fn keys(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut keys = BTreeMap::new();
    for message in receiver.messages() {
        *keys.entry(text(&message, "key")).or_default() += 1;
    }
    keys
}

fn text(message: &Value, key: &str) -> String {
    message[key].as_str().unwrap().to_owned()
}

/// The alert of a type that opened at a time, with its messages, once the store has it.
fn kept(service: &Service, alert_type: &str, created_at: &Value) -> Value {
    let path = format!("/api/storage/alerts?state=all&type={alert_type}");
    let mut found = Value::Null;
    until(
        service,
        &format!("{alert_type} of {created_at} is not kept"),
        || {
            let (status, answer) = service.get(&path);
            let alerts = answer["alerts"].as_array().cloned().unwrap_or_default();
            let one = alerts
                .into_iter()
                .find(|it| at(&it["created_at"]) == at(created_at));
            found = one.unwrap_or_default();
            status == 200 && !found.is_null()
        },
    );
    found
}

fn at(value: &Value) -> jiff::Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

fn states(alert: &Value) -> Vec<(String, String)> {
    let deliveries = alert["deliveries"].as_array().unwrap().iter();
    deliveries
        .map(|one| (text(one, "event"), text(one, "state")))
        .collect()
}

#[test]
fn on_a_full_disk_the_alert_of_the_full_disk_arrives_and_is_kept_later_under_its_key() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let volume = match Volume::tmpfs(&server, "told", 64) {
        Ok(volume) => volume,
        Err(reason) => return report_volumes("an alert on a full disk", Err(&reason)),
    };
    report_volumes("an alert on a full disk", Ok(()));
    let folder = volume.make_folder(&server, "space").unwrap();
    let sql = format!("create tablespace small location '{}'", folder.display());
    server.sql("postgres", &sql).unwrap();
    server
        .sql("postgres", "create database shop tablespace small")
        .unwrap();
    let (home, receiver) = (Home::new(), Receiver::start());
    let config = format!(
        "{SCHEDULE}[store]\nurl = \"sqlite:{}\"\n[[instance]]\nname = \"main\"\nurl = \"{}\"\n{}",
        volume.path().join("history.db").display(),
        server.url("shop"),
        receiver.channel("ops", "least = \"critical\"")
    );
    let service = serve(&home, &config);
    let mount = volume.path().to_string_lossy().into_owned();
    until(&service, "the volume is not known", || {
        service
            .get("/api/storage/disk")
            .1
            .to_string()
            .contains(&mount)
    });
    let filler = volume.path().join("filler");
    fill(&filler);
    until(&service, "the alert does not arrive", || {
        !told(&receiver, "opened", "\"volume_full\"").is_empty()
    });
    let opened = told(&receiver, "opened", "\"volume_full\"").remove(0);
    assert!(opened.to_string().contains(&mount), "{opened}");
    assert_eq!(
        (
            &opened["alert_type"],
            &opened["severity"],
            &opened["alert_id"]
        ),
        (&"volume_full".into(), &"critical".into(), &Value::Null),
        "it is in no store: {opened}"
    );
    let (status, ready) = service.get("/readyz");
    assert_eq!(status, 503, "{ready}");

    std::fs::remove_file(&filler).unwrap();
    let alert = kept(&service, "volume_full", &opened["created_at"]);
    let thread = format!("\"thread\":{}", opened["key"]);
    until(&service, "its end does not arrive", || {
        !told(&receiver, "resolved", &thread).is_empty()
    });
    let resolved = told(&receiver, "resolved", &thread).remove(0);
    assert_eq!(
        (&resolved["alert_id"], &resolved["thread"]),
        (&alert["id"], &opened["key"])
    );
    let alert = kept(&service, "volume_full", &opened["created_at"]);
    let sent = |event: &str| (event.to_owned(), "sent".to_owned());
    until(&service, "what became of it is not kept", || {
        let alert = kept(&service, "volume_full", &opened["created_at"]);
        states(&alert) == [sent("opened"), sent("resolved")]
    });
    assert!(
        alert["message"].as_str().unwrap().contains(&mount),
        "{alert}"
    );
    assert!(
        keys(&receiver).values().all(|&count| count == 1),
        "{:?}",
        keys(&receiver)
    );
    assert!(receiver.got().iter().all(Got::is_signed));
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// Says how full the volume is that a server is said to lie on.
fn fullness(file: &Path, percent: u64) {
    let (all, part) = (1_000_000_000_000_u64, 10_000_000_000 * percent);
    let text = format!(
        "{{\"capacity_bytes\": {all}, \"used_bytes\": {part}, \"available_bytes\": {}}}",
        all - part
    );
    // at once, so that nobody reads half of it
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, file).unwrap();
}

#[test]
fn while_a_store_takes_nothing_messages_go_out_from_memory_and_none_is_lost_or_told_twice() {
    let (Some(watched), Some(installation)) = (test::shared_if_installed(18), test::installed(18))
    else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let store = new_database(&server, "store");
    let sql = |sql: &str| server.sql(&store, sql).map(drop).unwrap();
    let (home, receiver) = (Home::new(), Receiver::start());
    let mut config = format!("{SCHEDULE}[store]\nurl = \"{}\"\n", server.url(&store));
    let database = new_database(watched, "told");
    let says = ["first", "second"].map(|name| {
        let file = home.path(name);
        fullness(&file, 50);
        config += &format!(
            "[[instance]]\nname = \"{name}\"\nurl = \"{}\"\n\
             [[capacity]]\ninstance = \"{name}\"\non = \"{name}\"\ncommand = [\"cat\", \"{}\"]\n",
            watched.url(&database),
            file.display()
        );
        file
    });
    // Each takes what is about one, so that nothing is gathered.
    config += &receiver.channel("of_first", "match = \"volume:first\"");
    config += &receiver.channel("of_second", "match = \"volume:second\"");
    let service = serve(&home, &config);
    let is_known = |name: &str| {
        let (_, disk) = service.get(&format!("/api/storage/disk?instance={name}"));
        disk["volumes"][0]["source"] == "command"
    };
    until(&service, "the volumes are not known", || {
        is_known("first") && is_known("second")
    });

    // It can be read, and not written.
    sql("alter system set default_transaction_read_only = on");
    sql("select pg_reload_conf()");
    until(&service, "the store takes samples", || {
        service.post("/api/storage/samples?instance=first").0 != 201
    });
    fullness(&says[0], 96);
    until(
        &service,
        "an opening from a store that is read-only",
        || !told(&receiver, "opened", "\"first\"").is_empty(),
    );
    let opened = told(&receiver, "opened", "\"first\"").remove(0);
    assert_eq!(
        (&opened["severity"], &opened["alert_id"]),
        (&"critical".into(), &Value::Null)
    );
    sql("alter system reset default_transaction_read_only");
    sql("select pg_reload_conf()");
    let alert = kept(&service, "volume_full", &opened["created_at"]);
    assert_eq!(alert["severity"], opened["severity"], "{alert}");
    let sent = |event: &str| (event.to_owned(), "sent".to_owned());
    until(&service, "what became of them is not kept", || {
        let alert = kept(&service, "volume_full", &opened["created_at"]);
        states(&alert) == [sent("opened")]
    });

    // It is gone: one ends, and another opens and ends. What was written last was read again by then.
    std::thread::sleep(Duration::from_secs(8));
    server.stop().unwrap();
    fullness(&says[0], 50);
    fullness(&says[1], 96);
    until(&service, "an opening from a store that is gone", || {
        !told(&receiver, "opened", "\"second\"").is_empty()
    });
    until(&service, "an end from a store that is gone", || {
        !told(&receiver, "resolved", "\"first\"").is_empty()
    });
    fullness(&says[1], 50);
    until(&service, "the end of what is in no store", || {
        !told(&receiver, "resolved", "\"second\"").is_empty()
    });
    let second = told(&receiver, "opened", "\"second\"").remove(0);
    server.start_again().unwrap();
    for opened in [&opened, &second] {
        let mut ended = Value::Null;
        for _ in 0..600 {
            ended = kept(&service, "volume_full", &opened["created_at"]);
            if ended["resolved_at"].is_string() && states(&ended).last() == Some(&sent("resolved"))
            {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(states(&ended).last(), Some(&sent("resolved")), "{ended}");
        assert!(ended["resolved_at"].is_string(), "{ended}");
        let thread = receiver
            .messages()
            .into_iter()
            .filter(|it| it["thread"] == opened["key"]);
        let events: Vec<String> = thread.map(|message| text(&message, "event")).collect();
        let alert = kept(&service, "volume_full", &opened["created_at"]);
        let kept: Vec<String> = states(&alert).into_iter().map(|(event, _)| event).collect();
        assert_eq!(events, kept, "as often as the store has it: {alert}");
    }
    assert!(
        keys(&receiver).values().all(|&count| count == 1),
        "{:?}",
        keys(&receiver)
    );
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// So often a process is killed between store and send.
const KILLS: u32 = 20;

/// Kills the process with this id, as nothing can be done about.
fn kill(id: u32) {
    let id = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let _ = rustix::process::kill_process(id, rustix::process::Signal::KILL);
}

#[test]
fn killed_between_store_and_send_no_message_is_lost_and_what_comes_twice_has_one_key() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let home = Home::new();
    let begun = Arc::new(AtomicUsize::new(0));
    let is_held = Arc::new(AtomicBool::new(false));
    let (count, hold) = (Arc::clone(&begun), Arc::clone(&is_held));
    // While it holds, nobody is answered whose request begins to arrive: the row is there, and its sender is killed.
    let receiver = Receiver::on(any(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        let was_held = hold.load(Ordering::SeqCst);
        while hold.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if was_held {
            Does::Closes
        } else {
            Does::Answers(204)
        }
    });
    let database = new_database(server, "killed");
    let mut config = format!(
        "[alerts.volume_full]\nenabled = false\n{SCHEDULE}{}",
        receiver.channel("ops", "")
    );
    let rows = |path: &Path| -> u32 {
        let store = rusqlite::Connection::open(path).unwrap();
        let sql = "select count(*) from alert_messages where channel = 'ops'";
        // it is locked for a moment, or not there yet
        store.query_row(sql, [], |row| row.get(0)).unwrap_or(0)
    };
    for round in 1..=KILLS {
        // One more each time, which is above its limit as soon as it is sampled.
        config += &format!(
            "[[instance]]\nname = \"i{round}\"\nurl = \"{}\"\n\
             [[capacity]]\ninstance = \"i{round}\"\ndatabase = \"{database}\"\nbytes = \"1MB\"\n",
            server.url(&database)
        );
        let before = begun.load(Ordering::SeqCst);
        let aims_at_request = round % 2 == 0;
        is_held.store(aims_at_request, Ordering::SeqCst);
        let service = serve(&home, &config);
        let path = home.store_path();
        let mut tries = 0;
        while rows(&path) < round || (aims_at_request && begun.load(Ordering::SeqCst) == before) {
            tries += 1;
            assert!(tries < 50_000, "nothing to kill it at: {}", service.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        kill(service.id());
        is_held.store(false, Ordering::SeqCst);
        let (_, log) = service.stop("-KILL");
        assert!(!log.contains("panicked"), "{log}");
    }
    let service = serve(&home, &config);
    let all: BTreeSet<String> = (1..=KILLS).map(|round| format!("i{round}")).collect();
    let opened = || -> BTreeMap<String, BTreeSet<String>> {
        let mut opened: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in told(&receiver, "opened", "size_critical") {
            let keys = opened.entry(text(&message, "instance")).or_default();
            keys.insert(text(&message, "key"));
        }
        opened
    };
    until(&service, "some are lost", || opened().len() == all.len());
    assert_eq!(opened().into_keys().collect::<BTreeSet<_>>(), all);
    for (instance, keys) in opened() {
        assert_eq!(keys.len(), 1, "{instance}: {keys:?}");
    }
    // What waits is sent once more at the most; then there is peace.
    until(&service, "something waits still", || {
        let (_, channels) = service.get("/api/channels");
        channels["channels"][0]["waiting"] == 0
    });
    service.stop("-TERM");
}

#[test]
fn a_receiver_that_refuses_hangs_and_fails_gets_every_message_when_it_recovers() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let home = Home::new();
    // Nobody is there at first.
    let listener = any();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let database = new_database(server, "recovers");
    let secret = crate::receiver::SECRET;
    let mut config = format!(
        "[alerts.volume_full]\nenabled = false\n{SCHEDULE}\
         [[channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nsecret = \"{secret}\"\n\
         timeout = \"1s\"\n"
    );
    let names = ["a", "b", "c", "d"];
    for name in names {
        config += &format!(
            "[[instance]]\nname = \"{name}\"\nurl = \"{}\"\n\
             [[capacity]]\ninstance = \"{name}\"\ndatabase = \"{database}\"\nbytes = \"1MB\"\n",
            server.url(&database)
        );
    }
    let service = serve(&home, &config);
    let error = || {
        let (_, channels) = service.get("/api/channels");
        channels["channels"][0].clone()
    };
    until(&service, "nobody says that it is refused", || {
        error()["error"].is_string()
    });
    let (status, ready) = service.get("/readyz");
    assert_eq!(status, 200, "{ready}");
    assert!(ready.to_string().contains("channel ops"), "{ready}");
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let receiver = Receiver::on(listener, |before| match before {
        0 => Does::Hangs,
        1 => Does::Answers(500),
        2 => Does::Busy(1),
        3 => Does::Closes,
        _ => Does::Answers(204),
    });
    until(&service, "not every message arrives", || {
        let told = told(&receiver, "opened", "size_critical");
        let instances: BTreeSet<String> = told
            .iter()
            .map(|message| text(message, "instance"))
            .collect();
        instances == names.map(str::to_owned).into()
    });
    until(&service, "something waits still", || {
        error()["waiting"] == 0
    });
    let got = receiver.got();
    assert!(
        got.iter().filter(|got| !got.is_taken).count() >= 3,
        "{got:?}"
    );
    assert!(
        got.iter().all(Got::is_signed),
        "also those that were not taken"
    );
    // What is tried again has the same id, and a time of its own.
    let refused = got.iter().filter(|got| !got.is_taken);
    for refused in refused {
        let id = &refused.headers["webhook-id"];
        let again = got
            .iter()
            .find(|got| got.is_taken && got.headers["webhook-id"] == *id);
        assert!(again.unwrap().body.contains("opened"), "{refused:?}");
    }
    assert!(
        keys(&receiver).values().all(|&count| count == 1),
        "{:?}",
        keys(&receiver)
    );
    service.stop("-TERM");
}
