//! Several schedulers on one PostgreSQL store, through a long schedule with a clock that jumps.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_server::jobs::{SAMPLE, Step, WATCH};
use plimsoll_server::settings::Settings;
use plimsoll_store::SampleQuery;
use throwaway_postgres::test;

use crate::service::{NOON, Service, at, watched};

const DAYS: i64 = 12;
const WATCH_EVERY: SignedDuration = SignedDuration::from_hours(3);

fn seconds(count: i64) -> SignedDuration {
    SignedDuration::from_secs(count)
}

async fn samples(service: &Service, instance: usize) -> Vec<SampleHeader> {
    let query = SampleQuery {
        of: service.watch.instances()[instance].databases()[0]
            .key()
            .clone(),
        kinds: Vec::new(),
        since: None,
        step: plimsoll_store::Step::All,
        limit: usize::MAX,
    };
    service.store.samples(&query).await.unwrap().samples
}

/// On one major: the store's claims are tested on each of them by its contract.
#[tokio::test(flavor = "multi_thread")]
async fn two_schedulers_take_each_scheduled_sample_exactly_once() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    for name in ["shared_store", "shared_one", "shared_two"] {
        server
            .sql("postgres", &format!("create database {name}"))
            .unwrap();
    }
    let settings = || {
        let mut settings = Settings::new(
            "127.0.0.1:8000".parse().unwrap(),
            vec![
                watched("one", &server.url("shared_one")),
                watched("two", &server.url("shared_two")),
            ],
        );
        settings
            .schedule
            .set(WATCH.key, "0 */3 * * *".parse().unwrap());
        // nothing is thinned away that is to be counted
        settings.retention.all_for = SignedDuration::from_hours(24 * (DAYS + 1));
        settings
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let url = server.url("shared_store");
    let both = [
        Service::on_store(settings(), &url, Arc::clone(&folder)).await,
        Service::on_store(settings(), &url, folder).await,
    ];
    let mut ran = [0_u32; 2];
    let end = at(NOON) + SignedDuration::from_hours(24 * DAYS);
    let mut now = at(NOON);
    let mut steps = 0_i64;
    while now <= end {
        // the clocks of two machines are never quite the same, and one is slower now and then
        let skew = SignedDuration::from_millis(steps % 7 * 300);
        let ahead = usize::try_from(steps % 2).unwrap();
        both[ahead].clock.set(now + skew);
        both[1 - ahead].clock.set(now);
        for job in [&SAMPLE, &WATCH] {
            let [a, b] = &both;
            let results = tokio::join!(
                a.step(job, 0),
                b.step(job, 0),
                a.step(job, 1),
                b.step(job, 1),
            );
            let (one, two, three, four) = results;
            for (step, who) in [(one, 0), (two, 1), (three, 0), (four, 1)] {
                ran[who] += u32::from(step == Step::Ran);
            }
        }
        steps += 1;
        now = at(NOON) + WATCH_EVERY * i32::try_from(steps).unwrap();
    }
    let watches = u32::try_from(steps).unwrap();
    let dailies = u32::try_from(DAYS).unwrap() + 1;
    // the first start takes one daily sample for the last time that was due; the first watch
    // comes three hours later
    assert_eq!(ran[0] + ran[1], 2 * (watches - 1 + dailies));
    for instance in 0..2 {
        let mut by_time: BTreeMap<(SampleKind, Timestamp), u32> = BTreeMap::new();
        for sample in samples(&both[0], instance).await {
            // a visit is dated by its process's clock: cut what that is ahead
            let hour = Timestamp::from_second(sample.sampled_at.as_second() / 3600 * 3600).unwrap();
            *by_time.entry((sample.kind, hour)).or_default() += 1;
        }
        let mut expect = BTreeMap::new();
        for step in 1..watches {
            expect.insert(
                (
                    SampleKind::Watch,
                    at(NOON) + WATCH_EVERY * i32::try_from(step).unwrap(),
                ),
                1,
            );
        }
        expect.insert((SampleKind::Daily, at(NOON)), 1);
        for day in 1..dailies {
            let three =
                at("2026-03-10T03:00:00Z") + SignedDuration::from_hours(24 * i64::from(day));
            expect.insert((SampleKind::Daily, three), 1);
        }
        assert_eq!(by_time, expect, "instance {instance}");
    }
    assert!(ran[0] > 10 && ran[1] > 10, "both take part: {ran:?}");
    // and in the store's own words: one for each scheduled time
    let twice = "select count(*)::text from (
            select 1 from plimsoll.samples where scheduled_for is not null
            group by instance_id, database_id, kind, scheduled_for having count(*) > 1) t";
    assert_eq!(
        server.sql("shared_store", twice).unwrap()[0][0].as_deref(),
        Some("0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_taken_over_when_its_process_dies_and_not_while_it_is_long() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    for name in ["long_store", "long_watched"] {
        server
            .sql("postgres", &format!("create database {name}"))
            .unwrap();
    }
    let settings = || {
        let mut main = watched("main", &server.url("long_watched"));
        main.visit.connect_timeout = std::time::Duration::from_secs(100);
        Settings::new("127.0.0.1:8000".parse().unwrap(), vec![main])
    };
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let url = server.url("long_store");
    let one = Service::on_store(settings(), &url, Arc::clone(&folder)).await;
    let two = Service::on_store(settings(), &url, folder).await;
    // a visit that lasts: nobody gets in while the catalog is locked
    let mut holder = server.session("long_watched").unwrap();
    holder
        .run("begin; lock table pg_class in access exclusive mode")
        .unwrap();
    // the store's clock decides: what a minute without a beat leaves is written in its place
    let go_stale = || {
        let sql = "update plimsoll.jobs set last_beat_at = last_beat_at - interval '1 minute'";
        server.sql("long_store", sql).unwrap();
    };
    let is_fresh = || {
        let sql =
            "select 1 from plimsoll.jobs where last_beat_at > clock_timestamp() - interval '30 s'";
        !server.sql("long_store", sql).unwrap().is_empty()
    };
    let mut now = at(NOON);
    let mut run = Box::pin(one.step(&SAMPLE, 0));
    let meanwhile = async {
        for _ in 0..12 {
            while !is_fresh() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            let step = two.step(&SAMPLE, 0).await;
            assert_eq!(
                step,
                Step::WaitUntil(now + seconds(15)),
                "it is still under way"
            );
            go_stale();
            now += seconds(10);
            one.clock.set(now);
            two.clock.set(now);
        }
        while !is_fresh() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        step = &mut run => panic!("it cannot end: {step:?}"),
        () = meanwhile => {}
    }
    // dead: nobody says any more that it is under way
    drop(run);
    holder.run("rollback").unwrap();
    let step = two.step(&SAMPLE, 0).await;
    assert_eq!(
        step,
        Step::WaitUntil(now + seconds(15)),
        "too early to tell"
    );
    go_stale();
    assert_eq!(two.step(&SAMPLE, 0).await, Step::Ran);
    assert_eq!(samples(&two, 0).await.len(), 1);
}
