//! Plays the lives of series again: what shapes were seen as each sample came in.
//!
//! `cargo run --profile fast -p plimsoll-core --example replay -- [--moves] FOLDER...`
//!
//! Without `--moves` it prints what `score.py events` reads: the shapes as of every second day of `synth_*.csv` and of
//! every seventh of the others. With it, it looks after every sample, and prints by how much the onset of the same shape
//! moved in all that time: shapes of one family (growth, level_down, slope_down) within 20 days of each other are one.
#![expect(clippy::print_stdout, reason = "it prints its result")]

#[path = "../leave_one_out/csv.rs"]
mod csv;

use std::error::Error;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::events::{Shape, ShapeKind, shapes};
use plimsoll_core::forecast::Point;

const FIRST_DAY: i64 = 90;
const SAME_ONSET_DAYS: i64 = 20;

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// How many samples are known at each day on which `score.py` looks.
fn looks(name: &str, points: &[Point]) -> Vec<usize> {
    let step = days(if name.starts_with("synth") { 2 } else { 7 });
    let (first, last) = (points[0].at, points[points.len() - 1].at);
    std::iter::successors(Some(first + days(FIRST_DAY)), |&at| Some(at + step))
        .take_while(|&at| at <= last)
        .map(|at| points.partition_point(|point| point.at <= at))
        .collect()
}

fn print_stream(name: &str, points: &[Point]) {
    for known in looks(name, points) {
        let events: Vec<String> = shapes(&points[..known], &[])
            .iter()
            .map(|shape| {
                let (t, kind, alert) = (shape.t, shape.kind.as_str(), shape.alert);
                format!(r#"{{"t": "{t}", "kind": "{kind}", "alert": {alert}}}"#)
            })
            .collect();
        println!(
            r#"{{"series": "{name}", "asof": "{}", "events": [{}]}}"#,
            points[known - 1].at,
            events.join(", ")
        );
    }
}

/// An onset as it was told over time.
struct Onset {
    kinds: Vec<ShapeKind>,
    first: Timestamp,
    earliest: Timestamp,
    latest: Timestamp,
}

const fn is_growth(kind: ShapeKind) -> bool {
    matches!(
        kind,
        ShapeKind::LevelUp | ShapeKind::SlopeUp | ShapeKind::Burst
    )
}

impl Onset {
    fn is(&self, shape: &Shape) -> bool {
        let told = self.kinds[0];
        let same = told == shape.kind || is_growth(told) && is_growth(shape.kind);
        same && shape.t.duration_since(self.first).abs() <= days(SAME_ONSET_DAYS)
    }

    fn moved_days(&self) -> f64 {
        self.latest.duration_since(self.earliest).as_secs_f64() / 86_400.0
    }
}

/// Every onset that was told, however it was dated later.
fn onsets(points: &[Point]) -> Vec<Onset> {
    let mut onsets: Vec<Onset> = Vec::new();
    for known in 20..=points.len() {
        for shape in shapes(&points[..known], &[]) {
            let nearest = onsets
                .iter_mut()
                .filter(|onset| onset.is(&shape))
                .min_by_key(|onset| shape.t.duration_since(onset.first).abs());
            if let Some(onset) = nearest {
                onset.earliest = onset.earliest.min(shape.t);
                onset.latest = onset.latest.max(shape.t);
                if onset.kinds.last() != Some(&shape.kind) {
                    onset.kinds.push(shape.kind);
                }
            } else {
                onsets.push(Onset {
                    kinds: vec![shape.kind],
                    first: shape.t,
                    earliest: shape.t,
                    latest: shape.t,
                });
            }
        }
    }
    onsets
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "csv") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn main() -> Result<(), Box<dyn Error>> {
    let (options, folders): (Vec<_>, Vec<_>) =
        std::env::args().skip(1).partition(|word| word == "--moves");
    let (mut series, mut count, mut kinds, mut moved) = (0, 0, 0, Vec::new());
    for folder in &folders {
        for path in files(Path::new(folder))? {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let mut points = csv::points(&std::fs::read_to_string(&path)?)?;
            points.sort_by_key(|point| point.at);
            if options.is_empty() {
                print_stream(&name, &points);
                continue;
            }
            series += 1;
            for onset in onsets(&points) {
                count += 1;
                kinds += usize::from(onset.kinds.len() > 1);
                if onset.moved_days() > 1.0 {
                    println!(
                        "{name}: {} moved by {:.1} days",
                        onset.first,
                        onset.moved_days()
                    );
                    moved.push(onset.moved_days());
                }
            }
        }
    }
    if !options.is_empty() {
        println!(
            "{count} onsets in {series} series: {} moved by more than a day, {kinds} were told as another kind later",
            moved.len()
        );
    }
    Ok(())
}
