//! A store is told from what is none, from another's and from a newer program's, before anything is written;
//! and whoever may only read reads.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use plimsoll_core::sample::SampleKind;
use plimsoll_store::{Store, create_folder, open};
use throwaway_postgres::{Server, on_every_major};

use crate::fleet::{read_everything, write_everything};
use crate::fresh::Fresh;
use crate::world::{World, at};

fn url(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

/// What each kind of use of a store answers, by its code.
async fn codes(store: &dyn Store) -> Vec<&'static str> {
    let mut world = World::new("main", "app");
    world.add(1000, "public", "a", 8192);
    let snapshot = world.snapshot(at("2026-01-01T00:00:00Z"));
    let code = |error: Option<plimsoll_store::StoreError>| error.map_or("fine", |e| e.code());
    let lease = std::time::Duration::from_secs(60);
    let kept = store
        .record_sample(&snapshot, SampleKind::Daily, None)
        .await;
    let claim = store.claim("watch", snapshot.measured_at, lease).await;
    vec![
        code(store.migrate().await.err()),
        code(store.pending_migrations().await.err()),
        code(kept.err()),
        code(claim.err()),
        code(store.ping().await.err()),
        code(store.databases().await.err()),
        code(store.jobs().await.err()),
        code(store.footprint().await.err()),
        code(store.shrink(1 << 20, snapshot.measured_at).await.err()),
    ]
}

/// That every use is refused with this code.
async fn assert_refused(store: &dyn Store, expected: &str) {
    let codes = codes(store).await;
    assert!(codes.iter().all(|code| *code == expected), "{codes:?}");
}

/// The files in a folder that hold anything: SQLite may leave empty ones and its shared memory.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .filter(|(path, bytes)| !bytes.is_empty() && path.extension() != Some("db-shm".as_ref()))
        .collect();
    files.sort();
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_something_else_is_named_and_stays_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.db");
    for (sql, holds) in [
        ("create table notes (text)", "the table notes"),
        (
            "pragma journal_mode = wal; create table jobs (id); create table events (id)",
            "the tables jobs, events",
        ),
        // another program that numbers its migrations
        (
            "create table migrations (id integer primary key, name text)",
            "the table migrations",
        ),
        (
            "create table migrations (number integer, name text, applied_at text);
             insert into migrations values (1, '001_users', 'now')",
            "the table migrations",
        ),
        (
            "create view v as select 1; create table a(x); create table b(x); create table c(x); create table d(x)",
            "the tables v, a, b, c, ...",
        ),
        (
            "pragma application_id = 0x47504b47; create table gpkg_contents (x)",
            "application_id 0x47504b47",
        ),
        ("pragma application_id = 77", "application_id 0x0000004d"),
    ] {
        for file in std::fs::read_dir(folder.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        let theirs = rusqlite::Connection::open(&path).unwrap();
        theirs.execute_batch(sql).unwrap();
        drop(theirs);
        let before = files(folder.path());
        let store = open(&url(&path)).unwrap();
        let text = store.migrate().await.unwrap_err().to_string();
        assert!(text.contains(holds) && text.contains("theirs.db"), "{text}");
        assert_refused(&*store, "store_foreign").await;
        assert_eq!(files(folder.path()), before, "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_program_stays_byte_for_byte_and_both_versions_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let running = open(&url(&path)).unwrap();
    running.migrate().await.unwrap();
    assert_eq!(codes(&*running).await, ["fine"; 9]);
    let newer = |program: &str| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        let sql = "insert or replace into migrations (number, name, program)
                   values (9999, '9999_future', nullif(?1, ''))";
        connection.execute(sql, [program]).unwrap();
    };
    for (program, named) in [
        ("7.8.9", "7.8.9, migration 9999"),
        ("", "not name, migration 9999"),
    ] {
        newer(program);
        // the connection that wrote it was the last one that may write
        let store = open(&url(&path)).unwrap();
        let before = files(folder.path());
        let text = store.migrate().await.unwrap_err().to_string();
        let this = concat!("this is ", env!("CARGO_PKG_VERSION"), ", migration ");
        assert!(text.contains(named) && text.contains(this), "{text}");
        assert_refused(&*store, "store_newer").await;
        assert_eq!(files(folder.path()), before);
    }
    // and one that has had it open all the time writes nothing more either
    let mut world = World::new("main", "app");
    world.add(1000, "public", "a", 16384);
    let snapshot = world.snapshot(at("2026-01-02T00:00:00Z"));
    let kept = running
        .record_sample(&snapshot, SampleKind::Daily, None)
        .await;
    assert_eq!(kept.unwrap_err().code(), "store_newer");
}

#[tokio::test]
async fn what_is_not_there_and_what_is_not_set_up_are_two_things() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let store = open(&url(&path)).unwrap();
    let absent = store.databases().await.unwrap_err();
    assert_eq!(absent.code(), "store_absent");
    assert_eq!(
        store.pending_migrations().await.unwrap_err().code(),
        "store_absent"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    std::fs::write(&path, "").unwrap();
    let empty = store.databases().await.unwrap_err();
    assert_eq!(empty.code(), "store_not_migrated");
    assert_eq!(store.pending_migrations().await.unwrap()[0], "001_history");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    assert_ne!(absent.to_string(), empty.to_string());
    // nothing makes a folder by itself: the disk that it is on may not be mounted
    let deep = url(&folder.path().join("not/here/history.db"));
    let store = open(&deep).unwrap();
    assert_eq!(store.migrate().await.unwrap_err().code(), "store_no_folder");
    create_folder(&deep).unwrap();
    let mode = |name: &str| {
        std::fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("not"), mode("not/here")), (0o700, 0o700));
    store.migrate().await.unwrap();
    for none in ["sqlite::memory:", "sqlite:here.db", "postgres://h/d"] {
        create_folder(none).unwrap();
    }
}

