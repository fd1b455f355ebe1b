//! `abnormal_growth`: a database grows as it did not use to: `level_up`, `burst` or `slope_up`.
//!
//! A shape's time moves by hours as samples come in, and one shape may be told as another kind later. So onsets within
//! two days of each other are one, none is told twice in 20 days, and no alert closes because its shape vanished: it
//! closes when the rate was usual for three days, or after 20. Nothing opens while a table is rewritten or an index built,
//! nor where a table that was emptied fills again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::growth::Past;
use crate::alert::kind::Severity;
use crate::alert::reading::{Reading, Unit, Verdict};
use crate::events::Shape;

/// Onsets so near to each other are one.
const SAME: SignedDuration = SignedDuration::from_hours(2 * 24);
/// What was found longer ago is no news: it was before Plimsoll watched, or has been told.
const NEWS: SignedDuration = SignedDuration::from_hours(3 * 24);
/// So long the rate must be usual.
const USUAL_FOR: SignedDuration = SignedDuration::from_hours(3 * 24);
/// It closes after so long, whatever the rate; and nothing is told again for so long.
const OVER_AFTER: SignedDuration = SignedDuration::from_hours(20 * 24);

/// What the rule remembers of a database.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// The growth that is open.
    pub open: Option<Onset>,
    /// The onset that was told last.
    told: Option<Timestamp>,
}

/// Growth that began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Onset {
    /// When.
    pub t: Timestamp,
    /// Bytes a day before.
    pub rate_before: f64,
    /// Bytes a day beyond that: since the onset, or of its first day.
    pub excess: f64,
}

impl Onset {
    /// Half way back to the rate before.
    fn usual_up_to(&self) -> f64 {
        self.rate_before + self.excess / 2.0
    }
}

/// What is known of a database's growth.
#[derive(Debug, Clone, Copy)]
pub struct History<'a> {
    /// Its shapes.
    pub shapes: &'a [Shape],
    /// How many bytes a day it grew in the last three days; none where that is not known.
    pub recent_rate: Option<f64>,
    /// Its recent past.
    pub past: Past<'a>,
}

/// Reads what is known of a database's growth.
pub fn read(history: History<'_>, mut memory: Memory, now: Timestamp) -> (Reading, Memory) {
    let History {
        shapes,
        recent_rate,
        past,
    } = history;
    if let Some(open) = &memory.open {
        let Some(is_over) = is_over(open, recent_rate, now) else {
            return (unknown_rate(), memory);
        };
        let verdict = if is_over {
            Verdict::Clear
        } else {
            Verdict::Holds(Severity::Warning)
        };
        let reading = reading(verdict, recent_rate, open);
        if is_over {
            memory.open = None;
        }
        return (reading, memory);
    }
    let is_told = |shape: &Shape| {
        memory.told.is_some_and(|told| {
            shape.t.duration_since(told).abs() <= SAME || now.duration_since(told) < OVER_AFTER
        })
    };
    let fresh = shapes
        .iter()
        .filter(|shape| shape.alert && now.duration_since(shape.found_at) <= NEWS)
        .find(|shape| !is_told(shape) && !refills(past, shape, now));
    let Some(shape) = fresh else {
        let nothing = Reading {
            verdict: Verdict::Clear,
            value: recent_rate,
            ..Reading::unknown(Unit::BytesPerDay, "")
        };
        return (nothing, memory);
    };
    if past.is_rewriting {
        let why = "a table is rewritten or an index built: what that holds meanwhile is no growth";
        return (Reading::unknown(Unit::BytesPerDay, why), memory);
    }
    let onset = Onset {
        t: shape.t,
        rate_before: shape.rate_before,
        excess: shape
            .rate_after
            .map_or(shape.delta_bytes.unwrap_or(0.0), |after| {
                after - shape.rate_before
            }),
    };
    // what was over before it was found would close with the next sample
    match is_over(&onset, recent_rate, now) {
        Some(false) => {}
        Some(true) => return (reading(Verdict::Clear, recent_rate, &onset), memory),
        None => return (unknown_rate(), memory),
    }
    let reading = reading(Verdict::Holds(Severity::Warning), recent_rate, &onset);
    memory.told = Some(onset.t);
    memory.open = Some(onset);
    (reading, memory)
}

/// Whether most of what a shape tells fills what a table gave back.
fn refills(past: Past<'_>, shape: &Shape, now: Timestamp) -> bool {
    let days = now.duration_since(shape.t).as_secs_f64() / 86_400.0;
    let excess = match shape.rate_after {
        Some(after) => (after - shape.rate_before) * days.max(1.0),
        None => shape.delta_bytes.unwrap_or(0.0),
    };
    past.grown_beyond_refill(shape.t)
        .is_some_and(|grown| grown as f64 <= excess / 2.0)
}

/// Whether growth that began then is over; none where that cannot be told.
fn is_over(onset: &Onset, recent_rate: Option<f64>, now: Timestamp) -> Option<bool> {
    let age = now.duration_since(onset.t);
    if age >= OVER_AFTER || age < USUAL_FOR {
        return Some(age >= OVER_AFTER);
    }
    recent_rate.map(|rate| rate <= onset.usual_up_to())
}

fn unknown_rate() -> Reading {
    Reading::unknown(Unit::BytesPerDay, "how fast it grows is not known")
}

