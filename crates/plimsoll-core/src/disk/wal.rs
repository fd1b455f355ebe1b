//! The write-ahead log: how much is written, what holds it and since when, and what will end that.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// What keeps WAL from being removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Bytes from what it keeps to the present position; none where the server does not say.
    pub bytes: Option<u64>,
    /// Since when it holds, as far as the server tells.
    #[serde(serialize_with = "crate::time::serialize")]
    pub since: Option<Timestamp>,
    /// What it is.
    #[serde(flatten)]
    pub what: HolderKind,
}

/// Kinds of holders, with what is peculiar to each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "holder", rename_all = "snake_case")]
pub enum HolderKind {
    /// A replication slot.
    Slot(Slot),
    /// Segments that the archive command or library has not taken.
    Archiving(Archiving),
    /// The setting `wal_keep_size`.
    WalKeepSize,
    /// What a crash would need: from the redo point of the last checkpoint on.
    Checkpoint,
    /// WAL that a standby received and has not replayed.
    Replay(Replay),
    /// WAL that has not been summarized (17 and later).
    Summaries,
}

/// A replication slot.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are independent facts of one row"
)]
pub struct Slot {
    /// Its name.
    pub name: String,
    /// Whether it is a physical slot.
    pub is_physical: bool,
    /// The database of a logical slot.
    pub database: Option<String>,
    /// Whether it goes with its session.
    pub is_temporary: bool,
    /// Whether it is a running base backup's.
    pub is_base_backup: bool,
    /// Whether a consumer is connected.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`; none for a slot that was never used.
    pub wal_status: Option<String>,
    /// How much more may be written before it is lost; none where nothing limits it.
    pub safe_wal_bytes: Option<i64>,
    /// Since when it has no consumer (17 and later).
    #[serde(serialize_with = "crate::time::serialize")]
    pub inactive_since: Option<Timestamp>,
    /// Why it was invalidated (17 and later).
    pub invalidation_reason: Option<String>,
}

/// The archiver.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Archiving {
    /// The last segment that could not be archived, if none was archived since.
    pub failed_segment: Option<String>,
    /// When that was.
    #[serde(serialize_with = "crate::time::serialize")]
    pub failed_at: Option<Timestamp>,
    /// How often it failed since the statistics were reset.
    pub failures: i64,
    /// When a segment was archived last.
    #[serde(serialize_with = "crate::time::serialize")]
    pub archived_at: Option<Timestamp>,
    /// Segments that wait.
    pub waiting: Option<u64>,
}

/// A standby's replay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Replay {
    /// Whether `pg_wal_replay_pause()` holds it.
    pub paused: bool,
    /// `recovery_min_apply_delay` in milliseconds.
    pub delay_ms: i64,
    /// The commit time of the last transaction that was replayed.
    #[serde(serialize_with = "crate::time::serialize")]
    pub replayed_at: Option<Timestamp>,
}

/// The settings that bound what slots hold. None is "no limit".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// `max_slot_wal_keep_size`.
    pub slot_bytes: Option<u64>,
    /// `idle_replication_slot_timeout`, in seconds (18 and later).
    pub idle_seconds: Option<i64>,
}

/// Which setting ends a hold by itself, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldExpiry {
    /// The setting.
    pub by: String,
    /// When its limit is met at the present rate: the WAL goes at the checkpoint after.
    #[serde(serialize_with = "crate::time::serialize")]
    pub at: Option<Timestamp>,
}

/// WAL below this stays as recycled segments, whatever is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalSize {
    /// `max_wal_size`, if it is known.
    pub max_wal_bytes: Option<u64>,
    /// The bytes in `pg_wal`, if they are known.
    pub wal_bytes: Option<u64>,
    /// What its volume has, if that is known.
    pub capacity_bytes: Option<u64>,
}

/// On a small volume less than the level is trouble, too: from this share of it on.
const TROUBLE: u64 = 20;

impl WalSize {
    /// Whether a holder keeps so much that it is to be named: more than the level, or much of its volume.
    pub fn is_trouble(&self, holder: &Holder) -> bool {
        let held = holder.bytes.unwrap_or(0);
        let much = self.capacity_bytes.map(|bytes| bytes / TROUBLE);
        let mut bars = [self.max_wal_bytes, much].into_iter().flatten();
        bars.any(|bar| held > bar)
    }
}

/// Bytes of WAL an hour between two looks at the write (receive, replay) position.
///
/// # Errors
/// With a reason when no time passed, or when the position went backwards.
pub fn bytes_per_hour(earlier: (Timestamp, u64), later: (Timestamp, u64)) -> Result<f64, String> {
    let hours = later.0.duration_since(earlier.0).as_secs_f64() / 3600.0;
    if hours <= 0.0 {
        return Err("two looks at the position are needed".to_owned());
    }
    let Some(bytes) = later.1.checked_sub(earlier.1) else {
        return Err("the position went backwards: the server was restored".to_owned());
    };
    Ok(bytes as f64 / hours)
}

