//! Volumes of their own under one server, where this host lets us mount them: else the test says that it did nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::part::{Kind, Part};
use plimsoll_core::disk::pulse::{Pulse, Space};
use plimsoll_core::disk::volume::{FileSystem, at_pulse, full_look, known_bytes};
use plimsoll_core::disk::why::why;
use plimsoll_postgres::Volumes;
use throwaway_postgres::{Installation, Server, test};

use crate::pulse::{look, on_disk};
use crate::session::open;

const MB: u64 = 1 << 20;

/// A small volume, gone when this is dropped, also under a server that still runs.
struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn is_done(program: &str, args: &[&str]) -> bool {
    Command::new(program)
        .args(args)
        .output()
        .is_ok_and(|output| output.status.success())
}

fn mount(server: &Server, name: &str, mb: u64) -> Option<Mounted> {
    let folder = server.make_folder(name).unwrap();
    let options = format!("size={mb}m,mode=755");
    is_done(
        "mount",
        &["-t", "tmpfs", "-o", &options, "tmpfs", folder.to_str()?],
    )
    .then(|| Mounted(folder))
}

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

on_own_server! {
    wal_and_a_tablespace_on_volumes_of_their_own => elsewhere,
}

async fn elsewhere(installation: &Installation) {
    if installation.major != 18 {
        // Where directories lie is no matter of the server's version.
        return;
    }
    let server = Server::start(&test::options(installation)).unwrap();
    let (Some(wal), Some(fast)) = (mount(&server, "wal", 512), mount(&server, "fast", 16)) else {
        #[expect(
            clippy::print_stderr,
            reason = "a test that did nothing must not look like one that passed"
        )]
        {
            eprintln!("not tested: volumes of their own, since this user may not mount");
        }
        return;
    };
    move_wal(&server, &wal.0);
    let location = fast.0.join("space");
    std::fs::create_dir(&location).unwrap();
    let owner = format!("--reference={}", server.data_dir().display());
    assert!(is_done("chown", &[&owner, location.to_str().unwrap()]));
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
        wal.0.to_str().unwrap()
    );

    // A neighbour's file: unexplained at the next pulse, elsewhere at the next look, and the sum holds.
    let used = |pulse: &Pulse| Ok(space(pulse, &Place::Wal).used_bytes);
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
    std::fs::write(wal.0.join("neighbour"), vec![1; 5 << 20]).unwrap();
    let second = look(&session).await;
    let pulsed = at_pulse(used(&second), parts(&second, &Place::Wal), &full, second.at);
    assert_eq!(
        known_bytes(&pulsed),
        i64::try_from(space(&second, &Place::Wal).used_bytes).unwrap()
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
    let third = look(&session).await;
    let pulsed = at_pulse(used(&third), parts(&third, &Place::Wal), &again, third.at);
    let causes = why(&again, &pulsed, second.at, &[]);
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

    // Full, and stopped: the volume is looked at all the same.
    let filler = fast.0.join("filler");
    assert!(std::fs::write(&filler, vec![1; 32 << 20]).is_err());
    assert_eq!(space(&look(&session).await, &on).available_bytes, 0);
    server.stop().unwrap();
    let found = Volumes::default()
        .look(std::slice::from_ref(&wal.0), Duration::from_secs(5))
        .await;
    assert_eq!(found[&wal.0].known().unwrap().pool, pools[1]);
    assert!(Timestamp::now() >= third.at);
}

/// As the manual tells: stopped, moved, linked.
fn move_wal(server: &Server, volume: &Path) {
    server.stop().unwrap();
    let (old, new) = (server.data_dir().join("pg_wal"), volume.join("pg_wal"));
    assert!(is_done(
        "cp",
        &["-a", old.to_str().unwrap(), new.to_str().unwrap()]
    ));
    std::fs::remove_dir_all(&old).unwrap();
    std::os::unix::fs::symlink(&new, &old).unwrap();
    server.start_again().unwrap();
}
