//! `wal_retention`: a slot, the archiver or `wal_keep_size` keeps more WAL than its volume can well bear, or is about to
//! lose what it needs. WAL below `max_wal_size` is recycled, whoever holds it.

use serde::{Deserialize, Serialize};

use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict, is_above};
use crate::disk::wal::{Holder, HolderKind, Slot};

/// Its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalRetention {
    /// More than this is a warning,
    pub warning_bytes: u64,
    /// or more than this share of the volume that WAL lies on.
    pub warning_per_mille: u32,
    /// More than this share of it is critical.
    pub critical_per_mille: u32,
}

impl Default for WalRetention {
    fn default() -> Self {
        Self {
            warning_bytes: 20 * (1 << 30),
            warning_per_mille: 50,
            critical_per_mille: 150,
        }
    }
}

/// What a holder's bytes are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Around {
    /// The capacity of the volume that WAL lies on.
    pub capacity_bytes: Option<u64>,
    /// `max_wal_size`.
    pub max_wal_bytes: Option<u64>,
    /// WAL that is written in an hour at present.
    pub bytes_per_hour: Option<f64>,
}

impl WalRetention {
    /// Reads a holder; none for those that no rule is about: a checkpoint, replay, summaries, a running base backup.
    pub fn read(&self, holder: &Holder, around: Around) -> Option<Reading> {
        let slot = match &holder.what {
            HolderKind::Slot(slot) if slot.is_base_backup => return None,
            HolderKind::Slot(slot) => Some(slot),
            HolderKind::Archiving(_) | HolderKind::WalKeepSize => None,
            HolderKind::Checkpoint | HolderKind::Replay(_) | HolderKind::Summaries => return None,
        };
        let capacity = around.capacity_bytes.map(i128::from);
        let share = |per_mille: u32| capacity.map(|bytes| bytes * i128::from(per_mille) / 1000);
        let border = share(self.warning_per_mille)
            .unwrap_or(i128::MAX)
            .min(i128::from(self.warning_bytes));
        let recycled = around.max_wal_bytes.map_or(0, i128::from);
        let held = holder.bytes.map(i128::from);
        let is_recycled = held.is_some_and(|held| held <= recycled);
        let (threshold, note) = match share(self.critical_per_mille) {
            _ if is_recycled && held > Some(border) => (recycled, Some(RECYCLED)),
            Some(critical) if held > Some(critical) => (critical, None),
            _ => (border, None),
        };
        let by_bytes = holder.bytes.map(|held| self.judge(held, border, around));
        let (verdict, note) = match (slot.and_then(|slot| danger(slot, around)), by_bytes) {
            (Some(why), _) => (Verdict::Holds(Severity::Critical), Some(why)),
            (None, Some(verdict)) => (verdict, note),
            (None, None) => {
                return Some(Reading::unknown(
                    Unit::Bytes,
                    "the server does not say what it holds",
                ));
            }
        };
        let value = holder.bytes.map(|held| held as f64);
        let reading = Reading::new(verdict, value, threshold as f64, Unit::Bytes);
        Some(reading.with_bytes(holder.bytes, None).with_note(note))
    }

    /// What a holder that is not there any more says, where all holders were seen: it holds nothing.
    pub fn gone(&self) -> Reading {
        Reading::new(Verdict::Clear, 0.0, self.warning_bytes as f64, Unit::Bytes)
    }

    fn judge(&self, held: u64, border: i128, around: Around) -> Verdict {
        let recycled = around.max_wal_bytes.unwrap_or(0);
        let bytes = i128::from(held);
        if held <= recycled {
            return Verdict::Clear;
        }
        let is_critical = around
            .capacity_bytes
            .is_some_and(|capacity| is_above(bytes, i128::from(capacity), self.critical_per_mille));
        if is_critical {
            Verdict::Holds(Severity::Critical)
        } else if bytes > border {
            Verdict::Holds(Severity::Warning)
        } else if 2 * bytes > border {
            Verdict::Between
        } else {
            Verdict::Clear
        }
    }
}

/// Why what is held is no matter.
const RECYCLED: &str = "WAL up to max_wal_size is recycled, whoever holds it";