/// Asks everything that needs no right to write.
async fn read_all(store: &dyn Store) {
    let of = World::new("main", "app").key();
    store.ping().await.unwrap();
    assert_eq!(store.pending_migrations().await.unwrap(), [""; 0]);
    assert!(store.databases().await.unwrap().contains(&of));
    store.jobs().await.unwrap();
    store.size_bytes().await.unwrap();
    store.footprint().await.unwrap();
    let (to, mut from) = tokio::sync::mpsc::channel(1);
    let receive = async { while from.recv().await.is_some() {} };
    let (read, ()) = tokio::join!(store.read_history(&of, to), receive);
    read.unwrap();
    read_everything(store).await;
}

const TO_READ: &str = "PLIMSOLL_TEST_STORE_TO_READ";

/// The child of the test below.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by the test that limits it"]
async fn child() {
    let Ok(url) = std::env::var(TO_READ) else {
        return;
    };
    let store = open(&url).unwrap();
    read_all(&*store).await;
    let snapshot = World::new("main", "app").snapshot(at("2027-01-01T00:00:00Z"));
    let kept = store
        .record_sample(&snapshot, SampleKind::Daily, None)
        .await;
    println!("\nread, and then {}", kept.unwrap_err().code());
}

/// Runs the child, as another user where this one may do everything.
fn read_as_another(url: &str) -> Option<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "recognised::child",
        "--exact",
        "--ignored",
        "--nocapture",
        "--test-threads=1",
    ]);
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    let ran = command.env(TO_READ, url).output().ok()?;
    let said = String::from_utf8_lossy(&ran.stdout);
    let line = said.lines().find(|line| line.starts_with("read, "));
    Some(line.unwrap_or_else(|| panic!("{ran:?}")).to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_may_only_be_read_can_be_read_and_nothing_is_left_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let fresh = Fresh::at(&path).await;
    write_everything(&fresh).await;
    let url = fresh.url.clone();
    drop(fresh);
    // while nobody has it open, in a folder that may be written or not; and while it is in use
    for (folder_mode, is_in_use) in [(0o777, false), (0o555, false), (0o777, true), (0o555, true)] {
        let writer = rusqlite::Connection::open(&path).unwrap();
        if is_in_use {
            let sql = "create table if not exists t (x); insert into t values (1); drop table t";
            writer.execute_batch(sql).unwrap();
            for ending in ["db-wal", "db-shm"] {
                mode(&path.with_extension(ending), 0o444);
            }
        } else {
            writer
                .execute_batch("pragma wal_checkpoint(truncate)")
                .unwrap();
            writer.close().unwrap();
        }
        mode(&path, 0o444);
        mode(folder.path(), folder_mode);
        let before = files(folder.path());
        let said = read_as_another(&url);
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        mode(folder.path(), 0o700);
        mode(&path, 0o600);
        let Some(said) = said else {
            eprintln!("not tested: the test's own program cannot be run by an ordinary user");
            return;
        };
        assert_eq!(
            said, "read, and then store_read_only",
            "{folder_mode:o} {is_in_use}"
        );
        assert_eq!(files(folder.path()), before);
        assert_eq!(
            names,
            if is_in_use { 3 } else { 1 },
            "whoever may write could not any more"
        );
    }
}

