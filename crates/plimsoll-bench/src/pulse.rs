//! What a pulse costs beside a large database with much WAL: time, statements, locks.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use plimsoll_postgres::{Limits, Session, VisitOptions, Volumes, pulse};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::bed::Bed;
use crate::report::Report;
use crate::watch::Watch;

/// Segments that lie in `pg_wal`.
const SEGMENTS: u32 = 2000;
const PULSES: usize = 101;

/// Takes pulses on one connection, as the job does.
pub(crate) fn check(bed: &Bed, runtime: &Runtime, report: &mut Report) -> Result<()> {
    fill_wal(bed)?;
    let watch = Watch::locks(bed.session()?);
    let (mut times, statements) = runtime.block_on(take(bed))?;
    let locks = watch.stop()?;
    bed.wait_until_alone()?;
    times.sort();
    let millis = |at: usize| {
        times
            .get(at)
            .map_or(f64::NAN, |time| time.as_secs_f64() * 1000.0)
    };
    report.at_most(
        &format!("a pulse, connecting apart, {SEGMENTS} WAL segments, median of {PULSES}"),
        millis(PULSES / 2),
        10.0,
        " ms",
    );
    report.tell(
        "a pulse: nine in ten are faster than",
        format!("{:.1} ms", millis(PULSES * 9 / 10)),
    );
    report.must(
        "a pulse: statements",
        statements.to_string(),
        "at most 12",
        statements <= 12,
    );
    report.must(
        "a pulse: locks on user relations",
        format!("{} in {} looks", locks.most, locks.looks),
        "0",
        locks.most == 0,
    );
    Ok(())
}

async fn take(bed: &Bed) -> Result<(Vec<Duration>, u64)> {
    let options = VisitOptions::default();
    let mut session = Session::open(
        &bed.target.url,
        &Limits::from(&options),
        &CancellationToken::new(),
    )
    .await?;
    let volumes = Volumes::default();
    let (mut times, mut statements) = (Vec::with_capacity(PULSES), 0);
    for _ in 0..PULSES {
        session.set_deadline(tokio::time::Instant::now() + options.deadline);
        let began = Instant::now();
        let seen = pulse(&session, &volumes, Timestamp::now()).await?;
        times.push(began.elapsed());
        statements = statements.max(seen.statements);
    }
    session.close().await;
    Ok((times, statements))
}

/// Empty files that look like old segments: a listing and a look at each cost what those of full ones cost. The server
/// removes them at a checkpoint.
fn fill_wal(bed: &Bed) -> Result<()> {
    let folder = bed.server.data_dir().join("pg_wal");
    let mut files = Vec::new();
    for number in 0..SEGMENTS {
        // Of a timeline that nothing else is of.
        let file = folder.join(format!("000000F0{:08X}{:08X}", number / 256, number % 256));
        File::create(&file)
            .and_then(|made| made.set_len(16 << 20))
            .with_context(|| format!("making {}", file.display()))?;
        files.push(file);
    }
    // Whoever the server runs as may look at them.
    let owner = format!("--reference={}", folder.display());
    if !Command::new("chown")
        .arg(&owner)
        .args(&files)
        .status()?
        .success()
    {
        bail!("chown of {SEGMENTS} files failed");
    }
    Ok(())
}
