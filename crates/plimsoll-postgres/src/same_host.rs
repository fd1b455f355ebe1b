//! Whether the server's data directory is a directory of this host.

use std::path::{Path, PathBuf};

use crate::session::Session;

/// What a session knows of its server that tells whether a directory here is the server's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SameHost {
    is_unix_socket: bool,
    major: u32,
    /// Seconds since 1970.
    started_at: i64,
}

impl SameHost {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            is_unix_socket: session.is_unix_socket(),
            major: session.server().major(),
            started_at: session.server().started_at.as_second(),
        }
    }

    /// The data directory, if it is certain enough that this host's directory of that name is the server's; else why
    /// not.
    pub(crate) fn data_directory(self, named: Option<PathBuf>) -> Result<PathBuf, String> {
        if !self.is_unix_socket {
            // Even 127.0.0.1 may lead into a container or through a tunnel.
            return Err(
                "the connection is not through a Unix socket, so the server's disk may be another host's; set [[capacity]]"
                    .to_owned(),
            );
        }
        let Some(data) = named else {
            return Err(
                "the role needs pg_read_all_settings (in pg_monitor) to see data_directory; or set [[capacity]]"
                    .to_owned(),
            );
        };
        if !data.is_dir() {
            return Err(format!(
                "the server's data directory {} is not on this host (a container?); set [[capacity]]",
                data.display()
            ));
        }
        if let Some(other) = another_server(&data, self.major, self.started_at) {
            return Err(format!(
                "this host's {} is not this server's data directory ({other}); set [[capacity]]",
                data.display()
            ));
        }
        Ok(data)
    }
}

/// Signs that the directory belongs to another server, as far as its files may be read.
fn another_server(data: &Path, major: u32, started_at: i64) -> Option<String> {
    if let Ok(version) = std::fs::read_to_string(data.join("PG_VERSION"))
        && version.trim() != major.to_string()
    {
        return Some(format!("it is of PostgreSQL {}", version.trim()));
    }
    // Its third line is the postmaster's start, which the server takes a moment after.
    let pid_file = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let start: i64 = pid_file.lines().nth(2)?.trim().parse().ok()?;
    ((start - started_at).abs() > 60).then(|| "its server was started at another time".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_of_another_server_is_noticed() {
        let data = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(data.path().join(name), text).unwrap();
        assert_eq!(another_server(data.path(), 15, 1000), None);
        write("PG_VERSION", "15\n");
        write("postmaster.pid", "77\n/data\n1001\n5432\n");
        assert_eq!(another_server(data.path(), 15, 1000), None);
        assert!(another_server(data.path(), 16, 1000).is_some());
        assert!(another_server(data.path(), 15, 9000).is_some());
    }
}
