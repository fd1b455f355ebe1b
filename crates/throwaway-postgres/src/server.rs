//! A temporary server, from an empty folder to one that accepts connections.

use std::fmt::{self, Write as _};
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use crate::account::{Account, copy_folder};
use crate::error::StartError;
use crate::installation::Installation;
use crate::session::Session;
use crate::supervisor::Supervisor;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which binaries; the newest installed when absent.
    pub installation: Option<Installation>,
    /// Settings for `postgresql.conf`, such as `("max_prepared_transactions", "10")`. A value is
    /// quoted here.
    pub settings: Vec<(String, String)>,
    /// Whether it also listens on a free port of 127.0.0.1, where a password is asked for.
    pub tcp: bool,
}

impl Options {
    /// The same with one more setting.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A running temporary server; gone, with its folder, when this is dropped or its process ends.
///
/// Dropping waits until both are gone. Commits are neither waited for nor flushed to disk: a machine's crash would lose
/// them, and one of the server may lose those of its last 0.6 s (three times `wal_writer_delay`).
pub struct Server {
    pub(crate) folder: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) options: Options,
    pub(crate) account: Option<Account>,
    installation: Installation,
    port: u16,
    password: String,
    supervisor: Mutex<Supervisor>,
}

/// The longest path of a folder that leaves room for a socket in it, `/.s.PGSQL.65535`: Linux allows 107 bytes.
const LONGEST_FOLDER: usize = 107 - 15;

const READY_TIMEOUT: Duration = Duration::from_secs(60);

impl Server {
    /// Makes a cluster and starts it.
    ///
    /// Its only role is the superuser `postgres`: trusted on the socket, and over TCP with the random
    /// password that [`Server::tcp_url`] carries.
    pub fn start(options: &Options) -> Result<Self, StartError> {
        let server = Self::prepare(options)?;
        server.make_cluster()?;
        server.write_settings("")?;
        server.start_on_free_port()
    }

    /// An empty folder and its supervisor.
    pub(crate) fn prepare(options: &Options) -> Result<Self, StartError> {
        let installation = match &options.installation {
            Some(installation) => installation.clone(),
            None => Installation::find(None)?,
        };
        let (folder, account) = private_folder()?;
        let path = folder.path().to_path_buf();
        let bin = reachable_bin(&installation.bin, &path, account)?;
        let password = random_hex()?;
        let data = path.join("data");
        let initdb_options = initdb_options(&installation, &path);
        let supervisor = Supervisor::start(&path, &bin, &initdb_options, account).map_err(
            StartError::io("starting /bin/sh to supervise a temporary server"),
        )?;
        let path = folder.keep();
        Ok(Self {
            folder: path,
            data,
            options: options.clone(),
            account,
            installation,
            port: 5432,
            password,
            supervisor: Mutex::new(supervisor),
        })
    }

    fn make_cluster(&self) -> Result<(), StartError> {
        let password_file = self.folder.join("password");
        self.write(&password_file, &self.password)?;
        let code = self.order("initdb", "running initdb")?;
        if code != 0 {
            return Err(self.failed("initdb"));
        }
        fs::remove_file(&password_file).map_err(StartError::io("removing the password file"))
    }

