//! What a volume's capacity was, as each source told it: that another source says something else is no resize.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::pulse::Space;
use crate::capacity::CapacitySource;

/// So many capacities are known, one after the other.
const MOST: usize = 16;
/// What differs by less than one in so many is the same capacity.
const SAME: u64 = 1000;
/// On ZFS a data set has what it uses and what the pool has left: others that write there make it smaller.
const SAME_ON_ZFS: u64 = 20;

/// A capacity, and when it was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownCapacity {
    /// When,
    pub(crate) at: Timestamp,
    /// and the look before that.
    pub(crate) from: Timestamp,
    /// Bytes in all.
    pub(crate) bytes: u64,
    /// Who said so.
    pub(crate) source: CapacitySource,
}

/// A volume's capacity became another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Resize {
    /// Not before this: the look that did not show it yet.
    #[serde(serialize_with = "crate::time::serialize")]
    pub from: Timestamp,
    /// When that was first seen.
    #[serde(serialize_with = "crate::time::serialize")]
    pub at: Timestamp,
    /// Bytes in all before,
    pub before_bytes: u64,
    /// and since.
    pub after_bytes: u64,
}

/// Takes in what a volume has now.
pub(super) fn note(
    known: &mut Vec<KnownCapacity>,
    space: &Space,
    (from, at): (Timestamp, Timestamp),
) {
    let bytes = space.capacity_bytes;
    let before = known.iter().rev().find(|it| it.source == space.source);
    let parts = if space.fs_type == "zfs" {
        SAME_ON_ZFS
    } else {
        SAME
    };
    if before.is_some_and(|before| before.bytes.abs_diff(bytes) <= before.bytes / parts) {
        return;
    }
    known.push(KnownCapacity {
        at,
        from,
        bytes,
        source: space.source,
    });
    let more = known.len().saturating_sub(MOST);
    known.drain(..more);
}

/// When a source's answer became another.
pub(crate) fn resizes(known: &[KnownCapacity]) -> Vec<Resize> {
    let resize = |(at, after): (usize, &KnownCapacity)| {
        let mut earlier = known[..at].iter().rev();
        let before = earlier.find(|it| it.source == after.source)?;
        Some(Resize {
            from: after.from,
            at: after.at,
            before_bytes: before.bytes,
            after_bytes: after.bytes,
        })
    };
    known.iter().enumerate().filter_map(resize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::state::tests::{at, pulse};

    #[test]
    fn only_what_one_source_says_anew_is_a_resize() {
        let pulse = pulse(0, 0, 0);
        let Some(crate::instance::Figure::Known(space)) = pulse.volumes.values().next() else {
            panic!("{pulse:?}")
        };
        let of = |bytes, source, fs_type: &str| Space {
            capacity_bytes: bytes,
            source,
            fs_type: fs_type.to_owned(),
            ..space.clone()
        };
        let (host, command) = (CapacitySource::Statvfs, CapacitySource::Command);
        let mut known = Vec::new();
        for (minute, bytes, source, fs_type) in [
            (0, 100_000, host, "ext4"),
            (1, 100_001, host, "ext4"),
            (2, 50_000, command, ""),
            (3, 100_000, host, "ext4"),
            (4, 60_000, command, ""),
            (5, 200_000, host, "ext4"),
            (6, 198_000, host, "zfs"),
        ] {
            let times = (at(minute - 1), at(minute));
            note(&mut known, &of(bytes, source, fs_type), times);
        }
        let told: Vec<_> = resizes(&known)
            .iter()
            .map(|it| (it.from, it.at, it.before_bytes, it.after_bytes))
            .collect();
        assert_eq!(
            told,
            [
                (at(3), at(4), 50_000, 60_000),
                (at(4), at(5), 100_000, 200_000)
            ],
            "{known:?}"
        );
        for minute in 7..60 {
            let bytes = u64::try_from(minute).unwrap() * 1_000_000;
            let times = (at(minute - 1), at(minute));
            note(&mut known, &of(bytes, host, "ext4"), times);
        }
        assert_eq!(known.len(), MOST);
    }
}
