//! Looks at an instance's volumes as they are kept: whole ones now and then, and between them only what changed.
//!
//! A look is a *shape* (which pools and parts there are, and how they were seen) and a list of numbers. Rows of one
//! period (an hour of minutes, a day of hours, thirty days of days) begin with a whole one, so that the oldest period
//! can be dropped as a whole and what is left can still be read.

mod row;
mod summary;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use row::{Reader, Row, Writer, splice};
pub use summary::Summary;

use super::pace::Usual;
use super::part::{Kind, Part, Source};
use super::pulse::Space;
use crate::size::signed;

/// How far apart looks are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Every look, for a day.
    Minute,
    /// The last look of an hour with the lowest and highest of each number, for 14 days.
    Hour,
    /// The same of a day, for as many days as there are daily samples.
    Day,
}

/// Minutes are kept for so long,
const MINUTES_FOR: SignedDuration = SignedDuration::from_hours(24);
/// and hours for so long.
pub const HOURS_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);

impl Step {
    /// All, finest first.
    pub const ALL: [Self; 3] = [Self::Minute, Self::Hour, Self::Day];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// The step of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == name)
    }

    /// How many seconds it takes together.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3600,
            Self::Day => 86_400,
        }
    }

    /// How many seconds of rows begin with a whole one, and go together.
    pub const fn period(self) -> i64 {
        match self {
            Self::Minute => 3600,
            Self::Hour => 86_400,
            Self::Day => 30 * 86_400,
        }
    }

    /// Where the period begins that a second lies in.
    pub const fn period_of(self, second: i64) -> i64 {
        begin(second, self.period())
    }

    /// The oldest second whose rows stay at `now`: where a period begins.
    pub fn kept_since(self, now: Timestamp, daily_samples: usize) -> i64 {
        let days = i64::try_from(daily_samples).unwrap_or(i64::MAX).min(36_500);
        let kept_for = match self {
            Self::Minute => MINUTES_FOR.as_secs(),
            Self::Hour => HOURS_FOR.as_secs(),
            Self::Day => days * 86_400,
        };
        begin(now.as_second() - kept_for, self.period())
    }
}

/// Where the stretch of so many seconds begins that a second lies in.
pub(crate) const fn begin(second: i64, length: i64) -> i64 {
    second - second.rem_euclid(length)
}

/// One look at an instance's volumes.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// When; of an hour or a day, its last look.
    pub at: Timestamp,
    /// What the numbers are of.
    pub shape: Arc<Shape>,
    /// The numbers, in the order of the shape; none where one was not known.
    pub values: Vec<Option<i64>>,
    /// Of an hour or a day: the lowest of each number, and
    pub low: Vec<Option<i64>>,
    /// the highest.
    pub high: Vec<Option<i64>>,
    /// Of an hour: how often each window had which slope, by pool.
    pub usual: Vec<(String, Usual)>,
}

/// What the numbers of a look are of: the write position, then for each pool its space and its parts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Shape {
    /// The pools.
    pub pools: Vec<PoolShape>,
}

/// A pool and its parts, without the numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolShape {
    /// The pool.
    pub pool: String,
    /// Its mount point; empty where the volume was not seen.
    pub mount: String,
    /// Its file system.
    pub fs: String,
    /// Its parts.
    pub parts: Vec<PartShape>,
}

/// A part, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartShape {
    /// What it is.
    pub part: Kind,
    /// Which of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Whether it may have been more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
}

/// The numbers of a pool that come before its parts: capacity, used, and what root keeps for itself.
const SPACE: usize = 3;

/// A pool as a look found it: what it has, and what lies on it.
pub struct PoolContents<'a> {
    /// The pool.
    pub pool: &'a str,
    /// What it has, if that is known.
    pub space: Option<&'a Space>,
    /// Its parts.
    pub parts: &'a [Part],
}

