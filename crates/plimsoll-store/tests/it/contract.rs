//! What every store promises, run against SQLite and against PostgreSQL on every major.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use plimsoll_core::change::EventKind;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::{Size, Status};
use plimsoll_core::snapshot::TableKind;
use plimsoll_core::thinning::Retention;
use plimsoll_store::{EventQuery, Recorded, Recording, SampleQuery, Step};

use crate::fresh::Fresh;
use crate::world::{World, at, expected, locked};

/// Something that happens to a database between two samples.
type Change = Box<dyn FnMut(&mut World) + Send>;

contract! {
    async fn the_view_reads_what_was_measured_whatever_tables_are_called(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        for (oid, (schema, name)) in (1000..).step_by(10).zip([
            ("public", "events"), ("sales", "events"), ("public", "Weird.Na\"me é"),
            ("a.b", "c"), ("a", "b.c"), ("public", "line\nbreak\tand \\ slash"), ("público", "🦀"),
            ("public", "user"), ("public", "'; drop table samples; --"),
            ("public", "x123456789012345678901234567890123456789012345678901234567890"),
        ]) {
            world.add(oid, schema, name, u64::from(oid) * 8192);
        }
        // what lists of tables leave out
        world.add(5000, "pg_catalog", "pg_class", 99_999).kind = TableKind::Catalog;
        world.add(5010, "public", "ids_seq", 8192).kind = TableKind::Sequence;
        world.add(5020, "pg_temp_3", "scratch", 8192).kind = TableKind::Temporary;
        let mut parent = world.add(5030, "public", "measurement", 0).clone();
        parent.kind = TableKind::Partitioned;
        parent.toast = None;
        parent.indexes.clear();
        *world.table(5030) = parent;

        let snapshot = world.snapshot(at("2026-11-24T03:00:00.123Z"));
        let header = fresh.store
            .record_sample(&snapshot, SampleKind::Daily, None).await.unwrap().header().clone();
        assert_eq!(header.instance, "main");
        assert_eq!(header.database, "app");
        assert_eq!(header.kind, SampleKind::Daily);
        assert_eq!(header.sampled_at, snapshot.measured_at);
        assert_eq!(header.total_bytes, snapshot.totals.total_bytes);
        assert_eq!(header.table_count, Some(10));
        assert!(!header.is_demo);
        assert_eq!(fresh.all(&world).await, std::slice::from_ref(&header));

        let expected = expected(&snapshot);
        assert_eq!(expected.len(), 10);
        assert_eq!(fresh.store.table_sizes(&header, None, None).await.unwrap(), expected);
        assert_eq!(fresh.view(&header), expected.iter().cloned().collect::<BTreeMap<_, _>>());
        for (key, bytes) in &expected {
            let one = fresh.store.table_sizes(&header, None, Some(key)).await.unwrap();
            assert_eq!(one, [(key.clone(), *bytes)]);
        }
        let largest = fresh.store.table_sizes(&header, Some(3), None).await.unwrap();
        assert_eq!(largest.iter().map(|row| row.1).collect::<Vec<_>>(),
            [1090, 1080, 1070].map(|oid| oid * 8192 + 8192 + 16384));

        let rows = (fresh.sql)(
            "select id, sampled_at, total_bytes, instance, database, kind from storage_samples");
        let row = rows.last().unwrap();
        assert_eq!(row[0].as_deref(), Some(&*header.id.to_string()));
        assert!(row[1].as_deref().unwrap().starts_with("2026-11-24"));
        assert_eq!(row[2].as_deref(), Some(&*header.total_bytes.unwrap().to_string()));
        assert_eq!(row[3..], ["main", "app", "daily"].map(|text| Some(text.to_owned())));
    }

    async fn only_what_changed_is_written(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        for n in 0..50 {
            world.add(1000 + n * 10, "public", &format!("t{n}"), 8192 * u64::from(n));
        }
        let values = |fresh: &Fresh| -> (i64, i64) {
            let count = |table: &str| {
                (fresh.sql)(&format!("select count(*) from {table}"))
                    .last().unwrap()[0].as_deref().unwrap().parse().unwrap()
            };
            (count("table_values"), count("index_values"))
        };
        let first = at("2026-01-01T00:00:00Z");
        fresh.keep(&world, first).await;
        assert_eq!(values(fresh), (50, 50));
        for hour in 1..4 {
            fresh.keep(&world, first + SignedDuration::from_hours(hour)).await;
        }
        assert_eq!(values(fresh), (50, 50), "what does not change costs nothing");
        world.table(1000).heap.size = Size::measured(123 * 8192);
        world.table(1010).indexes[0].storage.size = Size::measured(9 * 8192);
        let snapshot = world.snapshot(first + SignedDuration::from_hours(5));
        let header = fresh.keep(&world, snapshot.measured_at).await;
        assert_eq!(values(fresh), (52, 51));
        assert_eq!(fresh.store.table_sizes(&header, None, None).await.unwrap(), expected(&snapshot));
    }

    async fn every_sample_keeps_the_names_and_sizes_of_its_time(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let start = at("2026-01-01T00:00:00Z");
        let hour = |n: i64| start + SignedDuration::from_hours(n);
        let mut kept = Vec::new();
        let mut steps: Vec<Change> = vec![
            Box::new(|w| { w.add(1000, "public", "a", 8192); w.add(1010, "public", "b", 8192); }),
            // a rename, and another table takes the name
            Box::new(|w| { w.table(1000).table_name = "a_old".into(); w.add(1020, "public", "a", 0); }),
            Box::new(|w| w.table(1020).schema_name = "archive".into()),
            Box::new(|w| { w.table(1000).heap.size = Size::measured(81920); }),
            Box::new(|w| w.drop(1010)),
            // the same name again, under a new OID
            Box::new(|w| { w.add(1030, "public", "b", 24576); }),
            Box::new(|w| { w.drop(1000); w.drop(1020); w.drop(1030); }),
            Box::new(|w| { w.add(1040, "public", "last", 8192); }),
        ];
        for (n, step) in (0..).zip(&mut steps) {
            step(&mut world);
            let snapshot = world.snapshot(hour(n));
            kept.push((fresh.keep(&world, hour(n)).await, expected(&snapshot)));
        }
        for (header, expected) in &kept {
            assert_eq!(&fresh.store.table_sizes(header, None, None).await.unwrap(), expected);
            assert_eq!(fresh.view(header), expected.iter().cloned().collect::<BTreeMap<_, _>>());
        }
        let ids: Vec<_> = fresh.all(&world).await.iter().map(|header| header.id).collect();
        assert!(ids.is_sorted_by(|newer, older| newer > older), "newest first, ids grow");
    }

    async fn what_could_not_be_read_keeps_its_last_good_value_and_is_never_zero(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 81920);
        world.add(1010, "public", "b", 8192);
        let [first, second, third, fourth] = [0, 1, 2, 3]
            .map(|n| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n));
        fresh.keep(&world, first).await;
        let good = fresh.store.last_good(&world.key()).await.unwrap();
        assert_eq!(good.len(), 8);
        assert!(good.values().all(|good| good.at == first));
        assert_eq!(good[&1000].bytes, 81920);
        assert_eq!(good[&1002].bytes, 8192);

        // a is locked with its index; c is new and locked from the beginning
        world.table(1000).heap.size = locked();
        world.table(1000).indexes[0].storage.size = Size::unread(Status::Denied, 0, 8192);
        world.add(1020, "public", "c", 0).heap.size = locked();
        for time in [second, third] {
            let header = fresh.keep(&world, time).await;
            let sizes = fresh.store.table_sizes(&header, None, None).await.unwrap();
            let whole = |heap: u64| heap + 8192 + 16384;
            assert_eq!(sizes, [("a".to_owned(), whole(81920)), ("b".to_owned(), whole(8192))]);
            assert_eq!(header.table_count, Some(2));
        }
        let unread = (fresh.sql)(
            "select unread_count from storage_samples order by id");
        assert_eq!(unread.iter().map(|row| row[0].clone().unwrap()).collect::<Vec<_>>(), ["0", "3", "3"]);
        let good = fresh.store.last_good(&world.key()).await.unwrap();
        assert_eq!((good[&1000].bytes, good[&1000].at), (81920, first));
        assert_eq!((good[&1003].bytes, good[&1003].at), (16384, first));
        assert_eq!((good[&1010].bytes, good[&1010].at), (8192, third));
        assert!(!good.contains_key(&1020));

        world.table(1000).heap.size = Size::measured(90112);
        world.table(1020).heap.size = Size::measured(8192);
        let header = fresh.keep(&world, fourth).await;
        assert_eq!(header.table_count, Some(3));
        let good = fresh.store.last_good(&world.key()).await.unwrap();
        assert_eq!((good[&1000].bytes, good[&1000].at), (90112, fourth));
        assert_eq!((good[&1003].bytes, good[&1003].at), (16384, first));
        assert_eq!((good[&1020].bytes, good[&1020].at), (8192, fourth));
    }

    async fn trap_65_66_a_total_that_nobody_knows_is_null_and_an_event_says_what_is_missing(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 81920);
        world.add(1010, "public", "b", 8192);
        let hours = |n| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        let whole = fresh.keep(&world, hours(0)).await;
        world.table(1000).heap.size = Size::unread(Status::Missing, 0, 8192);
        for n in [1, 2] {
            let header = fresh.keep(&world, hours(n)).await;
            assert_eq!(header.total_bytes, None);
            let sizes = fresh.store.table_sizes(&header, None, Some("a")).await.unwrap();
            assert_eq!(sizes, [("a".to_owned(), 81920 + 8192 + 16384)], "as it last was");
        }
        world.table(1000).heap.size = Size::measured(81920);
        assert_eq!(fresh.keep(&world, hours(3)).await.total_bytes, whole.total_bytes);
        let totals = (fresh.sql)("select total_bytes, unmeasured_bytes from storage_samples order by id");
        let known = totals.iter().map(|row| row.iter().flatten().count()).collect::<Vec<_>>();
        assert_eq!(known, [2, 0, 0, 2]);
        let points = fresh.all(&world).await.iter().map(|header| header.total_bytes).collect::<Vec<_>>();
        assert_eq!(points, [whole.total_bytes, None, None, whole.total_bytes]);
        let mut events = fresh.store.events(&world.key(), &EventQuery::default()).await.unwrap();
        events.reverse();
        let told: Vec<_> = events.iter()
            .map(|event| (event.event.kind, event.event.detail.as_deref().unwrap()))
            .collect();
        assert_eq!(told, [
            (EventKind::Coverage, "its files are missing"), (EventKind::Coverage, "its files are back"),
        ]);
        let good = fresh.store.last_good(&world.key()).await.unwrap();
        assert_eq!(good[&1000].at, hours(3));
    }

    async fn a_scheduled_sample_is_taken_once(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 8192);
        let due = at("2026-01-01T03:00:00Z");
        let snapshot = world.snapshot(due + SignedDuration::from_secs(1));
        let first = fresh.store.record_sample(&snapshot, SampleKind::Daily, Some(due)).await.unwrap();
        let Recorded::New(header) = first else { panic!("{first:?}") };
        world.table(1000).heap.size = Size::measured(16384);
        let later = world.snapshot(due + SignedDuration::from_secs(2));
        let again = fresh.store.record_sample(&later, SampleKind::Daily, Some(due)).await.unwrap();
        assert_eq!(again, Recorded::Already(header));
        // another kind, another database: other samples
        for (world, kind) in [(world.clone(), SampleKind::Watch), (World::new("main", "b"), SampleKind::Daily),
            (World::new("other", "app"), SampleKind::Daily)] {
            let taken = fresh.store.record_sample(&world.snapshot(due), kind, Some(due)).await.unwrap();
            assert!(matches!(taken, Recorded::New(_)));
        }
        assert_eq!(fresh.all(&world).await.len(), 2);
    }

    async fn two_processes_take_a_scheduled_sample_once(fresh: &Fresh) {
        let other = plimsoll_store::open(&fresh.url).unwrap();
        let mut world = World::new("main", "app");
        for n in 0..20 {
            world.add(1000 + n * 10, "public", &format!("t{n}"), 8192);
        }
        for day in 0..20 {
            let due = at("2026-01-01T03:00:00Z") + SignedDuration::from_hours(24 * day);
            world.table(1000).heap.size = Size::measured(8192 * (10 + u64::try_from(day).unwrap()));
            let snapshot = world.snapshot(due);
            let (a, b) = tokio::join!(
                fresh.store.record_sample(&snapshot, SampleKind::Daily, Some(due)),
                other.record_sample(&snapshot, SampleKind::Daily, Some(due)),
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            assert_eq!(a.header(), b.header());
            let new = [&a, &b].into_iter().filter(|r| matches!(r, Recorded::New(_))).count();
            assert_eq!(new, 1);
        }
        // side by side without a schedule: both are kept, neither loses the other's changes
        let mut theirs = world.clone();
        theirs.table(1010).heap.size = Size::measured(81920);
        let now = at("2026-02-01T00:00:00Z");
        let (ours, theirs_at) = (world.snapshot(now), theirs.snapshot(now));
        let (a, b) = tokio::join!(
            fresh.store.record_sample(&ours, SampleKind::Manual, None),
            other.record_sample(&theirs_at, SampleKind::Manual, None),
        );
        for (recorded, snapshot) in [(a, &ours), (b, &theirs_at)] {
            let sizes = fresh.store.table_sizes(recorded.unwrap().header(), None, None).await.unwrap();
            assert_eq!(sizes, expected(snapshot));
        }
        assert_eq!(fresh.all(&world).await.len(), 22);
    }

    async fn of_95_daily_samples_the_last_90_remain(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 0);
        world.add(1010, "public", "never_changes", 8192);
        let mut snapshots = Vec::new();
        for day in 0..95_u32 {
            let due = at("2026-01-01T03:00:00Z") + SignedDuration::from_hours(24 * i64::from(day));
            world.table(1000).heap.size = Size::measured(8192 * u64::from(day / 3));
            let snapshot = world.snapshot(due);
            fresh.store.record_sample(&snapshot, SampleKind::Daily, Some(due)).await.unwrap();
            fresh.store.thin(&world.key(), &Retention::default(), due).await.unwrap();
            snapshots.push(snapshot);
        }
        let left = fresh.all(&world).await;
        assert_eq!(left.len(), 90);
        for (header, snapshot) in left.iter().zip(snapshots.iter().rev()) {
            assert_eq!(header.sampled_at, snapshot.measured_at);
            assert_eq!(fresh.store.table_sizes(header, None, None).await.unwrap(), expected(snapshot));
        }
    }

    async fn thinning_changes_nothing_that_is_left(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        for n in 0..10 {
            world.add(1000 + n * 10, "public", &format!("t{n}"), 8192);
        }
        let start = at("2026-01-01T00:00:00Z");
        let mut all = BTreeMap::new();
        let mut now = start;
        for quarter in 0..4 * 24 * 4_u32 {
            now = start + SignedDuration::from_mins(15 * i64::from(quarter));
            let oid = 1000 + (quarter * 7 % 10) * 10;
            if let Some(table) = world.tables.iter_mut().find(|t| t.oid == oid) {
                table.heap.size = Size::measured(8192 * u64::from(quarter));
                if quarter % 5 == 0 {
                    table.indexes[0].storage.size = Size::measured(8192 * u64::from(quarter + 2));
                }
            }
            match quarter {
                100 => world.table(1000).table_name = "renamed".into(),
                150 => world.drop(1010),
                151 => { world.add(2000, "public", "short", 8192); }
                152 => world.drop(2000),
                200 => { world.add(2010, "public", "late", 8192); }
                _ => {}
            }
            let snapshot = world.snapshot(now);
            let header = fresh.keep(&world, now).await;
            all.insert(header.id, expected(&snapshot));
        }
        let retention = Retention {
            daily_samples: 90,
            all_for: SignedDuration::from_hours(24),
            hourly_for: SignedDuration::from_hours(72),
        };
        let mut before = fresh.all(&world).await.len();
        for hours in [0, 1, 13, 30, 300] {
            let later = now + SignedDuration::from_hours(hours);
            let dropped = fresh.store.thin(&world.key(), &retention, later).await.unwrap();
            let left = fresh.all(&world).await;
            assert_eq!(u64::try_from(before - left.len()).unwrap(), dropped);
            before = left.len();
            for header in &left {
                assert_eq!(
                    fresh.store.table_sizes(header, None, None).await.unwrap(),
                    all[&header.id],
                    "thinned {hours} h later, sample of {}", header.sampled_at
                );
            }
            assert_eq!(fresh.store.thin(&world.key(), &retention, later).await.unwrap(), 0);
        }
        // only the newest is left: one value a relation, and nothing of what is gone
        assert_eq!(before, 1);
        let values = (fresh.sql)("select count(*) from table_values").last().unwrap()[0].clone();
        assert_eq!(values.as_deref(), Some("10"));
        // and what comes next is still compared with what is known
        let next = fresh.keep(&world, now + SignedDuration::from_hours(301)).await;
        let snapshot = world.snapshot(next.sampled_at);
        assert_eq!(fresh.store.table_sizes(&next, None, None).await.unwrap(), expected(&snapshot));
        let values = (fresh.sql)("select count(*) from table_values").last().unwrap()[0].clone();
        assert_eq!(values.as_deref(), Some("10"));
    }

    async fn samples_are_read_by_kind_since_and_step(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 8192);
        let start = at("2026-01-01T00:00:00Z");
        for n in 0..48 {
            let kind = if n == 12 { SampleKind::Daily } else { SampleKind::Watch };
            let time = start + SignedDuration::from_mins(15 * n);
            fresh.store.record_sample(&world.snapshot(time), kind, None).await.unwrap();
        }
        let query = SampleQuery {
            of: world.key(), kinds: Vec::new(), since: None, step: Step::All, limit: 5,
        };
        let page = fresh.store.samples(&query).await.unwrap();
        assert_eq!((page.samples.len(), page.total), (5, 48));
        assert_eq!(page.samples[0].sampled_at, at("2026-01-01T11:45:00Z"));
        let daily = SampleQuery { kinds: vec![SampleKind::Daily, SampleKind::Manual], ..query.clone() };
        let page = fresh.store.samples(&daily).await.unwrap();
        assert_eq!((page.samples.len(), page.total), (1, 1));
        let hourly = SampleQuery {
            step: Step::Hour, since: Some(at("2026-01-01T08:30:00Z")), ..query.clone()
        };
        let page = fresh.store.samples(&hourly).await.unwrap();
        assert_eq!(page.total, 4);
        assert_eq!(page.samples.iter().map(|s| s.sampled_at.to_string()).collect::<Vec<_>>(),
            [11, 10, 9, 8].map(|hour| format!("2026-01-01T{hour:02}:45:00Z")));
        let day = SampleQuery { step: Step::Day, ..query.clone() };
        assert_eq!(fresh.store.samples(&day).await.unwrap().total, 1);
        let nobody = SampleQuery { of: World::new("main", "nobody").key(), ..query };
        assert_eq!(fresh.store.samples(&nobody).await.unwrap().total, 0);
        assert_eq!(fresh.store.databases().await.unwrap(), [world.key()]);
    }

    async fn trap_37_a_clock_that_is_set_back_loses_nothing(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 8192);
        let mut kept = Vec::new();
        for (n, time) in (1..).zip(["2026-06-01T00:00:00Z", "2026-06-01T00:00:00.5Z", "2026-05-01T00:00:00Z",
            "2026-05-01T00:00:01Z", "2026-06-02T00:00:00Z"]) {
            world.table(1000).heap.size = Size::measured(n * 8192);
            let snapshot = world.snapshot(at(time));
            let header = fresh.keep(&world, at(time)).await;
            assert_eq!(header.sampled_at, at(time));
            kept.push((header, expected(&snapshot)));
        }
        for (header, expected) in kept {
            assert_eq!(fresh.store.table_sizes(&header, None, None).await.unwrap(), expected);
        }
    }

    async fn a_database_keeps_its_history_through_a_rename(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "a", 8192);
        fresh.keep(&world, at("2026-01-01T00:00:00Z")).await;
        let mut renamed = world.clone();
        renamed.database = "app_v2".to_owned();
        // and a new one takes the old name
        let mut new = World::new("main", "app");
        new.oid = 6;
        fresh.keep(&renamed, at("2026-01-02T00:00:00Z")).await;
        fresh.keep(&new, at("2026-01-02T00:00:00Z")).await;
        assert_eq!(fresh.all(&renamed).await.len(), 2);
        assert_eq!(fresh.all(&new).await.len(), 1);
        // two that change names
        std::mem::swap(&mut renamed.database, &mut new.database);
        fresh.keep(&renamed, at("2026-01-03T00:00:00Z")).await;
        fresh.keep(&new, at("2026-01-03T00:00:00Z")).await;
        assert_eq!(fresh.all(&renamed).await.len(), 3);
        assert_eq!(fresh.all(&new).await.len(), 2);
    }

    async fn what_another_process_kept_meanwhile_is_not_overlooked(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        for n in 0..40 {
            world.add(1000 + n * 10, "public", &format!("t{n}"), 8192);
        }
        let other = plimsoll_store::open(&fresh.url).unwrap();
        let mut kept = Vec::new();
        for hour in 0..12_u32 {
            let n = 1000 + hour % 5 * 10;
            world.table(n).heap.size = Size::measured(u64::from(hour) * 81_920);
            match hour {
                4 => world.drop(1200),
                5 => world.table(1210).table_name = "renamed".into(),
                // restored: other OIDs under the old names
                7 => {
                    world.oid += 1;
                    for table in &mut world.tables {
                        table.oid += 5000;
                        table.indexes[0].oid += 5000;
                    }
                }
                8.. => world.table(6000 + hour % 5 * 10).heap.size = locked(),
                _ => {}
            }
            if hour == 7 {
                // from here on `n` is another
                world.add(1000, "public", "of_an_old_oid", 8192);
                for n in 1..5 { world.add(1000 + n * 10, "public", &format!("late{n}"), 8192); }
            }
            let snapshot = world.snapshot(at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(hour.into()));
            let store = if hour % 3 == 2 { &other } else { &fresh.store };
            let recorded = store.record_sample(&snapshot, SampleKind::Watch, None).await.unwrap();
            kept.push((recorded.header().clone(), snapshot));
        }
        for (header, snapshot) in kept {
            let shown = fresh.store.table_sizes(&header, None, None).await.unwrap();
            if header.unread_count == 0 {
                assert_eq!(shown, expected(&snapshot));
            }
            assert_eq!(header.table_count, Some(u64::try_from(shown.len()).unwrap()));
        }
        let events = fresh.store.events(&world.key(), &EventQuery::default()).await.unwrap();
        let count = |kind| events.iter().filter(|event| event.event.kind == kind).count();
        assert_eq!((count(EventKind::Drop), count(EventKind::Rename)), (1, 1));
        // one of the database, and one of each of its tables
        assert_eq!(count(EventKind::Restore), 1 + 39);
    }

    async fn demo_data_says_so(fresh: &Fresh) {
        let mut world = World::new("demo", "shop");
        world.add(1000, "public", "a", 8192);
        let recording = Recording { kind: SampleKind::Daily, scheduled_for: None, is_demo: true };
        let recorded = fresh.store
            .record(&world.snapshot(at("2026-01-01T00:00:00Z")), recording).await.unwrap();
        assert!(recorded.header().is_demo);
        assert!(fresh.all(&world).await[0].is_demo);
    }

    async fn migrations_run_once_whoever_is_first(fresh: &Fresh) {
        assert_eq!(fresh.store.migrate().await.unwrap(), Vec::<String>::new());
        assert_eq!(fresh.store.pending_migrations().await.unwrap(), Vec::<String>::new());
        fresh.store.ping().await.unwrap();
        assert!(fresh.store.size_bytes().await.unwrap() > 0);
    }
}

throwaway_postgres::on_every_major! {
    async fn two_processes_that_start_at_once_set_the_store_up_once(server: &Server) {
        server.sql("postgres", "create database at_once").unwrap();
        let stores: Vec<_> = (0..8)
            .map(|_| plimsoll_store::open(&server.url("at_once")).unwrap())
            .collect();
        let before = stores[0].ping().await.unwrap_err();
        assert_eq!(before.code(), "store_not_migrated");
        assert!(!stores[0].pending_migrations().await.unwrap().is_empty());
        let runs = futures_util::future::join_all(stores.iter().map(|store| store.migrate())).await;
        let applied: Vec<_> = runs.into_iter().map(|run| run.unwrap().len()).filter(|n| *n > 0).collect();
        assert_eq!(applied.len(), 1);
    }
}
