//! How many bytes a server may use: as configured, or as this host's file system says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::instance::{Figure, InstanceFacts, Tablespace};

use crate::session::Session;

/// What the configuration says about one instance. It goes before what the file system says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfiguredCapacity {
    /// Bytes that the whole instance may use.
    pub instance_bytes: Option<u64>,
    /// Bytes that a tablespace may use, by its name.
    pub tablespace_bytes: BTreeMap<String, u64>,
}

impl ConfiguredCapacity {
    /// Puts the configured figures in place of those that were read.
    ///
    /// What is said of the whole instance also holds for `pg_default` and `pg_global`, which lie in
    /// its data directory, and for each tablespace of which nothing else is known.
    pub fn apply(&self, facts: &mut InstanceFacts) {
        if let Some(bytes) = self.instance_bytes {
            facts.capacity = configured(bytes);
        }
        for tablespace in &mut facts.tablespaces {
            let own = self.tablespace_bytes.get(&tablespace.name).copied();
            let is_unknown = tablespace.capacity.known().is_none();
            let shared = self
                .instance_bytes
                .filter(|_| is_unknown || is_in_data_directory(tablespace));
            if let Some(bytes) = own.or(shared) {
                tablespace.capacity = configured(bytes);
            }
        }
    }
}

const fn configured(bytes: u64) -> Figure<Capacity> {
    Figure::Known(Capacity {
        capacity_bytes: bytes,
        used_bytes: None,
        available_bytes: None,
        source: CapacitySource::Config,
        path: None,
    })
}

fn is_in_data_directory(tablespace: &Tablespace) -> bool {
    tablespace.location.is_empty()
}

/// Asks the file systems under the data directory and each tablespace, where they are this host's.
pub(crate) fn look(session: &Session, data_directory: Option<PathBuf>, facts: &mut InstanceFacts) {
    let data = match ground(session, data_directory) {
        Ok(data) => data,
        Err(reason) => {
            for tablespace in &mut facts.tablespaces {
                tablespace.capacity = Figure::Absent(reason.clone());
            }
            facts.capacity = Figure::Absent(reason);
            return;
        }
    };
    facts.capacity = volume(&data);
    for tablespace in &mut facts.tablespaces {
        tablespace.capacity = if is_in_data_directory(tablespace) {
            facts.capacity.clone()
        } else {
            // Relative where the tablespace was made inside the data directory.
            volume(&data.join(&tablespace.location))
        };
    }
}

/// The data directory, if it is certain enough that this host's directory of that name is the server's.
fn ground(session: &Session, data_directory: Option<PathBuf>) -> Result<PathBuf, String> {
    if !session.is_unix_socket() {
        // Even 127.0.0.1 may lead into a container or through a tunnel.
        return Err(
            "the connection is not through a Unix socket, so the server's disk may be another host's; set [[capacity]]"
                .to_owned(),
        );
    }
    let Some(data) = data_directory else {
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
    let started_at = session.server().started_at.as_second();
    if let Some(other) = another_server(&data, session.server().major(), started_at) {
        return Err(format!(
            "this host's {} is not this server's data directory ({other}); set [[capacity]]",
            data.display()
        ));
    }
    Ok(data)
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

fn volume(path: &Path) -> Figure<Capacity> {
    let volume = match rustix::fs::statvfs(path) {
        Ok(volume) => volume,
        Err(error) => {
            return Figure::Absent(format!("statvfs {}: {error}", path.display()));
        }
    };
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    Figure::Known(Capacity {
        capacity_bytes: bytes(volume.f_blocks),
        used_bytes: Some(bytes(volume.f_blocks.saturating_sub(volume.f_bfree))),
        available_bytes: Some(bytes(volume.f_bavail)),
        source: CapacitySource::Statvfs,
        path: Some(path.to_string_lossy().into_owned()),
    })
}

#[cfg(test)]
mod tests;
