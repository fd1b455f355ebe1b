//! Plays a made-up server through all rules: a pulse each minute, a sample each quarter of an hour, a forecast of the
//! volume each hour, as the followers do.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::facts::{fullness, pace, recent_rate, volume_reaches};
use plimsoll_core::alert::rules::abnormal::History;
use plimsoll_core::alert::rules::growth::{Past, Total};
use plimsoll_core::alert::rules::wal::Around;
use plimsoll_core::capacity::CapacitySource;
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::outlook::{Course, Held, Level, PartCourse, WalLevel, full};
use plimsoll_core::disk::part::{Kind as PartKind, Part, Source};
use plimsoll_core::disk::pulse::{Pulse, Rewriting, Space};
use plimsoll_core::disk::state::{Disk, Foreseen};
use plimsoll_core::disk::wal::{Holder, HolderKind, Limits, Slot};
use plimsoll_core::forecast::{KnownChange, Point, forecast};
use plimsoll_core::instance::Figure;
use plimsoll_core::outlook::{OutlookQuery, outlook};

use crate::others::{is_above, predict_linear};
use crate::told::{Rules, Told};
use crate::worlds::{BEFORE, Look, MAX_WAL, World};

const POOL: &str = "/dev/vda";
const DATABASE: &str = "shop";
/// A sample each so many minutes.
const SAMPLED: usize = 15;
const HOUR: usize = 60;
/// As far back as `growth_warning` looks.
const PAST: SignedDuration = SignedDuration::from_hours(36 * 24);
/// What happens to a table so often is how it lives.
const REGULAR: usize = 3;

const fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

/// Rules of others about a volume: a window, how far ahead, the most that may be free in per cent, and for how long.
pub(crate) const LINEAR: [(&str, SignedDuration, SignedDuration, u64, SignedDuration); 4] = [
    (
        "`predict_linear` of 6 h, 24 h ahead, 40 % free, for 1 h",
        hours(6),
        hours(24),
        40,
        hours(1),
    ),
    (
        "`predict_linear` of 6 h, 4 h ahead, 20 % free, for 1 h",
        hours(6),
        hours(4),
        20,
        hours(1),
    ),
    (
        "`predict_linear` of 1 h, 24 h ahead, 30 % free",
        hours(1),
        hours(24),
        30,
        SignedDuration::ZERO,
    ),
    (
        "`predict_linear` of 1 h, 4 h ahead, for 5 min",
        hours(1),
        hours(4),
        100,
        SignedDuration::from_mins(5),
    ),
];
pub(crate) const STATIC: &str = "85 % of the volume";

/// What each rule told after the ordinary week.
pub(crate) fn play(world: &World) -> Told {
    let mut play = Play::of(world);
    for minute in 0..world.looks.len() {
        play.minute(minute);
    }
    play.rules.told()
}

struct Play<'a> {
    world: &'a World,
    known: Vec<KnownChange>,
    memory: Memory,
    rules: Rules,
    foreseen: Option<Foreseen>,
    /// The database's samples of the last weeks.
    totals: Vec<Total>,
    /// The same, one an hour, and those of the days before.
    points: Vec<Point>,
    /// What is not PostgreSQL's, the last of each hour.
    elsewhere: Vec<Point>,
    /// The highest of each hour.
    temporary: VecDeque<f64>,
    wal: f64,
    position: f64,
    used: Vec<Point>,
}

impl<'a> Play<'a> {
    fn of(world: &'a World) -> Self {
        Self {
            world,
            known: world.changes(),
            memory: Memory::default(),
            rules: Rules::default(),
            foreseen: None,
            totals: world
                .before
                .iter()
                .map(|point| total(*point, &Look::default()))
                .collect(),
            points: world.before.clone(),
            elsewhere: Vec::new(),
            temporary: VecDeque::new(),
            wal: 0.0,
            position: 0.0,
            used: Vec::new(),
        }
    }

    fn minute(&mut self, minute: usize) {
        let (look, now) = (self.world.looks[minute], self.world.at(minute));
        self.remember(minute, look, now);
        let is_sampled = minute.is_multiple_of(SAMPLED);
        let is_full = is_sampled || self.memory.much_is_unexplained();
        let parts = full_parts(&look, now);
        let pulse = self.pulse(minute, &look, now);
        let is_rewriting = pulse.rewrites.known().is_some_and(|all| !all.is_empty());
        self.memory.observe(pulse, is_full.then_some(&parts[..]));
        if is_sampled {
            self.keep_sample(&look, now);
        }
        if minute < BEFORE {
            return;
        }
        let mut disk = self.memory.disk(None, now);
        if minute.is_multiple_of(HOUR) {
            self.foreseen = Some(self.foresee(&look, &disk, now));
        }
        if let Some(foreseen) = &self.foreseen {
            disk.foresee(foreseen);
        }
        self.judge_pulse(&disk, now);
        self.judge_others(&look, now);
        if is_sampled {
            self.judge_sample(minute, is_rewriting, now);
        }
    }

