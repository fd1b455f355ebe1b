//! Takes in the series of a database table by table, and forecasts what moves: only sums and
//! forecasts stay in memory.

use std::collections::BTreeMap;

use jiff::Timestamp;
use plimsoll_core::change::EventKind;
use plimsoll_core::coverage::begins;
use plimsoll_core::forecast::coherent::{Estimate, HORIZONS, HORIZONS_DAYS};
use plimsoll_core::forecast::{KnownChange, LEAST_DAYS, LEAST_SAMPLES, Point, forecast};
use plimsoll_core::size::signed;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{Membership, NamedEvent, SampleTotal, TableName, TableSteps};

use super::reads;
use crate::coverage::Seam;

/// A forecast at each horizon.
pub(super) type Own = [Estimate; HORIZONS];

/// Tables that came or went within so many days count at shorter horizons too: a table younger than
/// this may have no forecast of its own yet.
const LEAST_WINDOW_DAYS: f64 = 7.0;

/// What was taken in.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) samples: Vec<SampleTotal>,
    /// What concerns each part: where another tool's history ends, what is there from then on may have been there
    /// before; by a restore anything may have moved.
    pub(super) of_all: Vec<NamedEvent>,
    /// All tables together; the rest of the database belongs to none.
    pub(super) tables: Sum,
    pub(super) schemas: BTreeMap<String, Group>,
    pub(super) sets: BTreeMap<TableName, Set>,
    /// Tables that move.
    pub(super) moving: Vec<Leaf>,
    /// What came and went, by schema and set.
    pub(super) turnover: BTreeMap<(String, Option<TableName>), Turnover>,
    pub(super) table_count: u64,
    pub(super) young_count: u64,
}

/// A schema.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) sum: Sum,
    pub(super) is_present: bool,
}

/// A partition set or inheritance tree.
#[derive(Debug, Default)]
pub(super) struct Set {
    pub(super) sum: Sum,
    pub(super) events: Vec<NamedEvent>,
    /// The schemas that its tables lie in.
    pub(super) homes: Vec<String>,
}

/// A table that moves.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) name: TableName,
    pub(super) set: Option<TableName>,
    pub(super) level_bytes: u64,
    pub(super) own: Own,
}

/// Bytes of tables that came and that went within each horizon.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turnover {
    came: [f64; HORIZONS],
    went: [f64; HORIZONS],
}

impl Turnover {
    fn count(into: &mut [f64; HORIZONS], days_ago: f64, bytes: u64) {
        for (sum, days) in into.iter_mut().zip(HORIZONS_DAYS) {
            if days_ago <= days.max(LEAST_WINDOW_DAYS) {
                *sum += bytes as f64;
            }
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        for at in 0..HORIZONS {
            self.came[at] += other.came[at];
            self.went[at] += other.went[at];
        }
    }

    /// Of tables to come and go nothing is known but how much came and went so far: none is expected
    /// beyond what a parent's own forecast says, and so much is the standard deviation. A history that
    /// is shorter than a horizon has seen a part of it.
    pub(super) fn own(&self, history_days: f64) -> Own {
        std::array::from_fn(|at| {
            let window = HORIZONS_DAYS[at].max(LEAST_WINDOW_DAYS);
            let seen = history_days.clamp(1.0, window);
            let deviation = self.came[at].max(self.went[at]) * window / seen;
            Estimate {
                grown: 0.0,
                variance: deviation * deviation,
            }
        })
    }
}

/// The sum of several series by what changed, and how many of them have a size.
#[derive(Debug, Default)]
pub(super) struct Sum {
    changes: Vec<(usize, i64, i64)>,
}

impl Sum {
    fn add(&mut self, belongs: &Membership, steps: &[(usize, u64)], samples: usize) {
        let mut before = None;
        for &(place, bytes) in steps.iter().filter(|step| step.0 < belongs.until) {
            let place = place.max(belongs.from);
            let delta = signed(bytes) - before.map_or(0, signed);
            self.changes
                .push((place, delta, i64::from(before.is_none())));
            before = Some(bytes);
        }
        if let Some(last) = before.filter(|_| belongs.until < samples) {
            self.changes.push((belongs.until, -signed(last), -1));
        }
        if self.changes.len() > 4 * samples.max(16) {
            self.compact();
        }
    }

