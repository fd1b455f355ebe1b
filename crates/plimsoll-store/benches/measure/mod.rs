//! Bars: what was measured beside what is promised, and an exit code that tells.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

static MISSED: AtomicU32 = AtomicU32::new(0);

/// The exit code of a bench: 1 where a bar was missed.
pub(crate) fn verdict() -> ExitCode {
    match MISSED.load(Ordering::Relaxed) {
        0 => ExitCode::SUCCESS,
        missed => {
            println!("{missed} MISSED");
            ExitCode::FAILURE
        }
    }
}

fn judged(is_met: bool) -> &'static str {
    if is_met {
        return "ok";
    }
    MISSED.fetch_add(1, Ordering::Relaxed);
    "MISSED"
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap()) / 1000.0
}

/// Milliseconds by the clock, and on a processor: on a busy machine the two differ.
pub(crate) type Took = (f64, f64);

pub(crate) struct Clock(Instant, f64);

impl Clock {
    pub(crate) fn now() -> Self {
        Self(Instant::now(), processor_ms())
    }

    pub(crate) fn elapsed(&self) -> Took {
        (
            self.0.elapsed().as_secs_f64() * 1000.0,
            processor_ms() - self.1,
        )
    }
}

/// What all threads of this process have used, in milliseconds (`/proc/PID/task/TID/schedstat`).
fn processor_ms() -> f64 {
    let nanoseconds: u64 = std::fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
        .filter_map(|text| text.split(' ').next()?.parse::<u64>().ok())
        .sum();
    std::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0
}

fn median(took: &mut [Took]) -> Took {
    let middle = took.len() / 2;
    took.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let wall = took[middle].0;
    took.sort_unstable_by(|a, b| a.1.total_cmp(&b.1));
    (wall, took[middle].1)
}

/// A bar for a time, in a unit of so many milliseconds.
pub(crate) fn bar_of(what: &str, took: &mut [Took], at_most: f64, unit_ms: f64, unit: &str) {
    let (wall, processor) = median(took);
    let what = format!(
        "{what} ({:.2} {unit} on our processors)",
        processor / unit_ms
    );
    bar(&what, wall / unit_ms, unit, at_most);
}

pub(crate) fn bar(what: &str, is: f64, unit: &str, at_most: f64) {
    let verdict = judged(is <= at_most);
    println!("{what}: {is:.2} {unit} (at most {at_most}) {verdict}");
}

pub(crate) fn at_least(what: &str, is: f64, at_least: f64) {
    let verdict = judged(is >= at_least);
    println!("{what}: {is:.1} (at least {at_least}) {verdict}");
}
