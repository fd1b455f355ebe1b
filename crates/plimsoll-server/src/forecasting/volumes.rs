//! When each volume that a size lies on is full, and which is first.
//!
//! What grows on one volume is never compared with what is free on another.

use plimsoll_core::forecast::FullOn;
use plimsoll_core::forecast::coherent::Adjustment;
use plimsoll_core::outlook::{Outlook, OutlookQuery, outlook};

use super::newest;
use super::reads::Series;
use super::room::Room;
use super::shares::Share;
use super::spread::spread;

/// A volume, and what of a size lies on it.
#[derive(Debug, Clone)]
pub struct OnVolume {
    /// How far that may grow.
    pub room: Room,
    /// Its bytes at the last sample; none where the history does not hold them.
    pub level_bytes: Option<u64>,
    /// Growth per day expected over the next 30 days.
    pub slope_bytes_per_day: Option<f64>,
    /// When the volume is full; none where `unknown` says why.
    pub full_on: Option<FullOn>,
    /// Why that is not known.
    pub unknown: Option<String>,
}

/// What bounds a size.
pub(super) enum Limits {
    /// A limit that is given, or the reason why there is none.
    Asked(Box<Room>),
    /// What is free where it lies.
    Volumes(Vec<Share>),
}

impl Limits {
    /// The limit that is given; of what lies nowhere any more there is none.
    pub(super) fn asked(self, reason: &str) -> Room {
        match self {
            Self::Asked(room) => *room,
            Self::Volumes(_) => Room::unknown(reason),
        }
    }

    /// The limits of the size as a whole: none where it lies on several volumes.
    pub(super) fn of_all(&self, series: &Series) -> Vec<u64> {
        let room = match self {
            Self::Asked(room) => return room.limit_bytes.into_iter().collect(),
            Self::Volumes(shares) => match &**shares {
                [only] => only.room(level(series)),
                _ => return Vec::new(),
            },
        };
        room.limit_bytes.into_iter().collect()
    }

    /// The room on the volume that is full first, and every volume. `found` gets that volume's date.
    pub(super) fn settle(
        self,
        series: &Series,
        adjustment: Adjustment,
        found: &mut Outlook,
    ) -> (Room, Vec<OnVolume>) {
        let shares = match self {
            Self::Asked(room) => return (*room, Vec::new()),
            Self::Volumes(shares) => shares,
        };
        if let [only] = &*shares {
            let room = only.room(level(series));
            let volume = on_volume(room.clone(), found);
            return (room, vec![volume]);
        }
        let with_series: Vec<&Series> = shares
            .iter()
            .filter_map(|share| share.series.as_ref().ok())
            .collect();
        let mut moved = spread(series, adjustment, &with_series)
            .unwrap_or_default()
            .into_iter();
        let mut all: Vec<(OnVolume, Option<Outlook>)> = shares
            .iter()
            .map(|share| match &share.series {
                Ok(part) => {
                    let room = share.room(level(part));
                    let limits: Vec<u64> = room.limit_bytes.into_iter().collect();
                    let found = outlook(
                        &part.points,
                        OutlookQuery {
                            horizons_days: &[],
                            limits_bytes: &limits,
                            known: &part.known(),
                            shapes_since: None,
                            adjustment: moved.next().unwrap_or_default(),
                        },
                    );
                    (on_volume(room, &found), Some(found))
                }
                Err(reason) => {
                    let volume = OnVolume {
                        room: share.room(None),
                        level_bytes: None,
                        slope_bytes_per_day: None,
                        full_on: None,
                        unknown: Some(reason.clone()),
                    };
                    (volume, None)
                }
            })
            .collect();
        // Not known comes last, "not within a year" before it.
        all.sort_by_key(|(volume, _)| {
            let (mid, low) = volume.full_on.map_or((None, None), |on| (on.mid, on.low));
            (
                mid.is_none(),
                mid,
                low.is_none(),
                low,
                volume.full_on.is_none(),
            )
        });
        let room = first(&all);
        if room.limit_bytes.is_some() {
            let passages = all.first_mut().and_then(|(_, found)| found.take());
            found.limits = passages.map_or_else(Vec::new, |found| found.limits);
        }
        (room, all.into_iter().map(|(volume, _)| volume).collect())
    }
}

/// The room on the first volume. Where that is not full within a year, and it is not known when another is, nothing is
/// known of the earliest.
fn first(all: &[(OnVolume, Option<Outlook>)]) -> Room {
    let unknown: Vec<String> = all
        .iter()
        .filter_map(|(volume, _)| {
            let name = volume.room.places.join(", ");
            Some(format!("{name}: {}", volume.unknown.as_ref()?))
        })
        .collect();
    match all.first() {
        Some((volume, _))
            if unknown.is_empty() || volume.full_on.is_some_and(|on| on.low.is_some()) =>
        {
            volume.room.clone()
        }
        _ => Room::unknown(format!(
            "not known of every volume that it lies on: {}",
            unknown.join("; ")
        )),
    }
}

fn on_volume(room: Room, found: &Outlook) -> OnVolume {
    let full_on = found.limits.first().map(|passage| passage.full_on);
    let insufficient = found.insufficient_data.as_ref();
    let unknown = match full_on {
        Some(_) => None,
        None => insufficient
            .map(|insufficient| insufficient.reason.clone())
            .or_else(|| room.unknown.clone()),
    };
    OnVolume {
        room,
        level_bytes: found.level_bytes,
        slope_bytes_per_day: found.slope_bytes_per_day,
        full_on,
        unknown,
    }
}

fn level(series: &Series) -> Option<u64> {
    newest(&series.points).map(|point| point.bytes)
}

impl Share {
    fn room(&self, level_bytes: Option<u64>) -> Room {
        Room {
            places: self.places.clone(),
            ..Room::of(&self.capacity, self.in_use, level_bytes)
        }
    }
}
