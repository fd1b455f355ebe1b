//! The state of an instance's volumes, as it is answered and printed: from what a memory holds, without looking.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::capacities::{Resize, resizes};
use super::help::{Help, help};
use super::kept::Look;
use super::layout::Place;
use super::memory::{Memory, Pool};
use super::notes::notes;
use super::pace::{Full, pace, without_rewrites};
use super::pace::{Pace, Rewrite};
use super::part::{Kind, Part, bytes_of};
use super::pulse::Pulse;
use super::volume::{NUMBER_ALONE, known_bytes};
use super::wal::{Holder, WalSize, bytes_per_hour};
use super::why::{Cause, why};

/// The window of changes where nothing says since when.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// An instance's disk.
#[derive(Debug, Clone, Serialize)]
pub struct Disk {
    /// When it was looked at last.
    #[serde(serialize_with = "crate::time::serialize")]
    pub measured_at: Option<Timestamp>,
    /// Why the server did not answer then; its volumes were looked at all the same.
    pub unreachable: Option<String>,
    /// When it answered last.
    #[serde(serialize_with = "crate::time::serialize")]
    pub answered_at: Option<Timestamp>,
    /// When databases and the rest of the data directory were read last.
    #[serde(serialize_with = "crate::time::serialize")]
    pub full_look_at: Option<Timestamp>,
    /// Every volume, the one that is full first before the others.
    pub volumes: Vec<Volume>,
    /// What is written, and what holds it.
    pub wal: Wal,
    /// What the configuration says of volumes that cannot be, or what its sources do not answer: none of it is believed.
    pub problems: Vec<String>,
}

/// One volume.
#[derive(Debug, Clone, Serialize)]
pub struct Volume {
    /// Its mount point; none where it was not found.
    pub name: Option<String>,
    /// What free space it has a share of.
    pub pool: String,
    /// The name of the host that has it, where its pool was found there; what only the configuration names has none.
    pub host: Option<String>,
    /// Whether something lies on it by guess only.
    pub assumed: bool,
    /// What of the instance lies on it.
    pub places: Vec<String>,
    /// Bytes in all.
    pub capacity_bytes: Option<u64>,
    /// Bytes in use by anything.
    pub used_bytes: Option<u64>,
    /// Bytes in the parts that are known.
    pub known_bytes: i64,
    /// Bytes that an ordinary process may still use.
    pub available_bytes: Option<u64>,
    /// Inodes in all; none where they are not counted.
    pub inodes_total: Option<u64>,
    /// Inodes that are left.
    pub inodes_available: Option<u64>,
    /// Why its dates are later than the truth, if they are.
    pub late: Option<String>,
    /// Where capacity and use come from: `config`, `command`, `prometheus`, `path`, `statvfs`, or none.
    pub source: Option<&'static str>,
    /// When that was read; none for a number of the configuration.
    #[serde(serialize_with = "crate::time::serialize")]
    pub source_at: Option<Timestamp>,
    /// Why it is not known.
    pub unknown: Option<String>,
    /// When its capacity became another, as far as that is still known.
    pub resizes: Vec<Resize>,
    /// Its parts; their bytes add up to `used_bytes`.
    pub parts: Vec<PartChange>,
    /// Since when `change_bytes` counts.
    #[serde(serialize_with = "crate::time::serialize")]
    pub since: Option<Timestamp>,
    /// How fast it fills at present.
    pub pace: Option<PaceNow>,
    /// Why there is no pace.
    pub pace_unknown: Option<String>,
    /// When it is full.
    pub full: FullOn,
    /// What it gained, by part.
    pub why: Vec<Cause>,
    /// What would help.
    pub help: Vec<Help>,
}

impl Volume {
    /// What it may still gain.
    pub fn room_bytes(&self) -> Option<u64> {
        room_bytes(self.capacity_bytes?, self.available_bytes, self.known_bytes)
    }
}

/// What is available. Of a number alone what is known is taken off: what else is there makes the dates late.
fn room_bytes(capacity: u64, available: Option<u64>, known: i64) -> Option<u64> {
    let known = u64::try_from(known).ok();
    available.or_else(|| Some(capacity.saturating_sub(known?)))
}

