//! What the rules of alerts take after a sample of 100,000 tables, on both stores, where nothing fires and where the
//! growth is told with what it is made of: at most 200 ms, and 20 MB more than the process had. And what a channel that
//! hangs changes about the time of samples: at most 5 %.
//!
//! `cargo bench -p plimsoll-server --bench alerts` prints a line for each, and fails where a bar is missed.
//! `PLIMSOLL_BENCH_TABLES` makes a smaller history.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

#[path = "../../plimsoll-store/benches/generator/mod.rs"]
mod generator;
#[path = "../../plimsoll-store/benches/measure/mod.rs"]
#[expect(dead_code, reason = "some bars are of other benches only")]
mod measure;

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use generator::{Random, database, grow};
use jiff::{SignedDuration, Timestamp};
use measure::{Clock, bar, bar_of, verdict};
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::rules::growth::GrowthWarning;
use plimsoll_core::alert::settings::{Borders, Rule, Settings as Rules};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_server::channels::ConfiguredChannel;
use plimsoll_server::clock::{ManualClock, SystemClock};
use plimsoll_server::http::router;
use plimsoll_server::news::NewSample;
use plimsoll_server::settings::{Settings, Watched};
use plimsoll_store::{AlertQuery, DatabaseKey, SampleQuery, Step, Store};
use throwaway_postgres::{Installation, Options, Server};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// Tables in a thousand that change from sample to sample.
const CHANGING: u64 = 50;
/// Daily samples, and after them some a quarter of an hour apart, of which the last are judged.
const DAILY: i64 = 90;
const JUDGED: i64 = 7;
const LONGEST_MS: f64 = 200.0;
const MOST_MB: f64 = 20.0;
/// A process of its own measures: what filling a store took from the system stays out.
const CHILD: &str = "--rules-of";

/// Tables of the server whose samples are timed, and how often each.
const FEW_TABLES: u32 = 2000;
const ROUNDS: usize = 60;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let [_, flag, url, ..] = &*args
        && flag == CHILD
    {
        runtime.block_on(rules(url));
        return verdict();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", folder.path().join("history.db").display());
    runtime.block_on(of_store(&file, "SQLite"));
    let Ok(installation) = Installation::find(None) else {
        println!("-- PostgreSQL: not measured, none is installed");
        return verdict();
    };
    let options = Options {
        installation: Some(installation),
        ..Options::default()
    };
    let server = Server::start(&options).unwrap();
    server.sql("postgres", "create database history").unwrap();
    let name = format!("PostgreSQL {}", server.major());
    runtime.block_on(of_store(&server.url("history"), &name));
    runtime.block_on(hung_channel(&server));
    verdict()
}

fn tables() -> u32 {
    std::env::var("PLIMSOLL_BENCH_TABLES").map_or(100_000, |text| text.parse().unwrap())
}

fn key() -> DatabaseKey {
    DatabaseKey {
        instance: "main".to_owned(),
        database: "app".to_owned(),
    }
}

/// When the samples are taken.
fn moments() -> impl Iterator<Item = Timestamp> {
    let first: Timestamp = "2026-01-01T03:00:00Z".parse().unwrap();
    let days = (0..DAILY).map(|day| SignedDuration::from_hours(24 * day));
    let quarters = (0..JUDGED).map(|quarter| {
        SignedDuration::from_hours(24 * DAILY) + SignedDuration::from_mins(15 * quarter)
    });
    days.chain(quarters).map(move |after| first + after)
}

/// The database as it goes on from moment to moment.
struct Growing {
    snapshot: Snapshot,
    random: Random,
    to_come: Vec<Timestamp>,
}

impl Growing {
    fn new() -> Self {
        let mut to_come: Vec<Timestamp> = moments().collect();
        to_come.reverse();
        let mut random = Random(42);
        let first = to_come.pop().unwrap();
        Self {
            snapshot: database("main", tables(), first, &mut random),
            random,
            to_come,
        }
    }

    fn goes_on(&mut self) -> bool {
        let Some(at) = self.to_come.pop() else {
            return false;
        };
        grow(&mut self.snapshot, at, CHANGING, &mut self.random);
        true
    }
}

async fn of_store(url: &str, name: &str) {
    println!(
        "-- {name}, {} tables, {CHANGING} in a thousand changing, {DAILY} days",
        tables()
    );
    let began = Instant::now();
    let store = plimsoll_store::open(url).unwrap();
    store.migrate().await.unwrap();
    let mut growing = Growing::new();
    loop {
        store
            .record_sample(&growing.snapshot, SampleKind::Daily, None)
            .await
            .unwrap();
        if !growing.goes_on() {
            break;
        }
    }
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());
    drop(store);
    let child = Command::new(std::env::current_exe().unwrap())
        .args([CHILD, url])
        .status()
        .unwrap();
    bar(
        "bars that it missed",
        if child.success() { 0.0 } else { 1.0 },
        "",
        0.0,
    );
}

