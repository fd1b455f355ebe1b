//! The schedule with a clock that the test moves, on a real server and a real store.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_server::jobs::{CLEANUP, Job, SAMPLE, Step, WATCH};
use plimsoll_server::settings::Settings;
use plimsoll_store::{DatabaseKey, SampleQuery};
use throwaway_postgres::on_every_major;

use crate::service::{NOON, Service, at, watched};

const DAY: SignedDuration = SignedDuration::from_hours(24);

async fn samples(
    service: &Service,
    kinds: &[SampleKind],
) -> Vec<plimsoll_core::sample::SampleHeader> {
    let key = service.watch.databases()[0].key().clone();
    let query = SampleQuery {
        of: DatabaseKey { ..key },
        kinds: kinds.to_vec(),
        since: None,
        step: plimsoll_store::Step::All,
        limit: 1000,
    };
    service.store.samples(&query).await.unwrap().samples
}

async fn step(service: &Service, job: &Job) -> Step {
    service.step(job, 0).await
}

/// Runs what is due until nothing is, then moves the clock to the next time.
async fn run_until_next(service: &Service, job: &Job) -> u32 {
    let mut runs = 0;
    loop {
        match step(service, job).await {
            Step::Ran => runs += 1,
            Step::WaitUntil(next) => {
                service.clock.set(next);
                return runs;
            }
            Step::Never => panic!("the job is never due again"),
        }
    }
}

on_every_major! {
    async fn after_ninety_five_daily_samples_the_last_ninety_remain(server: &Server) {
        server.sql("postgres", "create database ninety").unwrap();
        let service = Service::of(vec![watched("main", &server.url("ninety"))]).await;
        // the first start takes one at once, for the last time that was due
        for day in 0..95 {
            assert_eq!(run_until_next(&service, &SAMPLE).await, 1, "day {day}");
        }
        let daily = samples(&service, &[]).await;
        assert_eq!(daily.len(), 90);
        assert!(daily.iter().all(|sample| sample.kind == SampleKind::Daily));
        // newest first: day 94 of days 0 (noon) to 94, at 03:00; the oldest five are gone
        let first_three_am = at("2026-03-11T03:00:00Z");
        assert_eq!(daily[0].sampled_at, first_three_am + DAY * 93);
        assert_eq!(daily[89].sampled_at, first_three_am + DAY * 4);
        let jobs = service.json("/api/jobs").await;
        let job = &jobs["jobs"][1];
        assert_eq!(job["last_outcome"], "ok");
        assert_eq!(job["last_message"], "1 database sampled, 1 old sample dropped");
    }
}

on_every_major! {
    async fn missed_times_are_made_up_for_once_and_failed_dailies_by_the_watch(server: &Server) {
        let service = Service::of(vec![watched("main", &server.url("not_yet"))]).await;
        // The database does not exist yet: the first daily sample fails, and says why.
        assert_eq!(step(&service, &SAMPLE).await, Step::Ran);
        let jobs = service.json("/api/jobs").await;
        assert_eq!(jobs["jobs"][1]["last_outcome"], "failed");
        assert!(jobs["jobs"][1]["last_message"].as_str().unwrap().contains("not_yet"));
        assert_eq!(step(&service, &SAMPLE).await, Step::WaitUntil(at("2026-03-11T03:00:00Z")));

        // Fifteen minutes later it does: the watch takes the daily one that is missing, once.
        server.sql("postgres", "create database not_yet").unwrap();
        assert_eq!(run_until_next(&service, &WATCH).await, 0, "a watch is not due at the first start");
        assert_eq!(run_until_next(&service, &WATCH).await, 1);
        assert_eq!(run_until_next(&service, &WATCH).await, 1);
        let kinds: Vec<_> = samples(&service, &[]).await.iter().map(|s| s.kind).collect();
        assert_eq!(kinds, [SampleKind::Watch, SampleKind::Daily]);

        // Down for five days: one run makes up for all of them.
        service.clock.set(at(NOON) + DAY * 5);
        assert_eq!(step(&service, &SAMPLE).await, Step::Ran);
        assert!(matches!(step(&service, &SAMPLE).await, Step::WaitUntil(_)));
        assert_eq!(samples(&service, &[SampleKind::Daily]).await.len(), 2);

        // Cleanup without a policy does nothing and says so.
        assert_eq!(step(&service, &CLEANUP).await, Step::Ran, "it was missed, too");
        let jobs = service.json("/api/jobs").await;
        assert_eq!(jobs["jobs"][0]["last_outcome"], "skipped");
        assert!(jobs["jobs"][0]["last_message"].as_str().unwrap().contains("no cleanup policy"));
        assert_eq!(service.json("/api/cleanup/history").await["total"], 0);
    }

    async fn two_schedulers_on_one_store_take_each_sample_once(server: &Server) {
        server.sql("postgres", "create database two_schedulers").unwrap();
        let settings = || Settings::new(
            "127.0.0.1:8000".parse().unwrap(),
            vec![watched("main", &server.url("two_schedulers"))],
        );
        let one = Service::with(settings()).await;
        let two = Service::sharing(settings(), Arc::clone(&one.folder)).await;
        let mut ran = [0, 0];
        for day in 0..20_i32 {
            let now: Timestamp = at(NOON) + DAY * day;
            one.clock.set(now);
            two.clock.set(now);
            let (a, b) = tokio::join!(step(&one, &SAMPLE), step(&two, &SAMPLE));
            let both = [a, b].map(|step| u32::from(step == Step::Ran));
            assert_eq!(both[0] + both[1], 1, "day {day}: exactly one of them runs");
            ran = [ran[0] + both[0], ran[1] + both[1]];
        }
        let times: Vec<_> = samples(&one, &[]).await.iter().map(|s| s.sampled_at).collect();
        assert_eq!((times.len(), times.iter().collect::<BTreeSet<_>>().len()), (20, 20));
        assert_eq!(ran[0] + ran[1], 20);
    }
}

on_every_major! {
    async fn the_history_is_held_to_its_cap_and_says_so(server: &Server) {
        server.sql("postgres", "create database capped").unwrap();
        let watched = vec![watched("main", &server.url("capped"))];
        let mut settings = Settings::new("127.0.0.1:8000".parse().unwrap(), watched);
        // less than an empty history takes: nothing but the newest sample can stay
        settings.max_bytes = Some(20_000);
        let service = Service::with(settings).await;
        let before = service.json("/api/store").await;
        assert_eq!(before["samples"], 0);
        assert_eq!(before["projected"], serde_json::Value::Null, "nothing was seen yet");
        assert_eq!(before["last_shrink"], serde_json::Value::Null);
        for _ in 0..3 {
            assert_eq!(run_until_next(&service, &SAMPLE).await, 1);
        }
        assert_eq!(samples(&service, &[]).await.len(), 1);
        let jobs = service.json("/api/jobs").await;
        let message = jobs["jobs"][1]["last_message"].as_str().unwrap();
        assert!(message.contains("more than history.max_bytes (20 kB)"), "{message}");
        let after = service.json("/api/store").await;
        assert_eq!(after["samples"], 1);
        assert_eq!(after["max_bytes"], 20_000);
        assert!(after["size_bytes"].as_u64().unwrap() > 20_000);
        assert_eq!(after["last_shrink"]["samples_dropped"], 1);
    }
}
