//! What every store promises of looks at volumes: kept by instance, thinned, moved, and read as they were written.

use std::io::Cursor;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::kept::{Look, PoolContents, Reader, Row, Step, Writer};
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_store::transfer::{TransferError, ndjson};
use plimsoll_store::{DiskLook, DiskRange, Store};

use crate::fresh::Fresh;
use crate::world::at;

const EVERYTHING: [(Step, i64); 3] = [(Step::Minute, 0), (Step::Hour, 0), (Step::Day, 0)];

fn start() -> Timestamp {
    at("2026-03-01T00:00:00Z")
}

fn look(at: Timestamp, bytes: u64) -> Look {
    let part = Part::measured(
        Kind::Database,
        Some("we\"ird\n🦀"),
        bytes,
        Source::Files,
        at,
    );
    Look::of(
        at,
        Some(bytes),
        &[PoolContents {
            pool: "/dev/sda",
            space: None,
            parts: &[part],
        }],
    )
}

/// So many looks, a minute apart, as one process writes them.
fn rows(from: Timestamp, count: i32, bytes: u64) -> Vec<Row> {
    let mut writer = Writer::default();
    (0..count)
        .map(|n| {
            let at = from + SignedDuration::from_mins(n.into());
            writer.row(Step::Minute, &look(at, bytes + u64::from(n.unsigned_abs())))
        })
        .collect()
}

fn kept(rows: &[Row]) -> DiskLook {
    DiskLook {
        at: Timestamp::from_second(rows.last().unwrap().tick).unwrap(),
        rows: rows.to_vec(),
        kept_since: EVERYTHING,
        states: vec![("last".to_owned(), format!("{{\"rows\":{}}}", rows.len()))],
    }
}

async fn all(store: &dyn Store, instance: &str) -> Vec<Row> {
    let range = DiskRange::all(Step::Minute);
    store.disk_rows(instance, range).await.unwrap()
}

/// Everything that is asked, and written, of an instance's volumes.
pub(crate) async fn use_disk(store: &dyn Store, instance: &str) {
    let rows = rows(start(), 3, 1);
    store.keep_disk(instance, kept(&rows[..2])).await.unwrap();
    store
        .take_disk_rows(instance, rows, Vec::new())
        .await
        .unwrap();
    store
        .keep_disk_state(instance, "capacity", start(), "{}")
        .await
        .unwrap();
    store.disk_state(instance, "last").await.unwrap().unwrap();
    store.disk_instances().await.unwrap();
    assert_eq!(all(store, instance).await.len(), 3);
}

async fn exported(store: &dyn Store) -> String {
    let mut out = Vec::new();
    let instances = store.disk_instances().await.unwrap();
    ndjson::export_disks(store, &instances, &mut out)
        .await
        .unwrap();
    String::from_utf8(out).unwrap()
}

async fn import(store: &dyn Store, text: &str) -> Result<ndjson::ImportedHistories, TransferError> {
    ndjson::import(store, Cursor::new(text.to_owned()), &Arc::default()).await
}

