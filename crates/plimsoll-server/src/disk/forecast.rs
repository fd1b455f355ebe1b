//! When an instance's volumes are full by what the history says: computed once an hour, and kept.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::kept::{Look, Step};
use plimsoll_core::disk::outlook::{self, Course, Held, PartCourse, WalLevel, full};
use plimsoll_core::disk::part::{Kind, Part};
use plimsoll_core::disk::state::{Dates, Disk, Foreseen, Volume};
use plimsoll_core::disk::volume::{known_bytes, scale};
use plimsoll_core::disk::wal::WalSize;
use plimsoll_core::forecast::{KnownChange, Point, forecast};
use plimsoll_store::{DatabaseKey, Store};

use super::InstanceDisk;
use super::history::{FORESEEN, looks};
use crate::forecasting::{ForecastError, series_of};
use crate::panics::{Panicked, message};

/// How often it is computed.
const EVERY: SignedDuration = SignedDuration::from_hours(1);

/// A database's series, and what is known to have happened to it.
type Series = (Vec<Point>, Vec<KnownChange>);

/// What a forecast is made from.
struct ForecastInputs {
    disk: Disk,
    /// `max_wal_size`.
    wal_level: Option<u64>,
    hours: Vec<Look>,
    days: Vec<Look>,
    databases: BTreeMap<String, Series>,
    now: Timestamp,
}

