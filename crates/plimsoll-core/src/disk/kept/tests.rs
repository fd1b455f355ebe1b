//! What was kept is what was seen, whoever reads it, whatever was dropped of it, and whenever a process ended.

use proptest::prelude::*;

use super::*;
use crate::capacity::CapacitySource;
use crate::disk::memory::{Kept, Memory};
use crate::disk::state::tests::{at, full, pulse};
use crate::instance::Figure;

fn look(second: i64, sizes: &[Option<i64>], also: bool) -> Look {
    let at = Timestamp::from_second(1_800_000_000 + second).unwrap();
    let space = Space {
        mount_point: "/data".into(),
        fs_type: "ext4".into(),
        capacity_bytes: 1000,
        used_bytes: u64::try_from(second.rem_euclid(900)).ok(),
        available_bytes: Some(10),
        inodes_total: None,
        inodes_available: None,
        source: CapacitySource::Statvfs,
        source_at: None,
    };
    let part = |kind, bytes: &Option<i64>| Part {
        bytes: *bytes,
        measured_at: bytes.map(|_| at),
        source: Some(Source::Files),
        unknown: bytes.is_none().then(|| "it was not seen then".to_owned()),
        ..Part::unknown(kind, also.then_some("shop"), "")
    };
    let kinds = [Kind::Database, Kind::Wal, Kind::Temporary, Kind::Elsewhere];
    let parts: Vec<Part> = kinds
        .iter()
        .zip(sizes)
        .map(|(kind, bytes)| part(*kind, bytes))
        .collect();
    Look::of(
        at,
        Some(7),
        &[PoolContents {
            pool: "/dev/sda",
            space: Some(&space),
            parts: &parts,
        }],
    )
}

proptest! {
    #[test]
    fn rows_read_as_what_was_written_also_without_the_oldest_periods(
        sizes in prop::collection::vec((prop::collection::vec(prop::option::of(0_i64..1 << 50), 4), prop::bool::weighted(0.9), 30_i64..900), 1..60),
        step in prop::sample::select(Step::ALL.to_vec()),
        dropped in 0_usize..3,
    ) {
        let mut second = 0;
        let mut looks = Vec::new();
        for (sizes, also, later) in &sizes {
            second += later * step.seconds() / 60;
            looks.push(look(second, sizes, *also));
        }
        let mut writer = Writer::default();
        let mut rows: Vec<Row> = looks.iter().map(|look| writer.row(step, look)).collect();
        let period = |tick: i64| begin(tick, step.period());
        for _ in 0..dropped {
            let Some(first) = rows.first().map(|row| period(row.tick)) else { break };
            rows.retain(|row| period(row.tick) != first);
        }
        let read = Reader::looks(&rows);
        let expected = &looks[looks.len() - rows.len()..];
        prop_assert_eq!(read.len(), expected.len());
        for (read, expected) in read.iter().zip(expected) {
            prop_assert_eq!((read.at, &read.values, &read.shape), (expected.at, &expected.values, &expected.shape));
            prop_assert_eq!(read.parts("/dev/sda"), expected.parts("/dev/sda"));
        }
    }
}

#[test]
fn rows_that_are_damaged_or_have_no_whole_one_before_them_are_left_out() {
    let looks: Vec<Look> = (0..5)
        .map(|n| look(n * 60, &[Some(n), Some(9), None, Some(1)], true))
        .collect();
    let mut writer = Writer::default();
    let mut rows: Vec<Row> = looks
        .iter()
        .map(|look| writer.row(Step::Minute, look))
        .collect();
    assert_eq!(Reader::looks(&rows[1..]), []);
    assert!(rows[1].look.len() < 60, "{}", rows[1].look);
    rows[2].look = "{}]".into();
    let read: Vec<Timestamp> = Reader::looks(&rows).iter().map(|look| look.at).collect();
    assert_eq!(read, [looks[0].at, looks[1].at]);
    for nonsense in [
        "",
        "null",
        r#"{"changed":[[99,1]]}"#,
        r#"{"shape":{"pools":[]},"values":[]}"#,
    ] {
        rows[1].look = nonsense.into();
        assert_eq!(Reader::looks(&rows[..2]).len(), 1, "{nonsense}");
    }
}

