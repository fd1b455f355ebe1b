//! Series, forecasts from past days of them, and how those fared: the tasks and measures of `bench/growth/score.py`.

use std::error::Error;
use std::path::Path;

use plimsoll_core::forecast::{Point, Tuning, forecast_tuned};

use crate::csv;

/// Days ahead.
pub(crate) const HORIZONS: [f64; 3] = [7.0, 30.0, 90.0];

const DAY_SECONDS: f64 = 86_400.0;
/// The first forecast is made after so many days.
const MIN_HISTORY_DAYS: f64 = 90.0;
const MAX_ORIGINS: f64 = 12.0;
/// Between samples further apart than this the truth is not known.
const LONGEST_GAP_DAYS: f64 = 4.0;
/// Both errors of a ratio are at least this share of the series' mean daily change.
const FLOOR: f64 = 0.05;
const Z80: f64 = 1.281_551_565_5;

/// A series in order of time.
pub(crate) struct Series {
    pub(crate) name: String,
    points: Vec<Point>,
    /// Days since the first point.
    days: Vec<f64>,
    tasks: Vec<Task>,
}

/// One forecast to be made.
struct Task {
    /// How many points are known.
    known: usize,
    /// Bytes on the last of them.
    level: f64,
    truths: [Option<f64>; HORIZONS.len()],
    /// Mean absolute daily change so far.
    scale: f64,
    /// Standard deviation of the daily changes so far.
    deviation: f64,
}

/// How the forecasts of one series fared at one horizon, each the mean over its tasks.
#[derive(Clone, Copy, Default)]
pub(crate) struct Fared {
    tasks: f64,
    error: f64,
    naive_error: f64,
    interval: f64,
    naive_interval: f64,
    scale: f64,
    pub(crate) covered: f64,
}

/// The same at all horizons; none where no truth is known.
pub(crate) type Record = [Option<Fared>; HORIZONS.len()];

impl Fared {
    /// Error against that of "nothing will change".
    pub(crate) fn against_naive(&self) -> f64 {
        let floor = FLOOR * self.scale;
        self.error.max(floor) / self.naive_error.max(floor)
    }

    /// 80 % interval score against that of "nothing will change".
    pub(crate) fn interval_against_naive(&self) -> f64 {
        let floor = FLOOR * self.scale;
        self.interval.max(floor) / self.naive_interval.max(floor)
    }
}

/// The series of all `*.csv` in `folder` whose names begin with `prefix`, by name.
pub(crate) fn read(folder: &Path, prefix: &str) -> Result<Vec<Series>, Box<dyn Error>> {
    let mut series = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if path.extension().is_some_and(|end| end == "csv") && name.starts_with(prefix) {
            let name = name.into_owned();
            series.push(Series::parse(name, &std::fs::read_to_string(&path)?)?);
        }
    }
    series.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(series)
}

impl Series {
    fn parse(name: String, text: &str) -> Result<Self, Box<dyn Error>> {
        let mut points = csv::points(text)?;
        points.sort_by_key(|point| point.at);
        let first = points.first().ok_or("a series without samples")?.at;
        let days = points
            .iter()
            .map(|point| point.at.duration_since(first).as_secs_f64() / DAY_SECONDS)
            .collect();
        let mut series = Self {
            name,
            points,
            days,
            tasks: Vec::new(),
        };
        series.tasks = series.origins().map(|known| series.task(known)).collect();
        Ok(series)
    }

    /// How many points are known at each past day from which a forecast is asked for.
    fn origins(&self) -> impl Iterator<Item = usize> + use<> {
        let last = self.days[self.days.len() - 1];
        let from = MIN_HISTORY_DAYS;
        let to = if last - 30.0 > from {
            last - 30.0
        } else {
            last - 8.0
        };
        let count = (((to - from) / 14.0).floor() + 1.0).clamp(1.0, MAX_ORIGINS);
        let days = self.days.clone();
        (0..12_u8)
            .map(f64::from)
            .take_while(move |&nth| nth < count)
            .map(move |nth| {
                let day = from + (to - from) * nth / (count - 1.0).max(1.0);
                days.partition_point(|&at| at <= day).max(1)
            })
    }

