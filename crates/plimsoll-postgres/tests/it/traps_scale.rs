//! Traps 35, 38, 46, 47: what many tables cost the server stays bounded, and each version is asked what it knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use plimsoll_core::snapshot::Method;
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, on_every_major};

use crate::sizing::{assert_exact, database, number, run, see, see_again};
use crate::traps_changes::settle;

/// Four relations each: more than one backend is given.
const TABLES: u32 = 3_200;

const MANY: &str = "do $$ begin
    for i in 1..3200 loop execute format('create table t%s (id int primary key, doc text)', i); end loop;
    insert into t1 select g, 'one' from generate_series(1, 1000) g;
end $$";

/// The file with a database's counters, which PostgreSQL 13 and 14 write when somebody asks for them.
fn statistics_file(server: &Server, database: &str) -> std::path::PathBuf {
    let sql = format!("select oid::int8 from pg_database where datname = '{database}'");
    let oid = number(server, "postgres", &sql);
    server.data_dir().join(format!("pg_stat_tmp/db_{oid}.stat"))
}

on_every_major! {
    async fn trap_38_many_relations_are_sized_by_backends_of_bounded_memory(server: &Server) {
        database(server, "trap_38", MANY);
        let snapshot = see(server, "trap_38", MethodChoice::Functions).await;
        assert_exact(server, "trap_38", &snapshot);
        assert!(snapshot.tables.len() > TABLES as usize);
        assert!(snapshot.cost.connections >= 2, "one backend opened everything");
        match snapshot.cost.backend_memory_bytes {
            Some(bytes) => {
                assert!(server.major() >= 14);
                // The usual way: everything in one backend.
                let mut usual = server.session("trap_38").unwrap();
                usual.run("select sum(pg_total_relation_size(relid)) from pg_stat_all_tables").unwrap();
                let sql = "select sum(total_bytes)::int8 from pg_backend_memory_contexts";
                let rows = usual.run(sql).unwrap();
                let usual: u64 = rows[0][0].as_deref().unwrap().parse().unwrap();
                assert!(bytes <= 64 << 20, "{bytes}");
                assert!(bytes < usual, "{bytes}, the usual way {usual}");
            }
            None => assert!(server.major() < 14, "{:?}", snapshot.cost.backend_memory_unknown),
        }
    }

    async fn trap_46_listing_files_spills_nothing_on_the_server(server: &Server) {
        database(server, "trap_46", MANY);
        run(server, "postgres", "alter database trap_46 set work_mem = '64kB'");
        let temp_bytes = || {
            settle(server, "trap_46");
            number(server, "postgres", "select temp_bytes from pg_stat_database where datname = 'trap_46'")
        };
        let before = temp_bytes();
        let snapshot = see(server, "trap_46", MethodChoice::Files).await;
        assert_eq!(snapshot.method, Method::Files);
        assert_exact(server, "trap_46", &snapshot);
        assert_eq!(temp_bytes(), before);
        // So much is listed that it spills for whoever does nothing about it.
        run(server, "trap_46", "select count(*) from pg_database d, pg_ls_dir('base/' || d.oid) where d.datname = current_database()");
        assert!(temp_bytes() > before);
    }

    async fn trap_47_reading_all_counters_leaves_no_copy_of_them_behind(server: &Server) {
        database(server, "trap_47", MANY);
        settle(server, "trap_47");
        if server.major() >= 15 {
            let mut usual = server.session("trap_47").unwrap();
            let copied = usual.run(
                "begin;
                 select sum(pg_stat_get_live_tuples(oid)) from pg_class;
                 select sum(total_bytes)::int8 from pg_backend_memory_contexts",
            ).unwrap();
            let usual: u64 = copied.last().unwrap()[0].as_deref().unwrap().parse().unwrap();
            let snapshot = see(server, "trap_47", MethodChoice::Files).await;
            let bytes = snapshot.cost.backend_memory_bytes.unwrap();
            assert!(bytes < usual, "{bytes}, with a copy of the counters {usual}");
            return;
        }
        // Each reading costs the server one writing of the database's counters.
        let file = statistics_file(server, "trap_47");
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let watching = std::thread::spawn(move || {
            let mut seen = BTreeSet::new();
            while !told.load(Ordering::Relaxed) {
                let modified = std::fs::metadata(&file).and_then(|file| file.modified());
                seen.extend(modified.ok());
                std::thread::sleep(Duration::from_millis(1));
            }
            seen.len()
        });
        let snapshot = see(server, "trap_47", MethodChoice::Files).await;
        stop.store(true, Ordering::Relaxed);
        let written = watching.join().unwrap();
        assert_exact(server, "trap_47", &snapshot);
        // The first may have been there before.
        assert!((1..=3).contains(&written), "{written} times");
    }

    async fn trap_35_each_version_is_asked_what_it_knows(server: &Server) {
        database(server, "trap_35", "create table t as select generate_series(1, 100) as n; analyze t");
        run(server, "postgres", "select pg_create_physical_replication_slot('trap_35', true)");
        let major = server.major();
        let mut memory = Memory::default();
        for method in [MethodChoice::Files, MethodChoice::Functions, MethodChoice::Changes, MethodChoice::Changes] {
            settle(server, "trap_35");
            let snapshot = see_again(server, "trap_35", method, &mut memory).await;
            assert_exact(server, "trap_35", &snapshot);
            assert_eq!(snapshot.server.major(), major);
            // What every supported version has.
            let kept = snapshot.facts.wal.retained_by.each();
            let slot = kept.iter().find(|kept| kept.name == "trap_35").unwrap();
            assert!(slot.wal_status.is_some(), "{slot:?}");
            // Since 14 a backend's memory can be read; before, the reason stands in its place.
            assert_eq!(snapshot.cost.backend_memory_bytes.is_some(), major >= 14);
            assert_eq!(snapshot.cost.backend_memory_unknown.is_none(), major >= 14);
        }
        run(server, "postgres", "select pg_drop_replication_slot('trap_35')");
    }
}
