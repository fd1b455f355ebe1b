//! What a session may do on a server, and what ends it.

use std::process::Command;
use std::time::Duration;

use plimsoll_connect::{ConnectError, DatabaseUrl};
use plimsoll_postgres::{Limits, Session, VisitError, VisitOptions};
use throwaway_postgres::{Installation, Server, on_every_major, test};
use tokio::time::Instant;
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

pub(crate) fn limits() -> Limits {
    Limits::from(&VisitOptions::default())
}

pub(crate) async fn open(url: &str) -> Result<Session, VisitError> {
    let url: DatabaseUrl = url.parse().map_err(ConnectError::from)?;
    Session::open(&url, &limits(), &CancellationToken::new()).await
}

/// As `role` in place of `postgres`.
pub(crate) fn as_role(url: &str, role: &str) -> String {
    url.replacen("postgres@", &format!("{role}@"), 1)
}

/// Our backends that are at work, as another session sees them.
fn at_work(server: &Server) -> String {
    let sql = "select count(*) from pg_stat_activity where application_name = 'plimsoll' and state <> 'idle'";
    server.sql("postgres", sql).unwrap()[0][0].clone().unwrap()
}

/// Until nothing of ours runs on the server. What is not stopped there would sleep for a minute.
pub(crate) async fn wait_until_idle(server: &Server) {
    let started = Instant::now();
    while at_work(server) != "0" {
        assert!(started.elapsed() < Duration::from_secs(30), "it still runs");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A session whose deadline is near: as near as this host, however busy, lets it be opened.
pub(crate) async fn open_with_a_near_deadline(url: &DatabaseUrl) -> Session {
    let mut left = Duration::from_millis(500);
    loop {
        let limits = Limits {
            deadline: Instant::now() + left,
            ..limits()
        };
        match Session::open(url, &limits, &CancellationToken::new()).await {
            Ok(session) => return session,
            Err(error) => assert_eq!(error.code(), "timed_out", "{error}"),
        }
        left *= 2;
    }
}

fn signal(name: &str, pid: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), pid])
        .status();
    assert!(status.unwrap().success(), "kill -{name} {pid}");
}

async fn backend_pid(session: &Session) -> String {
    let row = session
        .one("select pg_backend_pid()::text", &[])
        .await
        .unwrap();
    session.read(&row, 0).unwrap()
}

