//! How many bytes a server may use: as configured, or as this host's file system says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::instance::{Figure, InstanceFacts, Tablespace};

use crate::ground::Ground;
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
    let data = match Ground::of(session).data_directory(data_directory) {
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
