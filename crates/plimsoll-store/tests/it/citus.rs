//! A real cluster where Citus is installed: a coordinator with two workers, a node that dies, an extension
//! that comes late; and which statements one shard answers.

use std::collections::BTreeSet;
use std::sync::Mutex;

use jiff::SignedDuration;
use plimsoll_core::thinning::Retention;
use serde_json::Value;
use throwaway_postgres::Server;
use throwaway_postgres::citus::{self, Cluster};

use crate::fleet::use_everything;
use crate::fresh::Fresh;
use crate::statements::plans;
use crate::world::{World, at};

/// A cluster with an empty database `history` on each node; `None` where Citus is not installed.
fn start(settings: &[(&str, &str)]) -> Option<&'static Cluster> {
    let cluster = Box::leak(Box::new(Cluster::start(settings)?));
    cluster.make_database("history").unwrap();
    Some(cluster)
}

/// As [`start`], with a store that is distributed.
pub(crate) async fn distributed(settings: &[(&str, &str)]) -> Option<(&'static Cluster, Fresh)> {
    let cluster = start(settings)?;
    cluster.join("history").unwrap();
    let fresh = Fresh::in_database(&cluster.coordinator, "history").await;
    fresh.store.distribute(&|_| {}).await.unwrap();
    Some((cluster, fresh))
}

/// One value that the coordinator answers.
fn sql(cluster: &Cluster, sql: &str) -> String {
    let rows = cluster.coordinator.sql("history", sql).unwrap();
    let last = rows.into_iter().rfind(|row| !row.is_empty());
    last.unwrap()[0].clone().unwrap_or_default()
}

/// Which worker has what is kept of an instance.
fn home(cluster: &Cluster, instance: &str) -> usize {
    let name = sql(
        cluster,
        &format!(
            "select n.nodename from pg_dist_node as n join pg_dist_placement as p using (groupid)
             where p.shardid = get_shard_id_for_distribution_column('plimsoll.samples',
                 (select instance_id from plimsoll.instances where name = '{instance}'))"
        ),
    );
    let is_it = |worker: &Server| worker.folder().display().to_string() == name;
    cluster.workers.iter().position(is_it).unwrap()
}

/// So many that each worker has some.
const INSTANCES: usize = 10;

fn world(instance: &str) -> World {
    let mut world = World::new(instance, "app");
    world.add(1000, "public", "t", 8192);
    world.add(1010, "public", "u", 81920);
    world
}

