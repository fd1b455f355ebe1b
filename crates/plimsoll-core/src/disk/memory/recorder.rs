//! What of the memory is kept, and how a memory is restored from it: by the process that goes on, or by another.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::pool::{Pool, hour_of};
use super::{LOOKS, Memory, PARTS_EACH};
use crate::disk::capacities::{KnownCapacity, Resize, resizes};
use crate::disk::kept::{Look, PoolContents, Row, Step, Summary, Writer};
use crate::disk::layout::{OnPool, Place};
use crate::disk::part::Part;
use crate::disk::pulse::{Pulse, Space};
use crate::forecast::Point;
use crate::instance::Figure;

/// What turns looks into rows: the writer of each step, and the hour and the day that are being summed up.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    hour: Summary,
    day: Summary,
    minutes: Writer,
    hours: Writer,
    days: Writer,
    /// The last hour and the last day that are kept already.
    kept: [Option<Timestamp>; 2],
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            hour: Summary::of(Step::Hour),
            day: Summary::of(Step::Day),
            minutes: Writer::default(),
            hours: Writer::default(),
            days: Writer::default(),
            kept: [None; 2],
        }
    }
}

/// What rows leave out, kept of the last look only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LastLook {
    /// When.
    pub at: Timestamp,
    pulse: Option<Pulse>,
    pools: BTreeMap<String, (Figure<Space>, Vec<Part>)>,
    places: BTreeMap<Place, OnPool>,
    remembered: BTreeMap<Place, String>,
    full_at: Option<Timestamp>,
    unreachable: Option<String>,
    #[serde(default)]
    capacities: BTreeMap<String, Vec<KnownCapacity>>,
}

impl LastLook {
    pub(in crate::disk) const fn pulse(&self) -> Option<&Pulse> {
        self.pulse.as_ref()
    }

    /// Each pool's parts.
    pub(in crate::disk) fn parts(&self) -> impl Iterator<Item = (&str, &[Part])> {
        let pools = self.pools.iter();
        pools.map(|(pool, (_, parts))| (pool.as_str(), parts.as_slice()))
    }

    pub(in crate::disk) const fn places(&self) -> &BTreeMap<Place, OnPool> {
        &self.places
    }

    /// The volumes whose capacity became another: the mount point where it is known, else the pool; and when.
    pub fn resizes(&self) -> Vec<(String, Resize)> {
        let of_pool = |(pool, known): (&String, &Vec<KnownCapacity>)| {
            let space = self.pools.get(pool).and_then(|(space, _)| space.known());
            let mount = space.map(|space| space.mount_point.clone());
            let name = mount.filter(|mount| !mount.is_empty());
            let name = name.unwrap_or_else(|| pool.clone());
            resizes(known)
                .into_iter()
                .map(move |resize| (name.clone(), resize))
        };
        self.capacities.iter().flat_map(of_pool).collect()
    }

    /// Whether a table was rewritten or an index built then; none where that could not be seen.
    pub fn is_rewriting(&self) -> Option<bool> {
        let rewrites = self.pulse.as_ref()?.rewrites.known()?;
        Some(!rewrites.is_empty())
    }

    /// Whether it was known what a volume has.
    pub fn knows_capacity(&self) -> bool {
        self.pools
            .values()
            .any(|(space, _)| space.known().is_some())
    }
}

/// Looks that were kept, each kind sorted by time.
#[derive(Debug, Default)]
pub struct Kept {
    /// Every look of a day.
    pub minutes: Vec<Look>,
    /// The hours that say what is usual.
    pub hours: Vec<Look>,
    /// The last day that is kept.
    pub day: Option<Look>,
    /// What is kept of the last look only.
    pub last: Option<LastLook>,
}

impl Memory {
    /// What to keep of the last look.
    pub fn last_look(&self) -> Option<LastLook> {
        let pool = |(name, pool): (&String, &Pool)| {
            let (_, parts) = pool.parts.back()?;
            Some((name.clone(), (pool.space.clone(), parts.clone())))
        };
        Some(LastLook {
            at: self.looked_at?,
            pulse: self.last.clone(),
            pools: self.pools.iter().filter_map(pool).collect(),
            places: self.places.clone(),
            remembered: self.remembered.clone(),
            full_at: self.full_at,
            unreachable: self.unreachable.clone(),
            capacities: self
                .pools
                .iter()
                .map(|(name, pool)| (name.clone(), pool.capacities.clone()))
                .collect(),
        })
    }

    /// The rows to keep of the last look: itself, and the hour and the day that are over with it.
    pub fn rows(&mut self) -> Vec<Row> {
        let Some(look) = self.look() else {
            return Vec::new();
        };
        let mut rows = vec![self.recorder.minutes.row(Step::Minute, &look)];
        rows.extend(self.sum_up(&look));
        rows
    }

