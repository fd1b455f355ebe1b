//! What can happen to a job's run, on both stores: panics, clocks that jump, claims that are lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::FutureExt;
use jiff::{SignedDuration, Timestamp};
use plimsoll_server::jobs::{ALL, Job, Outcome, Scheduler, Scope, Step, Subject};
use plimsoll_server::settings::{Databases, Settings, Watched};
use plimsoll_store::{Held, JobState};
use throwaway_postgres::test;

use crate::service::{NOON, Service, at, watched};

const DAY: SignedDuration = SignedDuration::from_hours(24);
const YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

fn settings(instances: Vec<Watched>) -> Settings {
    Settings::new("127.0.0.1:8000".parse().unwrap(), instances)
}

/// A server that nobody asks.
fn unasked(name: &str) -> Watched {
    watched(name, "postgres://u@127.0.0.1:1/app?sslmode=disable")
}

/// A service on each store: a file, and PostgreSQL where that is installed.
async fn on_both_stores(name: &str, instances: Vec<Watched>) -> Vec<Service> {
    let mut all = vec![Service::with(settings(instances.clone())).await];
    if let Some(server) = test::shared_if_installed(18) {
        server
            .sql("postgres", &format!("create database {name}"))
            .unwrap();
        let folder = Arc::new(tempfile::tempdir().unwrap());
        all.push(Service::on_store(settings(instances), &server.url(name), folder).await);
    }
    all
}

/// A schedule of other jobs on what a service watches.
fn schedule(service: &Service, jobs: &[Job]) -> Arc<Scheduler> {
    let (watch, stop) = (Arc::clone(&service.watch), service.stop.clone());
    let settings = settings(vec![unasked("main")]);
    Arc::new(Scheduler::of(jobs.to_vec(), watch, &settings, stop))
}

async fn state(service: &Service, name: &str) -> JobState {
    let states = service.store.jobs().await.unwrap();
    let found = states.into_iter().find(|state| state.name == name);
    found.unwrap_or_else(|| panic!("{name} never ran"))
}

/// The job with something else to do.
const fn doing(job: Job, run: plimsoll_server::jobs::RunFn) -> Job {
    Job { run, ..job }
}

