//! Who shares a volume: another watched instance and Plimsoll's own store are parts of it, by name.

use std::sync::Arc;

use jiff::SignedDuration;
use plimsoll_server::jobs::{DISK, Step};
use plimsoll_server::settings::{Settings, Watched};
use serde_json::Value;
use throwaway_postgres::{Server, test};

use crate::service::{NOON, Service, at, watched};

/// Looks at an instance at the n-th minute, and gives the volume of its data directory.
async fn look(service: &Service, n: usize, minute: i32) -> Value {
    service
        .clock
        .set(at(NOON) + SignedDuration::from_mins(minute.into()));
    assert_eq!(service.step(&DISK, n).await, Step::Ran);
    volume(service, n).await
}

async fn volume(service: &Service, n: usize) -> Value {
    let name = &service.watch.instances()[n].settings.instance;
    let route = format!("/api/storage/disk?instance={name}&since=1h");
    let disk = service.json(&route).await;
    let volume = disk["volumes"][0].clone();
    let sum: i64 = parts(&volume).filter_map(|it| it["bytes"].as_i64()).sum();
    assert_eq!(volume["used_bytes"].as_i64(), Some(sum), "{disk}");
    volume
}

fn parts(volume: &Value) -> impl Iterator<Item = &Value> {
    volume["parts"].as_array().unwrap().iter()
}

fn part<'a>(volume: &'a Value, kind: &str, name: Option<&str>) -> Option<&'a Value> {
    parts(volume).find(|it| it["part"] == kind && it["name"].as_str() == name)
}

/// What is its own of all that lies there.
fn own(volume: &Value) -> i64 {
    let others = [
        "instance",
        "plimsoll",
        "elsewhere",
        "file_system",
        "unexplained",
    ];
    let own = parts(volume).filter(|it| !others.contains(&it["part"].as_str().unwrap()));
    own.filter_map(|it| it["bytes"].as_i64()).sum()
}

fn settings(instances: Vec<Watched>) -> Settings {
    Settings::new("127.0.0.1:8000".parse().unwrap(), instances)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_and_the_store_are_parts_of_the_volume_that_they_share() {
    let (Some(one), Some(other)) = (test::installed(18), test::installed(15)) else {
        return;
    };
    let [one, other] = [one, other].map(|it| Server::start(&test::options(&it)).unwrap());
    let instances = || {
        vec![
            watched("one", &one.url("postgres")),
            watched("other", &other.url("postgres")),
            // The same server once more: no neighbour of itself, by any way to it.
            watched("again", &one.url("template1")),
        ]
    };
    let service = Service::with(settings(instances())).await;
    let first = look(&service, 0, 0).await;
    assert!(
        part(&first, "instance", Some("other")).is_none(),
        "nobody has looked there yet"
    );
    let theirs = look(&service, 1, 0).await;
    assert_eq!(
        part(&theirs, "instance", Some("one")).unwrap()["bytes"].as_i64(),
        Some(own(&first)),
        "{theirs}"
    );
    look(&service, 2, 0).await;
    let second = look(&service, 0, 1).await;
    let neighbour = part(&second, "instance", Some("other")).unwrap();
    assert_eq!(neighbour["bytes"].as_i64(), Some(own(&theirs)), "{second}");
    assert_eq!(
        (&neighbour["source"], &neighbour["unknown"]),
        (&"instance".into(), &Value::Null)
    );
    assert!(
        part(&second, "instance", Some("again")).is_none(),
        "{second}"
    );
    assert!(part(&second, "instance", Some("one")).is_none(), "{second}");
    // That it is named is no growth.
    let cause = |volume: &Value, kind: &str| {
        let all = volume["why"].as_array().unwrap();
        all.iter().find(|it| it["part"] == kind).cloned()
    };
    let named = cause(&second, "instance").unwrap();
    assert_eq!(named["change_bytes"], 0);
    assert!(
        named["text"].as_str().unwrap().contains("coverage"),
        "{named}"
    );

    // The store: the file's bytes and those of the files beside it.
    let store = part(&second, "plimsoll", None).unwrap();
    let files = std::fs::read_dir(service.folder.path()).unwrap();
    let bytes: u64 = files.map(|it| it.unwrap().metadata().unwrap().len()).sum();
    let is = store["bytes"].as_u64().unwrap();
    assert!((100_000..=bytes).contains(&is), "{is} of {bytes}: {store}");

    // What it gains by segments of WAL is its own, and not elsewhere's.
    other
        .sql(
            "postgres",
            "select pg_create_physical_replication_slot('forgotten', true)",
        )
        .unwrap();
    let load = "select count(pg_logical_emit_message(false, 'x', repeat('x', 1000000)))
                from generate_series(1, 60)";
    other.sql("postgres", load).unwrap();
    let before = own(&theirs);
    let theirs = look(&service, 1, 2).await;
    let gained = own(&theirs) - before;
    assert!(
        gained >= 48 << 20 && gained % (16 << 20) < 100_000,
        "{gained}"
    );
    let third = look(&service, 0, 2).await;
    let neighbour = part(&third, "instance", Some("other")).unwrap();
    assert_eq!(neighbour["bytes"].as_i64(), Some(own(&theirs)));

    // Another process knows it from the store, before it has looked there itself.
    let again = Service::sharing(settings(instances()), Arc::clone(&service.folder)).await;
    let fourth = look(&again, 0, 3).await;
    let neighbour = part(&fourth, "instance", Some("other")).unwrap();
    assert_eq!(neighbour["bytes"].as_i64(), Some(own(&theirs)));

    // Also where the server itself does not answer.
    one.stop().unwrap();
    let fifth = look(&again, 0, 4).await;
    assert!(part(&fifth, "instance", Some("other")).is_some(), "{fifth}");
    // Who is watched no more is no part of it.
    let alone = settings(vec![watched("one", &one.url("postgres"))]);
    one.start_again().unwrap();
    let alone = Service::sharing(alone, Arc::clone(&service.folder)).await;
    // A full look, after a visit.
    alone.clock.set(at(NOON) + SignedDuration::from_mins(29));
    assert_eq!(alone.post("/api/storage/samples").await.status, 201);
    let last = look(&alone, 0, 30).await;
    assert!(part(&last, "instance", Some("other")).is_none(), "{last}");
}
