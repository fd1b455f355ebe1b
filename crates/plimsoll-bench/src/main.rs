//! Measures what the claims about sizing rest on, and says which of them hold.
//!
//! `PLIMSOLL_BENCH_TABLES`, `PLIMSOLL_BENCH_ROUNDS` and `PLIMSOLL_BENCH_CHURN_SECONDS` make it smaller;
//! only the whole measurement goes into `docs/PERFORMANCE.md`.

mod bed;
mod churn;
mod exact;
mod machine;
mod migration;
mod pulse;
mod report;
mod rounds;
mod serving;
mod watch;
mod ways;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use plimsoll_postgres::{Memory, Target};
use tokio::runtime::Runtime;

use crate::bed::Bed;
use crate::report::Report;
use crate::ways::Way;

const TABLES: u32 = 100_000;
const ROUNDS: u32 = 3;
const CHURN_SECONDS: u64 = 60;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.as_slice() {
        [command, url, way] if command == exact::VISIT_ONCE => visit_once(url, way),
        [command] if command == "pulse" => pulses_alone(),
        _ => run(),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            say(&format!("the measurement failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let tables: u32 = setting("PLIMSOLL_BENCH_TABLES", TABLES)?;
    let rounds: u32 = setting("PLIMSOLL_BENCH_ROUNDS", ROUNDS)?;
    let churn_seconds: u64 = setting("PLIMSOLL_BENCH_CHURN_SECONDS", CHURN_SECONDS)?;
    if tables < 2000 {
        bail!("PLIMSOLL_BENCH_TABLES is {tables}; the migration alone needs 2000");
    }
    let runtime = Runtime::new().context("starting the runtime")?;
    let started = Instant::now();
    say(&format!("making a database of {tables} tables"));
    let bed = Bed::make(tables)?;
    let head = machine::describe(&bed, rounds)?;
    say(&format!(
        "made in {:.0} s\n{head}",
        started.elapsed().as_secs_f64()
    ));

    let mut report = Report::default();
    let mut memory = rounds::measure(&bed, &runtime, rounds, &mut report)?;
    exact::check(&bed, &runtime, &mut report)?;
    pulse::check(&bed, &runtime, &mut report)?;
    serving::check(&bed, &mut report)?;
    migration::check(&bed, &runtime, &mut memory, &mut report)?;
    churn::check(&bed, &runtime, &mut memory, churn_seconds, &mut report)?;

    let whole = tables >= TABLES && rounds >= ROUNDS && churn_seconds >= CHURN_SECONDS;
    if whole {
        report.write(&head)?;
    } else {
        say("a smaller measurement: docs/PERFORMANCE.md stays as it is");
    }
    Ok(match report.missed() {
        0 => ExitCode::SUCCESS,
        missed => {
            say(&format!("{missed} of the bars were missed"));
            ExitCode::FAILURE
        }
    })
}

/// `plimsoll-bench pulse`: nothing but what a pulse costs. Printed, and not kept.
fn pulses_alone() -> Result<ExitCode> {
    let tables: u32 = setting("PLIMSOLL_BENCH_TABLES", TABLES)?;
    let bed = Bed::make(tables)?;
    say(&machine::describe(&bed, 1)?);
    let mut report = Report::default();
    pulse::check(&bed, &Runtime::new()?, &mut report)?;
    Ok(if report.missed() == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Visits, and prints `/proc/self/status`.
fn visit_once(url: &str, way: &str) -> Result<ExitCode> {
    let way = Way::named(way).with_context(|| format!("there is no way {way}"))?;
    let target = Target {
        instance: "bench".into(),
        url: url.parse()?,
    };
    let runtime = Runtime::new()?;
    let mut memory = Memory::default();
    let (_, first) = way.visit(&runtime, &target, &mut memory)?;
    // A server keeps the latest snapshot while it makes the next.
    let (_, second) = way.visit(&runtime, &target, &mut memory)?;
    say(&std::fs::read_to_string("/proc/self/status")?);
    drop((first, second));
    Ok(ExitCode::SUCCESS)
}

fn setting<T: std::str::FromStr>(name: &str, usual: T) -> Result<T> {
    match std::env::var(name) {
        Err(_) => Ok(usual),
        Ok(text) => match text.parse() {
            Ok(value) => Ok(value),
            Err(_) => bail!("{name} is {text:?}; it must be a whole number"),
        },
    }
}

#[expect(clippy::print_stdout, reason = "a bench prints what it measures")]
fn say(text: &str) {
    println!("{text}");
}
