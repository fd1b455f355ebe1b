//! One pool: its used bytes, its parts, and how fast it usually fills.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::{LOOKS, PARTS_EACH};
use crate::disk::capacities::{KnownCapacity, note};
use crate::disk::kept::{Step, begin};
use crate::disk::pace::{Usual, slopes};
use crate::disk::part::Part;
use crate::disk::pulse::Space;
use crate::disk::volume::{
    FileSystem, NUMBER_ALONE, at_pulse, full_look, is_much, known_bytes, unexplained_bytes,
};
use crate::forecast::Point;
use crate::instance::Figure;

/// Of parts older than [`PARTS_EACH`] one look in so many minutes is kept.
const PARTS_THINNED_TO: SignedDuration = SignedDuration::from_mins(10);

/// One pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    /// What it has, or why that is not known.
    pub(crate) space: Figure<Space>,
    /// Its used bytes, a day of them.
    pub(crate) looks: Vec<Point>,
    /// Its parts, oldest first; never empty once it was looked at.
    pub(crate) parts: VecDeque<(Timestamp, Vec<Part>)>,
    /// Its capacity, at first and whenever it was another.
    pub(crate) capacities: Vec<KnownCapacity>,
    /// Why what the configuration says it has is not believed.
    pub(crate) refused: Option<String>,
    /// What no part had at the last full look: what is explained by none since is more, or less.
    unexplained_then: i64,
    /// How often each window had which slope, by the hour.
    pub(super) hours: VecDeque<(Timestamp, Usual)>,
}
/// Where its hour began.
pub(super) fn hour_of(at: Timestamp) -> Timestamp {
    let second = begin(at.as_second(), Step::Hour.seconds());
    Timestamp::from_second(second).unwrap_or(at)
}

impl Pool {
    /// Takes in a look; `beneath` is what the file system says where the configuration goes before it.
    pub(super) fn observe(
        &mut self,
        parts: Vec<Part>,
        is_full: bool,
        beneath: Option<&Space>,
        at: Timestamp,
    ) {
        self.refuse_what_cannot_be(&parts, is_full, beneath);
        let used = match &self.space {
            Figure::Known(space) => space.used_bytes.ok_or_else(|| NUMBER_ALONE.to_owned()),
            Figure::Absent(reason) => Err(reason.clone()),
        };
        let file_system = self
            .space
            .known()
            .map_or(FileSystem::Plain, |space| FileSystem::of(&space.fs_type));
        if let Figure::Known(space) = &self.space {
            let before = self.parts.back().map_or(at, |(before, _)| *before);
            note(&mut self.capacities, space, (before, at));
        }
        let used_bytes = used.as_ref().ok().copied();
        let parts = match self.parts.back() {
            Some((_, last)) if !is_full => at_pulse(used, parts, last, at),
            _ => {
                let parts = full_look(used, parts, file_system, at);
                self.unexplained_then = unexplained_bytes(&parts).unwrap_or(0);
                parts
            }
        };
        // Of a number alone: what is known fills it.
        let known = || u64::try_from(known_bytes(&parts)).unwrap_or(0);
        if let Some(bytes) = used_bytes.or_else(|| self.space.known().map(|_| known())) {
            self.looks.push(Point { at, bytes });
            self.looks.retain(|look| look.at > at - LOOKS);
            self.count(at);
        }
        self.parts.push_back((at, parts));
        self.thin(at);
    }

    /// What PostgreSQL's own files have is on the volume: who says that there is less means another.
    fn refuse_what_cannot_be(&mut self, parts: &[Part], is_full: bool, beneath: Option<&Space>) {
        let last = self.parts.back().filter(|_| !is_full);
        let last = last.map_or(&[][..], |(_, parts)| parts);
        let not_seen_now = last
            .iter()
            .filter(|part| parts.iter().all(|newer| newer.key() != part.key()));
        let files: i64 = parts
            .iter()
            .chain(not_seen_now)
            .filter(|part| part.part.is_in_data_directory())
            .filter_map(|part| part.bytes)
            .sum();
        let files = u64::try_from(files).unwrap_or(0);
        self.refused = self.space.known().and_then(|it| it.cannot_hold(files));
        if let Some(reason) = &self.refused {
            self.space = match beneath {
                Some(space) => Figure::Known(space.clone()),
                None => Figure::Absent(reason.clone()),
            };
        }
    }

    /// Whether more came since the last full look than can stay unexplained.
    pub(super) fn much_is_unexplained(&self) -> bool {
        let parts = self.parts.back().map(|(_, parts)| parts.as_slice());
        let unexplained = parts.and_then(unexplained_bytes);
        let space = self.space.known();
        unexplained.zip(space).is_some_and(|(bytes, space)| {
            is_much(bytes - self.unexplained_then, space.capacity_bytes)
        })
    }

    pub(super) fn count(&mut self, at: Timestamp) {
        let hour = hour_of(at);
        if self.hours.back().is_none_or(|(last, _)| *last != hour) {
            self.hours.push_back((hour, Usual::default()));
        }
        let slopes = slopes(&self.looks, at);
        if let Some((_, usual)) = self.hours.back_mut() {
            usual.count(&slopes);
        }
        let (begin, _) = Usual::stretch(at);
        self.hours.retain(|(hour, _)| *hour >= begin);
    }

    /// What was usual in the week before the longest window.
    pub(crate) fn usual(&self, now: Timestamp) -> Usual {
        let (begin, end) = Usual::stretch(now);
        let mut sum = Usual::default();
        for (hour, usual) in &self.hours {
            if *hour >= begin && *hour < end {
                sum.merge(usual);
            }
        }
        sum
    }

    /// The parts at a time: of the last look until then, else of the first there is.
    pub(crate) fn parts_at(&self, at: Timestamp) -> Option<&(Timestamp, Vec<Part>)> {
        let after = self.parts.partition_point(|(then, _)| *then <= at);
        self.parts.get(after.saturating_sub(1))
    }

    pub(super) fn thin(&mut self, now: Timestamp) {
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
