//! What was seen of an instance's volumes so far: the looks of a day, what is usual, and the parts at the last look.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::layout::{OnPool, Place, layout};
use super::pace::{Usual, slopes};
use super::part::{Kind, Part};
use super::pulse::{Pulse, Space};
use super::volume::{FileSystem, at_pulse, full_look};
use crate::forecast::Point;
use crate::instance::Figure;

/// The pool of an instance of which no volume is known.
pub const UNKNOWN_POOL: &str = "data";

/// Looks are kept for so long: the longest window and some more.
const LOOKS: SignedDuration = SignedDuration::from_hours(24);
/// Of parts every look is kept for so long; of older ones one in so many minutes.
const PARTS_EACH: SignedDuration = SignedDuration::from_hours(1);
const PARTS_THINNED_TO: SignedDuration = SignedDuration::from_mins(10);

/// An instance's volumes as they were seen.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// Every pool that something of the instance lies on.
    pub(super) pools: BTreeMap<String, Pool>,
    /// Which pool each place lies on.
    pub(super) places: BTreeMap<Place, OnPool>,
    /// Found at any time: a stopped server shows nothing.
    remembered: BTreeMap<Place, String>,
    /// The write positions of the last hours.
    pub(super) positions: VecDeque<(Timestamp, u64)>,
    /// The last pulse.
    pub(super) last: Option<Pulse>,
}

/// One pool.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    /// What it has, or why that is not known.
    pub(super) space: Figure<Space>,
    /// Its used bytes, a day of them.
    pub(super) looks: Vec<Point>,
    /// Its parts, oldest first; never empty once it was looked at.
    pub(super) parts: VecDeque<(Timestamp, Vec<Part>)>,
    /// How often each window had which slope, by the hour.
    usual: VecDeque<(Timestamp, Usual)>,
}

impl Memory {
    /// Takes in a pulse, and with it what a full look read of databases and the rest of the data directory.
    pub fn observe(&mut self, pulse: Pulse, full: Option<&[(Place, Part)]>) {
        let at = pulse.at;
        self.remembered.extend(pulse.found.clone());
        let mut parts = pulse.parts.clone();
        match full {
            Some(full) => parts.extend_from_slice(full),
            None if self.last.is_none() => parts.extend(not_yet()),
            None => {}
        }
        let mut places: Vec<Place> = parts.iter().map(|(place, _)| place.clone()).collect();
        places.push(Place::Data);
        places.sort_unstable();
        places.dedup();
        self.places.extend(layout(
            &places,
            &BTreeMap::new(),
            &pulse.found,
            &self.remembered,
            UNKNOWN_POOL,
        ));
        let mut by_pool: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        for (place, part) in parts {
            add(
                by_pool.entry(self.places[&place].pool.clone()).or_default(),
                part,
            );
        }
        for (name, parts) in by_pool {
            let pool = self.pools.entry(name.clone()).or_default();
            pool.space = pulse.volumes.get(&name).cloned().unwrap_or_else(|| {
                let reason = pulse
                    .not_found
                    .as_deref()
                    .unwrap_or("its volume was not found");
                Figure::Absent(reason.to_owned())
            });
            pool.observe(parts, full.is_some(), at);
        }
        if let Figure::Known(position) = pulse.position {
            self.positions.push_back((at, position));
            self.positions.retain(|(then, _)| *then > at - PARTS_EACH);
        }
        self.last = Some(pulse);
    }
}

impl Pool {
    fn observe(&mut self, parts: Vec<Part>, is_full: bool, at: Timestamp) {
        let used = match &self.space {
            Figure::Known(space) => Ok(space.used_bytes),
            Figure::Absent(reason) => Err(reason.clone()),
        };
        let file_system = self
            .space
            .known()
            .map_or(FileSystem::Plain, |space| FileSystem::of(&space.fs_type));
        if let Ok(bytes) = used {
            self.looks.push(Point { at, bytes });
            self.looks.retain(|look| look.at > at - LOOKS);
            self.count(at);
        }
        let parts = match self.parts.back() {
            Some((_, last)) if !is_full => at_pulse(used, parts, last, at),
            _ => full_look(used, parts, file_system, at),
        };
        self.parts.push_back((at, parts));
        self.thin(at);
    }

    fn count(&mut self, at: Timestamp) {
        let hour = at - SignedDuration::from_secs(at.as_second().rem_euclid(3600));
        let hour = Timestamp::from_second(hour.as_second()).unwrap_or(at);
        if self.usual.back().is_none_or(|(last, _)| *last != hour) {
            self.usual.push_back((hour, Usual::default()));
        }
        let slopes = slopes(&self.looks, at);
        if let Some((_, usual)) = self.usual.back_mut() {
            usual.count(&slopes);
        }
        let (begin, _) = Usual::stretch(at);
        self.usual.retain(|(hour, _)| *hour >= begin);
    }

    /// What was usual in the week before the longest window.
    pub(super) fn usual(&self, now: Timestamp) -> Usual {
        let (begin, end) = Usual::stretch(now);
        let mut sum = Usual::default();
        for (hour, usual) in &self.usual {
            if *hour >= begin && *hour < end {
                sum.merge(usual);
            }
        }
        sum
    }

    /// The parts at a time: of the last look until then, else of the first there is.
    pub(super) fn parts_at(&self, at: Timestamp) -> Option<&(Timestamp, Vec<Part>)> {
        let after = self.parts.partition_point(|(then, _)| *then <= at);
        self.parts.get(after.saturating_sub(1))
    }

    fn thin(&mut self, now: Timestamp) {
        let mut kept: Option<Timestamp> = None;
        let begin = now - LOOKS;
        self.parts.retain(|(at, _)| {
            let is_recent = *at > now - PARTS_EACH;
            let keeps = *at >= begin
                && (is_recent
                    || kept.is_none_or(|kept| at.duration_since(kept) >= PARTS_THINNED_TO));
            if keeps {
                kept = Some(*at);
            }
            keeps
        });
    }
}

/// What only a full look reads, before there was one.
fn not_yet() -> impl Iterator<Item = (Place, Part)> {
    [
        Kind::Database,
        Kind::Global,
        Kind::TransactionStatus,
        Kind::OtherInDataDirectory,
    ]
    .into_iter()
    .map(|kind| (Place::Data, Part::unknown(kind, None, "not looked at yet")))
}

/// Adds a part to a volume's; two of one key (a database in two tablespaces of one volume) are one.
fn add(parts: &mut Vec<Part>, part: Part) {
    // A part of a kind that is named elsewhere on the volume is not unknown as a whole.
    let Some(same) = parts.iter_mut().find(|other| other.key() == part.key()) else {
        parts.push(part);
        return;
    };
    match (same.bytes, part.bytes) {
        (Some(a), Some(b)) => {
            same.bytes = Some(a.saturating_add(b));
            same.at_least = same.at_least.take().or(part.at_least);
        }
        (Some(_), None) => same.at_least = part.unknown,
        (None, Some(_)) => {
            let reason = same.unknown.take();
            *same = part;
            same.at_least = same.at_least.take().or(reason);
        }
        (None, None) => {}
    }
}

/// A part's name for people: databases go by their own.
pub fn label(part: Kind, name: Option<&str>) -> String {
    match (part, name) {
        (Kind::Database | Kind::Instance, Some(name)) => name.to_owned(),
        _ => super::volume::text(part, name),
    }
}
