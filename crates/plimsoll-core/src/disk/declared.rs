//! What the configuration says of an instance's volumes, put in place of what was found.

use std::collections::BTreeMap;

use super::layout::Place;
use super::memory::UNKNOWN_POOL;
use super::pulse::{Pulse, Space};
use crate::capacity::Capacity;
use crate::instance::{Figure, InstanceFacts};

/// All entries of an instance, with what their sources answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Declared(pub Vec<Entry>);

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Of which place; none is the whole instance: the data directory, and whatever else nothing is known of.
    pub place: Option<Place>,
    /// The pool that it lies on, as places that share it name it.
    pub on: Option<String>,
    /// What its sources answered; none where it has none.
    pub space: Option<Figure<Space>>,
}

impl Entry {
    fn place(&self) -> Place {
        self.place.clone().unwrap_or(Place::Data)
    }
}

impl Declared {
    /// Says where places lie, and what their pools have. Of two entries of one pool the first that knows goes before
    /// the other, and both before what was found.
    pub fn apply(&self, pulse: &mut Pulse) {
        let mut spaces: BTreeMap<String, Figure<Space>> = BTreeMap::new();
        for entry in &self.0 {
            let place = entry.place();
            let pool = match (&entry.on, pulse.found.get(&place)) {
                (Some(on), _) => on.clone(),
                (None, Some(found)) => found.clone(),
                (None, None) => place_pool(&place),
            };
            if entry.on.is_some() || entry.space.is_some() {
                pulse.declared.insert(place, pool.clone());
            }
            if let Some(space) = &entry.space {
                first_known(spaces.entry(pool), space);
            }
        }
        for (pool, space) in spaces {
            let is_better = space.known().is_some();
            let is_found = pulse
                .volumes
                .get(&pool)
                .is_some_and(|it| it.known().is_some());
            if is_better || !is_found {
                pulse.volumes.insert(pool, space);
            }
        }
    }

    /// The same for what a visit saw.
    pub fn apply_to_facts(&self, facts: &mut InstanceFacts) {
        let places = all_places(facts);
        let mut pools: BTreeMap<Place, String> = BTreeMap::new();
        for place in &places {
            let declared = self.0.iter().find(|entry| entry.place() == *place);
            let found = figure(facts, place).and_then(|it| it.known().map(|it| it.pool.clone()));
            let pool = match declared {
                Some(entry) => entry
                    .on
                    .clone()
                    .or(found)
                    .unwrap_or_else(|| place_pool(place)),
                None => match found {
                    Some(found) => found,
                    None => continue,
                },
            };
            pools.insert(place.clone(), pool);
        }
        // What nothing is known of is taken to lie with the data directory.
        let whole = self.0.iter().any(|entry| entry.place.is_none());
        if let Some(data) = pools.get(&Place::Data).cloned().filter(|_| whole) {
            for place in &places {
                pools.entry(place.clone()).or_insert_with(|| data.clone());
            }
        }
        let mut spaces: BTreeMap<String, Figure<Space>> = BTreeMap::new();
        for entry in &self.0 {
            if let (Some(space), Some(pool)) = (&entry.space, pools.get(&entry.place())) {
                first_known(spaces.entry(pool.clone()), space);
            }
        }
        let mut found: BTreeMap<String, Capacity> = BTreeMap::new();
        for place in &places {
            if let Some(Figure::Known(known)) = figure(facts, place)
                && let Some(pool) = pools.get(place)
            {
                found.entry(pool.clone()).or_insert_with(|| known.clone());
            }
        }
        for place in places {
            let Some(pool) = pools.get(&place) else {
                continue;
            };
            let Some(figure) = figure_mut(facts, &place) else {
                continue;
            };
            match (spaces.get(pool), &mut *figure) {
                (Some(Figure::Known(space)), _) => *figure = Figure::Known(capacity(space, pool)),
                (_, Figure::Known(known)) => known.pool.clone_from(pool),
                (sources, Figure::Absent(own)) => match (found.get(pool), sources) {
                    // Declared to lie where another place was found.
                    (Some(known), _) => *figure = Figure::Known(known.clone()),
                    (None, Some(Figure::Absent(reason))) => own.clone_from(reason),
                    (None, _) => {}
                },
            }
        }
        let data = facts.capacity.clone();
        for tablespace in facts.tablespaces.each_mut() {
            if Place::of_tablespace(&tablespace.name) == Place::Data {
                tablespace.capacity = data.clone();
            }
        }
    }
}

/// The pool of a place of which nothing is known but what an entry says.
fn place_pool(place: &Place) -> String {
    match place {
        Place::Data => UNKNOWN_POOL.to_owned(),
        other => other.to_string(),
    }
}

fn first_known(
    kept: std::collections::btree_map::Entry<'_, String, Figure<Space>>,
    space: &Figure<Space>,
) {
    let kept = kept.or_insert_with(|| space.clone());
    if kept.known().is_none() && space.known().is_some() {
        *kept = space.clone();
    }
}

fn all_places(facts: &InstanceFacts) -> Vec<Place> {
    let mut places = vec![Place::Data, Place::Wal, Place::Log];
    let spaces = facts.tablespaces.each().iter();
    places.extend(spaces.map(|space| Place::of_tablespace(&space.name)));
    places.sort_unstable();
    places.dedup();
    places
}

fn figure<'a>(facts: &'a InstanceFacts, place: &Place) -> Option<&'a Figure<Capacity>> {
    match place {
        Place::Data => Some(&facts.capacity),
        Place::Wal => Some(&facts.wal.capacity),
        Place::Log => Some(&facts.log_capacity),
        Place::Tablespace(name) => {
            let mut spaces = facts.tablespaces.each().iter();
            spaces
                .find(|space| space.name == *name)
                .map(|space| &space.capacity)
        }
    }
}

fn figure_mut<'a>(facts: &'a mut InstanceFacts, place: &Place) -> Option<&'a mut Figure<Capacity>> {
    match place {
        Place::Data => Some(&mut facts.capacity),
        Place::Wal => Some(&mut facts.wal.capacity),
        Place::Log => Some(&mut facts.log_capacity),
        Place::Tablespace(name) => {
            let mut spaces = facts.tablespaces.each_mut().iter_mut();
            spaces
                .find(|space| space.name == *name)
                .map(|space| &mut space.capacity)
        }
    }
}

fn capacity(space: &Space, pool: &str) -> Capacity {
    let mount = Some(space.mount_point.clone()).filter(|mount| !mount.is_empty());
    Capacity {
        capacity_bytes: space.capacity_bytes,
        used_bytes: space.used_bytes,
        available_bytes: space.available_bytes,
        source: space.source,
        source_at: space.source_at,
        path: mount.clone(),
        mount_point: mount,
        pool: pool.to_owned(),
    }
}

#[cfg(test)]
mod tests;