/// Why a slot is critical, however little it holds: a lost one holds nothing, and its consumer is lost all the same.
fn danger(slot: &Slot, around: Around) -> Option<&'static str> {
    match slot.wal_status.as_deref() {
        Some("lost") => return Some("WAL that it needs is removed: its consumer must begin anew"),
        Some("unreserved") => return Some("the next checkpoint may remove WAL that it needs"),
        _ => {}
    }
    let (left, an_hour) = (slot.safe_wal_bytes?, around.bytes_per_hour?);
    ((left as f64) < an_hour)
        .then_some("at the present rate it loses WAL that it needs within an hour")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;
    use crate::disk::wal::{Archiving, Replay};

    const GB: u64 = 1 << 30;

    fn slot(bytes: Option<u64>, status: &str, safe_wal_bytes: Option<i64>) -> Holder {
        Holder {
            bytes,
            since: None,
            what: HolderKind::Slot(Slot {
                name: "s".into(),
                wal_status: Some(status.into()),
                safe_wal_bytes,
                ..Slot::default()
            }),
        }
    }

    fn read(holder: &Holder, capacity_bytes: Option<u64>) -> Option<char> {
        let around = Around {
            capacity_bytes,
            max_wal_bytes: Some(GB),
            bytes_per_hour: Some(1000.0),
        };
        WalRetention::default()
            .read(holder, around)
            .as_ref()
            .map(letter)
    }

    #[test]
    fn borders_and_one_byte_beside_them() {
        let cases = [
            (20 * GB, None, '-'),
            (20 * GB + 1, None, 'w'),
            (10 * GB, None, '.'),
            (10 * GB + 1, None, '-'),
            // 5 and 15 % of the volume.
            (5 * GB, Some(100 * GB), '-'),
            (5 * GB + 1, Some(100 * GB), 'w'),
            (15 * GB, Some(100 * GB), 'w'),
            (15 * GB + 1, Some(100 * GB), 'c'),
            // 20 GB is much, however large the volume.
            (20 * GB + 1, Some(10_000 * GB), 'w'),
            // Recycled WAL is nobody's fault, however small the volume.
            (GB, Some(2 * GB), '.'),
            (GB + 1, Some(2 * GB), 'c'),
        ];
        for (held, capacity, expected) in cases {
            let holder = slot(Some(held), "reserved", None);
            assert_eq!(
                read(&holder, capacity),
                Some(expected),
                "{held} of {capacity:?}"
            );
        }
    }

    #[test]
    fn a_verdict_that_the_numbers_do_not_show_says_why() {
        let around = Around {
            capacity_bytes: Some(2 * GB),
            max_wal_bytes: Some(GB),
            bytes_per_hour: None,
        };
        let read = |held: u64, status: &str| {
            let holder = slot(Some(held), status, None);
            WalRetention::default().read(&holder, around).unwrap()
        };
        // 5 % of the volume are less than what is recycled.
        let recycled = read(GB, "reserved");
        assert_eq!(
            (letter(&recycled), recycled.threshold),
            ('.', Some(GB as f64))
        );
        assert_eq!(recycled.note.as_deref(), Some(RECYCLED));
        assert_eq!(read(1, "reserved").note, None);
        assert_eq!(read(GB + 1, "reserved").note, None);
        assert!(read(1, "lost").note.is_some() && read(1, "unreserved").note.is_some());
    }

    #[test]
    fn a_slot_that_loses_what_it_needs_is_critical_however_little_it_holds() {
        for (status, safe, expected) in [
            ("lost", None, 'c'),
            ("unreserved", Some(5), 'c'),
            ("extended", Some(999), 'c'),
            ("extended", Some(-1), 'c'),
            ("extended", Some(1000), '.'),
            ("reserved", None, '.'),
        ] {
            let holder = slot(Some(0), status, safe);
            assert_eq!(read(&holder, None), Some(expected), "{status} {safe:?}");
        }
        // A lost slot holds nothing that the server would tell.
        assert_eq!(read(&slot(None, "lost", None), None), Some('c'));
        assert_eq!(read(&slot(None, "reserved", None), None), Some('?'));
        assert_eq!(letter(&WalRetention::default().gone()), '.');
    }

    #[test]
    fn only_those_that_somebody_can_mend_are_judged() {
        let holder = |what| Holder {
            bytes: Some(50 * GB),
            since: None,
            what,
        };
        let cases = [
            (HolderKind::Archiving(Archiving::default()), Some('w')),
            (HolderKind::WalKeepSize, Some('w')),
            (HolderKind::Checkpoint, None),
            (HolderKind::Replay(Replay::default()), None),
            (HolderKind::Summaries, None),
        ];
        for (what, expected) in cases {
            assert_eq!(read(&holder(what.clone()), None), expected, "{what:?}");
        }
        let mut backup = slot(Some(50 * GB), "reserved", None);
        if let HolderKind::Slot(slot) = &mut backup.what {
            slot.is_base_backup = true;
        }
        assert_eq!(read(&backup, None), None);
    }
}
