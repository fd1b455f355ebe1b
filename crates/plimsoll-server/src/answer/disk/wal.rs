//! What is written, and what holds it.

use jiff::Timestamp;
use plimsoll_core::disk::state::{Retained, Wal};
use plimsoll_core::disk::wal::{Archiving, HolderKind, Replay, Slot};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::schema;

/// The write-ahead log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WalNowAnswer {
    /// Bytes an hour, from the position.
    pub bytes_per_hour: Option<f64>,
    /// Why that is not known.
    pub unknown: Option<String>,
    /// What holds WAL, most bytes first.
    pub retained_by: Vec<RetainedAnswer>,
}

/// A holder of WAL; what a kind of holder has not is null.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct RetainedAnswer {
    /// What kind of holder.
    #[schema(schema_with = schema::disk_wal_holder)]
    pub holder: &'static str,
    /// For people: what holds.
    pub text: String,
    /// Bytes from what it keeps to the present position.
    pub bytes: Option<u64>,
    /// Since when it holds, as far as the server tells.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub since: Option<Timestamp>,
    /// The setting that ends it by itself, if one does.
    pub ends_by: Option<String>,
    /// When, at the present rate: the WAL goes at the checkpoint after.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub ends_at: Option<Timestamp>,
    /// Of a slot: its name.
    pub name: Option<String>,
    /// Of a slot: whether it is of physical replication.
    pub is_physical: Option<bool>,
    /// Of a logical slot: its database.
    pub database: Option<String>,
    /// Of a slot: whether it goes with its session.
    pub is_temporary: Option<bool>,
    /// Of a slot: whether it is a running base backup's.
    pub is_base_backup: Option<bool>,
    /// Of a slot: whether a consumer is connected.
    pub active: Option<bool>,
    /// Of a slot: `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// Of a slot: how much more may be written before it is lost; null where nothing limits it.
    pub safe_wal_bytes: Option<i64>,
    /// Of a slot: since when it has no consumer (17 and later).
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub inactive_since: Option<Timestamp>,
    /// Of a slot: why it was invalidated (17 and later).
    pub invalidation_reason: Option<String>,
    /// Of archiving: the last segment that could not be archived.
    pub failed_segment: Option<String>,
    /// Of archiving: when that was.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub failed_at: Option<Timestamp>,
    /// Of archiving: how often it failed since the statistics were reset.
    pub failures: Option<i64>,
    /// Of archiving: when a segment was archived last.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub archived_at: Option<Timestamp>,
    /// Of archiving: segments that wait.
    pub waiting: Option<u64>,
    /// Of a standby's replay: whether it is paused.
    pub paused: Option<bool>,
    /// Of a standby's replay: `recovery_min_apply_delay` in milliseconds.
    pub delay_ms: Option<i64>,
    /// Of a standby's replay: the commit time of the last transaction that was replayed.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub replayed_at: Option<Timestamp>,
}

pub(super) fn answer(wal: &Wal) -> WalNowAnswer {
    WalNowAnswer {
        bytes_per_hour: wal.bytes_per_hour,
        unknown: wal.unknown.clone(),
        retained_by: wal.retained_by.iter().map(retained).collect(),
    }
}

fn retained(retained: &Retained) -> RetainedAnswer {
    let common = RetainedAnswer {
        holder: kind(&retained.holder.what),
        text: retained.text.clone(),
        bytes: retained.holder.bytes,
        since: retained.holder.since,
        ends_by: retained.ends_by.clone(),
        ends_at: retained.ends_at,
        ..RetainedAnswer::default()
    };
    match retained.holder.what.clone() {
        HolderKind::Slot(slot) => of_slot(slot, common),
        HolderKind::Archiving(archiving) => of_archiving(archiving, common),
        HolderKind::Replay(replay) => of_replay(&replay, common),
        HolderKind::WalKeepSize | HolderKind::Checkpoint | HolderKind::Summaries => common,
    }
}

const fn kind(what: &HolderKind) -> &'static str {
    match what {
        HolderKind::Slot(_) => "slot",
        HolderKind::Archiving(_) => "archiving",
        HolderKind::WalKeepSize => "wal_keep_size",
        HolderKind::Checkpoint => "checkpoint",
        HolderKind::Replay(_) => "replay",
        HolderKind::Summaries => "summaries",
    }
}

fn of_slot(slot: Slot, common: RetainedAnswer) -> RetainedAnswer {
    RetainedAnswer {
        name: Some(slot.name),
        is_physical: Some(slot.is_physical),
        database: slot.database,
        is_temporary: Some(slot.is_temporary),
        is_base_backup: Some(slot.is_base_backup),
        active: Some(slot.active),
        wal_status: slot.wal_status,
        safe_wal_bytes: slot.safe_wal_bytes,
        inactive_since: slot.inactive_since,
        invalidation_reason: slot.invalidation_reason,
        ..common
    }
}

fn of_archiving(archiving: Archiving, common: RetainedAnswer) -> RetainedAnswer {
    RetainedAnswer {
        failed_segment: archiving.failed_segment,
        failed_at: archiving.failed_at,
        failures: Some(archiving.failures),
        archived_at: archiving.archived_at,
        waiting: archiving.waiting,
        ..common
    }
}

fn of_replay(replay: &Replay, common: RetainedAnswer) -> RetainedAnswer {
    RetainedAnswer {
        paused: Some(replay.paused),
        delay_ms: Some(replay.delay_ms),
        replayed_at: replay.replayed_at,
        ..common
    }
}
