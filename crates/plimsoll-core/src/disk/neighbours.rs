//! What others have on an instance's volumes: other watched instances, and Plimsoll's own store.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::layout::{OnPool, Place};
use super::memory::LastLook;
use super::part::{Kind, Part, Source};
use super::pulse::Pulse;

/// A share of a pool that somebody else has.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// The host whose pool it is; empty where pools are known by declaration only.
    pub host: String,
    /// The pool.
    pub pool: String,
    /// Their data directory, where it is known: who has the same is no neighbour.
    pub directory: Option<String>,
    /// Their part of it.
    pub part: Part,
}

impl LastLook {
    /// What the instance had on each pool that others may lie on, too.
    pub fn shares(&self, instance: &str) -> Vec<Neighbour> {
        let Some(pulse) = self.pulse() else {
            return Vec::new();
        };
        let told = self
            .parts()
            .filter(|(pool, _)| is_told(pool, self.places()));
        let shares = told.map(|(pool, parts)| {
            let own = || parts.iter().filter(|part| part.part.is_in_data_directory());
            let bytes: i64 = own().filter_map(|part| part.bytes).sum();
            let bytes = u64::try_from(bytes).unwrap_or(0);
            let part = Part::measured(
                Kind::Instance,
                Some(instance),
                bytes,
                Source::Instance,
                self.at,
            );
            Neighbour {
                host: pulse.host.clone(),
                pool: pool.to_owned(),
                directory: pulse.directories.get(&Place::Data).cloned(),
                part: if own().all(Part::is_whole) {
                    part
                } else {
                    part.at_least("not all of it was seen")
                },
            }
        });
        shares.collect()
    }
}

/// Whether it was found or declared that something lies there: what is only assumed, or only has a number of its own,
/// is nobody else's.
fn is_told(pool: &str, places: &BTreeMap<Place, OnPool>) -> bool {
    let here = |lies: &OnPool| lies.pool == pool && !lies.assumed;
    pool.parse::<Place>().is_err() && places.values().any(here)
}

impl Pulse {
    /// Adds what others have on the pools that something of the instance lies on.
    pub fn add_neighbours(&mut self, neighbours: &[Neighbour]) {
        let others = neighbours.iter().filter(|other| {
            // Two entries may watch one server.
            let is_own = other.directory.is_some()
                && other.directory.as_ref() == self.directories.get(&Place::Data);
            other.host == self.host && !is_own
        });
        let parts: Vec<(Place, Part)> = others
            .filter_map(|other| Some((self.place_on(&other.pool)?, other.part.clone())))
            .collect();
        self.parts.extend(parts);
    }

    /// Adds Plimsoll's own store, if it lies on a pool of the instance's: else the volume of the data directory has 0 of
    /// it. `reason` says why it is not known where the store is.
    pub fn add_store(&mut self, share: Result<Option<&Neighbour>, String>, now: Timestamp) {
        let here = |part: Part| (Place::Data, part);
        let parts = match share {
            Err(reason) => vec![here(Part::unknown(Kind::Plimsoll, None, reason))],
            Ok(share) => {
                let share = share.filter(|share| share.host == self.host);
                let lies =
                    share.and_then(|share| Some((self.place_on(&share.pool)?, share.part.clone())));
                let data = self.pool_of(&Place::Data);
                let is_here = lies
                    .as_ref()
                    .is_some_and(|(place, _)| self.pool_of(place) == data);
                let none = Part::measured(Kind::Plimsoll, None, 0, Source::Store, now);
                lies.into_iter()
                    .chain((!is_here).then(|| here(none)))
                    .collect()
            }
        };
        self.parts.extend(parts);
    }

    /// Where a place lies: declared, else found.
    fn pool_of(&self, place: &Place) -> Option<&String> {
        self.declared.get(place).or_else(|| self.found.get(place))
    }

    /// A place that lies on this pool.
    fn place_on(&self, pool: &str) -> Option<Place> {
        let places = self.declared.keys().chain(self.found.keys());
        let mut here = places.filter(|place| self.pool_of(place).is_some_and(|own| own == pool));
        here.next().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Memory;
    use super::super::state::tests::{at, full, pulse};
    use super::*;

    fn shares_of(memory: &Memory, instance: &str) -> Vec<Neighbour> {
        memory.last_look().unwrap().shares(instance)
    }

    #[test]
    fn another_instance_on_the_pool_is_a_part_of_it_and_the_sum_holds() {
        let mut other = Memory::default();
        other.observe(pulse(0, 0, 0), Some(&full(0)));
        let shares = shares_of(&other, "other");
        assert_eq!(shares.len(), 1, "{shares:?}");
        assert_eq!(
            (shares[0].pool.as_str(), shares[0].part.name.as_deref()),
            ("/dev/sda", Some("other"))
        );
        let theirs = shares[0].part.bytes.unwrap();
        assert!(theirs > 0);

        let mut memory = Memory::default();
        let mut seen = pulse(0, 0, 0);
        seen.add_neighbours(&shares);
        memory.observe(seen, Some(&full(0)));
        let volume = memory.disk(None, at(0)).volumes.remove(0);
        let part = volume
            .parts
            .iter()
            .find(|it| it.part.part == Kind::Instance)
            .unwrap();
        assert_eq!(
            (part.part.bytes, part.part.name.as_deref()),
            (Some(theirs), Some("other"))
        );
        let sum: i64 = volume.parts.iter().filter_map(|it| it.part.bytes).sum();
        assert_eq!(
            Some(sum),
            volume.used_bytes.and_then(|used| i64::try_from(used).ok())
        );
        // A neighbour's share is not the instance's own.
        assert_eq!(shares_of(&memory, "main")[0].part.bytes, Some(theirs));

        // On another host, or where nothing is known but that it is assumed, nobody is a neighbour.
        let mut elsewhere = pulse(1, 0, 0);
        elsewhere.host = "another".to_owned();
        elsewhere.add_neighbours(&shares);
        assert!(
            elsewhere
                .parts
                .iter()
                .all(|(_, part)| part.part != Kind::Instance)
        );
        let mut assumed = Memory::default();
        let mut unseen = pulse(0, 0, 0);
        (unseen.found, unseen.volumes) = (BTreeMap::new(), BTreeMap::new());
        assumed.observe(unseen, Some(&full(0)));
        assert_eq!(shares_of(&assumed, "main"), []);
    }

    #[test]
    fn a_resize_is_told_with_its_time() {
        let mut memory = Memory::default();
        for minute in 0..4 {
            let mut seen = pulse(minute, 0, 0);
            for space in seen.volumes.values_mut() {
                if let crate::instance::Figure::Known(space) = space
                    && minute > 1
                {
                    space.capacity_bytes *= 2;
                }
            }
            memory.observe(seen, None);
        }
        let volume = memory.disk(None, at(3)).volumes.remove(0);
        let [resize] = &*volume.resizes else {
            panic!("{:?}", volume.resizes)
        };
        assert_eq!(
            (resize.at, resize.after_bytes),
            (at(2), resize.before_bytes * 2)
        );
    }
}
