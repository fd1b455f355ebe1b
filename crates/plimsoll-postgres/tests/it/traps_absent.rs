//! Traps 65, 66, 67, 74: what is not there, or cannot be read, is not zero.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use plimsoll_core::size::{Size, SizeSource, Status};
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, on_every_major};

use crate::session::open;
use crate::sizing::{
    BOTH, assert_adds_up, assert_exact, database, file_of, number, options, relation_sizes, run,
    see, see_again, table, try_visit, url_as,
};

/// A tablespace's location and the folder in it that the server made.
struct Place {
    location: PathBuf,
    version: PathBuf,
}

/// Tables in a tablespace and beside it, some with their index on the other side.
fn tables_in_two_places(server: &Server, name: &str) -> Place {
    let location = server.make_folder(name).unwrap();
    let sql = format!("create tablespace {name} location '{}'", location.display());
    run(server, "postgres", &sql);
    database(
        server,
        name,
        &format!(
            "create table here (id int primary key, doc text);
             create table there (id int primary key using index tablespace {name}, doc text) tablespace {name};
             create table empty_there (id int) tablespace {name};
             create materialized view seen_there tablespace {name} as select 1 as one;
             create index here_there on here (doc) tablespace {name};
             create table mixed (id int primary key, doc text) tablespace {name};
             insert into here select g, repeat('h', 100) from generate_series(1, 500) g;
             insert into there select g, repeat('t', 5000) from generate_series(1, 500) g;
             insert into mixed select * from there"
        ),
    );
    run(server, name, "checkpoint");
    let version = std::fs::read_dir(&location)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    Place { location, version }
}

/// What lies in the tablespace has that status and no size; everything else is exact.
fn assert_costs_its_own(server: &Server, name: &str, snapshot: &Snapshot, status: Status) {
    let oid = number(
        server,
        "postgres",
        &format!("select oid from pg_tablespace where spcname = '{name}'"),
    );
    let mut there = 0;
    let mut everything = snapshot.tables.clone();
    for table in &mut everything {
        let places: Vec<u32> = std::iter::once(table.heap.tablespace)
            .chain(
                table
                    .toast
                    .iter()
                    .flat_map(|toast| [toast.heap.tablespace, toast.index.tablespace]),
            )
            .chain(table.indexes.iter().map(|index| index.storage.tablespace))
            .collect();
        for ((part, size), place) in table.parts_mut().zip(places) {
            let what = format!("{part} by {:?}: {size:?}", snapshot.method);
            if u64::from(place) == oid {
                there += 1;
                assert_eq!(size.status, status, "{what}");
                assert!(size.bytes != Some(0) && !size.is_measured(), "{what}");
            } else {
                assert_eq!(size.status, Status::Ok, "{what}");
            }
        }
    }
    // there with toast and index, empty_there, seen_there with toast, here_there, mixed with toast
    assert!(there >= 10, "{there}");
    let totals = &snapshot.totals;
    assert_eq!(
        (totals.total_bytes, totals.unmeasured_bytes),
        (None, None),
        "{totals:?}"
    );
    let here = table(snapshot, "public", "here");
    let expect = number(server, name, "select pg_table_size('here')");
    let toast = here.toast_size().bytes.unwrap();
    assert_eq!(here.heap.size.bytes.unwrap() + toast, expect);
}

fn moved(from: &Path, act: impl FnOnce()) {
    let away = from.with_extension("away");
    std::fs::rename(from, &away).unwrap();
    act();
    std::fs::rename(&away, from).unwrap();
}

/// Runs in the middle of an async test; what is moved away comes back before anything else happens.
fn see_now(server: &Server, name: &str, method: MethodChoice) -> Snapshot {
    tokio::task::block_in_place(|| {
        tokio::runtime::Handle::current().block_on(see(server, name, method))
    })
}

on_every_major! {
    async fn trap_66_without_the_server_s_word_there_is_no_total(server: &Server) {
        database(server, "trap_66", "
            create table t (id int primary key);
            insert into t select generate_series(1, 5000);
            analyze");
        run(server, "postgres", "create role trap_66 login");
        run(server, "trap_66", "revoke execute on function pg_database_size(oid) from public");
        let url = url_as(server, "trap_66", "trap_66");
        for method in [MethodChoice::Functions, MethodChoice::Changes] {
            let snapshot = try_visit(&url, &options(method), &mut Memory::default()).await.unwrap();
            let totals = snapshot.totals;
            assert_eq!((totals.total_bytes, totals.unattributed_bytes, totals.unmeasured_bytes), (None, None, None));
            let sum: u64 = relation_sizes(&snapshot).values().filter_map(|size| size.bytes).sum();
            assert_eq!(totals.attributed_bytes, sum);
            assert!(table(&snapshot, "public", "t").size().bytes > Some(150_000));
        }
        run(server, "trap_66", "grant execute on function pg_database_size(oid) to public");
        let snapshot = try_visit(&url, &options(MethodChoice::Functions), &mut Memory::default()).await.unwrap();
        assert_exact(server, "trap_66", &snapshot);
        run(server, "trap_66", "drop role trap_66");
    }

    async fn trap_67_page_counts_have_no_sign(server: &Server) {
        database(server, "trap_67", "
            create table t (id int);
            insert into t values (1);
            create table parent (id int) partition by list (id);
            create table child partition of parent default;
            insert into parent values (1);
            analyze;
            update pg_class set relpages = -1294967296, reltuples = 1 where relname = 't'");
        let mut holder = server.session("trap_67").unwrap();
        holder.run("begin; lock table t in access exclusive mode").unwrap();
        let snapshot = see(server, "trap_67", MethodChoice::Functions).await;
        let t = table(&snapshot, "public", "t").heap.size;
        assert_eq!((t.status, t.source), (Status::Locked, SizeSource::Relpages));
        assert_eq!(t.bytes, Some(3_000_000_000 * 8192), "as the last VACUUM saw it, and not cut to fit");
        assert_adds_up(&snapshot);
        let size = number(server, "trap_67", "select pg_database_size(current_database())");
        assert_eq!(snapshot.totals.total_bytes, Some(size));
        // An analyzed parent has -1, which is no number of pages.
        assert_eq!(table(&snapshot, "public", "parent").heap.size, Size::measured(0));
    }
}

/// As [`on_every_major!`], on a runtime whose threads may wait.
macro_rules! on_every_major_threaded {
    ($($name:ident => $check:ident),+ $(,)?) => {$(
        mod $name {
            use super::*;
            on_every_major_threaded!(@tests $check: pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);
        }
    )+};
    (@tests $check:ident: $($test:ident $major:literal),+) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $test() {
            if let Some(server) = throwaway_postgres::test::shared_if_installed($major) {
                $check(server).await;
            }
        }
    )+};
}