    /// Writes our settings after those of `postgresql.conf`; `more` are whole lines.
    pub(crate) fn write_settings(&self, more: &str) -> Result<(), StartError> {
        let mut text = String::from("# written by throwaway-postgres\n");
        let address = if self.options.tcp { "127.0.0.1" } else { "" };
        let folder = self.folder.to_string_lossy();
        let fixed = [
            ("listen_addresses", address),
            ("unix_socket_directories", &folder),
            ("fsync", "off"),
            ("synchronous_commit", "off"),
            ("full_page_writes", "off"),
            ("huge_pages", "off"),
            // In the data directory, so that they go with it even after the postmaster was killed.
            ("dynamic_shared_memory_type", "mmap"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
        ];
        let own = self
            .options
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in fixed.into_iter().chain(own) {
            let value = value.replace('\'', "''");
            let _ = writeln!(text, "{name} = '{value}'");
        }
        text.push_str(more);
        let own_file = self.folder.join("settings.conf");
        self.write(&own_file, &text)?;

        let main_file = self.data.join("postgresql.conf");
        let include = format!("\ninclude '{}'\n", own_file.display());
        let main =
            fs::read_to_string(&main_file).map_err(StartError::io("reading postgresql.conf"))?;
        // A standby's copy brings the include of its primary.
        let kept: Vec<&str> = main
            .lines()
            .filter(|line| !line.starts_with("include '"))
            .collect();
        self.write(&main_file, &(kept.join("\n") + &include))
    }

    /// Starts it. Where it listens on TCP, on another port as long as somebody else takes the free one first.
    pub(crate) fn start_on_free_port(mut self) -> Result<Self, StartError> {
        let mut tries = 0;
        loop {
            if self.options.tcp {
                self.port = free_port()?;
            }
            match self.start_again() {
                Err(StartError::Failed { log, .. })
                    if log.contains("Address already in use") && tries < 5 =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
                Ok(()) => return Ok(self),
            }
        }
    }

    /// A URL through the socket, as the superuser `postgres`.
    pub fn url(&self, database: &str) -> String {
        let folder = self.folder.to_string_lossy();
        format!(
            "postgres://postgres@{}:{}/{}",
            percent_encoded(&folder),
            self.port,
            percent_encoded(database)
        )
    }

    /// A URL over TCP, as the superuser `postgres` with its password.
    ///
    /// # Panics
    /// If the server was not started with [`Options::tcp`].
    pub fn tcp_url(&self, database: &str) -> String {
        assert!(self.options.tcp, "this server was started without `tcp`");
        let (password, port) = (&self.password, self.port);
        format!(
            "postgres://postgres:{password}@127.0.0.1:{port}/{}",
            percent_encoded(database)
        )
    }

    /// The password of `postgres`, which is asked for over TCP.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The port of TCP, which is also in the name of the socket.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The major version.
    pub fn major(&self) -> u32 {
        self.installation.major
    }

    /// The binaries that it runs.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The private folder: the socket, the log, and `data`. It is a good place for tablespaces, made
    /// with [`Server::make_folder`].
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Makes an empty folder in the private one, owned by the server's account.
    pub fn make_folder(&self, name: &str) -> Result<PathBuf, StartError> {
        let path = self.folder.join(name);
        let attempt = format!("making {}", path.display());
        fs::create_dir(&path)
            .and_then(|()| self.account.map_or(Ok(()), |account| account.chown(&path)))
            .map_err(StartError::io(attempt))?;
        Ok(path)
    }

    /// What the server has logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The process id of the postmaster, from `postmaster.pid`; none while it is stopped.
    pub fn postmaster_pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).ok()?;
        text.lines().next()?.parse().ok()
    }

    /// A session through the socket, as `postgres`.
    pub fn session(&self, database: &str) -> Result<Session, StartError> {
        Session::open(&self.folder, self.port, database)
    }

    /// Runs SQL in a session of its own; the text values of the last result's rows.
    pub fn sql(&self, database: &str, sql: &str) -> Result<Vec<Vec<Option<String>>>, StartError> {
        self.session(database)?.run(sql)
    }

    /// Stops it, ending sessions (a *fast* shutdown), and waits.
    pub fn stop(&self) -> Result<(), StartError> {
        self.order("stop INT", "stopping the server").map(drop)
    }

    /// Ends it at once, as a crash would (an *immediate* shutdown): the next start recovers.
    pub fn crash(&self) -> Result<(), StartError> {
        self.order("stop QUIT", "stopping the server at once")
            .map(drop)
    }

    /// Starts a stopped server, on the same port, and waits until it accepts connections.
    pub fn start_again(&self) -> Result<(), StartError> {
        let pid = self.order(&format!("start {}", self.port), "starting postgres")?;
        let began = Instant::now();
        while began.elapsed() < READY_TIMEOUT {
            if self.is_ready(pid) {
                return Ok(());
            }
            if has_ended(pid) {
                return Err(self.failed("postgres"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        let log = self.log_end();
        Err(StartError::TooSlow {
            folder: self.folder.clone(),
            seconds: READY_TIMEOUT.as_secs(),
            log,
        })
    }

    /// Stops and starts it.
    pub fn restart(&self) -> Result<(), StartError> {
        self.stop()?;
        self.start_again()
    }

    /// Whether it accepts connections: the postmaster writes its state into the eighth line of its lock file.
    fn is_ready(&self, pid: u32) -> bool {
        let text = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        lines.next() == Some(pid.to_string().as_str())
            && lines
                .nth(6)
                .is_some_and(|state| matches!(state.trim(), "ready" | "standby"))
    }

    fn order(&self, order: &str, attempt: &str) -> Result<u32, StartError> {
        self.supervisor()
            .order(order)
            .map_err(StartError::io(attempt))
    }

    fn supervisor(&self) -> MutexGuard<'_, Supervisor> {
        self.supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a file that the server's account may read, and nobody else.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<(), StartError> {
        let attempt = format!("writing {}", path.display());
        fs::write(path, text)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o600)))
            .and_then(|()| self.account.map_or(Ok(()), |account| account.chown(path)))
            .map_err(StartError::io(attempt))
    }

    fn failed(&self, program: &'static str) -> StartError {
        StartError::Failed {
            program,
            bin: self.installation.bin.clone(),
            log: self.log_end(),
        }
    }

    fn log_end(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("installation", &self.installation)
            .field("folder", &self.folder)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// A new folder that only its owner may enter, and the account that must own it when we are root.
fn private_folder() -> Result<(tempfile::TempDir, Option<Account>), StartError> {
    let make = |base: &Path| {
        tempfile::Builder::new()
            .prefix("plimsoll-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(base)
            .map_err(StartError::io(format!(
                "making a folder in {}",
                base.display()
            )))
    };
    let usual = std::env::temp_dir();
    let usual = usual.canonicalize().unwrap_or(usual);
    let short = Path::new("/tmp");
    let fits = usual.as_os_str().len() + "/plimsoll-123456".len() <= LONGEST_FOLDER;
    let mut folder = make(if fits { &usual } else { short })?;
    let is_root = fs::metadata(folder.path()).is_ok_and(|meta| meta.uid() == 0);
    if !is_root {
        return Ok((folder, None));
    }
    let account = Account::unprivileged()?;
    if fits && !account.may_access(0o3, &usual) {
        folder = make(short)?;
    }
    account
        .chown(folder.path())
        .map_err(StartError::io(format!(
            "giving {} to the server's account",
            folder.path().display()
        )))?;
    Ok((folder, Some(account)))
}

/// The binaries, or a copy in `folder` where the account cannot reach them.
fn reachable_bin(
    bin: &Path,
    folder: &Path,
    account: Option<Account>,
) -> Result<PathBuf, StartError> {
    let Some(account) = account else {
        return Ok(bin.to_path_buf());
    };
    if account.may_access(0o5, &bin.join("postgres"))
        && account.may_access(0o5, &bin.join("initdb"))
    {
        return Ok(bin.to_path_buf());
    }
    let (Some(root), Some(name)) = (bin.parent(), bin.file_name()) else {
        return Ok(bin.to_path_buf());
    };
    let copy = folder.join("installation");
    let attempt = format!(
        "copying {} to where the server's account can read it",
        root.display()
    );
    copy_folder(root, &copy, &|_| false)
        .and_then(|()| account.chown_tree(&copy))
        .map_err(StartError::io(attempt))?;
    Ok(copy.join(name))
}

fn initdb_options(installation: &Installation, folder: &Path) -> Vec<String> {
    let mut options: Vec<String> = [
        "--username=postgres",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--no-sync",
    ]
    .map(str::to_owned)
    .to_vec();
    options.push(format!("--pgdata={}", folder.join("data").display()));
    options.push(format!("--pwfile={}", folder.join("password").display()));
    if installation.major >= 14 {
        options.push("--no-instructions".to_owned());
    }
    options
}

/// Whether a process has ended, also where its parent has not noticed yet. False where `/proc` cannot tell.
fn has_ended(pid: u32) -> bool {
    if !Path::new("/proc/self/stat").exists() {
        return false;
    }
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat
            .rsplit_once(") ")
            .is_some_and(|(_, state)| state.starts_with('Z')),
        Err(_) => true,
    }
}

fn free_port() -> Result<u16, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(StartError::io("looking for a free port on 127.0.0.1"))
}

fn random_hex() -> Result<String, StartError> {
    let mut bytes = [0_u8; 16];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(StartError::io("reading /dev/urandom for a password"))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn percent_encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}
