//! The history survives: killed processes, a full disk, a file that cannot be written, two at once.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rusqlite::Connection;
use throwaway_postgres::{Server, on_every_major};

use crate::support::{Home, Ran, new_database};

/// Makes a database with so many tables.
fn with_tables(server: &Server, purpose: &str, count: usize) -> String {
    let database = new_database(server, purpose);
    server
        .sql(&database, &format!(
            "do $$ begin for i in 1..{count} loop execute format('create table t%s (id int primary key)', i); end loop; end $$"
        ))
        .unwrap();
    database
}

/// That the store is whole: SQLite finds nothing wrong, and each sample has every table. Returns
/// how many samples there are.
fn assert_whole(store: &Path, tables: usize) -> usize {
    let sqlite = Connection::open(store).unwrap();
    let check: String = sqlite
        .query_row("pragma integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    let sizes: Vec<String> = sqlite
        .prepare("select table_sizes from storage_samples")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for sample in &sizes {
        let sample: serde_json::Value = serde_json::from_str(sample).unwrap();
        assert_eq!(
            sample.as_object().unwrap().len(),
            tables,
            "a sample in part"
        );
    }
    sizes.len()
}

on_every_major! {
    fn killed_at_any_moment_the_history_is_whole(server: &Server) {
        const TABLES: usize = 300;
        let database = with_tables(server, "killed", TABLES);
        let (home, url) = (Home::new(), server.url(&database));
        let began = Instant::now();
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        let whole = began.elapsed();
        const KILLS: u32 = 12;
        let mut acknowledged = 1;
        for kill in 0..KILLS {
            let mut child = home
                .on(&url)
                .arg("sample")
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // spread over the whole of a sample, and a little beyond
            thread::sleep(whole * (kill + 1) / (KILLS - 1));
            child.kill().unwrap();
            let out = child.wait_with_output().unwrap();
            if out.stdout.starts_with(b"Sample") {
                acknowledged += 1;
            }
            assert!(assert_whole(&home.store_path(), TABLES) >= acknowledged);
        }
        let before = assert_whole(&home.store_path(), TABLES);
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        assert_eq!(assert_whole(&home.store_path(), TABLES), before + 1);
    }
}

on_every_major! {
    fn a_store_that_cannot_be_written_is_named_and_stays_whole(server: &Server) {
        let database = with_tables(server, "unwritable", 5);
        let (home, url) = (Home::new(), server.url(&database));
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        let folder = home.store_path().parent().unwrap().to_owned();

        // not even root may write through a read-only mount or an immutable file, but root ignores
        // modes: so this runs as somebody else
        let read_only = ReadOnly::make(&home, &folder);
        if let Some(read_only) = &read_only {
            let ran = Ran::of(read_only.plimsoll(&home, &url).arg("sample"));
            ran.failed_saying(&["plimsoll.db"]);
            assert!(ran.err.contains("cannot be written"), "{ran:?}");
        }
        drop(read_only);

        // a folder that is no file, a file that is no database
        let ran = home.run(&url, &["--store", "sqlite:/proc/no/such/store.db", "sample"]);
        ran.failed_saying(&["/proc/no/such"]);
        let junk = home.write("junk.db", &"this is no database\n".repeat(500));
        let ran = home.run(&url, &["--store", &format!("sqlite:{}", junk.display()), "sample"]);
        ran.failed_saying(&["junk.db"]);
        assert!(std::fs::read_to_string(&junk).unwrap().starts_with("this is no database"));

        assert_eq!(assert_whole(&home.store_path(), 5), 1);
    }
}

/// A store's folder that may be read and not written, by whoever runs the program.
struct ReadOnly {
    folder: PathBuf,
    as_nobody: bool,
}

impl ReadOnly {
    /// None where root cannot become somebody else.
    fn make(home: &Home, folder: &Path) -> Option<Self> {
        let is_root = std::fs::metadata("/proc/self")
            .map(|m| std::os::unix::fs::MetadataExt::uid(&m))
            .ok()?
            == 0;
        let as_nobody = is_root && Command::new("setpriv").arg("--version").output().is_ok();
        if is_root && !as_nobody {
            return None;
        }
        for entry in std::fs::read_dir(folder).unwrap() {
            set_mode(&entry.unwrap().path(), 0o444);
        }
        set_mode(folder, 0o555);
        // nobody must be able to get there
        for ancestor in home.path("x").ancestors().skip(1).take(1) {
            set_mode(ancestor, 0o755);
        }
        for name in [".local", ".local/share"] {
            set_mode(&home.path(name), 0o755);
        }
        Some(Self {
            folder: folder.to_owned(),
            as_nobody,
        })
    }

    fn plimsoll(&self, home: &Home, url: &str) -> Command {
        if !self.as_nobody {
            return home.on(url);
        }
        let program = home.path("plimsoll-copy");
        if !program.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_plimsoll"), &program).unwrap();
            set_mode(&program, 0o755);
        }
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program);
        crate::support::clear(&mut command, &home.path("x").with_file_name(""));
        command.env("DATABASE_URL", url);
        command
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        set_mode(&self.folder, 0o700);
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            set_mode(&entry.unwrap().path(), 0o600);
        }
    }
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A small file system, or the limit on file sizes where mounting is not allowed.
enum Disk {
    Mounted(PathBuf),
    Limited,
}

