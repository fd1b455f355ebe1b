//! Steps that come back at a regular pitch: partitions that are dropped, loads once a month.
//!
//! They are neither events nor trend. The step is taken out of the series, the trend is that of what
//! is left, and the steps that are due are put back into the forecast.

use super::grid::Daily;
use super::stats::{median, median_and_spread, whole};
use super::tuning::pattern::{
    EXACT, JITTER, LEAST_AFTER_OTHERS, LEAST_STEPS, LONGEST_LAG, SHORTEST_PERIOD,
    STANDS_OUT_MEDIANS, STANDS_OUT_SHARE, STANDS_OUT_SPREADS, TELLS, TELLS_MORE,
};

/// When the next step is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pitch {
    /// So many days after the one before.
    Days(f64),
    /// On this day of each month.
    DayOfMonth(usize),
}

/// A step that belongs to a pattern.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    /// The increment that holds it: it shows on day `increment + 1`.
    pub(crate) increment: usize,
    /// Bytes beyond what the day would have moved anyway.
    pub(crate) bytes: f64,
}

/// Steps that are due: all up to one of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Expected {
    /// Days from the origin to it.
    pub(crate) days: usize,
    /// Bytes of all up to it, without
    pub(crate) bytes: f64,
    /// what comes in on so many days to come, which they give back: negative.
    pub(crate) days_of_inflow: f64,
    /// Whether steps like it gave back just what came in.
    pub(crate) is_exact: bool,
}

/// Steps of one direction that come back at a regular pitch, oldest first.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    pub(crate) pitch: Pitch,
    /// Days from one step to the next, at the median.
    pub(crate) period_days: f64,
    pub(crate) steps: Vec<Step>,
    /// With retention, a drop gives back the inflow of the period so many periods ago.
    lag: Option<usize>,
    /// Whether it gives back just that.
    is_exact: bool,
}

