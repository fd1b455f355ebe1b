//! Runs the program in a world of its own: no configuration, no history, nothing in the environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tempfile::TempDir;
use throwaway_postgres::Server;

/// A home folder, removed at the end.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the history is, as the program finds it by itself.
    pub(crate) fn store_path(&self) -> PathBuf {
        self.path(".local/share/plimsoll/plimsoll.db")
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The program, with nothing but a home.
    pub(crate) fn plimsoll(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
        clear(&mut command, self.folder.path());
        command
    }

    /// The program on one database.
    pub(crate) fn on(&self, url: &str) -> Command {
        let mut command = self.plimsoll();
        command.env("DATABASE_URL", url);
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, url: &str, args: &[&str]) -> Ran {
        Ran::of(self.on(url).args(args))
    }
}

/// Nothing of this test's environment but what starting servers needs.
pub(crate) fn clear(command: &mut Command, home: &Path) {
    command.env_clear().env("HOME", home).stdin(Stdio::null());
    for name in ["PATH", "PLIMSOLL_PG_BIN", "TMPDIR", "LLVM_PROFILE_FILE"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // The cache of servers is found from the home folder; an ordinary user's is not this one.
    if let Some(home) = std::env::var_os("HOME") {
        command.env("XDG_CACHE_HOME", Path::new(&home).join(".cache"));
    }
}

/// What a run printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// Standard output as JSON, of a run that went well.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// That it ended with exit code 2 and a text that has all of `words`, and printed no data.
    pub(crate) fn failed_saying(&self, words: &[&str]) {
        assert_eq!(self.code, Some(2), "{self:?}");
        assert_eq!(self.out, "", "data on standard output: {self:?}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in {self:?}");
        }
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Makes a database of its own for one test, and returns its name.
pub(crate) fn new_database(server: &Server, purpose: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{purpose}_{}_{number}", std::process::id());
    server
        .sql("postgres", &format!("create database {name}"))
        .unwrap();
    name
}

/// The row of a table in an answer of `sizes`.
pub(crate) fn row<'a>(answer: &'a Value, table: &str) -> &'a Value {
    answer["tables"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["table_name"] == table)
        .unwrap_or_else(|| panic!("no table {table} in {answer}"))
}

/// One number that the server answers.
pub(crate) fn number(server: &Server, database: &str, sql: &str) -> u64 {
    server.sql(database, sql).unwrap()[0][0]
        .as_ref()
        .unwrap()
        .parse()
        .unwrap()
}
