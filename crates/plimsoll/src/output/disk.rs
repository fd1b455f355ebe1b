//! The disk on one screen: a bar with its line, both what fills it and what would help, for each volume.

use std::io::{self, IsTerminal as _, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plimsoll_core::disk::memory::label;
use plimsoll_core::disk::part::Kind;
use plimsoll_core::disk::state::{Changed, Dates, Disk, Volume};
use plimsoll_core::name::visible;
use plimsoll_core::size_text::{pretty, pretty_signed};

use super::{Column, table};

/// Below this width the reasons do not fit beside the parts.
const WIDE: usize = 90;
/// Parts below this share of what is used are told together.
const SMALL: u64 = 1000;

/// The terminal's width; of what is no terminal, wide enough for everything.
pub(crate) fn width() -> usize {
    if io::stdout().is_terminal() {
        comfy_table::Table::new().width().map_or(80, usize::from)
    } else {
        100
    }
}

/// What a look cost, and what it left out.
pub(crate) struct Looked {
    pub(crate) took: Duration,
    pub(crate) statements: u64,
    /// When databases and the rest of the data directory were read.
    pub(crate) full_at: Option<Timestamp>,
    /// Why they were not read now.
    pub(crate) missing: Option<String>,
}

/// The whole screen.
pub(crate) fn screen(
    out: &mut dyn Write,
    instance: &str,
    disk: &Disk,
    looked: &Looked,
    width: usize,
) -> io::Result<()> {
    for (i, volume) in disk.volumes.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        let name = volume
            .name
            .as_deref()
            .unwrap_or("a volume that is not seen");
        let assumed = if volume.assumed {
            ", some of it assumed to lie here"
        } else {
            ""
        };
        writeln!(
            out,
            "{}  {}  {}{assumed}\n",
            visible(instance),
            visible(name),
            volume.places.join(", ")
        )?;
        one(out, volume, width)?;
    }
    writeln!(out)?;
    match disk.wal.bytes_per_hour {
        Some(rate) => writeln!(out, "WAL: {} an hour", pretty(whole(rate)))?,
        None => writeln!(
            out,
            "WAL an hour: {}",
            disk.wal.unknown.as_deref().unwrap_or("unknown")
        )?,
    }
    for held in disk
        .wal
        .retained_by
        .iter()
        .filter(|held| held.holder.bytes.is_none_or(|bytes| bytes > 0))
    {
        let bytes = held
            .holder
            .bytes
            .map_or_else(|| "unknown".to_owned(), pretty);
        let end = held.ends_by.as_deref().map_or_else(String::new, |by| {
            let at = held
                .ends_at
                .map_or_else(String::new, |at| format!(", on {}", moment(at)));
            format!(" (ended by {by}{at})")
        });
        writeln!(out, "  {bytes:>9}  {}{end}", visible(&held.text))?;
    }
    footer(out, disk, looked)
}

fn footer(out: &mut dyn Write, disk: &Disk, looked: &Looked) -> io::Result<()> {
    let hidden: Vec<String> = disk
        .volumes
        .iter()
        .flat_map(|volume| &volume.parts)
        .filter(|it| it.part.part.is_in_data_directory() && !it.part.is_whole())
        .map(|it| label(it.part.part, it.part.name.as_deref()))
        .collect();
    let seen = if hidden.is_empty() {
        "All parts visible.".to_owned()
    } else {
        format!(
            "Not or not wholly visible: {} (plimsoll doctor).",
            visible(&hidden.join(", "))
        )
    };
    let took = looked.took.as_millis();
    writeln!(
        out,
        "\nLooked in {took} ms: {} statements, no lock. {seen} Nothing was changed.",
        looked.statements
    )?;
    if let Some(reason) = &looked.missing {
        let kept = looked.full_at.map_or_else(
            || "none are kept".to_owned(),
            |at| format!("shown as of {}", moment(at)),
        );
        writeln!(
            out,
            "Databases did not fit into the time ({kept}): {}",
            visible(reason)
        )?;
    }
    Ok(())
}

