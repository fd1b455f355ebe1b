//! A series in the order of time, of which each moment has one size.

use jiff::Timestamp;
use plimsoll_core::counted::{counted, either};
use plimsoll_core::forecast::Point;

use crate::refused::Refused;

/// More values than this are no series that anyone needs.
pub(crate) const MOST_POINTS: usize = 5_000_000;

/// A size with the line on which it stood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) at: Timestamp,
    pub(crate) bytes: u64,
    pub(crate) line: u64,
}

/// Orders a series. Says in `notes` what was left out.
pub(crate) fn ordered(
    mut seen: Vec<Measured>,
    notes: &mut Vec<String>,
) -> Result<Vec<Point>, Refused> {
    check_runs(&seen)?;
    seen.sort_by_key(|seen| (seen.at, seen.line));
    let mut repeated = 0_u64;
    let mut points: Vec<Measured> = Vec::with_capacity(seen.len());
    for next in seen {
        match points.last() {
            Some(last) if last.at == next.at && last.bytes == next.bytes => repeated += 1,
            Some(last) if last.at == next.at => {
                return Err(Refused::Times(format!(
                    "{} has two sizes, {} on line {} and {} on line {}: are there two series in it?",
                    next.at, last.bytes, last.line, next.bytes, next.line
                )));
            }
            _ => points.push(next),
        }
    }
    check_turns(&points)?;
    if repeated > 0 {
        notes.push(format!(
            "{} {} again what another says, and {} left out",
            counted(repeated, "line"),
            either(repeated, "says", "say"),
            either(repeated, "was", "were")
        ));
    }
    Ok(points
        .into_iter()
        .map(|Measured { at, bytes, .. }| Point { at, bytes })
        .collect())
}

/// One series after the other shows as times that start over.
fn check_runs(seen: &[Measured]) -> Result<(), Refused> {
    let is_descending = seen
        .windows(2)
        .filter(|pair| pair[1].at < pair[0].at)
        .count()
        * 2
        > seen.len();
    let is_on = |pair: &[Measured]| {
        if is_descending {
            pair[1].at <= pair[0].at
        } else {
            pair[1].at >= pair[0].at
        }
    };
    let runs: Vec<&[Measured]> = seen.chunk_by(|a, b| is_on(&[*a, *b])).collect();
    if runs.len() < 2 || runs.len() > 100 {
        return Ok(());
    }
    for pair in runs.windows(2) {
        let [before, after] = pair else { continue };
        let within = |run: &[Measured], other: &[Measured]| {
            let (Some(first), Some(last)) = (other.first(), other.last()) else {
                return 0;
            };
            let range = first.at.min(last.at)..=first.at.max(last.at);
            run.iter().filter(|seen| range.contains(&seen.at)).count()
        };
        if within(before, after) >= 3 && within(after, before) >= 3 {
            return Err(Refused::Times(format!(
                "the times start over on line {}: are there two series in it, one after the other?",
                after[0].line
            )));
        }
    }
    Ok(())
}

/// Two series in turn show as a size that jumps there and back, at gaps that do too.
fn check_turns(points: &[Measured]) -> Result<(), Refused> {
    if points.len() < 12 {
        return Ok(());
    }
    let median = |mut values: Vec<u128>| {
        let middle = values.len() / 2;
        *values.select_nth_unstable(middle).1
    };
    let apart = |step: usize| {
        let differences = points
            .windows(step + 1)
            .map(|w| u128::from(w[0].bytes.abs_diff(w[step].bytes)));
        median(differences.collect())
    };
    let gaps: Vec<i128> = points
        .windows(2)
        .map(|pair| pair[0].at.duration_until(pair[1].at).as_nanos())
        .collect();
    let every_other = |from: usize| {
        median(
            gaps.iter()
                .skip(from)
                .step_by(2)
                .map(|gap| gap.unsigned_abs())
                .collect(),
        )
    };
    let (even, odd) = (every_other(0), every_other(1));
    let level = median(points.iter().map(|seen| u128::from(seen.bytes)).collect());
    let one = apart(1);
    if one > 20 * apart(2) && one > level / 20 && even.max(odd) > 4 * even.min(odd) {
        return Err(Refused::Times(
            "the sizes jump there and back from line to line: two series take turns in it"
                .to_owned(),
        ));
    }
    Ok(())
}
