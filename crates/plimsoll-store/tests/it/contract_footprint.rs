//! What every store promises of its own size: the hard cap, and the counts that a projection is made
//! from.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::footprint::projection;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_core::thinning::Retention;

use crate::fresh::Fresh;
use crate::world::{World, at, expected};

/// What each sample must show, by its id.
pub(crate) type Expected = BTreeMap<i64, Vec<(String, u64)>>;

pub(crate) const DAYS: i64 = 6;

pub(crate) fn start() -> Timestamp {
    at("2026-01-01T00:00:00Z")
}

/// Hours of two databases of many tables, with a daily sample at three in the morning: every table of
/// the first changes each hour, of the second only one, and one never does.
pub(crate) async fn keep_days(fresh: &Fresh, worlds: &mut [World; 2]) -> Expected {
    let mut all = Expected::new();
    for hour in 0..DAYS * 24 {
        let now = start() + SignedDuration::from_hours(hour);
        let (busy, quiet) = worlds.split_at_mut(1);
        let last = busy[0].tables.len() - 1;
        for (n, table) in busy[0].tables[..last].iter_mut().enumerate() {
            let pages = u64::try_from(hour).unwrap() * 100 + n as u64;
            table.heap.size = Size::measured(pages * 8192);
            table.indexes[0].storage.size = Size::measured(pages * 4096);
        }
        quiet[0].tables[0].heap.size = Size::measured(u64::try_from(hour).unwrap() * 8192);
        for world in &*worlds {
            let snapshot = world.snapshot(now);
            let (kind, due) = if hour % 24 == 3 {
                (SampleKind::Daily, Some(now))
            } else {
                (SampleKind::Watch, None)
            };
            let recorded = fresh
                .store
                .record_sample(&snapshot, kind, due)
                .await
                .unwrap();
            all.insert(recorded.header().id, expected(&snapshot));
        }
    }
    all
}

pub(crate) fn worlds(tables: u32) -> [World; 2] {
    let mut busy = World::new("busy", "app");
    let mut quiet = World::new("quiet", "app");
    for n in 0..tables {
        busy.add(1000 + n * 10, "public", &format!("t{n}"), 8192);
        quiet.add(1000 + n * 10, "public", &format!("t{n}"), 8192);
    }
    [busy, quiet]
}

pub(crate) async fn shows(
    fresh: &Fresh,
    world: &World,
    all: &Expected,
) -> Vec<(SampleKind, Timestamp)> {
    let left = fresh.all(world).await;
    for header in &left {
        let sizes = fresh.store.table_sizes(header, None, None).await.unwrap();
        assert_eq!(
            sizes, all[&header.id],
            "the sample of {}",
            header.sampled_at
        );
    }
    left.iter()
        .map(|header| (header.kind, header.sampled_at))
        .collect()
}

/// The values that are stored, and those that the samples say are theirs.
async fn values(fresh: &Fresh) -> (i64, u64) {
    let rows = (fresh.sql)(
        "select (select count(*) from table_values) + (select count(*) from index_values)",
    );
    let stored = rows.last().unwrap()[0].as_deref().unwrap().parse().unwrap();
    let footprint = fresh.store.footprint().await.unwrap();
    let samples = footprint
        .databases
        .iter()
        .flat_map(|database| &database.samples);
    (stored, samples.map(|sample| sample.values).sum())
}

contract! {
    async fn a_cap_drops_the_oldest_detail_first_and_holds(fresh: &Fresh) {
        let mut worlds = worlds(60);
        let all = keep_days(fresh, &mut worlds).await;
        let now = start() + SignedDuration::from_hours(DAYS * 24);
        assert_eq!(fresh.store.shrink(1 << 40, now).await.unwrap(), None, "there is room");
        // space that nothing uses any more is given back before anything goes
        let loose = fresh.store.size_bytes().await.unwrap();
        fresh.store.shrink(loose - 1, now).await.unwrap();
        let before = fresh.store.size_bytes().await.unwrap();
        assert!(before < loose);
        let had: usize = shows(fresh, &worlds[0], &all).await.len()
            + shows(fresh, &worlds[1], &all).await.len();
        let max_bytes = before * 6 / 10;
        let shrink = fresh.store.shrink(max_bytes, now).await.unwrap().expect("something went");
        assert_eq!(shrink.before_bytes, before);
        assert_eq!(shrink.max_bytes, max_bytes);
        let size = fresh.store.size_bytes().await.unwrap();
        assert!(size <= max_bytes, "{size} of {max_bytes}: {shrink:?}");
        assert!(shrink.after_bytes <= max_bytes);

        let mut left = 0;
        for world in &worlds {
            let samples = shows(fresh, world, &all).await;
            left += samples.len();
            let daily = samples.iter().filter(|(kind, _)| *kind == SampleKind::Daily).count();
            assert_eq!(i64::try_from(daily).unwrap(), DAYS, "daily samples go last");
            // detail is left where it is newest, and none is older than what went
            let until = shrink.dropped_until.unwrap();
            assert!(samples.iter().any(|(kind, _)| *kind == SampleKind::Watch));
            assert!(samples.iter().all(|(kind, at)| *kind == SampleKind::Daily || *at >= until));
        }
        assert_eq!(shrink.samples_dropped, (had - left) as u64);
        let footprint = fresh.store.footprint().await.unwrap();
        assert_eq!(footprint.last_shrink.as_ref(), Some(&shrink), "it is told");

        // however small the cap, the newest sample of each database stays, and what comes next is
        // compared with it
        let shrink = fresh.store.shrink(1, now).await.unwrap().unwrap();
        assert!(shrink.after_bytes > 1);
        for world in &mut worlds {
            let samples = shows(fresh, world, &all).await;
            assert_eq!(samples.len(), 1);
            world.tables[1].heap.size = Size::measured(77 * 8192);
            let next = fresh.keep(world, now).await;
            let sizes = fresh.store.table_sizes(&next, None, None).await.unwrap();
            assert_eq!(sizes, expected(&world.snapshot(now)));
        }
    }

    async fn every_value_is_counted_once_whatever_was_thinned(fresh: &Fresh) {
        let mut worlds = worlds(8);
        keep_days(fresh, &mut worlds).await;
        let (stored, counted) = values(fresh).await;
        assert_eq!(u64::try_from(stored).unwrap(), counted);
        let now = start() + SignedDuration::from_hours(DAYS * 24);
        let retention = Retention {
            daily_samples: 5,
            all_for: SignedDuration::from_hours(24),
            hourly_for: SignedDuration::from_hours(48),
        };
        for world in &worlds {
            fresh.store.thin(&world.key(), &retention, now).await.unwrap();
        }
        let (thinned, counted) = values(fresh).await;
        assert!(thinned < stored);
        assert_eq!(u64::try_from(thinned).unwrap(), counted);
        let footprint = fresh.store.footprint().await.unwrap();
        let bytes = footprint.size_bytes.unwrap();
        assert!(bytes > 0);
        assert_eq!(footprint.unknown, None);
        assert_eq!(footprint.databases.len(), 2);
        assert!(footprint.databases.iter().all(|database| database.relations == 16));
        assert!(projection(&footprint.databases, bytes, &retention, now).is_some());
    }
}