/// Judges the last samples: some with the rules as they are, where nothing fires, and some where any growth is told.
async fn rules(url: &str) {
    let store = plimsoll_store::open(url).unwrap();
    let mut growing = Growing::new();
    while growing.goes_on() {}
    let snapshot = Arc::new(growing.snapshot);
    // connected, and its pages in memory, as in a process that serves
    store.footprint().await.unwrap();
    let query = SampleQuery {
        of: key(),
        kinds: Vec::new(),
        since: None,
        step: Step::All,
        limit: usize::try_from(JUDGED).unwrap(),
    };
    let mut last: Vec<SampleHeader> = store.samples(&query).await.unwrap().samples;
    last.sort_by_key(|header| header.sampled_at);
    let (quiet, told) = last.split_at(3);
    judge("nothing fires", &store, Rules::default(), quiet, &snapshot).await;
    let (alerts, _) = store.alerts(AlertQuery::firing()).await.unwrap();
    assert!(alerts.is_empty(), "{alerts:?}");
    let any_growth = Rule {
        borders: Borders::GrowthWarning(GrowthWarning {
            above_per_mille: 0,
            floor_bytes: 1,
        }),
        ..Rule::default_of(AlertType::GrowthWarning)
    };
    let rules = Rules::new(&[any_growth], Vec::new());
    judge("growth is told", &store, rules, told, &snapshot).await;
    let (alerts, _) = store.alerts(AlertQuery::firing()).await.unwrap();
    let growth = alerts
        .iter()
        .find(|alert| alert.alert_type == AlertType::GrowthWarning);
    let contributors = growth.unwrap().told.contributors.len();
    assert!(contributors >= 5, "{contributors}");
}

async fn judge(
    what: &str,
    store: &Arc<dyn Store>,
    rules: Rules,
    samples: &[SampleHeader],
    snapshot: &Arc<Snapshot>,
) {
    let mut main = Watched::new("main", "postgres://nobody@127.0.0.1:1/app".parse().unwrap());
    // It has a limit, far away.
    main.database_limits = [("app".to_owned(), 1 << 50)].into();
    let mut settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![main]);
    settings.alerts = Arc::new(rules);
    let clock = Arc::new(ManualClock::new(samples[0].sampled_at));
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let service =
        plimsoll_server::assemble(settings, Arc::clone(store), clock.clone(), &tasks, &stop);
    // The highest is counted from here on.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = memory_mb("VmRSS:");
    let mut took = Vec::new();
    for header in samples {
        clock.set(header.sampled_at);
        let news = NewSample {
            of: key(),
            header: header.clone(),
            snapshot: Arc::clone(snapshot),
        };
        let began = Clock::now();
        service.app.alerting.after_sample(&news).await.unwrap();
        let this = began.elapsed();
        println!("{what}: {:.1} ms", this.0);
        took.push(this);
    }
    bar_of(
        &format!("the rules after a sample, {what}"),
        &mut took,
        LONGEST_MS,
        1.0,
        "ms",
    );
    bar(
        "memory at most",
        memory_mb("VmHWM:") - before,
        "MB",
        MOST_MB,
    );
}

/// A figure of this process's memory, in millions of bytes.
fn memory_mb(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kilobytes: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    f64::from(kilobytes) * 1024.0 / 1e6
}

/// Takes samples in turn with a channel that hangs and without one.
async fn hung_channel(server: &Server) {
    println!("-- samples of {FEW_TABLES} tables, with a channel that hangs and without, in turn");
    server.sql("postgres", "create database few").unwrap();
    let create = format!(
        "do $$ begin for n in 1..{FEW_TABLES} loop execute format('create table t%s (id int primary key, t text)', n); end loop; end $$"
    );
    server.sql("few", &create).unwrap();
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let written = serde_json::json!({
        "name": "ops", "kind": "webhook", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "url": format!("http://{}/hook", silent.local_addr().unwrap()),
    });
    let channel = ConfiguredChannel::all(&[serde_json::from_value(written).unwrap()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let mut routers = Vec::new();
    for (name, channels) in [("hung", channel), ("none", Vec::new())] {
        let url = format!(
            "sqlite:{}",
            folder.path().join(format!("{name}.db")).display()
        );
        let store = plimsoll_store::open(&url).unwrap();
        store.migrate().await.unwrap();
        let mut main = Watched::new("main", server.url("few").parse().unwrap());
        // So there is something to tell.
        main.database_limits = [("few".to_owned(), 1 << 20)].into();
        let mut settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![main]);
        settings.channels = channels;
        let service =
            plimsoll_server::assemble(settings, store, Arc::new(SystemClock), &tasks, &stop);
        service.telling.spawn(&tasks, &stop);
        routers.push(router(service.app));
        sample(&routers[routers.len() - 1]).await;
    }
    let (_hung, _) = tokio::time::timeout(Duration::from_secs(30), silent.accept())
        .await
        .expect("the channel is told")
        .unwrap();
    let mut took: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        // What comes second may find something warm.
        for place in [round % 2, 1 - round % 2] {
            took[place].push(sample(&routers[place]).await);
        }
    }
    let median = |took: &mut Vec<f64>| {
        took.sort_unstable_by(f64::total_cmp);
        took[took.len() / 2]
    };
    let [hung, none] = &mut took;
    let (hung, none) = (median(hung), median(none));
    println!("a sample: {hung:.1} ms with, {none:.1} ms without");
    bar(
        "more with a channel that hangs",
        (hung / none - 1.0) * 100.0,
        "%",
        5.0,
    );
    stop.cancel();
}

async fn sample(router: &Router) -> f64 {
    let request = Request::post("/api/storage/samples")
        .body(Body::empty())
        .unwrap();
    let began = Instant::now();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 201);
    began.elapsed().as_secs_f64() * 1000.0
}
