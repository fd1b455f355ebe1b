//! Whatever happens to the store: who looks is answered at once from what is known, nothing is acknowledged that
//! is not kept, and what was acknowledged is there afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use throwaway_postgres::{Server, Session, Volume, report_volumes, test};

use crate::serve::Service;
use crate::server_faults::{OnTheWay, Proxy, wait_until};
use crate::support::{Home, new_database};

/// What is answered from what is in memory, whatever the store does.
const FROM_MEMORY: [&str; 7] = [
    "/api/storage/sizes?wait=0&instance=one",
    "/api/storage/sizes?wait=0&instance=two",
    "/api/storage/tables/public/t?wait=0&instance=one",
    "/api/storage/instance?instance=one",
    "/api/databases",
    "/healthz",
    "/api/openapi.json",
];

/// What needs the store: it is answered, or says why not.
const FROM_STORE: [&str; 9] = [
    "/api/storage/history?kind=all&instance=one&limit=1",
    "/api/storage/series?table=t&instance=two",
    "/api/storage/growth?since=1h&instance=one",
    "/api/storage/forecast?instance=one",
    "/api/storage/state?instance=two",
    "/api/storage/events?instance=one",
    "/api/storage/disk?instance=one",
    "/api/jobs",
    "/api/store",
];

/// What an answer may take beyond what it waits for.
const AT_ONCE: Duration = Duration::from_millis(300);

/// How long what needs the store waits for one that does not answer.
const WAIT: Duration = Duration::from_secs(1);

/// On a busy machine an answer may take so many times what the same took while all was well.
const TIMES: u32 = 20;

/// Of so many tries one must be in time: a busy machine may hold up any.
const TRIES: u32 = 5;

fn post(service: &Service, instance: &str) -> (u16, Value) {
    service.post(&format!("/api/storage/samples?instance={instance}"))
}

/// The ids of the samples that somebody asked for.
fn kept(service: &Service, instance: &str) -> Vec<i64> {
    let path = format!("/api/storage/history?kind=manual&limit=1000&tables=0&instance={instance}");
    let (status, history) = service.get(&path);
    assert_eq!(status, 200, "{history}");
    let samples = history["samples"].as_array().unwrap();
    samples
        .iter()
        .map(|sample| sample["id"].as_i64().unwrap())
        .collect()
}

/// Two watched databases on a server that is well, and a store that may be anything.
pub(crate) fn start(server: &Server, home: &Home, store: &str) -> Service {
    let mut text = format!(
        "[store]\nurl = \"{store}\"\n[schedule]\nwatch = \"* * * * * *\"\n[server]\nlisten = \"127.0.0.1:0\"\n"
    );
    for name in ["one", "two"] {
        let database = new_database(server, name);
        let table = "create table t as select generate_series(1, 2000) n";
        server.sql(&database, table).unwrap();
        let url = server.url(&database);
        text += &format!("[[instance]]\nname = \"{name}\"\nurl = \"{url}\"\n");
    }
    let config = home.write("plimsoll.toml", &text);
    let mut command = home.plimsoll();
    Service::start(command.arg("--config").arg(&config).arg("serve"))
}

/// Goes through one fault, from which all is well again when it ends.
pub(crate) struct Course<'a> {
    service: &'a Service,
    acknowledged: [BTreeSet<i64>; 2],
    /// What each answer took while all was well.
    usual: BTreeMap<&'static str, Duration>,
}

impl<'a> Course<'a> {
    pub(crate) fn of(service: &'a Service) -> Self {
        let mut course = Self {
            service,
            acknowledged: [BTreeSet::new(), BTreeSet::new()],
            usual: BTreeMap::new(),
        };
        course.acknowledge("while all is well");
        for path in FROM_MEMORY.into_iter().chain(FROM_STORE) {
            let (status, answer, took) = course.timed(path);
            assert_eq!(status, 200, "while all is well: {path}: {answer}");
            course.usual.insert(path, took);
        }
        course
    }

    fn timed(&self, path: &str) -> (u16, Value, Duration) {
        let began = Instant::now();
        let (status, answer) = self.service.get(path);
        (status, answer, began.elapsed())
    }

    /// An answer that comes within what it waits and a moment.
    fn look(&self, fault: &str, path: &'static str, wait: Duration) -> (u16, Value) {
        let limit = wait + AT_ONCE.max(self.usual[path] * TIMES);
        let mut tries = 0;
        loop {
            let (status, answer, took) = self.timed(path);
            if took <= limit {
                return (status, answer);
            }
            tries += 1;
            assert!(tries < TRIES, "{fault}: {path} took {took:?}: {answer}");
        }
    }

    /// Whoever looks is answered, in time.
    fn looks(&self, fault: &str) {
        for path in FROM_MEMORY {
            let (status, answer) = self.look(fault, path, Duration::ZERO);
            assert_eq!(status, 200, "{fault}: {path}: {answer}");
        }
        for path in FROM_STORE {
            let (status, answer) = self.look(fault, path, WAIT);
            let says = answer["code"]
                .as_str()
                .unwrap_or_default()
                .starts_with("store_");
            assert!(
                status == 200 || (status >= 500 && says),
                "{fault}: {path}: {answer}"
            );
        }
    }

