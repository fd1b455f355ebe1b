//! The volumes of an instance: what the page shows first.

use jiff::Timestamp;
use maud::{Markup, html};
use plimsoll_core::size_text::{pretty, pretty_signed};

use crate::answer::disk::{CauseAnswer, DatesAnswer, DiskAnswer, VolumeAnswer};

/// So many parts are listed; the others go by the API.
const LISTED: usize = 8;

/// Each volume: how full, by what, when full, what would help.
pub(super) fn section(disk: &DiskAnswer) -> Markup {
    html! {
        section {
            h2 { "Disk" small { " of " (disk.instance) } }
            @if let Some(reason) = &disk.unreachable {
                p.trouble role="status" { "The server did not answer; only its volumes were looked at: " (reason) }
            }
            @for problem in &disk.problems { p.trouble role="status" { "Capacity: " (problem) } }
            @if disk.volumes.is_empty() { p { "Its volumes have not been looked at yet." } }
            @for volume in &disk.volumes { (one(volume)) }
        }
    }
}

fn one(volume: &VolumeAnswer) -> Markup {
    let name = volume
        .name
        .as_deref()
        .unwrap_or("a volume that is not seen");
    html! {
        h3 { (name) small { " " (volume.places.join(", ")) } }
        @match (volume.capacity_bytes, volume.used_bytes, volume.available_bytes) {
            (Some(capacity), Some(used), Some(available)) => {
                p {
                    meter min="0" max=(capacity) value=(used) high=(capacity / 100 * 85) {}
                    " " (pretty(used)) " of " (pretty(capacity)) " used, " (pretty(available)) " free"
                }
            }
            _ => p { "How full it is, is unknown: " (volume.unknown.as_deref().unwrap_or_default()) }
        }
        p { @match volume.full.at_pace {
            Some(dates) => (clock(dates, "at the present pace")),
            None => { "No pace yet" @if let Some(reason) = &volume.pace_unknown { ": " (reason) } "." }
        } }
        p { @match volume.full.forecast {
            Some(dates) => (clock(dates, "by the forecast")),
            None => { "No forecast" @if let Some(reason) = &volume.full.forecast_unknown { ": " (reason) } "." }
        } }
        (parts(volume))
        @if !volume.help.is_empty() {
            h4 { "What would help" }
            ol { @for help in &volume.help { li {
                (help.text)
                @if let Some(bytes) = help.frees_bytes { ", frees " (pretty(bytes)) }
                "; lost: " (help.loses.as_deref().unwrap_or("nothing"))
                @if let Some(command) = &help.command { br; code { (command) } }
            } } }
        }
    }
}

fn clock(dates: DatesAnswer, by: &str) -> Markup {
    html! { @match dates.mid {
        Some(mid) => { "Full on " (day(mid)) ", " (by) ", " (range(dates)) "." }
        None => { "Not full within a year, " (by) "." }
    } }
}

fn range(dates: DatesAnswer) -> String {
    let text = |date: Option<Timestamp>| date.map_or_else(|| "not within a year".to_owned(), day);
    format!("between {} and {}", text(dates.low), text(dates.high))
}

fn parts(volume: &VolumeAnswer) -> Markup {
    let mut parts: Vec<_> = volume.parts.iter().collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.bytes.map(i64::unsigned_abs)));
    let cause = |kind, name: &Option<String>| -> Option<&CauseAnswer> {
        volume
            .why
            .iter()
            .find(|cause| cause.part == kind && cause.name == *name)
    };
    html! { div.scroll { table {
        thead { tr { th { "Part" } th.number { "Bytes" } th.number { "Change" } th { "Why" } } }
        tbody { @for part in parts.iter().take(LISTED) { tr {
            td { (plimsoll_core::disk::memory::label(part.part, part.name.as_deref())) }
            td.number { @match part.bytes {
                Some(bytes) if bytes >= 0 => (pretty(bytes.unsigned_abs())),
                Some(bytes) => (pretty_signed(bytes)),
                None => "unknown",
            } }
            td.number { @if let Some(change) = part.change_bytes { (pretty_signed(change)) } }
            td { @match (&part.unknown, cause(part.part, &part.name)) {
                (Some(reason), _) => (reason),
                (None, Some(cause)) => (cause.text),
                (None, None) => "",
            } }
        } } }
    } } }
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
