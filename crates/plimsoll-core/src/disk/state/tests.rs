//! An hour of a made-up server whose slot keeps WAL, from the first look on.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::capacity::CapacitySource;
use crate::disk::part::Source;
use crate::disk::pulse::{Rewriting, Space, Writer};
use crate::disk::wal::{HolderKind, Limits, Slot};
use crate::instance::Figure;

const GB: u64 = 1_000_000_000;

pub(crate) fn at(minutes: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + minutes * 60).unwrap()
}

fn measured(kind: Kind, name: Option<&str>, bytes: u64, at: Timestamp) -> Part {
    Part::measured(kind, name, bytes, Source::Files, at)
}

/// A pulse of a volume of 500 GB with 400 GB used at first, where `wal` came since.
pub(crate) fn pulse(minute: i64, wal: u64, position: u64) -> Pulse {
    let at = at(minute);
    let space = Space {
        mount_point: "/var/lib/postgresql".into(),
        fs_type: "ext4".into(),
        capacity_bytes: 500 * GB,
        used_bytes: Some(400 * GB + wal),
        available_bytes: Some(90 * GB - wal),
        inodes_total: Some(100),
        inodes_available: Some(50),
        source: CapacitySource::Statvfs,
        source_at: Some(at),
    };
    let slot = Slot {
        name: "standby".into(),
        is_physical: true,
        ..Slot::default()
    };
    let part = |kind, bytes| (Place::Data, measured(kind, None, bytes, at));
    Pulse {
        at,
        position: Figure::Known(position),
        holders: Figure::Known(vec![Holder {
            bytes: Some(10 * GB + wal),
            since: None,
            what: HolderKind::Slot(slot),
        }]),
        limits: Limits {
            slot_bytes: Some(100 * GB),
            idle_seconds: None,
        },
        max_wal_bytes: Figure::Known(GB),
        parts: vec![
            (Place::Wal, measured(Kind::Wal, None, 10 * GB + wal, at)),
            (Place::Log, measured(Kind::Log, None, GB, at)),
            part(Kind::Temporary, 0),
            part(Kind::Replication, 0),
        ],
        rewrites: Figure::Known(Vec::new()),
        writers: Figure::Known(Vec::new()),
        volumes: BTreeMap::from([("/dev/sda".to_owned(), Figure::Known(space))]),
        found: [Place::Data, Place::Wal, Place::Log]
            .into_iter()
            .map(|place| (place, "/dev/sda".to_owned()))
            .collect(),
        directories: BTreeMap::new(),
        declared: BTreeMap::new(),
        beneath: BTreeMap::new(),
        problems: Vec::new(),
        tablespaces: Vec::new(),
        lost: BTreeMap::new(),
        host: String::new(),
        not_found: None,
        statements: 10,
    }
}

pub(crate) fn full(minute: i64) -> Vec<(Place, Part)> {
    let part = |kind, name, bytes| (Place::Data, measured(kind, name, bytes, at(minute)));
    vec![
        part(Kind::Database, Some("shop"), 300 * GB),
        part(Kind::Global, None, GB),
        part(Kind::TransactionStatus, None, GB),
        part(Kind::OtherInDataDirectory, None, GB),
    ]
}

