//! One relation's bytes, and how far they can be trusted.

use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Bytes to be subtracted from each other. More than 8 EiB there are not.
pub fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// Why a relation's size is or is not the measured one.
///
/// Ordered from good to bad: a table's status is the worst of its parts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It was read.
    #[default]
    Ok,
    /// It went away while the visit was under way.
    Dropped,
    /// Somebody holds it, or waits for it, in ACCESS EXCLUSIVE mode.
    Locked,
    /// The visit's deadline or a statement's time limit came first.
    TimedOut,
    /// The role may not read it.
    Denied,
    /// Its files are not there: a tablespace that is not mounted, or a file that was lost. Whatever has
    /// storage has a main fork, so no file is not an empty one.
    Missing,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Ok,
        Self::Dropped,
        Self::Locked,
        Self::TimedOut,
        Self::Denied,
        Self::Missing,
    ];

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// The name that answers and stores carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Dropped => "dropped",
            Self::Locked => "locked",
            Self::TimedOut => "timed_out",
            Self::Denied => "denied",
            Self::Missing => "missing",
        }
    }
}

/// Where a size comes from.
///
/// Ordered from certain to unknown: a table's source is the least certain of its parts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SizeSource {
    /// Read during this visit.
    #[default]
    Measured,
    /// An earlier visit's value.
    LastGood,
    /// `pg_class.relpages` times the block size: what the last VACUUM or ANALYZE saw.
    Relpages,
    /// Nothing is known; `bytes` is null.
    None,
}

/// A relation's bytes, with their status.
///
/// `bytes` is `None` exactly when `source` is [`SizeSource::None`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Size {
    /// Bytes of all forks of this relation (main, fsm, vm, init).
    pub bytes: Option<u64>,
    /// Why the number is or is not the measured one.
    pub status: Status,
    /// Where the number comes from.
    pub source: SizeSource,
    /// When a `last_good` value was measured.
    pub last_good_at: Option<Moment>,
}

impl Size {
    /// A size that this visit read.
    pub const fn measured(bytes: u64) -> Self {
        Self {
            bytes: Some(bytes),
            status: Status::Ok,
            source: SizeSource::Measured,
            last_good_at: None,
        }
    }

    /// A size that this visit could not read: what `pg_class.relpages` says instead, if anything.
    ///
    /// `relpages` of 0 says nothing (a table that was never vacuumed has it too).
    pub fn unread(status: Status, relpages: u64, block_size: u64) -> Self {
        let bytes = (relpages > 0).then(|| relpages * block_size);
        Self {
            bytes,
            status,
            source: if bytes.is_some() {
                SizeSource::Relpages
            } else {
                SizeSource::None
            },
            last_good_at: None,
        }
    }

    /// Whether the number is one that this visit read.
    pub const fn is_measured(&self) -> bool {
        matches!(self.source, SizeSource::Measured)
    }

    /// The bytes that stand in for a measurement: 0 when measured or unknown.
    pub fn estimated_bytes(&self) -> u64 {
        if self.is_measured() {
            0
        } else {
            self.bytes.unwrap_or(0)
        }
    }

    /// The sum of several parts: bytes of those that are known (`None` when none is, though there
    /// are parts), the worst status, the least certain source among the known ones, the oldest
    /// `last_good_at`.
    pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self::measured(0);
        let (mut known, mut any) = (0_usize, false);
        for part in parts {
            any = true;
            sum.status = sum.status.max(part.status);
            let Some(bytes) = part.bytes else { continue };
            known += 1;
            sum.bytes = Some(sum.bytes.unwrap_or(0).saturating_add(bytes));
            sum.source = sum.source.max(part.source);
            sum.last_good_at = match (sum.last_good_at, part.last_good_at) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        if any && known == 0 {
            sum.bytes = None;
            sum.source = SizeSource::None;
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unread_size_is_never_zero() {
        assert_eq!(Size::unread(Status::Locked, 0, 8192).bytes, None);
        assert_eq!(
            Size::unread(Status::Locked, 0, 8192).source,
            SizeSource::None
        );
        assert_eq!(Size::unread(Status::Locked, 2, 8192).bytes, Some(16384));
    }

    #[test]
    fn a_sum_keeps_what_is_known_and_the_worst_status() {
        let sum = Size::sum(&[
            Size::measured(10),
            Size::unread(Status::Locked, 1, 8192),
            Size::unread(Status::TimedOut, 0, 8192),
        ]);
        assert_eq!(sum.bytes, Some(8202));
        assert_eq!(sum.status, Status::TimedOut);
        assert_eq!(sum.source, SizeSource::Relpages);
    }

    #[test]
    fn the_sum_of_nothing_is_zero_and_of_unknowns_is_unknown() {
        assert_eq!(Size::sum(&[]), Size::measured(0));
        assert_eq!(
            Size::sum(&[Size::unread(Status::Denied, 0, 8192)]).bytes,
            None
        );
    }
}
