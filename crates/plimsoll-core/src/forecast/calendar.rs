//! Drops on one day of the week or of the month: partitions that are dropped, tables that a job empties.
//!
//! Such drops give back what came in some periods before. Where little came in they are small, and some fail to
//! come at all, so that neither their size nor the gaps between them show the pattern: that all of them fall on the
//! same day of the calendar does.

use super::grid::Daily;
use super::pattern::{Pattern, Pitch, Step};
use super::stats::median;
use super::tuning::calendar::{
    AROUND, LEAST_MONTHLY, LEAST_WEEKLY, LONGEST_DAYS, MATERIAL, ONE_IN_A_ROW, OVERDUE,
    SHARE_OF_LOSS, SHARE_OF_MONTHS, SHARE_OF_WEEKS,
};

/// A week or a month, and how many drops on one of its days make a pattern.
#[derive(Clone, Copy)]
struct Calendar {
    days: usize,
    period_days: f64,
    least_drops: usize,
    /// Of the days of the calendar since the first drop, so many had one.
    share_of_days: f64,
}

const WEEK: Calendar = Calendar {
    days: 7,
    period_days: 7.0,
    least_drops: LEAST_WEEKLY,
    share_of_days: SHARE_OF_WEEKS,
};
const MONTH: Calendar = Calendar {
    days: 32,
    period_days: 30.437,
    least_drops: LEAST_MONTHLY,
    share_of_days: SHARE_OF_MONTHS,
};

/// The pattern of drops that `increments` show on one day of the month or of the week.
pub(super) fn find(daily: &Daily, increments: &[f64]) -> Option<Pattern> {
    let first = increments.len().saturating_sub(LONGEST_DAYS);
    let lost: f64 = increments[first..].iter().map(|q| (-q).max(0.0)).sum();
    let largest = daily.y.iter().copied().fold(0.0, f64::max) + daily.level();
    if lost < MATERIAL * largest {
        return None;
    }
    let dates = daily.dates(first + 1);
    let month = |i: usize| dates[i - first].0;
    let week = |i: usize| dates[i - first].1;
    on_one_day(increments, first, MONTH, lost, month)
        .map(|(day, steps)| pattern(Pitch::DayOfMonth(day), MONTH, steps))
        .or_else(|| {
            on_one_day(increments, first, WEEK, lost, week)
                .map(|(_, steps)| pattern(Pitch::Days(WEEK.period_days), WEEK, steps))
        })
}

fn pattern(pitch: Pitch, calendar: Calendar, steps: Vec<Step>) -> Pattern {
    Pattern::new(pitch, calendar.period_days, steps)
}

/// The day of the calendar on which nearly all that went did, and the steps on each of these days since the first
/// drop.
fn on_one_day(
    increments: &[f64],
    first: usize,
    calendar: Calendar,
    lost: f64,
    day_of: impl Fn(usize) -> usize,
) -> Option<(usize, Vec<Step>)> {
    let (mut losses, mut largest) = ([0.0; 32], [0.0_f64; 32]);
    for (i, &moved) in increments.iter().enumerate().skip(first) {
        let gone = (-moved).max(0.0);
        losses[day_of(i)] += gone;
        largest[day_of(i)] = largest[day_of(i)].max(gone);
    }
    let day = (0..calendar.days).max_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
    // one drop that is larger than all others lies on some day, and makes no pattern of the others there
    let others = losses[day] - largest[day];
    // not every month has a 29th
    if others < SHARE_OF_LOSS * (lost - largest[day])
        || others <= 0.0
        || (calendar.days > 7 && day > 28)
    {
        return None;
    }
    let is_due = |i: &usize| day_of(*i) == day;
    let begin = (first..increments.len()).find(|i| is_due(i) && increments[*i] < 0.0)?;
    let due: Vec<usize> = (begin..increments.len()).filter(is_due).collect();
    let dropped: Vec<bool> = due.iter().map(|&i| increments[i] < 0.0).collect();
    let drops = dropped.iter().filter(|&&is_drop| is_drop).count();
    // what drops every other time has a longer period
    let in_a_row = dropped.windows(2).filter(|pair| pair[0] && pair[1]).count();
    let last = due.iter().rfind(|&&i| increments[i] < 0.0)?;
    if drops < calendar.least_drops
        || in_a_row * ONE_IN_A_ROW < drops
        || (drops as f64) < calendar.share_of_days * due.len() as f64
        || (increments.len() - last) as f64 > OVERDUE * calendar.period_days
    {
        return None;
    }
    let step = |&i: &usize| Step {
        increment: i,
        bytes: (increments[i] - usual(increments, i)).min(0.0),
    };
    Some((day, due.iter().map(step).collect()))
}

/// What day `i` would have moved without a drop.
fn usual(increments: &[f64], i: usize) -> f64 {
    let to = (i + 1 + AROUND).min(increments.len());
    let mut around: Vec<f64> = (i.saturating_sub(AROUND)..to)
        .filter(|&j| j != i && increments[j] >= 0.0)
        .map(|j| increments[j])
        .collect();
    median(&mut around)
}
