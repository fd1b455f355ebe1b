//! Looks as rows: each whole, or what changed since the row before it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Look, Shape, Step, begin};
use crate::disk::pace::Usual;

/// A look as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// How far apart its kind is.
    pub step: Step,
    /// When, in seconds since 1970.
    pub tick: i64,
    /// The look, as JSON.
    pub look: String,
}

/// What the JSON holds.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    /// Only of whole looks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shape: Option<Shape>,
    /// All numbers of a whole look.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<Option<i64>>,
    /// Else those that changed, by their place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changed: Vec<(usize, Option<i64>)>,
    /// The lowest and the highest, where they are not the last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    low: Vec<(usize, Option<i64>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    high: Vec<(usize, Option<i64>)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    usual: Vec<(String, Usual)>,
}

/// Writes looks of one step, in their order.
#[derive(Debug, Clone, Default)]
pub struct Writer {
    before: Option<Look>,
}

/// Reads rows of one step, in their order.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    before: Option<Look>,
}

impl Writer {
    /// Goes on after a look that is kept already.
    pub fn after(&mut self, look: &Look) {
        self.before = Some(look.clone());
    }

    /// The next row.
    pub fn row(&mut self, step: Step, look: &Look) -> Row {
        let tick = look.at.as_second();
        let period = |look: &Look| begin(look.at.as_second(), step.period());
        let before = self
            .before
            .as_ref()
            .filter(|before| before.shape == look.shape && period(before) == period(look));
        let mut body = Body {
            low: differences(&look.values, &look.low),
            high: differences(&look.values, &look.high),
            usual: look.usual.clone(),
            ..Body::default()
        };
        match before {
            Some(before) => body.changed = differences(&before.values, &look.values),
            None => {
                body.shape = Some((*look.shape).clone());
                body.values.clone_from(&look.values);
            }
        }
        self.before = Some(look.clone());
        Row {
            step,
            tick,
            // names and numbers: cannot fail
            look: serde_json::to_string(&body).unwrap_or_default(),
        }
    }
}

impl Reader {
    /// The look of the next row; none before the first whole one, and of what cannot be read.
    pub fn look(&mut self, row: &Row) -> Option<Look> {
        let body: Option<Body> = serde_json::from_str(&row.look).ok();
        let next = body.and_then(|body| self.next(row, body));
        self.before.clone_from(&next);
        next
    }

    /// All looks of rows.
    pub fn looks(rows: &[Row]) -> Vec<Look> {
        let mut reader = Self::default();
        rows.iter().filter_map(|row| reader.look(row)).collect()
    }

    fn next(&self, row: &Row, body: Body) -> Option<Look> {
        let at = Timestamp::from_second(row.tick).ok()?;
        let (shape, values) = match body.shape {
            Some(shape) => (Arc::new(shape), body.values),
            None => {
                let period = |tick: i64| begin(tick, row.step.period());
                let before = self
                    .before
                    .as_ref()
                    .filter(|before| period(before.at.as_second()) == period(row.tick))?;
                let mut values = before.values.clone();
                apply(&mut values, &body.changed)?;
                (Arc::clone(&before.shape), values)
            }
        };
        let sizes = shape
            .pools
            .iter()
            .map(|pool| super::SPACE + pool.parts.len());
        if values.len() != 1 + sizes.sum::<usize>() {
            return None;
        }
        let (mut low, mut high) = (values.clone(), values.clone());
        apply(&mut low, &body.low)?;
        apply(&mut high, &body.high)?;
        if row.step == Step::Minute {
            (low, high) = (Vec::new(), Vec::new());
        }
        Some(Look {
            at,
            shape,
            values,
            low,
            high,
            usual: body.usual,
        })
    }
}

/// What rows from elsewhere add to those that are kept of a step: what is older than all of them, or newer.
///
/// They are written anew: what changed is told against the row before it, and that may be another here.
pub fn splice(step: Step, kept: &[Row], from_elsewhere: &[Row]) -> Vec<Row> {
    let looks = Reader::looks(from_elsewhere);
    let mut older = Writer::default();
    let mut newer = Writer::default();
    let (first, last) = (kept.first(), kept.last());
    if let Some(look) = Reader::looks(kept).last() {
        newer.after(look);
    }
    let is_older = |tick: i64| first.is_some_and(|first| tick < first.tick);
    let is_newer = |tick: i64| last.is_none_or(|last| tick > last.tick);
    looks
        .iter()
        .filter_map(|look| match look.at.as_second() {
            tick if is_older(tick) => Some(older.row(step, look)),
            tick if is_newer(tick) => Some(newer.row(step, look)),
            _ => None,
        })
        .collect()
}

/// What is other in `after`, by its place.
fn differences(before: &[Option<i64>], after: &[Option<i64>]) -> Vec<(usize, Option<i64>)> {
    let pairs = before.iter().zip(after).enumerate();
    pairs
        .filter(|(_, (before, after))| before != after)
        .map(|(at, (_, after))| (at, *after))
        .collect()
}

fn apply(values: &mut [Option<i64>], changed: &[(usize, Option<i64>)]) -> Option<()> {
    for (at, value) in changed {
        *values.get_mut(*at)? = *value;
    }
    Some(())
}
