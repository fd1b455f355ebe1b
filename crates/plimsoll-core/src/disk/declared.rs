//! What the configuration says of an instance's volumes, put in place of what was found.

use std::collections::BTreeMap;

use super::layout::Place;
use super::memory::UNKNOWN_POOL;
use super::pulse::{Pulse, Space};
use crate::capacity::Capacity;
use crate::instance::{Figure, InstanceFacts};
use crate::size_text::pretty;

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
    /// Says where places lie, and what their pools have, which goes before what was found. Of several entries of one pool
    /// the first that knows counts, unless they contradict each other: then none is believed.
    pub fn apply(&self, pulse: &mut Pulse) {
        let mut told: BTreeMap<String, Vec<&Figure<Space>>> = BTreeMap::new();
        (pulse.beneath, pulse.problems) = (BTreeMap::new(), Vec::new());
        for entry in &self.0 {
            let place = entry.place();
            if let Some(problem) = no_such(&place, &pulse.tablespaces) {
                pulse.problems.push(problem);
                continue;
            }
            let pool = match (&entry.on, pulse.found.get(&place)) {
                (Some(on), _) => on.clone(),
                (None, Some(found)) => found.clone(),
                (None, None) => place_pool(&place),
            };
            if entry.on.is_some() || entry.space.is_some() {
                pulse.declared.insert(place, pool.clone());
            }
            if let Some(space) = &entry.space {
                told.entry(pool).or_default().push(space);
            }
        }
        for (pool, told) in told {
            let space = agreed(&pool, &told);
            if let Figure::Absent(reason) = &space {
                pulse.problems.push(reason.clone());
            }
            let found = pulse.volumes.get(&pool).and_then(|it| it.known().cloned());
            match (space, found) {
                (Figure::Absent(_), Some(_)) => {}
                (space, found) => {
                    pulse.volumes.insert(pool.clone(), space);
                    pulse.beneath.extend(found.map(|found| (pool, found)));
                }
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
        let mut told: BTreeMap<String, Vec<&Figure<Space>>> = BTreeMap::new();
        for entry in &self.0 {
            if let (Some(space), Some(pool)) = (&entry.space, pools.get(&entry.place())) {
                told.entry(pool.clone()).or_default().push(space);
            }
        }
        let spaces: BTreeMap<String, Figure<Space>> = told
            .iter()
            .map(|(pool, told)| {
                let space = agreed(pool, told);
                let files = files_bytes(facts, &pools, pool);
                let refused = space.known().and_then(|space| space.cannot_hold(files));
                (pool.clone(), refused.map_or(space, Figure::Absent))
            })
            .collect();
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

/// The first that is known, unless another says something else.
fn agreed(pool: &str, told: &[&Figure<Space>]) -> Figure<Space> {
    let known: Vec<&Space> = told.iter().filter_map(|it| it.known()).collect();
    let Some((first, others)) = known.split_first() else {
        let reasons = told.iter().filter_map(|it| it.reason());
        return Figure::Absent(reasons.collect::<Vec<_>>().join("; "));
    };
    let differs = |other: &&&Space| {
        let (a, b) = (first.capacity_bytes, other.capacity_bytes);
        a.abs_diff(b) > a / SAME
    };
    match others.iter().find(differs) {
        None => Figure::Known((*first).clone()),
        Some(other) => Figure::Absent(format!(
            "two [[capacity]] entries of {pool} contradict each other: {} says {}, {} says {}",
            first.source.as_str(),
            pretty(first.capacity_bytes),
            other.source.as_str(),
            pretty(other.capacity_bytes)
        )),
    }
}

/// What differs by less than one in so many is the same capacity: sources are asked one after the other.
const SAME: u64 = 100;

/// Why an entry is of no place that the server has.
fn no_such(place: &Place, tablespaces: &[String]) -> Option<String> {
    let Place::Tablespace(name) = place else {
        return None;
    };
    // A look that knows no tablespace at all is an older one.
    let is_there = tablespaces.is_empty() || tablespaces.contains(name);
    let names = || {
        let own = tablespaces
            .iter()
            .filter(|it| Place::of_tablespace(it) != Place::Data);
        let own: Vec<&str> = own.map(String::as_str).collect();
        if own.is_empty() {
            "it has none but its own".to_owned()
        } else {
            format!("it has {}", own.join(", "))
        }
    };
    (!is_there).then(|| {
        format!(
            "a [[capacity]] is of tablespace:{name}, which the server does not have: {}",
            names()
        )
    })
}

/// What PostgreSQL's files are known to have on a pool.
fn files_bytes(facts: &InstanceFacts, pools: &BTreeMap<Place, String>, pool: &str) -> u64 {
    let on = |place: &Place| pools.get(place).is_some_and(|it| it == pool);
    let spaces = facts.tablespaces.each().iter();
    let spaces = spaces
        .filter(|space| on(&Place::of_tablespace(&space.name)))
        .filter_map(|space| space.bytes.known());
    let others = [
        (Place::Wal, &facts.wal.bytes),
        (Place::Log, &facts.log_bytes),
    ];
    let others = others
        .iter()
        .filter(|(place, _)| on(place))
        .filter_map(|(_, bytes)| bytes.known());
    spaces.chain(others).sum()
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
