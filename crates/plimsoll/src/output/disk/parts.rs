//! The parts of a volume as a table: their bytes, what they gained and what share of it, how that went, and why.

use std::io;

use plimsoll_core::counted::counted;
use plimsoll_core::disk::memory::label;
use plimsoll_core::disk::state::{PartChange, Volume};
use plimsoll_core::disk::steps::Steps;
use plimsoll_core::name::visible;
use plimsoll_core::size_text::{pretty, pretty_signed};

use super::super::{Column, table, table_within};
use super::lines::Lines;
use super::spark::spark;
use super::{signed, whole};

/// Parts below this share of what is used are told together.
const SMALL: u64 = 1000;
/// What moved by less than this share of all that moved is told without its reason, where there is little room.
const LITTLE: u64 = 100;
/// Below this width what share of the change is whose, and how it went, do not fit.
const LEAST: usize = 58;

/// Why parts grew, where there is no room for that beside them.
pub(super) fn reasons(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    if !lines.is_narrow() {
        return Ok(());
    }
    let mut is_first = true;
    let moved = |it: &&PartChange| it.change_bytes.unwrap_or(0).unsigned_abs();
    let all: u64 = volume.parts.iter().map(|it| moved(&it)).sum();
    let mut parts: Vec<&PartChange> = volume.parts.iter().collect();
    parts.sort_by_key(|it| std::cmp::Reverse(moved(it)));
    for it in parts {
        // What hardly moved needs no reason; what is not seen does.
        let is_little = moved(&it).saturating_mul(LITTLE) < all && it.part.is_whole();
        let why = why_of(it, volume);
        if why.is_empty() || is_little {
            continue;
        }
        if is_first {
            lines.blank()?;
        }
        let begin = if is_first { "Why  " } else { "     " };
        is_first = false;
        let name = label(it.part.part, it.part.name.as_deref());
        lines.say(&format!("{begin}{}: {}", visible(&name), visible(&why)), 5)?;
    }
    Ok(())
}

/// All parts: those of any weight in a row each, the others together, and the sum.
pub(super) fn parts(lines: &mut Lines<'_>, volume: &Volume, steps: &Steps) -> io::Result<()> {
    let used = volume
        .used_bytes
        .unwrap_or_else(|| u64::try_from(volume.known_bytes).unwrap_or(0));
    let is_small = |it: &&PartChange| {
        let bytes = it.part.bytes.map(i64::unsigned_abs);
        bytes.is_some_and(|bytes| bytes.saturating_mul(SMALL) < used)
            && it.change_bytes.unwrap_or(0) == 0
    };
    let mut listed: Vec<&PartChange> = volume.parts.iter().filter(|it| !is_small(it)).collect();
    listed.sort_by_key(|it| (it.part.part.is_rest(), std::cmp::Reverse(it.part.bytes)));
    let small: Vec<&PartChange> = volume.parts.iter().filter(is_small).collect();
    let total: i64 = volume.parts.iter().filter_map(|it| it.change_bytes).sum();
    let shared = shared(volume, total);
    let mut rows: Vec<Row> = listed
        .iter()
        .map(|it| row(it, volume, (shared, used), steps))
        .collect();
    if !small.is_empty() {
        let bytes: i64 = small.iter().filter_map(|it| it.part.bytes).sum();
        rows.push(Row {
            name: counted(small.len() as u64, "small part"),
            bytes: signed(bytes),
            change: "0 bytes".into(),
            share: share(0, shared),
            steps: String::new(),
            why: "each with --output json".into(),
        });
    }
    let sum = match (volume.used_bytes, volume.capacity_bytes) {
        (Some(used), Some(capacity)) if capacity > 0 => {
            format!("used, {:.0} %", used as f64 * 100.0 / capacity as f64)
        }
        (Some(_), _) => "used".to_owned(),
        (None, _) => "known".to_owned(),
    };
    let pace = pace(volume);
    let has_why = !lines.is_narrow();
    // A short text, or it would make its column as wide as itself.
    let short = pace.trim_end_matches(" now").to_owned();
    rows.push(Row {
        name: sum,
        bytes: pretty(used),
        change: pretty_signed(total),
        share: share(total, shared),
        steps: if has_why { String::new() } else { short },
        why: pace,
    });
    let since = volume
        .since
        .map_or_else(String::new, |since| format!("since {}", lines.day(since)));
    // The first look knows no change.
    let has_change = volume.since.is_some();
    let has_course = has_change && lines.width.is_none_or(|width| width >= LEAST);
    let shown = [true, true, has_change, has_course, has_course, has_why];
    let columns = [
        Column::Left("Part"),
        Column::Right("Bytes"),
        Column::Right("Change"),
        Column::Right("Share"),
        Column::Left(&since),
        Column::Left("Why"),
    ];
    let of_shown = |cells: [String; 6]| -> Vec<String> {
        let cells = cells.into_iter().zip(shown);
        cells.filter_map(|(cell, is)| is.then_some(cell)).collect()
    };
    let columns: Vec<Column<'_>> = columns
        .into_iter()
        .zip(shown)
        .filter_map(|(column, is)| is.then_some(column))
        .collect();
    let rows = rows.into_iter().map(|row| {
        of_shown([
            row.name, row.bytes, row.change, row.share, row.steps, row.why,
        ])
    });
    match lines.width {
        Some(width) => {
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            table_within(Some(width), lines.out, &columns, rows)
        }
        None => table(lines.out, &columns, rows),
    }
}

