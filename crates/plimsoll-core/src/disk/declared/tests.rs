//! Where a capacity comes from, which one wins, and where a place is said to lie.

use super::*;
use crate::capacity::CapacitySource;
use crate::disk::memory::Memory;
use crate::disk::part::{Kind, Part, Source};
use crate::disk::state::tests::pulse;
use crate::instance::Tablespace;

fn space(capacity_bytes: u64, source: CapacitySource) -> Space {
    Space::of_capacity(capacity_bytes, source)
}

fn entry(place: Option<&str>, on: Option<&str>, space: Option<Figure<Space>>) -> Entry {
    Entry {
        place: place.map(|place| place.parse().unwrap()),
        on: on.map(str::to_owned),
        space,
    }
}

fn number(bytes: u64) -> Option<Figure<Space>> {
    Some(Figure::Known(space(bytes, CapacitySource::Config)))
}

fn seen(bytes: u64, pool: &str) -> Figure<Capacity> {
    Figure::Known(capacity(&space(bytes, CapacitySource::Statvfs), pool))
}

fn facts(data: &Figure<Capacity>, fast: &Figure<Capacity>) -> InstanceFacts {
    let tablespace = |name: &str, capacity: &Figure<Capacity>| Tablespace {
        oid: 1,
        name: name.to_owned(),
        location: Figure::Known(String::new()),
        bytes: Figure::Known(1),
        capacity: capacity.clone(),
    };
    InstanceFacts {
        tablespaces: Figure::Known(vec![
            tablespace("pg_default", data),
            tablespace("fast", fast),
        ]),
        capacity: data.clone(),
        ..InstanceFacts::default()
    }
}

#[test]
fn the_configuration_goes_before_the_file_system() {
    let absent = || Figure::Absent("not here".to_owned());
    let hung = || Some(Figure::Absent("it hangs".to_owned()));
    // entries; data and fast as they were found; data, WAL and fast as they are then
    let known = |bytes: u64, pool: &str| Ok((bytes, pool.to_owned()));
    let not = |reason: &str| Err(reason.to_owned());
    let here = || (seen(100, "/dev/a"), seen(50, "/dev/b"));
    let cases = [
        (
            vec![],
            here(),
            [
                known(100, "/dev/a"),
                not("not looked at"),
                known(50, "/dev/b"),
            ],
        ),
        (
            vec![entry(None, None, number(7))],
            here(),
            [known(7, "/dev/a"), known(7, "/dev/a"), known(50, "/dev/b")],
        ),
        (
            vec![entry(None, None, number(7))],
            (absent(), absent()),
            [known(7, "data"), known(7, "data"), known(7, "data")],
        ),
        (
            vec![entry(Some("tablespace:fast"), None, number(7))],
            (absent(), absent()),
            [
                not("not here"),
                not("not looked at"),
                known(7, "tablespace:fast"),
            ],
        ),
        // What does not answer leaves what was found; of two the one that answers.
        (
            vec![entry(None, None, hung())],
            here(),
            [
                known(100, "/dev/a"),
                known(100, "/dev/a"),
                known(50, "/dev/b"),
            ],
        ),
        (
            vec![
                entry(None, None, hung()),
                entry(Some("data"), None, number(9)),
            ],
            (absent(), absent()),
            [known(9, "data"), known(9, "data"), known(9, "data")],
        ),
        (
            vec![entry(None, None, hung())],
            (absent(), absent()),
            [not("it hangs"), not("it hangs"), not("it hangs")],
        ),
        // Places that share a pool share what it has.
        (
            vec![
                entry(Some("data"), Some("P"), number(7)),
                entry(Some("wal"), Some("P"), None),
                entry(Some("tablespace:fast"), Some("Q"), number(3)),
            ],
            (absent(), absent()),
            [known(7, "P"), known(7, "P"), known(3, "Q")],
        ),
        (
            vec![
                entry(Some("wal"), Some("/dev/b"), None),
                entry(Some("tablespace:fast"), Some("/dev/b"), None),
            ],
            here(),
            [
                known(100, "/dev/a"),
                known(50, "/dev/b"),
                known(50, "/dev/b"),
            ],
        ),
    ];
    for (entries, (data, fast), expected) in cases {
        let declared = Declared(entries);
        let mut facts = facts(&data, &fast);
        declared.apply_to_facts(&mut facts);
        let told = [
            &facts.capacity,
            &facts.wal.capacity,
            &facts.tablespaces.each()[1].capacity,
        ]
        .map(|figure| match figure {
            Figure::Known(known) => Ok((known.capacity_bytes, known.pool.clone())),
            Figure::Absent(reason) => Err(reason.clone()),
        });
        assert_eq!(told, expected, "{declared:?}");
        assert_eq!(facts.tablespaces.each()[0].capacity, facts.capacity);
    }
}

