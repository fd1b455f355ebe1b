//! The PostgreSQL store at fleet size: weekly partitions that come and go, and statements that each
//! concern one instance, so that Citus can route them to one shard.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_core::thinning::Retention;
use plimsoll_store::transfer::ndjson;
use plimsoll_store::{
    DifferenceQuery, EventQuery, PartQuery, Recording, SampleQuery, SeriesQuery, Step, Store,
    Stored, TableName, TableState,
};
use throwaway_postgres::{Server, on_every_major, test};

use crate::cut::Way;
use crate::fresh::Fresh;
use crate::world::{World, at, expected, locked};

fn week(n: i64) -> Timestamp {
    // a Monday
    at("2026-01-05T03:00:00Z") + SignedDuration::from_hours(24 * 7 * n)
}

/// The partitions up to a week; those of weeks to come are made ahead.
fn partitions(fresh: &Fresh, last: i64) -> Vec<String> {
    let rows = (fresh.sql)(
        "select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
         where i.inhparent in ('table_values'::regclass, 'index_values'::regclass) order by 1",
    );
    let last = week(last).strftime("%Y%m%d").to_string();
    let names = rows.into_iter().map(|mut row| row.remove(0).unwrap());
    names
        .filter(|name| name.rsplit('_').next() <= Some(&*last))
        .collect()
}

