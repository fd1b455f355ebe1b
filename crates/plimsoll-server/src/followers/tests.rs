//! How followers are run: what one of them does is no other's business.

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::{Cost, Method, Server, Snapshot, Totals};
use plimsoll_store::DatabaseKey;
use tokio::sync::mpsc;

use super::*;

/// A follower that reports each sample that it is given, and then does as the test says.
struct Scripted {
    began: mpsc::UnboundedSender<i64>,
    then: Then,
}

enum Then {
    Wait(Arc<Semaphore>),
    Fail,
    Panic,
}

#[async_trait]
impl Follower for Scripted {
    fn name(&self) -> &'static str {
        "told"
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            side_by_side: 2,
            ..Bounds::default()
        }
    }

    async fn follow(&self, sample: &NewSample) -> Result<(), FollowError> {
        self.began.send(sample.header.id).unwrap();
        match &self.then {
            Then::Wait(until) => until.acquire().await?.forget(),
            Then::Fail => return Err("it could not".into()),
            Then::Panic => panic!("it went wrong"),
        }
        Ok(())
    }
}

fn sample(id: i64, database: &str) -> News {
    News::Sample(NewSample {
        of: DatabaseKey {
            instance: "main".to_owned(),
            database: database.to_owned(),
        },
        header: SampleHeader {
            id,
            instance: "main".to_owned(),
            database: database.to_owned(),
            sampled_at: Timestamp::UNIX_EPOCH,
            kind: SampleKind::Watch,
            total_bytes: None,
            table_count: Some(0),
            is_demo: false,
            is_imported: false,
            unread_count: 0,
        },
        snapshot: Arc::new(of_no_tables(database)),
    })
}

/// What a visit to an empty database saw: none of these followers looks at it.
fn of_no_tables(database: &str) -> Snapshot {
    Snapshot {
        instance: "main".into(),
        database: database.into(),
        database_oid: 5,
        server: Server {
            version_num: 180_004,
            system_identifier: None,
            timeline: None,
            in_recovery: false,
            started_at: Timestamp::UNIX_EPOCH,
            stats_reset_at: None,
            block_size: 8192,
        },
        measured_at: Timestamp::UNIX_EPOCH,
        took_ms: 1,
        method: Method::Files,
        full_sweep_at: None,
        tables: Vec::new(),
        totals: Totals::default(),
        unattributed: Vec::new(),
        facts: InstanceFacts::default(),
        cost: Cost::default(),
    }
}

fn told(then: Then) -> (Box<dyn Follower>, mpsc::UnboundedReceiver<i64>) {
    let (began, seen) = mpsc::unbounded_channel();
    (Box::new(Scripted { began, then }), seen)
}

fn run(followers: Vec<Box<dyn Follower>>) -> (Followers, TaskTracker, CancellationToken) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    (Followers::new(followers, tasks.clone(), &stop), tasks, stop)
}

fn fared(counts: Counts) -> (u64, u64, u64, u64) {
    let Counts {
        finished,
        failed,
        stopped,
        superseded,
        ..
    } = counts;
    (finished, failed, stopped, superseded)
}

#[tokio::test]
async fn a_follower_that_fails_or_panics_is_its_own_affair() {
    let go = Arc::new(Semaphore::new(10));
    let (fails, mut failing) = told(Then::Fail);
    let (panics, mut panicking) = told(Then::Panic);
    let (works, mut working) = told(Then::Wait(go));
    let (followers, tasks, _) = run(vec![fails, panics, works]);
    for id in [1, 2] {
        followers.announce(&sample(id, "app"));
        for seen in [&mut failing, &mut panicking, &mut working] {
            assert_eq!(seen.recv().await, Some(id));
        }
        while !tasks.is_empty() {
            tokio::task::yield_now().await;
        }
    }
    let counts: Vec<_> = followers
        .counts()
        .into_iter()
        .map(|(_, counts)| fared(counts))
        .collect();
    assert_eq!(counts, [(0, 2, 0, 0), (0, 2, 0, 0), (2, 0, 0, 0)]);
}

#[tokio::test]
async fn of_one_database_only_the_newest_sample_waits_and_others_go_on() {
    let go = Arc::new(Semaphore::new(0));
    let (follower, mut seen) = told(Then::Wait(Arc::clone(&go)));
    let (followers, tasks, _) = run(vec![follower]);
    followers.announce(&sample(1, "app"));
    assert_eq!(seen.recv().await, Some(1));
    for id in [2, 3, 4] {
        followers.announce(&sample(id, "app"));
    }
    followers.announce(&sample(5, "other"));
    assert_eq!(
        seen.recv().await,
        Some(5),
        "another database has a place beside it"
    );
    followers.announce(&sample(6, "third"));
    tokio::task::yield_now().await;
    assert!(seen.try_recv().is_err(), "both places are taken");
    go.add_permits(10);
    let mut then = [seen.recv().await, seen.recv().await];
    then.sort();
    assert_eq!(then, [Some(4), Some(6)], "2 and 3 are no news any more");
    while !tasks.is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(fared(followers.counts()[0].1), (4, 0, 0, 2));
}

#[tokio::test]
async fn a_stop_ends_what_is_under_way_and_what_waits() {
    let (follower, mut seen) = told(Then::Wait(Arc::new(Semaphore::new(0))));
    let (followers, tasks, stop) = run(vec![follower]);
    for (id, database) in [(1, "a"), (2, "b"), (3, "c"), (4, "a")] {
        followers.announce(&sample(id, database));
    }
    seen.recv().await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    let (finished, failed, stopped, _) = fared(followers.counts()[0].1);
    assert_eq!((finished, failed, stopped), (0, 0, 4));
}
