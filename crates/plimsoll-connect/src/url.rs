//! Where a database is and how to get in, as libpq writes it. The password never leaves as text.

mod parameters;
mod parse;
mod passfile;
mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use plimsoll_core::name;
use secrecy::{ExposeSecret, SecretString};

/// Parameters by name.
type Pairs = BTreeMap<String, String>;

/// A connection string of libpq's two forms, `postgres://...` and `host=... dbname=...`.
///
/// What it leaves out is taken from libpq's environment variables (`PGHOST`, `PGPASSWORD`,
/// `PGSSLMODE`, ...), then from libpq's defaults. `Debug` and `Display` leave the password out.
#[derive(Clone)]
pub struct DatabaseUrl {
    hosts: Vec<Host>,
    user: Option<String>,
    password: Option<SecretString>,
    passfile: Option<PathBuf>,
    database: Option<String>,
    tls: TlsChoice,
    connect_timeout: Option<Duration>,
    options: Option<String>,
    application_name: Option<String>,
    session: SessionKind,
    channel_binding: ChannelBinding,
}

/// A URL that cannot be used. The text names the parameter and never a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(pub String);

/// One server of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Host {
    pub place: Place,
    pub port: u16,
}

/// Where one server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// A name or an address, and the address to connect to in place of looking the name up.
    Tcp(String, Option<IpAddr>),
    /// The directory of a Unix-domain socket.
    Unix(PathBuf),
}

/// `sslmode` of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum SslMode {
    /// Never.
    Disable,
    /// Only where the server insists.
    Allow,
    /// Where the server can.
    #[default]
    Prefer,
    /// Always; whoever answers.
    Require,
    /// Always; the certificate must come from a trusted authority.
    VerifyCa,
    /// Always; and the certificate must name the host.
    VerifyFull,
}

impl SslMode {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

/// Whom TLS trusts and what it shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TlsChoice {
    pub mode: SslMode,
    /// `sslrootcert`.
    pub roots: Roots,
    /// `sslcert` and `sslkey`.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    /// `sslcertmode`: whether a certificate is shown to a server that asks for one.
    pub sends_certificate: bool,
    /// `ssl_min_protocol_version` and `ssl_max_protocol_version`.
    pub versions: Versions,
    /// Whether TLS begins without asking first (`sslnegotiation=direct`, PostgreSQL 17 and later).
    pub direct: bool,
    /// `~/.postgresql`, where libpq looks for `root.crt`, `postgresql.crt` and `postgresql.key`.
    pub home: Option<PathBuf>,
}

/// Which versions of TLS may be spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Versions {
    #[default]
    Both,
    Only12,
    Only13,
}

/// Which authorities are trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Roots {
    /// `~/.postgresql/root.crt`, if it is there.
    #[default]
    Default,
    /// Those that the operating system trusts.
    System,
    /// Those of a file.
    File(PathBuf),
}

/// `target_session_attrs` of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SessionKind {
    #[default]
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

/// `channel_binding` of libpq.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ChannelBinding {
    Disable,
    #[default]
    Prefer,
    Require,
}

impl DatabaseUrl {
    /// The database that the URL names; without one the server takes the role's name. Of a name that is not
    /// UTF-8, the bytes as [`name::of_bytes`] writes them.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// The same server and credentials, another database, written as [`Self::database`] writes it.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        Self {
            database: Some(name.to_owned()),
            ..self.clone()
        }
    }

    /// The role that the URL names; without one it is the operating system's user.
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// `host:port` or the socket's path; several separated by commas.
    pub fn host_text(&self) -> String {
        let texts: Vec<String> = self.hosts.iter().map(Host::text).collect();
        texts.join(",")
    }

    /// Whether every connection goes through a Unix-domain socket, so that the server's directories
    /// are this host's (unless it runs in a container).
    pub fn is_unix_socket(&self) -> bool {
        self.socket_dir().is_some()
    }

    /// The socket's directory, where the URL leads to sockets only.
    pub fn socket_dir(&self) -> Option<&Path> {
        let mut dirs = self.hosts.iter().map(|host| match &host.place {
            Place::Unix(dir) => Some(dir.as_path()),
            Place::Tcp(..) => None,
        });
        let first = dirs.next()??;
        dirs.all(|dir| dir.is_some()).then_some(first)
    }

    /// Reads a connection string; `env` answers for the environment variables of libpq.
    pub fn parse_with(text: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Self, UrlError> {
        parse::parse(text, env)
    }

    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    pub(crate) const fn tls(&self) -> &TlsChoice {
        &self.tls
    }

    pub(crate) const fn connect_timeout(&self) -> Option<Duration> {
        self.connect_timeout
    }

    pub(crate) const fn session(&self) -> SessionKind {
        self.session
    }

    /// What the client library needs to know for one host; TLS is set by the caller.
    pub(crate) fn config(&self, host: &Host, application_name: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        if let Some(user) = &self.user {
            config.user(user);
        }
        if let Some(database) = &self.database {
            // A name that is not UTF-8 is put in while the message is sent.
            config.dbname(String::from_utf8_lossy(&name::bytes_of(database)));
        }
        if let Some(options) = &self.options {
            config.options(options);
        }
        config.application_name(self.application_name.as_deref().unwrap_or(application_name));
        config.channel_binding(match self.channel_binding {
            ChannelBinding::Disable => tokio_postgres::config::ChannelBinding::Disable,
            ChannelBinding::Prefer => tokio_postgres::config::ChannelBinding::Prefer,
            ChannelBinding::Require => tokio_postgres::config::ChannelBinding::Require,
        });
        if let Some(password) = self.password_for(host) {
            config.password(password.expose_secret());
        }
        config
    }

    fn password_for(&self, host: &Host) -> Option<SecretString> {
        if let Some(password) = &self.password {
            return Some(password.clone());
        }
        let file = self.passfile.as_deref()?;
        let user = self.user.as_deref()?;
        let database = self.database.as_deref().unwrap_or(user);
        passfile::password(file, host, database, user)
    }
}

impl Host {
    /// `host:port`, or the socket's path.
    pub(crate) fn text(&self) -> String {
        match &self.place {
            Place::Tcp(name, _) if name.contains(':') => format!("[{name}]:{}", self.port),
            Place::Tcp(name, _) => format!("{}:{}", name::visible(name), self.port),
            Place::Unix(dir) => format!(
                "{}/.s.PGSQL.{}",
                name::visible(&dir.to_string_lossy()),
                self.port
            ),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse_with(text, &|name| std::env::var(name).ok())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `postgres://user@host:port/database?sslmode=...`: enough to recognise it, nothing secret.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = &self.user {
            write!(f, "{}@", parse::encode(user.as_bytes()))?;
        }
        let hosts: Vec<String> = self
            .hosts
            .iter()
            .map(|host| match &host.place {
                Place::Tcp(..) => host.text(),
                Place::Unix(dir) => {
                    format!(
                        "{}:{}",
                        parse::encode(dir.as_os_str().as_encoded_bytes()),
                        host.port
                    )
                }
            })
            .collect();
        f.write_str(&hosts.join(","))?;
        if let Some(database) = &self.database {
            write!(f, "/{}", parse::encode(&name::bytes_of(database)))?;
        }
        if !self.is_unix_socket() {
            let slash = if self.database.is_some() { "" } else { "/" };
            write!(f, "{slash}?sslmode={}", self.tls.mode.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