impl Disk {
    fn new(home: &Home) -> Self {
        let folder = home.path("disk");
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(&folder)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            Self::Mounted(folder)
        } else {
            Self::Limited
        }
    }

    fn plimsoll(&self, home: &Home, url: &str) -> Command {
        if matches!(self, Self::Mounted(_)) {
            return home.on(url);
        }
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\"",
            env!("CARGO_BIN_EXE_plimsoll"),
        ]);
        crate::support::clear(&mut command, &home.path("x").with_file_name(""));
        command.env("DATABASE_URL", url);
        command
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Mounted(folder) = self {
            let _ = Command::new("umount").arg(folder).status();
        }
    }
}

on_every_major! {
    fn a_full_disk_ends_in_a_clear_message_and_a_whole_history(server: &Server) {
        const TABLES: usize = 400;
        let database = with_tables(server, "full", TABLES);
        let (home, url) = (Home::new(), server.url(&database));
        let disk = Disk::new(&home);
        let store = home.path("disk/plimsoll.db");
        let store_url = format!("sqlite:{}", store.display());
        let sample = || Ran::of(disk.plimsoll(&home, &url).args(["--store", &store_url, "sample"]));
        let mut kept = 0;
        let failed = loop {
            let ran = sample();
            if ran.code != Some(0) {
                break ran;
            }
            kept += 1;
            assert!(kept < 2000, "the disk never fills");
            // only what changed costs: so everything changes
            server.sql(&database, &format!(
                "do $$ begin for i in 1..{TABLES} loop execute format('insert into t%s select g + {kept} * 1000 from generate_series(1, 300) g', i); end loop; end $$"
            )).unwrap();
        };
        assert!(kept >= 1, "{failed:?}");
        failed.failed_saying(&["full"]);
        assert_eq!(assert_whole(&store, TABLES), kept);
        // and it can still be read
        let history = Ran::of(home.on(&url).args(["--store", &store_url, "--output", "json", "history"]));
        assert_eq!(history.json()["total"], kept);
        // an export that has no room says where to, and leaves nothing that looks like one
        if matches!(disk, Disk::Mounted(_)) {
            let file = home.path("disk/export.ndjson");
            let exported = Ran::of(home.on(&url).args(["--store", &store_url, "export"]).arg(&file));
            exported.failed_saying(&["exporting to", file.to_str().unwrap(), "No space left"]);
            let left = std::fs::read_dir(home.path("disk")).unwrap();
            let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
            assert!(left.iter().all(|name| name.to_string_lossy().starts_with("plimsoll.db")), "{left:?}");
        }
    }
}

on_every_major! {
    fn two_processes_share_one_history(server: &Server) {
        let database = with_tables(server, "two", 20);
        let (home, url) = (Home::new(), server.url(&database));
        let children: Vec<_> = (0..6)
            .map(|_| {
                home.on(&url).arg("sample").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for child in children {
            let ran = Ran::from(child.wait_with_output().unwrap());
            assert_eq!(ran.code, Some(0), "{ran:?}");
        }
        assert_eq!(assert_whole(&home.store_path(), 20), 6);
    }
}