impl InstanceDisk {
    /// Forecasts the volumes and keeps that, unless it was done within the hour.
    ///
    /// # Errors
    /// When the history cannot be read or written.
    pub async fn forecast_if_due(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<(), ForecastError> {
        let last = self.state().foreseen.as_ref().map(|foreseen| foreseen.at);
        let is_recent =
            |at: Timestamp| (SignedDuration::ZERO..EVERY).contains(&now.duration_since(at));
        if last.is_some_and(is_recent) {
            return Ok(());
        }
        let inputs = self.forecast_inputs(store, now).await?;
        // A part takes some tens of milliseconds.
        let computed = tokio::task::spawn_blocking(move || inputs.foreseen()).await;
        let foreseen = computed.map_err(|error| {
            let text = error
                .try_into_panic()
                .map_or_else(|error| error.to_string(), |panic| message(&*panic));
            ForecastError::Panicked(Panicked { message: text })
        })?;
        // Texts and dates: cannot fail.
        let text = serde_json::to_string(&foreseen).unwrap_or_default();
        let instance = &self.watched.instance;
        store
            .keep_disk_state(instance, FORESEEN, now, &text)
            .await?;
        self.state().foreseen = Some(foreseen);
        Ok(())
    }

    /// Reads them.
    async fn forecast_inputs(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<ForecastInputs, ForecastError> {
        let instance = &*self.watched.instance;
        let (disk, wal_level) = {
            let state = self.state();
            let level = state
                .memory
                .last_pulse()
                .and_then(|pulse| pulse.max_wal_bytes.known().copied());
            (state.memory.disk(None, now), level)
        };
        let mut databases = BTreeMap::new();
        let parts = disk.volumes.iter().flat_map(|volume| &volume.parts);
        for it in parts.filter(|it| it.part.part == Kind::Database) {
            let Some(name) = it.part.name.clone() else {
                continue;
            };
            let of = DatabaseKey {
                instance: instance.to_owned(),
                database: name.clone(),
            };
            let (points, known) = series_of(store, &of).await?;
            databases.insert(name, (points, known));
        }
        Ok(ForecastInputs {
            disk,
            wal_level,
            hours: looks(store, instance, Step::Hour, now).await?,
            days: looks(store, instance, Step::Day, now).await?,
            databases,
            now,
        })
    }
}

impl ForecastInputs {
    fn foreseen(&self) -> Foreseen {
        let volumes = self.disk.volumes.iter();
        Foreseen {
            at: self.now,
            pools: volumes
                .map(|volume| (volume.pool.clone(), self.of_volume(volume)))
                .collect(),
        }
    }

    fn of_volume(&self, volume: &Volume) -> Result<Dates, String> {
        let Some(available) = volume.room_bytes() else {
            let unknown = volume.unknown.clone();
            return Err(unknown.unwrap_or_else(|| "how much is free is not known".to_owned()));
        };
        let parts: Vec<Part> = volume.parts.iter().map(|it| it.part.clone()).collect();
        let files = parts
            .iter()
            .filter(|part| !matches!(part.part, Kind::FileSystem | Kind::Unexplained));
        let courses: Vec<PartCourse> = files
            .map(|part| PartCourse {
                course: self.course(volume, part),
                gains: self.gains(&volume.pool, part),
            })
            .collect();
        let moves = |part: &PartCourse| match &part.course {
            Course::Series(_) => true,
            Course::Wal(wal) => wal.held.is_some(),
            Course::Level(_) | Course::Stays => false,
        };
        if !courses.iter().any(moves) {
            let used = self.used(volume);
            if let Err(insufficient) = forecast(&used, &[]) {
                return Err(insufficient.to_string());
            }
        }
        Ok(full(&courses, scale(&parts), available, self.now))
    }

    fn course(&self, volume: &Volume, part: &Part) -> Course {
        let Some(bytes) = part.bytes else {
            return Course::Stays;
        };
        let key = (part.part, part.name.as_deref());
        match part.part {
            Kind::Temporary => {
                let highs = self.highs(&volume.pool, key);
                Course::Level(outlook::Level::of(&highs, bytes as f64))
            }
            Kind::Wal => Course::Wal(self.wal(volume, bytes as f64)),
            _ => {
                let series = part.name.as_ref().and_then(|name| self.databases.get(name));
                let series = series.filter(|_| part.part == Kind::Database);
                let own = series.and_then(|(points, known)| forecast(points, known).ok());
                own.or_else(|| forecast(&self.points(&volume.pool, part), &[]).ok())
                    .map_or(Course::Stays, |forecast| Course::Series(Box::new(forecast)))
            }
        }
    }

    fn wal(&self, volume: &Volume, bytes: f64) -> WalLevel {
        let level = WalSize {
            max_wal_bytes: self.wal_level,
            wal_bytes: None,
            capacity_bytes: volume.capacity_bytes,
        };
        let highest = self.highs(&volume.pool, (Kind::Wal, None));
        let holder = self
            .disk
            .wal
            .retained_by
            .iter()
            .find(|held| match self.wal_level {
                Some(most) => held.holder.bytes.is_some_and(|bytes| bytes > most),
                None => level.is_trouble(&held.holder),
            });
        let rate = self.disk.wal.bytes_per_hour;
        let held = holder.zip(rate).map(|(holder, bytes_per_hour)| Held {
            bytes_per_hour,
            ends_in_hours: holder
                .ends_at
                .map(|at| at.duration_since(self.now).as_secs_f64() / 3600.0),
        });
        WalLevel {
            bytes,
            level: self.wal_level.map(|level| level as f64),
            highest: highest.iter().copied().fold(bytes, f64::max),
            held,
        }
    }

    fn highs(&self, pool: &str, (kind, name): (Kind, Option<&str>)) -> Vec<f64> {
        let highs = self
            .hours
            .iter()
            .filter_map(|look| look.extremes(pool, kind, name));
        highs.map(|[.., high]| high as f64).collect()
    }

    /// The last bytes of each day, then of each hour after them, then those of now.
    fn points(&self, pool: &str, part: &Part) -> Vec<Point> {
        let of = |look: &Look| {
            let [_, last, _] = look.extremes(pool, part.part, part.name.as_deref())?;
            Some((look.at, last))
        };
        let now = part.bytes.map(|bytes| (self.now, bytes));
        self.series(of).chain(now).filter_map(point).collect()
    }

    fn used(&self, volume: &Volume) -> Vec<Point> {
        let of = |look: &Look| {
            // of a number alone only what is known is seen
            let used = match volume.used_bytes {
                Some(_) => i64::try_from(look.space(&volume.pool)?[1]).ok()?,
                None => known_bytes(&look.parts(&volume.pool)?),
            };
            Some((look.at, used))
        };
        self.series(of).filter_map(point).collect()
    }

    fn series<'a>(
        &'a self,
        of: impl Fn(&Look) -> Option<(Timestamp, i64)> + 'a,
    ) -> impl Iterator<Item = (Timestamp, i64)> + 'a {
        let hours_begin = self.hours.first().map(|look| look.at);
        let days = self.days.iter();
        let days = days.filter(move |look| hours_begin.is_none_or(|begin| look.at < begin));
        days.chain(&self.hours).filter_map(of)
    }

    /// What a part gained on each day.
    fn gains(&self, pool: &str, part: &Part) -> Vec<Option<f64>> {
        let last = |look: &Look| {
            let [_, last, _] = look.extremes(pool, part.part, part.name.as_deref())?;
            Some(last as f64)
        };
        let pairs = self.days.iter().zip(self.days.iter().skip(1));
        pairs.map(|(a, b)| Some(last(b)? - last(a)?)).collect()
    }
}

fn point((at, bytes): (Timestamp, i64)) -> Option<Point> {
    Some(Point {
        at,
        bytes: u64::try_from(bytes).ok()?,
    })
}