    fn compact(&mut self) {
        self.changes.sort_unstable_by_key(|change| change.0);
        self.changes.dedup_by(|later, kept| {
            let is_same = later.0 == kept.0;
            if is_same {
                kept.1 = kept.1.wrapping_add(later.1);
                kept.2 += later.2;
            }
            is_same
        });
    }

    /// The sum at each sample at which there was anything.
    pub(super) fn points(&mut self, samples: &[SampleTotal]) -> Vec<Point> {
        self.at_each(samples)
            .into_iter()
            .zip(samples)
            .filter_map(|(bytes, sample)| {
                Some(Point {
                    at: sample.sampled_at,
                    bytes: bytes?,
                })
            })
            .collect()
    }

    /// When anything was first known of it.
    pub(super) fn since(&mut self, samples: &[SampleTotal]) -> Option<Timestamp> {
        let place = self.at_each(samples).iter().position(Option::is_some)?;
        Some(samples[place].sampled_at)
    }

    /// What the database has beyond the sum, where its size is known.
    pub(super) fn rest(&mut self, samples: &[SampleTotal]) -> Vec<Point> {
        self.at_each(samples)
            .into_iter()
            .zip(samples)
            // what of another tool's total is in tables, nobody says
            .filter(|(_, sample)| !sample.is_imported)
            .filter_map(|(bytes, sample)| {
                Some(Point {
                    at: sample.sampled_at,
                    // No table had a size yet: all of it is beyond them.
                    bytes: sample.total_bytes?.saturating_sub(bytes.unwrap_or(0)),
                })
            })
            .collect()
    }

    fn at_each(&mut self, samples: &[SampleTotal]) -> Vec<Option<u64>> {
        self.compact();
        let mut changes = self.changes.iter().peekable();
        let (mut bytes, mut count) = (0_i64, 0);
        (0..samples.len())
            .map(|place| {
                while let Some(change) = changes.next_if(|change| change.0 <= place) {
                    bytes = bytes.wrapping_add(change.1);
                    count += change.2;
                }
                (count > 0).then(|| u64::try_from(bytes).unwrap_or(0))
            })
            .collect()
    }
}

impl Gathered {
    /// `events` are the database's that are no growth.
    pub(super) fn new(samples: Vec<SampleTotal>, events: &[NamedEvent]) -> Self {
        Self {
            samples,
            of_all: reads::of_part(events, |_| false),
            ..Self::default()
        }
    }

    /// Takes in one table. Catalogs are part of the rest, and a partitioned table has no bytes.
    pub(super) fn table(&mut self, table: &TableSteps) {
        if matches!(
            table.kind,
            TableKind::Catalog | TableKind::Partitioned | TableKind::Temporary
        ) {
            return;
        }
        let samples = self.samples.len();
        for belongs in &table.belongs {
            self.tables.add(belongs, &table.steps, samples);
            let schema = self.schemas.entry(belongs.schema_name.clone()).or_default();
            schema.sum.add(belongs, &table.steps, samples);
            if let Some(set) = &belongs.set {
                let set = self.sets.entry(set.clone()).or_default();
                set.sum.add(belongs, &table.steps, samples);
            }
            self.count_turnover(belongs, &table.steps);
        }
        let events: Vec<NamedEvent> = table
            .events
            .iter()
            .map(|event| NamedEvent {
                event: event.clone(),
                table: None,
                index_name: None,
            })
            .collect();
        let all_sets = table
            .belongs
            .iter()
            .filter_map(|belongs| belongs.set.as_ref());
        for set in all_sets {
            let of_table = events
                .iter()
                .filter(|event| {
                    let is_coverage = event.event.kind == EventKind::Coverage;
                    is_coverage || event.event.relation == Some(table.id)
                })
                .cloned();
            self.sets
                .entry(set.clone())
                .or_default()
                .events
                .extend(of_table);
        }
        let Some(now) = table.belongs.last().filter(|last| last.until == samples) else {
            return;
        };
        self.table_count += 1;
        if let Some(schema) = self.schemas.get_mut(&now.schema_name) {
            schema.is_present = true;
        }
        if let Some(set) = now.set.as_ref().and_then(|set| self.sets.get_mut(set))
            && !set.homes.contains(&now.schema_name)
        {
            set.homes.push(now.schema_name.clone());
        }
        self.present(table, now, events);
    }