    /// Takes a sample of each instance, and remembers that it was acknowledged.
    pub(crate) fn acknowledge(&mut self, when: &str) {
        for (at, instance) in ["one", "two"].into_iter().enumerate() {
            let mut last = Value::Null;
            wait_until(&format!("{when}: no sample of {instance}: {last}"), || {
                let (status, answer) = post(self.service, instance);
                last = answer;
                if status == 201 {
                    let id = last["id"].as_i64().unwrap();
                    self.acknowledged[at].insert(id);
                }
                status == 201
            });
        }
    }

    /// What holds while the store is at fault: `code` is what is said to who asks for a sample.
    pub(crate) fn holds(&mut self, fault: &str, codes: &[&str]) {
        // the programs's connections meet the fault sooner or later
        wait_until(&format!("{fault}: samples are acknowledged"), || {
            let (status, answer) = post(self.service, "one");
            if status == 201 {
                self.acknowledged[0].insert(answer["id"].as_i64().unwrap());
                return false;
            }
            let code = answer["code"].as_str().unwrap_or_default();
            assert!(codes.contains(&code), "{fault}: {answer}");
            true
        });
        self.looks(fault);
        // the servers are well, and visits go on
        let (_, sizes) = self.service.get(FROM_MEMORY[1]);
        let measured = sizes["measured_at"].clone();
        wait_until(&format!("{fault}: nothing is measured"), || {
            self.service.get(FROM_MEMORY[1]).1["measured_at"] != measured
        });
    }

    /// The probe says that what is measured is not kept, and why.
    fn is_not_ready(&self, reason: &str) {
        let (status, ready) = self.service.get("/readyz");
        let store = &ready["checks"][0];
        assert_eq!((status, &ready["ready"]), (503, &false.into()), "{ready}");
        assert_eq!(store["name"], "store", "{ready}");
        assert!(
            store["reason"].as_str().unwrap().contains(reason),
            "{ready}"
        );
    }

    /// What was acknowledged is there, and once.
    pub(crate) fn is_whole(&self, fault: &str) {
        for (acknowledged, instance) in self.acknowledged.iter().zip(["one", "two"]) {
            let kept = kept(self.service, instance);
            let ids: BTreeSet<i64> = kept.iter().copied().collect();
            assert_eq!(ids.len(), kept.len(), "{fault}: one is there twice");
            let lost: Vec<_> = acknowledged.difference(&ids).collect();
            assert!(lost.is_empty(), "{fault}: {lost:?} were acknowledged");
        }
        // a job that had begun while it was at fault may be told of until its next turn
        wait_until(&format!("{fault}: it is not ready again"), || {
            self.service.get("/readyz").0 == 200
        });
    }
}

/// Overwrites the first page of a file; returns what it was.
fn spoil(file: &Path, page: &[u8]) -> Vec<u8> {
    let mut file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut was = vec![0; page.len()];
    file.read_exact(&mut was).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(page).unwrap();
    was
}

/// Renames a SQLite store, with the files beside it.
fn rename_store(path: &Path, from: &str, to: &str) {
    for ending in ["", "-wal", "-shm"] {
        let file = path.with_file_name(format!("{from}{ending}"));
        if file.exists() {
            std::fs::rename(file, path.with_file_name(format!("{to}{ending}"))).unwrap();
        }
    }
}

/// Fills what is free on a volume.
pub(crate) fn fill(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    for size in [65536, 4096, 1] {
        while file.write_all(&vec![1; size]).is_ok() {}
    }
}

/// A database on a small volume of its own, where this user may mount one.
fn on_a_volume(server: &Server) -> Option<(Volume, String)> {
    let volume = match Volume::tmpfs(server, "store", 64) {
        Ok(volume) => volume,
        Err(reason) => {
            report_volumes("a full store", Err(&reason));
            return None;
        }
    };
    report_volumes("a full store", Ok(()));
    let folder = volume.make_folder(server, "space").unwrap();
    let sql = format!("create tablespace small location '{}'", folder.display());
    server.sql("postgres", &sql).unwrap();
    server
        .sql("postgres", "create database store tablespace small")
        .unwrap();
    Some((volume, "store".to_owned()))
}

