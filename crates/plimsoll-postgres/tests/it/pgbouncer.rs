//! Sessions through PgBouncer in transaction mode, where each statement may meet another backend.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use plimsoll_connect::DatabaseUrl;
use plimsoll_core::instance::Figure;
use plimsoll_postgres::{Session, facts};
use throwaway_postgres::{Installation, Server, test};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::session::{limits, open_with_a_near_deadline, wait_until_idle};

on_own_server! {
    through_pgbouncer_settings_hold_and_stay_behind_nowhere => through_pgbouncer,
}

/// A running PgBouncer, ended when dropped.
struct Bouncer {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|file| file.is_file())
}

async fn start(binary: &Path, server: &Server) -> Bouncer {
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let settings = format!(
        "[databases]\n\
         * = host=127.0.0.1 port={} user=postgres password={}\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = 1\n",
        server.port(),
        server.password()
    );
    let file = folder.path().join("pgbouncer.ini");
    std::fs::write(&file, settings).unwrap();
    let mut command = Command::new(binary);
    // It refuses to run as root, and gives that up by itself when told to whom.
    if rustix::process::geteuid().is_root() {
        command.args(["-u", "nobody"]);
    }
    let process = command
        .arg(&file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let bouncer = Bouncer {
        process,
        port,
        _folder: folder,
    };
    let started = Instant::now();
    while tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .is_err()
    {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "PgBouncer does not start"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bouncer
}

async fn through_pgbouncer(installation: &Installation) {
    let Some(binary) = binary() else {
        #[expect(clippy::print_stderr, reason = "a test that did nothing must say so")]
        {
            eprintln!("not tested: pgbouncer is not installed");
        }
        return;
    };
    let server = Server::start(&throwaway_postgres::Options {
        tcp: true,
        ..test::options(installation)
    })
    .unwrap();
    let bouncer = start(&binary, &server).await;
    let url: DatabaseUrl = format!(
        "postgres://someone@127.0.0.1:{}/postgres?sslmode=disable",
        bouncer.port
    )
    .parse()
    .unwrap();

    // One backend, two sessions of ours and a stranger in turns.
    let cancel = CancellationToken::new();
    let first = Session::open(&url, &limits(), &cancel).await.unwrap();
    let second = Session::open(&url, &limits(), &cancel).await.unwrap();
    let stranger = url
        .connect("stranger", Duration::from_secs(10))
        .await
        .unwrap()
        .client;
    let sql = "select concat_ws(' ', current_setting('statement_timeout'), current_setting('transaction_read_only'),
        current_setting('work_mem'), current_setting('search_path'))";
    let ours = "30s on 32MB pg_catalog, pg_temp";
    for _ in 0..3 {
        for session in [&first, &second] {
            let row = session.one(sql, &[]).await.unwrap();
            assert_eq!(session.read::<String, _>(&row, 0).unwrap(), ours);
        }
        assert!(first.rows("select 1/0", &[]).await.is_err());
        let answer = stranger.simple_query(sql).await.unwrap();
        let theirs = answer.iter().find_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        assert_eq!(theirs, Some("0 off 4MB \"$user\", public"));
    }
    let found = facts(&first, &[]).await.unwrap();
    assert!(found.wal.bytes.known().is_some());
    assert!(matches!(&found.capacity, Figure::Absent(reason) if reason.contains("Unix socket")));

    // The request to cancel finds the backend through PgBouncer.
    let session = open_with_a_near_deadline(&url).await;
    let error = session.rows("select pg_sleep(60)", &[]).await.unwrap_err();
    assert_eq!(error.code(), "timed_out");
    wait_until_idle(&server).await;
}
