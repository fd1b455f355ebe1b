//! The disk on one screen: a bar with its line, both what fills it and what would help, for each volume.

mod bar;
mod lines;

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use plimsoll_core::disk::memory::label;
use plimsoll_core::disk::state::{Changed, Dates, Disk, Volume};
use plimsoll_core::name::visible;
use plimsoll_core::size_text::{pretty, pretty_signed};

use super::{Column, table, table_within};
use bar::{bar, segments};
use lines::Lines;

pub(crate) use lines::width;

/// The width of a bar where nothing limits it.
const BAR: usize = 100;
/// Parts below this share of what is used are told together.
const SMALL: u64 = 1000;

/// What a look cost, and what it left out.
pub(crate) struct Looked {
    pub(crate) took: Duration,
    pub(crate) statements: u64,
    /// When databases and the rest of the data directory were read.
    pub(crate) full_at: Option<Timestamp>,
    /// Why they were not read now.
    pub(crate) missing: Option<String>,
}

/// The whole screen: of a look, or of what is kept.
pub(crate) fn screen(
    out: &mut dyn Write,
    instance: &str,
    disk: &Disk,
    looked: Option<&Looked>,
    width: Option<usize>,
) -> io::Result<()> {
    let mut lines = Lines { out, width };
    for (i, volume) in disk.volumes.iter().enumerate() {
        if i > 0 {
            lines.blank()?;
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
        let places = volume.places.join(", ");
        let header = format!(
            "{}  {}  {}{assumed}",
            visible(instance),
            visible(name),
            visible(&places)
        );
        lines.say(&header, 2)?;
        lines.blank()?;
        one(&mut lines, volume)?;
    }
    if disk.volumes.is_empty() {
        lines.say("Nothing is kept of the volumes of this instance yet.", 0)?;
    }
    lines.blank()?;
    match disk.wal.bytes_per_hour {
        Some(rate) => lines.say(&format!("WAL: {} an hour", pretty(whole(rate))), 2)?,
        None => {
            let reason = disk.wal.unknown.as_deref().unwrap_or("unknown");
            lines.say(&format!("WAL an hour: {reason}"), 2)?;
        }
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
        lines.say(&format!("  {bytes:>9}  {}{end}", visible(&held.text)), 13)?;
    }
    footer(&mut lines, disk, looked)
}

fn footer(lines: &mut Lines<'_>, disk: &Disk, looked: Option<&Looked>) -> io::Result<()> {
    let hidden: Vec<String> = disk
        .volumes
        .iter()
        .flat_map(|volume| &volume.parts)
        .filter(|it| it.part.part.is_in_data_directory() && !it.part.is_whole())
        .map(|it| label(it.part.part, it.part.name.as_deref()))
        .collect();
    let seen = if disk.unreachable.is_some() {
        "The parts are those of the last look.".to_owned()
    } else if hidden.is_empty() {
        "All parts visible.".to_owned()
    } else {
        format!(
            "Not or not wholly visible: {} (plimsoll doctor).",
            visible(&hidden.join(", "))
        )
    };
    lines.blank()?;
    if let Some(reason) = &disk.unreachable {
        let text = format!(
            "The server did not answer: {} Only its volumes were looked at.",
            sentence(reason)
        );
        lines.say(&text, 0)?;
    }
    let totals = disk.full_look_at.map_or_else(|| "never".to_owned(), moment);
    match looked {
        Some(looked) => {
            let took = looked.took.as_millis();
            let text = format!(
                "Looked in {took} ms: {} statements, no lock. {seen} Nothing was changed.",
                looked.statements
            );
            lines.say(&text, 0)?;
        }
        None => {
            let at = disk.measured_at.map_or_else(|| "never".to_owned(), moment);
            let text = format!(
                "As kept: looked at {at}, databases {totals}. {seen} Nothing was asked now."
            );
            lines.say(&text, 0)?;
        }
    }
    if let Some(reason) = looked.and_then(|looked| looked.missing.as_ref()) {
        let kept = looked.and_then(|looked| looked.full_at).map_or_else(
            || "none are kept".to_owned(),
            |at| format!("shown as of {}", moment(at)),
        );
        let text = format!(
            "Databases did not fit into the time ({kept}): {}",
            visible(reason)
        );
        lines.say(&text, 0)?;
    }
    Ok(())
}

fn sentence(text: &str) -> String {
    let text = visible(text);
    if text.ends_with('.') {
        text.into_owned()
    } else {
        format!("{text}.")
    }
}

fn one(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    headline(lines, volume)?;
    if let Some(late) = &volume.late {
        let capacity = volume.capacity_bytes.unwrap_or(0);
        let known = u64::try_from(volume.known_bytes).unwrap_or(0);
        let text = format!(
            "{} are known of {}, says {}: {}",
            pretty(known),
            pretty(capacity),
            volume.source.unwrap_or("nobody"),
            visible(late)
        );
        lines.say(&text, 2)?;
        lines.blank()?;
    }
    if let (Some(capacity), Some(available)) = (volume.capacity_bytes, volume.available_bytes) {
        let segments = segments(volume);
        let label = format!(" {}", pretty(capacity));
        let cells = lines
            .width
            .unwrap_or(BAR)
            .saturating_sub(label.chars().count() + 5)
            .clamp(20, 120);
        writeln!(lines.out, "{}┤─⊖─{label}", bar(&segments, capacity, cells))?;
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
        let text = format!(
            "{}   · free {}{reserve}",
            legend.join("   "),
            pretty(available)
        );
        lines.say(&text, 2)?;
        lines.blank()?;
    }
    parts(lines, volume)?;
    reasons(lines, volume)?;
    if !volume.help.is_empty() {
        lines.blank()?;
        lines.say("What would help", 0)?;
    }
    for (number, help) in volume.help.iter().enumerate() {
        let frees = help.frees_bytes.map_or_else(|| "?".to_owned(), pretty);
        let loses = help.loses.as_deref().unwrap_or("nothing");
        let text = format!(
            "{}  {}  frees {frees}, lost: {loses}",
            number + 1,
            visible(&help.text)
        );
        lines.say(&text, 3)?;
        if let Some(command) = &help.command {
            lines.say(&format!("     {}", visible(command)), 5)?;
        }
    }
    if volume
        .help
        .iter()
        .any(|help| help.text.contains("slot") || help.text.contains("archiving"))
    {
        lines.say("Never remove files under pg_wal.", 0)?;
    }
    Ok(())
}

/// Both clocks, and what fills it most.
fn headline(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    match (volume.full.at_pace, &volume.unknown) {
        (Some(dates), _) => lines.say(&clock(dates, "at the present pace"), 2)?,
        (None, Some(reason)) => {
            lines.say(
                &format!("How full it is, is unknown: {}", visible(reason)),
                2,
            )?;
        }
        (None, None) => {
            let reason = volume.pace_unknown.as_deref().unwrap_or("no pace yet");
            let text = format!(
                "When it is full is unknown: {reason}; --watch takes them, and so does serve."
            );
            lines.say(&text, 2)?;
        }
    }
    match (volume.full.forecast, &volume.full.forecast_unknown) {
        (Some(dates), _) => lines.say(&clock(dates, "by the forecast"), 2)?,
        (None, Some(reason)) if volume.unknown.is_none() => {
            lines.say(&format!("No forecast: {}", sentence(reason)), 2)?;
        }
        (None, _) => {}
    }
    if let Some(cause) = volume
        .why
        .first()
        .filter(|cause| cause.change_bytes > 0 && !cause.text.is_empty())
    {
        let name = label(cause.part, cause.name.as_deref());
        let text = format!(
            "{} {}: {}.",
            visible(&name),
            pretty_signed(cause.change_bytes),
            visible(&cause.text)
        );
        lines.say(&text, 2)?;
    }
    lines.blank()
}

fn clock(dates: Dates, by: &str) -> String {
    let date =
        |date: Option<Timestamp>| date.map_or_else(|| "not within a year".to_owned(), moment);
    match dates.mid {
        Some(mid) => format!(
            "Full on {}, {by} ({} to {}).",
            moment(mid),
            date(dates.low),
            date(dates.high)
        ),
        None => match dates.low {
            Some(low) => format!(
                "Not full within a year, {by}; at the earliest on {}.",
                moment(low)
            ),
            None => format!("Not full within a year, {by}."),
        },
    }
}

/// Why parts grew, where there is no room for that beside them.
fn reasons(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    if !lines.is_narrow() {
        return Ok(());
    }
    let mut is_first = true;
    for it in &volume.parts {
        let why = why_of(it, volume);
        if why.is_empty() {
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

fn parts(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
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
    if lines.is_narrow() {
        columns.pop();
        for row in &mut rows {
            row.pop();
        }
    }
    // The first look knows no change.
    if volume.since.is_none() {
        columns.remove(2);
        for row in &mut rows {
            row.remove(2);
        }
    }
    match lines.width {
        Some(width) => {
            let width = u16::try_from(width).unwrap_or(u16::MAX);
            table_within(Some(width), lines.out, &columns, rows)
        }
        None => table(lines.out, &columns, rows),
    }
}

fn row(it: &Changed, volume: &Volume) -> Vec<String> {
    let part = &it.part;
    let change = it
        .change_bytes
        .map_or_else(|| "unknown".to_owned(), pretty_signed);
    let bytes = part.bytes.map_or_else(|| "unknown".to_owned(), signed);
    vec![
        label(part.part, part.name.as_deref()),
        bytes,
        change,
        why_of(it, volume),
    ]
}

/// Why a part is not known, or may be more, or else why it grew.
fn why_of(it: &Changed, volume: &Volume) -> String {
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
