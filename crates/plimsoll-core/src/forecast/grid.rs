//! From samples at any times to one value a day.

use jiff::{Timestamp, ToSpan};

use super::anchor;
use super::gaps::{Rates, Relative};
use super::stats::whole;
use super::tuning::grid::{
    CUT_AT_GAP, DAY, ENOUGH_AFTER_GAP, LONG_GAP, LONGEST_SEEN_GAP, MAX_DAYS, SAME_TIME, SHORT_GAP,
    WHOLE_BUT,
};
use super::{KnownChange, Point};

/// One value a day. Day `i` of `n` lies `n - 1 - i` days before the last one, which is at the last sample ([`daily`]) or
/// at the first anchor not before it ([`anchored`]).
#[derive(Debug, Clone)]
pub(crate) struct Daily {
    /// Bytes at the last sample.
    pub(crate) last_bytes: u64,
    /// When the last sample was taken.
    pub(crate) now: Timestamp,
    /// The moment of the last day.
    pub(crate) end: Timestamp,
    /// Bytes minus `last_bytes`, oldest first: small numbers keep their precision near 2^62.
    pub(crate) y: Vec<f64>,
    /// Whether the value is near enough to samples to be called seen.
    pub(crate) seen: Vec<bool>,
    /// Whether a sample was taken within the day before it.
    pub(crate) fresh: Vec<bool>,
}

/// How much history there is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    /// Samples at different times.
    pub(crate) samples: usize,
    /// Days between the first and the last of them.
    pub(crate) span_days: f64,
}

impl Daily {
    /// How many days there are.
    pub(crate) fn len(&self) -> usize {
        self.y.len()
    }

    /// Bytes of day `i`.
    pub(crate) fn bytes(&self, i: usize) -> f64 {
        self.level() + self.y[i]
    }

    /// Bytes at the last sample.
    pub(crate) const fn level(&self) -> f64 {
        self.last_bytes as f64
    }

    /// What day `i` moved since the day before: one shorter than the days, entry `i` leads to day `i + 1`.
    pub(crate) fn increments(&self) -> Vec<f64> {
        self.y.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// The moment of day `i`, which may lie in the future.
    pub(crate) fn moment(&self, i: usize) -> Timestamp {
        after(self.end, i as f64 - (self.len() as f64 - 1.0))
    }

    /// The day of the month of day `i`, UTC.
    pub(crate) fn day_of_month(&self, i: usize) -> usize {
        let date = self.moment(i).to_zoned(jiff::tz::TimeZone::UTC);
        usize::from(date.day().unsigned_abs())
    }

    /// The last day up to `origin` that lies whole months before `day`, UTC.
    pub(crate) fn months_before(&self, day: usize, origin: usize) -> Option<usize> {
        let date = self.moment(day).to_zoned(jiff::tz::TimeZone::UTC).date();
        let fewest = i64::try_from((day - origin).div_ceil(31)).ok()?;
        (fewest..fewest + 2)
            .filter_map(|months| {
                let before = date.checked_sub(months.months()).ok()?;
                let days = (date - before).get_days();
                day.checked_sub(usize::try_from(days).ok()?)
            })
            .find(|&before| before <= origin)
    }

    /// The day of the month (1 to 31) and of the week (0 to 6) of each day from day `from` on, UTC.
    pub(crate) fn dates(&self, from: usize) -> Vec<(usize, usize)> {
        let first = self.moment(from).to_zoned(jiff::tz::TimeZone::UTC).date();
        first
            .series(1.day())
            .take(self.len() - from)
            .map(|date| {
                (
                    usize::from(date.day().unsigned_abs()),
                    usize::from(date.weekday().to_monday_zero_offset().unsigned_abs()),
                )
            })
            .collect()
    }

    /// How many of the increments are of whole days: the last day is still to end where its anchor lies ahead.
    pub(crate) fn whole_days(&self) -> usize {
        let missing = self.end.duration_since(self.now).as_secs_f64() / DAY;
        self.len() - 1 - usize::from(missing > WHOLE_BUT)
    }

    /// The increments that `known` changes lie in, each with the bytes it moved where they are known.
    ///
    /// A change between two samples shows up somewhere on the way from one to the other: the
    /// largest increment between them is the one.
    pub(crate) fn increments_of(&self, known: &[KnownChange]) -> Vec<(usize, Option<f64>)> {
        let newest = self.len() - 1;
        let mut found = Vec::new();
        for change in known {
            let ago = self.end.duration_since(change.at).as_secs_f64() / DAY;
            if ago < 0.0 || ago >= newest as f64 {
                continue;
            }
            let first = whole((newest as f64 - ago).floor());
            let last = (first + 1..=newest)
                .find(|&day| self.fresh[day])
                .unwrap_or(newest);
            let largest = (first..last).max_by(|&a, &b| {
                let moved = |i: usize| (self.y[i + 1] - self.y[i]).abs();
                moved(a).total_cmp(&moved(b))
            });
            if let Some(increment) = largest {
                found.push((increment, change.delta_bytes.map(|delta| delta as f64)));
            }
        }
        found
    }
}

/// `days` after `at`, held within the range of a timestamp.
pub(crate) fn after(at: Timestamp, days: f64) -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates")]
    let seconds = at.as_second().saturating_add((days * DAY).round() as i64);
    Timestamp::from_second(seconds.clamp(
        Timestamp::MIN.as_second() + 1,
        Timestamp::MAX.as_second() - 1,
    ))
    .unwrap_or(at)
}

