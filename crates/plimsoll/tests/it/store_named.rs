//! The store that a command is given: not there, in no folder, empty, another program's, or a newer program's.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;

use crate::support::{Home, Ran};

/// The commands that only read the history, and the ones that write it. The rest does not open it, or only to
/// add what it knows.
const READ: [&str; 9] = [
    "history", "growth", "forecast", "events", "store", "export", "backup", "alerts", "check",
];
const WRITE: [&str; 4] = ["sample", "import", "migrate", "serve"];
const NEITHER: [&str; 8] = [
    "demo",
    "sizes",
    "disk",
    "doctor",
    "check-config",
    "completions",
    "test",
    "help",
];

/// Nothing listens there: what visits a server before it looks at the store says that.
const NOWHERE: &str = "postgres://nobody@127.0.0.1:1/app";

/// What `check` cannot judge it tells as a plugin of Nagios does.
fn refused(command: &str, ran: &Ran, words: &[&str]) {
    if command != "check" {
        return ran.failed_saying(words);
    }
    assert_eq!((ran.code, &*ran.err), (Some(3), ""), "{ran:?}");
    assert!(ran.out.starts_with("PLIMSOLL UNKNOWN - "), "{ran:?}");
    for word in words {
        assert!(ran.out.contains(word), "no {word:?} in {ran:?}");
    }
}

fn run(home: &Home, store: &Path, command: &str, more: &[&str]) -> Ran {
    let store = format!("sqlite:{}", store.display());
    let mut args = vec!["--store", &store, command];
    let file = home.write(
        "sizes.csv",
        "time,bytes\n2026-01-01,8192\n2026-01-02,16384\n",
    );
    let (file, copy) = (
        file.display().to_string(),
        home.path("copy.db").display().to_string(),
    );
    args.extend(match command {
        "import" => vec![&*file],
        "backup" => vec![&*copy],
        "serve" => vec!["--listen", "127.0.0.1:0"],
        _ => vec![],
    });
    args.extend(more);
    home.run(NOWHERE, &args)
}

/// All files of the store's folder; SQLite may leave its empty log and its shared memory.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .filter(|(name, bytes)| !bytes.is_empty() && !name.ends_with("-shm"))
        .collect();
    files.sort();
    files
}

#[test]
fn each_command_reads_the_history_or_writes_it_or_does_neither() {
    let help = Home::new().run(NOWHERE, &["help"]).out;
    let commands = help.split_once("Commands:").unwrap().1;
    let commands = commands.split("\n\n").next().unwrap().lines();
    let listed: BTreeSet<&str> = commands
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().unwrap())
        .collect();
    let known = READ.iter().chain(&WRITE).chain(&NEITHER).copied();
    assert_eq!(listed, known.collect());
}

#[test]
fn commands_that_read_make_no_store_and_migrate_none() {
    let home = Home::new();
    let folder = home.path("stores");
    std::fs::create_dir(&folder).unwrap();
    let store = folder.join("history.db");
    for command in READ {
        let words = ["there is no store", "history.db", "plimsoll sample"];
        refused(command, &run(&home, &store, command, &[]), &words);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{command}");
    }
    // one that an earlier version made
    let sqlite = Connection::open(&store).unwrap();
    sqlite
        .execute_batch(include_str!(
            "../../../plimsoll-store/migrations/sqlite/001_history.sql"
        ))
        .unwrap();
    sqlite
        .execute_batch(
            "create table migrations (number integer primary key, name text not null, applied_at text) strict;
             insert into migrations values (1, '001_history', '2026-01-01T00:00:00Z')",
        )
        .unwrap();
    drop(sqlite);
    let before = files(&folder);
    for command in READ {
        let words = ["plimsoll migrate", "history.db"];
        refused(command, &run(&home, &store, command, &[]), &words);
        assert_eq!(files(&folder), before, "{command}");
    }
    let migrated = run(&home, &store, "migrate", &[]);
    assert!(migrated.out.starts_with("applied 002_"), "{migrated:?}");
    // and the store where one is looked for by itself
    let ran = home.run(NOWHERE, &["history"]);
    ran.failed_saying(&["there is no store", ".local/share/plimsoll/plimsoll.db"]);
    assert!(!home.path(".local").exists());
}

#[test]
fn a_named_folder_that_is_not_there_is_made_when_that_is_asked_for() {
    let home = Home::new();
    let store = home.path("not/mounted/history.db");
    for command in WRITE {
        run(&home, &store, command, &[]).failed_saying(&["--create", "not/mounted"]);
        assert!(!home.path("not").exists(), "{command}");
    }
    for command in READ {
        let ran = run(&home, &store, command, &["--create"]);
        refused(command, &ran, &["there is no store"]);
        assert!(!home.path("not").exists(), "{command}");
    }
    let made = run(&home, &store, "import", &["--create"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    assert!(store.exists());
    // the user's own data folder needs no word
    let made = home.run(NOWHERE, &["migrate"]);
    assert!(made.out.starts_with("applied 001_"), "{made:?}");
    assert!(home.store_path().exists());
}

#[test]
fn a_store_of_a_newer_program_or_of_another_is_refused_by_every_command_and_left_as_it_is() {
    let home = Home::new();
    for (name, sql, words) in [
        (
            "newer",
            "insert into migrations (number, name, program) values (9999, '9999_future', '7.8.9')",
            ["7.8.9", env!("CARGO_PKG_VERSION")],
        ),
        (
            "theirs",
            "create table notes (text)",
            ["the table notes", "something else"],
        ),
    ] {
        let folder = home.path(name);
        std::fs::create_dir(&folder).unwrap();
        let store = folder.join("history.db");
        if name == "newer" {
            assert_eq!(run(&home, &store, "migrate", &[]).code, Some(0));
        }
        Connection::open(&store)
            .unwrap()
            .execute_batch(sql)
            .unwrap();
        let before = files(&folder);
        for command in READ.into_iter().chain(WRITE) {
            refused(command, &run(&home, &store, command, &[]), &words);
            assert_eq!(files(&folder), before, "{command}");
        }
        run(&home, &store, "sizes", &["--sort", "growth"]).failed_saying(&words);
        assert!(!home.path("copy.db").exists());
    }
}