#[test]
fn an_hour_of_a_forgotten_slot_is_told_from_its_first_looks_on() {
    let mut memory = Memory::default();
    assert!(memory.disk(None, at(0)).volumes.is_empty());
    for minute in 0..=60 {
        let wal = u64::try_from(minute).unwrap() * GB / 2;
        let full = full(minute);
        memory.observe(
            pulse(minute, wal, 5 * GB + wal),
            (minute == 0).then_some(&full[..]),
        );
    }
    let now = at(60);
    let disk = memory.disk(None, now);
    assert_eq!((disk.measured_at, disk.volumes.len()), (Some(now), 1));
    let volume = &disk.volumes[0];
    assert_eq!(
        (volume.name.as_deref(), volume.pool.as_str(), volume.assumed),
        (Some("/var/lib/postgresql"), "/dev/sda", false)
    );
    assert_eq!(volume.places, ["data", "wal", "log"]);
    assert_eq!(
        volume.known_bytes,
        i64::try_from(volume.used_bytes.unwrap()).unwrap()
    );
    let wal = volume
        .parts
        .iter()
        .find(|it| it.part.part == Kind::Wal)
        .unwrap();
    assert_eq!(wal.change_bytes, Some(30_000_000_000));
    assert_eq!((volume.why[0].part, volume.why.len()), (Kind::Wal, 1));
    assert!(
        volume.why[0].text.contains("slot standby"),
        "{:?}",
        volume.why
    );
    // 60 GB are left, at 30 an hour.
    let pace = volume.pace.as_ref().unwrap();
    assert!(
        pace.is_young && (pace.bytes_per_hour / 3e10 - 1.0).abs() < 0.02,
        "{pace:?}"
    );
    let mid = volume.full.at_pace.unwrap().mid.unwrap();
    assert!(
        (mid.duration_since(now).as_secs_f64() / 7200.0 - 1.0).abs() < 0.03,
        "{mid}"
    );
    assert!((disk.wal.bytes_per_hour.unwrap() / 3e10 - 1.0).abs() < 0.01);
    // 40 GB are held, 100 may be.
    assert_eq!(
        disk.wal.retained_by[0].ends_by.as_deref(),
        Some("max_slot_wal_keep_size")
    );
    assert_eq!(
        disk.wal.retained_by[0]
            .ends_at
            .unwrap()
            .duration_since(now)
            .as_secs()
            / 60,
        120
    );
    assert!(
        volume.help[0].text.contains("start the standby"),
        "{:?}",
        volume.help
    );
    assert_eq!(volume.help[0].frees_bytes, Some(39 * GB));

    // A window is asked for; a restore makes the rate unknown.
    let disk = memory.disk(Some(at(50)), now);
    assert_eq!(disk.volumes[0].why[0].change_bytes, 5_000_000_000);
    memory.observe(pulse(61, 0, GB), None);
    let restored = memory.disk(None, at(61));
    assert_eq!(restored.wal.bytes_per_hour, None);
    assert!(restored.wal.unknown.unwrap().contains("restored"));
}

#[test]
fn the_first_look_knows_no_change() {
    let mut memory = Memory::default();
    memory.observe(pulse(0, 0, 5 * GB), Some(&full(0)));
    let first = memory.disk(None, at(0));
    let volume = &first.volumes[0];
    assert_eq!((volume.since, volume.why.len()), (None, 0));
    assert!(volume.parts.iter().all(|it| it.change_bytes.is_none()));
    memory.observe(pulse(1, 0, 5 * GB), None);
    let second = memory.disk(None, at(1));
    let volume = &second.volumes[0];
    assert_eq!(volume.since, Some(at(0)));
    let wal = volume.parts.iter().find(|it| it.part.part == Kind::Wal);
    assert_eq!(wal.unwrap().change_bytes, Some(0));
}

#[test]
fn databases_are_not_elsewhere_before_they_were_looked_at() {
    let mut memory = Memory::default();
    memory.observe(pulse(0, 0, 0), None);
    let volume = memory.disk(None, at(0)).volumes.remove(0);
    let bytes = |kind| {
        volume
            .parts
            .iter()
            .find(|it| it.part.part == kind)
            .unwrap()
            .part
            .bytes
    };
    assert_eq!(
        (bytes(Kind::Database), bytes(Kind::Elsewhere)),
        (None, None)
    );
    assert_eq!(bytes(Kind::Unexplained), Some(389_000_000_000));
    assert!(volume.pace.is_none() && volume.pace_unknown.as_deref().unwrap().contains("three"));
    memory.observe(pulse(1, 0, 0), Some(&full(1)));
    let volume = memory.disk(None, at(1)).volumes.remove(0);
    assert!(
        volume.why.iter().all(|cause| cause.change_bytes == 0),
        "coverage is no growth: {:?}",
        volume.why
    );
}