#[test]
fn what_two_histories_have_is_put_together_and_reads_as_what_each_saw() {
    let written = |seconds: std::ops::Range<i64>, size: i64| -> Vec<Row> {
        let mut writer = Writer::default();
        seconds
            .step_by(60)
            .map(|second| {
                writer.row(
                    Step::Minute,
                    &look(second, &[Some(size), Some(second), None, None], true),
                )
            })
            .collect()
    };
    // In the same hour, by two that saw different things.
    let (ours, theirs) = (written(600..1200, 1), written(0..1800, 2));
    let added = splice(Step::Minute, &ours, &theirs);
    let mut all: Vec<Row> = ours.iter().chain(&added).cloned().collect();
    all.sort_by_key(|row| row.tick);
    let read = Reader::looks(&all);
    assert_eq!(read.len(), 30);
    for (n, look) in read.iter().enumerate() {
        let expected = if (10..20).contains(&n) { 1 } else { 2 };
        assert_eq!(
            look.extremes("/dev/sda", Kind::Database, Some("shop")),
            Some([expected; 3]),
            "{n}"
        );
    }
    assert_eq!(splice(Step::Minute, &all, &theirs), [], "nothing twice");
    assert_eq!(splice(Step::Minute, &[], &theirs).len(), theirs.len());
    // Rows that cannot be read are no rows.
    assert_eq!(splice(Step::Minute, &ours, &theirs[1..]), []);
}

#[test]
fn an_hour_keeps_the_last_lowest_and_highest_of_each_number_and_a_day_those_of_its_hours() {
    let mut hours = Summary::of(Step::Hour);
    let mut days = Summary::of(Step::Day);
    // The test's looks begin at 08:00 of a day.
    for minute in 0..24 * 60 {
        let peak = if minute % 60 == 30 { 500 } else { 5 };
        let sizes = [Some(minute), Some(peak), None, Some(-minute)];
        if let Some(hour) = hours.add(&look(minute * 60, &sizes, true)) {
            let last = hour.at.as_second().rem_euclid(3600);
            assert_eq!(last, 59 * 60);
            let wal = hour.extremes("/dev/sda", Kind::Wal, Some("shop"));
            assert_eq!(wal, Some([5, 5, 500]));
            assert_eq!(
                hour.extremes("/dev/sda", Kind::Temporary, Some("shop")),
                None
            );
            if let Some(day) = days.add(&hour) {
                let [low, last, high] = day
                    .extremes("/dev/sda", Kind::Database, Some("shop"))
                    .unwrap();
                assert_eq!((low, last, high), (0, 16 * 60 - 1, 16 * 60 - 1));
            }
        }
    }
    assert_eq!(
        days.last()
            .unwrap()
            .extremes("/dev/sda", Kind::Wal, Some("shop")),
        Some([5, 5, 500])
    );
}

/// Two processes: one that ran all the time, and one that takes up what it kept at each of some minutes.
#[test]
fn a_process_that_takes_up_what_was_kept_answers_as_the_one_that_was_there() {
    const MB: u64 = 1_000_000;
    let mut memory = Memory::default();
    let (mut minutes, mut hours, mut days) = (Vec::new(), Vec::new(), Vec::new());
    let mut other = Memory::default();
    let end = 48 * 60;
    for minute in 0..=end {
        let burns = u64::try_from((minute - 47 * 60).max(0)).unwrap() * 300 * MB;
        let wal = u64::try_from(minute).unwrap() * MB / 10 + burns;
        let full = full(minute);
        memory.observe(
            pulse(minute, wal, 5_000 * MB + wal),
            (minute % 15 == 0).then_some(&full[..]),
        );
        for row in memory.rows() {
            let rows = match row.step {
                Step::Minute => &mut minutes,
                Step::Hour => &mut hours,
                Step::Day => &mut days,
            };
            rows.push(row);
        }
        let now = at(minute);
        minutes.retain(|row| row.tick >= Step::Minute.kept_since(now, 90));
        if ![1, 61, 1700, end - 30, end].contains(&minute) {
            continue;
        }
        let kept = || Kept {
            minutes: Reader::looks(&minutes),
            hours: Reader::looks(&hours),
            day: Reader::looks(&days).pop(),
            last: memory.last_look(),
        };
        let answer = |memory: &Memory| serde_json::to_value(memory.disk(None, now)).unwrap();
        let mut anew = Memory::default();
        anew.recall(kept());
        assert_eq!(answer(&anew), answer(&memory), "anew at {minute}");
        // The other one lacks only what came since it looked last.
        other.recall(kept());
        assert_eq!(answer(&other), answer(&memory), "the other at {minute}");
        // Whoever goes on writes the same rows.
        let row = |memory: &mut Memory| {
            memory.observe(pulse(minute + 1, wal, 5_000 * MB + wal), None);
            memory.rows()
        };
        let mut clone = memory.clone();
        assert_eq!(row(&mut anew), row(&mut clone), "rows at {minute}");
    }
    let disk = memory.disk(None, at(end));
    let pace = disk.volumes[0].pace.as_ref().unwrap();
    assert!(
        !pace.is_young && pace.since.is_some(),
        "the test burns: {pace:?}"
    );
    assert_eq!(
        (hours.len(), days.len()),
        (48, 2),
        "the hours and days that are over"
    );
}

