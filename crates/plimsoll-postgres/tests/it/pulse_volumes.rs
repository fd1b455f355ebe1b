//! Volumes of their own under one server, where this host lets us mount them: else the test says that it did nothing.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::part::{Kind, Part};
use plimsoll_core::disk::pulse::{Pulse, Space};
use plimsoll_core::disk::volume::{FileSystem, at_pulse, full_look, known_bytes, scale};
use plimsoll_core::disk::why::why;
use plimsoll_postgres::{Session, Volumes, rest_of_disk};
use throwaway_postgres::{Installation, Server, Volume, report_volumes, test};

use crate::pulse::{look, on_disk};
use crate::session::{as_role, open};

const MB: u64 = 1 << 20;

/// The parts of a place, as a list for its volume.
fn parts(pulse: &Pulse, place: &Place) -> Vec<Part> {
    pulse
        .parts
        .iter()
        .filter(|(on, _)| on == place)
        .map(|(_, part)| part.clone())
        .collect()
}

fn space<'a>(pulse: &'a Pulse, place: &Place) -> &'a Space {
    pulse.volumes[&pulse.found[place]].known().unwrap()
}

fn bytes(parts: &[Part], kind: Kind) -> i64 {
    parts
        .iter()
        .find(|part| part.part == kind)
        .unwrap()
        .bytes
        .unwrap()
}

throwaway_postgres::on_own_server! {
    wal_and_a_tablespace_on_volumes_of_their_own => elsewhere,
    a_volume_that_compresses => packed,
}

