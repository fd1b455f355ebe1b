//! What statistics see in a series: steps, bursts, and changes of slope, each with its onset and size.
//!
//! One walk over the history decides on each day with what was known on that day, and days end at the same time of the
//! day, so that a shape, once seen, stays: asked again, the answer has the same onsets. Steps are judged in
//! `steps`, slopes in `slopes`; steps that come back at a regular pitch are no events.
//!
//! `docs/FORECAST.md` shows how it scores.

mod slopes;
mod steps;

use jiff::Timestamp;
use serde::Serialize;

use crate::forecast::clean::Clean;
use crate::forecast::grid::{Daily, anchored};
use crate::forecast::{KnownChange, Point, Tuning};

/// What happened to the series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ShapeKind {
    /// It jumped up once.
    LevelUp,
    /// It jumped down once.
    LevelDown,
    /// It grows faster than before.
    SlopeUp,
    /// It grows more slowly than before.
    SlopeDown,
    /// It grew much faster for some days, and then as before.
    Burst,
}

impl ShapeKind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::LevelUp,
        Self::LevelDown,
        Self::SlopeUp,
        Self::SlopeDown,
        Self::Burst,
    ];

    /// The name that answers carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LevelUp => "level_up",
            Self::LevelDown => "level_down",
            Self::SlopeUp => "slope_up",
            Self::SlopeDown => "slope_down",
            Self::Burst => "burst",
        }
    }

    /// Whether it is growth.
    const fn is_up(self) -> bool {
        matches!(self, Self::LevelUp | Self::SlopeUp | Self::Burst)
    }
}

/// A shape in a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// When it began: the end of the first day that was different, or the last sample where that is under way. Days
    /// end at the same time of the day whatever is sampled next, so that this moves by less than a day.
    pub t: Timestamp,
    /// What it is.
    pub kind: ShapeKind,
    /// Whether it is abnormal growth; else it is information.
    pub alert: bool,
    /// Bytes beyond what was usual: of the step, or of the burst so far. Null for slopes.
    pub delta_bytes: Option<f64>,
    /// Growth per day before.
    pub rate_before: f64,
    /// Growth per day since. Null for steps.
    pub rate_after: Option<f64>,
    /// The day on which it could be told.
    pub found_at: Timestamp,
}

/// A shape by its days.
#[derive(Debug, Clone, Copy, PartialEq)]
struct DatedShape {
    /// The first increment that was different.
    onset: usize,
    /// The last increment that was needed to tell.
    told: usize,
    kind: ShapeKind,
    delta_bytes: Option<f64>,
    rate_before: f64,
    rate_after: Option<f64>,
}

/// Onsets nearer to each other than so many days are one.
const SAME_ONSET_DAYS: usize = 20;
/// Shapes that were told longer ago, in days, are history and not news.
const NEWS_DAYS: usize = 60;

/// The shapes of the last 60 days of the series that `points` sample, oldest first; those that
/// `known` changes explain are left out. Empty where there is too little history to tell.
pub fn shapes(points: &[Point], known: &[KnownChange]) -> Vec<Shape> {
    let Some((daily, _)) = anchored(points) else {
        return Vec::new();
    };
    if daily.y.iter().all(|&y| y == 0.0) {
        return Vec::new();
    }
    let clean = Clean::new(&daily, known, Tuning::default());
    shapes_in(&daily, &clean)
}

fn shapes_in(daily: &Daily, clean: &Clean) -> Vec<Shape> {
    let mut found = steps::find(daily, clean);
    found.extend(slopes::find(daily, clean));
    found.sort_by_key(|shape| (shape.told, shape.onset));
    one_for_each_onset(found)
        .into_iter()
        .filter(|shape| daily.len() - shape.told < NEWS_DAYS)
        .map(|shape| Shape {
            t: daily.moment(shape.onset + 1).min(daily.now),
            kind: shape.kind,
            alert: shape.kind.is_up(),
            delta_bytes: shape.delta_bytes,
            rate_before: shape.rate_before,
            rate_after: shape.rate_after,
            found_at: daily.moment(shape.told + 1).min(daily.now),
        })
        .collect()
}

/// Of growth, one shape for each onset, whichever was told first; of the others, one of each kind.
fn one_for_each_onset(found: Vec<DatedShape>) -> Vec<DatedShape> {
    let mut kept: Vec<DatedShape> = Vec::new();
    for shape in found {
        let is_known = kept.iter().any(|earlier| {
            let same = if shape.kind.is_up() {
                earlier.kind.is_up()
            } else {
                earlier.kind == shape.kind
            };
            same && earlier.onset.abs_diff(shape.onset) <= SAME_ONSET_DAYS
        });
        if !is_known {
            kept.push(shape);
        }
    }
    kept
}
