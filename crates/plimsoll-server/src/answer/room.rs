//! How far a size may grow, as answers show it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use super::shapes::FullOnAnswer;
use crate::forecasting::{OnVolume, Room, RoomSource, round};

/// How far the size may grow, and where that number comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct RoomAnswer {
    /// What the size may reach while all else stays as it is: its bytes and what is free. The limit of
    /// `limits` and `full_on`. Of a size that lies on several volumes: what its part on this one may reach.
    pub limit_bytes: Option<u64>,
    /// Bytes that may be used in all, by anything.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use: of the volume by anything where the source says that, else by the server as far as they can be
    /// seen; `late` says so then.
    pub used_bytes: Option<u64>,
    /// Bytes still free.
    pub available_bytes: Option<u64>,
    /// Where the number comes from: `asked` is the question's own limit.
    #[schema(schema_with = schema::room_source)]
    pub source: Option<&'static str>,
    /// When that was read; null for a number of the configuration.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub source_at: Option<Timestamp>,
    /// Why the date is later than the truth: only a number is known of the volume, and not what else lies there.
    pub late: Option<String>,
    /// The directory that was looked at (`path` and `statvfs`).
    pub path: Option<String>,
    /// The volume's mount point, where this host sees it.
    pub volume: Option<String>,
    /// The pool of free space that the volume has a share of.
    pub pool: Option<String>,
    /// What of the server lies there: `data`, `wal`, `log`, `tablespace:NAME`.
    pub places: Vec<String>,
    /// Why `limit_bytes` is null.
    pub capacity_unknown: Option<String>,
}

/// A volume that the size lies on, with what of it lies there.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct VolumeRoomAnswer {
    /// How far that may grow.
    #[serde(flatten)]
    pub room: RoomAnswer,
    /// Its bytes at the last sample; null where the samples do not hold them.
    pub level_bytes: Option<u64>,
    /// Growth per day expected over the next 30 days.
    pub slope_bytes_per_day: Option<i64>,
    /// When the volume is full; null where `unknown` says why.
    pub full_on: Option<FullOnAnswer>,
    /// Why `full_on` is null.
    pub unknown: Option<String>,
}

impl From<OnVolume> for VolumeRoomAnswer {
    fn from(volume: OnVolume) -> Self {
        Self {
            room: volume.room.into(),
            level_bytes: volume.level_bytes,
            slope_bytes_per_day: volume.slope_bytes_per_day.map(round::signed_bytes),
            full_on: volume.full_on.map(Into::into),
            unknown: volume.unknown,
        }
    }
}

impl From<Room> for RoomAnswer {
    fn from(room: Room) -> Self {
        Self {
            limit_bytes: room.limit_bytes,
            capacity_bytes: room.capacity_bytes,
            used_bytes: room.used_bytes,
            available_bytes: room.available_bytes,
            source: room.source.map(|source| match source {
                RoomSource::Asked => "asked",
                RoomSource::Capacity(source) => source.as_str(),
            }),
            source_at: room.source_at,
            late: room.late,
            path: room.path,
            volume: room.volume,
            pool: room.pool,
            places: room.places,
            capacity_unknown: room.unknown,
        }
    }
}
