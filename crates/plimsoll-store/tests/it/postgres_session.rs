//! What the store's connections are safe from: what the database's owner planted, who reads for long,
//! servers that go, and each other.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_store::SeriesQuery;
use plimsoll_store::transfer::csv::Options;
use plimsoll_store::transfer::{csv, pghero};
use throwaway_postgres::{on_every_major, test};

use crate::fleet::use_everything;
use crate::fresh::Fresh;
use crate::world::{World, at};

/// Operators and functions that the store's statements use, planted in a schema that the database has on
/// its path before PostgreSQL's own. Each notes that it ran, as whom.
const PLANT: &str = "
    create table public.executed (name text, role text);
    grant all on public.executed to public;
    create function public.note(name text) returns void language sql as
        $$ insert into public.executed values (name, current_user) $$;
    create function public.eq(a integer, b integer) returns boolean language plpgsql as
        $$ begin perform public.note('=(integer)'); return int4eq(a, b); end $$;
    create operator public.= (leftarg = integer, rightarg = integer, function = public.eq);
    create function public.eq(a text, b text) returns boolean language plpgsql as
        $$ begin perform public.note('=(text)'); return texteq(a, b); end $$;
    create operator public.= (leftarg = text, rightarg = text, function = public.eq);
    create function public.le(a bigint, b bigint) returns boolean language plpgsql as
        $$ begin perform public.note('<=(bigint)'); return int8le(a, b); end $$;
    create operator public.<= (leftarg = bigint, rightarg = bigint, function = public.le);
    create function public.lt(a bigint, b bigint) returns boolean language plpgsql as
        $$ begin perform public.note('<(bigint)'); return int8lt(a, b); end $$;
    create operator public.< (leftarg = bigint, rightarg = bigint, function = public.lt);
    create function public.pg_advisory_xact_lock(key bigint) returns void language plpgsql as
        $$ begin perform public.note('lock'); perform pg_catalog.pg_advisory_xact_lock(key); end $$;
    create function public.clock_timestamp() returns timestamptz language plpgsql as
        $$ begin perform public.note('clock'); return pg_catalog.clock_timestamp(); end $$;
    create function public.set_config(text, text, boolean) returns text language plpgsql as
        $$ begin perform public.note('set_config'); return pg_catalog.set_config($1, $2, $3); end $$;
    create function public.larger(a bigint, b bigint) returns bigint language plpgsql as
        $$ begin perform public.note('max'); return int8larger(a, b); end $$;
    create aggregate public.max(bigint) (sfunc = public.larger, stype = bigint);
    create function public.unnest(integer[]) returns setof integer language plpgsql as
        $$ begin perform public.note('unnest'); return query select pg_catalog.unnest($1); end $$";

