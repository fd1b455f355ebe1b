//! Traps 41 to 43, 48 to 50: *changes* ends where a full sweep ends, whatever happened in between.

use std::time::{Duration, Instant};

use plimsoll_core::snapshot::Method;
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Installation, Server, on_every_major, test};

use crate::sizing::{
    assert_exact, database, number, options, relation_sizes, run, see, see_again, try_visit,
};

const TABLES: &str = "
create table busy (id int primary key, doc text, tags int[]);
alter table busy alter doc set storage external;
create index busy_doc on busy (md5(doc));
create table still (id int primary key, doc text);
create table searched (id int primary key, tags int[]);
create index searched_gin on searched using gin (tags) with (fastupdate = on);
create table ranged (id int, at int);
create index ranged_brin on ranged using brin (at) with (pages_per_range = 1);
create table purged (id int primary key, doc text);
create sequence numbers;
insert into busy select g, repeat(md5(g::text), 100), array[g] from generate_series(1, 300) g;
insert into still select g, repeat('s', 500) from generate_series(1, 300) g;
insert into searched select g, array[g, g % 7] from generate_series(1, 300) g;
insert into ranged select g, g from generate_series(1, 3000) g;
insert into purged select g, repeat('p', 500) from generate_series(1, 3000) g";

/// Waits until every session has left and what they did is in the counters.
///
/// Before PostgreSQL 15 sessions send their counts on when they end, to a process that takes them one
/// after the other: once it shows what the last session did, it has all.
pub(crate) fn settle(server: &Server, database: &str) {
    let until = |what: &str, sql: &str| {
        let began = Instant::now();
        while number(server, "postgres", sql) > 0 {
            assert!(began.elapsed() < Duration::from_secs(60), "{what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    let others = format!(
        "select count(*) from pg_stat_activity where datname = '{database}' and backend_type = 'client backend'"
    );
    until("sessions stay", &others);
    if server.major() < 15 {
        // A new one, so that its counter begins at 0 whatever was reset.
        run(server, database, "drop table if exists settled");
        run(server, database, "create table settled (id int)");
        run(server, database, "insert into settled values (1)");
        let counted = "select pg_stat_get_tuples_inserted('settled'::regclass)";
        let began = Instant::now();
        while number(server, database, counted) == 0 {
            assert!(
                began.elapsed() < Duration::from_secs(60),
                "counters never arrive"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        until("sessions stay", &others);
    }
}

/// After `sql`, in sessions that have ended, *changes* says what the server says, without a full sweep.
async fn follows(server: &Server, database: &str, memory: &mut Memory, sql: &[&str]) {
    for sql in sql {
        run(server, database, sql);
    }
    settle(server, database);
    let snapshot = see_again(server, database, MethodChoice::Changes, memory).await;
    assert_eq!(snapshot.method, Method::Changes, "{sql:?}");
    assert!(snapshot.full_sweep_at < Some(snapshot.measured_at));
    assert_exact(server, database, &snapshot);
    let full = see(server, database, MethodChoice::Functions).await;
    assert_eq!(relation_sizes(&snapshot), relation_sizes(&full), "{sql:?}");
    assert_eq!(snapshot.totals, full.totals, "{sql:?}");
}

async fn swept(server: &Server, database: &str) -> Memory {
    settle(server, database);
    let mut memory = Memory::default();
    let first = see_again(server, database, MethodChoice::Changes, &mut memory).await;
    assert_eq!(
        first.method,
        Method::Functions,
        "the first one is a full sweep"
    );
    assert_eq!(first.full_sweep_at, Some(first.measured_at));
    memory
}

on_every_major! {
    async fn trap_43_49_changes_follows_every_kind_of_work(server: &Server) {
        database(server, "trap_43", TABLES);
        let mut memory = swept(server, "trap_43").await;
        for sql in [
            &["select 1"][..],
            &["insert into busy select g, repeat(md5(g::text), 100), array[g] from generate_series(301, 900) g"],
            &["update busy set doc = doc || 'more' where id % 5 = 0"],
            // No row changes, and the table shrinks.
            &["delete from purged where id > 100", "vacuum purged"],
            &["vacuum"],
            &["delete from busy where id > 200", "vacuum busy"],
            // An index grows, and no row changes.
            &["create index still_doc on still (doc)"],
            &["reindex table still"],
            // Pending lists and summaries move without counters, file or page count.
            &["insert into searched select g, array(select generate_series(g, g + 50)) from generate_series(301, 900) g"],
            &["select gin_clean_pending_list('searched_gin')"],
            &["insert into ranged select g, g from generate_series(3001, 90000) g"],
            &["select brin_summarize_new_values('ranged_brin')"],
            &["vacuum full busy"],
            &["truncate still"],
            &["create table fresh as select g as id, repeat('f', 300) as doc from generate_series(1, 999) g"],
            &["alter table fresh add primary key (id)"],
            &["drop table purged"],
            &["alter sequence numbers restart", "select nextval('numbers')"],
            &["analyze"],
            &["cluster fresh using fresh_pkey"],
            &["select count(*) from busy"],
        ] {
            follows(server, "trap_43", &mut memory, sql).await;
        }
    }

    async fn trap_41_what_is_being_written_is_sized_each_time(server: &Server) {
        database(server, "trap_41", TABLES);
        let mut memory = swept(server, "trap_41").await;
        let mut writer = server.session("trap_41").unwrap();
        writer.run("begin").unwrap();
        for step in 0..4 {
            // Its counters stand still until it ends.
            writer.run(&format!("insert into still select g, repeat('w', 500) from generate_series({} , {}) g", 1000 + step * 1000, 1999 + step * 1000)).unwrap();
            let snapshot = see_again(server, "trap_41", MethodChoice::Changes, &mut memory).await;
            assert_eq!(snapshot.method, Method::Changes);
            assert_exact(server, "trap_41", &snapshot);
        }
        writer.run("commit").unwrap();
        // What the writer has not reported, or just reported, is covered by its locks at the last two visits.
        for _ in 0..2 {
            let snapshot = see_again(server, "trap_41", MethodChoice::Changes, &mut memory).await;
            assert_exact(server, "trap_41", &snapshot);
        }
        drop(writer);
        follows(server, "trap_41", &mut memory, &["select 1"]).await;
    }

    async fn trap_42_a_reset_of_the_statistics_means_size_everything_again(server: &Server) {
        database(server, "trap_42", TABLES);
        for reset in ["select pg_stat_reset()", "select pg_stat_reset_single_table_counters('busy'::regclass)", "select pg_stat_reset_shared('bgwriter')"] {
            let mut memory = swept(server, "trap_42").await;
            follows(server, "trap_42", &mut memory, &["select 1"]).await;
            let stamps = "select coalesce((select stats_reset::text from pg_stat_database where datname = 'trap_42'), '-') || (select stats_reset::text from pg_stat_bgwriter)";
            let before = crate::sizing::ask(server, "postgres", stamps);
            run(server, "trap_42", reset);
            let began = Instant::now();
            while crate::sizing::ask(server, "postgres", stamps) == before {
                assert!(began.elapsed() < Duration::from_secs(60), "{reset} never shows");
                std::thread::sleep(Duration::from_millis(20));
            }
            // As many rows again as before: the counters could look unmoved.
            run(server, "trap_42", "insert into busy select -g, repeat(md5(g::text), 100), array[g] from generate_series(1, 300) g on conflict do nothing");
            settle(server, "trap_42");
            let snapshot = see_again(server, "trap_42", MethodChoice::Changes, &mut memory).await;
            assert_eq!(snapshot.method, Method::Functions, "{reset}");
            assert_eq!(snapshot.full_sweep_at, Some(snapshot.measured_at));
            assert_exact(server, "trap_42", &snapshot);
        }
    }

    async fn trap_48_what_a_session_keeps_to_itself_shows_once_it_left_and_the_answer_has_its_age(server: &Server) {
        database(server, "trap_48", TABLES);
        let mut memory = swept(server, "trap_48").await;
        let mut idle = server.session("trap_48").unwrap();
        idle.run("insert into still select g, repeat('i', 500) from generate_series(1000, 5000) g").unwrap();
        // No counter tells, but bytes that are in no relation do: everything is sized again.
        let beside = see_again(server, "trap_48", MethodChoice::Changes, &mut memory).await;
        assert_exact(server, "trap_48", &beside);
        drop(idle);
        follows(server, "trap_48", &mut memory, &["select 1"]).await;
        // A full sweep comes again by itself.
        let mut options = options(MethodChoice::Changes);
        options.full_sweep_every = Duration::ZERO;
        let snapshot = try_visit(&server.url("trap_48"), &options, &mut memory).await.unwrap();
        assert_eq!(snapshot.method, Method::Functions);
        assert_eq!(snapshot.full_sweep_at, Some(snapshot.measured_at));
    }
}

on_every_major! {
    async fn trap_71_what_is_not_counted_is_found_by_the_bytes_that_are_in_no_relation(server: &Server) {
        database(server, "trap_71", TABLES);
        let mut memory = swept(server, "trap_71").await;
        follows(server, "trap_71", &mut memory, &["select 1"]).await;
        let mut uncounted = server.session("trap_71").unwrap();
        uncounted.run("set track_counts = off").unwrap();
        uncounted.run("insert into still select g, repeat('u', 500) from generate_series(1000, 5000) g").unwrap();
        drop(uncounted);
        // Its lock is gone by the third visit, and no counter moves, ever.
        for _ in 0..4 {
            settle(server, "trap_71");
            let snapshot = see_again(server, "trap_71", MethodChoice::Changes, &mut memory).await;
            assert_exact(server, "trap_71", &snapshot);
        }
        // Where that is the rule, counters are not asked.
        run(server, "postgres", "alter database trap_71 set track_counts = off");
        for _ in 0..2 {
            let snapshot = see_again(server, "trap_71", MethodChoice::Changes, &mut memory).await;
            assert_eq!(snapshot.method, Method::Functions);
        }
    }
}

throwaway_postgres::on_own_server! {
    trap_50_after_a_crash_everything_is_sized_again => after_a_crash,
}

async fn after_a_crash(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    database(&server, "app", TABLES);
    // Work after a reset, so that the same work after the crash makes the same counters.
    run(&server, "app", "select pg_stat_reset()");
    let work = "insert into still select g + (select count(*) from still), repeat('w', 500) from generate_series(1, 2000) g";
    run(&server, "app", work);
    let mut memory = swept(&server, "app").await;
    follows(&server, "app", &mut memory, &["select 1"]).await;
    server.crash().unwrap();
    server.start_again().unwrap();
    run(&server, "app", work);
    settle(&server, "app");
    let snapshot = see_again(&server, "app", MethodChoice::Changes, &mut memory).await;
    assert_eq!(snapshot.method, Method::Functions);
    assert_exact(&server, "app", &snapshot);
}
