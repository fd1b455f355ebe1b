//! Volumes are looked at each minute and kept: whoever looks, stops, hangs, or starts again.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::kept::{Reader, Step as Every};
use plimsoll_server::jobs::{DISK, Step};
use plimsoll_server::settings::{Settings, Watched, When};
use plimsoll_store::DiskRange;
use serde_json::Value;
use throwaway_postgres::{Options, Server, test};

use crate::proxy::{Fault, Proxy};
use crate::service::{NOON, Service, at, watched};

const ROUTE: &str = "/api/storage/disk";

fn settings(instances: Vec<Watched>) -> Settings {
    Settings::new("127.0.0.1:8000".parse().unwrap(), instances)
}

/// The n-th minute after the start.
fn minute(n: i32) -> Timestamp {
    at(NOON) + SignedDuration::from_mins(n.into())
}

/// As answers write it.
fn shown(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Looks at the n-th minute.
async fn look_at(service: &Service, n: i32) {
    service.clock.set(minute(n));
    assert_eq!(service.step(&DISK, 0).await, Step::Ran, "minute {n}");
}

fn part<'a>(disk: &'a Value, kind: &str) -> &'a Value {
    let parts = disk["volumes"][0]["parts"].as_array().unwrap();
    parts.iter().find(|part| part["part"] == kind).unwrap()
}

fn sum(disk: &Value) -> i64 {
    let parts = disk["volumes"][0]["parts"].as_array().unwrap();
    parts.iter().filter_map(|part| part["bytes"].as_i64()).sum()
}

