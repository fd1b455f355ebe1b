//! The store behind a pooler: in transaction mode each transaction may meet another backend, and what one
//! sets there for longer would be somebody else's.

use std::sync::Arc;

use plimsoll_core::sample::SampleKind;
use plimsoll_store::StoreError;
use throwaway_postgres::{Options, Pooler, Server, on_every_major, test};

use crate::fleet::{moves, use_everything};
use crate::fresh::Fresh;
use crate::world::{World, at};

/// A server that listens on TCP, as a pooler asks it.
fn server(major: u32) -> Option<&'static Server> {
    let options = Options {
        tcp: true,
        ..test::options(&test::installed(major)?)
    };
    Some(Box::leak(Box::new(Server::start(&options).unwrap())))
}

/// A store whose URL names the pooler.
async fn behind(pooler: &Pooler, server: &'static Server, database: &str) -> Fresh {
    server
        .sql("postgres", &format!("create database {database}"))
        .unwrap();
    let mut fresh = Fresh::in_database(server, database).await;
    fresh.url = pooler.url(database);
    fresh.store = plimsoll_store::open(&fresh.url).unwrap();
    fresh
}

async fn works_in_mode(mode: &str, connections: usize) {
    let Some(server) = server(18) else { return };
    let Some(pooler) = Pooler::start(server, mode, connections).unwrap() else {
        return;
    };
    let fresh = behind(&pooler, server, "history").await;
    fresh.store.migrate().await.unwrap();
    use_everything(&fresh).await;
    moves(&fresh, &behind(&pooler, server, "moved").await).await;
    let scheduled_for = at("2026-01-01T00:00:00Z");
    let stale_after = std::time::Duration::from_secs(60);
    let claim = fresh.store.claim("watch", scheduled_for, stale_after).await;
    let _ = fresh
        .store
        .finish(claim.unwrap().unwrap(), "ok", "")
        .await
        .unwrap();
    fresh.store.footprint().await.unwrap();
    fresh
        .store
        .shrink(1, at("2027-01-01T00:00:00Z"))
        .await
        .unwrap()
        .unwrap();

    // two programs, many at once, over fewer backends than either wants
    let other = plimsoll_store::open(&fresh.url).unwrap();
    let samples = (0..24).map(|n| {
        let store = if n % 2 == 0 {
            Arc::clone(&fresh.store)
        } else {
            Arc::clone(&other)
        };
        tokio::spawn(async move {
            let mut world = World::new(&format!("instance {n}"), "app");
            world.add(1000, "public", "t", 8192);
            for day in ["2026-01-05T03:00:00Z", "2026-01-06T03:00:00Z"] {
                let (snapshot, due) = (world.snapshot(at(day)), Some(at(day)));
                store
                    .record_sample(&snapshot, SampleKind::Daily, due)
                    .await?;
            }
            store.last_good(&world.key()).await
        })
    });
    for sample in futures_util::future::join_all(samples).await {
        sample.unwrap().unwrap();
    }

    // nothing of ours stays behind on a backend that is a stranger's next
    let url: plimsoll_connect::DatabaseUrl = pooler.url("history").parse().unwrap();
    let stranger = url
        .connect("stranger", std::time::Duration::from_secs(10))
        .await
        .unwrap();
    let sql = "select concat_ws(' ', current_setting('search_path'), current_setting('statement_timeout'),
            current_setting('row_security'), (select count(*) from pg_prepared_statements),
            (select count(*) from pg_locks where locktype = 'advisory'))";
    for _ in 0..connections {
        let row = stranger.client.query_typed_one(sql, &[]).await.unwrap();
        assert_eq!(
            row.try_get::<_, &str>(0).unwrap(),
            "\"$user\", public 0 on 0 0"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_pooler_in_transaction_mode_everything_works() {
    works_in_mode("transaction", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_pooler_that_has_one_connection_everything_works() {
    works_in_mode("transaction", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_in_statement_mode_is_refused_by_name() {
    let Some(server) = server(18) else { return };
    let Some(pooler) = Pooler::start(server, "statement", 2).unwrap() else {
        return;
    };
    let store = plimsoll_store::open(&pooler.url("postgres")).unwrap();
    for error in [
        store.ping().await.unwrap_err(),
        store.migrate().await.unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Denied { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.contains("statement mode") && text.contains("mode transaction or session"),
            "{text}"
        );
    }
}

on_every_major! {
    /// A server that was lost in the middle is asked once more; in doubt, what was kept is not kept twice.
    async fn what_was_lost_in_mid_transaction_is_done_once_more(server: &Server) {
        let fresh = Fresh::postgres(server, "lost_midway").await;
        let mut world = World::new("main", "app");
        world.add(1000, "public", "t", 8192);
        fresh.keep(&world, at("2026-01-05T03:00:00Z")).await;
        // the backend ends itself in the middle of the first transaction that writes a sample, or claims
        server.sql("lost_midway", "
            create function public.blow() returns trigger language plpgsql as $$
            begin
                if (select last_value from public.blown) = 1 then
                    perform pg_catalog.nextval('public.blown'), pg_catalog.nextval('public.blown');
                    perform pg_catalog.pg_terminate_backend(pg_catalog.pg_backend_pid());
                    perform pg_catalog.pg_sleep(1);
                end if;
                return new;
            end $$;
            create sequence public.blown;
            create trigger blow before insert on plimsoll.samples for each row execute function public.blow();
            create trigger blow before insert or update on plimsoll.jobs for each row execute function public.blow()
            ").unwrap();
        fresh.keep(&world, at("2026-01-06T03:00:00Z")).await;
        assert_eq!(fresh.all(&world).await.len(), 2);
        server.sql("lost_midway", "alter sequence public.blown restart").unwrap();
        let stale_after = std::time::Duration::from_secs(60);
        let claim = fresh.store.claim("watch", at("2026-01-01T00:00:00Z"), stale_after).await;
        assert!(claim.unwrap().is_some());
    }
}