    /// Forecasts a table that is there, if it moves.
    fn present(&mut self, table: &TableSteps, now: &Membership, events: Vec<NamedEvent>) {
        let Some(&(_, level_bytes)) = table.steps.last() else {
            return;
        };
        let samples = &self.samples;
        let begin = table.steps.first().map_or(0, |step| step.0);
        let begin = begin.max(table.belongs.first().map_or(0, |first| first.from));
        let is_young =
            samples.len() - begin < LEAST_SAMPLES || self.days_ago(&samples[begin]) < LEAST_DAYS;
        if is_young {
            self.young_count += 1;
            return;
        }
        if table.steps.len() < 2 {
            return;
        }
        let mut bytes = None;
        let mut steps = table.steps.iter().peekable();
        let mut points = Vec::with_capacity(samples.len() - begin);
        for (place, sample) in samples.iter().enumerate() {
            while let Some(step) = steps.next_if(|step| step.0 <= place) {
                bytes = Some(step.1);
            }
            if let Some(bytes) = bytes.filter(|_| place >= begin) {
                let at = sample.sampled_at;
                points.push(Point { at, bytes });
            }
        }
        let events = [reads::no_growth(events), self.of_all.clone()].concat();
        let Some(own) = own(&points, &self.seam_times(), &reads::known(&events)) else {
            self.young_count += 1;
            return;
        };
        if own
            .iter()
            .all(|own| own.grown == 0.0 && own.variance == 0.0)
        {
            return;
        }
        self.moving.push(Leaf {
            name: table.name.clone(),
            set: now.set.clone(),
            level_bytes,
            own,
        });
    }

    fn count_turnover(&mut self, belongs: &Membership, steps: &[(usize, u64)]) {
        let last = steps.iter().rfind(|step| step.0 < belongs.until);
        let Some(&(_, bytes)) = last else { return };
        let came = belongs.from > 0 && !self.is_seam(belongs.from);
        let came = came.then(|| self.days_ago(&self.samples[belongs.from]));
        let went = self.samples.get(belongs.until);
        let went = went.filter(|_| !self.is_seam(belongs.until));
        let went = went.map(|sample| self.days_ago(sample));
        if came.is_none() && went.is_none() {
            return;
        }
        let key = (belongs.schema_name.clone(), belongs.set.clone());
        let turnover = self.turnover.entry(key).or_default();
        if let Some(days) = came {
            Turnover::count(&mut turnover.came, days, bytes);
        }
        if let Some(days) = went {
            Turnover::count(&mut turnover.went, days, bytes);
        }
    }

    /// When what is measured changed.
    pub(super) fn seam_times(&self) -> Vec<Timestamp> {
        reads::seams(&self.of_all)
    }

    /// Whether what is measured changed between this sample and the one before it.
    pub(super) fn is_seam(&self, place: usize) -> bool {
        let (Some(before), Some(sample)) = (place.checked_sub(1), self.samples.get(place)) else {
            return false;
        };
        let before = self.samples[before].sampled_at;
        let mut seams = self.of_all.iter().filter_map(Seam::of);
        seams.any(|seam| seam.is_between(before, sample.sampled_at))
    }

    fn days_ago(&self, sample: &SampleTotal) -> f64 {
        let now = self.samples.last().unwrap_or(sample).sampled_at;
        now.duration_since(sample.sampled_at).as_secs_f64() / 86_400.0
    }
}

/// What of a series is of one measure to its end, by when that changed.
pub(super) fn of_one_measure<'a>(points: &'a [Point], seams: &[Timestamp]) -> &'a [Point] {
    begins(points, seams).map_or(points, |(place, _)| &points[place..])
}

/// A series' own forecast at each horizon, if enough is known of it.
pub(super) fn own(points: &[Point], seams: &[Timestamp], known: &[KnownChange]) -> Option<Own> {
    let forecast = forecast(of_one_measure(points, seams), known).ok()?;
    Some(HORIZONS_DAYS.map(|days| forecast.growth(days)))
}