impl Look {
    /// The look that was taken at `at`.
    pub fn of(at: Timestamp, position: Option<u64>, pools: &[PoolContents<'_>]) -> Self {
        let mut values = vec![position.map(signed)];
        let mut shape = Shape::default();
        for seen in pools {
            let space = seen.space;
            values.push(space.map(|space| signed(space.capacity_bytes)));
            values.push(space.and_then(|space| space.used_bytes.map(signed)));
            values.push(space.and_then(|space| {
                let used = signed(space.used_bytes?);
                Some(signed(space.capacity_bytes) - used - signed(space.available_bytes?))
            }));
            values.extend(seen.parts.iter().map(|part| part.bytes));
            shape.pools.push(PoolShape {
                pool: seen.pool.to_owned(),
                mount: space.map_or_else(String::new, |space| space.mount_point.clone()),
                fs: space.map_or_else(String::new, |space| space.fs_type.clone()),
                parts: seen
                    .parts
                    .iter()
                    .map(|part| PartShape {
                        part: part.part,
                        name: part.name.clone(),
                        source: part.source,
                        at_least: part.at_least.is_some(),
                    })
                    .collect(),
            });
        }
        Self {
            at,
            shape: Arc::new(shape),
            values,
            low: Vec::new(),
            high: Vec::new(),
            usual: Vec::new(),
        }
    }

    /// The write position.
    pub fn position(&self) -> Option<u64> {
        self.values
            .first()
            .copied()
            .flatten()
            .and_then(|position| u64::try_from(position).ok())
    }

    /// The names of its pools.
    pub fn pools(&self) -> impl Iterator<Item = &str> {
        self.shape.pools.iter().map(|pool| pool.pool.as_str())
    }

    /// A pool's capacity, used bytes and available bytes, if they were known.
    pub fn space(&self, pool: &str) -> Option<[u64; 3]> {
        let (at, _) = self.find(pool)?;
        let number = |n: usize| self.values.get(at + n).copied().flatten();
        let (capacity, used, reserve) = (number(0)?, number(1)?, number(2)?);
        let unsigned = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
        Some([capacity, used, capacity - used - reserve].map(unsigned))
    }

    /// A pool's parts. Why one was not known was kept only for the last look.
    pub fn parts(&self, pool: &str) -> Option<Vec<Part>> {
        let (at, shape) = self.find(pool)?;
        let part = |(n, shape): (usize, &PartShape)| Part {
            part: shape.part,
            name: shape.name.clone(),
            bytes: self.values.get(at + SPACE + n).copied().flatten(),
            measured_at: Some(self.at),
            source: shape.source,
            unknown: None,
            at_least: shape.at_least.then(|| "not all of it was seen".to_owned()),
        };
        let parts = shape.parts.iter().enumerate().map(part);
        Some(
            parts
                .map(|part| match part.bytes {
                    Some(_) => part,
                    None => Part {
                        measured_at: None,
                        unknown: Some("it was not seen then".to_owned()),
                        ..part
                    },
                })
                .collect(),
        )
    }

    /// The lowest, last and highest bytes of a part.
    pub fn extremes(&self, pool: &str, kind: Kind, name: Option<&str>) -> Option<[i64; 3]> {
        let (at, shape) = self.find(pool)?;
        let same = |part: &PartShape| (part.part, part.name.as_deref()) == (kind, name);
        let at = at + SPACE + shape.parts.iter().position(same)?;
        let last = self.values.get(at).copied().flatten()?;
        let of = |values: &[Option<i64>]| values.get(at).copied().flatten().unwrap_or(last);
        Some([of(&self.low), last, of(&self.high)])
    }

    /// Where a pool's numbers begin.
    fn find(&self, pool: &str) -> Option<(usize, &PoolShape)> {
        let mut at = 1;
        for shape in &self.shape.pools {
            if shape.pool == pool {
                return Some((at, shape));
            }
            at += SPACE + shape.parts.len();
        }
        None
    }
}

#[cfg(test)]
mod tests;