on_every_major_threaded! {
    trap_65_a_tablespace_that_is_gone_or_an_empty_mount_is_missing => tablespace_gone,
    trap_65_a_lost_file_is_missing_and_not_empty => file_lost,
    trap_74_a_folder_that_cannot_be_read_costs_what_is_in_it => unreadable,
}

async fn tablespace_gone(server: &'static Server) {
    let place = tables_in_two_places(server, "trap_65");
    let mut memory = Memory::default();
    for method in [
        MethodChoice::Files,
        MethodChoice::Functions,
        MethodChoice::Changes,
    ] {
        assert_exact(
            server,
            "trap_65",
            &see_again(server, "trap_65", method, &mut memory).await,
        );
        for folder in [&place.version, &place.location] {
            moved(folder, || {
                let snapshot = see_now(server, "trap_65", method);
                assert_costs_its_own(server, "trap_65", &snapshot, Status::Missing);
            });
        }
    }
    // What *changes* carried over from before is missing as well, and back when it is back.
    moved(&place.version, || {
        let again = see_again(server, "trap_65", MethodChoice::Changes, &mut memory);
        let snapshot =
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(again));
        assert_costs_its_own(server, "trap_65", &snapshot, Status::Missing);
    });
    for method in [
        MethodChoice::Files,
        MethodChoice::Functions,
        MethodChoice::Changes,
    ] {
        assert_exact(
            server,
            "trap_65",
            &see_again(server, "trap_65", method, &mut memory).await,
        );
    }
}

async fn file_lost(server: &'static Server) {
    database(
        server,
        "trap_65_lost",
        "create table lost (id int primary key, doc text);
         insert into lost select g, repeat('l', 100) from generate_series(1, 3000) g;
         create table kept (id int primary key);
         create table empty (id int);
         create sequence numbers",
    );
    let mut session = server.session("trap_65_lost").unwrap();
    session.run("vacuum analyze lost").unwrap();
    drop(session);
    crate::traps_changes::settle(server, "trap_65_lost");
    run(server, "trap_65_lost", "checkpoint");
    for (relation, owner) in [
        ("lost", "lost"),
        ("lost_pkey", "lost"),
        ("kept_pkey", "kept"),
        ("numbers", "numbers"),
    ] {
        moved(&file_of(server, "trap_65_lost", relation), || {
            for method in BOTH {
                let snapshot = see_now(server, "trap_65_lost", method);
                let oid = number(
                    server,
                    "trap_65_lost",
                    &format!("select '{relation}'::regclass::oid"),
                );
                let sizes = relation_sizes(&snapshot);
                let size = sizes[&u32::try_from(oid).unwrap()];
                assert_eq!(
                    (size.status, size.bytes),
                    (Status::Missing, None),
                    "{relation} by {method:?}"
                );
                let of = table(&snapshot, "public", owner).size();
                assert_eq!(of.status, Status::Missing, "{owner}");
                // Nothing else is flagged, and an empty table is empty.
                assert_eq!(
                    sizes
                        .values()
                        .filter(|size| size.status != Status::Ok)
                        .count(),
                    1
                );
                assert_eq!(
                    table(&snapshot, "public", "empty").size(),
                    Size::measured(0)
                );
                assert_eq!(snapshot.totals.total_bytes, None);
            }
        });
    }
    for method in BOTH {
        assert_exact(
            server,
            "trap_65_lost",
            &see(server, "trap_65_lost", method).await,
        );
    }
}

async fn unreadable(server: &'static Server) {
    let place = tables_in_two_places(server, "trap_74");
    let mode = |mode| {
        std::fs::set_permissions(&place.version, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for method in BOTH {
        mode(0o000);
        let snapshot = see(server, "trap_74", method).await;
        mode(0o700);
        assert_costs_its_own(server, "trap_74", &snapshot, Status::Denied);
        assert_exact(server, "trap_74", &see(server, "trap_74", method).await);
    }
    // and nobody is sent to grant what is not the server's to grant
    let session = open(&server.url("trap_74")).await.unwrap();
    let sql = format!("select pg_ls_dir('{}')", place.version.display());
    mode(0o000);
    let error = session.rows(&sql, &[]).await.unwrap_err();
    mode(0o700);
    assert_eq!(error.code(), "permission_denied", "{error}");
    let text = error.to_string();
    assert!(
        text.contains("no grant helps") && !text.contains("doctor"),
        "{text}"
    );
}