/// A row of the table, with every cell that there may be.
struct Row {
    name: String,
    bytes: String,
    change: String,
    share: String,
    steps: String,
    why: String,
}

fn row(it: &PartChange, volume: &Volume, (shared, used): (Option<i64>, u64), steps: &Steps) -> Row {
    let part = &it.part;
    let change = it.change_bytes;
    let key = (part.part, part.name.clone());
    Row {
        name: label(part.part, part.name.as_deref()),
        bytes: part.bytes.map_or_else(|| "unknown".to_owned(), signed),
        change: change.map_or_else(|| "unknown".to_owned(), pretty_signed),
        share: change.map_or_else(String::new, |change| share(change, shared)),
        steps: steps
            .get(&key)
            .map_or_else(String::new, |steps| spark(steps, used / SMALL)),
        why: why_of(it, volume),
    }
}

/// What is shared out: what the volume gained, unless so much went beside it that shares of the rest say nothing.
fn shared(volume: &Volume, total: i64) -> Option<i64> {
    let mut changes = volume.parts.iter().filter_map(|it| it.change_bytes);
    let is_most = changes.all(|change| change.abs() <= total);
    Some(total).filter(|total| *total > 0 && is_most)
}

/// What share of all change that is.
fn share(change: i64, total: Option<i64>) -> String {
    total.map_or_else(String::new, |total| {
        let percent = change as f64 * 100.0 / total as f64;
        format!("{percent:.1} %").replace("-0.0", "0.0")
    })
}

/// Why a part is not known, or may be more, or else why it grew.
fn why_of(it: &PartChange, volume: &Volume) -> String {
    let part = &it.part;
    let cause = volume
        .why
        .iter()
        .find(|cause| (cause.part, cause.name.as_deref()) == part.key());
    let why = part.unknown.clone().or_else(|| {
        part.at_least
            .as_ref()
            .map(|reason| format!("or more: {reason}"))
    });
    why.or_else(|| cause.map(|cause| cause.text.clone()))
        .unwrap_or_default()
}

fn pace(volume: &Volume) -> String {
    let Some(pace) = &volume.pace else {
        return String::new();
    };
    let sign = if pace.bytes_per_hour < 0.0 { "-" } else { "+" };
    format!(
        "{sign}{} an hour now",
        pretty(whole(pace.bytes_per_hour.abs()))
    )
}