on_every_major! {
    async fn a_past_week_goes_as_a_whole_and_what_follows_stays_right(server: &Server) {
        let fresh = Fresh::postgres(server, "past_weeks").await;
        let mut worlds = ["a", "b"].map(|name| World::new(name, "app"));
        let mut all = BTreeMap::new();
        for n in 0..6 {
            for world in &mut worlds {
                if n == 0 {
                    world.add(1000, "public", "grows", 8192);
                    world.add(1010, "public", "never_changes", 65536);
                }
                world.table(1000).heap.size = Size::measured(8192 * u64::try_from(n + 1).unwrap());
                let snapshot = world.snapshot(week(n));
                let recorded = fresh.store
                    .record_sample(&snapshot, SampleKind::Daily, Some(week(n))).await.unwrap();
                all.insert(recorded.header().id, expected(&snapshot));
            }
        }
        assert_eq!(partitions(&fresh, 5).len(), 12);
        assert_eq!(partitions(&fresh, 13).len(), 12 + 8 * 2, "made well ahead");
        let retention = Retention { daily_samples: 2, ..Retention::default() };
        let now = week(6);
        fresh.store.thin(&worlds[0].key(), &retention, now).await.unwrap();
        assert_eq!(partitions(&fresh, 5).len(), 12, "the other instance still has samples there");
        fresh.store.thin(&worlds[1].key(), &retention, now).await.unwrap();
        assert_eq!(partitions(&fresh, 5), [
            "index_values_20260202", "index_values_20260209",
            "table_values_20260202", "table_values_20260209",
        ]);
        for world in &mut worlds {
            let left = fresh.all(world).await;
            assert_eq!(left.len(), 2);
            for header in &left {
                let sizes = fresh.store.table_sizes(header, None, None).await.unwrap();
                assert_eq!(sizes, all[&header.id], "the sample of {}", header.sampled_at);
            }
            let name = TableName::new("public", "never_changes");
            let series = fresh.store
                .table_series(&world.key(), &name, &SeriesQuery::default()).await.unwrap().unwrap();
            assert_eq!(series.points.iter().map(|p| p.sizes.heap_bytes).collect::<Vec<_>>(), [Some(65536); 2]);
            // a sample of a week whose partition was dropped makes it anew
            let mut late = World::new("late", "app");
            late.add(1000, "public", "t", 8192);
            fresh.store.record_sample(&late.snapshot(week(1)), SampleKind::Manual, None).await.unwrap();
            let next = fresh.keep(world, now).await;
            let sizes = fresh.store.table_sizes(&next, None, None).await.unwrap();
            assert_eq!(sizes, expected(&world.snapshot(now)));
        }
    }

    async fn processes_that_need_the_same_new_week_at_once_make_it_once(server: &Server) {
        let fresh = Fresh::postgres(server, "same_week").await;
        let mut tasks = Vec::new();
        for n in 0..12 {
            let store = plimsoll_store::open(&fresh.url).unwrap();
            tasks.push(tokio::spawn(async move {
                let mut world = World::new(&format!("instance {n}"), "app");
                world.add(1000, "public", "t", 8192);
                for n in 0..3 {
                    store.record_sample(&world.snapshot(week(n)), SampleKind::Watch, None).await.unwrap();
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(partitions(&fresh, 2).len(), 6);
        let samples = (fresh.sql)("select count(*) from samples");
        assert_eq!(samples.last().unwrap()[0].as_deref(), Some("36"));
    }
}

/// Tables that Citus distributes, and their weekly partitions.
pub(crate) fn is_distributed(relation: &str) -> bool {
    let (table, _) = relation.split_once("_values_").map_or((relation, ""), |_| {
        relation.rsplit_once('_').unwrap_or((relation, ""))
    });
    [
        "databases",
        "samples",
        "relations",
        "former_names",
        "table_values",
        "index_values",
        "unread",
        "events",
        "forecasts",
        "forecast_parts",
        "disk_looks",
        "disk_state",
        "cleanup_runs",
    ]
    .contains(&table)
}

/// A sample of which nobody was told that it was kept is looked for, and not kept twice.
pub(crate) async fn lose_an_answer(fresh: &mut Fresh, server: &'static Server, database: &str) {
    let way = Way::to(server).await;
    let direct = std::mem::replace(
        &mut fresh.store,
        plimsoll_store::open(&way.url(database)).unwrap(),
    );
    let mut world = World::new("main", "cut");
    world.add(1000, "public", "t", 8192);
    fresh.keep(&world, week(0)).await;
    for n in 1..4 {
        let at = week(0) + SignedDuration::from_hours(n);
        way.cut_commit();
        fresh.keep(&world, at).await;
        assert!(way.has_cut());
        assert_eq!(
            fresh.all(&world).await.len(),
            usize::try_from(n).unwrap() + 1
        );
    }
    // a change of which nobody can tell is told
    way.cut_commit();
    let stale_after = std::time::Duration::from_secs(60);
    let claim = fresh.store.claim("watch", week(0), stale_after).await;
    let error = claim.unwrap_err().to_string();
    assert!(
        error.contains("whether it was kept is not known"),
        "{error}"
    );
    fresh.store = direct;
}

/// Everything that is asked, and written, of one instance.
pub(crate) async fn use_everything(fresh: &Fresh) {
    write_everything(fresh).await;
    read_everything(&*fresh.store).await;
    let (of, now) = (World::new("main", "app").key(), hour(24 * 400));
    let retention = Retention::default();
    fresh.store.thin(&of, &retention, now).await.unwrap();
}

fn hour(n: i64) -> Timestamp {
    week(0) + SignedDuration::from_hours(n)
}

/// Keeps a row of each kind.
pub(crate) async fn write_everything(fresh: &Fresh) {
    let mut world = World::new("main", "app");
    world.add(1000, "public", "orders", 81920);
    world.add(1010, "public", "parent", 0).kind = plimsoll_core::snapshot::TableKind::Partitioned;
    let child = world.add(1020, "public", "child", 8192);
    child.parent_oid = Some(1010);
    // several indexes are asked for in another way than one
    let mut second = child.indexes[0].clone();
    (second.oid, second.storage.filenode) = (1024, 1024);
    second.index_name = "child_second".into();
    child.indexes.push(second);
    // so many that the few which change are looked up by themselves
    for n in 0..12 {
        world.add(2000 + n * 10, "public", &format!("idle_{n}"), 8192);
    }
    fresh.keep(&world, hour(0)).await;
    world.table(1000).heap.size = locked();
    world.table(1020).table_name = "child_1".into();
    fresh.keep(&world, hour(1)).await;
    world.table(1000).heap.size = Size::measured(16384);
    world.table(1000).heap.filenode = 7;
    world.add(1030, "public", "new", 8192);
    fresh.keep(&world, hour(2)).await;
    world.drop(1030);
    let daily = Recording {
        kind: SampleKind::Daily,
        scheduled_for: Some(hour(24)),
        is_demo: false,
    };
    for _ in 0..2 {
        let snapshot = world.snapshot(hour(24));
        fresh.store.record(&snapshot, daily).await.unwrap();
    }
    let kept = crate::contract_forecast::any_forecast();
    assert!(fresh.store.keep_forecast(&world.key(), kept).await.unwrap());
    crate::contract_disk::use_disk(&*fresh.store, "main").await;
}

/// Asks everything that can be asked of one database, of what [`write_everything`] kept.
pub(crate) async fn read_everything(store: &dyn Store) {
    let of = World::new("main", "app").key();
    let all = SeriesQuery::default();
    for step in [Step::All, Step::Day] {
        let query = SampleQuery {
            of: of.clone(),
            kinds: Vec::new(),
            since: None,
            step,
            limit: 30,
        };
        let page = store.samples(&query).await.unwrap();
        for largest in [None, Some(3)] {
            store
                .table_sizes(&page.samples[0], largest, None)
                .await
                .unwrap();
        }
    }
    let orders = TableName::new("public", "orders");
    store
        .table_series(&of, &orders, &all)
        .await
        .unwrap()
        .unwrap();
    let child = TableName::new("public", "child_1");
    store
        .table_series(&of, &child, &all)
        .await
        .unwrap()
        .unwrap();
    let stored = Stored {
        table: orders.clone(),
        has_heap: true,
        indexes: vec!["orders_pkey".to_owned()],
    };
    store.stored_series(&of, &[stored], &all).await.unwrap();
    let parent = TableName::new("public", "parent");
    store.set_series(&of, &parent, &all).await.unwrap().unwrap();
    store.schema_series(&of, "public", &all).await.unwrap();
    store.database_series(&of, &all).await.unwrap();
    let daily = SeriesQuery {
        step: Step::Day,
        ..all.clone()
    };
    store.database_series(&of, &daily).await.unwrap();
    for at in [hour(-5), hour(2), hour(24 * 400)] {
        let state = store.state(&of, at).await.unwrap().unwrap();
        for table in &state.tables {
            let near = store
                .table_state(&of, at, &table.name)
                .await
                .unwrap()
                .unwrap();
            let is_near = |other: &TableState| {
                other.id == table.id
                    || other.parent == Some(table.id)
                    || table.parent == Some(other.id)
            };
            let (mut seen, mut expected) = (near.tables, state.tables.clone());
            expected.retain(is_near);
            seen.retain(is_near);
            assert_eq!(seen, expected, "{} at {at}", table.name);
        }
    }
    for indexes in [false, true] {
        let query = DifferenceQuery {
            from: hour(0),
            to: hour(24),
            kinds: Vec::new(),
            indexes,
            limit: Some(5),
        };
        store.difference(&of, &query).await.unwrap().unwrap();
    }
    for table in [None, Some(orders)] {
        let query = EventQuery {
            table,
            ..EventQuery::default()
        };
        store.events(&of, &query).await.unwrap();
    }
    let (to, mut from) = tokio::sync::mpsc::channel(1);
    let receive = async { while from.recv().await.is_some() {} };
    let (read, ()) = tokio::join!(store.read_series(&of, &all, &[], to), receive);
    read.unwrap();
    let parts = PartQuery::default();
    store.kept_forecast(&of, &parts).await.unwrap().unwrap();
    store.disk_state("main", "last").await.unwrap().unwrap();
    store.last_good(&of).await.unwrap();
    store.cleanup_runs(&of, 5).await.unwrap();
}

/// Wherever Citus is installed: the tables are distributed, and everything works as without it.
#[test]
fn on_citus_the_history_is_distributed_by_instance() {
    let mut tested = 0;
    for major in 13..=18 {
        let Some(installation) = test::installed(major) else {
            continue;
        };
        let Some(server) = throwaway_postgres::citus::of(&installation, &[]) else {
            continue;
        };
        let server: &'static Server = Box::leak(Box::new(server));
        tested += 1;
        eprintln!("Citus: tested on PostgreSQL {major}");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let fresh = Fresh::citus(server, "distributed").await;
            use_everything(&fresh).await;
            moves(&fresh, &Fresh::citus(server, "moved").await).await;
            let rows =
                (fresh.sql)("select distinct logicalrelid::text from pg_dist_partition order by 1");
            let tables: Vec<_> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
            for table in [
                "databases",
                "samples",
                "relations",
                "table_values",
                "index_values",
                "events",
                "unread",
                "former_names",
                "forecasts",
                "forecast_parts",
                "disk_looks",
                "disk_state",
            ] {
                assert!(
                    tables.iter().any(|name| name.ends_with(table)),
                    "{table}: {tables:?}"
                );
            }
        });
    }
    if tested == 0 {
        eprintln!("Citus: not tested: no PostgreSQL that is here has it, or starts with it");
    }
}

/// Moves the history of one store into another, where it is the same.
pub(crate) async fn moves(from: &Fresh, to: &Fresh) {
    let of = from.store.databases().await.unwrap();
    let mut file = Vec::new();
    let instances = from.store.disk_instances().await.unwrap();
    assert!(!instances.is_empty());
    ndjson::export(&*from.store, &of, &mut file, &|_| {})
        .await
        .unwrap();
    ndjson::export_disks(&*from.store, &instances, &mut file)
        .await
        .unwrap();
    let input = std::io::Cursor::new(file.clone());
    ndjson::import(&*to.store, input, &std::sync::Arc::default())
        .await
        .unwrap();
    let mut again = Vec::new();
    ndjson::export(&*to.store, &of, &mut again, &|_| {})
        .await
        .unwrap();
    ndjson::export_disks(&*to.store, &instances, &mut again)
        .await
        .unwrap();
    assert_eq!(
        String::from_utf8(again).unwrap(),
        String::from_utf8(file).unwrap()
    );
}

/// What Citus asks of a table that is distributed, checked where it is not installed too.
#[test]
fn every_key_begins_with_the_instance() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server: &'static Server = Box::leak(Box::new(
        Server::start(&test::options(&installation)).unwrap(),
    ));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fresh = runtime.block_on(Fresh::postgres(server, "keys"));
    let rows = (fresh.sql)(
        "select c.relname, i.relname, a.attname, x.indisunique
         from pg_index as x
         join pg_class as c on c.oid = x.indrelid
         join pg_class as i on i.oid = x.indexrelid
         join pg_namespace as n on n.oid = c.relnamespace
         join pg_attribute as a on a.attrelid = c.oid and a.attnum = x.indkey[0]
         where n.nspname = 'plimsoll'",
    );
    let mut keys = 0;
    for row in &rows {
        let row: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap()).collect();
        if is_distributed(row[0]) {
            keys += 1;
            assert!(["instance_id", "instance"].contains(&row[2]), "{row:?}");
        }
    }
    assert!(keys >= 12, "{keys}");
    let foreign = (fresh.sql)("select count(*) from pg_constraint where contype = 'f'");
    assert_eq!(foreign.last().unwrap()[0].as_deref(), Some("0"));
    // Citus takes identity columns of 64 bits only
    let narrow = (fresh.sql)(
        "select count(*) from pg_attribute as a join pg_class as c on c.oid = a.attrelid
         join pg_namespace as n on n.oid = c.relnamespace
         where n.nspname = 'plimsoll' and a.attidentity <> '' and a.atttypid <> 'int8'::regtype",
    );
    assert_eq!(narrow.last().unwrap()[0].as_deref(), Some("0"));
}