on_every_major! {
    async fn a_session_is_read_only_bounded_and_ours_by_name(server: &Server) {
        let session = open(&server.url("postgres")).await.unwrap();
        assert_eq!(session.server().major(), server.major());
        assert!(session.server().system_identifier.is_some());
        assert_eq!(session.server().timeline, Some(1));
        assert_eq!(session.database(), "postgres");
        for (setting, value) in [
            ("application_name", "plimsoll"),
            ("transaction_read_only", "on"),
            ("transaction_isolation", "read committed"),
            ("search_path", "pg_catalog, pg_temp"),
            ("lock_timeout", "5ms"),
            ("statement_timeout", "30s"),
            ("idle_in_transaction_session_timeout", "30s"),
            ("work_mem", "32MB"),
            ("jit", "off"),
        ] {
            let row = session
                .one(&format!("select current_setting('{setting}')"), &[])
                .await
                .unwrap();
            let found: String = session.read(&row, 0).unwrap();
            assert_eq!(found, value, "{setting}");
        }
        if server.major() >= 15 {
            let row = session.one("select current_setting('stats_fetch_consistency')", &[]).await.unwrap();
            assert_eq!(session.read::<String, _>(&row, 0).unwrap(), "none");
        }
        let error = session.rows("create table public.no (a int)", &[]).await.unwrap_err();
        assert_eq!(error.code(), "query_failed", "{error}");
        assert!(error.to_string().contains("25006"), "{error}");
        // The failure cost that statement only, and no transaction stays open behind it.
        let row = session
            .one("select count(*) from pg_stat_activity where application_name = 'plimsoll' and state like 'idle in%'", &[])
            .await
            .unwrap();
        assert_eq!(session.read::<i64, _>(&row, 0).unwrap(), 0);
        let (memory, why_not) = session.backend_memory().await;
        assert_eq!(memory.is_some(), server.major() >= 14, "{why_not:?}");
        assert_eq!(memory.is_none(), why_not.is_some());
        let cost = session.cost();
        assert!(cost.statements >= 12 && cost.connections == 1 && cost.bytes_received > 100, "{cost:?}");
        session.close().await;
        wait_until_idle(server).await;
    }

    async fn a_hostile_search_path_changes_nothing(server: &Server) {
        server.sql("postgres", "create database hostile").unwrap();
        for sql in [
            "create schema evil",
            "create view evil.pg_database as select 1 as oid, 'evil' as datname",
            "create function evil.pg_is_in_recovery() returns bool language sql as 'select true'",
            "create function evil.current_setting(text) returns text language sql as $$select '0'$$",
            "create function evil.int4eq(int, int) returns bool language sql as 'select true'",
            "create role plain login",
            "grant usage on schema evil to plain",
            "grant select on evil.pg_database to plain",
            "alter role plain set search_path = evil, pg_catalog",
            "alter role plain set default_transaction_read_only = off",
            "alter role plain set statement_timeout = 0",
        ] {
            server.sql("hostile", sql).unwrap();
        }
        let session = open(&as_role(&server.url("hostile"), "plain")).await.unwrap();
        assert_eq!(session.server().major(), server.major());
        assert_eq!(session.database(), "hostile");
        assert!(!session.server().in_recovery);
    }

    async fn a_locked_relation_and_a_slow_statement_cost_themselves_only(server: &Server) {
        server.sql("postgres", "create database locked").unwrap();
        server.sql("locked", "create table t (a int)").unwrap();
        let mut holder = server.session("locked").unwrap();
        holder.run("begin; lock table t in access exclusive mode").unwrap();
        let limits = Limits { statement_timeout: Duration::from_secs(2), ..limits() };
        let url = server.url("locked").parse().unwrap();
        let session = Session::open(&url, &limits, &CancellationToken::new()).await.unwrap();
        let sql = "-- sizing t: waits\nselect pg_relation_size('public.t'::regclass)";
        let error = session.rows(sql, &[]).await.unwrap_err();
        assert!(error.is_lock_timeout() && error.session_lives(), "{error}");
        assert_eq!(error.code(), "lock_timed_out");
        assert!(error.to_string().starts_with("sizing t on "), "{error}");
        let error = session.rows("select pg_sleep(60)", &[]).await.unwrap_err();
        assert!(error.is_statement_timeout() && error.session_lives(), "{error}");
        let row = session.one("select $1::text", &[(&"alive", Type::TEXT)]).await.unwrap();
        assert_eq!(session.read::<&str, _>(&row, 0).unwrap(), "alive");
    }

    async fn cancelling_and_the_deadline_end_the_statement_on_the_server(server: &Server) {
        let url: DatabaseUrl = server.url("postgres").parse().unwrap();
        let cancel = CancellationToken::new();
        let session = Session::open(&url, &limits(), &cancel).await.unwrap();
        let running = session.rows("select pg_sleep(60)", &[]);
        let stopping = async {
            while at_work(server) == "0" {
                tokio::task::yield_now().await;
            }
            cancel.cancel();
        };
        let (result, ()) = futures_util::future::join(running, stopping).await;
        assert_eq!(result.unwrap_err().code(), "cancelled");
        wait_until_idle(server).await;
        assert_eq!(session.rows("select 1", &[]).await.unwrap_err().code(), "cancelled");

        let session = open_with_a_near_deadline(&url).await;
        let error = session.rows("select pg_sleep(60)", &[]).await.unwrap_err();
        assert_eq!(error.code(), "timed_out", "{error}");
        wait_until_idle(server).await;

        // Dropped in the middle, without anybody waiting for it.
        let session = open(&server.url("postgres")).await.unwrap();
        {
            let mut running = std::pin::pin!(session.rows("select pg_sleep(60)", &[]));
            while at_work(server) == "0" {
                let once = tokio::time::timeout(Duration::from_millis(5), &mut running);
                assert!(once.await.is_err());
            }
        }
        drop(session);
        wait_until_idle(server).await;
    }

    async fn a_long_answer_is_handed_over_row_by_row(server: &Server) {
        let session = open(&server.url("postgres")).await.unwrap();
        let (mut sum, mut rows) = (0_i64, 0);
        session
            .stream("select generate_series(1, $1::int8)", &[(&200_000_i64, Type::INT8)], |row| {
                sum += row.try_get::<_, i64>(0).unwrap();
                rows += 1;
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!((rows, sum), (200_000, 20_000_100_000));
        assert!(session.cost().bytes_received >= 1_600_000);

        // The reader may stop: the statement ends, and the session goes on.
        let mut rows = 0;
        let error = session
            .stream("select generate_series(1, 100000000)", &[], |_| {
                rows += 1;
                if rows < 10 { Ok(()) } else { Err(VisitError::Cancelled { server: "x".into(), attempted: "y".into() }) }
            })
            .await
            .unwrap_err();
        assert_eq!((rows, error.code()), (10, "cancelled"));
        let row = session.one("select 7", &[]).await.unwrap();
        assert_eq!(session.read::<i32, _>(&row, 0).unwrap(), 7);
    }
}

throwaway_postgres::on_own_server! {
    a_server_that_hangs_or_restarts_ends_the_session_in_time => hangs_and_restarts,
}

async fn hangs_and_restarts(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    let url: DatabaseUrl = server.url("postgres").parse().unwrap();

    // The backend stands still: neither answers nor obeys a cancel request.
    let session = open_with_a_near_deadline(&url).await;
    let sql = "select pid from pg_stat_activity where application_name = 'plimsoll'";
    let pid = server.sql("postgres", sql).unwrap()[0][0].clone().unwrap();
    signal("STOP", &pid);
    let started = Instant::now();
    let error = session.rows("select 1", &[]).await.unwrap_err();
    assert_eq!(error.code(), "timed_out", "{error}");
    assert!(started.elapsed() < Duration::from_secs(60));
    let closing = Instant::now();
    session.close().await;
    assert!(closing.elapsed() < Duration::from_secs(60));
    signal("CONT", &pid);

    // The postmaster stands still: connections are accepted by the kernel, and nobody answers.
    let postmaster = server.postmaster_pid().unwrap().to_string();
    let limits = Limits {
        connect_timeout: Duration::from_millis(500),
        ..self::limits()
    };
    signal("STOP", &postmaster);
    let result = Session::open(&url, &limits, &CancellationToken::new()).await;
    signal("CONT", &postmaster);
    assert_eq!(result.unwrap_err().code(), "timed_out");

    // A restart in the middle: this session ends with the server's own reason, the next one is fine.
    let session = open(&server.url("postgres")).await.unwrap();
    let running = session.rows("select pg_sleep(60)", &[]);
    let restarting = async {
        while at_work(&server) == "0" {
            tokio::task::yield_now().await;
        }
        tokio::task::block_in_place(|| server.restart().unwrap());
    };
    let (result, ()) = futures_util::future::join(running, restarting).await;
    let error = result.unwrap_err();
    assert_eq!(error.code(), "server_shutting_down", "{error}");
    let error = session.rows("select 1", &[]).await.unwrap_err();
    assert!(
        matches!(error.code(), "connection_lost" | "server_shutting_down"),
        "{error}"
    );
    drop(session);

    // Killed while nothing runs: the next statement tells what happened.
    let session = open(&server.url("postgres")).await.unwrap();
    let pid = backend_pid(&session).await;
    server
        .sql("postgres", &format!("select pg_terminate_backend({pid})"))
        .unwrap();
    while !server
        .sql(
            "postgres",
            &format!("select 1 from pg_stat_activity where pid = {pid}"),
        )
        .unwrap()
        .is_empty()
    {
        tokio::task::yield_now().await;
    }
    let error = session.rows("select 1", &[]).await.unwrap_err();
    assert!(
        matches!(error.code(), "connection_lost" | "server_shutting_down"),
        "{error}"
    );

    let session = open(&server.url("postgres")).await.unwrap();
    tokio::task::block_in_place(|| server.crash().unwrap());
    let error = session.rows("select 1", &[]).await.unwrap_err();
    assert!(
        matches!(error.code(), "connection_lost" | "server_shutting_down"),
        "{error}"
    );
    let error = open(&server.url("postgres")).await.unwrap_err();
    assert_eq!(error.code(), "server_unreachable", "{error}");
    tokio::task::block_in_place(|| server.start_again().unwrap());
    open(&server.url("postgres")).await.unwrap();
}
