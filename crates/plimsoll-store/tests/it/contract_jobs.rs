//! What every store promises of jobs: whose a run is, whatever dies, sleeps, or has a wrong clock.
//!
//! No test waits: what time would do to a row is done to it in SQL.

use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{Claim, Held, JobState};

use crate::claimant::{Claimant, STALE_AFTER, order_to_claim};
use crate::fresh::Fresh;
use crate::world::{World, at};

const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

/// Makes a time of every job's row later, or earlier, as if the clock had been so when it was written.
fn shift(fresh: &Fresh, columns: &[&str], by: SignedDuration) {
    let seconds = by.as_secs();
    let columns: Vec<_> = columns
        .iter()
        .map(|column| {
            if fresh.url.starts_with("sqlite:") {
                format!("{column} = {column} + {seconds} * 1000")
            } else {
                format!("{column} = {column} + make_interval(secs => {seconds})")
            }
        })
        .collect();
    (fresh.sql)(&format!(
        "update jobs set {} returning name",
        columns.join(", ")
    ));
}

/// What is left when nothing was heard of a run for longer than it may be silent.
fn go_stale(fresh: &Fresh) {
    shift(fresh, &["last_beat_at"], SignedDuration::from_secs(-61));
}

async fn claim(fresh: &Fresh, scheduled_for: Timestamp) -> Option<Claim> {
    fresh
        .store
        .claim("watch", scheduled_for, STALE_AFTER)
        .await
        .unwrap()
}

async fn finish(fresh: &Fresh, claim: Claim) -> Held {
    fresh
        .store
        .finish(claim, "ok", "3 databases")
        .await
        .unwrap()
}

async fn state(fresh: &Fresh) -> JobState {
    let jobs = fresh.store.jobs().await.unwrap();
    assert_eq!(jobs.len(), 1);
    jobs.into_iter().next().unwrap()
}

/// Scheduled times of the recent past, as a schedule has them.
fn times() -> [Timestamp; 3] {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    [3, 2, 1].map(|hours| now - SignedDuration::from_hours(hours))
}