/// A part, with what it gained.
#[derive(Debug, Clone, Serialize)]
pub struct PartChange {
    /// The part.
    #[serde(flatten)]
    pub part: Part,
    /// What it gained since `since`; none where that is not known.
    pub change_bytes: Option<i64>,
}

/// The present pace.
#[derive(Debug, Clone, Serialize)]
pub struct PaceNow {
    /// Bytes an hour.
    pub bytes_per_hour: f64,
    /// The window that it is the pace of, in seconds.
    pub window_seconds: i64,
    /// When it began, if it stands out.
    #[serde(serialize_with = "crate::time::serialize")]
    pub since: Option<Timestamp>,
    /// Whether there was too little background to know what is usual.
    pub is_young: bool,
}

/// When a volume is full, by each clock.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FullOn {
    /// At the present pace; none where there is no pace.
    pub at_pace: Option<Dates>,
    /// By what the history says; none where there is no forecast.
    pub forecast: Option<Dates>,
    /// Why there is no forecast.
    pub forecast_unknown: Option<String>,
}

/// What was forecast of an instance's volumes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreseen {
    /// When.
    pub at: Timestamp,
    /// By pool: when it is full, or why that is not known.
    pub pools: BTreeMap<String, Result<Dates, String>>,
}

impl Disk {
    /// Puts in what was forecast; volumes are full in the order of either clock.
    pub fn foresee(&mut self, foreseen: &Foreseen) {
        for volume in &mut self.volumes {
            match foreseen.pools.get(&volume.pool) {
                Some(Ok(dates)) => {
                    volume.full.forecast = Some(*dates);
                    volume.full.forecast_unknown = None;
                }
                Some(Err(reason)) => volume.full.forecast_unknown = Some(reason.clone()),
                None => {}
            }
        }
        self.volumes.sort_by_key(first);
    }
}

/// The order of volumes: what is full first, then what has the data directory.
fn first(volume: &Volume) -> (bool, Option<Timestamp>, bool) {
    let dates = [volume.full.at_pace, volume.full.forecast];
    let date = dates.iter().flatten().filter_map(|dates| dates.mid).min();
    let has_data = volume.places.contains(&Place::Data.to_string());
    (date.is_none(), date, !has_data)
}

/// Early, best guess, late. None is "not within a year".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// Nine times in ten not before this.
    #[serde(serialize_with = "crate::time::serialize")]
    pub low: Option<Timestamp>,
    /// The best guess.
    #[serde(serialize_with = "crate::time::serialize")]
    pub mid: Option<Timestamp>,
    /// Nine times in ten before this.
    #[serde(serialize_with = "crate::time::serialize")]
    pub high: Option<Timestamp>,
}

/// The write-ahead log.
#[derive(Debug, Clone, Serialize)]
pub struct Wal {
    /// Bytes an hour, from the position.
    pub bytes_per_hour: Option<f64>,
    /// Why that is not known.
    pub unknown: Option<String>,
    /// What holds WAL, most bytes first.
    pub retained_by: Vec<Retained>,
    /// Whether that is all that holds some.
    pub sees_all_holders: bool,
    /// `max_wal_size`: up to here WAL is recycled, whoever holds it.
    pub max_wal_bytes: Option<u64>,
}

/// A holder, with what ends it.
#[derive(Debug, Clone, Serialize)]
pub struct Retained {
    /// The holder.
    #[serde(flatten)]
    pub holder: Holder,
    /// For people: what holds.
    pub text: String,
    /// The setting that ends it by itself, if one does.
    pub ends_by: Option<String>,
    /// When, at the present rate.
    #[serde(serialize_with = "crate::time::serialize")]
    pub ends_at: Option<Timestamp>,
}

impl Memory {
    /// The state at `now`, with changes since `since`: else since the pace changed, else of the last day.
    pub fn disk(&self, since: Option<Timestamp>, now: Timestamp) -> Disk {
        self.disk_since(since, None, now)
    }