/// Keeps one, of which something changed since the last.
async fn keep(fresh: &Fresh, world: &mut World, hour: i64) {
    let pages = u64::try_from(hour).unwrap() + 2;
    world.table(1000).heap.size = plimsoll_core::size::Size::measured(8192 * pages);
    let at = at("2026-01-05T03:00:00Z") + SignedDuration::from_hours(hour);
    fresh.keep(world, at).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_node_costs_only_its_own_instances() {
    let Some((cluster, fresh)) = distributed(&[]).await else {
        return;
    };
    let mut worlds: Vec<World> = (0..INSTANCES)
        .map(|n| world(&format!("instance {n}")))
        .collect();
    for hour in 0..2 {
        for world in &mut worlds {
            keep(&fresh, world, hour).await;
        }
    }
    let whole = fresh.store.footprint().await.unwrap();
    assert!(whole.size_bytes.unwrap() > 100_000, "{whole:?}");
    let homes: Vec<usize> = worlds
        .iter()
        .map(|world| home(cluster, &world.instance))
        .collect();
    assert!(homes.contains(&0) && homes.contains(&1), "{homes:?}");

    tokio::task::block_in_place(|| cluster.workers[1].crash().unwrap());
    let (mut living, mut dead) = (0, 0);
    for (world, home) in worlds.iter_mut().zip(&homes) {
        let at = at("2026-01-05T03:00:00Z") + SignedDuration::from_hours(2);
        let snapshot = world.snapshot(at);
        let kind = plimsoll_core::sample::SampleKind::Daily;
        let kept = fresh.store.record_sample(&snapshot, kind, Some(at)).await;
        if *home == 1 {
            dead += 1;
            let error = kept.unwrap_err();
            assert_eq!(error.code(), "store_unreachable", "{error}");
            continue;
        }
        living += 1;
        kept.unwrap();
        assert_eq!(fresh.all(world).await.len(), 3);
        // thinning goes as far as it can, and says so; weeks that others may need stay
        let retention = Retention {
            daily_samples: 1,
            ..Retention::default()
        };
        let later = at + SignedDuration::from_hours(24 * 30);
        assert_eq!(
            fresh
                .store
                .thin(&world.key(), &retention, later)
                .await
                .unwrap(),
            2
        );
        assert_eq!(fresh.all(world).await.len(), 1);
    }
    assert!(living > 0 && dead > 0);
    // a new instance whose place is alive
    let mut new = 0;
    for n in 0..INSTANCES {
        let mut world = world(&format!("new {n}"));
        world.table(1000).heap.size = plimsoll_core::size::Size::measured(8192);
        let snapshot = world.snapshot(at("2026-01-05T04:00:00Z"));
        let kind = plimsoll_core::sample::SampleKind::Manual;
        new += usize::from(
            fresh
                .store
                .record_sample(&snapshot, kind, None)
                .await
                .is_ok(),
        );
    }
    assert!(new > 0 && new < INSTANCES, "{new}");
    assert_eq!(
        fresh.store.databases().await.unwrap().len(),
        INSTANCES + new
    );
    let footprint = fresh.store.footprint().await.unwrap();
    assert_eq!(footprint.size_bytes, None, "what is not known is no number");
    assert!(
        footprint
            .unknown
            .unwrap()
            .contains("nodes that do not answer")
    );
    assert_eq!(footprint.databases.len(), living + new);

    tokio::task::block_in_place(|| cluster.workers[1].start_again().unwrap());
    for world in &mut worlds {
        keep(&fresh, world, 5).await;
    }
    let footprint = fresh.store.footprint().await.unwrap();
    assert_eq!(
        (footprint.unknown, footprint.databases.len()),
        (None, INSTANCES + new)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_that_comes_late_distributes_when_it_is_told_to() {
    let Some(cluster) = start(&[]) else {
        return;
    };
    let fresh = Fresh::in_database(&cluster.coordinator, "history").await;
    use_everything(&fresh).await;
    let mut world = world("another");
    keep(&fresh, &mut world, 0).await;
    let told = Mutex::new(Vec::new());
    let progress = |what: &str| told.lock().unwrap().push(what.to_owned());
    assert!(
        fresh.store.distribute(&progress).await.unwrap().is_empty(),
        "nobody can"
    );

    cluster.join("history").unwrap();
    let known =
        "select count(*) from pg_dist_partition as p join pg_class as c on c.oid = p.logicalrelid
        where not c.relispartition";
    // neither a sample nor what migrates on its way distributes anything
    keep(&fresh, &mut world, 1).await;
    assert!(fresh.store.migrate().await.unwrap().is_empty());
    assert_eq!(sql(cluster, known), "0");

    // half of it is there already, as after an end in the middle
    for table in ["databases", "samples"] {
        sql(
            cluster,
            &format!("select create_distributed_table('plimsoll.{table}', 'instance_id')"),
        );
    }
    let before = fresh.all(&world).await;
    let done = fresh.store.distribute(&progress).await.unwrap();
    let told = told.into_inner().unwrap();
    assert!(told[0].contains("(1 of 11)"), "{told:?}");
    assert!(
        done.iter().any(|what| what.contains("table_values")),
        "{done:?}"
    );
    assert_eq!(sql(cluster, known), "13");
    assert_eq!(fresh.all(&world).await, before);
    let copies = "select coalesce(sum(pg_relation_size(c.oid)), 0) from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where n.nspname = 'plimsoll' and c.relkind = 'r'
            and c.oid in (select logicalrelid from pg_dist_partition)";
    assert_eq!(sql(cluster, copies), "0", "their space was given back");
    assert!(
        fresh.store.distribute(&|_| {}).await.unwrap().is_empty(),
        "all is done"
    );
    keep(&fresh, &mut world, 2).await;
    use_everything(&Fresh::in_database(&cluster.coordinator, "history").await).await;
}

/// Runs suites of the contract on a cluster.
macro_rules! on_a_cluster {
    ($($name:ident: $($suite:ident),+);+ $(;)?) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let Some((cluster, _fresh)) = distributed(&[("citus.shard_count", "2")]).await else {
                return;
            };
            $(crate::$suite::on_cluster(&cluster.coordinator, "history").await;)+
        }
    )+};
}

on_a_cluster! {
    what_a_store_promises_of_samples_holds_on_a_cluster: contract;
    what_a_store_promises_of_series_and_state_holds_on_a_cluster:
        contract_series, contract_forecast, contract_jobs, contract_disk, contract_alerts;
    what_a_store_promises_of_its_size_holds_on_a_cluster: contract_footprint;
}

/// The number of tasks that a plan makes on shards; `None` where it asks none.
fn tasks(plan: &Value, found: &mut Vec<i64>) {
    match plan {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "Task Count" {
                    found.push(value.as_i64().unwrap());
                }
                tasks(value, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| tasks(value, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_shard_answers_whatever_is_asked_of_one_instance() {
    let settings = [
        ("session_preload_libraries", "auto_explain"),
        ("auto_explain.log_min_duration", "0"),
        ("auto_explain.log_format", "json"),
    ];
    let Some(server) = citus::node(&settings) else {
        return;
    };
    let server: &'static Server = Box::leak(Box::new(server));
    let fresh = Fresh::citus(server, "routed").await;
    use_everything(&fresh).await;
    fresh.store.footprint().await.unwrap();
    let mut single = BTreeSet::new();
    for plan in plans(&server.log()) {
        let query = plan["Query Text"].as_str().unwrap();
        let mut found = Vec::new();
        tasks(&plan["Plan"], &mut found);
        if !query.contains("plimsoll.") || query.contains("create table") || found.is_empty() {
            continue;
        }
        // a whole week, before its partitions are dropped
        let is_of_a_week = query.starts_with("-- whether any database has a sample of a week")
            || query.starts_with("select 1 from plimsoll.");
        if !is_of_a_week {
            assert!(
                found.iter().all(|count| *count == 1),
                "{found:?} tasks: {query}"
            );
            single.insert(query.to_owned());
        }
    }
    assert!(single.len() > 50, "{}", single.len());
}
