//! How many bytes a server may use: as configured, or as this host's file system says.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::instance::{Figure, InstanceFacts};
use tokio::time::Instant;

use crate::session::Session;
use crate::volumes::{Directories, Found, OfServer, Volumes};

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
    /// its data directory, and for WAL, logs and each tablespace of which nothing else is known.
    pub fn apply(&self, facts: &mut InstanceFacts) {
        if let Some(bytes) = self.instance_bytes {
            let configured = configured(bytes, &facts.capacity, &Place::Data);
            for other in [&mut facts.wal.capacity, &mut facts.log_capacity] {
                if other.known().is_none() || pool(other) == pool(&facts.capacity) {
                    *other = configured.clone();
                }
            }
            facts.capacity = configured;
        }
        for tablespace in facts.tablespaces.each_mut() {
            let place = Place::of_tablespace(&tablespace.name);
            if let Some(own) = self.tablespace_bytes.get(&tablespace.name) {
                tablespace.capacity = configured(*own, &tablespace.capacity, &place);
            } else if self.instance_bytes.is_some()
                && (place == Place::Data || tablespace.capacity.known().is_none())
            {
                tablespace.capacity = facts.capacity.clone();
            }
        }
    }
}

/// The number, for the volume that was found or else for one of its own.
fn configured(bytes: u64, found: &Figure<Capacity>, place: &Place) -> Figure<Capacity> {
    Figure::Known(Capacity {
        capacity_bytes: bytes,
        used_bytes: None,
        available_bytes: None,
        source: CapacitySource::Config,
        path: None,
        mount_point: None,
        pool: pool(found).map_or_else(|| place.to_string(), str::to_owned),
    })
}

fn pool(figure: &Figure<Capacity>) -> Option<&str> {
    figure.known().map(|capacity| capacity.pool.as_str())
}

/// How long this host's file systems may take to answer.
const LIMIT: Duration = Duration::from_secs(1);

/// The looks of all visits: while one hangs in a file system that does not answer (a network's, say), no second is
/// sent after it.
static VOLUMES: LazyLock<Volumes> = LazyLock::new(Volumes::default);

/// Asks the file systems under the data directory, `pg_wal`, the logs and each tablespace, where they are this host's.
/// One that hangs costs its own figures only.
pub(crate) async fn look(
    session: &Session,
    data_directory: Result<PathBuf, String>,
    log_directory: Figure<String>,
    facts: &mut InstanceFacts,
) {
    let spaces = facts.tablespaces.each().iter();
    let tablespaces = spaces.map(|space| (space.name.clone(), space.location.clone()));
    let directories = Directories {
        data: data_directory,
        log: log_directory,
        tablespaces: tablespaces.collect(),
    };
    let left = session
        .limits()
        .deadline
        .saturating_duration_since(Instant::now());
    let found = VOLUMES
        .of_server(session, &directories, LIMIT.min(left))
        .await;
    facts.capacity = figure_of(&found, &Place::Data);
    facts.wal.capacity = figure_of(&found, &Place::Wal);
    facts.log_capacity = figure_of(&found, &Place::Log);
    for tablespace in facts.tablespaces.each_mut() {
        let place = Place::of_tablespace(&tablespace.name);
        tablespace.capacity = figure_of(&found, &place);
    }
}

fn figure_of(found: &OfServer, place: &Place) -> Figure<Capacity> {
    let (path, found) = match found {
        Ok(found) => match found.get(place) {
            Some((path, found)) => (path, found),
            None => return Figure::Absent(format!("where {place} lies was not looked at")),
        },
        Err(reason) => return Figure::Absent(reason.clone()),
    };
    match found {
        Figure::Absent(reason) => Figure::Absent(reason.clone()),
        Figure::Known(Found { pool, space }) => Figure::Known(Capacity {
            capacity_bytes: space.capacity_bytes,
            used_bytes: Some(space.used_bytes),
            available_bytes: Some(space.available_bytes),
            source: CapacitySource::Statvfs,
            path: path
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            mount_point: Some(space.mount_point.clone()),
            pool: pool.clone(),
        }),
    }
}

#[cfg(test)]
mod tests;