    /// What is kept of the hours.
    fn remember(&mut self, minute: usize, look: Look, now: Timestamp) {
        self.position += (look.wal - self.wal).max(0.0);
        self.wal = look.wal;
        self.used.push(Point {
            at: now,
            bytes: look.used() as u64,
        });
        match self
            .temporary
            .back_mut()
            .filter(|_| !minute.is_multiple_of(HOUR))
        {
            Some(highest) => *highest = highest.max(look.temporary),
            None => self.temporary.push_back(look.temporary),
        }
        if minute % HOUR == HOUR - 1 {
            self.elsewhere.push(Point {
                at: now,
                bytes: look.elsewhere as u64,
            });
        }
    }

    fn keep_sample(&mut self, look: &Look, now: Timestamp) {
        let point = Point {
            at: now,
            bytes: look.database as u64,
        };
        self.totals.push(total(point, look));
        let hour = |at: Timestamp| at.as_second() / 3600;
        match self.points.last_mut() {
            Some(last) if hour(last.at) == hour(now) => *last = point,
            _ => self.points.push(point),
        }
    }

    fn judge_pulse(&mut self, disk: &Disk, now: Timestamp) {
        for volume in &disk.volumes {
            let pace = pace(volume, now);
            let pace = pace.as_ref().copied().map_err(String::as_str);
            let reaches = volume_reaches(volume, now);
            let reaches = reaches.as_ref().copied().map_err(String::as_str);
            self.rules.judge(
                AlertType::VolumeFull,
                Facts::Fullness(fullness(volume)),
                now,
            );
            self.rules
                .judge(AlertType::FillingFast, Facts::Pace(pace), now);
            let foreseen_at = self.foreseen.as_ref().map(|foreseen| foreseen.at);
            if self.rules.judged_at(AlertType::TimeToFull) < foreseen_at {
                self.rules
                    .judge(AlertType::TimeToFull, Facts::Reaches(reaches), now);
            }
        }
        let around = Around {
            capacity_bytes: Some(self.world.capacity as u64),
            max_wal_bytes: disk.wal.max_wal_bytes,
            bytes_per_hour: disk.wal.bytes_per_hour,
        };
        let holder = disk.wal.retained_by.first();
        let facts = holder.map_or(Facts::HolderGone, |held| {
            Facts::Holder(&held.holder, around)
        });
        self.rules.judge(AlertType::WalRetention, facts, now);
    }

    fn judge_others(&mut self, look: &Look, now: Timestamp) {
        let (used, capacity) = (look.used() as u64, self.world.capacity as u64);
        for (name, window, ahead, free, hold) in LINEAR {
            let at = predict_linear(&self.used, window, ahead, now);
            let holds = at.is_some_and(|at| at >= self.world.capacity)
                && is_above(used, capacity, 100 - free);
            self.rules.judge_other(name, holds, hold, now);
        }
        let is_above = is_above(used, capacity, 85);
        self.rules
            .judge_other(STATIC, is_above, SignedDuration::ZERO, now);
    }

    fn judge_sample(&mut self, minute: usize, is_rewriting: bool, now: Timestamp) {
        let from = self.totals.partition_point(|total| total.at < now - PAST);
        let begins_at = self.world.restored.filter(|&restored| restored <= minute);
        let past = Past {
            totals: &self.totals[from..],
            // The first sample after it.
            begins_at: begins_at.map(|at| self.world.at(at.next_multiple_of(SAMPLED))),
            given_back: &self.known,
            is_rewriting,
        };
        self.rules
            .judge(AlertType::GrowthWarning, Facts::Past(past), now);
        let unattributed = self.totals.last().map(|total| total.unattributed_bytes);
        self.rules.judge(
            AlertType::UnattributedGrowth,
            Facts::Unattributed(unattributed),
            now,
        );
        let outlook = outlook(
            &self.points,
            OutlookQuery {
                known: &self.happened(now),
                ..OutlookQuery::default()
            },
        );
        let history = History {
            shapes: &outlook.events,
            recent_rate: recent_rate(&self.points),
            past,
        };
        self.rules
            .judge(AlertType::AbnormalGrowth, Facts::History(history), now);
    }

    /// What happened and is no growth.
    fn happened(&self, now: Timestamp) -> Vec<KnownChange> {
        let happened = self.known.iter().filter(|change| change.at <= now);
        let happened: Vec<KnownChange> = happened.copied().collect();
        if happened.len() < REGULAR {
            happened
        } else {
            Vec::new()
        }
    }

