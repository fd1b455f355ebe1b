//! The contract on series: renames, rewrites, partition sets, past states, differences.

use jiff::SignedDuration;
use plimsoll_core::change::EventKind;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{DifferenceQuery, EventQuery, SeriesQuery, State, Step, Stored, TableName};

use crate::fresh::Fresh;
use crate::world::{World, at, locked};

contract! {
    async fn a_table_has_one_series_through_renames_and_rewrites(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let hour = |n: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        world.add(1000, "public", "orders", 81920);
        fresh.keep(&world, hour(0)).await;
        world.table(1000).heap.size = Size::measured(163_840);
        fresh.keep(&world, hour(1)).await;
        world.table(1000).table_name = "orders_v2".into();
        world.table(1000).schema_name = "sales".into();
        fresh.keep(&world, hour(2)).await;
        world.table(1000).heap.filenode = 7;
        world.table(1000).heap.size = Size::measured(40960);
        world.table(1000).indexes[0].storage.size = Size::measured(8192);
        fresh.keep(&world, hour(3)).await;
        world.table(1000).heap.size = locked();
        fresh.keep(&world, hour(4)).await;
        world.drop(1000);
        fresh.keep(&world, hour(5)).await;

        let all = SeriesQuery::default();
        for name in ["orders", "sales.orders_v2"] {
            let name: TableName = name.parse().unwrap();
            let series = fresh.store.table_series(&world.key(), &name, &all).await.unwrap().unwrap();
            assert_eq!(series.name.to_string(), "sales.orders_v2");
            assert!(series.is_gone);
            let points: Vec<_> = series.points.iter()
                .map(|p| (p.sampled_at, p.sizes.heap_bytes.unwrap(), p.is_last_good)).collect();
            assert_eq!(points, [
                (hour(0), 81920, false), (hour(1), 163_840, false), (hour(2), 163_840, false),
                (hour(3), 40960, false), (hour(4), 40960, true),
            ]);
            assert_eq!(series.points[3].total_bytes(), Some(40960 + 8192 + 8192));
            assert_eq!(series.points[3].sizes.toast_index_bytes, Some(8192));
            assert_eq!(series.indexes.len(), 1);
            assert_eq!(series.indexes[0].index_name, "orders_pkey");
            let index: Vec<_> = series.indexes[0].points.iter().map(|p| p.sizes.heap_bytes.unwrap()).collect();
            assert_eq!(index, [16384, 16384, 16384, 8192, 8192]);
            let events: Vec<_> = series.events.iter()
                .map(|e| (e.event.kind, e.event.from, e.event.to)).collect();
            assert_eq!(events, [
                (EventKind::Rename, hour(1), hour(2)), (EventKind::Rewrite, hour(2), hour(3)),
                (EventKind::Drop, hour(4), hour(5)),
            ]);
            assert_eq!(series.events[1].event.bytes_before, Some(163_840 + 8192 + 16384));
            assert_eq!(series.events[1].event.bytes_after, Some(40960 + 8192 + 8192));
            assert_eq!(series.events[0].table.as_ref().unwrap().to_string(), "sales.orders_v2");
        }
        let some = SeriesQuery { since: Some(hour(2)), until: Some(hour(3)), ..all.clone() };
        let name = TableName::new("sales", "orders_v2");
        let series = fresh.store.table_series(&world.key(), &name, &some).await.unwrap().unwrap();
        assert_eq!(series.points.iter().map(|p| p.sizes.heap_bytes).collect::<Vec<_>>(),
            [Some(163_840), Some(40960)]);
        let day = SeriesQuery { step: Step::Day, ..all.clone() };
        let series = fresh.store.table_series(&world.key(), &name, &day).await.unwrap().unwrap();
        assert_eq!(series.points, [], "the last sample of the day no longer shows it");
        let nobody = TableName::new("public", "nobody");
        assert_eq!(fresh.store.table_series(&world.key(), &nobody, &all).await.unwrap(), None);

        let drops = EventQuery { kinds: vec![EventKind::Drop], ..EventQuery::default() };
        let events = fresh.store.events(&world.key(), &drops).await.unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(events[0].table.as_ref().unwrap(), &name);
        let of_table = EventQuery { table: Some(name), limit: Some(2), ..EventQuery::default() };
        let events = fresh.store.events(&world.key(), &of_table).await.unwrap();
        assert_eq!(events.iter().map(|e| e.event.kind).collect::<Vec<_>>(),
            [EventKind::Drop, EventKind::Rewrite]);
    }

    async fn what_lies_in_one_place_is_the_sum_of_its_heaps_and_indexes(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let hour = |n: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        for (oid, name) in [(1000, "heap_alone"), (1010, "both"), (1020, "index_alone"), (1030, "elsewhere")] {
            world.add(oid, "public", name, u64::from(oid) * 8192);
        }
        let stored: Vec<Stored> = [
            ("heap_alone", true, ""), ("both", true, "both_pkey"), ("index_alone", false, "index_alone_pkey"),
            ("made_later", true, "made_later_pkey"), ("nobody", true, "nobody_pkey"),
        ].map(|(name, has_heap, index)| Stored {
            table: TableName::new("public", name),
            has_heap,
            indexes: vec![index.to_owned()],
        }).to_vec();
        let mut expected = Vec::new();
        for n in 0..4_u32 {
            match n {
                1 => {
                    world.table(1010).heap.size = Size::measured(16384);
                    // of one its index lies elsewhere, of the other only its index lies here
                    world.table(1000).indexes[0].storage.filenode = 77;
                    world.table(1020).indexes[0].storage.filenode = 78;
                }
                2 => {
                    world.table(1020).indexes[0].storage.size = Size::measured(32768);
                    world.add(1040, "public", "made_later", 81920);
                    world.table(1000).heap.filenode = 7;
                    world.table(1000).heap.size = Size::measured(8192);
                }
                3 => {
                    world.table(1000).heap.size = locked();
                    world.table(1020).heap.filenode = 79;
                }
                _ => {}
            }
            fresh.keep(&world, hour(i64::from(n))).await;
            let toast = 8192;
            let bytes = match n {
                0 => 1000 * 8192 + toast + 1010 * 8192 + toast + 16384 + 16384,
                1 => 1000 * 8192 + toast + 16384 + toast + 16384 + 16384,
                // what cannot be read stays as it was
                _ => 8192 + toast + 16384 + toast + 16384 + 32768 + 81920 + toast + 16384,
            };
            expected.push((hour(i64::from(n)), bytes));
        }
        let all = SeriesQuery::default();
        let series = fresh.store.stored_series(&world.key(), &stored, &all).await.unwrap();
        let points: Vec<_> = series.points.iter().map(|point| (point.at, point.bytes)).collect();
        assert_eq!(points, expected);
        let moved = series.events.iter().filter(|event| {
            [EventKind::Rewrite, EventKind::Reindex].contains(&event.event.kind)
        });
        let moved: Vec<_> = moved.map(|event| {
            let table = event.table.as_ref().map(|table| table.table_name.as_str());
            (event.event.kind, table, event.index_name.as_deref())
        }).collect();
        assert_eq!(moved, [
            (EventKind::Reindex, Some("index_alone"), Some("index_alone_pkey")),
            (EventKind::Rewrite, Some("heap_alone"), None),
        ], "what happened here, and not what happened to the same tables elsewhere");
        let some = SeriesQuery { since: Some(hour(2)), ..all.clone() };
        let series = fresh.store.stored_series(&world.key(), &stored, &some).await.unwrap();
        assert_eq!(series.points.len(), 2);
        assert_eq!(series.points[0].bytes, expected[2].1);
        let of_nobody = fresh.store.stored_series(&World::new("main", "none").key(), &stored, &all).await.unwrap();
        assert!(of_nobody.points.is_empty() && of_nobody.events.is_empty());
    }

    async fn what_could_not_be_read_marks_a_schema_only_while_it_is_there(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let hour = |n: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        world.add(1000, "old", "moves", 81920);
        world.add(1010, "old", "stays", 8192);
        fresh.keep(&world, hour(0)).await;
        world.table(1000).schema_name = "new".into();
        fresh.keep(&world, hour(1)).await;
        world.table(1000).heap.size = locked();
        fresh.keep(&world, hour(2)).await;
        let all = SeriesQuery::default();
        for (schema, expected) in [("old", vec![false, false, false]), ("new", vec![false, true])] {
            let series = fresh.store.schema_series(&world.key(), schema, &all).await.unwrap();
            let marked: Vec<_> = series.iter().map(|point| point.is_last_good).collect();
            assert_eq!(marked, expected, "{schema}");
        }
        let database = fresh.store.database_series(&world.key(), &all).await.unwrap();
        assert_eq!(database.iter().map(|point| point.is_last_good).collect::<Vec<_>>(), [false, false, true]);
        // what is asked up to a time does not see what came later
        let until = SeriesQuery { until: Some(hour(1)), ..all };
        let database = fresh.store.database_series(&world.key(), &until).await.unwrap();
        assert_eq!(database.len(), 2);
        assert!(database.iter().all(|point| !point.is_last_good));
    }

    async fn a_partition_set_is_one_series_on_every_level(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let hour = |n: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        let parent = |world: &mut World, oid: u32, name: &str, of: Option<u32>| {
            let mut table = world.add(oid, "public", name, 0).clone();
            table.kind = TableKind::Partitioned;
            table.toast = None;
            table.indexes.clear();
            table.heap = plimsoll_core::snapshot::Storage::default();
            table.parent_oid = of;
            *world.table(oid) = table;
        };
        parent(&mut world, 100, "measurement", None);
        parent(&mut world, 200, "m_2026", Some(100));
        for (oid, name, of) in [(1000, "m_2026_01", 200), (1010, "m_2026_02", 200), (1020, "m_default", 100)] {
            world.add(oid, "public", name, 81920).parent_oid = Some(of);
        }
        // a tree of plain inheritance, whose parent has rows of its own
        world.add(2000, "public", "tree", 8192);
        world.add(2010, "public", "branch", 8192).parent_oid = Some(2000);
        world.add(2020, "public", "leaf", 8192).parent_oid = Some(2010);
        let each = 8192 + 16384;
        fresh.keep(&world, hour(0)).await;
        world.table(1000).parent_oid = None;
        fresh.keep(&world, hour(1)).await;
        world.drop(1010);
        world.add(1030, "public", "m_2026_03", 0).parent_oid = Some(200);
        fresh.keep(&world, hour(2)).await;
        world.table(200).parent_oid = None;
        fresh.keep(&world, hour(3)).await;

        let all = SeriesQuery::default();
        let root = TableName::new("public", "measurement");
        let set = fresh.store.set_series(&world.key(), &root, &all).await.unwrap().unwrap();
        let totals: Vec<_> = set.points.iter().map(|p| p.total_bytes().unwrap()).collect();
        assert_eq!(totals, [3 * (81920 + each), 2 * (81920 + each), 81920 + 2 * each, 81920 + each]);
        let members: Vec<_> = set.members.iter().map(|m| (m.name.table_name.as_str(), m.is_member)).collect();
        assert_eq!(members, [("m_2026_01", false), ("m_2026_02", false), ("m_default", true), ("m_2026_03", false)]);
        let kinds: Vec<_> = set.events.iter().map(|e| (e.event.kind, e.table.as_ref().unwrap().table_name.clone()))
            .collect();
        for expected in [(EventKind::Detach, "m_2026_01"), (EventKind::Drop, "m_2026_02"),
            (EventKind::Create, "m_2026_03"), (EventKind::Detach, "m_2026")] {
            assert!(kinds.contains(&(expected.0, expected.1.to_owned())), "{expected:?} in {kinds:?}");
        }
        let tree = TableName::new("public", "tree");
        let set = fresh.store.set_series(&world.key(), &tree, &all).await.unwrap().unwrap();
        assert!(set.points.iter().all(|p| p.total_bytes() == Some(3 * (8192 + each)) && p.tables == 3));
        assert_eq!(set.members.len(), 3);

        // a schema and the database count each leaf once
        let schema = fresh.store.schema_series(&world.key(), "public", &all).await.unwrap();
        let database = fresh.store.database_series(&world.key(), &all).await.unwrap();
        for series in [schema, database] {
            let totals: Vec<_> = series.iter().map(|p| p.total_bytes().unwrap()).collect();
            let trees = 3 * (8192 + each);
            assert_eq!(totals, [3 * (81920 + each) + trees, 3 * (81920 + each) + trees,
                2 * (81920 + each) + each + trees, 2 * (81920 + each) + each + trees]);
        }
    }

    async fn a_past_state_and_a_difference_are_what_was_measured(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let hour = |n: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        for (n, oid) in (1..=5).zip((1000..).step_by(10)) {
            world.add(oid, if n < 4 { "public" } else { "sales" }, &format!("t{n}"), n * 81920);
        }
        world.add(5000, "pg_catalog", "pg_class", 8192).kind = TableKind::Catalog;
        fresh.keep(&world, hour(0)).await;
        world.table(1000).heap.size = Size::measured(10 * 81920);
        world.table(1010).heap.size = Size::measured(81920);
        world.table(1020).table_name = "renamed".into();
        world.drop(1030);
        world.add(1100, "public", "new", 8192).heap.size = locked();
        world.table(5000).heap.size = Size::measured(99 * 81920);
        fresh.keep(&world, hour(2)).await;
        world.table(1040).indexes[0].storage.size = Size::measured(90112);
        world.table(1100).heap.size = Size::measured(16384);
        fresh.keep(&world, hour(4)).await;

        let state = |time| async move { fresh.store.state(&World::new("main", "app").key(), time).await.unwrap().unwrap() };
        let names = |state: &State| state.tables.iter()
            .map(|t| (t.name.to_string(), t.sizes.heap_bytes)).collect::<Vec<_>>();
        let first = state(hour(1)).await;
        assert_eq!(first.sample.sampled_at, hour(0));
        assert_eq!(names(&first), [
            ("sales.t5".into(), Some(5 * 81920)), ("sales.t4".into(), Some(4 * 81920)),
            ("public.t3".into(), Some(3 * 81920)), ("public.t2".into(), Some(2 * 81920)),
            ("public.t1".into(), Some(81920)), ("pg_catalog.pg_class".into(), Some(8192)),
        ]);
        // before anything was measured: the first that is known
        assert_eq!(state(at("2020-01-01T00:00:00Z")).await, first);
        let second = state(hour(3)).await;
        assert_eq!(second.tables.last().unwrap().name.to_string(), "public.new");
        assert_eq!(second.tables.last().unwrap().sizes.heap_bytes, None, "not zero");
        assert!(names(&second).contains(&("public.renamed".into(), Some(3 * 81920))));
        assert_eq!(state(hour(9)).await.sample.sampled_at, hour(4));

        let difference = |query: DifferenceQuery| async move {
            fresh.store.difference(&World::new("main", "app").key(), &query).await.unwrap().unwrap()
        };
        let query = DifferenceQuery {
            from: hour(0), to: hour(9), kinds: Vec::new(), indexes: false, limit: None,
        };
        let all = difference(query.clone()).await;
        let each = 8192 + 16384;
        let growth: Vec<_> = all.growth.iter().map(|g| (g.name.to_string(), g.bytes())).collect();
        assert_eq!(growth, [
            ("public.t1".into(), 9 * 81920), ("sales.t5".into(), 90112 - 16384),
            ("public.new".into(), 16384 + each), ("public.t2".into(), -81920),
            ("sales.t4".into(), -(4 * 81920 + each)),
        ]);
        assert_eq!((all.from.sampled_at, all.to.sampled_at, all.total), (hour(0), hour(4), 5));
        assert_eq!(all.growth[2].before, None);
        assert_eq!(all.growth[4].after, None);
        let top = difference(DifferenceQuery { limit: Some(2), ..query.clone() }).await;
        assert_eq!((&top.growth[..], top.total), (&all.growth[..2], 5));
        let between = difference(DifferenceQuery { to: hour(3), ..query.clone() }).await;
        assert_eq!(between.total, 3, "what is there and was not measured has not grown");
        let catalog = difference(DifferenceQuery { kinds: vec![TableKind::Catalog], ..query.clone() }).await;
        assert_eq!(catalog.growth.len(), 1);
        let indexes = difference(DifferenceQuery { indexes: true, ..query }).await;
        assert_eq!(indexes.growth[0].index_name.as_deref(), Some("t5_pkey"));
        assert_eq!(indexes.growth[0].name.to_string(), "sales.t5");
        assert_eq!(indexes.growth[0].bytes(), 90112 - 16384);
        assert_eq!(fresh.store.state(&World::new("x", "y").key(), hour(0)).await.unwrap(), None);
    }
}