async fn kept(service: &Service, instance: &str) -> Vec<i64> {
    let range = DiskRange::all(Every::Minute);
    let rows = service.store.disk_rows(instance, range).await.unwrap();
    assert_eq!(Reader::looks(&rows).len(), rows.len());
    rows.iter().map(|row| row.tick).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_kept_is_answered_and_goes_on_after_a_restart() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let main = || vec![watched("main", &server.url("postgres"))];
    let service = Service::of(main()).await;
    let nothing = service.json(ROUTE).await;
    assert!(nothing["measured_at"].is_null() && nothing["volumes"].as_array().unwrap().is_empty());
    for n in 0..6 {
        look_at(&service, n).await;
        assert!(matches!(service.step(&DISK, 0).await, Step::WaitUntil(at) if at == minute(n + 1)));
    }
    let disk = service.json(ROUTE).await;
    assert_eq!(disk["measured_at"], shown(minute(5)));
    assert_eq!(Some(sum(&disk)), disk["volumes"][0]["used_bytes"].as_i64());
    assert_eq!(disk["volumes"][0]["source"], "statvfs");
    assert!(
        disk["volumes"][0]["pace"]["bytes_per_hour"].is_f64(),
        "{disk}"
    );
    assert_eq!(part(&disk, "wal")["measured_at"], shown(minute(5)));
    assert_eq!(
        part(&disk, "global")["measured_at"],
        shown(minute(0)),
        "no visit came since"
    );

    // Another process, later, that has seen nothing itself.
    let again = Service::sharing(settings(main()), Arc::clone(&service.folder)).await;
    again.clock.set(minute(5));
    assert_eq!(again.json(ROUTE).await, disk);
    again.clock.set(minute(5) + SignedDuration::from_secs(20));
    assert_eq!(
        again.step(&DISK, 0).await,
        Step::Ran,
        "a pulse at its start, although that of the minute was taken"
    );
    assert!(matches!(again.step(&DISK, 0).await, Step::WaitUntil(_)));
    look_at(&again, 6).await;
    let disk = again.json(ROUTE).await;
    assert_eq!(disk["measured_at"], shown(minute(6)));
    let window = disk["volumes"][0]["pace"]["window_seconds"]
        .as_i64()
        .unwrap();
    assert!(window >= 360, "the pace is that of both: {window}");
    // And the first one answers what the second one wrote.
    service.clock.set(minute(6));
    assert_eq!(service.json(ROUTE).await, disk);
    assert_eq!(kept(&service, "main").await.len(), 8);

    // The series, and changes since a time.
    let series = again.json(&format!("{ROUTE}?step=minute&since=2m")).await;
    let volume = &series["volumes"][0];
    assert_eq!(volume["since"], shown(minute(4)));
    assert_eq!(volume["series"]["t"].as_array().unwrap().len(), 8);
    assert_eq!(volume["series"]["used"][7], volume["used_bytes"]);
    for part in volume["series"]["parts"].as_array().unwrap() {
        assert_eq!(part["bytes"].as_array().unwrap().len(), 8, "{part}");
    }
    again
        .get(&format!("{ROUTE}?step=week"))
        .await
        .problem(400, "invalid_parameter");
    again
        .get(&format!("{ROUTE}?instance=other"))
        .await
        .problem(404, "unknown_instance");
    // What did not change is not sent again.
    let answer = again.get(ROUTE).await;
    let tag = answer.headers["etag"].clone();
    let request = || axum::http::Request::get(ROUTE).header("if-none-match", tag.clone());
    assert_eq!(again.send(request()).await.status, 304);
    look_at(&again, 7).await;
    assert_eq!(again.send(request()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_share_a_store_take_turns_and_say_the_same() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server
        .sql("postgres", "create database disk_store")
        .unwrap();
    let url = server.url("disk_store");
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let main = || settings(vec![watched("main", &server.url("postgres"))]);
    let both = [
        Service::on_store(main(), &url, Arc::clone(&folder)).await,
        Service::on_store(main(), &url, folder).await,
    ];
    look_at(&both[0], 0).await;
    both[1].step(&DISK, 0).await;
    for n in 1..70 {
        // Who is first takes it; now this one, now that one.
        let first = usize::from(n % 3 == 0);
        look_at(&both[first], n).await;
        let other = &both[1 - first];
        other.clock.set(minute(n));
        assert!(matches!(other.step(&DISK, 0).await, Step::WaitUntil(_)));
    }
    let answers = [both[0].json(ROUTE).await, both[1].json(ROUTE).await];
    assert_eq!(answers[0], answers[1]);
    assert_eq!(kept(&both[0], "main").await.len(), 70, "each minute once");
    let hours = both[0]
        .store
        .disk_rows("main", DiskRange::all(Every::Hour))
        .await
        .unwrap();
    assert_eq!(hours.len(), 1, "each hour once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_could_not_be_kept_is_not_built_upon() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server
        .sql("postgres", "create database disk_full_store")
        .unwrap();
    let store = server.url("disk_full_store");
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let main = || settings(vec![watched("main", &server.url("postgres"))]);
    let service = Service::on_store(main(), &store, Arc::clone(&folder)).await;
    let sql = |sql: &str| server.sql("disk_full_store", sql).unwrap();
    look_at(&service, 0).await;
    sql(
        "create function full_disk() returns trigger language plpgsql as
         $$ begin raise 'the disk is full'; end $$;
         create trigger full_disk before insert on plimsoll.disk_looks
         for each row execute function full_disk()",
    );
    look_at(&service, 1).await;
    let jobs = service.store.jobs().await.unwrap();
    let state = jobs
        .iter()
        .find(|job| job.name.starts_with(DISK.name))
        .unwrap();
    assert_eq!(state.last_outcome.as_deref(), Some("failed"));
    assert!(
        state
            .last_message
            .as_deref()
            .unwrap()
            .contains("the disk is full"),
        "{state:?}"
    );
    sql("drop trigger full_disk on plimsoll.disk_looks");
    for n in 2..4 {
        look_at(&service, n).await;
    }
    let disk = service.json(ROUTE).await;
    assert_eq!(kept(&service, "main").await.len(), 3);
    let again = Service::on_store(main(), &store, folder).await;
    again.clock.set(minute(3));
    assert_eq!(again.json(ROUTE).await, disk, "memory and store are one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_stopped_still_has_its_volume() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    server
        .sql(
            "postgres",
            "select pg_create_physical_replication_slot('forgotten', true)",
        )
        .unwrap();
    let main = || settings(vec![watched("main", &server.url("postgres"))]);
    let service = Service::with(main()).await;
    look_at(&service, 0).await;
    server.stop().unwrap();
    // Also after a restart of ours: where its directories were is kept.
    let service = Service::sharing(main(), Arc::clone(&service.folder)).await;
    look_at(&service, 1).await;
    let disk = service.json(ROUTE).await;
    assert_eq!(disk["measured_at"], shown(minute(1)));
    assert!(disk["unreachable"].is_string(), "{disk}");
    assert!(disk["volumes"][0]["used_bytes"].is_u64(), "{disk}");
    assert_eq!(Some(sum(&disk)), disk["volumes"][0]["used_bytes"].as_i64());
    assert_eq!(part(&disk, "wal")["measured_at"], shown(minute(0)));
    let holders = disk["wal"]["retained_by"].as_array().unwrap();
    assert!(
        holders.iter().any(|held| held["name"] == "forgotten"),
        "what holds WAL is still known"
    );
    server.start_again().unwrap();
    look_at(&service, 2).await;
    let disk = service.json(ROUTE).await;
    assert!(disk["unreachable"].is_null());
    assert_eq!(part(&disk, "wal")["measured_at"], shown(minute(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_hangs_delays_neither_another_nor_an_answer() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let proxy = Proxy::to(server).await;
    let mut hanging = watched("main", &proxy.url("postgres"));
    hanging.visit.deadline = Duration::from_millis(500);
    hanging.visit.connect_timeout = Duration::from_millis(500);
    let other = watched("other", &server.url("postgres"));
    let service = Arc::new(Service::with(settings(vec![hanging, other])).await);
    look_at(&service, 0).await;
    assert_eq!(service.step(&DISK, 1).await, Step::Ran);
    proxy.set(Fault::Hang);
    service.clock.set(minute(1));
    let hung = tokio::spawn({
        let service = Arc::clone(&service);
        async move { service.step(&DISK, 0).await }
    });
    while !service.is_running("look_at_disk/main").await {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(service.step(&DISK, 1).await, Step::Ran);
    let disk = service.json(&format!("{ROUTE}?instance=main")).await;
    // On a busy machine it may have been given up by now.
    if !hung.is_finished() {
        assert_eq!(disk["measured_at"], shown(minute(0)));
    }
    let disk = service.json(&format!("{ROUTE}?instance=other")).await;
    assert_eq!(disk["measured_at"], shown(minute(1)));
    assert_eq!(hung.await.unwrap(), Step::Ran);
    let disk = service.json(&format!("{ROUTE}?instance=main")).await;
    assert!(disk["unreachable"].is_string(), "{disk}");
    proxy.set(Fault::None);
    // A busy machine may need more than the half second that connecting has here: then a later look finds it.
    for later in 2.. {
        look_at(&service, later).await;
        let disk = service.json(&format!("{ROUTE}?instance=main")).await;
        if disk["unreachable"].is_null() {
            break;
        }
        assert!(later < 30, "{disk}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pulses_and_visits_make_do_with_one_connection() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&Options {
        ..test::options(&installation)
    })
    .unwrap();
    server
        .sql(
            "postgres",
            "create role single login connection limit 1; grant pg_monitor to single",
        )
        .unwrap();
    let url = server.url("postgres").replacen("postgres@", "single@", 1);
    let service = Service::of(vec![watched("main", &url)]).await;
    // A machine that is too busy to connect in ten seconds says nothing of this.
    let is_slow = |disk: &Value| {
        let why = disk["unreachable"].as_str();
        why.is_some_and(|why| why.contains("in time"))
    };
    for n in 0..4 {
        // At once, and one after the other.
        service.clock.set(minute(n));
        let (step, sample) =
            tokio::join!(service.step(&DISK, 0), service.post("/api/storage/samples"));
        assert_eq!(
            (step, sample.status.as_u16()),
            (Step::Ran, 201),
            "{n}: {}",
            sample.text()
        );
        let disk = service.json(ROUTE).await;
        assert!(
            disk["unreachable"].is_null() || is_slow(&disk),
            "{n}: {disk}"
        );
        assert_eq!(disk["measured_at"], shown(minute(n)));
        service.clock.set(minute(n) + SignedDuration::from_secs(30));
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
    }
    let held = "select count(*) from pg_stat_activity where usename = 'single'";
    let is_held = || server.sql("postgres", held).unwrap()[0][0].as_deref() == Some("1");
    // A backend ends a moment after its session.
    let is_let_go = || {
        (0..3000).any(|_| {
            let is_gone = !is_held();
            if !is_gone {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            is_gone
        })
    };
    look_at(&service, 4).await;
    if is_slow(&service.json(ROUTE).await) {
        return;
    }
    assert!(
        is_let_go(),
        "nobody else of the role could connect beside one that stays open"
    );
    // With room for others it stays open, and a visit that is refused takes its place.
    server
        .sql("postgres", "alter role single connection limit 2")
        .unwrap();
    look_at(&service, 5).await;
    if is_slow(&service.json(ROUTE).await) {
        return;
    }
    assert!(is_held(), "the pulses' own");
    server
        .sql("postgres", "alter role single connection limit 1")
        .unwrap();
    service.post("/api/storage/samples").await;
    assert!(is_let_go(), "the visit took it over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_off_never_looks() {
    let mut settings = settings(vec![watched(
        "main",
        "postgres://u@127.0.0.1:1/app?sslmode=disable",
    )]);
    settings.schedule.set(DISK.key, When::Off);
    let service = Service::with(settings).await;
    assert_eq!(service.step(&DISK, 0).await, Step::Never);
    let jobs = service.json("/api/jobs").await;
    let job = jobs["jobs"]
        .as_array()
        .unwrap()
        .iter()
        .find(|job| job["name"] == DISK.name)
        .unwrap();
    assert_eq!(
        (job["schedule"].as_str(), &job["next_run_at"]),
        (Some("off"), &Value::Null)
    );
    assert!(service.json(ROUTE).await["measured_at"].is_null());
}
