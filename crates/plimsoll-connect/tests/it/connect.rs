//! Connecting to a server, and what goes wrong with it.

use std::process::Command;
use std::time::{Duration, Instant};

use plimsoll_connect::{ConnectError, Connected, DatabaseUrl};
use throwaway_postgres::{Installation, Server, test};

async fn open(url: &str) -> Result<Connected, ConnectError> {
    let url: DatabaseUrl = url.parse()?;
    url.connect("plimsoll", Duration::from_secs(10)).await
}

throwaway_postgres::on_own_server! {
    each_refusal_has_its_code_and_no_password => refusals,
    a_server_that_recovers_is_starting => starting,
}

async fn refusals(installation: &Installation) {
    let server = Server::start(&throwaway_postgres::Options {
        tcp: true,
        ..test::options(installation)
    })
    .unwrap();
    for sql in [
        "create role monitor login password 'hunter2'",
        "create role nobody_may login password 'hunter2' connection limit 0",
        "create role locked_out nologin password 'hunter2'",
        "create database closed_one",
        "revoke connect on database closed_one from public",
    ] {
        server.sql("postgres", sql).unwrap();
    }
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let free_port = free.local_addr().unwrap().port();
    drop(free);
    let port = server.port();
    let socket = server.folder().display();
    for (url, code, text) in [
        (
            format!("postgres://monitor:hunter2@127.0.0.1:{port}/postgres"),
            "",
            "",
        ),
        (
            format!("postgres://monitor:hunter2@127.0.0.1:{free_port}/postgres"),
            "server_unreachable",
            "refused",
        ),
        (
            "postgres://monitor:hunter2@no-such-host.invalid/postgres".to_owned(),
            "server_unreachable",
            "no-such-host.invalid:5432",
        ),
        (
            format!("postgres://monitor:hunter2@/postgres?host={socket}&port={free_port}"),
            "server_unreachable",
            ".s.PGSQL.",
        ),
        (
            format!("postgres://monitor:hunter22@127.0.0.1:{port}/postgres"),
            "authentication_failed",
            "\"monitor\"",
        ),
        (
            format!("postgres://monitor@127.0.0.1:{port}/postgres?passfile=/none"),
            "authentication_failed",
            "password",
        ),
        (
            format!("postgres://locked_out:hunter2@127.0.0.1:{port}/postgres"),
            "authentication_failed",
            "not permitted to log in",
        ),
        (
            format!("postgres://monitor:hunter2@127.0.0.1:{port}/no_such"),
            "unknown_database",
            "\"no_such\"",
        ),
        (
            format!("postgres://monitor:hunter2@127.0.0.1:{port}/closed_one"),
            "permission_denied",
            "closed_one",
        ),
        (
            format!("postgres://nobody_may:hunter2@127.0.0.1:{port}/postgres"),
            "too_many_connections",
            "max_connections",
        ),
        (
            format!("postgres://monitor:hunter2@127.0.0.1:{port}/postgres?sslmode=require"),
            "tls_failed",
            "ssl = on",
        ),
        // Several hosts: the next one answers.
        (
            format!("postgres://monitor:hunter2@127.0.0.1:{free_port},127.0.0.1:{port}/postgres"),
            "",
            "",
        ),
        (
            format!(
                "postgres://monitor:hunter2@127.0.0.1:{port}/postgres?target_session_attrs=read-only"
            ),
            "server_unreachable",
            "not read-only",
        ),
        (
            format!(
                "postgres://monitor:hunter2@127.0.0.1:{port}/postgres?target_session_attrs=prefer-standby"
            ),
            "",
            "",
        ),
    ] {
        let result = open(&url).await;
        let Err(error) = result else {
            assert_eq!(code, "", "{url}");
            continue;
        };
        assert_eq!(error.code(), code, "{url}: {error}");
        assert!(error.to_string().contains(text), "{url}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
    // The password comes from the password file, and not from one that others may read.
    let home = tempfile::tempdir().unwrap();
    let passfile = home.path().join("pgpass");
    std::fs::write(&passfile, format!("127.0.0.1:{port}:*:monitor:hunter2\n")).unwrap();
    let url = format!(
        "postgres://monitor@127.0.0.1:{port}/postgres?passfile={}",
        passfile.display()
    );
    for (mode, code) in [("600", None), ("644", Some("authentication_failed"))] {
        assert!(
            Command::new("chmod")
                .arg(mode)
                .arg(&passfile)
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(
            open(&url).await.err().map(|error| error.code()),
            code,
            "{mode}"
        );
    }
}

/// A standby that takes no connections says so for as long as it runs, as a server in recovery does.
async fn starting(installation: &Installation) {
    let server = Server::start(&test::options(installation)).unwrap();
    let standby = server.standby(&[]).unwrap();
    standby
        .sql("postgres", "alter system set hot_standby = off")
        .unwrap();
    standby.stop().unwrap();
    // It never becomes ready, so waiting for it fails; it runs all the same.
    let _ = standby.start_again();
    let error = open(&standby.url("postgres")).await.unwrap_err();
    assert_eq!(error.code(), "server_starting", "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_connect_timeout() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for url in [
        format!("postgres://u:hunter2@127.0.0.1:{port}/d"),
        format!("postgres://u:hunter2@127.0.0.1:{port}/d?sslmode=disable"),
    ] {
        let started = Instant::now();
        let error = url
            .parse::<DatabaseUrl>()
            .unwrap()
            .connect("plimsoll", Duration::from_millis(300))
            .await
            .unwrap_err();
        assert_eq!(error.code(), "timed_out", "{error}");
        assert!(started.elapsed() < Duration::from_secs(60));
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}