    /// The same; what was before the looks in memory is told by `older`, a kept look of about `since`.
    pub fn disk_since(
        &self,
        since: Option<Timestamp>,
        older: Option<&Look>,
        now: Timestamp,
    ) -> Disk {
        let rate = self.wal_per_hour();
        let mut volumes: Vec<Volume> = self
            .pools
            .iter()
            // Older looks may know others.
            .filter(|(name, _)| self.places.values().any(|lies| lies.pool == **name))
            .map(|(name, pool)| self.volume(name, pool, (since, older), now))
            .collect();
        volumes.sort_by_key(first);
        let retained = self
            .last
            .as_ref()
            .and_then(|pulse| pulse.holders.known().map(|holders| (pulse, holders)));
        let sees_all_holders = retained.is_some() && self.unreachable.is_none();
        let max_wal_bytes = self
            .last
            .as_ref()
            .and_then(|pulse| pulse.max_wal_bytes.known().copied());
        let retained_by = retained.map_or_else(Vec::new, |(pulse, holders)| {
            let holders = holders.iter().map(|holder| {
                let end = holder.end(&pulse.limits, rate.as_ref().ok().copied(), now);
                let (ends_by, ends_at) = end.map_or((None, None), |end| (Some(end.by), end.at));
                Retained {
                    holder: holder.clone(),
                    text: holder.text(),
                    ends_by,
                    ends_at,
                }
            });
            holders.collect()
        });
        Disk {
            measured_at: self.looked_at(),
            unreachable: self.unreachable.clone(),
            answered_at: self.last.as_ref().map(|pulse| pulse.at),
            full_look_at: self.full_at(),
            problems: self.problems(),
            volumes,
            wal: Wal {
                bytes_per_hour: rate.as_ref().ok().copied(),
                unknown: rate.err(),
                retained_by,
                sees_all_holders,
                max_wal_bytes,
            },
        }
    }

    /// What is not believed of what the configuration says.
    fn problems(&self) -> Vec<String> {
        let told = self.last.iter().flat_map(|pulse| pulse.problems.clone());
        let refused = self.pools.values().filter_map(|pool| pool.refused.clone());
        let mut all: Vec<String> = told.chain(refused).collect();
        all.dedup();
        all
    }

    /// Over the last hour, or what there is of it.
    fn wal_per_hour(&self) -> Result<f64, String> {
        match (self.positions.front(), self.positions.back()) {
            (Some(first), Some(last)) => {
                // Anywhere in between: a restored server may have passed its old position by now.
                let went_back = self
                    .positions
                    .iter()
                    .zip(self.positions.iter().skip(1))
                    .any(|(a, b)| b.1 < a.1);
                if went_back {
                    Err("the position went backwards: the server was restored".to_owned())
                } else {
                    bytes_per_hour(*first, *last)
                }
            }
            _ => Err("two looks at the position are needed".to_owned()),
        }
    }