/// What the catalog and `migrations` hold.
fn fingerprint(server: &Server, database: &str) -> Vec<Vec<Option<String>>> {
    let sql = "select c.oid, c.relname, c.relnatts, c.xmin, a.attname, a.xmin
               from pg_class as c left join pg_attribute as a on a.attrelid = c.oid
               where c.relnamespace = 'plimsoll'::regnamespace order by 1, 5";
    server.sql(database, sql).unwrap()
}

on_every_major! {
    async fn a_schema_of_something_else_or_of_a_newer_program_stays_as_it_is(server: &Server) {
        for (number, (sql, holds)) in [
            ("create table plimsoll.events (id int)", "the table events"),
            ("create table plimsoll.jobs (id int); create view plimsoll.a as select 1", "the tables a, jobs"),
            ("create table plimsoll.migrations (id int, name text)", "the table migrations"),
            ("create table plimsoll.migrations (number int, name text, applied_at text);
              insert into plimsoll.migrations values (1, '001_users', '')", "the table migrations"),
        ].into_iter().enumerate() {
            let database = format!("theirs_{number}");
            server.sql("postgres", &format!("create database {database}")).unwrap();
            server.sql(&database, &format!("create schema plimsoll; {sql}")).unwrap();
            let before = fingerprint(server, &database);
            let store = open(&server.url(&database)).unwrap();
            let text = store.migrate().await.unwrap_err().to_string();
            assert!(text.contains(holds) && text.contains(&database), "{text}");
            assert_refused(&*store, "store_foreign").await;
            assert_eq!(fingerprint(server, &database), before);
        }
        // a schema that an administrator made for the role is nobody's
        server.sql("postgres", "create database theirs_empty").unwrap();
        server.sql("theirs_empty", "create schema plimsoll").unwrap();
        open(&server.url("theirs_empty")).unwrap().migrate().await.unwrap();

        let fresh = Fresh::postgres(server, "newer").await;
        assert_eq!(codes(&*fresh.store).await, ["fine"; 9]);
        fresh.sql("insert into migrations (number, name, program) values (9999, '9999_future', '7.8.9') returning number");
        let before = fingerprint(server, "newer");
        let store = open(&fresh.url).unwrap();
        let text = store.migrate().await.unwrap_err().to_string();
        let this = concat!("this is ", env!("CARGO_PKG_VERSION"), ", migration ");
        assert!(text.contains("7.8.9, migration 9999") && text.contains(this), "{text}");
        assert_refused(&*store, "store_newer").await;
        // and one that has had it open all the time writes nothing more either
        let snapshot = World::new("main", "app").snapshot(at("2026-01-02T00:00:00Z"));
        let kept = fresh.store.record_sample(&snapshot, SampleKind::Daily, None).await;
        assert_eq!(kept.unwrap_err().code(), "store_newer");
        assert_eq!(fingerprint(server, "newer"), before);
    }

    async fn a_role_that_may_only_select_reads_all_of_it(server: &Server) {
        let fresh = Fresh::postgres(server, "to_read").await;
        write_everything(&fresh).await;
        server.sql("to_read", &format!(
            "create role only_reads login password '{}';
             grant usage on schema plimsoll to only_reads;
             grant select on all tables in schema plimsoll to only_reads", server.password())).unwrap();
        let url = server.url("to_read").replacen("//postgres@", "//only_reads@", 1);
        let store = open(&url).unwrap();
        read_all(&*store).await;
        // there is nothing to migrate, so that is no error
        assert_eq!(store.migrate().await.unwrap(), Vec::<String>::new());
        let snapshot = World::new("main", "app").snapshot(at("2027-01-01T00:00:00Z"));
        let kept = store.record_sample(&snapshot, SampleKind::Daily, None).await.unwrap_err();
        assert_eq!(kept.code(), "store_denied");
        assert!(kept.to_string().contains("must own the schema"), "{kept}");
        // without the schema it is told what it lacks
        server.sql("to_read", "revoke all on schema plimsoll from only_reads").unwrap();
        let refused = open(&url).unwrap().databases().await.unwrap_err();
        assert_eq!(refused.code(), "store_denied");
        assert!(refused.to_string().contains("USAGE"), "{refused}");
    }
}
