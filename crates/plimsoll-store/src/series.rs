//! Adds up changes to series: pure, for both stores.
//!
//! A store keeps a value where it changed; a series has one at each sample. A value counts from its
//! tick on, until the next one of its relation, and as long as the relation belongs to what is asked
//! for.

use jiff::Timestamp;
use plimsoll_core::change::{RelationId, Sizes};
use plimsoll_core::sample::SampleKind;

use crate::history::Point;
use crate::sample::signed;

/// A sample as series see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    pub(crate) tick: i64,
    pub(crate) sample_id: i64,
    pub(crate) sampled_at: Timestamp,
    pub(crate) kind: SampleKind,
    /// `pg_database_size`, if it was known.
    pub(crate) total_bytes: Option<u64>,
    /// Whether another tool took it.
    pub(crate) is_imported: bool,
}

/// From this tick on, and before that one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Interval {
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Interval {
    /// What both have in common.
    pub(crate) fn and(self, other: Self) -> Option<Self> {
        let both = Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        };
        (both.from < both.until).then_some(both)
    }
}

/// One value as a store keeps it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    pub(crate) id: RelationId,
    pub(crate) tick: i64,
    pub(crate) sizes: Sizes,
}

/// Sums the series of several relations at the same samples.
///
/// It keeps how the sum changes from sample to sample, so that a relation costs what it changed.
pub(crate) struct Sum<'a> {
    ticks: &'a [Tick],
    steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// Relations with bytes of their own, and parents without.
    tables: i32,
    parents: i32,
    measured: i32,
    heap: i64,
    with_toast: i32,
    toast: i64,
    toast_index: i64,
    indexes: i64,
    counted: i32,
    rows: i64,
    unread: i32,
}

impl<'a> Sum<'a> {
    /// Of nothing, at samples in the order of their ticks.
    pub(crate) fn new(ticks: &'a [Tick]) -> Self {
        Self {
            ticks,
            steps: vec![Step::default(); ticks.len() + 1],
        }
    }

    /// The places of the samples in an interval, if there are any.
    fn places(&self, interval: Interval) -> Option<(usize, usize)> {
        let from = self.ticks.partition_point(|at| at.tick < interval.from);
        let until = self.ticks.partition_point(|at| at.tick < interval.until);
        (from < until).then_some((from, until))
    }

    /// Adds a relation for as long as it belongs to what is asked for. `values` are its own, in the
    /// order of their ticks.
    pub(crate) fn add(&mut self, belongs: Interval, values: &[Value]) {
        if let Some((from, until)) = self.places(belongs) {
            self.steps[from].tables += 1;
            self.steps[until].tables -= 1;
        }
        for (at, value) in values.iter().enumerate() {
            let counts = Interval {
                from: value.tick,
                until: values.get(at + 1).map_or(i64::MAX, |next| next.tick),
            };
            let Some((from, until)) = counts.and(belongs).and_then(|both| self.places(both)) else {
                continue;
            };
            self.steps[from].count(&value.sizes, 1);
            self.steps[until].count(&value.sizes, -1);
        }
    }

    /// Adds a partitioned table for as long as it is there: it has no bytes of its own, and is a set of 0 bytes
    /// while nothing is below it.
    pub(crate) fn add_parent(&mut self, belongs: Interval) {
        if let Some((from, until)) = self.places(belongs) {
            self.steps[from].parents += 1;
            self.steps[until].parents -= 1;
        }
    }

    /// Notes that a part of a relation could not be measured.
    pub(crate) fn unread(&mut self, interval: Interval) {
        if let Some((from, until)) = self.places(interval) {
            self.steps[from].unread += 1;
            self.steps[until].unread -= 1;
        }
    }

    /// The points, at those samples at which there was anything.
    pub(crate) fn points(self) -> Vec<Point> {
        let mut now = Step::default();
        let mut points = Vec::with_capacity(self.ticks.len());
        for (at, step) in self.ticks.iter().zip(&self.steps) {
            now.advance(step);
            if now.tables <= 0 && now.parents <= 0 {
                continue;
            }
            let unmeasured = u32::try_from(now.tables - now.measured).unwrap_or(0);
            points.push(Point {
                sample_id: at.sample_id,
                sampled_at: at.sampled_at,
                kind: at.kind,
                sizes: now.sizes(),
                tables: u32::try_from(now.tables).unwrap_or(0),
                unmeasured,
                is_last_good: now.unread > 0,
                is_imported: at.is_imported,
            });
        }
        points
    }
}

