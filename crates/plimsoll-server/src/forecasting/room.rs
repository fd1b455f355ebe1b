//! How far a size may grow: its own bytes and what is free where it lies.

use jiff::Timestamp;
use plimsoll_core::capacity::{Capacity, CapacitySource};
use plimsoll_core::disk::volume::NUMBER_ALONE;
use plimsoll_core::instance::{Figure, InstanceFacts};

/// How far a size may grow, and where that number comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Room {
    /// What the size may reach while all else stays as it is: its bytes and what is free.
    pub limit_bytes: Option<u64>,
    /// Bytes that may be used in all, by anything.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use: of the volume by anything, or of the server as far as they can be seen.
    pub used_bytes: Option<u64>,
    /// Bytes still free.
    pub available_bytes: Option<u64>,
    /// Where the number comes from.
    pub source: Option<RoomSource>,
    /// When that was read; none for a number of the configuration.
    pub source_at: Option<Timestamp>,
    /// Why the date is later than the truth, if it is.
    pub late: Option<String>,
    /// The directory that was looked at.
    pub path: Option<String>,
    /// The volume: its mount point, where this host sees it.
    pub volume: Option<String>,
    /// The pool of free space that it has a share of.
    pub pool: Option<String>,
    /// What of the server lies there: `data`, `wal`, `log`, `tablespace:NAME`.
    pub places: Vec<String>,
    /// Why `limit_bytes` is not known.
    pub unknown: Option<String>,
}

/// Where a limit comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomSource {
    /// The question itself names it.
    Asked,
    /// The capacity of what it lies on.
    Capacity(CapacitySource),
}

impl Room {
    /// The limit that the question itself names.
    pub(super) fn asked(limit_bytes: u64) -> Self {
        Self {
            limit_bytes: Some(limit_bytes),
            capacity_bytes: Some(limit_bytes),
            source: Some(RoomSource::Asked),
            ..Self::default()
        }
    }

    /// Not known, for this reason.
    pub(super) fn unknown(reason: impl Into<String>) -> Self {
        Self {
            unknown: Some(reason.into()),
            ..Self::default()
        }
    }

    /// What a volume has; a size of `level_bytes` lies there beside what else is in use.
    pub(super) fn of(capacity: &Figure<Capacity>, in_use: u64, level_bytes: Option<u64>) -> Self {
        let capacity = match capacity {
            Figure::Known(capacity) => capacity,
            Figure::Absent(reason) => return Self::unknown(reason),
        };
        let used_bytes = capacity.used_bytes.unwrap_or(in_use);
        let available_bytes = capacity
            .available_bytes
            .unwrap_or_else(|| capacity.capacity_bytes.saturating_sub(used_bytes));
        Self {
            limit_bytes: level_bytes.map(|level| level.saturating_add(available_bytes)),
            capacity_bytes: Some(capacity.capacity_bytes),
            used_bytes: Some(used_bytes),
            available_bytes: Some(available_bytes),
            source: Some(RoomSource::Capacity(capacity.source)),
            source_at: capacity.source_at,
            late: capacity
                .available_bytes
                .is_none()
                .then(|| format!("{NUMBER_ALONE}, so the date is late")),
            path: capacity.path.clone(),
            volume: capacity.mount_point.clone(),
            pool: Some(capacity.pool.clone()),
            places: Vec::new(),
            unknown: None,
        }
    }
}

/// What a server uses, as far as it can be seen: its databases, WAL, temporary files and logs.
pub fn in_use(facts: &InstanceFacts) -> u64 {
    let databases: u64 = facts
        .databases
        .each()
        .iter()
        .filter_map(|database| database.bytes.known())
        .sum();
    let others = [&facts.wal.bytes, &facts.temporary_bytes, &facts.log_bytes];
    databases + others.iter().filter_map(|bytes| bytes.known()).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_free_is_added_to_what_is_there() {
        let seen = |used, available| {
            Figure::Known(Capacity {
                capacity_bytes: 1000,
                used_bytes: used,
                available_bytes: available,
                source: CapacitySource::Config,
                source_at: None,
                path: None,
                mount_point: None,
                pool: "data".to_owned(),
            })
        };
        for (capacity, in_use, limit) in [
            (seen(Some(400), Some(500)), 9, 700),
            (seen(None, None), 300, 900),
            // more is in use than was configured: full already
            (seen(None, None), 1300, 200),
        ] {
            let room = Room::of(&capacity, in_use, Some(200));
            assert_eq!(room.limit_bytes, Some(limit), "{room:?}");
        }
        let unknown = Room::of(&Figure::Absent("no access".to_owned()), 0, Some(1));
        assert_eq!(unknown.unknown.as_deref(), Some("no access"));
        assert_eq!(unknown.limit_bytes, None);
    }
}