    /// When the volume is full by the history of its parts.
    fn foresee(&self, look: &Look, disk: &Disk, now: Timestamp) -> Foreseen {
        let series = |points: &[Point], known: &[KnownChange]| {
            let forecast = forecast(points, known);
            forecast.map_or(Course::Stays, |forecast| Course::Series(Box::new(forecast)))
        };
        let highs: Vec<f64> = self.temporary.iter().copied().collect();
        let mut elsewhere = self.elsewhere.clone();
        elsewhere.push(Point {
            at: now,
            bytes: look.elsewhere as u64,
        });
        let rate = disk.wal.bytes_per_hour.filter(|_| look.held > MAX_WAL);
        let wal = WalLevel {
            bytes: look.wal,
            level: Some(MAX_WAL),
            highest: look.wal,
            held: rate.map(|bytes_per_hour| Held {
                bytes_per_hour,
                ends_in_hours: None,
            }),
        };
        let courses = [
            (
                series(&self.points, &self.happened(now)),
                self.gains(|look| look.database),
            ),
            (series(&elsewhere, &[]), self.gains(|look| look.elsewhere)),
            (Course::Wal(wal), self.gains(|look| look.wal)),
            (
                Course::Level(Level::of(&highs, look.temporary)),
                self.gains(|look| look.temporary),
            ),
        ];
        let courses = courses.map(|(course, gains)| PartCourse { course, gains });
        let free = (self.world.capacity - look.used()).max(0.0);
        Foreseen {
            at: now,
            pools: BTreeMap::from([(POOL.to_owned(), Ok(full(&courses, 1.0, free as u64, now)))]),
        }
    }

    /// What a part gained on each day that is over.
    fn gains(&self, part: impl Fn(&Look) -> f64) -> Vec<Option<f64>> {
        let seen = &self.world.looks[..self.used.len()];
        let days: Vec<f64> = seen.iter().step_by(1440).map(part).collect();
        days.windows(2)
            .map(|pair| Some(pair[1] - pair[0]))
            .collect()
    }

    fn pulse(&self, minute: usize, look: &Look, at: Timestamp) -> Pulse {
        let used = look.used();
        let space = Space {
            mount_point: "/var/lib/postgresql".into(),
            fs_type: "ext4".into(),
            capacity_bytes: self.world.capacity as u64,
            used_bytes: Some(used as u64),
            available_bytes: Some((self.world.capacity - used).max(0.0) as u64),
            inodes_total: None,
            inodes_available: None,
            source: CapacitySource::Statvfs,
            source_at: Some(at),
        };
        let slot = Holder {
            bytes: Some(look.held as u64),
            since: None,
            what: HolderKind::Slot(Slot {
                name: "standby".into(),
                is_physical: true,
                ..Slot::default()
            }),
        };
        let rewrite = self
            .world
            .rewrite
            .filter(|rewrite| (rewrite.from..rewrite.until).contains(&minute));
        let rewrites = rewrite.map(|rewrite| Rewriting {
            pid: 4711,
            command: rewrite.command.to_owned(),
            since: Some(self.world.at(rewrite.from)),
            needs_bytes: Some(rewrite.needs as u64),
        });
        Pulse {
            at,
            position: Figure::Known(self.position as u64),
            holders: Figure::Known(Some(slot).filter(|_| look.held > 0.0).into_iter().collect()),
            limits: Limits::default(),
            max_wal_bytes: Figure::Known(MAX_WAL as u64),
            parts: vec![
                (Place::Wal, measured(PartKind::Wal, None, look.wal, at)),
                (Place::Log, measured(PartKind::Log, None, 0.0, at)),
                (
                    Place::Data,
                    measured(PartKind::Temporary, None, look.temporary, at),
                ),
                (Place::Data, measured(PartKind::Replication, None, 0.0, at)),
            ],
            rewrites: Figure::Known(rewrites.into_iter().collect()),
            writers: Figure::Known(Vec::new()),
            volumes: BTreeMap::from([(POOL.to_owned(), Figure::Known(space))]),
            found: [Place::Data, Place::Wal, Place::Log]
                .map(|place| (place, POOL.to_owned()))
                .into(),
            directories: BTreeMap::new(),
            declared: BTreeMap::new(),
            beneath: BTreeMap::new(),
            problems: Vec::new(),
            tablespaces: Vec::new(),
            lost: BTreeMap::new(),
            host: "db1".into(),
            not_found: None,
            statements: 10,
        }
    }
}

/// What only a full look reads.
fn full_parts(look: &Look, at: Timestamp) -> Vec<(Place, Part)> {
    let part = |kind, name, bytes| (Place::Data, measured(kind, name, bytes, at));
    vec![
        part(PartKind::Database, Some(DATABASE), look.database),
        part(PartKind::Global, None, 1e6),
        part(PartKind::TransactionStatus, None, 1e6),
        part(PartKind::OtherInDataDirectory, None, 1e6),
    ]
}

fn measured(kind: PartKind, name: Option<&str>, bytes: f64, at: Timestamp) -> Part {
    Part::measured(kind, name, bytes as u64, Source::Files, at)
}

const fn total(point: Point, look: &Look) -> Total {
    Total {
        at: point.at,
        bytes: point.bytes,
        uncertain_bytes: 0,
        unattributed_bytes: look.unattributed as u64,
        invalid_index_bytes: look.invalid as u64,
    }
}
