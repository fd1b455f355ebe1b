//! A fleet on the PostgreSQL store: 500 instances of 200 tables, a sample each quarter of an hour, 5 %
//! of the tables changing from one to the next. Thirty days are loaded in bulk, one more day is written
//! as the program writes it, and then the questions of a page are asked.
//!
//! `cargo bench -p plimsoll-store --bench fleet` prints a line for each bar, and fails where one is
//! missed. `PLIMSOLL_FLEET_HOURS=6` writes a quarter of the day. With `PLIMSOLL_FLEET_CITUS=1` the thirty days are
//! distributed over two workers before the day is written, where Citus is installed.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench prints, and fails by panicking"
)]

mod generator;
mod measure;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use futures_util::{StreamExt, stream};
use generator::{Random, database, grow};
use jiff::{SignedDuration, Timestamp};
use measure::{Clock, at_least, bar_of, megabytes, verdict};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_store::{
    DatabaseKey, DifferenceQuery, EventQuery, SampleQuery, SeriesQuery, Step, Store, TableName,
    open,
};
use throwaway_postgres::citus::Cluster;
use throwaway_postgres::{Installation, Options, Server};

const INSTANCES: u32 = 500;
const TABLES: u32 = 200;
/// Of a thousand tables, so many change from one sample to the next.
const CHANGING: u64 = 50;
const DAYS_BEFORE: i64 = 30;
/// The store's own pool has six connections.
const SIDE_BY_SIDE: usize = 6;
const PAGE_MS: f64 = 100.0;

struct Watched {
    snapshot: Snapshot,
    random: Random,
}

/// What the store lies on.
enum Place {
    Alone(Box<Server>),
    Spread(Box<Cluster>),
}

impl Place {
    fn start() -> Option<Self> {
        if std::env::var_os("PLIMSOLL_FLEET_CITUS").is_some() {
            // as many shards as Citus makes by itself
            let cluster = Cluster::start(&[("citus.shard_count", "32"), ("autovacuum", "on")])?;
            cluster.make_database("fleet").unwrap();
            return Some(Self::Spread(Box::new(cluster)));
        }
        let options = Options {
            installation: Some(Installation::find(None).ok()?),
            ..Default::default()
        };
        let server = Server::start(&options).unwrap();
        server.sql("postgres", "create database fleet").unwrap();
        Some(Self::Alone(Box::new(server)))
    }

    fn server(&self) -> &Server {
        match self {
            Self::Alone(server) => server,
            Self::Spread(cluster) => &cluster.coordinator,
        }
    }