contract! {
    async fn looks_are_kept_by_instance_and_read_as_they_were_written(fresh: &Fresh) {
        let store = &*fresh.store;
        assert_eq!(store.disk_instances().await.unwrap(), Vec::<String>::new());
        assert_eq!(all(store, "nobody").await, []);
        assert_eq!(store.disk_state("nobody", "last").await.unwrap(), None);
        let (ours, theirs) = (rows(start(), 5, 100), rows(start(), 3, 7));
        for row in &ours {
            store.keep_disk("one", kept(std::slice::from_ref(row))).await.unwrap();
        }
        store.keep_disk("other'; --", kept(&theirs)).await.unwrap();
        assert_eq!(all(store, "one").await, ours);
        assert_eq!(all(store, "other'; --").await, theirs);
        assert_eq!(store.disk_instances().await.unwrap(), ["one", "other'; --"]);
        let looks = Reader::looks(&all(store, "one").await);
        assert_eq!(looks[4].extremes("/dev/sda", Kind::Database, Some("we\"ird\n🦀")), Some([104; 3]));
        let range = DiskRange { step: Step::Minute, since: ours[1].tick, until: ours[3].tick };
        assert_eq!(store.disk_rows("one", range).await.unwrap(), ours[1..4]);
        // Of the last look only, by name.
        let last = store.disk_state("one", "last").await.unwrap().unwrap();
        assert_eq!(last, (start() + SignedDuration::from_mins(4), "{\"rows\":1}".to_owned()));
        store.keep_disk_state("one", "capacity", start(), "{\"a\":1}").await.unwrap();
        store.keep_disk_state("one", "capacity", start(), "{\"a\":2}").await.unwrap();
        assert_eq!(store.disk_state("one", "capacity").await.unwrap().unwrap().1, "{\"a\":2}");
        assert_eq!(store.disk_state("other'; --", "capacity").await.unwrap(), None);
        // Written twice by two processes, it is there once.
        let again = DiskLook { at: start() + SignedDuration::from_mins(10), ..kept(&ours[4..]) };
        store.keep_disk("one", again).await.unwrap();
        assert_eq!(all(store, "one").await, ours);
    }

    async fn what_is_old_goes_by_its_step_and_so_does_what_lies_in_the_future(fresh: &Fresh) {
        let store = &*fresh.store;
        let minutes = rows(start(), 90, 100);
        let hour = Row { step: Step::Hour, ..minutes[0].clone() };
        store.keep_disk("one", kept(&minutes)).await.unwrap();
        store.keep_disk("one", DiskLook { at: start() + SignedDuration::from_mins(90), ..kept(&[hour]) }).await.unwrap();
        let next = rows(start() + SignedDuration::from_mins(95), 1, 5);
        let since = minutes[60].tick;
        let look = DiskLook { kept_since: [(Step::Minute, since), (Step::Hour, 0), (Step::Day, 0)], ..kept(&next) };
        store.keep_disk("one", look).await.unwrap();
        let left = all(store, "one").await;
        assert_eq!((left.len(), left[0].tick), (31, since));
        assert_eq!(Reader::looks(&left).len(), 31, "what is left begins with a whole one");
        let hours = DiskRange::all(Step::Hour);
        assert_eq!(store.disk_rows("one", hours).await.unwrap().len(), 1);
        // A clock was set back.
        let earlier = rows(start() + SignedDuration::from_mins(70), 1, 5);
        store.keep_disk("one", kept(&earlier)).await.unwrap();
        let left = all(store, "one").await;
        assert_eq!((left.len(), left.last().unwrap()), (11, &earlier[0]));
    }

    async fn a_hard_cap_takes_old_looks_and_leaves_the_last_day(fresh: &Fresh) {
        let store = &*fresh.store;
        let now = start() + SignedDuration::from_hours(24 * 50);
        let day_ago = now - SignedDuration::from_hours(24);
        let mut kept_rows = rows(day_ago, 60, 100);
        for (step, every) in [(Step::Hour, 1), (Step::Day, 24)] {
            let mut writer = Writer::default();
            let hours = (0..50 * 24).filter(|hour| hour % every == 0);
            kept_rows.extend(hours.map(|hour| writer.row(step, &look(start() + SignedDuration::from_hours(hour), 5))));
        }
        store.keep_disk("one", DiskLook { at: now, ..kept(&kept_rows) }).await.unwrap();
        let shrink = store.shrink(1, now).await.unwrap().unwrap();
        assert_eq!(shrink.samples_dropped, 0);
        assert_eq!(all(store, "one").await.len(), 60, "the present pace is told from these");
        for step in [Step::Hour, Step::Day] {
            let left = store.disk_rows("one", DiskRange::all(step)).await.unwrap();
            assert_eq!(Reader::looks(&left).len(), left.len(), "what is left begins with a whole one");
            assert!(left.len() < 50 && left.first().is_none_or(|row| row.tick >= step.period_of(day_ago.as_second())), "{step:?}: {}", left.len());
        }
    }

    async fn of_an_instance_that_is_watched_no_more_all_goes_in_the_end(fresh: &Fresh) {
        let store = &*fresh.store;
        let mut kept_rows = rows(start(), 60, 100);
        for (step, count, every) in [(Step::Hour, 30 * 24, 1), (Step::Day, 30, 24)] {
            let mut writer = Writer::default();
            let times = (0..count).map(|n| start() - SignedDuration::from_hours(n * every));
            let mut times: Vec<_> = times.collect();
            times.reverse();
            kept_rows.extend(times.into_iter().map(|at| writer.row(step, &look(at, 5))));
        }
        let look = DiskLook { at: start() + SignedDuration::from_mins(60), ..kept(&kept_rows) };
        store.keep_disk("gone", look.clone()).await.unwrap();
        store.keep_disk("watched", look.clone()).await.unwrap();
        let count = async |instance: &str| {
            let mut counts = [0; 3];
            for (count, step) in counts.iter_mut().zip(Step::ALL) {
                *count = store.disk_rows(instance, DiskRange::all(step)).await.unwrap().len();
            }
            counts
        };
        let all = count("gone").await;
        assert_eq!(all, [60, 720, 30]);
        let day = |n: i64| start() + SignedDuration::from_hours(24 * n);
        assert_eq!(store.thin_unwatched_disks(90, day(1)).await.unwrap(), 0, "it may be looked at again");
        // Nobody looks at the one; at the other somebody did just now, and drops what is old by itself.
        let later = rows(day(20), 1, 7);
        store.keep_disk("watched", kept(&later)).await.unwrap();
        let before = count("watched").await;
        assert!(store.thin_unwatched_disks(90, day(20)).await.unwrap() > 700);
        assert_eq!((count("gone").await, count("watched").await), ([0, 0, 30], before));
        assert!(store.disk_state("gone", "last").await.unwrap().is_some());
        store.keep_disk("watched", kept(&rows(day(200), 1, 7))).await.unwrap();
        store.thin_unwatched_disks(90, day(200)).await.unwrap();
        assert_eq!(count("gone").await, [0; 3]);
        assert_eq!(store.disk_state("gone", "last").await.unwrap(), None);
        assert_eq!(store.disk_instances().await.unwrap(), ["watched"]);
    }

    async fn looks_move_between_stores_without_loss_and_once(fresh: &Fresh) {
        let store = &*fresh.store;
        let (from, to) = (Fresh::sqlite().await, Fresh::sqlite().await);
        let minutes = rows(start(), 130, 100);
        let hour = Row { step: Step::Hour, ..minutes[0].clone() };
        from.store.keep_disk("pri,\"mary\"", kept(&minutes)).await.unwrap();
        from.store.keep_disk("pri,\"mary\"", DiskLook { at: start() + SignedDuration::from_mins(200), ..kept(&[hour]) }).await.unwrap();
        let text = exported(&*from.store).await;
        let moved = import(store, &text).await.unwrap();
        assert_eq!((moved.disks[0].looks, moved.disks[0].left_out), (131, 0));
        assert_eq!(exported(store).await, text);
        // Where its directories lie goes with it; what is known already of a later look stays.
        let last = async || store.disk_state("pri,\"mary\"", "last").await.unwrap();
        assert_eq!(last().await, from.store.disk_state("pri,\"mary\"", "last").await.unwrap());
        let again = import(store, &text).await.unwrap();
        assert_eq!((again.disks[0].looks, again.disks[0].left_out), (0, 131));
        assert_eq!(exported(store).await, text);
        // What came meanwhile follows, in the middle of an hour.
        let more: Vec<Row> = rows(start(), 150, 100)[130..].to_vec();
        from.store.keep_disk("pri,\"mary\"", kept(&more)).await.unwrap();
        let moved = import(store, &exported(&*from.store).await).await.unwrap();
        assert_eq!(moved.disks[0].looks, 20);
        let values = |rows: &[Row]| Reader::looks(rows).iter().map(|look| look.values.clone()).collect::<Vec<_>>();
        assert_eq!(values(&all(store, "pri,\"mary\"").await), values(&all(&*from.store, "pri,\"mary\"").await));
        // And out of this store into another.
        import(&*to.store, &exported(store).await).await.unwrap();
        assert_eq!(exported(&*to.store).await, exported(store).await);
        // One that was cut short changes nothing.
        let lines: Vec<&str> = text.lines().collect();
        let empty = Fresh::sqlite().await;
        for kept in [1, 50, lines.len() - 1] {
            let error = import(&*empty.store, &lines[..kept].join("\n")).await.unwrap_err();
            assert!(matches!(error, TransferError::CutShort { .. }), "{error}");
            let mut missing = lines.clone();
            missing.remove(kept - 1);
            assert!(import(&*empty.store, &missing.join("\n")).await.is_err());
        }
        assert_eq!(empty.store.disk_instances().await.unwrap(), Vec::<String>::new());
    }
}