#[test]
fn a_server_of_another_host_has_parts_and_no_volume() {
    let mut memory = Memory::default();
    let mut seen = pulse(0, 0, 0);
    (seen.volumes, seen.found) = (BTreeMap::new(), BTreeMap::new());
    seen.not_found = Some("the connection is not through a Unix socket".into());
    memory.observe(seen, Some(&full(0)));
    let volume = memory.disk(None, at(0)).volumes.remove(0);
    assert_eq!(
        (volume.used_bytes, volume.known_bytes, volume.assumed),
        (None, 314_000_000_000, true)
    );
    assert!(volume.unknown.as_deref().unwrap().contains("Unix socket"));
    let elsewhere = volume
        .parts
        .iter()
        .find(|it| it.part.part == Kind::Elsewhere)
        .unwrap();
    assert!(elsewhere.part.unknown.is_some() && volume.full.at_pace.is_none());
    // Once found, it is remembered: a stopped server shows nothing.
    memory.observe(pulse(1, 0, 0), None);
    let mut stopped = pulse(2, 0, 0);
    stopped.found = BTreeMap::new();
    memory.observe(stopped, None);
    let disk = memory.disk(None, at(2));
    let volume = disk
        .volumes
        .iter()
        .find(|volume| volume.pool == "/dev/sda")
        .unwrap();
    assert_eq!((volume.assumed, volume.source_at), (false, Some(at(2))));
}

#[test]
fn a_running_rewrite_that_fits_sets_no_date() {
    let mut memory = Memory::default();
    let mut with = |minute: i64, needs| {
        let wal = u64::try_from(minute).unwrap() * GB / 2;
        let mut pulse = pulse(minute, wal, 0);
        let rewrite = Rewriting {
            pid: 1,
            command: "VACUUM FULL".into(),
            since: Some(at(0)),
            needs_bytes: Some(needs),
        };
        pulse.rewrites = Figure::Known(vec![rewrite]);
        pulse.writers = Figure::Known(vec![Writer {
            pid: 1,
            user: None,
            since: None,
            bytes: GB,
            query: None,
        }]);
        memory.observe(pulse, None);
        memory.disk(None, at(minute)).volumes[0].full.at_pace
    };
    for minute in 0..10 {
        with(minute, 50 * GB);
    }
    assert_eq!(with(10, 50 * GB).unwrap().mid, None);
    assert!(with(11, 500 * GB).unwrap().mid.is_some(), "it does not fit");
}

#[test]
fn a_day_of_looks_is_kept_and_no_more() {
    let mut memory = Memory::default();
    for minute in 0..3 * 1440 {
        memory.observe(pulse(minute, 0, 0), None);
    }
    let pool = &memory.pools["/dev/sda"];
    assert_eq!(pool.looks.len(), 1440);
    assert!(
        (60..60 + 24 * 6).contains(&pool.parts.len()),
        "{}",
        pool.parts.len()
    );
    let gap = pool
        .parts
        .iter()
        .zip(pool.parts.iter().skip(1))
        .map(|(a, b)| b.0.duration_since(a.0))
        .max();
    assert!(gap.unwrap() <= SignedDuration::from_mins(11), "{gap:?}");
    assert!(
        memory.disk(None, at(3 * 1440 - 1)).volumes[0]
            .pace
            .is_some()
    );
}

#[test]
fn a_volume_on_which_nothing_lies_any_more_is_not_told() {
    let mut memory = Memory::default();
    memory.observe(pulse(0, 0, GB), Some(&full(0)));
    let mut declared = pulse(1, 0, GB);
    let space = declared.volumes.remove("/dev/sda").unwrap();
    declared.volumes.insert("/dev/sdb".to_owned(), space);
    for pool in declared.found.values_mut() {
        *pool = "/dev/sdb".to_owned();
    }
    memory.observe(declared, None);
    let disk = memory.disk(None, at(1));
    let pools: Vec<&str> = disk.volumes.iter().map(|it| it.pool.as_str()).collect();
    assert_eq!(pools, ["/dev/sdb"]);
}
