//! `plimsoll import`: an export, or the sizes that PgHero or another tool kept, become history.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use plimsoll_core::name::{shown, visible};
use plimsoll_server::clock::SystemClock;
use plimsoll_server::forecasting;
use plimsoll_store::transfer::csv::{self, Imported, Options, Relations};
use plimsoll_store::transfer::ndjson::ImportedHistories;
use plimsoll_store::transfer::{Fit, ImportProgress, TransferError, ndjson, pghero};
use plimsoll_store::{ImportedHistory, Store};
use secrecy::ExposeSecret as _;
use serde::Serialize;

use super::{Finding, input};
use crate::args;
use crate::args::ImportFrom;
use crate::context::Context;
use crate::output::{self, thousands};
use crate::progress::Counter;
use crate::secrets::has_password;
use crate::signals::Stop;

/// The list of processes shows what was typed.
const TYPED: &str = "every user of this machine can read the password in the URL in the list of processes; \
    PGPASSWORD or ~/.pgpass keeps it out of there";

#[derive(Serialize)]
struct ImportReport {
    databases: Vec<Database>,
    disks: Vec<Disk>,
    bad_lines: Vec<String>,
    bad_lines_total: u64,
    /// What was assumed, and what was left out.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Database {
    instance: String,
    database: String,
    samples_added: u64,
    samples_left_out: u64,
}

#[derive(Serialize)]
struct Disk {
    instance: String,
    looks_added: u64,
    looks_left_out: u64,
}

pub(crate) async fn run(context: &Context, args: args::Import) -> anyhow::Result<Finding> {
    // What is refused leaves no new store behind: one is set up once all was read.
    let store = context.store_to_begin().await?;
    let progress = Arc::new(ImportProgress::at(Timestamp::now()));
    let options = Options {
        progress: Arc::clone(&progress),
        source_database: args.source_database,
        skip_bad_samples: args.skip_bad_samples,
        reading: args.reading.options(args.capacity.map(|bytes| bytes.0)),
    };
    let counter = Counter::new();
    let path = match &args.from {
        ImportFrom::File(path) => path,
        ImportFrom::Database(url) => {
            let url = url.expose_secret();
            if has_password(url) {
                tracing::warn!("{TYPED}");
            }
            counter.at("reading pghero_space_stats");
            let file = watched(&progress, &counter, pghero::read(url)).await?;
            drop(counter);
            let imported = relations(context, &*store, file, &options).await?;
            return sizes(context, &*store, imported).await;
        }
    };
    let from = path.display();
    let mut input = input::open(path).with_context(|| format!("cannot read {from}"))?;
    let is_ndjson = is_export(&mut input)?;
    let named = || format!("cannot import {from}");
    if is_ndjson {
        let importing = ndjson::import(&*store, input, &progress);
        let moved = watched(&progress, &counter, importing)
            .await
            .with_context(named)?;
        drop(counter);
        forecast(&*store, &moved.databases).await;
        return report(context, &moved, Vec::new(), 0, None);
    }
    drop(counter);
    let imported = relations(context, &*store, input, &options)
        .await
        .with_context(named)?;
    sizes(context, &*store, imported).await
}

/// Imports a file of sizes. Where tables and indexes are mixed in it and the store cannot tell them apart, the
/// watched database is asked.
async fn relations(
    context: &Context,
    store: &dyn Store,
    input: File,
    options: &Options,
) -> anyhow::Result<(Imported, Option<String>)> {
    let key = context.key(store).await?;
    let counter = Counter::new();
    let reading = csv::read(store, &key, input, options);
    let staged = watched(&options.progress, &counter, reading).await?;
    drop(counter);
    let (told, unreachable) = match staged.needs_relations() {
        false => (None, None),
        true => match context.visit().await {
            Ok(snapshot) => (Some(Relations::of_snapshot(&snapshot)), None),
            Err(error) => (None, Some(format!("{error:#}"))),
        },
    };
    let counter = Counter::new();
    let keeping = csv::keep(store, staged, told);
    let imported = watched(&options.progress, &counter, keeping).await?;
    Ok((imported, unreachable))
}

/// Makes the forecasts of what was imported, so that all that is asked of it agrees at once.
async fn forecast(store: &dyn Store, histories: &[ImportedHistory]) {
    for history in histories.iter().filter(|history| history.samples > 0) {
        if let Err(error) = forecasting::refresh(store, &history.of, &SystemClock).await {
            tracing::warn!(%error, database = history.of.database, "storage.forecast.not_made");
        }
    }
}

