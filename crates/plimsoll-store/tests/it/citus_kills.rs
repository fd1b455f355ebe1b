//! The nodes of a Citus cluster are killed while samples are being written: what was acknowledged is there, once.
//!
//! Each instance's writer does what the schedule does: a sample that failed is tried again for the same time. What
//! sample number n must show is a pure function of n, so that every one that is left can be checked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::Store;
use throwaway_postgres::citus::Cluster;

use crate::citus::distributed;
use crate::fresh::Fresh;
use crate::world::{World, at, expected};

/// So many that each worker has some.
const INSTANCES: usize = 6;
const TABLES: u32 = 20;
/// Of each node in turn.
const ROUNDS: usize = 3;

/// The nodes' own commits are as safe as those that Plimsoll asks of the coordinator; what a dead one left prepared
/// is looked for each second.
const SETTINGS: [(&str, &str); 2] = [
    ("synchronous_commit", "on"),
    ("citus.recover_2pc_interval", "1s"),
];

fn minute(n: u32) -> Timestamp {
    at("2026-01-05T03:00:00Z") + SignedDuration::from_mins(i64::from(n))
}

/// What is there at minute n: in each third nothing changes, else some tables do, and one comes and goes.
fn snapshot(instance: &str, n: u32) -> Snapshot {
    let mut world = World::new(instance, "app");
    let step = n - n % 3 / 2;
    for table in 0..TABLES {
        let since = (step + table) / (1 + table % 5);
        let heap = 8192 * u64::from(since + 1);
        world.add(1000 + table * 10, "public", &format!("t{table}"), heap);
    }
    world.table(1000).indexes[0].storage.size = Size::measured(8192 * u64::from(step + 2));
    if step / 7 % 2 == 1 {
        world.add(90_000 + step / 7 * 10, "public", "comes_and_goes", 8192);
    }
    world.snapshot(minute(n))
}

/// What one instance's writer has done.
struct Writer {
    instance: String,
    /// The number of the next sample.
    next: AtomicU32,
    failed: AtomicU32,
    /// Errors that are no word for a node that is gone.
    surprised: Mutex<Vec<String>>,
}

impl Writer {
    /// Takes sample after sample until it is told to stop; returns the ids of those that were acknowledged.
    async fn run(&self, store: &dyn Store, stop: &AtomicBool) -> BTreeMap<u32, i64> {
        let mut acknowledged = BTreeMap::new();
        while !stop.load(Ordering::SeqCst) {
            let n = self.next.load(Ordering::SeqCst);
            let snapshot = snapshot(&self.instance, n);
            let kept = store.record_sample(&snapshot, SampleKind::Watch, Some(minute(n)));
            match kept.await {
                Ok(recorded) => {
                    acknowledged.insert(n, recorded.header().id);
                    self.next.fetch_add(1, Ordering::SeqCst);
                }
                Err(error) => {
                    if !["store_unreachable", "store_busy"].contains(&error.code()) {
                        let said = format!("{}: {error}", error.code());
                        self.surprised.lock().unwrap().push(said);
                    }
                    self.failed.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        acknowledged
    }
}

/// Waits until each of some writers has kept so many more.
async fn wait_for_more(writers: &[Arc<Writer>], more: u32, when: &str) {
    for writer in writers {
        let target = writer.next.load(Ordering::SeqCst) + more;
        let mut tries = 0;
        while writer.next.load(Ordering::SeqCst) < target {
            tries += 1;
            assert!(tries < 6000, "{when}: {} keeps nothing", writer.instance);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Kills a node at once, in the middle of whatever it does, and starts it again.
fn kill(cluster: &Cluster, at: usize) {
    let node = cluster.nodes()[at];
    tokio::task::block_in_place(|| {
        node.crash().unwrap();
        node.start_again().unwrap();
    });
}

async fn is_whole(fresh: &Fresh, instance: &str, acknowledged: &BTreeMap<u32, i64>) {
    let samples = fresh.all(&World::new(instance, "app")).await;
    let mut times = BTreeSet::new();
    for header in &samples {
        let minutes = header.sampled_at.duration_since(minute(0)).as_mins();
        let n = u32::try_from(minutes).unwrap();
        assert!(times.insert(n), "{instance}: sample {n} is there twice");
        let sizes = fresh.store.table_sizes(header, None, None).await.unwrap();
        assert_eq!(sizes, expected(&snapshot(instance, n)), "{instance}, {n}");
        if let Some(id) = acknowledged.get(&n) {
            assert_eq!(
                *id, header.id,
                "{instance}: another is there for sample {n}"
            );
        }
    }
    let lost: Vec<_> = acknowledged.keys().filter(|n| !times.contains(n)).collect();
    assert!(lost.is_empty(), "{instance}: {lost:?} were acknowledged");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_killed_while_samples_are_written_lose_and_double_nothing() {
    let Some((cluster, fresh)) = distributed(&SETTINGS).await else {
        return;
    };
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    let mut tasks = Vec::new();
    for n in 0..INSTANCES {
        let writer = Arc::new(Writer {
            instance: format!("instance {n}"),
            next: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            surprised: Mutex::default(),
        });
        writers.push(Arc::clone(&writer));
        let (store, stop) = (Arc::clone(&fresh.store), Arc::clone(&stop));
        tasks.push(tokio::spawn(
            async move { writer.run(&*store, &stop).await },
        ));
    }
    for round in 0..ROUNDS {
        for node in 0..cluster.nodes().len() {
            wait_for_more(&writers, 2, &format!("round {round}, before node {node}")).await;
            kill(cluster, node);
        }
    }
    wait_for_more(&writers, 2, "at the end").await;
    stop.store(true, Ordering::SeqCst);
    let failed: u32 = writers
        .iter()
        .map(|w| w.failed.load(Ordering::SeqCst))
        .sum();
    for (writer, task) in writers.iter().zip(tasks) {
        let acknowledged = task.await.unwrap();
        assert!(acknowledged.len() >= ROUNDS * 3 * 2);
        let surprised = writer.surprised.lock().unwrap().clone();
        assert!(surprised.is_empty(), "{}: {surprised:#?}", writer.instance);
        is_whole(&fresh, &writer.instance, &acknowledged).await;
    }
    assert!(failed > 0, "no kill was met by any writer");
    // what the last kill left prepared is ended by Citus, on its next look
    let prepared = || {
        cluster.nodes().iter().any(|node| {
            let rows = node.sql("history", "select 1 from pg_prepared_xacts");
            rows.unwrap().iter().any(|row| !row.is_empty())
        })
    };
    let mut tries = 0;
    while tokio::task::block_in_place(prepared) {
        tries += 1;
        assert!(tries < 600, "prepared and never ended");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
