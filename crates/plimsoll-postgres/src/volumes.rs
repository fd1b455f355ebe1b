//! The volumes of this host: which pool a directory lies on, and what it has. Bounded in time, on threads of its own.
//!
//! `statvfs` on a network mount whose server is gone never returns, and no signal ends it. So each look has a thread,
//! the answer is waited for so long and no longer, and while one hangs no second is sent after it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use plimsoll_core::capacity::CapacitySource;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::mounts::{mount_of, mounts};
use plimsoll_core::disk::pulse::Space;
use plimsoll_core::instance::Figure;
use plimsoll_core::name;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use crate::same_host::SameHost;
use crate::session::Session;

/// Looks at volumes, and knows which looks still hang.
#[derive(Debug, Clone, Default)]
pub struct Volumes {
    under_way: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// Where a server says that its directories lie, each known or absent with its reason.
#[derive(Debug, Clone)]
pub(crate) struct Directories {
    /// The data directory.
    pub(crate) data: Result<PathBuf, String>,
    /// `log_directory`, relative to it or not.
    pub(crate) log: Figure<String>,
    /// Each tablespace's name and location; empty for those in the data directory.
    pub(crate) tablespaces: Vec<(String, Figure<String>)>,
}

/// The directory of each place of a server, where it is known, and what it lies on; or why nothing of the server is found here.
pub(crate) type OfServer = Result<BTreeMap<Place, (Option<PathBuf>, Figure<PoolSpace>)>, String>;

/// A directory's pool, and what that has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSpace {
    /// The pool, equal for all directories that share its free space.
    pub pool: String,
    /// What it has.
    pub space: Space,
}

impl Volumes {
    /// What each directory lies on, links followed. Those that do not answer within `limit` are absent.
    pub async fn look(
        &self,
        directories: &[PathBuf],
        limit: Duration,
    ) -> BTreeMap<PathBuf, Figure<PoolSpace>> {
        let until = Instant::now() + limit;
        // All are sent before the first is waited for.
        let waiting: Vec<_> = directories
            .iter()
            .map(|path| (path, self.bounded(path, look_at)))
            .collect();
        let mut found = BTreeMap::new();
        for (path, answer) in waiting {
            let figure = match answer {
                None => {
                    Figure::Absent(format!("an earlier look at {} still hangs", path.display()))
                }
                Some(answer) => match timeout_at(until, answer).await {
                    Ok(Ok(Ok(found))) => Figure::Known(found),
                    Ok(Ok(Err(reason))) => Figure::Absent(reason),
                    Ok(Err(_)) => Figure::Absent(format!(
                        "the look at {} ended without an answer",
                        path.display()
                    )),
                    Err(_) => Figure::Absent(format!(
                        "{} did not answer in {} ms",
                        path.display(),
                        limit.as_millis()
                    )),
                },
            };
            found.insert(path.clone(), figure);
        }
        found
    }

    /// What each place of a server lies on, if its data directory is this host's.
    pub(crate) async fn of_server(
        &self,
        session: &Session,
        directories: &Directories,
        limit: Duration,
    ) -> OfServer {
        let same_host = SameHost::of(session);
        let named = match &directories.data {
            Ok(data) => Some(data.clone()),
            Err(reason) if session.is_unix_socket() => return Err(reason.clone()),
            // That the server may be another host's goes first.
            Err(_) => None,
        };
        let data = self.data_directory(same_host, named, limit).await?;
        let mut places = vec![
            (Place::Data, Figure::Known(data.clone())),
            (Place::Wal, Figure::Known(data.join("pg_wal"))),
        ];
        places.push((
            Place::Log,
            match &directories.log {
                Figure::Known(log) => Figure::Known(data.join(path_of(log))),
                Figure::Absent(reason) => Figure::Absent(reason.clone()),
            },
        ));
        for (name, location) in &directories.tablespaces {
            let directory = match location {
                Figure::Known(location) if location.is_empty() => continue,
                // Relative where the tablespace was made inside the data directory.
                Figure::Known(location) => Figure::Known(data.join(path_of(location))),
                Figure::Absent(reason) => Figure::Absent(reason.clone()),
            };
            places.push((Place::of_tablespace(name), directory));
        }
        let known: Vec<PathBuf> = places
            .iter()
            .filter_map(|(_, directory)| directory.known().cloned())
            .collect();
        let found = self.look(&known, limit).await;
        let of = |directory: &Figure<PathBuf>| match directory {
            Figure::Known(path) => (Some(path.clone()), found[path].clone()),
            Figure::Absent(reason) => (None, Figure::Absent(reason.clone())),
        };
        Ok(places
            .iter()
            .map(|(place, directory)| (place.clone(), of(directory)))
            .collect())
    }