    fn bytes(&self, i: usize) -> f64 {
        self.points[i].bytes as f64
    }

    /// The size on a day: a straight line between the samples around it.
    fn at(&self, day: f64) -> f64 {
        let next = self.days.partition_point(|&at| at < day);
        if next == 0 || next == self.days.len() {
            return self.bytes(next.min(self.days.len() - 1));
        }
        let (a, b) = (self.days[next - 1], self.days[next]);
        let share = if b > a { (day - a) / (b - a) } else { 1.0 };
        self.bytes(next - 1) + share * (self.bytes(next) - self.bytes(next - 1))
    }

    fn task(&self, known: usize) -> Task {
        let origin = self.days[known - 1];
        let mut sizes = vec![self.bytes(known - 1)];
        let mut day = origin - 1.0;
        while day >= 0.0 {
            sizes.push(self.at(day));
            day -= 1.0;
        }
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        let moved: Vec<f64> = sizes.windows(2).map(|pair| pair[0] - pair[1]).collect();
        let count = moved.len().max(1) as f64;
        let mean = moved.iter().sum::<f64>() / count;
        let absolute = moved.iter().map(|m| m.abs()).sum::<f64>() / count;
        let squares: f64 = moved.iter().map(|m| (m - mean) * (m - mean)).sum();
        Task {
            known,
            level: sizes[0],
            truths: HORIZONS.map(|ahead| self.truth(origin + ahead)),
            scale: absolute.max(1e-5 * largest).max(1.0),
            deviation: (squares / count).sqrt(),
        }
    }

    fn truth(&self, day: f64) -> Option<f64> {
        let next = self.days.partition_point(|&at| at < day);
        let at = *self.days.get(next)?;
        let is_known = at <= day || at - self.days[next - 1] <= LONGEST_GAP_DAYS;
        is_known.then(|| self.at(day))
    }

    /// How forecasts with `tuning` fare.
    pub(crate) fn fare(&self, tuning: Tuning) -> Record {
        let mut sums = [Fared::default(); HORIZONS.len()];
        for task in &self.tasks {
            let Ok(forecast) = forecast_tuned(&self.points[..task.known], &[], tuning) else {
                continue;
            };
            for ((sum, &ahead), truth) in sums.iter_mut().zip(&HORIZONS).zip(task.truths) {
                let Some(truth) = truth else { continue };
                let band = forecast.band(ahead);
                let half = Z80 * task.deviation * ahead.sqrt();
                sum.tasks += 1.0;
                sum.error += (band.point - truth).abs();
                sum.naive_error += (task.level - truth).abs();
                sum.interval += interval_score(truth, band.lo80, band.hi80);
                sum.naive_interval +=
                    interval_score(truth, (task.level - half).max(0.0), task.level + half);
                sum.scale += task.scale;
                sum.covered += f64::from(u8::from((band.lo80..=band.hi80).contains(&truth)));
            }
        }
        sums.map(|sum| (sum.tasks > 0.0).then(|| sum.mean()))
    }
}

impl Fared {
    fn mean(self) -> Self {
        let each = |sum: f64| sum / self.tasks;
        Self {
            tasks: self.tasks,
            error: each(self.error),
            naive_error: each(self.naive_error),
            interval: each(self.interval),
            naive_interval: each(self.naive_interval),
            scale: each(self.scale),
            covered: each(self.covered),
        }
    }
}

/// Winkler's score of an 80 % interval: its width, and ten times what lies outside.
fn interval_score(truth: f64, lo: f64, hi: f64) -> f64 {
    hi - lo + 10.0 * ((lo - truth).max(0.0) + (truth - hi).max(0.0))
}
