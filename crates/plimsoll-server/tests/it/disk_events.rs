//! What happens to a volume of a server's own: a resize, a restore, no room left, and much that no part explains.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use plimsoll_server::jobs::{DISK, Step};
use serde_json::Value;
use throwaway_postgres::{Server, Volume, report_volumes, test};

use crate::service::{NOON, Service, at, watched};

const ROUTE: &str = "/api/storage/disk";

/// Looks at the n-th minute, and gives what is answered then of changes since a minute before.
async fn look(service: &Service, minute: i32) -> Value {
    service
        .clock
        .set(at(NOON) + SignedDuration::from_mins(minute.into()));
    assert_eq!(service.step(&DISK, 0).await, Step::Ran);
    let disk = service.json(&format!("{ROUTE}?since=1m")).await;
    for volume in disk["volumes"].as_array().unwrap() {
        let parts = volume["parts"].as_array().unwrap();
        let sum: i64 = parts.iter().filter_map(|it| it["bytes"].as_i64()).sum();
        assert_eq!(volume["used_bytes"].as_i64(), Some(sum), "{volume}");
    }
    disk
}

/// The volume with this mount point.
fn on<'a>(disk: &'a Value, path: &Path) -> &'a Value {
    let volumes = disk["volumes"].as_array().unwrap();
    let name = path.to_str().unwrap();
    let found = volumes.iter().find(|volume| volume["name"] == name);
    found.unwrap_or_else(|| panic!("{name} is not in {disk}"))
}