/// Samples in order of time, one a moment (of several the one given last), relative to the last.
fn ordered(points: &[Point]) -> Option<(Point, Vec<Relative>)> {
    let mut sorted: Vec<&Point> = points.iter().collect();
    sorted.sort_by_key(|point| point.at);
    let last = **sorted.last()?;
    let mut relative: Vec<Relative> = Vec::with_capacity(sorted.len());
    let mut previous = None;
    for point in sorted {
        if previous == Some(point.at) {
            relative.pop();
        }
        previous = Some(point.at);
        relative.push(Relative {
            day: point.at.duration_since(last.at).as_secs_f64() / DAY,
            bytes: (i128::from(point.bytes) - i128::from(last.bytes)) as f64,
        });
    }
    Some((last, relative))
}

/// The daily grid of `points`, which may come in any order and at any times, and how much history
/// they are. `None` without any point.
///
/// Between two samples the size is taken to move in a straight line, but a jump that is out of
/// proportion to the length of the gap stays one step, on the gap's last day: a bulk load in a gap
/// of three days was no growth of three days.
pub(crate) fn daily(points: &[Point]) -> Option<(Daily, Extent)> {
    let (last, samples) = ordered(points)?;
    Some(days(last, samples, 0.0, LONG_GAP, 0.0))
}

/// As [`daily`], but the days begin and end at the same time of the day whenever the last sample was taken, so that what
/// is found in them stays where it is. The last day is the one under way.
///
/// A jump between two samples around an anchor is not shared out between two days.
pub(crate) fn anchored(points: &[Point]) -> Option<(Daily, Extent)> {
    let (last, samples) = ordered(points)?;
    let now = last.at.as_second();
    let seconds = anchor::time_of_day(points);
    let missing = (seconds - now).rem_euclid(86_400);
    Some(days(
        last,
        samples,
        missing as f64 / DAY,
        SHORT_GAP,
        SAME_TIME,
    ))
}