#[test]
fn a_server_that_does_not_answer_still_has_its_volume_and_what_was_known_of_it() {
    let mut memory = Memory::default();
    let last = pulse(0, 0, 5);
    let mut seen = last.clone();
    let mut space = last.volumes["/dev/sda"].known().unwrap().clone();
    memory.observe(last, Some(&full(0)));
    *space.used_bytes.as_mut().unwrap() += 3_000_000_000;
    seen.volumes = [("/dev/sda".to_owned(), Figure::Known(space))].into();
    memory.observe_volumes(at(1), "connection refused", Some(&seen));
    let disk = memory.disk(None, at(1));
    assert_eq!(disk.measured_at, Some(at(1)));
    assert_eq!(disk.unreachable.as_deref(), Some("connection refused"));
    assert_eq!(
        disk.wal.retained_by.len(),
        1,
        "what held WAL is known still"
    );
    let volume = &disk.volumes[0];
    let unexplained = volume
        .parts
        .iter()
        .find(|it| it.part.part == Kind::Unexplained)
        .unwrap();
    assert_eq!(unexplained.part.bytes, Some(3_000_000_000));
    assert_eq!(
        Some(volume.known_bytes),
        volume.used_bytes.map(|used| i64::try_from(used).unwrap())
    );
    let wal = volume
        .parts
        .iter()
        .find(|it| it.part.part == Kind::Wal)
        .unwrap();
    assert_eq!(wal.part.measured_at, Some(at(0)));
    assert!(!memory.much_is_unexplained(), "1 % of 500 GB is more");
    let mut anew = Memory::default();
    anew.recall(Kept {
        last: memory.last_look(),
        ..Kept::default()
    });
    assert_eq!(anew.disk(None, at(1)).unreachable, disk.unreachable);
    // Where the volume is another host's, nothing of it is made up.
    memory.observe_volumes(at(2), "connection refused", None);
    let volume = &memory.disk(None, at(2)).volumes[0];
    assert_eq!(volume.used_bytes, None);
    assert!(
        volume
            .unknown
            .as_deref()
            .unwrap()
            .contains("connection refused")
    );
}

#[test]
fn a_clock_that_is_set_back_leaves_nothing_of_the_future() {
    let mut memory = Memory::default();
    for minute in 0..10 {
        memory.observe(pulse(100_000 + minute, 0, 5), Some(&full(0)));
        memory.rows();
    }
    for minute in 0..4 {
        memory.observe(pulse(minute, u64::try_from(minute).unwrap(), 5), None);
    }
    let disk = memory.disk(None, at(3));
    assert_eq!(disk.measured_at, Some(at(3)));
    let pace = disk.volumes[0].pace.as_ref().unwrap();
    assert!(pace.is_young && pace.window_seconds < 400, "{pace:?}");
    assert_eq!(memory.rows().len(), 1);
}

/// What both stores take for a row beside its text: a header, its key, and the key again in an index.
const ROW_BYTES: usize = 120;

#[test]
fn what_is_kept_of_an_instance_takes_less_than_two_megabytes_however_long() {
    let mut memory = Memory::default();
    let mut bytes = [0_usize; 3];
    let days = 4;
    for minute in 0..days * 1440 {
        // Everything moves each minute but what only full looks read, which moves each quarter of an hour.
        let wal = u64::try_from(minute % 997).unwrap() * 1_234_567;
        let mut all = full(minute);
        for n in 0..20_u64 {
            let size = n * 10_000_000_000 + u64::try_from(minute).unwrap() * 4096 * (n % 4);
            let name = format!("tenant_database_{n}");
            let part = Part::measured(Kind::Database, Some(&name), size, Source::Files, at(minute));
            all.push((crate::disk::layout::Place::Data, part));
        }
        memory.observe(
            pulse(minute, wal, 5_000_000_000 + wal),
            (minute % 15 == 0).then_some(&all[..]),
        );
        for row in memory.rows() {
            bytes[row.step as usize] += row.look.len() + ROW_BYTES;
        }
    }
    let days = usize::try_from(days).unwrap();
    // A day of minutes (and the hour that is not over), 14 days of hours, 90 of days.
    let kept = bytes[0] / days * 25 / 24 + bytes[1] / days * 15 + bytes[2] / (days - 1) * 120;
    assert!(kept < 2_000_000, "{kept} bytes: {bytes:?} in {days} days");
    assert!(kept > 100_000, "the test keeps something: {bytes:?}");
}