contract! {
    async fn a_job_runs_once_for_each_scheduled_time(fresh: &Fresh) {
        let [one, two, three] = times();
        let first = claim(fresh, one).await.unwrap();
        assert_eq!((first.job(), first.scheduled_for()), ("watch", one));
        assert!(claim(fresh, one).await.is_none() && claim(fresh, two).await.is_none(), "it is under way");
        let running = state(fresh).await;
        assert!(running.is_running && running.last_started_at.is_some());
        assert_eq!((running.last_finished_at, running.last_scheduled_for), (None, Some(one)));
        assert_eq!(fresh.store.keep(&first).await.unwrap(), Held::Ours);
        assert_eq!(finish(fresh, first).await, Held::Ours);
        let ended = state(fresh).await;
        assert!(!ended.is_running && ended.last_finished_at >= ended.last_started_at);
        assert_eq!(ended.last_outcome.as_deref(), Some("ok"));
        assert_eq!(ended.last_message.as_deref(), Some("3 databases"));

        let third = claim(fresh, three).await.unwrap();
        assert_eq!(finish(fresh, third).await, Held::Ours);
        for past in [one, two, three] {
            assert!(claim(fresh, past).await.is_none(), "{past} is past");
        }
        // another job is another's
        assert!(fresh.store.claim("sample", one, STALE_AFTER).await.unwrap().is_some());
    }

    async fn of_six_connections_that_claim_at_once_one_runs(fresh: &Fresh) {
        let stores: Vec<_> = (0..6).map(|_| plimsoll_store::open(&fresh.url).unwrap()).collect();
        for scheduled_for in times() {
            let claims = stores.iter().map(|store| store.claim("watch", scheduled_for, STALE_AFTER));
            let claims = futures_util::future::join_all(claims).await;
            let mut claims: Vec<_> = claims.into_iter().filter_map(Result::unwrap).collect();
            assert_eq!(claims.len(), 1, "{scheduled_for}");
            assert_eq!(finish(fresh, claims.remove(0)).await, Held::Ours);
        }
    }

    async fn what_a_killed_holder_left_is_taken_over_when_it_is_stale(fresh: &Fresh) {
        let [one, two, _] = times();
        let mut holder = Claimant::start(&fresh.url);
        assert!(holder.claims(two));
        holder.kill();
        assert!(claim(fresh, two).await.is_none(), "it may be only slow");
        go_stale(fresh);
        assert!(claim(fresh, one).await.is_none(), "{one} is before {two}, which was begun");
        let taken = claim(fresh, two).await.unwrap();
        assert_eq!(finish(fresh, taken).await, Held::Ours);
        assert!(claim(fresh, two).await.is_none());
    }

    async fn of_two_processes_that_claim_at_once_one_runs(fresh: &Fresh) {
        let mut both = [Claimant::start(&fresh.url), Claimant::start(&fresh.url)];
        let [first, ..] = times();
        for minute in 0..20 {
            let order = order_to_claim(first + SignedDuration::from_mins(minute));
            for claimant in &mut both {
                claimant.tell(&order);
            }
            let answers = both.each_mut().map(Claimant::answer);
            let won: Vec<_> = (0..).zip(&answers).filter(|(_, answer)| *answer == "won").collect();
            let [(winner, _)]: [(usize, _); 1] = won.try_into().unwrap_or_else(|_| panic!("{order}: {answers:?}"));
            both[winner].tell("finish");
            assert_eq!(both[winner].answer(), "ours");
        }
    }

    async fn a_process_that_was_stopped_too_long_does_not_end_anothers_run_when_it_is_woken(fresh: &Fresh) {
        let [one, two, _] = times();
        for order in ["keep", "finish"] {
            let mut paused = Claimant::start(&fresh.url);
            let scheduled_for = if order == "keep" { one } else { two };
            assert!(paused.claims(scheduled_for));
            paused.pause();
            paused.tell(order);
            go_stale(fresh);
            let taken = claim(fresh, scheduled_for).await.unwrap();
            let held = state(fresh).await;
            paused.wake();
            assert_eq!(paused.answer(), "lost", "{order}");
            assert_eq!(state(fresh).await, held, "{order}: nothing was written");
            assert_eq!(fresh.store.keep(&taken).await.unwrap(), Held::Ours);
            assert_eq!(finish(fresh, taken).await, Held::Ours);
        }
    }

    async fn a_holder_that_slept_too_long_neither_keeps_nor_ends_what_is_anothers(fresh: &Fresh) {
        let [one, two, three] = times();
        // it slept, but nobody missed it
        let alone = claim(fresh, one).await.unwrap();
        go_stale(fresh);
        assert_eq!(fresh.store.keep(&alone).await.unwrap(), Held::Ours);
        assert!(claim(fresh, one).await.is_none(), "it lives again");
        assert_eq!(finish(fresh, alone).await, Held::Ours);

        // three that sleep: each is taken over for the same time, and the last one ends
        let mut sleeping = Vec::new();
        for _ in 0..3 {
            sleeping.push(claim(fresh, two).await.unwrap());
            go_stale(fresh);
        }
        let holder = claim(fresh, two).await.unwrap();
        let held = state(fresh).await;
        let mut sleeping = sleeping.into_iter();
        for claim in sleeping.by_ref().take(1) {
            assert_eq!(fresh.store.keep(&claim).await.unwrap(), Held::Lost);
            assert_eq!(fresh.store.finish(claim, "failed", "woken").await.unwrap(), Held::Lost);
        }
        let given_up = sleeping.next().unwrap();
        assert_eq!(fresh.store.abandon(given_up).await.unwrap(), Held::Lost);
        assert_eq!(state(fresh).await, held, "nothing was written");
        assert_eq!(fresh.store.keep(&holder).await.unwrap(), Held::Ours);
        assert_eq!(finish(fresh, holder).await, Held::Ours);
        // and one that wakes after it all ended
        let ended = state(fresh).await;
        let late = sleeping.next().unwrap();
        assert_eq!(fresh.store.keep(&late).await.unwrap(), Held::Lost);
        assert_eq!(finish(fresh, late).await, Held::Lost);
        assert_eq!(state(fresh).await, ended);
        assert!(claim(fresh, three).await.is_some());
    }

    async fn what_is_abandoned_is_begun_anew_at_once(fresh: &Fresh) {
        let [one, two, _] = times();
        let first = claim(fresh, one).await.unwrap();
        assert_eq!(fresh.store.abandon(first).await.unwrap(), Held::Ours);
        let given_up = state(fresh).await;
        assert!(!given_up.is_running);
        assert_eq!(given_up.last_outcome.as_deref(), Some("cancelled"));
        let again = claim(fresh, one).await.unwrap();
        assert_eq!(finish(fresh, again).await, Held::Ours);
        assert!(claim(fresh, one).await.is_none());
        assert!(claim(fresh, two).await.is_some());
    }

    async fn trap_37_a_clock_that_was_ahead_silences_no_job(fresh: &Fresh) {
        let [one, two, three] = times();
        // a client's, for a while: by a year, then by two
        for years in [1, 2] {
            let ahead = claim(fresh, one + YEAR * years).await.unwrap();
            assert_eq!(finish(fresh, ahead).await, Held::Ours);
            assert!(claim(fresh, one + YEAR * years).await.is_none(), "it ran for that time");
        }
        assert_eq!(state(fresh).await.last_begun(Timestamp::now()), None, "it is due");
        let back = claim(fresh, one).await.unwrap();
        assert_eq!(finish(fresh, back).await, Held::Ours);
        assert!(claim(fresh, one).await.is_none());
        assert_eq!(state(fresh).await.last_begun(Timestamp::now()), Some(one));
        // one whose clock stays ahead does not make the other repeat its run, nor the other way round
        assert!(claim(fresh, one + YEAR * 2).await.is_none());
        assert!(claim(fresh, one).await.is_none());
        // it died, or was stopped, while its clock was ahead
        let _dead = claim(fresh, one + YEAR).await.unwrap();
        assert!(claim(fresh, two).await.is_none(), "under way");
        go_stale(fresh);
        let back = claim(fresh, two).await.unwrap();
        assert_eq!(finish(fresh, back).await, Held::Ours);

        // the store's own clock: all that was written then lies a year ahead
        let all = ["last_started_at", "last_finished_at", "last_beat_at", "last_scheduled_for"];
        shift(fresh, &all, YEAR);
        assert_eq!(state(fresh).await.last_begun(Timestamp::now()), None, "it is due");
        let back = claim(fresh, two).await.unwrap();
        shift(fresh, &all, YEAR);
        // a run was under way then: what its holder said then is no sign of life
        assert_eq!(fresh.store.keep(&back).await.unwrap(), Held::Ours, "it was only the clock");
        shift(fresh, &all, YEAR);
        let other = claim(fresh, three).await.unwrap();
        assert_eq!(finish(fresh, back).await, Held::Lost);
        assert_eq!(finish(fresh, other).await, Held::Ours);
        assert!(claim(fresh, three).await.is_none(), "once is enough");
    }

    async fn cleanup_runs_are_read_newest_first(fresh: &Fresh) {
        let world = World::new("main", "app");
        let began = at("2026-01-01T00:00:00Z");
        for n in 1..=3 {
            let seconds = began.as_second() + n;
            let started = if fresh.url.starts_with("sqlite:") {
                (seconds * 1000).to_string()
            } else {
                format!("to_timestamp({seconds})")
            };
            (fresh.sql)(&format!(
                "insert into cleanup_runs (instance, database, started_at, outcome, rows_deleted)
                 values ('main', 'app', {started}, 'ok', '{{\"events\": {n}}}') returning id"
            ));
        }
        let (runs, total) = fresh.store.cleanup_runs(&world.key(), 2).await.unwrap();
        assert_eq!(total, 3);
        assert_eq!(runs.iter().map(|run| run.rows_deleted[0].clone()).collect::<Vec<_>>(),
            [("events".to_owned(), 3), ("events".to_owned(), 2)]);
        assert_eq!(runs[0].started_at, began + SignedDuration::from_secs(3));
    }

    async fn of_each_database_the_last_cleanup_run_that_ended_is_known(fresh: &Fresh) {
        let run = |database: &str, outcome: &str, has_ended: bool| {
            let at = if fresh.url.starts_with("sqlite:") { "1000" } else { "to_timestamp(1)" };
            let finished = if has_ended { at } else { "null" };
            (fresh.sql)(&format!(
                "insert into cleanup_runs (instance, database, started_at, finished_at, outcome, rows_deleted)
                 values ('main', '{database}', {at}, {finished}, '{outcome}', '{{}}') returning id"
            ));
        };
        for (database, outcome, has_ended) in
            [("b", "ok", true), ("a", "ok", true), ("a", "failed", true), ("a", "running", false), ("c", "running", false)]
        {
            run(database, outcome, has_ended);
        }
        let last = fresh.store.last_cleanup_runs("main").await.unwrap();
        let last: Vec<_> = last.iter().map(|run| (&*run.of.database, &*run.outcome)).collect();
        assert_eq!(last, [("a", "failed"), ("b", "ok")]);
        assert!(fresh.store.last_cleanup_runs("other").await.unwrap().is_empty());
    }

    async fn a_row_that_was_changed_by_hand_is_an_error_and_no_panic(fresh: &Fresh) {
        let first = claim(fresh, times()[0]).await.unwrap();
        assert_eq!(finish(fresh, first).await, Held::Ours);
        if fresh.url.starts_with("sqlite:") {
            // a strict table takes no text for a number, so it is made anew without being strict
            (fresh.sql)("create table loose as select * from jobs");
            (fresh.sql)("drop table jobs");
            (fresh.sql)("alter table loose rename to jobs");
            (fresh.sql)("update jobs set last_started_at = 'yesterday' returning name");
        } else {
            (fresh.sql)("alter table jobs alter column last_started_at type text");
        }
        let error = fresh.store.jobs().await.unwrap_err();
        assert_eq!(error.code(), "store_failed");
        assert!(error.to_string().contains("column 1"), "{error}");
    }
}