/// The days up to `ahead` of the last sample. A jump in a gap that is longer than `long_gap` days is one step; a sample
/// up to `same_time` after a day still counts as that day's.
fn days(
    last: Point,
    mut samples: Vec<Relative>,
    ahead: f64,
    long_gap: f64,
    same_time: f64,
) -> (Daily, Extent) {
    let extent = Extent {
        samples: samples.len(),
        span_days: -samples[0].day,
    };
    let cut = samples
        .windows(2)
        .rposition(|pair| pair[1].day - pair[0].day > CUT_AT_GAP)
        .map_or(0, |before| before + 1);
    if -samples[cut].day >= ENOUGH_AFTER_GAP {
        samples.drain(..cut);
    }
    let days = whole(ahead - samples[0].day).min(MAX_DAYS);
    let oldest = ahead - days as f64;
    let from = samples
        .partition_point(|sample| sample.day <= oldest)
        .saturating_sub(1);
    samples.drain(..from);

    let rates = Rates::of(&samples);
    let mut grid = Daily {
        last_bytes: last.bytes,
        now: last.at,
        end: after(last.at, ahead),
        y: Vec::with_capacity(days + 1),
        seen: Vec::with_capacity(days + 1),
        fresh: Vec::with_capacity(days + 1),
    };
    let mut next = 1;
    for i in 0..=days {
        let day = oldest + i as f64;
        while next < samples.len() && samples[next].day <= day + same_time {
            next += 1;
        }
        let a = samples[next - 1];
        grid.fresh.push(a.day > day - 1.0);
        let Some(b) = samples.get(next) else {
            grid.y.push(a.bytes);
            grid.seen.push(true);
            continue;
        };
        let (gap, since) = (b.day - a.day, (day - a.day).max(0.0));
        let moved = b.bytes - a.bytes;
        let step = (gap > long_gap && since > 0.0)
            .then(|| rates.before(next))
            .flatten()
            .filter(|usual| usual.is_step(moved, gap));
        grid.y
            .push(step.map_or(a.bytes + moved * since / gap, |usual| {
                a.bytes + usual.rate * since
            }));
        grid.seen.push(gap <= LONGEST_SEEN_GAP);
    }
    (grid, extent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(hours: i64, bytes: u64) -> Point {
        Point {
            at: Timestamp::from_second(1_700_000_000 + hours * 3600).unwrap(),
            bytes,
        }
    }

    #[test]
    fn a_grid_ends_at_the_last_sample_whatever_the_order() {
        let (grid, extent) = daily(&[
            point(72, 400),
            point(0, 100),
            point(36, 250),
            point(36, 250),
            point(-12, 50),
        ])
        .unwrap();
        assert_eq!(grid.last_bytes, 400);
        assert_eq!(grid.y, [-300.0, -200.0, -100.0, 0.0]);
        assert_eq!(grid.fresh, [true, false, true, true]);
        assert_eq!(extent.samples, 4);
        assert_eq!(extent.span_days, 3.5);
        assert!(daily(&[]).is_none());
    }

    #[test]
    fn of_two_samples_at_one_moment_the_later_given_counts() {
        let (grid, _) = daily(&[point(0, 5), point(24, 7), point(24, 9)]).unwrap();
        assert_eq!((grid.last_bytes, grid.y[0]), (9, -4.0));
    }

    #[test]
    fn a_step_in_a_gap_stays_one_step() {
        let mut points: Vec<_> = (0..20u32)
            .map(|day| point(i64::from(day) * 24, u64::from(1000 + day * 10 + day % 3)))
            .collect();
        points.push(point(24 * 24, 9000));
        let (grid, _) = daily(&points).unwrap();
        let increments = grid.increments();
        assert!(increments[increments.len() - 1] > 7000.0);
        assert!(increments[increments.len() - 2] < 20.0);
    }

    #[test]
    fn history_before_a_year_long_gap_is_left_out_when_enough_follows() {
        let mut points = vec![point(-400 * 24, 1), point(-399 * 24, 2)];
        points.extend((0..70).map(|day| point(day * 24, 5000)));
        assert_eq!(daily(&points).unwrap().0.len(), 70);
        points.truncate(40);
        assert!(daily(&points).unwrap().0.len() > 400);
    }

    #[test]
    fn near_two_to_the_62_single_bytes_survive() {
        let base = 1 << 62;
        let (grid, _) = daily(&[point(0, base), point(24, base + 1), point(48, base + 3)]).unwrap();
        assert_eq!(grid.y, [-3.0, -2.0, 0.0]);
    }
}
