//! Trap 30: a standby's replay cancels statements, which are tried again.

use throwaway_postgres::{Installation, Server, test};

use crate::session::open;

throwaway_postgres::on_own_server! {
    trap_30_what_replay_cancels_is_tried_again => replay_conflict,
}

async fn replay_conflict(installation: &Installation) {
    let primary = Server::start(&test::options(installation)).unwrap();
    let eager = [("max_standby_streaming_delay".to_owned(), "0".to_owned())];
    let standby = primary.standby(&eager).unwrap();
    primary
        .sql(
            "postgres",
            "create table t as select generate_series(1, 1000) a",
        )
        .unwrap();
    standby.wait_for(&primary).unwrap();
    let session = open(&standby.url("postgres")).await.unwrap();
    let (mut rows, sql) = (0, "select pg_sleep(2), count(*) from public.t");
    let running = session.stream(sql, &[], |_| {
        rows += 1;
        Ok(())
    });
    let vacuuming = async {
        // before that, replay would end the session and not the statement
        while asleep(&standby) == "0" {
            tokio::task::yield_now().await;
        }
        primary.sql("postgres", "delete from t").unwrap();
        primary.sql("postgres", "vacuum t").unwrap();
        tokio::task::block_in_place(|| standby.wait_for(&primary).unwrap());
    };
    let (result, ()) = futures_util::future::join(running, vacuuming).await;
    result.unwrap();
    assert_eq!(rows, 1);
    assert!(
        standby
            .log()
            .contains("canceling statement due to conflict with recovery")
    );
}

/// How many statements of ours sleep, so are in the middle of their work.
fn asleep(server: &Server) -> String {
    let sql = "select count(*) from pg_stat_activity where application_name = 'plimsoll' and wait_event = 'PgSleep'";
    server.sql("postgres", sql).unwrap()[0][0].clone().unwrap()
}
