//! Traps 5, 20, 21, 22, 29, 30, 40: what happens beside a visit, and what a crash or a standby makes of
//! sizes and rows.

use plimsoll_core::size::{SizeSource, Status};
use plimsoll_core::snapshot::{Persistence, RowCountSource, Snapshot, Table, UnattributedCause};
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Installation, Server, on_every_major, test};

use crate::sizing::{
    BOTH, assert_exact, bytes, database, number, options, run, see, see_again, see_while, table,
    total_size, try_visit, url_as,
};

fn unattributed(snapshot: &Snapshot, cause: UnattributedCause) -> u64 {
    snapshot
        .unattributed
        .iter()
        .filter(|found| found.cause == cause)
        .map(|found| found.bytes)
        .sum()
}

fn find<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a Table> {
    snapshot.tables.iter().find(|t| &*t.table_name == name)
}

on_every_major! {
    async fn trap_05_a_table_dropped_during_the_visit_is_dropped_and_not_zero(server: &Server) {
        for (at, method) in BOTH.into_iter().enumerate() {
            let name = format!("trap_05_{at}");
            database(server, &name, "
                create table going (id int primary key, doc text);
                create table staying (id int primary key, doc text);
                insert into going select g, repeat('g', 2000) from generate_series(1, 500) g;
                insert into staying select * from going;
                analyze");
            let snapshot = see_while(server, &name, method, || run(server, &name, "drop table going")).await;
            let going = table(&snapshot, "public", "going");
            assert_eq!(going.size().status, Status::Dropped);
            assert_eq!(going.size().bytes, None, "neither 0 nor what it once had");
            assert_eq!(going.size().source, SizeSource::None);
            assert_eq!(going.indexes[0].storage.size.status, Status::Dropped);
            let staying = table(&snapshot, "public", "staying");
            assert_eq!(staying.size().bytes, Some(total_size(server, &name, staying.oid)));
            assert!(find(&see(server, &name, method).await, "going").is_none());
        }
    }

    async fn trap_40_what_is_rewritten_during_the_visit_keeps_its_own_bytes(server: &Server) {
        let tables = "
            create table rewritten (id int primary key, doc text);
            create table truncated (id int primary key, doc text);
            create table swapped_a (id int primary key, doc text);
            create table swapped_b (id int primary key, doc text);
            create table toasted (id int primary key);
            insert into rewritten select g, repeat('r', 900) from generate_series(1, 900) g;
            insert into truncated select * from rewritten;
            insert into swapped_a select * from rewritten;
            insert into swapped_b select * from rewritten where id < 50;
            insert into toasted select g from generate_series(1, 900) g;
            delete from rewritten where id > 300";
        for (at, method) in BOTH.into_iter().enumerate() {
            let name = format!("trap_40_{at}");
            database(server, &name, tables);
            let snapshot = see_while(server, &name, method, || {
                for sql in [
                    "vacuum full rewritten",
                    "truncate truncated",
                    "alter table swapped_a rename to swapped; alter table swapped_b rename to swapped_a",
                    "reindex table swapped_a",
                    "alter table toasted add column doc text",
                    "create table fresh (id int primary key, doc text)",
                    "insert into fresh select g, repeat('f', 900) from generate_series(1, 900) g",
                ] {
                    run(server, &name, sql);
                }
            }).await;
            for table in snapshot.tables.iter().filter(|t| t.kind.is_listed()) {
                assert_eq!(
                    table.size().bytes.unwrap_or(0), total_size(server, &name, table.oid),
                    "{} by {method:?}", table.table_name
                );
                assert_eq!(table.size().status, Status::Ok, "{}", table.table_name);
                assert!(!table.table_name.starts_with("pg_toast"), "{}", table.table_name);
            }
            if method == MethodChoice::Files {
                // Created after the catalog was read, and there all the same.
                assert!(bytes(&snapshot, "fresh") > 800_000);
                assert!(table(&snapshot, "public", "toasted").toast.is_some());
                let size = number(server, &name, "select pg_database_size(current_database())");
                let totals = &snapshot.totals;
                assert!(totals.total_bytes.unwrap().abs_diff(size) < 4_000_000, "{totals:?} {size}");
            }
            assert_exact(server, &name, &see(server, &name, method).await);
        }
    }

    async fn trap_20_21_what_no_relation_owns_has_its_cause(server: &Server) {
        database(server, "trap_20", "create table t (id int); insert into t select generate_series(1, 20000)");
        let mut session = server.session("trap_20").unwrap();
        session.run("begin; create table unborn as select g as id from generate_series(1, 50000) g").unwrap();
        let mut memory = Memory::default();
        for _ in 0..3 {
            let snapshot = see_again(server, "trap_20", MethodChoice::Files, &mut memory).await;
            // As long as its transaction runs, it is not orphaned.
            assert!(unattributed(&snapshot, UnattributedCause::Uncommitted) > 1_500_000, "{:?}", snapshot.unattributed);
            assert_eq!(unattributed(&snapshot, UnattributedCause::Orphaned), 0);
            assert!(unattributed(&snapshot, UnattributedCause::ServerFiles) > 8192);
            let server_files = snapshot.unattributed.iter().find(|u| u.cause == UnattributedCause::ServerFiles).unwrap();
            assert!(server_files.largest.iter().any(|file| file.path.ends_with("/pg_filenode.map")), "{server_files:?}");
            assert_eq!(snapshot.totals.total_bytes, Some(number(server, "trap_20", "select pg_database_size(current_database())")));
            assert!(find(&snapshot, "unborn").is_none());
            let functions = see(server, "trap_20", MethodChoice::Functions).await;
            assert_eq!(functions.totals, snapshot.totals);
        }
        session.run("rollback").unwrap();
        drop(session);
        // A dropped table is gone at once, though its first file stays, empty, until the checkpoint.
        let before = see_again(server, "trap_20", MethodChoice::Files, &mut memory).await.totals.total_bytes.unwrap();
        let mut idle = server.session("trap_20").unwrap();
        idle.run("select count(*) from t").unwrap();
        run(server, "trap_20", "drop table t");
        for _ in 0..3 {
            let snapshot = see_again(server, "trap_20", MethodChoice::Files, &mut memory).await;
            assert!(snapshot.totals.total_bytes.unwrap() < before - 700_000);
            assert_eq!(unattributed(&snapshot, UnattributedCause::Orphaned), 0, "{:?}", snapshot.unattributed);
            assert_eq!(unattributed(&snapshot, UnattributedCause::Uncommitted), 0, "{:?}", snapshot.unattributed);
        }
    }

    async fn trap_52_a_role_with_two_functions_lists_every_tablespace(server: &Server) {
        let place = server.make_folder("trap_52").unwrap();
        run(server, "postgres", &format!("create tablespace trap_52 location '{}'", place.display()));
        run(server, "postgres", "create role trap_52 login");
        database(server, "trap_52", "
            create table here (id int);
            insert into here select generate_series(1, 9000);
            create table there (id int primary key) tablespace trap_52;
            insert into there select generate_series(1, 9000);
            grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean) to trap_52");
        // Absolute paths are refused to it.
        let mut plain = server.session("trap_52").unwrap();
        plain.run("set role trap_52").unwrap();
        assert!(plain.run(&format!("select pg_ls_dir('{}', true, false)", place.display())).is_err());
        let url = url_as(server, "trap_52", "trap_52");
        let snapshot = try_visit(&url, &options(MethodChoice::Auto), &mut Memory::default()).await.unwrap();
        assert_eq!(snapshot.method.as_str(), "files");
        assert_exact(server, "trap_52", &snapshot);
        assert_eq!(snapshot.totals.total_bytes, Some(number(server, "trap_52", "select pg_database_size(current_database())")));
        // The method is chosen per database: the grant holds in that one only.
        let url = url_as(server, "trap_52", "postgres");
        let snapshot = try_visit(&url, &options(MethodChoice::Auto), &mut Memory::default()).await.unwrap();
        assert_eq!(snapshot.method.as_str(), "functions");
        // Asked for and refused: an error that says what to do.
        let error = try_visit(&url, &options(MethodChoice::Files), &mut Memory::default()).await.unwrap_err();
        assert_eq!(error.code(), "permission_denied");
        run(server, "trap_52", "drop owned by trap_52; drop role trap_52");
    }
}

throwaway_postgres::on_own_server! {
    trap_20_files_that_a_crash_left_are_orphans => orphans,
    trap_22_29_a_crash_empties_unlogged_tables_and_counters => crash,
    trap_22_30_a_standby_is_sized_like_a_primary => standby,
}

async fn orphans(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    database(&server, "app", "create table t (id int)");
    let mut session = server.session("app").unwrap();
    session
        .run("begin; create table lost as select g as id from generate_series(1, 60000) g; select pg_switch_wal()")
        .unwrap();
    run(&server, "app", "checkpoint");
    server.crash().unwrap();
    drop(session);
    server.start_again().unwrap();

    let mut memory = Memory::default();
    let first = see_again(&server, "app", MethodChoice::Files, &mut memory).await;
    assert!(
        unattributed(&first, UnattributedCause::Uncommitted) > 2_000_000,
        "seen once, it may be anybody's"
    );
    // What may have made it is whatever runs beside the first visit.
    let mut running = server.session("app").unwrap();
    running.run("begin; insert into t values (1)").unwrap();
    let mut memory = Memory::default();
    for _ in 0..2 {
        let beside = see_again(&server, "app", MethodChoice::Files, &mut memory).await;
        assert_eq!(unattributed(&beside, UnattributedCause::Orphaned), 0);
    }
    running.run("commit").unwrap();
    let second = see_again(&server, "app", MethodChoice::Files, &mut memory).await;
    assert!(
        unattributed(&second, UnattributedCause::Orphaned) > 2_000_000,
        "{:?}",
        second.unattributed
    );
    assert_eq!(unattributed(&second, UnattributedCause::Uncommitted), 0);
    let orphaned = second
        .unattributed
        .iter()
        .find(|u| u.cause == UnattributedCause::Orphaned)
        .unwrap();
    let file = server.data_dir().join(&orphaned.largest[0].path);
    assert!(file.exists(), "{}", file.display());
    let size = number(
        &server,
        "app",
        "select pg_database_size(current_database())",
    );
    assert_eq!(second.totals.total_bytes, Some(size));
}

async fn crash(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    database(
        &server,
        "app",
        "
        create unlogged table scratch (id int primary key, doc text);
        create table kept (id int primary key, doc text);
        insert into scratch select g, repeat('s', 100) from generate_series(1, 5000) g;
        insert into kept select * from scratch;
        analyze",
    );
    run(&server, "app", "checkpoint");
    for method in BOTH {
        let snapshot = see(&server, "app", method).await;
        let scratch = table(&snapshot, "public", "scratch");
        assert_eq!(scratch.persistence, Persistence::Unlogged);
        // The index's init fork has a page, the table's has none.
        assert_exact(&server, "app", &snapshot);
        assert!(
            number(
                &server,
                "app",
                "select pg_relation_size('scratch_pkey', 'init')"
            ) > 0
        );
        assert_eq!(table(&snapshot, "public", "kept").rows.count, Some(5000));
    }
    server.crash().unwrap();
    server.start_again().unwrap();
    for method in BOTH {
        let snapshot = see(&server, "app", method).await;
        assert_exact(&server, "app", &snapshot);
        let scratch = table(&snapshot, "public", "scratch");
        assert_eq!(scratch.persistence, Persistence::Unlogged);
        assert_eq!(
            scratch.heap.size.bytes,
            Some(0),
            "emptied by the crash, and known to be"
        );
        assert_eq!(scratch.size().status, Status::Ok);
        // The counters are gone, the rows are not.
        let kept = table(&snapshot, "public", "kept");
        assert_eq!(
            (kept.rows.count, kept.rows.source),
            (Some(5000), RowCountSource::Estimate)
        );
        assert_eq!(
            number(
                &server,
                "app",
                "select n_live_tup from pg_stat_user_tables where relname = 'kept'"
            ),
            0
        );
    }
}

async fn standby(installation: &Installation) {
    let primary = Server::start(&test::options(installation)).unwrap();
    database(
        &primary,
        "app",
        "
        create unlogged table scratch (id int primary key, doc text);
        create table kept (id int primary key, doc text);
        create table locked (id int primary key, doc text);
        insert into scratch select g, repeat('s', 100) from generate_series(1, 5000) g;
        insert into kept select * from scratch;
        insert into locked select * from scratch;
        analyze",
    );
    let standby = primary.standby(&[]).unwrap();
    run(
        &primary,
        "app",
        "insert into kept select g, repeat('k', 100) from generate_series(5001, 10000) g",
    );
    let mut holder = primary.session("app").unwrap();
    holder
        .run("begin; lock table locked in access exclusive mode")
        .unwrap();
    run(&primary, "app", "checkpoint");
    standby.wait_for(&primary).unwrap();
    let seen = number(
        &standby,
        "app",
        "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and relation = 'locked'::regclass",
    );
    assert_eq!(seen, 1, "the lock is replayed");
    for method in BOTH {
        let snapshot = see(&standby, "app", method).await;
        assert!(snapshot.server.in_recovery);
        let locked = table(&snapshot, "public", "locked");
        let (status, source) = match method {
            MethodChoice::Files => (Status::Ok, SizeSource::Measured),
            _ => (Status::Locked, SizeSource::Relpages),
        };
        assert_eq!(locked.size().status, status, "{method:?}");
        assert_eq!(locked.heap.size.source, source, "{method:?}");
        // An unlogged table has an init fork there, and nothing else.
        let scratch = table(&snapshot, "public", "scratch");
        assert_eq!(scratch.heap.size.bytes, Some(0));
        assert_eq!(scratch.size().status, Status::Ok);
        assert_eq!(scratch.indexes[0].storage.size.bytes, Some(8192));
        let kept = table(&snapshot, "public", "kept");
        assert_eq!(
            kept.size().bytes,
            Some(total_size(&primary, "app", kept.oid))
        );
        // Twice the pages that were counted: twice the rows.
        assert!(
            kept.rows.count.unwrap().abs_diff(10_000) < 200,
            "{:?}",
            kept.rows
        );
        assert_eq!(kept.rows.source, RowCountSource::Estimate);
        assert_eq!(kept.rows.dead, None);
        let size = number(
            &standby,
            "app",
            "select pg_database_size(current_database())",
        );
        assert_eq!(snapshot.totals.total_bytes, Some(size));
    }
    // *changes* has no counters there: each visit is a full sweep.
    let mut memory = Memory::default();
    for _ in 0..2 {
        let snapshot = see_again(&standby, "app", MethodChoice::Changes, &mut memory).await;
        assert_eq!(snapshot.method.as_str(), "functions");
        assert_eq!(snapshot.full_sweep_at, Some(snapshot.measured_at));
    }
    holder.run("commit").unwrap();
    standby.wait_for(&primary).unwrap();
    for method in BOTH {
        let snapshot = see(&standby, "app", method).await;
        assert_exact(&standby, "app", &snapshot);
    }
}
