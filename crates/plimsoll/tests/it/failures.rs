//! Whatever goes wrong ends in a clear message and exit code 2, and the history stays whole.

use std::net::TcpListener;
use std::process::Command;

use throwaway_postgres::{Options, Server, on_every_major, test};

use crate::support::{Home, Ran, new_database};

/// A server that also listens on a port, with a password.
fn server_with_tcp(major: u32) -> Option<Server> {
    let installation = test::installed(major)?;
    Some(
        Server::start(&Options {
            tcp: true,
            ..test::options(&installation)
        })
        .unwrap(),
    )
}

fn history_length(home: &Home, url: &str) -> u64 {
    let ran = home.run(url, &["--output", "json", "history"]);
    ran.json()["total"].as_u64().unwrap()
}

/// One test a major, because each needs a server with a port of its own.
macro_rules! with_tcp {
    ($name:ident: $($test:ident $major:literal),+) => { mod $name { $(
        #[test]
        fn $test() {
            if let Some(server) = super::server_with_tcp($major) {
                super::$name(&server);
            }
        }
    )+ } };
}

with_tcp!(a_server_that_cannot_be_visited: pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);

fn a_server_that_cannot_be_visited(server: &Server) {
    let database = new_database(server, "failures");
    server
        .sql(
            &database,
            "create table t as select generate_series(1, 100) i",
        )
        .unwrap();
    let home = Home::new();
    let url = server.tcp_url(&database);
    assert_eq!(home.run(&url, &["sample"]).code, Some(0));

    let wrong = url.replace(server.password(), "wrong-hush");
    for command in ["sizes", "sample", "doctor"] {
        let ran = home.run(&wrong, &[command]);
        ran.failed_saying(&["did not let", "password"]);
        assert!(!ran.err.contains("wrong-hush"), "{ran:?}");
    }
    // each also with every log line there is
    let ran = home.run(&wrong, &["-vv", "--log-format", "json", "sizes"]);
    ran.failed_saying(&["did not let"]);
    assert!(!ran.err.contains("wrong-hush"), "{ran:?}");

    home.run(&server.tcp_url("no_such"), &["sample"])
        .failed_saying(&["has no database", "no_such"]);

    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = format!("postgres://u:hush@127.0.0.1:{free}/app");
    let ran = home.run(&nobody, &["sample"]);
    ran.failed_saying(&["cannot reach", &free.to_string()]);
    assert!(!ran.err.contains("hush"), "{ran:?}");

    // a server that hangs: it takes connections, and says nothing
    let pid = server.postmaster_pid().unwrap().to_string();
    let signal = |name: &str| {
        assert!(
            Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    let config = home.write(
        "plimsoll.toml",
        "[visit]\nconnect_timeout = \"300ms\"\ndeadline = \"1s\"\n",
    );
    signal("-STOP");
    let ran = Ran::of(home.on(&url).arg("--config").arg(config).arg("sample"));
    signal("-CONT");
    ran.failed_saying(&["plimsoll:"]);

    server.stop().unwrap();
    home.run(&url, &["sample"]).failed_saying(&["cannot reach"]);
    server.start_again().unwrap();

    // nothing was lost, nothing was added
    assert_eq!(history_length(&home, &url), 1);
    assert_eq!(home.run(&url, &["sample"]).code, Some(0));
    assert_eq!(history_length(&home, &url), 2);
}

on_every_major! {
    fn a_role_that_may_not_connect_is_told_so(server: &Server) {
        let database = new_database(server, "closed");
        let role = format!("{database}_role");
        server.sql("postgres", &format!("create role {role} login; revoke connect on database {database} from public")).unwrap();
        let url = server.url(&database).replace("postgres@", &format!("{role}@"));
        let url = url.replace("user=postgres", &format!("user={role}"));
        let ran = Home::new().run(&url, &["sizes"]);
        ran.failed_saying(&[&database]);
    }
}

#[test]
fn what_is_asked_wrongly_is_said_before_anything_is_done() {
    let home = Home::new();
    let url = "postgres://u:hush@127.0.0.1:1/app";
    for (args, words) in [
        (
            &["sizes", "--sort", "colour"] as &[&str],
            &["`colour`", "one of size, name"] as &[&str],
        ),
        (&["sizes", "--kind", "tables"], &["`tables`", "matview"]),
        (&["history", "--limit", "0"], &["1 to 1000"]),
        (&["history", "--since", "yesterday"], &["`yesterday`", "7d"]),
        (&["--store", "mysql://h/d", "migrate"], &["mysql"]),
        (
            &["--database-url", "mysql://u:hush@h/d", "sizes"],
            &["--database-url"],
        ),
        (&["--instance", "other", "sizes"], &["other", "127.0.0.1:1"]),
        (&["serve", "--listen", "0.0.0.0:0"], &["refusing to listen"]),
        (&["sizes", "--nonsense"], &["--nonsense"]),
        (
            &["--config", "/no/such/file.toml", "sizes"],
            &["/no/such/file.toml"],
        ),
    ] {
        let ran = home.run(url, args);
        ran.failed_saying(words);
        assert!(!ran.err.contains("hush"), "{ran:?}");
    }
    let ran = Ran::of(home.plimsoll().arg("sizes"));
    ran.failed_saying(&["DATABASE_URL"]);
}