/// The pattern of steps that stand out of `increments` and come back at a regular pitch, if one still goes on.
pub(crate) fn find(daily: &Daily, increments: &[f64]) -> Option<Pattern> {
    let candidates = standing_out(daily, increments);
    let weight = |pattern: &Pattern| pattern.steps.iter().map(|s| s.bytes.abs()).sum::<f64>();
    [-1.0, 1.0]
        .into_iter()
        .filter_map(|sign| {
            let steps = candidates.iter().filter(|step| step.bytes * sign > 0.0);
            regular(daily, steps.copied().collect(), increments.len())
        })
        .max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

/// Increments far from what is usual in the month before and after them.
fn standing_out(daily: &Daily, increments: &[f64]) -> Vec<Step> {
    let n = increments.len();
    let least = STANDS_OUT_SHARE * daily.level();
    // what stands out by three medians of the others is at least two thirds of its distance itself
    let quick = least * (1.0 - 1.0 / STANDS_OUT_MEDIANS);
    let mut around = Vec::with_capacity(61);
    let mut found = Vec::new();
    for (i, &moved) in increments.iter().enumerate() {
        if moved.abs() <= quick {
            continue;
        }
        let from = i.saturating_sub(30).min(n.saturating_sub(61));
        around.clear();
        around.extend_from_slice(&increments[from..(from + 61).min(n)]);
        let (middle, spread) = median_and_spread(&mut around);
        let bytes = moved - middle;
        if bytes.abs() > least
            && bytes.abs() > STANDS_OUT_SPREADS * spread
            && bytes.abs() > STANDS_OUT_MEDIANS * middle.abs()
        {
            found.push(Step {
                increment: i,
                bytes,
            });
        }
    }
    found
}

/// The longest regular tail of `steps`, which all go one way.
fn regular(daily: &Daily, mut steps: Vec<Step>, increments: usize) -> Option<Pattern> {
    if steps.len() < LEAST_STEPS {
        return None;
    }
    // the size of the last few is the measure: others are noise or events
    let mut sizes: Vec<f64> = steps.iter().rev().take(12).map(|s| s.bytes.abs()).collect();
    let typical = median(&mut sizes);
    steps.retain(|s| s.bytes.abs() > 0.33 * typical && s.bytes.abs() < 3.0 * typical);
    if steps.len() < LEAST_STEPS {
        return None;
    }
    let gaps: Vec<f64> = steps
        .windows(2)
        .map(|pair| (pair[1].increment - pair[0].increment) as f64)
        .collect();
    let period_days = median(&mut gaps.iter().rev().take(12).copied().collect::<Vec<_>>());
    if period_days < SHORTEST_PERIOD {
        return None;
    }
    let tolerance = (JITTER * period_days).max(1.0);
    let (mut start, mut irregular) = (steps.len() - 1, 0.0);
    for (j, gap) in gaps.iter().enumerate().rev() {
        if (gap - period_days).abs() <= tolerance {
            start = j;
        } else {
            irregular += 1.0;
            if irregular > 0.1 * ((gaps.len() - j) as f64) + 0.5 {
                break;
            }
        }
    }
    steps.drain(..start);
    let (first, last) = (steps.first()?.increment, steps.last()?.increment);
    let is_over = (increments - 1 - last) as f64 > 1.3 * period_days + 1.0;
    let least = if start == 0 {
        LEAST_STEPS
    } else {
        LEAST_AFTER_OTHERS
    };
    if steps.len() < least || is_over {
        return None;
    }
    let mean = ((last - first) as f64) / ((steps.len() - 1) as f64);
    let pitch = on_one_day_of_the_month(daily, &steps, period_days).map_or(
        Pitch::Days(if (mean - mean.round()).abs() < JITTER {
            mean.round()
        } else {
            mean
        }),
        Pitch::DayOfMonth,
    );
    Some(Pattern::new(pitch, period_days, steps))
}

fn on_one_day_of_the_month(daily: &Daily, steps: &[Step], period_days: f64) -> Option<usize> {
    if !(27.0..=32.0).contains(&period_days) {
        return None;
    }
    let mut counts = [0_usize; 32];
    for step in steps {
        counts[daily.day_of_month(step.increment + 1)] += 1;
    }
    let (day, &count) = counts.iter().enumerate().max_by_key(|&(_, count)| count)?;
    (day <= 28 && count * 4 >= steps.len() * 3).then_some(day)
}

impl Pattern {
    pub(super) const fn new(pitch: Pitch, period_days: f64, steps: Vec<Step>) -> Self {
        Self {
            pitch,
            period_days,
            steps,
            lag: None,
            is_exact: false,
        }
    }

    /// Whether drops give back what came in some periods before.
    pub(super) const fn gives_back(&self) -> bool {
        self.lag.is_some()
    }

    /// The first day from which the pattern could have been expected: two steps had been seen.
    pub(crate) fn known_from(&self) -> usize {
        self.steps[1].increment + 1
    }

    /// How many steps had been seen on day `origin`.
    fn seen_at(&self, origin: usize) -> usize {
        self.steps.partition_point(|step| step.increment < origin)
    }

    /// The days in `(origin, until]` on which a step is due, as one could know on day `origin`.
    fn due(&self, daily: &Daily, origin: usize, until: usize) -> Vec<usize> {
        match self.pitch {
            Pitch::DayOfMonth(day) => (origin + 1..=until)
                .filter(|&i| daily.day_of_month(i) == day)
                .collect(),
            Pitch::Days(pitch) => {
                let Some(last) = self.seen_at(origin).checked_sub(1) else {
                    return Vec::new();
                };
                let last = (self.steps[last].increment + 1) as f64;
                (1..)
                    .map(|k: u32| whole((last + f64::from(k) * pitch).round()))
                    .take_while(|&day| day <= until)
                    .map(|day| day.max(origin + 1))
                    .collect()
            }
        }
    }

    /// The steps that are due in `(origin, until]`, as one could know on day `origin`. `inflow` is the sum of
    /// increments without steps.
    pub(crate) fn expected(
        &self,
        daily: &Daily,
        inflow: &[f64],
        origin: usize,
        until: usize,
    ) -> Vec<Expected> {
        let seen = self.seen_at(origin);
        if seen < 2 {
            return Vec::new();
        }
        let mut tail: Vec<f64> = self.steps[seen.saturating_sub(3)..seen]
            .iter()
            .map(|step| step.bytes)
            .collect();
        let typical = median(&mut tail);
        let (mut bytes, mut days_of_inflow) = (0.0, 0.0);
        self.due(daily, origin, until)
            .into_iter()
            .enumerate()
            .map(|(nth, day)| {
                let (known, to_come) = self
                    .given_back(inflow, origin, seen, seen + nth)
                    .unwrap_or((-typical, 0.0));
                bytes -= known;
                days_of_inflow -= to_come;
                Expected {
                    days: day - origin,
                    bytes,
                    days_of_inflow,
                    is_exact: self.is_exact,
                }
            })
            .collect()
    }

    /// What the step number `nth` gives back: bytes that came in, and so many days of what is still to come in.
    fn given_back(
        &self,
        inflow: &[f64],
        origin: usize,
        seen: usize,
        nth: usize,
    ) -> Option<(f64, f64)> {
        let closing = (nth + 1).checked_sub(self.lag?)?;
        if closing > seen {
            return Some((0.0, self.period_days));
        }
        let opened = self.steps[closing.checked_sub(1)?].increment;
        if closing < seen {
            return Some((inflow[self.steps[closing].increment] - inflow[opened], 0.0));
        }
        // the period under way: what came so far, and the rest
        let rest = self.period_days - (origin - opened) as f64;
        Some((inflow[origin] - inflow[opened], rest.max(0.0)))
    }

    /// Finds out whether drops give back what came in some periods before, which tells the next
    /// ones better than the last ones do.
    pub(crate) fn fit_lag(&mut self, inflow: &[f64]) {
        if self.steps[0].bytes > 0.0 {
            return;
        }
        let sizes: Vec<f64> = self.steps.iter().map(|step| -step.bytes).collect();
        let typical = sizes.iter().sum::<f64>() / sizes.len() as f64;
        let mut best: Option<(f64, f64, usize)> = None;
        for lag in 1..=LONGEST_LAG {
            let mut errors: Vec<f64> = (0..sizes.len())
                .filter_map(|j| Some((sizes[j] - self.past_inflow(inflow, j, lag)?).abs()))
                .collect();
            if errors.len() < sizes.len().div_ceil(3).max(2) {
                continue;
            }
            let count = errors.len() as f64;
            let error = errors.iter().sum::<f64>() / count * (1.0 + 0.5 / count);
            let middle = median(&mut errors);
            let better =
                best.is_none_or(|(least, least_middle, _)| error + middle < least + least_middle);
            if better {
                best = Some((error, middle, lag));
            }
        }
        let without: f64 = (2..sizes.len())
            .map(|j| {
                let before = median(&mut sizes[j.saturating_sub(3)..j].to_vec());
                (sizes[j] - before).abs()
            })
            .sum::<f64>()
            / (sizes.len() - 2) as f64;
        let Some((error, middle, lag)) = best else {
            return;
        };
        let is_exact = middle < EXACT * typical;
        if error < TELLS_MORE * without && (is_exact || error < TELLS * typical) {
            self.lag = Some(lag);
            self.is_exact = is_exact;
        }
    }

    /// What came in on the day of a drop hides a part of the drop. Where the drop is known to be what came in some
    /// periods before, that tells both: puts them right in `increments`, which have no steps of the pattern.
    pub(crate) fn set_right(&mut self, increments: &mut [f64]) {
        let Some(lag) = self.lag.filter(|_| self.is_exact) else {
            return;
        };
        for j in lag..self.steps.len() {
            let (opened, closed) = (
                self.steps[j - lag].increment,
                self.steps[j - lag + 1].increment,
            );
            let gave: f64 = increments[opened..closed].iter().sum();
            let step = &mut self.steps[j];
            let came = increments[step.increment] + step.bytes + gave;
            if gave > 0.0 && came >= 0.0 {
                increments[step.increment] = came;
                step.bytes = -gave;
            }
        }
    }

    /// The inflow of the period `lag` periods before step `j`, where history reaches that far back.
    fn past_inflow(&self, inflow: &[f64], j: usize, lag: usize) -> Option<f64> {
        let first = self.steps[0].increment as f64;
        let boundary = |before: usize| {
            if j >= before {
                return Some(self.steps[j - before].increment);
            }
            let day = first - ((before - j) as f64 * self.period_days).round();
            (day >= 0.0).then(|| whole(day))
        };
        Some(inflow[boundary(lag - 1)?] - inflow[boundary(lag)?])
    }
}
