//! Who lies on whose volumes: what each watched instance has on which pool, and Plimsoll's own store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use plimsoll_core::disk::neighbours::Neighbour;
use plimsoll_core::disk::part::{Kind, Part, Source};
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_core::instance::Figure;
use plimsoll_postgres::PoolSpace;
use plimsoll_store::{Store, StoreError};

use super::InstanceDisk;
use super::history::last_look;
use super::look::VOLUMES_LIMIT;
use crate::settings::Watched;

/// What each watched instance has on which pool, as of its last look.
#[derive(Debug, Clone, Default)]
pub struct Shares {
    /// Every watched instance's name, with the server that it is.
    instances: Arc<Vec<(Arc<str>, String)>>,
    /// By instance; those that were neither looked at nor read from the store yet are not there.
    known: Arc<Mutex<BTreeMap<String, Vec<Neighbour>>>>,
}

impl Shares {
    /// Of these instances; nothing is known of any.
    pub fn of(instances: &[Watched]) -> Self {
        let names = instances
            .iter()
            .map(|it| (Arc::clone(&it.instance), it.url.host_text()));
        Self {
            instances: Arc::new(names.collect()),
            known: Arc::default(),
        }
    }

    pub(super) fn keep(&self, instance: &str, shares: Vec<Neighbour>) {
        self.known().insert(instance.to_owned(), shares);
    }

    /// What the others have. Before this process has looked at one, what is kept of it stands in.
    async fn of_others(
        &self,
        own: &Watched,
        store: &dyn Store,
    ) -> Result<Vec<Neighbour>, StoreError> {
        let server = own.url.host_text();
        let mut all = Vec::new();
        for (name, theirs) in &*self.instances {
            // Several entries may watch one server.
            if *name == own.instance || *theirs == server {
                continue;
            }
            let known = self.known().get(&**name).cloned();
            let shares = match known {
                Some(shares) => shares,
                None => {
                    let last = last_look(store, name).await?;
                    let shares = last.map_or_else(Vec::new, |last| last.shares(name));
                    // A look that came meanwhile is newer.
                    self.known()
                        .entry(name.to_string())
                        .or_insert(shares)
                        .clone()
                }
            };
            all.extend(shares);
        }
        Ok(all)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Neighbour>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InstanceDisk {
    /// Adds what other watched instances and Plimsoll's own store have on the volumes of a pulse; without a store what
    /// is known of others is nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn add_neighbours(
        &self,
        pulse: &mut Pulse,
        store: Option<&dyn Store>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(store) = store else {
            return Ok(());
        };
        let neighbours = self.shares.of_others(&self.watched, store).await?;
        pulse.add_neighbours(&neighbours);
        let share = self.store_share(&pulse.host, store.file(), now).await;
        pulse.add_store(
            share.as_ref().map(Option::as_ref).map_err(Clone::clone),
            now,
        );
        Ok(())
    }

    /// Used and available bytes of the volume that a file lies on, where that can be seen.
    pub async fn space_around(&self, file: Option<&Path>) -> Option<(u64, u64)> {
        let path = std::path::absolute(file?).ok()?;
        let Some(Figure::Known(found)) = self.volume_around(&path).await else {
            return None;
        };
        found.space.used_bytes.zip(found.space.available_bytes)
    }

    /// What a file's folder lies on; none where it has no folder.
    async fn volume_around(&self, file: &Path) -> Option<Figure<PoolSpace>> {
        let folder = file.parent()?.to_path_buf();
        let folders = std::slice::from_ref(&folder);
        let mut found = self.volumes.look(folders, VOLUMES_LIMIT).await;
        found.remove(&folder)
    }

    /// What Plimsoll's own store has on this host: a file's bytes. One in PostgreSQL is a database of some instance.
    async fn store_share(
        &self,
        host: &str,
        file: Option<&Path>,
        now: Timestamp,
    ) -> Result<Option<Neighbour>, String> {
        let Some(file) = file else {
            return Ok(None);
        };
        if host.is_empty() {
            return Err("whether Plimsoll's own store lies here is not known".to_owned());
        }
        let absent = |reason: &dyn std::fmt::Display| format!("{}: {reason}", file.display());
        let path = std::path::absolute(file).map_err(|error| absent(&error))?;
        let pool = match self.volume_around(&path).await {
            Some(Figure::Known(found)) => found.pool,
            Some(Figure::Absent(reason)) => return Err(reason),
            None => return Err(absent(&"it has no folder")),
        };
        let bytes = bytes_of(&path).map_err(|error| absent(&error))?;
        Ok(Some(Neighbour {
            host: host.to_owned(),
            pool,
            directory: None,
            part: Part::measured(Kind::Plimsoll, None, bytes, Source::Store, now),
        }))
    }
}

/// A SQLite file's bytes with those of the files beside it, which come and go.
fn bytes_of(file: &Path) -> io::Result<u64> {
    let mut bytes = std::fs::metadata(file)?.len();
    for suffix in ["-wal", "-shm"] {
        let mut beside = file.as_os_str().to_owned();
        beside.push(suffix);
        bytes += std::fs::metadata(beside).map_or(0, |found| found.len());
    }
    Ok(bytes)
}
