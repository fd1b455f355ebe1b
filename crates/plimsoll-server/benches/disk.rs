//! What the history of an instance's volumes takes after a year, looked at each minute, and how soon the route answers
//! from it: also while the server hangs.
//!
//! `cargo bench -p plimsoll-server --bench disk` prints a line for each, and fails where a bar is missed. The year is not
//! extrapolated: every minute of it is kept in a SQLite file as the job keeps it. `PLIMSOLL_BENCH_DAYS` makes it shorter.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../plimsoll-store/benches/generator/mod.rs"]
#[expect(dead_code, reason = "only its random numbers are needed here")]
mod generator;
#[path = "../../plimsoll-store/benches/measure/mod.rs"]
#[expect(dead_code, reason = "one bar is of the store's own benches only")]
mod measure;
mod routes;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use generator::Random;
use jiff::{SignedDuration, Timestamp};
use measure::{Clock, bar, bar_of, megabytes, verdict};
use plimsoll_core::capacity::CapacitySource;
use plimsoll_core::disk::kept::Step;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_core::disk::pulse::{Pulse, Space};
use plimsoll_core::disk::wal::{Holder, HolderKind, Limits, Slot};
use plimsoll_core::instance::Figure;
use plimsoll_server::clock::ManualClock;
use plimsoll_server::http::router;
use plimsoll_server::jobs::{DISK, Subject};
use plimsoll_server::settings::{Settings, Watched};
use plimsoll_store::{DiskLook, Store};
use routes::get;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const GB: u64 = 1_000_000_000;
const MINUTES_A_DAY: u32 = 24 * 60;
/// Databases, which visits measure,
const DATABASES: usize = 8;
/// every so many minutes.
const VISITS: u32 = 15;
const DAILY_SAMPLES: usize = 90;
const ROUNDS: usize = 201;

