//! `plimsoll events`: what happened and is not growth, and what statistics see in a series.

use std::io::{self, Write};
use std::path::Path;

use plimsoll_core::change::EventKind;
use plimsoll_core::name::{shown, shown_table};
use plimsoll_core::size_text;
use plimsoll_server::answer::events::{self, EventsAnswer, EventsQuery, HappeningAnswer};

use super::{Finding, TAKES_SAMPLES, input};
use crate::args::{self, OutputFormat};
use crate::context::Context;
use crate::output::{self, Column};

pub(crate) async fn run(context: &Context, query: EventsQuery) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let key = context.known_key(&*store).await?;
    let answer = events::events(&*store, &key, &query).await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else if answer.events.is_empty() && !store.databases().await?.contains(&key) {
        output::prose(|out| {
            writeln!(
                out,
                "What happened to {} is not known: there is no sample of it; {TAKES_SAMPLES}.",
                shown(&key.database)
            )
        })?;
    } else {
        output::prose(|out| print(out, &answer))?;
    }
    Ok(Finding::None)
}

/// The shapes of a file's series: needs neither a configuration nor a store.
pub(crate) fn run_on_file(
    path: &Path,
    args: &args::Events,
    output: OutputFormat,
) -> anyhow::Result<Finding> {
    let (series, read) = input::read(
        path,
        &args.reading.options(args.capacity.map(|bytes| bytes.0)),
    )?;
    let answer = events::of_points(&series.points);
    if output == OutputFormat::Json {
        output::json(&read.with(&answer))?;
    } else {
        output::prose(|out| {
            print(out, &answer)?;
            read.print(out)
        })?;
    }
    Ok(Finding::None)
}

fn print(out: &mut dyn Write, answer: &EventsAnswer) -> io::Result<()> {
    if let Some(gone) = answer.gone.as_ref().filter(|_| answer.events.is_empty()) {
        return writeln!(out, "Nothing is known of that time: {}.", gone.text);
    }
    if answer.events.is_empty() {
        return writeln!(out, "Nothing but ordinary growth is known of that time.");
    }
    output::table(
        out,
        &[
            Column::Left("WHEN (UTC)"),
            Column::Left("KIND"),
            Column::Left("OF"),
            Column::Right("BY"),
            Column::Left("DETAIL"),
        ],
        answer.events.iter().map(|event| {
            vec![
                event.t.strftime("%Y-%m-%d %H:%M").to_string(),
                event.kind.to_owned(),
                of(event),
                event
                    .delta_bytes
                    .map_or_else(String::new, size_text::pretty_signed),
                detail(event),
            ]
        }),
    )
}

fn of(event: &HappeningAnswer) -> String {
    match (&event.schema_name, &event.table_name, &event.index_name) {
        (_, _, Some(index)) => shown(index).into_owned(),
        (Some(schema), Some(table), None) => shown_table(schema, table),
        _ if event.kind == EventKind::Resize.as_str() => "a volume".to_owned(),
        _ => "the whole series".to_owned(),
    }
}

fn detail(event: &HappeningAnswer) -> String {
    let mut parts = Vec::new();
    if event.alert {
        parts.push("abnormal growth".to_owned());
    }
    if let (Some(before), Some(after)) = (event.rate_before, event.rate_after) {
        parts.push(format!(
            "{} a day, before {}",
            size_text::pretty_signed(after),
            size_text::pretty_signed(before)
        ));
    }
    if let (Some(before), Some(after)) = (event.bytes_before, event.bytes_after) {
        parts.push(format!(
            "{} to {}",
            size_text::pretty(before),
            size_text::pretty(after)
        ));
    }
    parts.extend(event.detail.clone());
    parts.join("; ")
}