fn reading(verdict: Verdict, recent_rate: Option<f64>, onset: &Onset) -> Reading {
    Reading::new(verdict, recent_rate, onset.usual_up_to(), Unit::BytesPerDay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::rules::cases::letter;
    use crate::alert::rules::growth::Total;
    use crate::events::ShapeKind;
    use crate::forecast::KnownChange;

    const PAST: Past<'_> = Past {
        totals: &[],
        begins_at: None,
        given_back: &[],
        is_rewriting: false,
    };

    fn at(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * (1000 + days))
    }

    fn shape(kind: ShapeKind, day: i64, found: i64) -> Shape {
        Shape {
            t: at(day),
            kind,
            alert: !matches!(kind, ShapeKind::LevelDown | ShapeKind::SlopeDown),
            delta_bytes: Some(500.0),
            rate_before: 10.0,
            rate_after: matches!(kind, ShapeKind::SlopeUp).then_some(110.0),
            found_at: at(found),
        }
    }

    /// Letters of the days from 0 on, with the shapes and the recent rate of each.
    fn play(days: &[(&[Shape], Option<f64>)]) -> String {
        let mut memory = Memory::default();
        let mut letters = String::new();
        for (day, (shapes, rate)) in days.iter().enumerate() {
            let reading;
            let history = History {
                shapes,
                recent_rate: *rate,
                past: PAST,
            };
            (reading, memory) = read(history, memory, at(i64::try_from(day).unwrap()));
            letters.push(letter(&reading));
        }
        letters
    }

    #[test]
    fn growth_is_open_until_the_rate_was_usual_for_three_days() {
        let up = [shape(ShapeKind::SlopeUp, 1, 1)];
        let (fast, slow) = (Some(110.0), Some(50.0));
        let days: Vec<(&[Shape], Option<f64>)> = vec![
            (&[], slow),
            (&up, fast),
            (&up, fast),
            (&up, slow),
            (&up, slow),
            (&up, slow),
        ];
        assert_eq!(play(&days), ".www..");
        // Nobody knows how fast it grows.
        let days: Vec<(&[Shape], Option<f64>)> = vec![
            (&[], slow),
            (&up, None),
            (&up, None),
            (&up, None),
            (&up, None),
        ];
        assert_eq!(play(&days), ".www?");
        // A step is over after three days.
        let step = [shape(ShapeKind::LevelUp, 0, 0)];
        let days: Vec<(&[Shape], Option<f64>)> = (0..5).map(|_| (&step[..], Some(10.0))).collect();
        assert_eq!(play(&days), "www..");
    }

    #[test]
    fn one_onset_is_told_once_however_its_shape_moves_or_vanishes() {
        let first = [shape(ShapeKind::Burst, 0, 0)];
        let moved = [shape(ShapeKind::LevelUp, 1, 4)];
        let later = [shape(ShapeKind::SlopeUp, 15, 15)];
        let usual = Some(10.0);
        let days: Vec<(&[Shape], Option<f64>)> = (0..16)
            .map(|day| match day {
                0 => (&first[..], usual),
                1..=2 => (&[][..], usual),
                15 => (&later[..], usual),
                _ => (&moved[..], usual),
            })
            .collect();
        assert_eq!(play(&days), "www.............");
    }

    #[test]
    fn it_closes_after_twenty_days_whatever_the_rate_and_may_open_again() {
        let up = [shape(ShapeKind::SlopeUp, 0, 0)];
        let again = [shape(ShapeKind::SlopeUp, 21, 21)];
        let days: Vec<(&[Shape], Option<f64>)> = (0..23)
            .map(|day| (if day < 21 { &up[..] } else { &again[..] }, Some(200.0)))
            .collect();
        let told = play(&days);
        assert_eq!(told, "w".repeat(20) + "." + "ww");
    }

    #[test]
    fn history_and_shrinking_and_what_is_over_already_are_no_news() {
        let (fast, usual) = (Some(110.0), Some(10.0));
        for (shapes, rate, expected) in [
            ([shape(ShapeKind::SlopeUp, -10, -4)], fast, "."),
            ([shape(ShapeKind::LevelDown, 0, 0)], fast, "."),
            ([shape(ShapeKind::SlopeUp, -10, -3)], fast, "w"),
            ([shape(ShapeKind::SlopeUp, -10, -3)], usual, "."),
            ([shape(ShapeKind::SlopeUp, -10, -3)], None, "?"),
            // found within its first days: nothing is over yet
            ([shape(ShapeKind::Burst, -2, 0)], usual, "w"),
        ] {
            let told = play(&[(&shapes, rate)]);
            assert_eq!(told, expected, "{shapes:?} {rate:?}");
        }
    }

    #[test]
    fn a_rewrite_under_way_and_a_table_that_fills_again_open_nothing() {
        let up = [Shape {
            delta_bytes: Some(500.0),
            ..shape(ShapeKind::LevelUp, 0, 0)
        }];
        let total = |day: i64, bytes: u64| Total {
            at: at(day),
            bytes,
            uncertain_bytes: 0,
            unattributed_bytes: 0,
            invalid_index_bytes: 0,
        };
        // 1000 bytes, of which 500 went two days before and came again.
        let totals = [
            total(-4, 1000),
            total(-2, 500),
            total(-1, 500),
            total(0, 1000),
        ];
        let emptied = |delta_bytes: i64| KnownChange {
            at: at(-3),
            delta_bytes: Some(delta_bytes),
        };
        let told = |past: Past<'_>| {
            let history = History {
                shapes: &up,
                recent_rate: Some(500.0),
                past,
            };
            letter(&read(history, Memory::default(), at(0)).0)
        };
        let past = Past {
            totals: &totals,
            ..PAST
        };
        let rewriting = Past {
            is_rewriting: true,
            ..past
        };
        assert_eq!((told(past), told(rewriting)), ('w', '?'));
        for (given_back, expected) in [(-500, '.'), (-250, '.'), (-249, 'w'), (500, 'w')] {
            let given_back = [emptied(given_back)];
            let past = Past {
                given_back: &given_back,
                ..past
            };
            assert_eq!(told(past), expected, "{given_back:?}");
        }
    }
}
