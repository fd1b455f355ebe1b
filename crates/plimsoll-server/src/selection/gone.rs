//! What was dropped: when a sample last showed it, and how large it was then.

use jiff::Timestamp;
use plimsoll_core::change::EventKind;
use plimsoll_core::size_text;
use plimsoll_store::{NamedEvent, Point, TableName};

/// A table, or all of a schema's, that the newest sample no longer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone {
    /// The last sample that shows it; none where those that did are no longer kept.
    pub last_seen_at: Option<Timestamp>,
    /// Its size then; none where it was never measured.
    pub last_bytes: Option<u64>,
    /// The first sample that no longer did, where that is known.
    pub gone_at: Option<Timestamp>,
}

impl Gone {
    /// What the series of something that is gone tells.
    pub(super) fn of(points: &[Point], gone_at: Option<Timestamp>) -> Self {
        let last = points.last();
        Self {
            last_seen_at: last.map(|point| point.sampled_at),
            last_bytes: last.and_then(Point::total_bytes),
            gone_at,
        }
    }

    /// The same for people; it goes on after a name, or stands alone.
    pub fn text(&self) -> String {
        let minute = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let seen = match (self.last_seen_at, self.last_bytes) {
            (None, _) => "the samples that showed it are no longer kept".to_owned(),
            (Some(at), None) => format!("last seen on {}, and never measured", minute(at)),
            (Some(at), Some(bytes)) => {
                format!(
                    "last seen on {}, with {}",
                    minute(at),
                    size_text::pretty(bytes)
                )
            }
        };
        let gone = self.gone_at.map_or_else(String::new, |at| {
            format!("; the sample of {} shows it no more", minute(at))
        });
        format!("it was dropped: {seen}{gone}")
    }
}

/// When a recorded event says that a table was first seen to be gone.
pub(super) fn dropped_at(name: &TableName, events: &[NamedEvent]) -> Option<Timestamp> {
    let is_its = |event: &&NamedEvent| {
        event.event.kind == EventKind::Drop
            && event.index_name.is_none()
            && event.table.as_ref() == Some(name)
    };
    events.iter().rfind(is_its).map(|event| event.event.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_is_told_as_far_as_it_is_known() {
        let at = |minute: i64| Some(Timestamp::from_second(minute * 60).unwrap());
        for (last_seen_at, last_bytes, gone_at, text) in [
            (
                at(1),
                Some(8192),
                at(16),
                "it was dropped: last seen on 1970-01-01 00:01 UTC, with 8192 bytes; the sample of 1970-01-01 00:16 UTC \
                 shows it no more",
            ),
            (
                at(1),
                None,
                None,
                "it was dropped: last seen on 1970-01-01 00:01 UTC, and never measured",
            ),
            (
                None,
                None,
                None,
                "it was dropped: the samples that showed it are no longer kept",
            ),
        ] {
            let gone = Gone {
                last_seen_at,
                last_bytes,
                gone_at,
            };
            assert_eq!(gone.text(), text);
        }
    }
}
