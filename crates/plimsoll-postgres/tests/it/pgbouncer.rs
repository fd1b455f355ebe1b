//! Sessions through PgBouncer in transaction mode, where each statement may meet another backend.

use std::time::Duration;

use plimsoll_connect::DatabaseUrl;
use plimsoll_core::instance::Figure;
use plimsoll_postgres::{Session, facts};
use throwaway_postgres::{Installation, Pooler, Server, test};
use tokio_util::sync::CancellationToken;

use crate::session::{limits, open_with_a_near_deadline, wait_until_idle};

throwaway_postgres::on_own_server! {
    through_pgbouncer_settings_hold_and_stay_behind_nowhere => through_pgbouncer,
    a_pooler_in_statement_mode_is_refused_by_name => in_statement_mode,
}

async fn through_pgbouncer(installation: &Installation) {
    let server = Server::start(&throwaway_postgres::Options {
        tcp: true,
        ..test::options(installation)
    })
    .unwrap();
    let Some(pooler) = Pooler::start(&server, "transaction", 1).unwrap() else {
        return;
    };
    let url: DatabaseUrl = pooler.url("postgres").parse().unwrap();

    // One backend, two sessions of ours and a stranger in turns.
    let cancel = CancellationToken::new();
    let first = Session::open(&url, &limits(), &cancel).await.unwrap();
    let second = Session::open(&url, &limits(), &cancel).await.unwrap();
    let stranger = url
        .connect("stranger", Duration::from_secs(10))
        .await
        .unwrap()
        .client;
    let sql = "select concat_ws(' ', current_setting('statement_timeout'), current_setting('transaction_read_only'),
        current_setting('work_mem'), current_setting('search_path'))";
    let ours = "30s on 32MB pg_catalog, pg_temp";
    for _ in 0..3 {
        for session in [&first, &second] {
            let row = session.one(sql, &[]).await.unwrap();
            assert_eq!(session.read::<String, _>(&row, 0).unwrap(), ours);
        }
        assert!(first.rows("select 1/0", &[]).await.is_err());
        let answer = stranger.simple_query(sql).await.unwrap();
        let theirs = answer.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        assert_eq!(theirs, Some("0 off 4MB \"$user\", public"));
    }
    let found = facts(&first, &[]).await.unwrap();
    assert!(found.wal.bytes.known().is_some());
    assert!(matches!(&found.capacity, Figure::Absent(reason) if reason.contains("Unix socket")));

    // The request to cancel finds the backend through PgBouncer.
    let session = open_with_a_near_deadline(&url).await;
    let error = session.rows("select pg_sleep(60)", &[]).await.unwrap_err();
    assert_eq!(error.code(), "timed_out");
    wait_until_idle(&server).await;
}

/// Nothing can be read at one moment, and no limit set for one statement, where each statement may meet another backend:
/// that is said, and not taken for a crash.
async fn in_statement_mode(installation: &Installation) {
    let server = Server::start(&throwaway_postgres::Options {
        tcp: true,
        ..test::options(installation)
    })
    .unwrap();
    let Some(pooler) = Pooler::start(&server, "statement", 1).unwrap() else {
        return;
    };
    let url: DatabaseUrl = pooler.url("postgres").parse().unwrap();
    let opened = Session::open(&url, &limits(), &CancellationToken::new()).await;
    let error = opened.err().unwrap();
    assert_eq!(error.code(), "session_ended", "{error}");
    let text = error.to_string();
    assert!(text.contains("statement pooling mode"), "{text}");
    assert!(!text.contains("crashed"), "{text}");
}