fn ok() -> Outcome {
    Outcome {
        status: "ok",
        message: "done".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_each_job_is_its_failure_and_the_schedule_goes_on() {
    for service in on_both_stores("job_panics", vec![unasked("main")]).await {
        let of = Subject::Instance(&service.watch.instances()[0]);
        for job in ALL {
            let name = format!("{}/main", job.name);
            let broken = doing(job, |_| async { panic!("a mistake of ours") }.boxed());
            let works = doing(job, |_| async { ok() }.boxed());
            let scheduler = schedule(&service, &[broken]);
            service.clock.set(service.clock_now() + DAY);
            assert_eq!(scheduler.step(&broken, &of).await.unwrap(), Step::Ran);
            let broke = state(&service, &name).await;
            assert_eq!(broke.last_outcome.as_deref(), Some("failed"), "{name}");
            let message = broke.last_message.unwrap();
            assert!(message.contains("a mistake of ours"), "{message}");
            service.clock.set(service.clock_now() + DAY);
            assert_eq!(scheduler.step(&works, &of).await.unwrap(), Step::Ran);
            let worked = state(&service, &name).await;
            assert_eq!(worked.last_outcome.as_deref(), Some("ok"), "{name}");
        }
        let shown = service.json("/api/jobs").await;
        assert_eq!(shown["count"], ALL.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_a_year_ahead_silences_no_job() {
    for service in on_both_stores("job_clocks", vec![unasked("main")]).await {
        let of = Subject::Instance(&service.watch.instances()[0]);
        for job in ALL.map(|job| doing(job, |_| async { ok() }.boxed())) {
            let scheduler = schedule(&service, &[job]);
            // by a clock near the store's own, which is the machine's here
            let now = Timestamp::now();
            let mut day = 0;
            for (offset, what) in [
                (SignedDuration::ZERO, "as it should be"),
                (YEAR, "ahead"),
                (SignedDuration::ZERO, "back"),
                (YEAR, "ahead again"),
                (SignedDuration::ZERO, "back again"),
            ] {
                day += 1;
                // the last days, so that nothing but the year lies in the store's future
                service.clock.set(now - DAY * (10 - day) + offset);
                let step = scheduler.step(&job, &of).await.unwrap();
                assert_eq!(step, Step::Ran, "{}: {what}", job.name);
                let again = scheduler.step(&job, &of).await.unwrap();
                assert!(
                    matches!(again, Step::WaitUntil(_)),
                    "{}: {what}: {again:?}",
                    job.name
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_goes_on_when_the_clock_is_set_back() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    let every_minute = Job {
        default_cron: "* * * * *",
        key: "every_minute",
        run: |_| {
            RUNS.fetch_add(1, Ordering::SeqCst);
            async { ok() }.boxed()
        },
        ..ALL[0]
    };
    let runs_reach = async |wanted: u32| {
        while RUNS.load(Ordering::SeqCst) < wanted {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    };
    let service = Service::of(vec![unasked("main")]).await;
    let scheduler = schedule(&service, &[every_minute]);
    // the store's clock is the machine's: ours is ahead of it first
    let now = Timestamp::now();
    service.clock.set(now + YEAR);
    scheduler.spawn(&service.tasks);
    runs_reach(1).await;
    // by now it waits for the next minute, or is about to: both must notice
    service.clock.set(now);
    runs_reach(2).await;
    service.clock.set(now + SignedDuration::from_mins(2));
    runs_reach(3).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert_eq!(
        RUNS.load(Ordering::SeqCst),
        3,
        "and it does not run without pause"
    );
    service.stop.cancel();
    service.tasks.close();
    service.tasks.wait().await;
}

/// Says that it is gone.
struct Gone<'a>(&'a AtomicU32);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

static BEGUN: AtomicU32 = AtomicU32::new(0);
static GONE: AtomicU32 = AtomicU32::new(0);

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_claim_cancels_the_run_and_finishes_nobody_elses() {
    let endless = doing(ALL[1], |_| {
        async {
            let _gone = Gone(&GONE);
            BEGUN.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
        .boxed()
    });
    let services = on_both_stores("job_lost", vec![unasked("main")]).await;
    for (at_store, service) in (0_u32..).zip(services) {
        let of = Subject::Instance(&service.watch.instances()[0]);
        let scheduler = schedule(&service, &[endless]);
        let name = format!("{}/main", endless.name);
        let run = scheduler.step(&endless, &of);
        let other = async {
            while BEGUN.load(Ordering::SeqCst) == at_store {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            let scheduled_for = state(&service, &name).await.last_scheduled_for.unwrap();
            // one that waits for nobody: as if the holder had been silent
            let none = std::time::Duration::ZERO;
            let claim = service
                .store
                .claim(&name, scheduled_for, none)
                .await
                .unwrap();
            assert_eq!(GONE.load(Ordering::SeqCst), at_store, "it is not told yet");
            service.clock.set(at(NOON) + SignedDuration::from_secs(11));
            claim.expect("it is taken over")
        };
        let (step, claim) = tokio::join!(run, other);
        assert_eq!(step.unwrap(), Step::Ran);
        assert_eq!(
            GONE.load(Ordering::SeqCst),
            at_store + 1,
            "the run was dropped"
        );
        assert!(state(&service, &name).await.is_running, "by the other");
        let held = service
            .store
            .finish(claim, "ok", "by the other")
            .await
            .unwrap();
        assert_eq!(held, Held::Ours);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_stop_ends_is_given_up_and_begun_anew_at_once() {
    let endless = doing(ALL[1], |_| std::future::pending().boxed());
    for service in on_both_stores("job_stopped", vec![unasked("main")]).await {
        let of = Subject::Instance(&service.watch.instances()[0]);
        let scheduler = schedule(&service, &[endless]);
        let name = format!("{}/main", endless.name);
        let stop = async {
            while !service.is_running(&name).await {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            service.stop.cancel();
        };
        let (step, ()) = tokio::join!(scheduler.step(&endless, &of), stop);
        step.unwrap();
        let given_up = state(&service, &name).await;
        assert_eq!(given_up.last_outcome.as_deref(), Some("cancelled"));
        assert!(!given_up.is_running);
        // another process, the same moment
        let again = Scheduler::of(
            ALL.to_vec(),
            Arc::clone(&service.watch),
            &settings(vec![unasked("main")]),
            tokio_util::sync::CancellationToken::new(),
        );
        let works = doing(ALL[1], |_| async { ok() }.boxed());
        assert_eq!(again.step(&works, &of).await.unwrap(), Step::Ran);
        let done = state(&service, &name).await;
        assert_eq!(done.last_outcome.as_deref(), Some("ok"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_has_one_run_for_each_of_its_scope() {
    let mut two = unasked("two");
    two.databases = Databases::Listed(vec!["a".to_owned(), "b".to_owned()]);
    let both = vec![unasked("one"), two];
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let service = Service::sharing(settings(both.clone()), Arc::clone(&folder)).await;
    let other = Service::sharing(settings(both), folder).await;
    let job = |scope, name| Job {
        name,
        key: name,
        scope,
        run: |_| async { ok() }.boxed(),
        ..ALL[1]
    };
    let jobs = [
        job(Scope::Store, "by_store"),
        job(Scope::Instance, "by_instance"),
        job(Scope::Database, "by_database"),
    ];
    for service in [&service, &other] {
        schedule(service, &jobs).spawn(&service.tasks);
    }
    let expected = [
        "by_database/one/app",
        "by_database/two/a",
        "by_database/two/b",
        "by_instance/one",
        "by_instance/two",
        "by_store",
    ];
    loop {
        let states = service.store.jobs().await.unwrap();
        let ended: Vec<_> = states
            .iter()
            .filter(|state| state.last_outcome.as_deref() == Some("ok"))
            .map(|state| state.name.as_str())
            .collect();
        if ended == expected {
            break;
        }
        assert!(ended.len() <= expected.len(), "{ended:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    for service in [service, other] {
        service.stop.cancel();
        service.tasks.close();
        service.tasks.wait().await;
    }
}