impl Step {
    fn count(&mut self, sizes: &Sizes, sign: i64) {
        let one = if sign > 0 { 1 } else { -1 };
        let add = |to: &mut i64, bytes: u64| *to += sign * signed(bytes);
        if let Some(heap) = sizes.heap_bytes {
            self.measured += one;
            add(&mut self.heap, heap);
        }
        if sizes.toast_bytes.is_some() || sizes.toast_index_bytes.is_some() {
            self.with_toast += one;
            add(&mut self.toast, sizes.toast_bytes.unwrap_or(0));
            add(&mut self.toast_index, sizes.toast_index_bytes.unwrap_or(0));
        }
        add(&mut self.indexes, sizes.index_bytes);
        if let Some(rows) = sizes.row_count {
            self.counted += one;
            add(&mut self.rows, rows);
        }
    }

    fn advance(&mut self, step: &Self) {
        self.tables += step.tables;
        self.parents += step.parents;
        self.measured += step.measured;
        self.heap += step.heap;
        self.with_toast += step.with_toast;
        self.toast += step.toast;
        self.toast_index += step.toast_index;
        self.indexes += step.indexes;
        self.counted += step.counted;
        self.rows += step.rows;
        self.unread += step.unread;
    }

    fn sizes(&self) -> Sizes {
        let bytes = |known: bool, sum: i64| known.then(|| u64::try_from(sum).unwrap_or(0));
        Sizes {
            // without one of its parts a sum is not known
            heap_bytes: bytes(self.measured >= self.tables, self.heap),
            toast_bytes: bytes(self.with_toast > 0, self.toast),
            toast_index_bytes: bytes(self.with_toast > 0, self.toast_index),
            index_bytes: u64::try_from(self.indexes).unwrap_or(0),
            row_count: bytes(self.counted > 0, self.rows),
        }
    }
}

/// The values of one relation, out of those of many in the order of their ids and ticks.
pub(crate) fn values_of(values: &[Value], id: RelationId) -> &[Value] {
    let from = values.partition_point(|value| value.id < id);
    let until = values.partition_point(|value| value.id <= id);
    &values[from..until]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(count: i64) -> Vec<Tick> {
        (0..count)
            .map(|n| Tick {
                tick: n * 10,
                sample_id: n,
                sampled_at: Timestamp::from_second(n * 10).unwrap(),
                kind: SampleKind::Watch,
                total_bytes: None,
                is_imported: false,
            })
            .collect()
    }

    fn value(id: RelationId, tick: i64, heap: u64) -> Value {
        Value {
            id,
            tick,
            sizes: Sizes {
                heap_bytes: Some(heap),
                ..Sizes::default()
            },
        }
    }

    #[test]
    fn a_value_counts_until_the_next_one_and_as_long_as_its_relation_belongs() {
        let ticks = ticks(6);
        let mut sum = Sum::new(&ticks);
        // the sample of tick 15 was thinned away: it counts from tick 20 on
        let values = [value(1, 0, 5), value(1, 15, 7), value(2, 10, 100)];
        let always = Interval {
            from: i64::MIN,
            until: i64::MAX,
        };
        sum.add(always, values_of(&values, 1));
        sum.add(
            Interval {
                from: 10,
                until: 40,
            },
            values_of(&values, 2),
        );
        sum.unread(Interval {
            from: 25,
            until: 40,
        });
        let points = sum.points();
        let heap: Vec<_> = points.iter().map(|p| p.sizes.heap_bytes.unwrap()).collect();
        assert_eq!(heap, [5, 105, 107, 107, 7, 7]);
        let tables: Vec<_> = points.iter().map(|p| p.tables).collect();
        assert_eq!(tables, [1, 2, 2, 2, 1, 1]);
        let unread: Vec<_> = points.iter().map(|p| p.is_last_good).collect();
        assert_eq!(unread, [false, false, false, true, false, false]);
        assert_eq!(points[1].sizes.toast_bytes, None);
    }

    #[test]
    fn what_was_never_measured_is_there_without_a_size() {
        let ticks = ticks(3);
        let mut sum = Sum::new(&ticks);
        sum.add(
            Interval {
                from: 10,
                until: i64::MAX,
            },
            &[value(1, 20, 5)],
        );
        let heap: Vec<_> = sum.points().iter().map(Point::total_bytes).collect();
        assert_eq!(heap, [None, Some(5)]);
    }

    #[test]
    fn a_sum_is_unknown_while_one_of_its_parts_is() {
        let ticks = ticks(4);
        let mut sum = Sum::new(&ticks);
        sum.add(Interval { from: 0, until: 30 }, &[value(1, 0, 5)]);
        sum.add(
            Interval {
                from: 10,
                until: 30,
            },
            &[value(2, 20, 7)],
        );
        sum.add_parent(Interval {
            from: 0,
            until: i64::MAX,
        });
        let points = sum.points();
        let seen: Vec<_> = points
            .iter()
            .map(|p| (p.total_bytes(), p.tables, p.unmeasured))
            .collect();
        assert_eq!(
            seen,
            [
                (Some(5), 1, 0),
                (None, 2, 1),
                (Some(12), 2, 0),
                (Some(0), 0, 0)
            ]
        );
    }
}