/// Shows how far an import has come, and has it end in order when the program is to: it waits for its end, so
/// that the store and the temporary folder are as they were.
async fn watched<T>(
    progress: &ImportProgress,
    counter: &Counter,
    importing: impl Future<Output = Result<T, TransferError>>,
) -> anyhow::Result<T> {
    const LOOK: Duration = Duration::from_millis(200);
    let mut stop = Stop::listen()?;
    let mut importing = pin!(importing);
    let mut is_asked = false;
    loop {
        tokio::select! {
            ended = &mut importing => return Ok(ended?),
            () = tokio::time::sleep(LOOK) => {
                let (read, written) = progress.so_far();
                counter.at(&match written {
                    0 => format!("{} sizes read", thousands(read)),
                    written => format!("{} rows written", thousands(written)),
                });
            }
            _ = stop.received(), if !is_asked => {
                is_asked = true;
                progress.stop();
            }
        }
    }
}

/// Whether the input is an export of ours: a line for each row.
fn is_export(input: &mut File) -> io::Result<bool> {
    let mut start = Vec::new();
    input.take(64).read_to_end(&mut start)?;
    input.rewind()?;
    let start = start.trim_ascii_start();
    Ok(start.starts_with(b"{\"row\":"))
}

async fn sizes(
    context: &Context,
    store: &dyn Store,
    (imported, unreachable): (Imported, Option<String>),
) -> anyhow::Result<Finding> {
    let hint = (imported.told_by_names && imported.history.samples > 0).then(|| {
        format!(
            "which relations are indexes was told by their names, as the store knew nothing of the database, and \
             nobody could ask it ({})",
            unreachable.as_deref().unwrap_or("it was not asked")
        )
    });
    let moved = ImportedHistories {
        databases: vec![imported.history],
        disks: Vec::new(),
    };
    forecast(store, &moved.databases).await;
    report(
        context,
        &moved,
        imported.bad_lines,
        imported.bad_lines_total,
        imported
            .notes
            .iter()
            .map(String::as_str)
            .chain(hint.as_deref()),
    )
}

fn report<'a>(
    context: &Context,
    moved: &ImportedHistories,
    bad_lines: Vec<String>,
    bad_lines_total: u64,
    notes: impl IntoIterator<Item = &'a str>,
) -> anyhow::Result<Finding> {
    let notes: Vec<String> = notes.into_iter().map(str::to_owned).collect();
    if context.wants_json() {
        output::json(&ImportReport {
            disks: moved
                .disks
                .iter()
                .map(|disk| Disk {
                    instance: disk.instance.clone(),
                    looks_added: disk.looks,
                    looks_left_out: disk.left_out,
                })
                .collect(),
            databases: moved
                .databases
                .iter()
                .map(|history| Database {
                    instance: history.of.instance.clone(),
                    database: history.of.database.clone(),
                    samples_added: history.samples,
                    samples_left_out: history.left_out,
                })
                .collect(),
            bad_lines,
            bad_lines_total,
            notes,
        })?;
        return Ok(Finding::None);
    }
    output::prose(|out| {
        for history in &moved.databases {
            let left_out = match history.left_out {
                0 => String::new(),
                left_out => format!(
                    "; {} left out, the store has samples of that time",
                    thousands(left_out)
                ),
            };
            let place = match history.fit {
                Fit::Before => ", before those it had",
                Fit::After => ", after those it had",
                Fit::New | Fit::Nothing => "",
            };
            writeln!(
                out,
                "{} on {}: {} added{place}{left_out}",
                shown(&history.of.database),
                visible(&history.of.instance),
                output::count(history.samples, "sample"),
            )?;
        }
        for disk in &moved.disks {
            let left_out = match disk.left_out {
                0 => String::new(),
                left_out => format!(
                    "; {} left out, the store has looks of that time",
                    thousands(left_out)
                ),
            };
            writeln!(
                out,
                "volumes of {}: {} added{left_out}",
                visible(&disk.instance),
                output::count(disk.looks, "look"),
            )?;
        }
        if bad_lines_total > 0 {
            writeln!(
                out,
                "{}, their samples left out: {}",
                output::count(bad_lines_total, "bad line"),
                visible(&bad_lines.join("; "))
            )?;
        }
        for note in &notes {
            writeln!(out, "Note: {note}.")?;
        }
        Ok(())
    })?;
    Ok(Finding::None)
}
