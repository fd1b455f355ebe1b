//! Traps 69 and 70: what ends a statement or a session costs what it had not read yet, and is told as it is.

use std::sync::Mutex;
use std::time::Duration;

use plimsoll_core::size::Status;
use plimsoll_core::snapshot::Table;
use plimsoll_postgres::{Memory, MethodChoice, Phase, Progress, Target, VisitOptions, visit};
use throwaway_postgres::{Server, on_every_major};
use tokio_util::sync::CancellationToken;

use crate::session::open;
use crate::sizing::{
    BOTH, assert_exact, database, options, relation_sizes, run, see_while, table, total_size,
    try_visit, url_as,
};

/// Ends our sessions in a database, and waits until they have.
fn end_sessions(server: &Server, database: &str) {
    let ours = format!(
        "from pg_stat_activity where datname = '{database}' and application_name = 'plimsoll'"
    );
    run(
        server,
        "postgres",
        &format!("select pg_terminate_backend(pid) {ours}"),
    );
    while !server
        .sql("postgres", &format!("select pid {ours}"))
        .unwrap()
        .is_empty()
    {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Does something once so many relations are sized.
struct After<F>(u64, Mutex<Option<F>>);

impl<F: FnOnce() + Send> Progress for After<F> {
    fn at(&self, phase: Phase) {
        if matches!(phase, Phase::Sizing(done, _) if done >= self.0)
            && let Some(act) = self.1.lock().unwrap().take()
        {
            act();
        }
    }
}

on_every_major! {
    async fn trap_69_limits_of_a_role_or_a_database_do_not_end_the_session(server: &Server) {
        database(server, "trap_69_limits", "create table t (id int)");
        run(server, "postgres", "create role trap_69_limits login");
        for limit in ["exit_on_error = on", "lock_timeout = 1", "statement_timeout = 1000", "work_mem = '64kB'",
            "idle_in_transaction_session_timeout = 1000", "default_transaction_isolation = serializable"] {
            run(server, "postgres", &format!("alter role trap_69_limits set {limit}"));
        }
        if server.major() >= 17 {
            run(server, "postgres", "alter database trap_69_limits set transaction_timeout = 1000");
        }
        let url = url_as(server, "trap_69_limits", "trap_69_limits");
        let session = open(&url).await.unwrap();
        session.rows("select pg_sleep(1.2)", &[]).await.unwrap();
        assert!(session.rows("select 1/0", &[]).await.unwrap_err().session_lives());
        session.rows("select 1", &[]).await.unwrap();
        session.close().await;
        let snapshot = try_visit(&url, &options(MethodChoice::Functions), &mut Memory::default()).await.unwrap();
        assert_exact(server, "trap_69_limits", &snapshot);
        run(server, "postgres", "drop role trap_69_limits");
    }

    async fn trap_69_a_session_that_ends_is_replaced(server: &Server) {
        database(server, "trap_69", "create table t (id int primary key); insert into t select generate_series(1, 900)");
        for method in BOTH {
            let snapshot = see_while(server, "trap_69", method, || end_sessions(server, "trap_69")).await;
            assert_exact(server, "trap_69", &snapshot);
            assert_eq!(snapshot.cost.connections, 2);
        }
    }

    async fn trap_69_what_was_measured_stays_when_no_session_is_to_be_had(server: &Server) {
        database(server, "trap_69_lost", "
            do $$ begin for i in 1..2000 loop execute format('create table t%s (i int)', i); end loop; end $$;
            create role trap_69_lost login");
        let target = Target {
            instance: "test".into(),
            url: url_as(server, "trap_69_lost", "trap_69_lost").parse().unwrap(),
        };
        // no longer let in; every slot taken; the same until the deadline is over
        for (bars, lets_in, code, waits) in [
            ("nologin", "login", "authentication_failed", false),
            ("connection limit 0", "connection limit -1", "too_many_connections", false),
            ("connection limit 0", "connection limit -1", "too_many_connections", true),
        ] {
            let deadline = Duration::from_secs(if waits { 10 } else { 120 });
            let act = || {
                run(server, "postgres", &format!("alter role trap_69_lost {bars}"));
                end_sessions(server, "trap_69_lost");
                if waits {
                    std::thread::sleep(deadline);
                }
            };
            let progress = After(2000, Mutex::new(Some(act)));
            let now = jiff::Timestamp::now();
            let look = |progress| {
                let options = VisitOptions { deadline, ..options(MethodChoice::Functions) };
                let (target, cancel) = (target.clone(), CancellationToken::new());
                async move { visit(&target, &options, &mut Memory::default(), progress, &cancel, now).await }
            };
            let snapshot = look(&progress).await.unwrap();
            let sizes = relation_sizes(&snapshot);
            let measured = sizes.values().filter(|size| size.is_measured()).count();
            assert!((1990..sizes.len() - 100).contains(&measured), "{measured} of {}", sizes.len());
            let unread = snapshot.tables.iter().filter(|table| !table.kind.is_listed() || table.heap.filenode != 0)
                .flat_map(Table::parts).filter(|size| !size.is_measured());
            for size in unread {
                assert_eq!(size.status, Status::TimedOut);
                assert_ne!(size.bytes, Some(0));
            }
            // Nothing was measured: then the reason is the answer.
            let error = look(&progress).await.unwrap_err();
            assert_eq!(error.code(), code);
            run(server, "postgres", &format!("alter role trap_69_lost {lets_in}"));
        }
        run(server, "postgres", "drop role trap_69_lost");
    }

    async fn trap_69_what_ends_a_session_is_told_in_its_own_words(server: &Server) {
        database(server, "trap_69_words", "create table t (id int)");
        let set = |setting: &str, then: &str| format!("select set_config('{setting}', true), {then}");
        for (since, sql, code, words) in [
            (13, set("exit_on_error', 'on", "1 / (random() * 0)::int"), "session_ended", "division by zero"),
            (17, set("transaction_timeout', '100", "pg_sleep(60)"), "session_ended", "transaction timeout"),
            (13, "select pg_terminate_backend(pg_backend_pid()), pg_sleep(60)".to_owned(), "server_shutting_down",
                "terminating connection due to administrator command"),
        ] {
            if server.major() < since {
                continue;
            }
            let session = open(&server.url("trap_69_words")).await.unwrap();
            let error = session.rows(&sql, &[]).await.unwrap_err();
            assert_eq!(error.code(), code, "{error}");
            let text = error.to_string();
            assert!(text.contains(words) && !text.contains("crashed"), "{text}");
            assert!(!error.session_lives());
        }
    }

    async fn trap_69_a_login_trigger_that_raises_is_told_as_it_is(server: &Server) {
        if server.major() < 17 {
            return;
        }
        database(server, "trap_69_trigger", "
            create role trap_69_trigger login;
            create function no_entry() returns event_trigger language plpgsql as
                $$ begin if session_user = 'trap_69_trigger' then raise 'no entry today'; end if; end $$;
            create event trigger no_entry on login execute function no_entry();
            alter event trigger no_entry enable always");
        let url = url_as(server, "trap_69_trigger", "trap_69_trigger");
        let error = try_visit(&url, &options(MethodChoice::Functions), &mut Memory::default()).await.unwrap_err();
        assert!(error.to_string().contains("no entry today"), "{error}");
        assert_eq!(error.code(), "connection_refused", "{error}");
        run(server, "trap_69_trigger", "drop role trap_69_trigger");
    }

    async fn trap_70_a_folder_that_takes_too_long_costs_what_is_in_it(server: &Server) {
        let place = server.make_folder("slow").unwrap();
        run(server, "postgres", &format!("create tablespace trap_70 location '{}'", place.display()));
        database(server, "trap_70_files", "
            create table here (id int primary key);
            create table there (id int) tablespace trap_70;
            insert into here select generate_series(1, 900);
            insert into there select generate_series(1, 900);
            alter function pg_catalog.pg_ls_dir(text, boolean, boolean) rename to real_ls_dir;
            create function pg_catalog.pg_ls_dir(folder text, is_missing_ok boolean, has_dots boolean)
            returns setof text language plpgsql as $$
            begin
                if folder like 'pg_tblspc/%' then
                    perform pg_sleep(60);
                end if;
                return query select pg_catalog.real_ls_dir(folder, is_missing_ok, has_dots);
            end $$");
        let options = VisitOptions {
            statement_timeout: Duration::from_secs(1),
            ..options(MethodChoice::Files)
        };
        let snapshot = try_visit(&server.url("trap_70_files"), &options, &mut Memory::default()).await.unwrap();
        let there = table(&snapshot, "public", "there").size();
        assert_eq!(there.status, Status::TimedOut);
        assert_ne!(there.bytes, Some(0));
        let here = table(&snapshot, "public", "here");
        assert_eq!(here.size().bytes, Some(total_size(server, "trap_70_files", here.oid)));
        let unread = relation_sizes(&snapshot).values().filter(|size| !size.is_measured()).count();
        assert_eq!(unread, 1);
        assert_eq!((snapshot.totals.total_bytes, snapshot.cost.connections), (None, 1));
    }

    async fn trap_70_an_innocent_relation_of_a_cancelled_batch_is_tried_again(server: &Server) {
        // Each takes 0.4 s, together more than one statement may.
        database(server, "trap_70", "
            create table slow_1 (id int); create table slow_2 (id int); create table slow_3 (id int);
            create table slow_4 (id int);
            alter function pg_catalog.pg_relation_size(regclass, text) rename to real_relation_size;
            create function pg_catalog.pg_relation_size(of regclass, fork text) returns bigint language plpgsql as $$
            begin
                if fork = 'main' and (select relname like 'slow_%' from pg_class c where c.oid = of) then
                    perform pg_sleep(0.4);
                end if;
                return pg_catalog.real_relation_size(of, fork);
            end $$");
        run(server, "trap_70", "insert into slow_3 select generate_series(1, 900)");
        let options = VisitOptions {
            statement_timeout: Duration::from_secs(1),
            ..options(MethodChoice::Functions)
        };
        let snapshot = try_visit(&server.url("trap_70"), &options, &mut Memory::default()).await.unwrap();
        for n in 1..=4 {
            let slow = table(&snapshot, "public", &format!("slow_{n}"));
            assert_eq!(slow.size().status, Status::Ok, "{slow:?}");
        }
        let slow = table(&snapshot, "public", "slow_3");
        assert_eq!(slow.size().bytes, Some(total_size(server, "trap_70", slow.oid)));
        assert!(relation_sizes(&snapshot).values().all(|size| size.status == Status::Ok));
    }
}