#[test]
fn a_number_alone_says_what_is_known_and_that_its_dates_are_late() {
    let mut memory = Memory::default();
    let declared = Declared(vec![
        entry(None, None, number(1000)),
        entry(Some("wal"), Some("W"), number(70)),
    ]);
    for minute in 0..5 {
        let mut pulse = pulse(minute, 0, u64::try_from(minute).unwrap());
        pulse.volumes.clear();
        pulse.found.clear();
        pulse.not_found = Some("another host's".to_owned());
        pulse.parts = vec![
            (
                Place::Wal,
                Part::measured(
                    Kind::Wal,
                    None,
                    10 * u64::try_from(minute).unwrap(),
                    Source::Functions,
                    pulse.at,
                ),
            ),
            (
                Place::Log,
                Part::measured(Kind::Log, None, 5, Source::Functions, pulse.at),
            ),
        ];
        declared.apply(&mut pulse);
        let now = pulse.at;
        memory.observe(
            pulse,
            Some(&[(
                Place::Data,
                Part::measured(Kind::Database, Some("app"), 300, Source::Functions, now),
            )]),
        );
        if minute < 4 {
            continue;
        }
        let disk = memory.disk(None, now);
        let volume = |pool: &str| {
            disk.volumes
                .iter()
                .find(|volume| volume.pool == pool)
                .unwrap()
        };
        let data = volume("data");
        assert_eq!(
            (data.capacity_bytes, data.used_bytes, data.available_bytes),
            (Some(1000), None, None)
        );
        assert_eq!(
            (data.known_bytes, data.source, data.assumed),
            (305, Some("config"), true)
        );
        let elsewhere = data
            .parts
            .iter()
            .find(|part| part.part.part == Kind::Elsewhere)
            .unwrap();
        assert!(elsewhere.part.bytes.is_none() && elsewhere.part.unknown.is_some());
        assert!(data.late.as_deref().unwrap().contains("late"));
        let wal = volume("W");
        assert_eq!(
            (wal.known_bytes, wal.assumed, wal.places.clone()),
            (40, false, vec!["wal".to_owned()])
        );
        // 30 are left of 70, and 10 more are known each minute.
        let mid = wal.full.at_pace.unwrap().mid.unwrap();
        assert!(
            (60..=300).contains(&mid.duration_since(now).as_secs()),
            "{mid} {now}"
        );
    }
}

/// A volume of a configured source.
fn told(capacity_bytes: u64, used: Option<u64>, fs_type: &str) -> Space {
    Space {
        used_bytes: used,
        available_bytes: used.map(|used| capacity_bytes.saturating_sub(used)),
        fs_type: fs_type.to_owned(),
        ..space(capacity_bytes, CapacitySource::Command)
    }
}

