//! Connecting to a server, what goes wrong with it, and what a session may do there.

use std::time::Duration;

use plimsoll_postgres::{DatabaseUrl, Limits, Session, VisitError, VisitOptions};
use throwaway_postgres::on_every_major;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) fn limits() -> Limits {
    Limits::from(&VisitOptions::default())
}

pub(crate) async fn open(url: &str) -> Result<Session, VisitError> {
    let url: DatabaseUrl = url.parse()?;
    Session::open(&url, &limits(), &CancellationToken::new()).await
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
            ("lock_timeout", "100ms"),
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
    }
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_connect_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let limits = Limits {
        connect_timeout: Duration::from_millis(300),
        ..limits()
    };
    for url in [
        format!("postgres://u:hunter2@127.0.0.1:{port}/d"),
        format!("postgres://u:hunter2@127.0.0.1:{port}/d?sslmode=disable"),
    ] {
        let started = Instant::now();
        let error = Session::open(&url.parse().unwrap(), &limits, &CancellationToken::new())
            .await
            .unwrap_err();
        assert_eq!(error.code(), "timed_out", "{error}");
        assert!(started.elapsed() < Duration::from_secs(10));
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
