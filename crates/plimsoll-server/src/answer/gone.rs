//! What was dropped, as answers show it.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::selection::Gone;

/// A table, or a schema, that the newest sample no longer shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct GoneAnswer {
    /// The last sample that shows it; null where those that did are no longer kept.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub last_seen_at: Option<Timestamp>,
    /// Its size then; null where it was never measured.
    pub last_bytes: Option<u64>,
    /// The first sample that no longer did; null where that is not known.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub gone_at: Option<Timestamp>,
    /// The same for people.
    pub text: String,
}

impl From<Gone> for GoneAnswer {
    fn from(gone: Gone) -> Self {
        Self {
            last_seen_at: gone.last_seen_at,
            last_bytes: gone.last_bytes,
            gone_at: gone.gone_at,
            text: gone.text(),
        }
    }
}