#[test]
fn what_contradicts_the_files_that_are_there_is_refused_and_the_file_system_stands_in() {
    const GB: u64 = 1_000_000_000;
    // The server's own files have 314 GB on the volume; what is told, the capacity then, and a word of the reason.
    let refused = |says: &'static str| (500 * GB, Some(says));
    for (space, expected) in [
        (told(900 * GB, Some(GB), ""), refused("are used, but")),
        (told(900 * GB, Some(0), ""), refused("files alone have")),
        (told(GB, None, ""), refused("in all, but")),
        (told(900 * GB, Some(400 * GB), ""), (900 * GB, None)),
        // A little less is one look after the other.
        (told(900 * GB, Some(300 * GB), ""), (900 * GB, None)),
        (told(400 * GB, None, ""), (400 * GB, None)),
        // A file system that compresses has less in use than its files have.
        (told(900 * GB, Some(GB), "zfs"), (900 * GB, None)),
    ] {
        for is_here in [true, false] {
            let mut memory = Memory::default();
            let mut seen = pulse(0, 0, 0);
            if !is_here {
                (seen.volumes, seen.found) = (BTreeMap::new(), BTreeMap::new());
            }
            let declared = Declared(vec![entry(None, None, Some(Figure::Known(space.clone())))]);
            declared.apply(&mut seen);
            let now = seen.at;
            memory.observe(seen, Some(&crate::disk::state::tests::full(0)));
            let disk = memory.disk(None, now);
            let volume = &disk.volumes[0];
            let sum: i64 = volume.parts.iter().filter_map(|it| it.part.bytes).sum();
            assert_eq!(sum, volume.known_bytes);
            match expected {
                (bytes, None) => {
                    assert_eq!(volume.capacity_bytes, Some(bytes), "{space:?}");
                    assert!(disk.problems.is_empty(), "{:?}", disk.problems);
                }
                (bytes, Some(says)) => {
                    assert!(disk.problems[0].contains(says), "{:?}", disk.problems);
                    let here = is_here.then_some(bytes);
                    assert_eq!(volume.capacity_bytes, here, "{space:?}");
                    if !is_here {
                        let reason = volume.unknown.as_deref().unwrap();
                        assert_eq!(reason, disk.problems[0]);
                    }
                }
            }
        }
    }
}

#[test]
fn entries_that_contradict_each_other_are_not_believed_and_what_is_not_there_is_named() {
    let mut seen = pulse(0, 0, 0);
    seen.tablespaces = vec!["pg_default".to_owned(), "fast".to_owned()];
    let declared = Declared(vec![
        entry(Some("data"), Some("P"), number(700)),
        entry(Some("wal"), Some("P"), number(900)),
        entry(Some("tablespace:nope"), None, number(5)),
        entry(Some("tablespace:fast"), Some("Q"), number(5)),
        entry(Some("log"), Some("Q"), number(5)),
    ]);
    declared.apply(&mut seen);
    let [missing, contradiction] = &*seen.problems else {
        panic!("{:?}", seen.problems)
    };
    assert!(
        contradiction
            .contains("contradict each other: config says 700 bytes, config says 900 bytes")
    );
    assert!(missing.contains("does not have: it has fast"), "{missing}");
    assert_eq!(seen.volumes["P"].reason(), Some(&**contradiction));
    assert_eq!(
        seen.volumes["Q"].known().map(|it| it.capacity_bytes),
        Some(5)
    );
    assert!(
        !seen
            .declared
            .keys()
            .any(|place| place.to_string().contains("nope"))
    );
    // The same of what a visit saw.
    let absent = Figure::Absent("not here".to_owned());
    let mut facts = facts(&absent, &absent);
    declared.apply_to_facts(&mut facts);
    assert!(facts.capacity.reason().unwrap().contains("contradict"));
    let mut facts = InstanceFacts {
        tablespaces: Figure::Known(vec![Tablespace {
            oid: 1,
            name: "pg_default".to_owned(),
            location: Figure::Known(String::new()),
            bytes: Figure::Known(1 << 40),
            capacity: Figure::Absent(String::new()),
        }]),
        ..InstanceFacts::default()
    };
    Declared(vec![entry(None, None, number(1 << 30))]).apply_to_facts(&mut facts);
    let reason = facts.capacity.reason().unwrap();
    assert!(reason.contains("files alone have 1024 GB"), "{reason}");
}