on_every_major! {
    async fn nothing_that_the_databases_owner_planted_runs_as_the_store(server: &Server) {
        server.sql("postgres", "create database planted").unwrap();
        server.sql("planted", PLANT).unwrap();
        server.sql("postgres", "alter database planted set search_path = public, pg_catalog").unwrap();
        // they would be found: a session that is not pinned runs them
        server.sql("planted", "select 1::integer = 1::integer").unwrap();
        let found = server.sql("planted", "select name from public.executed").unwrap();
        assert_eq!(found.last().unwrap()[0].as_deref(), Some("=(integer)"));
        server.sql("planted", "truncate public.executed").unwrap();

        let fresh = Fresh::in_database(server, "planted").await;
        use_everything(&fresh).await;
        let scheduled_for = at("2026-01-01T00:00:00Z");
        let claim = fresh.store.claim("watch", scheduled_for, std::time::Duration::from_secs(60)).await;
        let _ = fresh.store.finish(claim.unwrap().unwrap(), "ok", "").await.unwrap();
        fresh.store.size_bytes().await.unwrap();
        fresh.store.footprint().await.unwrap();
        let executed = server.sql("planted", "select name, count(*)::text from public.executed group by 1").unwrap();
        let executed: Vec<_> = executed.into_iter().filter(|row| !row.is_empty()).collect();
        assert!(executed.is_empty(), "{executed:?}");
    }

    async fn an_import_reads_pghero_s_own_table_and_no_view_of_that_name(server: &Server) {
        server.sql("postgres", "create database view_of_pghero").unwrap();
        server.sql("view_of_pghero", "
            create table executed (at timestamptz);
            create function run() returns text language sql as
                $$ insert into public.executed values (pg_catalog.now()) returning 'public'::text $$;
            create view pghero_space_stats as
                select 'app'::text as database, run() as schema, 't'::text as relation,
                    1::bigint as size, timestamp '2026-01-01' as captured_at").unwrap();
        let fresh = Fresh::sqlite().await;
        let of = World::new("main", "app").key();
        let url = server.url("view_of_pghero");
        let error = pghero::read(&url).await.unwrap_err();
        assert!(error.to_string().contains("public.pghero_space_stats is no ordinary table"), "{error}");
        // one that is read is read without what the database has on its path
        server.sql("view_of_pghero", "drop view pghero_space_stats").unwrap();
        server.sql("view_of_pghero", "drop table executed").unwrap();
        server.sql("view_of_pghero", PLANT).unwrap();
        server.sql("view_of_pghero", "
            create table pghero_space_stats (database text, schema text, relation text, size bigint,
                captured_at timestamp);
            insert into pghero_space_stats values ('app', 'public', 't', 8192, '2026-01-01')").unwrap();
        server.sql("postgres", "alter database view_of_pghero set search_path = public, pg_catalog").unwrap();
        let file = pghero::read(&url).await.unwrap();
        csv::import(&*fresh.store, &of, file, &Options::default()).await.unwrap();
        let executed = server.sql("view_of_pghero", "select count(*)::text from public.executed").unwrap();
        assert_eq!(executed.last().unwrap()[0].as_deref(), Some("0"));
    }

    async fn who_reads_for_long_holds_up_no_sample_of_a_new_week(server: &Server) {
        let fresh = Fresh::postgres(server, "long_reader").await;
        let mut world = World::new("main", "app");
        world.add(1000, "public", "t", 8192);
        fresh.keep(&world, at("2026-01-05T03:00:00Z")).await;
        let mut reader = server.session("long_reader").unwrap();
        reader.run("begin; select count(*) from plimsoll.table_values").unwrap();
        let mut writer = server.session("long_reader").unwrap();
        writer.run("begin; lock table plimsoll.table_values in row exclusive mode").unwrap();
        // far beyond what was made ahead
        fresh.keep(&world, at("2027-01-04T03:00:00Z")).await;
        reader.run("rollback").unwrap();
        writer.run("rollback").unwrap();
    }

    async fn a_server_that_was_restarted_is_not_noticed(server: &Server) {
        let fresh = Fresh::postgres(server, "cut").await;
        let mut world = World::new("main", "app");
        world.add(1000, "public", "t", 8192);
        fresh.keep(&world, at("2026-01-05T03:00:00Z")).await;
        let pings = (0..6).map(|_| fresh.store.ping());
        futures_util::future::try_join_all(pings).await.unwrap();
        server.sql("postgres", "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'cut'").unwrap();
        for minute in 1..4 {
            fresh.keep(&world, at("2026-01-05T03:00:00Z") + SignedDuration::from_mins(minute)).await;
        }
        fresh.store.database_series(&world.key(), &SeriesQuery::default()).await.unwrap();
    }
}

/// More at once than there are connections, all in a week that nobody has written into.
#[tokio::test(flavor = "multi_thread")]
async fn many_databases_of_a_new_week_wait_for_no_second_connection() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let fresh = Fresh::postgres(server, "many_at_once").await;
    for week in ["2026-01-05T03:00:00Z", "2026-06-01T03:00:00Z"] {
        let week: Timestamp = at(week);
        let samples = (0..24).map(|n| {
            let store = std::sync::Arc::clone(&fresh.store);
            tokio::spawn(async move {
                let mut world = World::new(&format!("instance {n}"), "app");
                world.add(1000, "public", "t", 8192);
                let snapshot = world.snapshot(week);
                store
                    .record_sample(&snapshot, SampleKind::Watch, Some(week))
                    .await
            })
        });
        for sample in futures_util::future::join_all(samples).await {
            sample.unwrap().unwrap();
        }
    }
}