#[test]
fn whatever_a_server_with_the_store_does_looking_goes_on_and_nothing_is_lost() {
    let (Some(watched), Some(installation)) = (test::shared_if_installed(18), test::installed(18))
    else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let on_volume = on_a_volume(&server);
    let volume = on_volume.as_ref().map(|(volume, _)| volume);
    let store = on_volume
        .as_ref()
        .map_or_else(|| new_database(&server, "store"), |(_, name)| name.clone());
    let proxy = Proxy::to(server.folder().join(format!(".s.PGSQL.{}", server.port())));
    let url = format!(
        "postgres://postgres@127.0.0.1:{}/{store}?sslmode=disable",
        proxy.port
    );
    let home = Home::new();
    let service = start(watched, &home, &url);
    let mut course = Course::of(&service);
    let sql = |sql: &str| server.sql(&store, sql).map(drop).unwrap();
    let file = || -> PathBuf {
        let rows = server
            .sql(&store, "select pg_relation_filepath('plimsoll.samples')")
            .unwrap();
        server
            .data_dir()
            .join(rows.last().unwrap()[0].as_deref().unwrap())
    };
    for fault in [
        "read-only",
        "newer",
        "gone",
        "killed",
        "corrupted page",
        "full",
        "slow",
        "hung on the way",
    ] {
        course.acknowledge(fault);
        match fault {
            "read-only" => {
                sql("alter system set default_transaction_read_only = on");
                sql("select pg_reload_conf()");
                course.holds(fault, &["store_read_only"]);
                sql("alter system reset default_transaction_read_only");
                sql("select pg_reload_conf()");
            }
            "newer" => {
                sql(
                    "insert into plimsoll.migrations (number, name) values (9999, '9999_of_another')",
                );
                course.holds(fault, &["store_newer"]);
                sql("delete from plimsoll.migrations where number = 9999");
            }
            "gone" => {
                server.stop().unwrap();
                course.holds(fault, &["store_unreachable"]);
                server.start_again().unwrap();
            }
            "killed" => {
                server.crash().unwrap();
                course.holds(fault, &["store_unreachable"]);
                server.start_again().unwrap();
            }
            "corrupted page" => {
                let file = file();
                server.stop().unwrap();
                let was = spoil(&file, &[0xff; 8192]);
                server.start_again().unwrap();
                course.holds(fault, &["store_corrupt", "store_unreachable"]);
                server.stop().unwrap();
                spoil(&file, &was);
                server.start_again().unwrap();
            }
            "full" => {
                let Some(volume) = volume else { continue };
                let filler = volume.path().join("filler");
                fill(&filler);
                course.holds(fault, &["store_full"]);
                course.is_not_ready("no space is left");
                std::fs::remove_file(&filler).unwrap();
            }
            "slow" => {
                proxy.set(OnTheWay::IsSlow);
                course.acknowledge("slow");
                course.looks(fault);
                proxy.set(OnTheWay::Nothing);
            }
            _ => {
                proxy.set(OnTheWay::Hangs);
                course.looks(fault);
                assert_eq!(service.get("/readyz").0, 503, "{fault}");
                proxy.set(OnTheWay::Nothing);
            }
        }
        course.acknowledge(&format!("after {fault}"));
        course.is_whole(fault);
    }
    // a lock holds up samples, and nobody who looks
    let mut holder: Session = server.session(&store).unwrap();
    holder
        .run("begin; lock table plimsoll.samples in access exclusive mode")
        .unwrap();
    course.looks("locked");
    holder.run("rollback").unwrap();
    course.acknowledge("after locked");
    course.is_whole("locked");
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn whatever_a_file_with_the_store_does_looking_goes_on_and_nothing_is_lost() {
    let Some(watched) = test::shared_if_installed(18) else {
        return;
    };
    let home = Home::new();
    let mounted = Volume::tmpfs(watched, "store_file", 24);
    report_volumes(
        "a full store",
        mounted.as_ref().map(drop).map_err(String::as_str),
    );
    let path = mounted.as_ref().map_or_else(
        |_| home.path("history.db"),
        |volume| volume.path().join("history.db"),
    );
    let service = start(watched, &home, &format!("sqlite:{}", path.display()));
    let mut course = Course::of(&service);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .busy_timeout(std::time::Duration::from_secs(20))
        .unwrap();
    for fault in ["gone", "locked", "newer", "full"] {
        course.acknowledge(fault);
        match fault {
            "gone" => {
                rename_store(&path, "history.db", "elsewhere.db");
                course.holds(fault, &["store_absent", "store_unreachable"]);
                rename_store(&path, "elsewhere.db", "history.db");
            }
            "locked" => {
                connection.execute_batch("begin immediate").unwrap();
                course.looks(fault);
                // who reads waits for nobody who writes
                for path in FROM_STORE {
                    let (status, answer) = service.get(path);
                    assert_eq!(status, 200, "{fault}: {path}: {answer}");
                }
                connection.execute_batch("rollback").unwrap();
            }
            "newer" => {
                connection
                    .execute_batch(
                        "insert into migrations (number, name) values (9999, 'of_another')",
                    )
                    .unwrap();
                course.holds(fault, &["store_newer"]);
                connection
                    .execute_batch("delete from migrations where number = 9999")
                    .unwrap();
            }
            _ => {
                let Ok(volume) = &mounted else { continue };
                let filler = volume.path().join("filler");
                // what its log has room for already may take a few more
                fill(&filler);
                course.holds(fault, &["store_full"]);
                course.is_not_ready("no space is left");
                std::fs::remove_file(&filler).unwrap();
            }
        }
        course.acknowledge(&format!("after {fault}"));
        course.is_whole(fault);
    }
    let (code, log) = service.stop("-TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}