fn one(out: &mut dyn Write, volume: &Volume, width: usize) -> io::Result<()> {
    headline(out, volume)?;
    if let Some(late) = &volume.late {
        let capacity = volume.capacity_bytes.unwrap_or(0);
        let known = u64::try_from(volume.known_bytes).unwrap_or(0);
        writeln!(
            out,
            "{} are known of {}, says {}: {}\n",
            pretty(known),
            pretty(capacity),
            volume.source.unwrap_or("nobody"),
            visible(late)
        )?;
    }
    if let (Some(capacity), Some(available)) = (volume.capacity_bytes, volume.available_bytes) {
        let segments = segments(volume);
        let label = format!(" {}", pretty(capacity));
        let cells = width
            .saturating_sub(label.chars().count() + 5)
            .clamp(20, 120);
        writeln!(out, "{}┤─⊖─{label}", bar(&segments, capacity, cells))?;
        let legend: Vec<String> = segments
            .iter()
            .filter(|segment| segment.bytes > 0)
            .map(|segment| {
                format!(
                    "{} {} {}",
                    segment.mark,
                    visible(&segment.name),
                    pretty(segment.bytes)
                )
            })
            .collect();
        let used = volume.used_bytes.unwrap_or(0);
        // Free, but for root only.
        let reserve = match capacity.saturating_sub(used).saturating_sub(available) {
            0 => String::new(),
            bytes => format!("   · kept for root {}", pretty(bytes)),
        };
        writeln!(
            out,
            "{}   · free {}{reserve}\n",
            legend.join("   "),
            pretty(available)
        )?;
    }
    parts(out, volume, width)?;
    if !volume.help.is_empty() {
        writeln!(out, "\nWhat would help")?;
    }
    for (number, help) in volume.help.iter().enumerate() {
        let frees = help.frees_bytes.map_or_else(|| "?".to_owned(), pretty);
        let loses = help.loses.as_deref().unwrap_or("nothing");
        writeln!(
            out,
            "{}  {}  frees {frees}, lost: {loses}",
            number + 1,
            visible(&help.text)
        )?;
        if let Some(command) = &help.command {
            writeln!(out, "     {}", visible(command))?;
        }
    }
    if volume
        .help
        .iter()
        .any(|help| help.text.contains("slot") || help.text.contains("archiving"))
    {
        writeln!(out, "Never remove files under pg_wal.")?;
    }
    Ok(())
}

fn headline(out: &mut dyn Write, volume: &Volume) -> io::Result<()> {
    match (volume.full.at_pace, &volume.pace, &volume.unknown) {
        (
            Some(Dates {
                mid: Some(mid),
                low,
                high,
            }),
            ..,
        ) => {
            let date = |date: Option<Timestamp>| {
                date.map_or_else(|| "not within a year".to_owned(), moment)
            };
            writeln!(
                out,
                "Full on {}, at the present pace ({} to {}).",
                moment(mid),
                date(low),
                date(high)
            )?;
        }
        (Some(_), ..) => writeln!(out, "Not full within a year, at the present pace.")?,
        (None, _, Some(reason)) => {
            writeln!(out, "How full it is, is unknown: {}", visible(reason))?;
        }
        (None, ..) => {
            let reason = volume.pace_unknown.as_deref().unwrap_or("no pace yet");
            writeln!(
                out,
                "When it is full is unknown: {reason}; --watch takes them."
            )?;
        }
    }
    if let Some(cause) = volume
        .why
        .first()
        .filter(|cause| cause.change_bytes > 0 && !cause.text.is_empty())
    {
        let name = label(cause.part, cause.name.as_deref());
        writeln!(
            out,
            "{} {}: {}.",
            visible(&name),
            pretty_signed(cause.change_bytes),
            visible(&cause.text)
        )?;
    }
    writeln!(out)
}

fn parts(out: &mut dyn Write, volume: &Volume, width: usize) -> io::Result<()> {
    let used = volume
        .used_bytes
        .unwrap_or_else(|| u64::try_from(volume.known_bytes).unwrap_or(0));
    let is_small = |it: &&Changed| {
        let bytes = it.part.bytes.map(i64::unsigned_abs);
        bytes.is_some_and(|bytes| bytes.saturating_mul(SMALL) < used)
            && it.change_bytes.unwrap_or(0) == 0
    };
    let mut listed: Vec<&Changed> = volume.parts.iter().filter(|it| !is_small(it)).collect();
    listed.sort_by_key(|it| (it.part.part.is_rest(), std::cmp::Reverse(it.part.bytes)));
    let small: Vec<&Changed> = volume.parts.iter().filter(is_small).collect();
    let total: i64 = volume.parts.iter().filter_map(|it| it.change_bytes).sum();
    let mut rows: Vec<Vec<String>> = listed.iter().map(|it| row(it, volume)).collect();
    if !small.is_empty() {
        let bytes: i64 = small.iter().filter_map(|it| it.part.bytes).sum();
        let name = if small.len() == 1 {
            "1 small part".to_owned()
        } else {
            format!("{} small parts", small.len())
        };
        rows.push(vec![
            name,
            signed(bytes),
            "0 bytes".into(),
            "each with --output json".into(),
        ]);
    }
    let name = volume.used_bytes.map_or("known", |_| "used");
    rows.push(vec![
        name.into(),
        pretty(used),
        pretty_signed(total),
        pace(volume),
    ]);
    let mut columns = vec![
        Column::Left("Part"),
        Column::Right("Bytes"),
        Column::Right("Change"),
        Column::Left("Why"),
    ];
    if width < WIDE {
        columns.pop();
    }
    // The first look knows no change.
    if volume.since.is_none() {
        columns.remove(2);
        for row in &mut rows {
            row.remove(2);
        }
    }
    table(out, &columns, rows)
}

