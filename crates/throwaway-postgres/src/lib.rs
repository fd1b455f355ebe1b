//! Starts a temporary PostgreSQL for tests, benches and the demo.

use std::path::{Path, PathBuf};

/// The binaries of one PostgreSQL major.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The major version, such as 15.
    pub major: u32,
    /// The folder of `initdb`, `pg_ctl` and `postgres`.
    pub bin: PathBuf,
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

impl Installation {
    /// Every major that is installed, newest first; the first place that has a major wins.
    pub fn all() -> Vec<Self> {
        Vec::new()
    }

    /// The newest one, or the one of a major.
    pub fn find(_major: Option<u32>) -> Result<Self, StartError> {
        Err(StartError("being built".into()))
    }
}

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Which binaries; the newest installed when absent.
    pub installation: Option<Installation>,
    /// Lines for `postgresql.conf`, such as `("max_prepared_transactions", "10")`.
    pub settings: Vec<(String, String)>,
    /// Whether it also listens on a free port of 127.0.0.1.
    pub tcp: bool,
}

/// A running temporary server; gone, with its folder, when this is dropped or its process ends.
#[derive(Debug)]
pub struct Server {}

impl Server {
    /// Makes a cluster and starts it.
    pub fn start(_options: &Options) -> Result<Self, StartError> {
        Err(StartError("being built".into()))
    }

    /// A URL through the socket, as the superuser `postgres`.
    pub fn url(&self, _database: &str) -> String {
        String::new()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        Path::new("")
    }
}
