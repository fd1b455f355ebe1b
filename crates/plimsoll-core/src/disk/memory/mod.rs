//! What was seen of an instance's volumes so far: the looks of a day, what is usual, and the parts at the last look.

mod pool;
mod recorder;

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use super::layout::{OnPool, Place, layout};
use super::part::{Kind, Part};
use super::pulse::Pulse;
use crate::instance::Figure;

pub(crate) use pool::Pool;
use recorder::Recorder;

pub use recorder::{Kept, LastLook};

/// The pool of an instance of which no volume is known.
pub const UNKNOWN_POOL: &str = "data";

/// Looks are kept for so long: the longest window and some more.
const LOOKS: SignedDuration = SignedDuration::from_hours(24);
/// Of parts every look is kept for so long.
const PARTS_EACH: SignedDuration = SignedDuration::from_hours(1);

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
    /// When the volumes were looked at last: also where the server did not answer.
    pub(super) looked_at: Option<Timestamp>,
    /// When the last full look was.
    full_at: Option<Timestamp>,
    /// Why the server did not answer the last look.
    pub(super) unreachable: Option<String>,
    recorder: Recorder,
}

impl Memory {
    /// Takes in a pulse, and with it what a full look read of databases and the rest of the data directory.
    pub fn observe(&mut self, pulse: Pulse, full: Option<&[(Place, Part)]>) {
        let at = pulse.at;
        self.forget_after(at);
        self.looked_at = Some(at);
        self.unreachable = None;
        if full.is_some() {
            self.full_at = Some(at);
        }
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
            &pulse.declared,
            &pulse.found,
            &self.remembered,
            UNKNOWN_POOL,
        ));
        // What nothing lies on any more, because its place was told or found elsewhere, is no volume of the instance's.
        let places = &self.places;
        self.pools
            .retain(|name, _| places.values().any(|lies| lies.pool == *name));
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
                let on = self.places.iter().filter(|(_, lies)| lies.pool == name);
                let reason = on
                    .filter_map(|(place, _)| pulse.lost.get(place))
                    .chain(&pulse.not_found)
                    .next()
                    .map_or("its volume was not found", String::as_str);
                Figure::Absent(reason.to_owned())
            });
            pool.observe(parts, full.is_some(), pulse.beneath.get(&name), at);
        }
        if let Figure::Known(position) = pulse.position {
            self.positions.push_back((at, position));
            self.positions.retain(|(then, _)| *then > at - PARTS_EACH);
        }
        self.last = Some(pulse);
    }

    /// Takes in that the server did not answer, and what its volumes had all the same: a pulse whose parts are those of
    /// others only, where earlier looks told where the volumes are.
    pub fn observe_volumes(&mut self, at: Timestamp, unreachable: &str, seen: Option<&Pulse>) {
        self.forget_after(at);
        self.looked_at = Some(at);
        self.unreachable = Some(unreachable.to_owned());
        for (name, pool) in &mut self.pools {
            let space = seen.and_then(|seen| seen.volumes.get(name).cloned());
            pool.space =
                space.unwrap_or_else(|| Figure::Absent(format!("not looked at: {unreachable}")));
            let here = |place: &Place| self.places.get(place).is_some_and(|it| it.pool == *name);
            let parts = seen.map_or(&[][..], |seen| &seen.parts);
            let others = parts
                .iter()
                .filter(|(place, part)| part.part.is_others() && here(place));
            let others = others.map(|(_, part)| part.clone()).collect();
            let beneath = seen.and_then(|seen| seen.beneath.get(name));
            pool.observe(others, false, beneath, at);
        }
        if let (Some(last), Some(seen)) = (&mut self.last, seen) {
            last.problems.clone_from(&seen.problems);
        }
    }

    /// Whether it knows the parts of every volume from so long ago on.
    pub fn reaches_back_to(&self, since: Timestamp) -> bool {
        let mut pools = self.pools.values();
        pools.all(|pool| pool.parts.front().is_some_and(|(first, _)| *first <= since))
    }

    /// The looks at a pool that are in memory, oldest first: each of the last hour, and some of the day before.
    pub fn looks_at(&self, pool: &str) -> Vec<(Timestamp, Vec<Part>)> {
        let pool = self.pools.get(pool);
        pool.map_or_else(Vec::new, |pool| pool.parts.iter().cloned().collect())
    }

    /// Which pool each place lies on.
    pub const fn places(&self) -> &BTreeMap<Place, OnPool> {
        &self.places
    }

    /// When the volumes were looked at last.
    pub const fn looked_at(&self) -> Option<Timestamp> {
        self.looked_at
    }

    /// When databases and the rest of the data directory were read last.
    pub const fn full_at(&self) -> Option<Timestamp> {
        self.full_at
    }

    /// The last pulse that the server answered.
    pub const fn last_pulse(&self) -> Option<&Pulse> {
        self.last.as_ref()
    }

    /// Whether more of a volume is unexplained than can stay so: then databases' totals are read early.
    pub fn much_is_unexplained(&self) -> bool {
        self.pools.values().any(Pool::much_is_unexplained)
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
