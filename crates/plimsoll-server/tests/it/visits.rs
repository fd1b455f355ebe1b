//! One visit at a time, shared by all who ask; last good values where something cannot be read.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use plimsoll_postgres::MethodChoice;
use plimsoll_server::settings::Databases;
use throwaway_postgres::on_every_major;

use crate::service::{Service, at, watched};

on_every_major! {
    async fn requests_at_the_same_time_share_one_visit(server: &Server) {
        server.sql("postgres", "create database shared_visit").unwrap();
        let service = Service::of(vec![watched("main", &server.url("shared_visit"))]).await;
        let sessions = || {
            let sql = "select sessions::text from pg_stat_database where datname = 'shared_visit'";
            let sessions = server.sql("postgres", sql);
            sessions.ok().and_then(|rows| rows[0][0].as_ref().unwrap().parse::<u64>().ok())
        };
        let before = sessions();
        let asked = join_all((0..50).map(|_| service.json("/api/storage/sizes?wait=30"))).await;
        let cost: BTreeSet<_> = asked.iter().map(|sizes| sizes["cost"]["server_ms"].to_string()).collect();
        let took: BTreeSet<_> = asked.iter().map(|sizes| sizes["took_ms"].to_string()).collect();
        assert_eq!((cost.len(), took.len()), (1, 1), "fifty answers from one visit");
        // `sessions` counts since PostgreSQL 14
        if let (Some(before), Some(after)) = (before, sessions()) {
            assert!(after - before <= 1, "{before} sessions before, {after} after");
        }
        // fifty samples asked for at once are one sample, too
        let samples = join_all((0..50).map(|_| service.post("/api/storage/samples"))).await;
        let ids: BTreeSet<_> = samples.iter().map(|sample| sample.json()["id"].as_i64()).collect();
        assert_eq!(ids.len(), 1);
    }

    async fn a_visit_that_waited_for_its_turn_is_dated_by_its_beginning(server: &Server) {
        for name in ["turn_first", "turn_second"] {
            server.sql("postgres", &format!("create database {name}")).unwrap();
        }
        // the first one does not end before its gate is open
        server.sql("turn_first", "
            create table gate ();
            create table opened (id int);
            alter function pg_catalog.pg_relation_size(regclass, text) rename to real_relation_size;
            create function pg_catalog.pg_relation_size(of regclass, fork text) returns bigint language plpgsql as $$
            begin
                while not exists (select from public.opened) loop
                    perform pg_sleep(0.01);
                end loop;
                return pg_catalog.real_relation_size(of, fork);
            end $$").unwrap();
        let mut watched = watched("main", &server.url("turn_first"));
        watched.databases = Databases::Listed(vec!["turn_first".to_owned(), "turn_second".to_owned()]);
        watched.visit.method = MethodChoice::Functions;
        let service = Service::of(vec![watched]).await;
        let sample = |name: &'static str| {
            let service = &service;
            async move { service.post(&format!("/api/storage/samples?database={name}")).await.json() }
        };
        let later = at("2026-03-10T13:00:00Z");
        let turns = async {
            let began = |name| service.watch.select(None, Some(name)).unwrap().visit_began_at();
            while began("turn_first").is_none() || began("turn_second").is_none() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            service.clock.set(later);
            server.sql("turn_first", "insert into opened values (1)").unwrap();
        };
        let (_, second, ()) = tokio::join!(sample("turn_first"), sample("turn_second"), turns);
        assert_eq!(second["sampled_at"], format!("{later:.3}"), "{second}");
    }

    async fn a_snapshot_is_answered_while_it_is_fresh(server: &Server) {
        server.sql("postgres", "create database fresh").unwrap();
        let service = Service::of(vec![watched("main", &server.url("fresh"))]).await;
        let first = service.json("/api/storage/sizes").await;
        service.clock.set(at("2026-03-10T12:00:00.500Z"));
        assert_eq!(service.json("/api/storage/sizes").await["measured_at"], first["measured_at"]);
        // `max_age` makes visits rarer, never more frequent
        let same = service.json("/api/storage/sizes?max_age=0").await;
        assert_eq!(same["measured_at"], first["measured_at"]);
        // only whoever takes a sample forces a visit
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        let forced = service.json("/api/storage/sizes").await;
        assert_eq!(forced["measured_at"], "2026-03-10T12:00:00.500Z");
        service.clock.set(at("2026-03-10T12:10:00Z"));
        assert_eq!(service.json("/api/storage/sizes?max_age=900").await["measured_at"], forced["measured_at"]);
        service.clock.set(at("2026-03-10T12:15:00.500Z"));
        let later = service.json("/api/storage/sizes?wait=30").await;
        assert_eq!(later["measured_at"], "2026-03-10T12:15:00.500Z", "nothing is fresh for 15 minutes and more");
        service.clock.set(at("2026-03-10T11:00:00Z"));
        let back = service.json("/api/storage/sizes?wait=30").await;
        assert_eq!(back["measured_at"], "2026-03-10T11:00:00.000Z", "a snapshot from the future is not fresh");
    }

    async fn a_locked_table_shows_its_last_good_size(server: &Server) {
        server.sql("postgres", "create database last_good").unwrap();
        server.sql("last_good", "create table t (id int primary key); insert into t select generate_series(1, 10000)").unwrap();
        let mut main = watched("main", &server.url("last_good"));
        main.visit.method = plimsoll_postgres::MethodChoice::Functions;
        let service = Service::of(vec![main]).await;
        let before = service.post("/api/storage/samples").await.json();
        let mut holder = server.session("last_good").unwrap();
        holder.run("begin; lock table t in access exclusive mode").unwrap();
        service.clock.set(at("2026-03-10T13:00:00Z"));
        let sizes = service.json("/api/storage/sizes?wait=30").await;
        let row = &sizes["tables"][0];
        assert_eq!(row["status"], "locked");
        assert_eq!(row["size_source"], "last_good");
        assert_eq!(row["size_bytes"], before["table_sizes"]["t"]);
        assert_eq!(row["last_good_at"], "2026-03-10T12:00:00.000Z");
        let bytes = |field: &str| sizes[field].as_u64().unwrap();
        assert!(bytes("estimated_bytes") > 0 && bytes("estimated_bytes") <= bytes("attributed_bytes"));
        assert_eq!(
            bytes("total_bytes"),
            bytes("attributed_bytes") + sizes["unattributed_bytes"].as_u64().unwrap_or(0) + bytes("unmeasured_bytes")
        );
        holder.run("rollback").unwrap();
    }
}