impl Holder {
    /// What ends the hold by itself, the first of several; none where nothing does.
    pub fn end(
        &self,
        limits: &Limits,
        bytes_per_hour: Option<f64>,
        now: Timestamp,
    ) -> Option<HoldExpiry> {
        let HolderKind::Slot(slot) = &self.what else {
            return None;
        };
        let size = limits.slot_bytes.zip(self.bytes).map(|(limit, held)| {
            let left = limit.saturating_sub(held) as f64;
            let hours = bytes_per_hour
                .filter(|rate| *rate > 0.0)
                .map(|rate| left / rate);
            let at = if left <= 0.0 {
                Some(now)
            } else {
                hours.and_then(|hours| after(now, hours * 3600.0))
            };
            HoldExpiry {
                by: "max_slot_wal_keep_size".to_owned(),
                at,
            }
        });
        let idle = limits
            .idle_seconds
            .zip(slot.inactive_since)
            .filter(|_| !slot.active)
            .map(|(seconds, since)| HoldExpiry {
                by: "idle_replication_slot_timeout".to_owned(),
                at: after(since, seconds as f64).map(|at| at.max(now)),
            });
        let never = Timestamp::MAX;
        [size, idle]
            .into_iter()
            .flatten()
            .min_by_key(|end| end.at.unwrap_or(never))
    }

    /// For people: what holds it.
    pub fn text(&self) -> String {
        match &self.what {
            HolderKind::Slot(slot) if slot.is_base_backup => {
                format!("base backup (slot {})", slot.name)
            }
            HolderKind::Slot(slot) => {
                let state = if slot.active { "active" } else { "inactive" };
                let since = slot.inactive_since.filter(|_| !slot.active);
                since.map_or_else(
                    || format!("slot {}, {state}", slot.name),
                    |since| format!("slot {}, {state} since {since:.0}", slot.name),
                )
            }
            HolderKind::Archiving(archiving) => {
                match (&archiving.failed_segment, archiving.failed_at) {
                    (Some(segment), Some(at)) => format!("archiving fails: {segment} at {at:.0}"),
                    _ => "archiving".to_owned(),
                }
            }
            HolderKind::WalKeepSize => "wal_keep_size".to_owned(),
            HolderKind::Checkpoint => "the last checkpoint".to_owned(),
            HolderKind::Replay(replay) if replay.paused => "replay is paused".to_owned(),
            HolderKind::Replay(replay) if replay.delay_ms > 0 => "replay is delayed".to_owned(),
            HolderKind::Replay(_) => "replay".to_owned(),
            HolderKind::Summaries => "WAL summaries".to_owned(),
        }
    }
}

fn after(from: Timestamp, seconds: f64) -> Option<Timestamp> {
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
    let seconds = seconds as i64;
    from.checked_add(SignedDuration::from_secs(seconds)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
    }

    #[test]
    fn wal_an_hour_comes_from_the_position_and_a_restore_has_none() {
        assert_eq!(bytes_per_hour((at(0), 1000), (at(2), 5000)), Ok(2000.0));
        assert_eq!(bytes_per_hour((at(0), 1000), (at(2), 1000)), Ok(0.0));
        assert!(
            bytes_per_hour((at(0), 5000), (at(1), 1000))
                .unwrap_err()
                .contains("restored")
        );
        assert!(bytes_per_hour((at(1), 1), (at(1), 2)).is_err());
    }

    #[test]
    fn a_limit_ends_what_a_slot_holds_and_the_first_one_counts() {
        let slot = |active, inactive_since| Holder {
            bytes: Some(40),
            since: None,
            what: HolderKind::Slot(Slot {
                name: "s".into(),
                active,
                inactive_since,
                ..Slot::default()
            }),
        };
        let end = |holder: &Holder, slot_bytes, idle_seconds, rate| {
            holder
                .end(
                    &Limits {
                        slot_bytes,
                        idle_seconds,
                    },
                    rate,
                    at(0),
                )
                .map(|end| (end.by, end.at))
        };
        let size = |at| Some(("max_slot_wal_keep_size".to_owned(), at));
        let idle = |at| Some(("idle_replication_slot_timeout".to_owned(), at));
        assert_eq!(end(&slot(false, None), None, None, Some(10.0)), None);
        assert_eq!(
            end(&slot(false, None), Some(100), None, Some(10.0)),
            size(Some(at(6)))
        );
        assert_eq!(
            end(&slot(false, None), Some(30), None, Some(10.0)),
            size(Some(at(0))),
            "past it"
        );
        assert_eq!(
            end(&slot(false, None), Some(100), None, None),
            size(None),
            "no rate is known"
        );
        assert_eq!(
            end(
                &slot(false, Some(at(-1))),
                Some(100),
                Some(7200),
                Some(10.0)
            ),
            idle(Some(at(1)))
        );
        assert_eq!(
            end(&slot(false, Some(at(-9))), None, Some(7200), None),
            idle(Some(at(0)))
        );
        assert_eq!(
            end(&slot(true, Some(at(-9))), None, Some(7200), None),
            None,
            "it has a consumer"
        );
        let keep = Holder {
            bytes: Some(1),
            since: None,
            what: HolderKind::WalKeepSize,
        };
        assert_eq!(end(&keep, Some(0), Some(0), None), None);
    }

    #[test]
    fn a_holder_is_one_flat_object() {
        let holder = Holder {
            bytes: Some(1),
            since: None,
            what: HolderKind::Archiving(Archiving::default()),
        };
        let json = serde_json::to_value(&holder).unwrap();
        assert_eq!(json["holder"], "archiving");
        assert_eq!(json["failures"], 0);
        assert_eq!(serde_json::from_value::<Holder>(json).unwrap(), holder);
    }
}