    /// Takes up what was kept, by this process or another. Looks that are known already are left out.
    pub fn recall(&mut self, kept: Kept) {
        for hour in kept.hours {
            if self.recorder.kept[0].is_some_and(|known| known >= hour.at) {
                continue;
            }
            for (name, usual) in &hour.usual {
                let pool = self.pools.entry(name.clone()).or_default();
                let begin = hour_of(hour.at);
                pool.hours.retain(|(begun, _)| *begun != begin);
                pool.hours.push_back((begin, usual.clone()));
            }
            self.recorder.day.add(&hour);
            self.recorder.kept[0] = Some(hour.at);
            self.recorder.hours.after(&hour);
        }
        if let Some(day) = kept.day {
            self.recorder.kept[1] = Some(day.at);
            self.recorder.days.after(&day);
        }
        for look in kept.minutes {
            if self.looked_at.is_none_or(|known| known < look.at) {
                self.recall_minute(&look);
                self.recorder.minutes.after(&look);
                self.sum_up(&look);
            }
        }
        if let Some(last) = kept.last
            && Some(last.at) >= self.looked_at
        {
            self.recall_last(last);
        }
        let now = self.looked_at;
        for pool in self.pools.values_mut() {
            if let Some(now) = now {
                pool.thin(now);
            }
        }
    }

    fn recall_minute(&mut self, look: &Look) {
        self.looked_at = Some(look.at);
        if let Some(position) = look.position() {
            self.positions.push_back((look.at, position));
            self.positions
                .retain(|(then, _)| *then > look.at - PARTS_EACH);
        }
        let is_counted =
            self.recorder.kept[0].is_some_and(|kept| hour_of(kept) >= hour_of(look.at));
        for name in look.pools() {
            let pool = self.pools.entry(name.to_owned()).or_default();
            if let Some(parts) = look.parts(name) {
                pool.parts.push_back((look.at, parts));
            }
            if let Some([_, used, _]) = look.space(name) {
                pool.looks.push(Point {
                    at: look.at,
                    bytes: used,
                });
                pool.looks.retain(|earlier| earlier.at > look.at - LOOKS);
                if !is_counted {
                    pool.count(look.at);
                }
            }
        }
    }

    fn recall_last(&mut self, last: LastLook) {
        self.looked_at = self.looked_at.max(Some(last.at));
        let mut capacities = last.capacities;
        for (name, (space, parts)) in last.pools {
            let known = capacities.remove(&name).unwrap_or_default();
            let pool = self.pools.entry(name).or_default();
            pool.capacities = known;
            pool.space = space;
            // The same parts as of the last row, with the reasons and times that rows leave out.
            pool.parts.retain(|(at, _)| *at < last.at);
            pool.parts.push_back((last.at, parts));
        }
        self.last = last.pulse;
        self.places = last.places;
        self.remembered = last.remembered;
        self.full_at = last.full_at;
        self.unreachable = last.unreachable;
    }

    /// The last look, as it is kept.
    fn look(&self) -> Option<Look> {
        let seen =
            |(name, pool): (&'_ String, &'_ Pool)| -> Option<(String, Option<Space>, Vec<Part>)> {
                let (_, parts) = pool.parts.back()?;
                Some((name.clone(), pool.space.known().cloned(), parts.clone()))
            };
        let seen: Vec<_> = self.pools.iter().filter_map(seen).collect();
        let pools: Vec<PoolContents<'_>> = seen
            .iter()
            .map(|(pool, space, parts)| PoolContents {
                pool,
                space: space.as_ref(),
                parts,
            })
            .collect();
        let at = self.looked_at?;
        let position = self.positions.back().filter(|(then, _)| *then == at);
        Some(Look::of(
            at,
            position.map(|(_, position)| *position),
            &pools,
        ))
    }

    /// Takes a look into the hour and the day; gives the rows of those that are over and not kept yet.
    fn sum_up(&mut self, look: &Look) -> Vec<Row> {
        let mut rows = Vec::new();
        let Some(mut hour) = self.recorder.hour.add(look) else {
            return rows;
        };
        let is_kept =
            |kept: Option<Timestamp>, over: &Look| kept.is_some_and(|kept| kept >= over.at);
        if is_kept(self.recorder.kept[0], &hour) {
            return rows;
        }
        let begin = hour_of(hour.at);
        for (name, pool) in &self.pools {
            let usual = pool.hours.iter().find(|(begun, _)| *begun == begin);
            hour.usual
                .extend(usual.map(|(_, usual)| (name.clone(), usual.clone())));
        }
        rows.push(self.recorder.hours.row(Step::Hour, &hour));
        self.recorder.kept[0] = Some(hour.at);
        if let Some(day) = self.recorder.day.add(&hour)
            && !is_kept(self.recorder.kept[1], &day)
        {
            rows.push(self.recorder.days.row(Step::Day, &day));
            self.recorder.kept[1] = Some(day.at);
        }
        rows
    }

    /// Forgets what lies in the future: it was seen before a clock was set back.
    pub(super) fn forget_after(&mut self, now: Timestamp) {
        if self.looked_at.is_none_or(|last| last < now) {
            return;
        }
        for pool in self.pools.values_mut() {
            pool.looks.retain(|look| look.at < now);
            // The parts stay as the last ones, whenever they were seen: what is seen next is compared with them.
            while pool.parts.len() > 1 && pool.parts.back().is_some_and(|(at, _)| *at >= now) {
                pool.parts.pop_back();
            }
            if let Some((at, _)) = pool.parts.back_mut() {
                *at = (*at).min(now - SignedDuration::from_secs(1));
            }
            pool.hours.retain(|(hour, _)| *hour <= now);
            for known in &mut pool.capacities {
                known.at = known.at.min(now - SignedDuration::from_secs(1));
                known.from = known.from.min(known.at);
            }
        }
        self.positions.retain(|(at, _)| *at < now);
        self.recorder = Recorder::default();
    }
}
