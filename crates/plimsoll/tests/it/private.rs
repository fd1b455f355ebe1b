//! What Plimsoll writes is its owner's only, whatever the mask of the process would let through.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use throwaway_postgres::test;

use crate::serve::Service;
use crate::support::{Home, Ran, clear, new_database};

/// The mode of each file and folder below one, by its path there.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            // what is written to may be gone by now
            let Ok(metadata) = path.symlink_metadata() else {
                continue;
            };
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            found.push((name, metadata.permissions().mode() & 0o777));
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

#[test]
fn whatever_is_written_is_its_owners_only() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "private");
    server
        .sql(
            &database,
            "create table t as select generate_series(1, 1000) n",
        )
        .unwrap();
    for mask in ["0", "022"] {
        let home = Home::new();
        let command = |args: &[&str]| {
            let mut command = Command::new("sh");
            command
                .args(["-c", &format!("umask {mask}; exec \"$0\" \"$@\"")])
                .arg(env!("CARGO_BIN_EXE_plimsoll"))
                .args(args);
            clear(&mut command, &home.path(""));
            command
                .env("DATABASE_URL", server.url(&database))
                .env("TMPDIR", home.path(""));
            command
        };
        let run = |args: &[&str]| {
            let ran = Ran::of(&mut command(args));
            assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        };
        let path = |name: &str| home.path(name).display().to_string();
        let named = format!("sqlite:{}", path("a/new/folder/named.db"));
        run(&["sample"]);
        run(&["--create", "--store", &named, "sample"]);
        run(&["export", &path("all.ndjson")]);
        run(&["export", "--overwrite", &path("all.ndjson")]);
        run(&["export", "--table", "t", &path("t.csv")]);
        run(&["backup", &path("copy.db")]);
        run(&[
            "--create",
            "--store",
            &format!("{named}.other"),
            "import",
            &path("all.ndjson"),
        ]);
        let service = Service::start(&mut command(&["serve", "--listen", "127.0.0.1:0"]));
        assert_eq!(service.post("/api/storage/samples").0, 201);
        let modes = modes(&home.path(""));
        let names: Vec<&str> = modes.iter().map(|(name, _)| name.as_str()).collect();
        for name in [
            ".local/share/plimsoll/plimsoll.db",
            ".local/share/plimsoll/plimsoll.db-wal",
            ".local/share/plimsoll/plimsoll.db-shm",
            "a/new/folder/named.db",
            "copy.db",
            "all.ndjson",
            "t.csv",
        ] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
        for (name, mode) in &modes {
            assert_eq!(
                mode & 0o077,
                0,
                "{name} has mode {mode:o} under mask {mask}"
            );
        }
        let (code, log) = service.stop("-TERM");
        assert_eq!(code, Some(0), "{log}");
    }
}
