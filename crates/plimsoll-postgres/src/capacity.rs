//! How many bytes a server may use: as configured, or as this host's file system says.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::instance::{Figure, InstanceFacts, Tablespace};
use plimsoll_core::name;
use tokio::sync::Semaphore;
use tokio::time::Instant;

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
        for tablespace in facts.tablespaces.each_mut() {
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
    tablespace.location.known().is_some_and(String::is_empty)
}

/// So many looks may hang at once, each in a file system that does not answer; more are not begun.
static PLACES: Semaphore = Semaphore::const_new(8);

/// Asks the file systems under the data directory and each tablespace, where they are this host's.
///
/// One that hangs (a network's, say) costs its figures only: it is asked on a thread of its own, until the
/// visit's deadline.
pub(crate) async fn look(
    session: &Session,
    data_directory: Result<PathBuf, String>,
    facts: &mut InstanceFacts,
) {
    let ground = Ground::of(session);
    let is_unix_socket = session.is_unix_socket();
    let spaces = facts.tablespaces.each_mut().iter();
    let locations: Vec<_> = spaces.map(|space| space.location.clone()).collect();
    let seen = off_the_runtime(session.limits().deadline, move || {
        let data = match data_directory {
            Ok(named) => ground.data_directory(Some(named)),
            Err(reason) if is_unix_socket => Err(reason),
            Err(_) => ground.data_directory(None),
        };
        data.map(|data| volumes(&data, &locations))
    });
    match seen.await.flatten() {
        Ok((whole, each)) => {
            facts.capacity = whole;
            for (tablespace, capacity) in facts.tablespaces.each_mut().iter_mut().zip(each) {
                tablespace.capacity = capacity;
            }
        }
        Err(reason) => {
            for tablespace in facts.tablespaces.each_mut() {
                tablespace.capacity = Figure::Absent(reason.clone());
            }
            facts.capacity = Figure::Absent(reason);
        }
    }
}

/// Of the data directory, and of each tablespace.
fn volumes(data: &Path, locations: &[Figure<String>]) -> (Figure<Capacity>, Vec<Figure<Capacity>>) {
    let whole = volume(data);
    let each = locations.iter().map(|location| match location {
        Figure::Known(location) if location.is_empty() => whole.clone(),
        // Relative where the tablespace was made inside the data directory.
        Figure::Known(location) => volume(&data.join(path_of(location))),
        Figure::Absent(reason) => Figure::Absent(reason.clone()),
    });
    let each = each.collect();
    (whole, each)
}

/// Runs what may hang for ever on a thread that nobody waits for longer than to the deadline.
async fn off_the_runtime<T: Send + 'static>(
    deadline: Instant,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, String> {
    let Ok(place) = PLACES.try_acquire() else {
        return Err("file systems of this host do not answer (a network's?)".to_owned());
    };
    let (tell, told) = tokio::sync::oneshot::channel();
    // Not the runtime's own: it would wait for it when it ends.
    std::thread::spawn(move || {
        let _ = tell.send(work());
        drop(place);
    });
    match tokio::time::timeout_at(deadline, told).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(_)) => Err("looking at the file system failed".to_owned()),
        Err(_) => Err(
            "the file system did not answer before the visit's deadline (a network's?)".to_owned(),
        ),
    }
}

/// The path that [`name::of_bytes`] wrote.
#[cfg(unix)]
pub(crate) fn path_of(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    std::ffi::OsStr::from_bytes(&name::bytes_of(text)).into()
}

#[cfg(not(unix))]
pub(crate) fn path_of(text: &str) -> PathBuf {
    text.into()
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
