//! A process that is killed in the middle leaves the store whole.
//!
//! The test runs itself as a child process that keeps and thins samples, and kills it at random
//! moments. What sample number n must show is a pure function of n, so the parent can check every
//! sample that is left.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_core::thinning::Retention;
use plimsoll_store::{SampleQuery, Step, Store, open};

use crate::fresh::Fresh;
use crate::world::{World, at, expected};

const URL: &str = "PLIMSOLL_TEST_CRASH_STORE";
const TABLES: u32 = 150;
/// Kills of a process that writes to a file, unless `PLIMSOLL_KILLS` says otherwise.
const FILE_KILLS: u32 = 200;
/// The same for each major of the server, which takes four times as long.
const SERVER_KILLS: u32 = 25;

/// What is there at minute n: some tables change, one comes and goes, one changes its name.
fn snapshot(n: u32) -> Snapshot {
    let mut world = World::new("main", "app");
    for table in 0..TABLES {
        // a value that holds for a while, different from table to table
        let since = (n + table) / (1 + table % 30);
        let heap = 8192 * u64::from(since % 1000 + 1);
        let index = 8192 * u64::from((n + table) / 17 + 2);
        let added = world.add(1000 + table * 10, "public", &format!("t{table}"), heap);
        added.indexes[0].storage.size = Size::measured(index);
    }
    if n / 7 % 2 == 1 {
        world.add(90_000 + n / 7 * 10, "public", "comes_and_goes", 8192);
    }
    world.table(1000).table_name = format!("t0_{}", n / 11).into();
    world.snapshot(minute(n))
}

fn minute(n: u32) -> Timestamp {
    at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(i64::from(n))
}

fn number(at_minute: Timestamp) -> u32 {
    let minutes = at_minute.duration_since(minute(0)).as_mins();
    u32::try_from(minutes).unwrap()
}

/// Keeps all of an hour, one an hour of six, and three daily ones.
fn retention() -> Retention {
    Retention {
        daily_samples: 3,
        all_for: SignedDuration::from_hours(1),
        hourly_for: SignedDuration::from_hours(6),
    }
}

fn everything() -> SampleQuery {
    SampleQuery {
        of: World::new("main", "app").key(),
        kinds: Vec::new(),
        since: None,
        step: Step::All,
        limit: usize::MAX,
    }
}

/// The child: keeps sample after sample until it is killed, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the tests that kill it"]
async fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = open(&url).unwrap();
    let newest = store.samples(&everything()).await.unwrap();
    let first = newest
        .samples
        .first()
        .map_or(0, |newest| number(newest.sampled_at) + 1);
    println!("\nready");
    for n in first.. {
        let kind = if n % 200 == 0 {
            SampleKind::Daily
        } else {
            SampleKind::Watch
        };
        let taken = store
            .record_sample(&snapshot(n), kind, Some(minute(n)))
            .await
            .unwrap();
        println!("kept {n} {}", taken.header().id);
        if n % 5 == 4 {
            store
                .thin(&everything().of, &retention(), minute(n))
                .await
                .unwrap();
            println!("thinned {n} 0");
        }
        std::io::stdout().flush().unwrap();
    }
}

async fn survives_kills(url: &str, rounds: u32) {
    let store = open(url).unwrap();
    let mut random = Random(0x5eed_0001);
    let mut acknowledged: Option<u32> = None;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "crash::child",
                "--exact",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env(URL, url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines
                .by_ref()
                .map_while(Result::ok)
                .any(|line| line == "ready")
        );
        // some whole samples, and a part of the next
        let mut said = Vec::new();
        for _ in 0..random.below(12) {
            said.extend(lines.next().and_then(Result::ok));
        }
        let moment = Instant::now() + Duration::from_micros(random.below(15_000));
        while Instant::now() < moment {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // what it had said before it died is acknowledged too
        said.extend(lines.map_while(Result::ok));
        for line in said {
            if let Some(n) = line.strip_prefix("kept ") {
                acknowledged = Some(n.split(' ').next().unwrap().parse().unwrap());
            }
        }
        check(&*store, acknowledged, round).await;
        if round % 4 == 3 {
            // done again it changes nothing that should be left
            let newest = store.samples(&everything()).await.unwrap().samples[0].sampled_at;
            store
                .thin(&everything().of, &retention(), newest)
                .await
                .unwrap();
            assert_eq!(
                store
                    .thin(&everything().of, &retention(), newest)
                    .await
                    .unwrap(),
                0
            );
            check(&*store, acknowledged, round).await;
        }
    }
    assert!(
        acknowledged.is_some_and(|n| n > rounds),
        "hardly anything was kept: {acknowledged:?}"
    );
}

/// Every sample that is there shows what was measured; none is missing that was acknowledged and
/// is not thinned.
async fn check(store: &dyn Store, acknowledged: Option<u32>, round: u32) {
    let samples = store.samples(&everything()).await.unwrap().samples;
    for header in &samples {
        let n = number(header.sampled_at);
        let sizes = store.table_sizes(header, None, None).await.unwrap();
        assert_eq!(sizes, expected(&snapshot(n)), "round {round}, sample {n}");
    }
    let Some(acknowledged) = acknowledged else {
        return;
    };
    let newest = number(samples[0].sampled_at);
    assert!(
        newest >= acknowledged,
        "round {round}: {newest} is left, {acknowledged} was acknowledged"
    );
    let there: std::collections::BTreeSet<_> = samples
        .iter()
        .map(|sample| number(sample.sampled_at))
        .collect();
    for n in newest.saturating_sub(55)..=newest {
        assert!(there.contains(&n), "round {round}: sample {n} is missing");
    }
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

fn kills(unless_told: u32) -> u32 {
    std::env::var("PLIMSOLL_KILLS").map_or(unless_told, |kills| {
        kills.parse().expect("PLIMSOLL_KILLS is a number")
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_a_file_is_whole() {
    let fresh = Fresh::sqlite().await;
    survives_kills(&fresh.url, kills(FILE_KILLS)).await;
}

throwaway_postgres::on_every_major! {
    async fn killed_at_random_moments_a_server_is_whole(server: &Server) {
        let fresh = Fresh::postgres(server, "killed").await;
        survives_kills(&fresh.url, kills(SERVER_KILLS)).await;
    }
}