    /// Lets the extension come to a history that is there.
    async fn distribute(&self, store: &dyn Store) {
        let Self::Spread(cluster) = self else {
            return;
        };
        cluster.join("fleet").unwrap();
        let began = Instant::now();
        let done = store.distribute(&|_| {}).await.unwrap();
        println!(
            "distributed over {} workers in {} steps in {:.0} s",
            cluster.workers.len(),
            done.len(),
            began.elapsed().as_secs_f64()
        );
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(place) = Place::start() else {
        println!("not measured: no PostgreSQL is installed, or none with Citus");
        return ExitCode::FAILURE;
    };
    let server = place.server();
    let store = open(&server.url("fleet")).unwrap();
    println!(
        "-- PostgreSQL {}, {INSTANCES} instances of {TABLES} tables, a sample each 15 minutes, 5 % changing",
        server.major()
    );
    let began = Instant::now();
    let fleet = prefill(&store, server).await;
    println!(
        "{DAYS_BEFORE} days loaded in {:.0} s: {:.0} MB",
        began.elapsed().as_secs_f64(),
        megabytes(store.size_bytes().await.unwrap())
    );
    place.distribute(&*store).await;
    write(&store, fleet).await;
    println!(
        "size: {:.0} MB",
        megabytes(store.size_bytes().await.unwrap())
    );
    server.sql("fleet", "analyze").unwrap();
    questions(&*store).await;
    verdict()
}

fn now() -> Timestamp {
    "2026-06-30T00:00:00Z".parse().unwrap()
}

fn hours() -> u32 {
    std::env::var("PLIMSOLL_FLEET_HOURS").map_or(24, |text| text.parse().unwrap())
}

/// The first sample of every instance through the store, the rest of thirty days in bulk.
async fn prefill(store: &Arc<dyn Store>, server: &Server) -> Vec<Watched> {
    store.migrate().await.unwrap();
    let first = now() - SignedDuration::from_hours(24 * DAYS_BEFORE);
    // a sample a week makes that week's partitions
    let mut random = Random(7);
    for week in 0..=5 {
        let at = first + SignedDuration::from_hours(24 * 7 * week);
        let weeks = database("weeks", 1, at, &mut random);
        store
            .record_sample(&weeks, SampleKind::Daily, None)
            .await
            .unwrap();
    }
    let fleet: Vec<Watched> = (0..INSTANCES)
        .map(|n| {
            let mut random = Random(u64::from(n) * 7919 + 1);
            let name = format!("fleet-{n:03}");
            let snapshot = database(&name, TABLES, first, &mut random);
            Watched { snapshot, random }
        })
        .collect();
    let fleet: Vec<Watched> = stream::iter(fleet)
        .map(|watched| async {
            store
                .record_sample(&watched.snapshot, SampleKind::Daily, None)
                .await
                .unwrap();
            watched
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect()
        .await;
    let at = format!("timestamptz '{}'", now());
    let sql = include_str!("generator/prefill.sql").replace(":now", &at);
    server.sql("fleet", &sql).unwrap();
    fleet
}

/// A day of the whole fleet, as fast as it goes; making the samples up is part of the time.
async fn write(store: &Arc<dyn Store>, mut fleet: Vec<Watched>) {
    let presented_by_one: usize = fleet[0]
        .snapshot
        .tables
        .iter()
        .map(|table| 1 + table.indexes.len())
        .sum();
    let steps = hours() * 4;
    let began = Instant::now();
    for step in 0..steps {
        let at = now() + SignedDuration::from_mins(15 * i64::from(step));
        fleet = stream::iter(fleet)
            .map(|mut watched| {
                let store = Arc::clone(store);
                tokio::spawn(async move {
                    grow(&mut watched.snapshot, at, CHANGING, &mut watched.random);
                    store
                        .record_sample(&watched.snapshot, SampleKind::Watch, Some(at))
                        .await
                        .unwrap();
                    watched
                })
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .map(Result::unwrap)
            .collect()
            .await;
    }
    let took_s = began.elapsed().as_secs_f64();
    let samples = u64::from(steps) * u64::from(INSTANCES);
    let presented = samples * presented_by_one as u64;
    println!(
        "{samples} samples ({} hours) written in {took_s:.0} s, {presented} values of tables and indexes presented",
        hours()
    );
    let a_second = f64::from(u32::try_from(presented).unwrap()) / took_s;
    at_least("values presented a second", a_second, 20_000.0);
}

/// What a page asks of one instance among the five hundred.
async fn questions(store: &dyn Store) {
    let mut random = Random(44);
    let mut took: [Vec<_>; 7] = Default::default();
    let to = now() + SignedDuration::from_hours(i64::from(hours()));
    for _ in 0..21 {
        let of = DatabaseKey {
            instance: format!("fleet-{:03}", random.below(u64::from(INSTANCES))),
            database: "app".to_owned(),
        };
        let n = random.below(u64::from(TABLES));
        let schema = match n % 10 {
            0 => "public".to_owned(),
            rest => format!("tenant_{rest}"),
        };
        let table = TableName::new(schema, format!("orders_{n:06}"));

        let began = Clock::now();
        let query = SampleQuery {
            of: of.clone(),
            kinds: Vec::new(),
            since: None,
            step: Step::All,
            limit: 30,
        };
        let page = store.samples(&query).await.unwrap();
        took[0].push(began.elapsed());
        assert_eq!(page.samples.len(), 30);

        let began = Clock::now();
        let sizes = store
            .table_sizes(&page.samples[29], None, None)
            .await
            .unwrap();
        took[1].push(began.elapsed());
        assert_eq!(sizes.len(), usize::try_from(TABLES).unwrap());

        let began = Clock::now();
        let series = store
            .table_series(&of, &table, &SeriesQuery::default())
            .await
            .unwrap()
            .unwrap();
        took[2].push(began.elapsed());
        assert!(series.points.len() > 400);

        let began = Clock::now();
        let query = DifferenceQuery {
            from: to - SignedDuration::from_hours(24 * 30),
            to,
            kinds: Vec::new(),
            indexes: false,
            limit: Some(50),
        };
        let growth = store.difference(&of, &query).await.unwrap().unwrap();
        took[3].push(began.elapsed());
        assert_eq!(growth.growth.len(), 50);

        let began = Clock::now();
        let state = store
            .state(&of, to - SignedDuration::from_hours(24 * 7))
            .await
            .unwrap()
            .unwrap();
        took[4].push(began.elapsed());
        assert_eq!(state.tables.len(), usize::try_from(TABLES).unwrap());

        let began = Clock::now();
        let whole = store
            .database_series(&of, &SeriesQuery::default())
            .await
            .unwrap();
        took[5].push(began.elapsed());
        assert!(whole.len() > 400);

        let began = Clock::now();
        store.events(&of, &EventQuery::default()).await.unwrap();
        took[6].push(began.elapsed());
    }
    for (what, took) in [
        "a page of samples",
        "a sample's tables",
        "one table's series of 30 days",
        "top 50 growers over 30 days",
        "the state a week ago",
        "the whole database's series",
        "events",
    ]
    .into_iter()
    .zip(&mut took)
    {
        bar_of(what, took, PAGE_MS, 1.0, "ms");
    }
}
