//! A PgBouncer before a server, for tests; nothing where it is not installed.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::StartError;
use crate::server::Server;

/// A running PgBouncer, ended when dropped. Whoever connects is let in, and is the server's superuser.
#[derive(Debug)]
pub struct Pooler {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // it may be gone already
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Pooler {
    /// Starts it in front of a server that listens on TCP, with so many connections to each of its databases, shared as
    /// `pool_mode` says. `None`, with a line that says so, where PgBouncer is not installed.
    ///
    /// # Errors
    /// Where it is installed and does not start.
    pub fn start(
        server: &Server,
        pool_mode: &str,
        connections: usize,
    ) -> Result<Option<Self>, StartError> {
        Self::start_for(server, pool_mode, connections, &[("*", None)])
    }

    /// As [`Pooler::start`], for some databases only: each by the name that clients ask for, and by its own where that
    /// differs.
    ///
    /// # Errors
    /// Where it is installed and does not start.
    pub fn start_for(
        server: &Server,
        pool_mode: &str,
        connections: usize,
        databases: &[(&str, Option<&str>)],
    ) -> Result<Option<Self>, StartError> {
        let Some(binary) = binary() else {
            say("PgBouncer: not tested: it is not installed");
            return Ok(None);
        };
        say("PgBouncer: tested");
        let attempt = StartError::io("starting PgBouncer");
        let started = Self::run(&binary, server, pool_mode, connections, databases);
        started.map(Some).map_err(attempt)
    }

    fn run(
        binary: &PathBuf,
        server: &Server,
        pool_mode: &str,
        connections: usize,
        databases: &[(&str, Option<&str>)],
    ) -> std::io::Result<Self> {
        let folder = tempfile::Builder::new()
            .permissions(PermissionsExt::from_mode(0o755))
            .tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let (at, password) = (server.port(), server.password());
        let line = |(name, own): &(&str, Option<&str>)| {
            let own = own.map_or_else(String::new, |own| format!(" dbname={own}"));
            format!("{name} = host=127.0.0.1 port={at} user=postgres password={password}{own}\n")
        };
        let databases: String = databases.iter().map(line).collect();
        let settings = format!(
            "[databases]\n\
             {databases}\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = {pool_mode}\n\
             default_pool_size = {connections}\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings)?;
        let mut command = Command::new(binary);
        // It refuses to run as root, unless it is told which account to run as.
        if server.account.is_some() {
            command.args(["-u", "nobody"]);
        }
        let process = command
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let pooler = Self {
            process,
            port,
            _folder: folder,
        };
        let started = Instant::now();
        while let Err(error) = TcpStream::connect(("127.0.0.1", port)) {
            if started.elapsed() > Duration::from_secs(30) {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(pooler)
    }

    /// The URL of a database of the server's, through the pooler.
    pub fn url(&self, database: &str) -> String {
        let port = self.port;
        format!("postgres://someone@127.0.0.1:{port}/{database}?sslmode=disable")
    }
}

fn binary() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|folder| folder.join("pgbouncer"))
        .find(|file| file.is_file())
}

#[expect(clippy::print_stderr, reason = "the summary of the tests repeats it")]
fn say(line: &str) {
    eprintln!("{line}");
}
