//! How many bytes a server may use, as this host's file systems say.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::instance::{Figure, InstanceFacts};
use tokio::time::Instant;

use crate::session::Session;
use crate::volumes::{Directories, OfServer, PoolSpace, Volumes};

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
    let at = Timestamp::now();
    let found = VOLUMES
        .of_server(session, &directories, LIMIT.min(left))
        .await;
    facts.capacity = figure_of(&found, &Place::Data, at);
    facts.wal.capacity = figure_of(&found, &Place::Wal, at);
    facts.log_capacity = figure_of(&found, &Place::Log, at);
    for tablespace in facts.tablespaces.each_mut() {
        let place = Place::of_tablespace(&tablespace.name);
        tablespace.capacity = figure_of(&found, &place, at);
    }
}

fn figure_of(found: &OfServer, place: &Place, at: Timestamp) -> Figure<Capacity> {
    let (path, found) = match found {
        Ok(found) => match found.get(place) {
            Some((path, found)) => (path, found),
            None => return Figure::Absent(format!("where {place} lies was not looked at")),
        },
        Err(reason) => return Figure::Absent(reason.clone()),
    };
    match found {
        Figure::Absent(reason) => Figure::Absent(reason.clone()),
        Figure::Known(PoolSpace { pool, space }) => Figure::Known(Capacity {
            capacity_bytes: space.capacity_bytes,
            used_bytes: space.used_bytes,
            available_bytes: space.available_bytes,
            source: CapacitySource::Statvfs,
            source_at: Some(at),
            path: path
                .as_ref()
                .map(|path| path.to_string_lossy().into_owned()),
            mount_point: Some(space.mount_point.clone()),
            pool: pool.clone(),
        }),
    }
}
