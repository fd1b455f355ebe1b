//! Where files are, and where they may not be: each case is told by what it is, and nothing hangs.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use throwaway_postgres::{on_every_major, test};

use crate::support::{Home, Ran, new_database};

/// Nobody's, to whom folders can be closed: to root none is.
const NOBODY: u32 = 65534;

/// The program as a user who may not enter every folder.
fn as_nobody(home: &Home) -> Command {
    let mut command = home.plimsoll();
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_folder_that_may_not_be_entered_is_named_and_nothing_in_it_is_missing() {
    let home = Home::new();
    set_mode(&home.path(""), 0o755);
    let closed = home.path("closed");
    std::fs::create_dir(&closed).unwrap();
    let inside = closed.join("inside");
    std::fs::create_dir(&inside).unwrap();
    std::fs::write(inside.join("file"), "1,2\n").unwrap();
    set_mode(&closed, 0);
    let file = inside.join("file").display().to_string();
    let store = format!("sqlite:{file}");
    let config = home.write(
        "plimsoll.toml",
        &format!("[[instance]]\nname = \"i\"\nurl_file = \"{file}\"\n"),
    );
    set_mode(&config, 0o644);
    let config = config.display().to_string();
    let url = "postgres://u@127.0.0.1:1/app";
    let says = ["may not enter the folder", &*closed.display().to_string()];
    for args in [
        &["--store", &store, "--database-url", url, "history"][..],
        &["--store", &store, "--database-url", url, "sample"],
        &[
            "--store",
            &store,
            "--database-url",
            url,
            "import",
            "/dev/null",
        ],
        &["--store", &store, "migrate"],
        &[
            "--store",
            &store,
            "--database-url",
            url,
            "serve",
            "--listen",
            "127.0.0.1:0",
        ],
        &["--config", &file, "sizes"],
        &["--config", &config, "sizes"],
        &["forecast", "--input", &file],
        &[
            "--database-url",
            url,
            "--store",
            "sqlite:/dev/shm/plimsoll-none.db",
            "import",
            &file,
        ],
    ] {
        Ran::of(as_nobody(&home).args(args)).failed_saying(&says);
    }
    // libpq goes on without a password file, and so does this; but it is said why
    let ran = Ran::of(
        as_nobody(&home)
            .args(["--database-url", url, "sizes"])
            .env("PGPASSFILE", &file),
    );
    assert!(says.iter().all(|word| ran.err.contains(word)), "{ran:?}");
    set_mode(&closed, 0o755);
}

#[test]
fn a_store_that_is_no_file_is_refused_and_never_waited_for() {
    let home = Home::new();
    let pipe = home.path("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    for (path, what) in [
        (pipe.display().to_string(), "a named pipe"),
        (home.path("").display().to_string(), "a folder"),
        ("/dev/null".to_owned(), "a device"),
    ] {
        let store = format!("sqlite:{path}");
        for args in [&["history"][..], &["migrate"], &["sample"], &["store"]] {
            let mut command = home.on("postgres://u@127.0.0.1:1/app");
            let mut child = command
                .args(["--store", &store])
                .args(args)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let until = Instant::now() + Duration::from_secs(60);
            while child.try_wait().unwrap().is_none() {
                if Instant::now() > until {
                    child.kill().unwrap();
                    panic!("{store} {args:?}: it waits");
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            let ran = Ran::from(child.wait_with_output().unwrap());
            ran.failed_saying(&[&path, what]);
        }
    }
}

#[test]
fn what_names_nothing_is_told_and_what_is_empty_is_not_set() {
    let home = Home::new();
    let url = "postgres://u@127.0.0.1:1/app";
    for store in ["sqlite::memory:", "sqlite://:memory:"] {
        for command in ["sample", "history", "serve"] {
            home.run(url, &["--store", store, command])
                .failed_saying(&["lost with each command", "sqlite:PATH"]);
        }
    }
    // as a shell, a unit file or a compose file leaves one out
    let config = home.write(
        "plimsoll.toml",
        &format!("[[instance]]\nname = \"i\"\nurl = \"{url}\"\n"),
    );
    let empty = |args: &[&str]| {
        let mut command = home.plimsoll();
        for name in ["PLIMSOLL_STORE", "PLIMSOLL_CONFIG", "DATABASE_URL"] {
            command.env(name, "");
        }
        Ran::of(command.args(args))
    };
    let checked = empty(&[
        "--output",
        "json",
        "--config",
        config.to_str().unwrap(),
        "check-config",
    ])
    .json();
    assert_eq!(checked["instances"][0]["name"], "i", "{checked}");
    assert!(
        checked["store"]
            .as_str()
            .unwrap()
            .ends_with("plimsoll/plimsoll.db"),
        "{checked}"
    );
    empty(&["sizes"]).failed_saying(&["no database is named"]);
    // what is typed is meant
    for option in ["--store", "--config", "--database-url"] {
        let ran = home.run(url, &[option, "", "history"]);
        assert_eq!(ran.code, Some(2), "{option}: {ran:?}");
    }
}

on_every_major! {
    fn a_refused_import_leaves_no_store_behind(server: &Server) {
        let (home, url) = (Home::new(), server.url(&new_database(server, "refused")));
        let there = new_database(server, "refused_store");
        let exported = home.run(&url, &["export"]);
        assert_eq!(exported.code, Some(2), "there is none yet: {exported:?}");
        for (name, text) in [
            ("bad.csv", "time,table,bytes\n2026-01-01,orders,many\n"),
            ("none.csv", "time,table,bytes\n"),
            ("two.csv", "date,bytes\n2026-01-01,1\n2026-01-01,2\n"),
            ("short.ndjson", "{\"row\":\"database\"}\n"),
            ("short.ndjson", "{\"row\":\"disk\",\"format\":1,\"instance\":\"i\"}\n"),
        ] {
            let file = home.write(name, text);
            let file = file.to_str().unwrap();
            let ran = home.run(&url, &["import", file]);
            assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
            assert!(!home.store_path().exists(), "{name}");
            let ran = home.run(&url, &["--store", &server.url(&there), "import", file]);
            assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
            let schemas = server.sql(&there, "select count(*) from pg_namespace where nspname = 'plimsoll'").unwrap();
            assert_eq!(schemas[0][0].as_deref(), Some("0"), "{name}");
        }
        let file = home.write("good.csv", "date,bytes\n2026-01-01,1\n2026-01-02,2\n");
        let ran = home.run(&url, &["import", file.to_str().unwrap()]);
        assert!(ran.out.contains("2 samples added") && home.store_path().exists(), "{ran:?}");
    }
}

#[test]
fn a_running_serve_leaves_a_role_its_only_connection() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    let database = new_database(server, "lone");
    server
        .sql(
            "postgres",
            "create role lone login connection limit 1; grant pg_monitor to lone",
        )
        .unwrap();
    let url = server.url(&database).replacen("postgres@", "lone@", 1);
    let home = Home::new();
    let mut command = home.on(&url);
    let service = crate::serve::Service::start(command.args(["serve", "--listen", "127.0.0.1:0"]));
    // while it is at work it may have it, between that nobody has
    let until = Instant::now() + Duration::from_secs(120);
    loop {
        let ran = home.run(&url, &["sizes"]);
        if ran.code == Some(0) {
            break;
        }
        assert!(
            ran.err
                .contains("a running `plimsoll serve` of the same role may hold it"),
            "{ran:?}"
        );
        assert!(Instant::now() < until, "{ran:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
    // who holds it is said
    let mut held = server.session(&database).unwrap();
    held.run("set session authorization lone").unwrap();
    drop(held);
    drop(service);
}

#[test]
fn an_answer_about_a_server_takes_no_database_and_the_past_is_not_to_come() {
    let home = Home::new();
    let url = "postgres://u@127.0.0.1:1/app";
    for command in ["disk", "store", "serve", "migrate", "check-config"] {
        home.run(url, &["--database", "nope", command])
            .failed_saying(&[command, "is not about one database", "nope"]);
    }
    home.run(url, &["disk", "--since", "2999-01-01"])
        .failed_saying(&["still to come"]);
    // an age of many days is one
    let file = home.write(
        "sizes.csv",
        "date,bytes\n2026-01-01,1000\n2026-01-02,2000\n",
    );
    assert_eq!(
        home.run(url, &["import", file.to_str().unwrap()]).code,
        Some(0)
    );
    for command in ["growth", "history"] {
        let ran = home.run(url, &[command, "--since", "10000d"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        home.run(url, &[command, "--since", "100000d"])
            .failed_saying(&["up to five digits"]);
    }
}