    fn volume(
        &self,
        name: &str,
        pool: &Pool,
        (since, older): (Option<Timestamp>, Option<&Look>),
        now: Timestamp,
    ) -> Volume {
        let space = pool.space.known();
        let on: Vec<&Place> = self
            .places
            .iter()
            .filter(|(_, lies)| lies.pool == name)
            .map(|(place, _)| place)
            .collect();
        let pulse = self.last.as_ref();
        let parts = pool
            .parts
            .back()
            .map(|(_, parts)| parts.as_slice())
            .unwrap_or_default();
        let known = known_bytes(parts);
        let available =
            space.and_then(|space| room_bytes(space.capacity_bytes, space.available_bytes, known));
        let late = space.filter(|space| space.available_bytes.is_none());
        let pace = match available {
            Some(available) => {
                pace_of(pool, pulse, available, now).map_err(|error| error.to_string())
            }
            None => Err(pool.space.reason().unwrap_or_default().to_owned()),
        };
        let since = since
            .or_else(|| pace.as_ref().ok().and_then(|pace| pace.since))
            .unwrap_or(now - DAY);
        // A change needs two looks: the newest is no base for itself.
        let newest = pool.parts.back().map(|(at, _)| *at);
        let older = older.and_then(|look| Some((look.at, look.parts(name)?)));
        let before = older.as_ref().or_else(|| pool.parts_at(since));
        let before = before.filter(|(at, _)| Some(*at) < newest);
        let capacity_bytes = space.map(|space| space.capacity_bytes);
        let notes = pulse.map_or_else(Vec::new, |pulse| notes(pulse, &on, parts, capacity_bytes));
        let causes = before.map_or_else(Vec::new, |(at, before)| why(before, parts, *at, &notes));
        let dates = |pace: &Pace| {
            let Full { low, mid, high } = pace.full(available?, now);
            Some(Dates { low, mid, high })
        };
        Volume {
            name: space
                .map(|space| space.mount_point.clone())
                .filter(|mount_point| !mount_point.is_empty()),
            pool: name.to_owned(),
            host: pulse
                .filter(|pulse| pulse.found.values().any(|pool| pool == name))
                .and_then(|pulse| pulse.host.split(' ').next())
                .map(str::to_owned),
            assumed: self
                .places
                .values()
                .any(|lies| lies.pool == name && lies.assumed),
            places: on.iter().map(ToString::to_string).collect(),
            capacity_bytes: space.map(|space| space.capacity_bytes),
            used_bytes: space.and_then(|space| space.used_bytes),
            known_bytes: known,
            available_bytes: space.and_then(|space| space.available_bytes),
            late: late.map(|_| format!("{NUMBER_ALONE}, so the dates are late")),
            inodes_total: space.and_then(|space| space.inodes_total),
            inodes_available: space.and_then(|space| space.inodes_available),
            source: space.map(|space| space.source.as_str()),
            source_at: space.and_then(|space| space.source_at),
            unknown: pool.space.reason().map(str::to_owned),
            resizes: resizes(&pool.capacities),
            parts: parts
                .iter()
                .map(|part| changed(part, before.map(|(_, parts)| parts.as_slice())))
                .collect(),
            since: before.map(|(at, _)| *at),
            pace: pace.as_ref().ok().map(|pace| PaceNow {
                bytes_per_hour: pace.bytes_per_hour,
                window_seconds: pace.window.as_secs(),
                since: pace.since,
                is_young: pace.is_young,
            }),
            pace_unknown: pace.as_ref().err().cloned(),
            full: FullOn {
                at_pace: pace.as_ref().ok().and_then(dates),
                forecast: None,
                forecast_unknown: Some("nothing was forecast yet".to_owned()),
            },
            why: causes,
            help: pulse.map_or_else(Vec::new, |pulse| {
                would_help(pulse, &on, parts, capacity_bytes)
            }),
        }
    }
}

fn pace_of(
    pool: &Pool,
    pulse: Option<&Pulse>,
    available: u64,
    now: Timestamp,
) -> Result<Pace, super::pace::TooFew> {
    let running = pulse
        .and_then(|pulse| pulse.rewrites.known())
        .into_iter()
        .flatten();
    let rewrites: Vec<Rewrite> = running
        .filter_map(|rewrite| {
            Some(Rewrite {
                since: rewrite.since?,
                needs_bytes: rewrite.needs_bytes?,
            })
        })
        .collect();
    let looks = without_rewrites(&pool.looks, &rewrites, available);
    pace(&looks, &pool.usual(now), available, now)
}

fn changed(part: &Part, before: Option<&[Part]>) -> PartChange {
    let earlier = before.and_then(|parts| parts.iter().find(|other| other.key() == part.key()));
    let change = earlier.and_then(|earlier| Some(part.bytes? - earlier.bytes?));
    PartChange {
        part: part.clone(),
        change_bytes: change,
    }
}

fn would_help(
    pulse: &Pulse,
    on: &[&Place],
    parts: &[Part],
    capacity_bytes: Option<u64>,
) -> Vec<Help> {
    let holders = pulse
        .holders
        .known()
        .filter(|_| on.contains(&&Place::Wal))
        .map(Vec::as_slice)
        .unwrap_or_default();
    let writes_here = bytes_of(parts, Kind::Temporary).is_some_and(|bytes| bytes > 0);
    let writers = pulse
        .writers
        .known()
        .filter(|_| writes_here)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let level = WalSize {
        max_wal_bytes: pulse.max_wal_bytes.known().copied(),
        wal_bytes: bytes_of(parts, Kind::Wal),
        capacity_bytes,
    };
    help(holders, writers, level)
}

#[cfg(test)]
pub(crate) mod tests;