fn row(it: &Changed, volume: &Volume) -> Vec<String> {
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
    let why = why
        .or_else(|| cause.map(|cause| cause.text.clone()))
        .unwrap_or_default();
    let change = it
        .change_bytes
        .map_or_else(|| "unknown".to_owned(), pretty_signed);
    let bytes = part.bytes.map_or_else(|| "unknown".to_owned(), signed);
    vec![label(part.part, part.name.as_deref()), bytes, change, why]
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

struct Segment {
    mark: char,
    name: String,
    bytes: u64,
}

/// The largest database, other parts, what is nobody's, and WAL, in the order of the bar.
fn segments(volume: &Volume) -> [Segment; 4] {
    let bytes = |wanted: &dyn Fn(&Changed) -> bool| -> u64 {
        let sum: i64 = volume
            .parts
            .iter()
            .filter(|it| wanted(it))
            .filter_map(|it| it.part.bytes)
            .sum();
        u64::try_from(sum).unwrap_or(0)
    };
    let largest = volume
        .parts
        .iter()
        .filter(|it| it.part.part == Kind::Database)
        .max_by_key(|it| it.part.bytes);
    let key = largest.map(|it| it.part.key());
    let name = key
        .and_then(|(_, name)| name)
        .unwrap_or("databases")
        .to_owned();
    let is_largest = |it: &Changed| Some(it.part.key()) == key;
    let segment = |mark, name: &str, bytes| Segment {
        mark,
        name: name.to_owned(),
        bytes,
    };
    [
        segment('▓', &name, bytes(&is_largest)),
        segment(
            '▒',
            "other parts",
            bytes(&|it| !is_largest(it) && it.part.part != Kind::Wal && !it.part.part.is_rest()),
        ),
        segment(
            '░',
            "elsewhere and unexplained",
            bytes(&|it| it.part.part.is_rest()),
        ),
        segment('█', "WAL", bytes(&|it| it.part.part == Kind::Wal)),
    ]
}

/// Cells in proportion to bytes: none is lost to rounding, and what is free has a mark at 85 and at 95 %.
fn bar(segments: &[Segment], capacity: u64, cells: usize) -> String {
    let cell = |bytes: u64| -> usize {
        let cells = u128::from(bytes) * cells as u128 * 2 / u128::from(capacity.max(1));
        usize::try_from(cells.div_ceil(2)).unwrap_or(usize::MAX)
    };
    let mut bar: Vec<char> = Vec::with_capacity(cells);
    let mut sum = 0_u64;
    for segment in segments {
        sum = sum.saturating_add(segment.bytes);
        while bar.len() < cell(sum).min(cells) {
            bar.push(segment.mark);
        }
    }
    while bar.len() < cells {
        let here = bar.len();
        let is_line = [85, 95].iter().any(|percent| cells * percent / 100 == here);
        bar.push(if is_line { '┊' } else { '·' });
    }
    bar.into_iter().collect()
}

fn moment(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%a %e %b %H:%M UTC")
        .to_string()
}

fn signed(bytes: i64) -> String {
    if bytes < 0 {
        pretty_signed(bytes)
    } else {
        pretty(bytes.unsigned_abs())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates"
)]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_it_is_wide_and_loses_no_cell_to_rounding() {
        let segment = |mark, bytes| Segment {
            mark,
            name: String::new(),
            bytes,
        };
        for (bytes, capacity, cells, expected) in [
            ([25, 25, 0, 25], 100, 20, "▓▓▓▓▓▒▒▒▒▒█████··┊·┊"),
            ([0, 0, 0, 0], 100, 20, "·················┊·┊"),
            ([50, 30, 20, 0], 100, 10, "▓▓▓▓▓▒▒▒░░"),
            ([90, 90, 0, 0], 100, 10, "▓▓▓▓▓▓▓▓▓▒"),
            ([0, 0, 0, 0], 0, 10, "········┊┊"),
            ([33, 33, 33, 1], 100, 10, "▓▓▓▒▒▒▒░░░"),
        ] {
            let segments: Vec<Segment> = ['▓', '▒', '░', '█']
                .into_iter()
                .zip(bytes)
                .map(|(mark, bytes)| segment(mark, bytes))
                .collect();
            assert_eq!(bar(&segments, capacity, cells), expected, "{bytes:?}");
        }
    }
}
