//! Scores the rules of alerts on labelled series of days and on made-up servers by the minute, beside what others use,
//! and writes the tables into a Markdown file.
//!
//! `make alert-score` has it do so with `docs/ALERTS.md`, between the two comments that say so. Each folder has series as
//! `bench/growth/synth.py` writes them, with its `labels.json`, or the real ones of `bench/growth`. `--seeds FIRST COUNT`
//! says which servers are made up.
#![expect(clippy::print_stderr, reason = "it says how far it is")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "made-up numbers are small"
)]

#[path = "../leave_one_out/csv.rs"]
mod csv;
mod days;
#[path = "../pace_score/dice.rs"]
#[expect(dead_code, reason = "nothing here is normally distributed")]
mod dice;
mod minutes;
mod others;
mod score;
mod tables;
mod told;
mod worlds;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::forecast::{KnownChange, Point};
use serde::Deserialize;

use days::Series;
use worlds::{HARMFUL, HARMLESS};

const BEGIN: &str = "<!-- alert scores: written by make alert-score -->\n";
const END: &str = "<!-- end of alert scores -->";
/// Of a real series the sizes that it reached after these shares of its time are taken for limits.
const LIMITS: [f64; 3] = [0.5, 0.7, 0.9];

/// What `synth.py` and `labels.py` say of a series.
#[derive(Debug, Deserialize)]
struct Label {
    events: Vec<LabelledEvent>,
    limit_bytes: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct LabelledEvent {
    t: Timestamp,
    kind: String,
    alert: bool,
    delta_bytes: Option<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = args
        .next()
        .ok_or("usage: alert_score FILE.md [--seeds FIRST COUNT] FOLDER...")?;
    let file = std::fs::read_to_string(&path)?;
    let (before, rest) = file
        .split_once(BEGIN)
        .ok_or("the file lacks the comment that begins the scores")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("the file lacks the comment that ends the scores")?;
    let mut sets: BTreeMap<&str, Vec<Series>> = BTreeMap::new();
    let mut seeds = 1..=5;
    while let Some(arg) = args.next() {
        if arg == "--seeds" {
            let mut number = || {
                args.next()
                    .ok_or("--seeds FIRST COUNT")?
                    .parse::<u64>()
                    .map_err(Box::<dyn Error>::from)
            };
            let (first, count) = (number()?, number()?);
            seeds = first..=first + count - 1;
            continue;
        }
        let folder = Path::new(&arg);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let set = match &*name {
            name if name.starts_with("hard") => "synthetic, hard",
            name if name.starts_with("plain") => "synthetic",
            _ => "real",
        };
        sets.entry(set)
            .or_default()
            .extend(read(folder, set == "real")?);
    }
    let mut text = String::new();
    let order = [
        tables::GROWTH[0],
        tables::GROWTH[1],
        tables::EITHER,
        "time_to_full",
        days::LINEAR_DAYS,
        days::STATIC,
    ];
    for (set, series) in &sets {
        let count = series
            .iter()
            .filter(|series| series.is_scored_for_growth)
            .count();
        eprintln!("{set}: {count} series");
        writeln!(text, "\n{count} series ({set}), sample by sample:\n")?;
        tables::table(&mut text, &tables::of_days(series), &order)?;
    }
    let kinds: Vec<_> = HARMLESS.into_iter().chain(HARMFUL).collect();
    let seeds: Vec<u64> = seeds.collect();
    eprintln!("{} servers", kinds.len() * seeds.len());
    let played = tables::of_minutes(&kinds, &seeds);
    writeln!(
        text,
        "\n{} made-up servers, minute by minute:\n",
        kinds.len() * seeds.len()
    )?;
    let order: Vec<_> = [
        "filling_fast",
        "time_to_full",
        "volume_full",
        "wal_retention",
        "growth_warning",
        "abnormal_growth",
        "unattributed_growth",
    ]
    .into_iter()
    .chain(minutes::LINEAR.iter().map(|(name, ..)| *name))
    .chain([minutes::STATIC])
    .collect();
    tables::table(&mut text, &played.scores, &order)?;
    text += "\nWhat was told of each kind of them:\n\n";
    tables::kinds_table(&mut text, &played)?;
    std::fs::write(path, format!("{before}{BEGIN}{text}{END}{after}"))?;
    Ok(())
}

fn read(folder: &Path, is_real: bool) -> Result<Vec<Series>, Box<dyn Error>> {
    let labels: BTreeMap<String, Label> =
        serde_json::from_str(&std::fs::read_to_string(folder.join("labels.json"))?)?;
    let mut all = Vec::new();
    for (name, label) in labels {
        let text = std::fs::read_to_string(folder.join(format!("{name}.csv")))?;
        let mut points = csv::points(&text)?;
        points.sort_by_key(|point| point.at);
        let onsets = label.events.iter().filter(|event| event.alert);
        let series = Series {
            limit_bytes: label.limit_bytes.map(|bytes| bytes as u64),
            onsets: onsets.map(|event| event.t).collect(),
            // The real ones are sizes of folders: nobody saw what happened to a table.
            known: if is_real { Vec::new() } else { known(&label) },
            points,
            is_scored_for_growth: true,
        };
        if is_real {
            all.extend(LIMITS.map(|share| limited(&series, share)));
        }
        all.push(series);
    }
    Ok(all)
}

/// Rewrites and truncates, which Plimsoll sees.
fn known(label: &Label) -> Vec<KnownChange> {
    let falls = label
        .events
        .iter()
        .filter(|event| event.kind == "level_down");
    let change = |event: &LabelledEvent| KnownChange {
        at: event.t - SignedDuration::from_hours(1),
        delta_bytes: event.delta_bytes.map(|bytes| bytes as i64),
    };
    falls.map(change).collect()
}

/// The same series with the largest size of its first part as a limit.
fn limited(series: &Series, share: f64) -> Series {
    let first = &series.points[..(share * series.points.len() as f64) as usize];
    let largest = first.iter().map(|point: &Point| point.bytes).max();
    Series {
        points: series.points.clone(),
        limit_bytes: largest.map(|bytes| bytes + 1),
        onsets: Vec::new(),
        known: series.known.clone(),
        is_scored_for_growth: false,
    }
}