#[tokio::main]
async fn main() -> ExitCode {
    let days = std::env::var("PLIMSOLL_BENCH_DAYS").map_or(365, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("history.db");
    let url = format!("sqlite:{}", file.display());
    let store = plimsoll_store::open(&url).unwrap();
    store.migrate().await.unwrap();
    drop(store);
    let empty = bytes_of(&file);
    let store = plimsoll_store::open(&url).unwrap();
    println!(
        "-- SQLite, {days} days of a look each minute, {DATABASES} databases, three slots, two volumes"
    );
    let now = keep(&*store, days).await;
    // a file that nobody has open is whole: beside it lie at most 4 MB, however much is kept
    drop(store);
    bar(
        "the history, beside an empty store",
        megabytes(bytes_of(&file) - empty),
        "MB",
        2.0,
    );
    let store = plimsoll_store::open(&url).unwrap();
    ask(store, now).await;
    verdict()
}

fn bytes_of(file: &Path) -> u64 {
    std::fs::metadata(file).unwrap().len()
}

fn minute(n: u32) -> Timestamp {
    let first: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_mins(n.into())
}

/// Keeps the looks of so many days, as the job does; gives when the last was.
async fn keep(store: &dyn Store, days: u32) -> Timestamp {
    let mut server = Server::new();
    let mut memory = Memory::default();
    let mut took = Duration::ZERO;
    for n in 0..days * MINUTES_A_DAY {
        let now = minute(n);
        server.goes_on();
        let full = server.full(now);
        let began = Instant::now();
        memory.observe(server.pulse(now), (n % VISITS == 0).then_some(&full[..]));
        let last = serde_json::to_string(&memory.last_look().unwrap()).unwrap();
        let look = DiskLook {
            at: now,
            rows: memory.rows(),
            kept_since: Step::ALL.map(|step| (step, step.kept_since(now, DAILY_SAMPLES))),
            states: vec![("last".to_owned(), last)],
        };
        store.keep_disk("main", look).await.unwrap();
        took += began.elapsed();
    }
    println!(
        "a look, taken in and kept: {:.2} ms",
        took.as_secs_f64() * 1000.0 / f64::from(days * MINUTES_A_DAY)
    );
    minute(days * MINUTES_A_DAY - 1)
}

/// A server that is busy: every number of each look is another.
struct Server {
    random: Random,
    position: u64,
    wal: u64,
    log: u64,
    temporary: u64,
    replication: u64,
    elsewhere: u64,
    databases: [u64; DATABASES],
}

impl Server {
    const fn new() -> Self {
        Self {
            random: Random(45),
            position: 0,
            wal: 4 * GB,
            log: GB,
            temporary: 0,
            replication: 1 << 20,
            elsewhere: 20 * GB,
            databases: [10 * GB; DATABASES],
        }
    }

    fn goes_on(&mut self) {
        let Self { random, .. } = self;
        self.position += random.below(200 << 20);
        self.wal = (60 + random.below(200)) << 24;
        self.log += random.below(100_000);
        self.temporary = random.below(2) * random.below(GB);
        self.replication = random.below(10 << 20);
        self.elsewhere += random.below(1 << 20);
        for database in &mut self.databases {
            *database += random.below(1000) * 8192;
        }
    }

    fn pulse(&self, at: Timestamp) -> Pulse {
        let part = |kind, bytes| Part::measured(kind, None, bytes, Source::Files, at);
        let used = self.elsewhere
            + self.log
            + self.temporary
            + self.replication
            + self.databases.iter().sum::<u64>();
        let space = |mount: &str, capacity_bytes: u64, used: u64| {
            Figure::Known(Space {
                mount_point: mount.to_owned(),
                fs_type: "ext4".to_owned(),
                capacity_bytes,
                used_bytes: Some(used),
                available_bytes: Some(capacity_bytes - used),
                inodes_total: Some(1_000_000),
                inodes_available: Some(900_000),
                source: CapacitySource::Statvfs,
                source_at: Some(at),
            })
        };
        let slot = |n: u64| Holder {
            bytes: Some(self.wal / n),
            since: None,
            what: HolderKind::Slot(Slot {
                name: format!("standby_{n}"),
                is_physical: true,
                ..Slot::default()
            }),
        };
        let pools = [("/dev/sda", Place::Data), ("/dev/sdb", Place::Wal)];
        Pulse {
            at,
            position: Figure::Known(self.position),
            holders: Figure::Known((1..4).map(slot).collect()),
            limits: Limits::default(),
            max_wal_bytes: Figure::Known(4 * GB),
            parts: vec![
                (Place::Wal, part(Kind::Wal, self.wal)),
                (Place::Data, part(Kind::Temporary, self.temporary)),
                (Place::Data, part(Kind::Log, self.log)),
                (Place::Data, part(Kind::Replication, self.replication)),
                (Place::Data, part(Kind::Plimsoll, 5 << 20)),
            ],
            rewrites: Figure::Known(Vec::new()),
            writers: Figure::Known(Vec::new()),
            volumes: BTreeMap::from([
                ("/dev/sda".to_owned(), space("/data", 20_000 * GB, used)),
                ("/dev/sdb".to_owned(), space("/wal", 100 * GB, self.wal)),
            ]),
            declared: BTreeMap::new(),
            beneath: BTreeMap::new(),
            problems: Vec::new(),
            tablespaces: vec!["pg_default".to_owned(), "pg_global".to_owned()],
            found: pools
                .iter()
                .map(|(pool, place)| (place.clone(), (*pool).to_owned()))
                .collect(),
            directories: BTreeMap::new(),
            host: "bench".to_owned(),
            lost: BTreeMap::new(),
            not_found: None,
            statements: 10,
        }
    }

    fn full(&self, at: Timestamp) -> Vec<(Place, Part)> {
        let part = |kind, name: Option<&str>, bytes| {
            let part = Part::measured(kind, name, bytes, Source::Files, at);
            (Place::Data, part)
        };
        let names = (0..DATABASES).map(|n| format!("database_{n}"));
        let databases = names
            .zip(self.databases)
            .map(|(name, bytes)| part(Kind::Database, Some(&name), bytes));
        let rest = [
            (Kind::Global, 1 << 20),
            (Kind::TransactionStatus, 1 << 24),
            (Kind::OtherInDataDirectory, 1 << 20),
        ];
        let rest = rest.map(|(kind, bytes)| part(kind, None, bytes));
        databases.chain(rest).collect()
    }
}

/// The route, while the server takes connections and says nothing.
async fn ask(store: Arc<dyn Store>, now: Timestamp) {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "postgres://nobody@{}/app?sslmode=disable",
        silent.local_addr().unwrap()
    );
    let mut watched = Watched::new("main", url.parse().unwrap());
    watched.visit.connect_timeout = Duration::from_secs(600);
    watched.visit.deadline = Duration::from_secs(600);
    let settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![watched]);
    let clock = Arc::new(ManualClock::new(now + SignedDuration::from_secs(30)));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let assembled = plimsoll_server::assemble(settings, store, clock, &tasks, &stop);
    let watch = Arc::clone(&assembled.app.watch);
    let router = router(assembled.app);
    let began = Instant::now();
    let bytes = get(&router, "disk").await;
    println!(
        "the first answer after a start, {bytes} bytes: {:.1} ms",
        began.elapsed().as_secs_f64() * 1000.0
    );
    measure(&router, "disk", 10.0).await;
    let look = tokio::spawn(async move {
        let of = Subject::Instance(&watch.instances()[0]);
        assembled.scheduler.step(&DISK, &of).await
    });
    let caller = silent.accept().await.unwrap();
    for route in ["disk", "disk?since=7d"] {
        measure(&router, route, 10.0).await;
    }
    assert!(!look.is_finished(), "the server hangs all the while");
    for route in ["disk?step=minute", "disk?step=hour", "disk?step=day"] {
        measure(&router, route, 100.0).await;
    }
    look.abort();
    drop(caller);
}

async fn measure(router: &Router, route: &str, at_most_ms: f64) {
    let mut took = Vec::with_capacity(ROUNDS);
    let mut bytes = 0;
    for _ in 0..ROUNDS {
        let began = Clock::now();
        bytes = get(router, route).await;
        took.push(began.elapsed());
    }
    bar_of(
        &format!("{route}, {bytes} bytes"),
        &mut took,
        at_most_ms,
        1.0,
        "ms",
    );
}