// How a server makes its files larger is a matter of its version.
async fn packed(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    let session = open(&server.url("postgres")).await.unwrap();
    let packed = Volume::of_file(&server, "packed", "btrfs", 400, "compress-force=zstd");
    report_volumes(
        "a compressed btrfs",
        packed.as_ref().map(|_| ()).map_err(String::as_str),
    );
    if let Ok(volume) = packed {
        compressed(&server, &session, &volume).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_that_is_full_and_one_that_hangs() {
    // What a host says of its volumes is no matter of the server's version.
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let small = Volume::of_file(&server, "small", "ext4", 32, "");
    report_volumes(
        "a small ext4 that is full",
        small.as_ref().map(|_| ()).map_err(String::as_str),
    );
    if let Ok(volume) = small {
        full(&volume).await;
    }
    let hung = Volume::hung(&server, "hung");
    report_volumes(
        "a mount that hangs",
        hung.as_ref().map(|_| ()).map_err(String::as_str),
    );
    if let Ok(volume) = hung {
        hangs(&server, volume).await;
    }
}

/// What the file system saves is a part of its own, and negative.
async fn compressed(server: &Server, session: &Session, volume: &Volume) {
    let location = volume.make_folder(server, "space").unwrap();
    let made = format!("create tablespace packed location '{}'", location.display());
    for sql in [
        made.as_str(),
        "create table big (a text) tablespace packed",
        // Page by page: what the server allocates ahead, as for a table made from a query, is never compressed.
        "insert into big select repeat('x', 1000) from generate_series(1, 60000)",
        "checkpoint",
    ] {
        server.sql("postgres", sql).unwrap();
    }
    let synced = std::process::Command::new("sync")
        .arg("-f")
        .arg(volume.path())
        .status();
    assert!(synced.unwrap().success());
    let seen = look(session).await;
    let on = Place::Tablespace("packed".to_owned());
    let mut measured = parts(&seen, &on);
    let rest = rest_of_disk(session, seen.at).await.unwrap();
    measured.extend(
        rest.into_iter()
            .filter(|(place, _)| *place == on)
            .map(|(_, part)| part),
    );
    let has = space(&seen, &on);
    assert_eq!(has.fs_type, "btrfs");
    let used = has.used_bytes.unwrap();
    let full = full_look(Ok(used), measured, FileSystem::of(&has.fs_type), seen.at);
    let size = server
        .sql("postgres", "select pg_total_relation_size('big')")
        .unwrap()[0][0]
        .clone()
        .unwrap();
    assert_eq!(bytes(&full, Kind::Database), size.parse::<i64>().unwrap());
    assert!(bytes(&full, Kind::FileSystem) < -(40 << 20), "{full:?}");
    assert_eq!(known_bytes(&full), i64::try_from(used).unwrap());
    // A forecast of such files is one of what they take.
    assert!(scale(&full) < 0.4, "{}", scale(&full));
    // Each on its own: the second is none of a transaction's.
    for sql in ["drop table big", "drop tablespace packed"] {
        server.sql("postgres", sql).unwrap();
    }
}

/// What root keeps for itself is not available.
async fn full(volume: &Volume) {
    let volumes = Volumes::default();
    let mut number = 0;
    loop {
        let found = volumes
            .look(&[volume.path().to_path_buf()], Duration::from_secs(60))
            .await;
        let space = found[volume.path()].known().unwrap().space.clone();
        if space.available_bytes == Some(0) {
            let reserve = space.capacity_bytes - space.used_bytes.unwrap();
            assert!(reserve > 0, "{space:?}");
            return;
        }
        number += 1;
        assert!(number < 1000, "{space:?}");
        std::fs::write(volume.path().join(number.to_string()), vec![1; 256 << 10]).unwrap();
    }
}

/// What does not answer costs itself, and is not asked again while it hangs.
async fn hangs(server: &Server, volume: Volume) {
    for sql in ["create role plain login", "grant pg_monitor to plain"] {
        server.sql("postgres", sql).unwrap();
    }
    std::os::unix::fs::symlink(volume.path(), server.data_dir().join("log")).unwrap();
    let session = open(&as_role(&server.url("postgres"), "plain"))
        .await
        .unwrap();
    let volumes = Volumes::default();
    for expect in ["did not answer", "still hangs"] {
        let seen = plimsoll_postgres::pulse(&session, &volumes, Timestamp::now())
            .await
            .unwrap();
        let reason = &seen.lost[&Place::Log];
        assert!(reason.contains(expect), "{reason}");
        assert!(seen.volumes[&seen.found[&Place::Data]].known().is_some());
        assert_eq!(seen.found[&Place::Wal], seen.found[&Place::Data]);
    }
    // So does a visit.
    let facts = plimsoll_postgres::facts(&session, &[]).await.unwrap();
    assert!(
        facts
            .log_capacity
            .reason()
            .unwrap()
            .contains("did not answer")
    );
    assert!(facts.capacity.known().is_some() && facts.wal.capacity.known().is_some());
    drop(volume);
}

async fn elsewhere(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    let volumes = Volume::tmpfs(&server, "wal", 512)
        .and_then(|wal| Ok((wal, Volume::tmpfs(&server, "fast", 16)?)));
    let made = volumes.as_ref().map(|_| ()).map_err(String::as_str);
    report_volumes("WAL and a tablespace elsewhere", made);
    let Ok((wal, fast)) = volumes else { return };
    wal.take_wal(&server).unwrap();
    let location = fast.make_folder(&server, "space").unwrap();
    server
        .sql(
            "postgres",
            &format!("create tablespace fast location '{}'", location.display()),
        )
        .unwrap();

    let session = open(&server.url("postgres")).await.unwrap();
    let first = look(&session).await;
    let on = Place::Tablespace("fast".to_owned());
    let pools = [Place::Data, Place::Wal, on.clone()].map(|place| first.found[&place].clone());
    assert!(
        pools[0] != pools[1] && pools[1] != pools[2] && pools[0] != pools[2],
        "{pools:?}"
    );
    assert!(
        !first.found.contains_key(&Place::Log),
        "there is no log folder"
    );
    assert_eq!(space(&first, &Place::Wal).capacity_bytes, 512 * MB);
    assert_eq!(
        space(&first, &Place::Wal).mount_point,
        wal.path().to_str().unwrap()
    );

    // A neighbour's file: unexplained at the next pulse, elsewhere at the next look, and the sum holds.
    let used = |pulse: &Pulse| Ok(space(pulse, &Place::Wal).used_bytes.unwrap());
    let full = full_look(
        used(&first),
        parts(&first, &Place::Wal),
        FileSystem::Plain,
        first.at,
    );
    assert_eq!(
        bytes(&full, Kind::Wal),
        i64::try_from(on_disk(&server, "pg_wal")).unwrap()
    );
    std::fs::write(wal.path().join("neighbour"), vec![1; 5 << 20]).unwrap();
    let second = look(&session).await;
    let pulsed = at_pulse(used(&second), parts(&second, &Place::Wal), &full, second.at);
    assert_eq!(
        known_bytes(&pulsed),
        i64::try_from(space(&second, &Place::Wal).used_bytes.unwrap()).unwrap()
    );
    assert_eq!(
        (
            bytes(&pulsed, Kind::Unexplained),
            bytes(&pulsed, Kind::Elsewhere)
        ),
        (5 << 20, bytes(&full, Kind::Elsewhere))
    );
    let causes = why(&full, &pulsed, first.at, &[]);
    assert_eq!(
        (causes[0].part, causes[0].change_bytes),
        (Kind::Unexplained, 5 << 20)
    );
    let again = full_look(
        used(&second),
        parts(&second, &Place::Wal),
        FileSystem::Plain,
        second.at,
    );
    let causes = why(&full, &again, first.at, &[]);
    assert_eq!(
        (causes[0].part, causes[0].change_bytes, causes.len()),
        (Kind::Elsewhere, 5 << 20, 1)
    );

    // WAL moves by segments, and is named.
    server
        .sql(
            "postgres",
            "select pg_create_physical_replication_slot('held', true)",
        )
        .unwrap();
    server
        .sql(
            "postgres",
            "create table load as select repeat('x', 1000) from generate_series(1, 60000)",
        )
        .unwrap();
    let mut tries = 0;
    let (third, pulsed, causes) = loop {
        let third = look(&session).await;
        let pulsed = at_pulse(used(&third), parts(&third, &Place::Wal), &again, third.at);
        let causes = why(&again, &pulsed, second.at, &[]);
        tries += 1;
        // while a segment is being made, the file grows from one question of a look to the next
        if bytes(&pulsed, Kind::Unexplained) == 0 || tries == 50 {
            break (third, pulsed, causes);
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    assert_eq!(causes[0].part, Kind::Wal);
    assert!(
        causes[0].change_bytes > 0 && causes[0].change_bytes % (16 << 20) == 0,
        "{causes:?}"
    );
    assert_eq!(
        bytes(&pulsed, Kind::Unexplained),
        0,
        "a tmpfs takes what its files have"
    );

    // A link that cannot be read costs what lies behind it, and no more.
    let oid = server
        .sql(
            "postgres",
            "select oid from pg_tablespace where spcname = 'fast'",
        )
        .unwrap()[0][0]
        .clone()
        .unwrap();
    let link = server.data_dir().join("pg_tblspc").join(oid);
    std::fs::remove_file(&link).unwrap();
    let lost = look(&session).await;
    assert!(lost.lost.contains_key(&on), "{:?}", lost.lost);
    assert_eq!(lost.found[&Place::Wal], pools[1]);
    let temporary = parts(&lost, &on);
    assert_eq!((temporary.len(), temporary[0].bytes), (1, None));
    assert_eq!(
        bytes(&parts(&lost, &Place::Wal), Kind::Wal),
        bytes(&pulsed, Kind::Wal)
    );
    let rest = rest_of_disk(&session, lost.at).await.unwrap();
    let there = rest.iter().filter(|(place, _)| *place == on);
    assert_eq!(
        there.map(|(_, part)| part.bytes).collect::<Vec<_>>(),
        [None]
    );
    std::os::unix::fs::symlink(&location, &link).unwrap();

    // Full, and stopped: the volume is looked at all the same.
    let filler = fast.path().join("filler");
    assert!(std::fs::write(&filler, vec![1; 32 << 20]).is_err());
    assert_eq!(space(&look(&session).await, &on).available_bytes, Some(0));
    server.stop().unwrap();
    let found = Volumes::default()
        .look(&[wal.path().to_path_buf()], Duration::from_secs(5))
        .await;
    assert_eq!(found[wal.path()].known().unwrap().pool, pools[1]);
    assert!(Timestamp::now() >= third.at);
}
