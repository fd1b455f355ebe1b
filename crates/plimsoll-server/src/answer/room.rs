//! How far a size may grow, as answers show it.

use plimsoll_core::capacity::CapacitySource;
use serde::Serialize;
use utoipa::ToSchema;

use super::schema;
use crate::forecasting::{Room, RoomSource};

/// How far the size may grow, and where that number comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct RoomAnswer {
    /// What the size may reach while all else stays as it is: its bytes and what is free. The limit of
    /// `limits` and `full_on`.
    pub limit_bytes: Option<u64>,
    /// Bytes that may be used in all, by anything.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use: of the volume by anything (`statvfs`), of the server as far as they can be seen
    /// (`config`).
    pub used_bytes: Option<u64>,
    /// Bytes still free.
    pub available_bytes: Option<u64>,
    /// Where the number comes from: `asked` is the question's own limit.
    #[schema(schema_with = schema::room_source)]
    pub source: Option<&'static str>,
    /// The directory that was looked at (`statvfs` only).
    pub path: Option<String>,
    /// Why `limit_bytes` is null.
    pub capacity_unknown: Option<String>,
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
                RoomSource::Capacity(CapacitySource::Config) => "config",
                RoomSource::Capacity(CapacitySource::Statvfs) => "statvfs",
            }),
            path: room.path,
            capacity_unknown: room.unknown,
        }
    }
}
