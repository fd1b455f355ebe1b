//! The volumes of a server that does not answer: looked at where its directories were when it did.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use plimsoll_core::disk::pulse::{Pulse, Space};
use plimsoll_core::instance::Figure;

use crate::volumes::{Volumes, path_of};

/// Which host this is: paths are worth nothing on another. Containers of one host have names of their own.
pub(crate) fn this_host() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let id = read("/etc/machine-id");
    let boot = read("/proc/sys/kernel/random/boot_id");
    let id = if id.trim().is_empty() { boot } else { id };
    format!("{} {}", read("/proc/sys/kernel/hostname").trim(), id.trim())
}

/// The space of each pool that a pulse found, read from this host without the server; absent where it cannot be.
///
/// A directory that lies on another pool by now (it was unmounted, say) tells nothing of the one that it lay on.
pub async fn volumes_without_server(
    pulse: &Pulse,
    volumes: &Volumes,
    limit: Duration,
) -> BTreeMap<String, Figure<Space>> {
    let absent = |reason: &str| Figure::Absent(reason.to_owned());
    let mut all: BTreeMap<String, Figure<Space>> = BTreeMap::new();
    if pulse.host != this_host() {
        let elsewhere = || absent("the server's volumes were seen on another host");
        return pulse
            .found
            .values()
            .map(|pool| (pool.clone(), elsewhere()))
            .collect();
    }
    let directories: Vec<PathBuf> = pulse
        .directories
        .values()
        .map(|path| path_of(path))
        .collect();
    let found = volumes.look(&directories, limit).await;
    for (place, pool) in &pulse.found {
        let seen = pulse
            .directories
            .get(place)
            .and_then(|path| found.get(&path_of(path)));
        let space = match seen {
            Some(Figure::Known(found)) if found.pool == *pool => Figure::Known(found.space.clone()),
            Some(Figure::Known(found)) => Figure::Absent(format!(
                "{place} lies on {} now, and not on {pool}",
                found.pool
            )),
            Some(Figure::Absent(reason)) => absent(reason),
            None => absent("it is not known where it was"),
        };
        let known = all.entry(pool.clone()).or_insert_with(|| space.clone());
        // One directory of a pool that can be looked at is enough.
        if known.known().is_none() {
            *known = space;
        }
    }
    all
}