fn bytes(volume: &Value, kind: &str) -> i64 {
    let parts = volume["parts"].as_array().unwrap();
    let part = parts.iter().find(|it| it["part"] == kind).unwrap();
    part["bytes"].as_i64().unwrap_or_else(|| panic!("{part}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resize_a_restore_and_no_room_left_are_each_told_as_what_they_are() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let volume = Volume::tmpfs(&server, "own", 600);
    let volume = volume.and_then(|volume| volume.take_data(&server).map(|()| volume));
    let what = "a resize, a restore and no room left";
    report_volumes(what, volume.as_ref().map(|_| ()).map_err(String::as_str));
    let Ok(volume) = volume else { return };
    let path = volume.path();
    let service = Service::of(vec![watched("main", &server.url("postgres"))]).await;
    let first = look(&service, 0).await;
    assert_eq!(on(&first, path)["capacity_bytes"], 600 << 20);

    // A resize: an event with its time, of which nothing is growth.
    volume.resize(700).unwrap();
    let second = look(&service, 1).await;
    let resizes = &on(&second, path)["resizes"];
    let times = [0, 1].map(|n| format!("{:.3}", at(NOON) + SignedDuration::from_mins(n)));
    assert_eq!(resizes.as_array().unwrap().len(), 1, "{resizes}");
    assert_eq!(
        (&resizes[0]["before_bytes"], &resizes[0]["after_bytes"]),
        (&(600 << 20).into(), &(700 << 20).into())
    );
    assert_eq!(
        (&resizes[0]["from"], &resizes[0]["at"]),
        (&(&*times[0]).into(), &(&*times[1]).into())
    );
    for cause in on(&second, path)["why"].as_array().unwrap() {
        // The server may write a page of its own.
        assert!(
            cause["change_bytes"].as_i64().unwrap().abs() < 100_000,
            "{second}"
        );
    }
    let events = service.json("/api/storage/events?kind=resize").await;
    assert_eq!(
        (&events["count"], &events["events"][0]["kind"]),
        (&1.into(), &"resize".into())
    );
    assert_eq!(events["events"][0]["delta_bytes"], 100 << 20);
    let detail = events["events"][0]["detail"].as_str().unwrap();
    assert!(detail.contains(path.to_str().unwrap()), "{detail}");

    // A restore: the write position goes back, and what is written in an hour is not known from it.
    let emit = |megabytes: u32| {
        let sql = format!(
            "select count(pg_logical_emit_message(false, 'x', repeat('x', 1000000)))
             from generate_series(1, {megabytes})"
        );
        server.sql("postgres", &sql).unwrap();
    };
    server.stop().unwrap();
    let (data, copy) = (path.join("data"), server.folder().join("copy"));
    let run = |program: &str, args: &[&str]| {
        let status = Command::new(program).args(args).status().unwrap();
        assert!(status.success(), "{program} {args:?}");
    };
    let (data, copy) = (data.to_str().unwrap(), copy.to_str().unwrap());
    run("cp", &["-a", data, copy]);
    server.start_again().unwrap();
    emit(40);
    let third = look(&service, 2).await;
    assert!(
        third["wal"]["bytes_per_hour"].as_f64() > Some(1e9),
        "{}",
        third["wal"]
    );
    server.stop().unwrap();
    run(
        "sh",
        &[
            "-c",
            "rm -rf \"$1\"/* && cp -a \"$2\"/. \"$1\"",
            "sh",
            data,
            copy,
        ],
    );
    server.start_again().unwrap();
    let fourth = look(&service, 3).await;
    assert!(fourth["unreachable"].is_null(), "{fourth}");
    assert!(
        fourth["wal"]["bytes_per_hour"].is_null(),
        "{}",
        fourth["wal"]
    );
    let unknown = fourth["wal"]["unknown"].as_str().unwrap();
    assert!(unknown.contains("restored"), "{unknown}");

    // No room left: the neighbour's file is told, and the server cannot write.
    let filler = path.join("neighbour");
    let free = on(&fourth, path)["available_bytes"].as_u64().unwrap();
    assert!(std::fs::write(&filler, vec![1; usize::try_from(free).unwrap() + (1 << 20)]).is_err());
    let fifth = look(&service, 4).await;
    let now = on(&fifth, path);
    assert_eq!(
        (&now["available_bytes"], &now["used_bytes"]),
        (&0.into(), &(700 << 20).into())
    );
    assert_eq!(now["why"][0]["part"], "unexplained", "{}", now["why"]);
    let gained = now["why"][0]["change_bytes"].as_u64().unwrap();
    assert!(gained.abs_diff(free) < 100_000, "{gained} of {free}");
    let write = "create table load as select repeat('x', 1000) from generate_series(1, 10000)";
    let error = server.sql("postgres", write).unwrap_err().to_string();
    assert!(error.contains("No space left"), "{error}");
    // Without room for a segment it ends itself; its volume is told all the same, and what filled it.
    for _ in 0..200 {
        if server
            .sql(
                "postgres",
                "select pg_switch_wal(), pg_logical_emit_message(false, 'x', 'x')",
            )
            .is_err()
        {
            break;
        }
    }
    server.crash().unwrap();
    let sixth = look(&service, 5).await;
    assert!(sixth["unreachable"].is_string(), "{sixth}");
    // What it gave back with its end is little.
    let left = on(&sixth, path)["available_bytes"].as_u64().unwrap();
    assert!(left < 16 << 20, "{left}");
    std::fs::remove_file(&filler).unwrap();
    server.start_again().unwrap();
    let last = look(&service, 6).await;
    assert!(last["unreachable"].is_null() && on(&last, path)["available_bytes"].as_u64() > Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_part_explains_has_totals_read_within_five_minutes_where_it_is_much() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let volume = Volume::of_file(&server, "large", "ext4", 3000, "");
    let what = "much that no part explains, on a volume of three gigabytes,";
    report_volumes(what, volume.as_ref().map(|_| ()).map_err(String::as_str));
    let Ok(volume) = volume else { return };
    let location = volume.make_folder(&server, "space").unwrap();
    let make = format!("create tablespace large location '{}'", location.display());
    server.sql("postgres", &make).unwrap();
    let service = Service::of(vec![watched("main", &server.url("postgres"))]).await;
    let first = look(&service, 0).await;
    let full_at = first["full_look_at"].clone();
    // Allocated and not written: the volume has less, and the test is quick.
    let file = volume.path().join("neighbour");
    let allocate = |bytes: u64| {
        let size = bytes.to_string();
        let mut command = Command::new("fallocate");
        let status = command.args(["-l", &size]).arg(&file).status().unwrap();
        assert!(status.success());
    };
    let unexplained = |disk: &Value| bytes(on(disk, volume.path()), "unexplained");
    allocate(900_000_000);
    for minute in 1..8 {
        let disk = look(&service, minute).await;
        assert!(
            (890_000_000..910_000_000).contains(&unexplained(&disk)),
            "{disk}"
        );
        assert_eq!(
            disk["full_look_at"], full_at,
            "less than a gigabyte waits for a visit"
        );
    }
    allocate(1_100_000_000);
    let eighth = look(&service, 8).await;
    assert_eq!(eighth["full_look_at"], full_at, "a pulse is no full look");
    // It is not younger than five minutes, so the next look reads them.
    let began = Instant::now();
    let mut ninth = look(&service, 9).await;
    let took = began.elapsed();
    // Never more often than a hundred times what it costs: on a machine that is very busy, later.
    let mut later = 10;
    while ninth["full_look_at"] == full_at && later < 60 {
        assert!(took > Duration::from_secs(2), "{ninth}");
        ninth = look(&service, later).await;
        later += 1;
    }
    assert_eq!(unexplained(&ninth), 0);
    let elsewhere = bytes(on(&ninth, volume.path()), "elsewhere");
    assert!(elsewhere > 1_090_000_000, "{elsewhere}");
    // Again, and again at most five minutes later.
    allocate(2_300_000_000);
    let read_at = later;
    loop {
        let disk = look(&service, later).await;
        if disk["full_look_at"] != ninth["full_look_at"] {
            break;
        }
        later += 1;
        assert!(
            later <= read_at + 4 || took > Duration::from_secs(2),
            "{disk}"
        );
    }
    assert!(later >= read_at + 4, "every five minutes at most");
    server.sql("postgres", "drop tablespace large").unwrap();
}