    /// The server's data directory, if it is this host's; else why not.
    pub(crate) async fn data_directory(
        &self,
        same_host: SameHost,
        named: Option<PathBuf>,
        limit: Duration,
    ) -> Result<PathBuf, String> {
        let Some(directory) = named else {
            return same_host.data_directory(None);
        };
        // Of its own name: the look at the directory's volume comes right after, and may hang by itself.
        let name = directory.join("PG_VERSION");
        let shown = directory.display().to_string();
        let Some(answer) = self.bounded(&name, move |_| same_host.data_directory(Some(directory)))
        else {
            return Err(format!("an earlier look at {shown} still hangs"));
        };
        match tokio::time::timeout(limit, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Err(format!(
                "{shown} did not answer in {} ms",
                limit.as_millis()
            )),
        }
    }

    /// Runs `look` on a thread of its own; none while an earlier one for this directory has not come back.
    fn bounded<T: Send + 'static>(
        &self,
        path: &Path,
        look: impl FnOnce(&Path) -> T + Send + 'static,
    ) -> Option<oneshot::Receiver<T>> {
        let under_way = Arc::clone(&self.under_way);
        let lock = |under_way: &Mutex<BTreeSet<PathBuf>>, path: &Path, begins: bool| {
            let mut paths = under_way.lock().unwrap_or_else(PoisonError::into_inner);
            if begins {
                paths.insert(path.to_path_buf())
            } else {
                paths.remove(path)
            }
        };
        if !lock(&under_way, path, true) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        let path = path.to_path_buf();
        let thread = std::thread::Builder::new().name("plimsoll-statvfs".to_owned());
        let sent = Arc::clone(&under_way);
        let sent_path = path.clone();
        let started = thread.spawn(move || {
            let answer = look(&path);
            lock(&under_way, &path, false);
            let _ = sender.send(answer);
        });
        if started.is_err() {
            lock(&sent, &sent_path, false);
        }
        Some(receiver)
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

/// A path as [`name::of_bytes`] writes it.
#[cfg(unix)]
pub(crate) fn text_of(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    name::of_bytes(path.as_os_str().as_bytes()).into_owned()
}

#[cfg(not(unix))]
pub(crate) fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn look_at(path: &Path) -> Result<PoolSpace, String> {
    let at = |error: std::io::Error| format!("{}: {error}", path.display());
    let real = path.canonicalize().map_err(at)?;
    let table = std::fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| format!("mountinfo: {error}"))?;
    let mounts = mounts(&table);
    let mount =
        mount_of(&mounts, &real).ok_or_else(|| format!("{} lies on no mount", real.display()))?;
    let volume = rustix::fs::statvfs(&real)
        .map_err(|error| format!("statvfs {}: {error}", real.display()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(volume.f_frsize);
    // Some file systems make inodes as they need them, and say 0.
    let counted = volume.f_files > 0;
    Ok(PoolSpace {
        pool: mount.pool.clone(),
        space: Space {
            mount_point: mount.mount_point.to_string_lossy().into_owned(),
            fs_type: mount.fs_type.clone(),
            capacity_bytes: bytes(volume.f_blocks),
            used_bytes: Some(bytes(volume.f_blocks.saturating_sub(volume.f_bfree))),
            available_bytes: Some(bytes(volume.f_bavail)),
            inodes_total: counted.then_some(volume.f_files),
            inodes_available: counted.then_some(volume.f_favail),
            source: CapacitySource::Statvfs,
            source_at: None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_link_is_followed_and_what_is_missing_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/proc", &link).unwrap();
        let missing = folder.path().join("missing");
        let directories = [folder.path().to_path_buf(), link.clone(), missing.clone()];
        let found = Volumes::default()
            .look(&directories, Duration::from_secs(5))
            .await;
        let here = found[folder.path()].known().unwrap();
        assert!(here.space.available_bytes <= Some(here.space.capacity_bytes));
        assert!(
            folder
                .path()
                .canonicalize()
                .unwrap()
                .starts_with(&here.space.mount_point)
        );
        let proc = found[&link].known().unwrap();
        assert_eq!(
            (proc.space.mount_point.as_str(), proc.space.fs_type.as_str()),
            ("/proc", "proc")
        );
        assert_ne!(proc.pool, here.pool);
        assert!(found[&missing].reason().unwrap().contains("missing"));
    }

    #[tokio::test]
    async fn while_a_look_hangs_no_second_is_sent_after_it() {
        let volumes = Volumes::default();
        let path = Path::new("/somewhere");
        let (go_on, hang) = std::sync::mpsc::channel::<()>();
        let first = volumes.bounded(path, move |_| hang.recv().is_ok()).unwrap();
        assert!(volumes.bounded(path, |_| ()).is_none());
        assert!(volumes.bounded(Path::new("/elsewhere"), |_| ()).is_some());
        go_on.send(()).unwrap();
        assert!(first.await.unwrap());
        assert!(volumes.bounded(path, |_| ()).is_some());
    }
}
