//! The disk on one screen: a bar with its line, both what fills it and what would help, for each volume.

mod bar;
mod clocks;
mod lines;
mod parts;
pub(crate) mod series;
mod spark;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::counted::{counted, thousands};
use plimsoll_core::disk::memory::label;
use plimsoll_core::disk::state::{Dates, Disk, Volume};
use plimsoll_core::disk::steps::Steps;
use plimsoll_core::name::visible;
use plimsoll_core::size_text::{pretty, pretty_signed};
use plimsoll_postgres::VisitError;

use bar::{bar, segments};
use clocks::clocks;
use lines::Lines;
use parts::{parts, reasons};

pub(crate) use lines::width;
pub(crate) use spark::STEPS;

/// The width of a bar where nothing limits it.
const BAR: usize = 100;

/// What a look cost, and what it left out.
pub(crate) struct LookReport {
    pub(crate) took: Duration,
    pub(crate) statements: u64,
    /// When databases and the rest of the data directory were read.
    pub(crate) full_at: Option<Timestamp>,
    /// Why they were not read now.
    pub(crate) missing: Option<String>,
    /// Why the server did not answer.
    pub(crate) unreachable: Option<VisitError>,
}

/// What is shown.
pub(crate) struct Shown<'a> {
    pub(crate) instance: &'a str,
    pub(crate) disk: &'a Disk,
    /// None where only what is kept is shown.
    pub(crate) looked: Option<&'a LookReport>,
    /// By pool, how each part went.
    pub(crate) steps: &'a BTreeMap<String, Steps>,
    pub(crate) now: Timestamp,
}

/// The whole screen: of a look, or of what is kept.
pub(crate) fn screen(
    out: &mut dyn Write,
    shown: &Shown<'_>,
    width: Option<usize>,
) -> io::Result<()> {
    let Shown {
        instance,
        disk,
        looked,
        ..
    } = *shown;
    let mut lines = Lines {
        out,
        width,
        now: shown.now,
    };
    head(&mut lines, disk)?;
    let none = Steps::new();
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
        let at = disk
            .measured_at
            .map_or_else(String::new, |at| lines.moment(at));
        let header = format!(
            "{}  {}  {}{assumed}  {at}",
            visible(instance),
            visible(name),
            visible(&places)
        );
        lines.say(header.trim_end(), 2)?;
        lines.blank()?;
        let steps = shown.steps.get(&volume.pool).unwrap_or(&none);
        one(&mut lines, volume, steps)?;
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
                .map_or_else(String::new, |at| format!(", on {}", lines.moment(at)));
            format!(" (ended by {by}{at})")
        });
        lines.say(&format!("  {bytes:>9}  {}{end}", visible(&held.text)), 13)?;
    }
    footer(&mut lines, disk, looked)
}

/// What goes before everything else: that the server did not answer, and what is not believed.
fn head(lines: &mut Lines<'_>, disk: &Disk) -> io::Result<()> {
    if let Some(reason) = &disk.unreachable {
        let parts = match disk.answered_at {
            Some(at) => format!("the parts are those of {}", lines.moment(at)),
            None => "nothing is known of its parts".to_owned(),
        };
        let text = format!(
            "THE SERVER DOES NOT ANSWER: {} Only its volumes were looked at, {parts}.",
            sentence(reason)
        );
        lines.say(&text, 2)?;
    }
    for problem in &disk.problems {
        lines.say(&format!("CAPACITY: {}", sentence(problem)), 2)?;
    }
    if disk.unreachable.is_some() || !disk.problems.is_empty() {
        lines.blank()?;
    }
    Ok(())
}

fn footer(lines: &mut Lines<'_>, disk: &Disk, looked: Option<&LookReport>) -> io::Result<()> {
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
    let totals = disk
        .full_look_at
        .map_or_else(|| "never".to_owned(), |at| lines.moment(at));
    match looked {
        Some(looked) => {
            let took = looked.took.as_millis();
            let text = format!(
                "Looked in {took} ms: {}, no lock. {seen} Nothing was changed.",
                counted(looked.statements, "statement")
            );
            lines.say(&text, 0)?;
        }
        None => {
            let at = disk
                .measured_at
                .map_or_else(|| "never".to_owned(), |at| lines.moment(at));
            let text = format!(
                "As kept: looked at {at}, databases {totals}. {seen} Nothing was asked now."
            );
            lines.say(&text, 0)?;
        }
    }
    if let Some(reason) = looked.and_then(|looked| looked.missing.as_ref()) {
        let kept = looked.and_then(|looked| looked.full_at).map_or_else(
            || "none are kept".to_owned(),
            |at| format!("shown as of {}", lines.moment(at)),
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

fn one(lines: &mut Lines<'_>, volume: &Volume, steps: &Steps) -> io::Result<()> {
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
    inodes(lines, volume)?;
    clocks(lines, volume)?;
    parts(lines, volume, steps)?;
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

/// From here on, in per cent, it is told how many inodes are used.
const MANY_INODES: f64 = 80.0;

/// How many inodes are used, where that is near the end or nearer to it than bytes are.
fn inodes(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    let counted_ones = volume.inodes_total.zip(volume.inodes_available);
    let Some((total, left)) = counted_ones.filter(|(total, _)| *total > 0) else {
        return Ok(());
    };
    let used = total.saturating_sub(left);
    let percent = |used: u64, left: u64| used as f64 / (used as f64 + left as f64) * 100.0;
    let of_inodes = percent(used, left);
    let of_bytes = volume.used_bytes.zip(volume.available_bytes);
    let of_bytes = of_bytes.map(|(used, left)| percent(used, left));
    if of_inodes < MANY_INODES && of_bytes.is_some_and(|of_bytes| of_inodes <= of_bytes) {
        return Ok(());
    }
    let text = format!(
        "Inodes: {of_inodes:.1} % of {} are used, {} left; who runs out of them can make no file, whatever room there is.",
        thousands(total),
        thousands(left)
    );
    lines.say(&text, 2)?;
    lines.blank()
}

/// Both clocks, and what fills it most.
fn headline(lines: &mut Lines<'_>, volume: &Volume) -> io::Result<()> {
    match (volume.full.at_pace, &volume.unknown) {
        (Some(dates), _) => lines.say(&clock(lines, dates, "at the present pace"), 2)?,
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
        (Some(dates), _) => lines.say(&clock(lines, dates, "by the forecast"), 2)?,
        (None, Some(reason)) if volume.unknown.is_none() => {
            lines.say(&format!("No forecast: {}", sentence(reason)), 2)?;
        }
        (None, _) => {}
    }
    for resize in &volume.resizes {
        let text = format!(
            "Its capacity became another on {}: {}, before {}.",
            lines.moment(resize.at),
            pretty(resize.after_bytes),
            pretty(resize.before_bytes)
        );
        lines.say(&text, 2)?;
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

fn clock(lines: &Lines<'_>, dates: Dates, by: &str) -> String {
    let date = |date: Option<Timestamp>| {
        date.map_or_else(|| "not within a year".to_owned(), |at| lines.moment(at))
    };
    match dates.mid {
        Some(mid) => format!(
            "Full on {}, {by} ({} to {}).",
            lines.moment(mid),
            date(dates.low),
            date(dates.high)
        ),
        None => match dates.low {
            Some(low) => format!(
                "Not full within a year, {by}; at the earliest on {}.",
                lines.moment(low)
            ),
            None => format!("Not full within a year, {by}."),
        },
    }
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
