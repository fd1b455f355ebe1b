//! `plimsoll history`: the samples of a database, or the plot of one table.

use std::io::{self, Write};

use jiff::Timestamp;
use plimsoll_core::name::{shown, shown_table, visible};
use plimsoll_core::size::signed;
use plimsoll_core::size_text;
use plimsoll_server::answer::history::{
    HistoryAnswer, HistoryQuery, OfTable, SampleAnswer, history,
};

use super::{Finding, TAKES_SAMPLES};
use crate::context::Context;
use crate::output::{self, Column, plot, thousands};

pub(crate) async fn run(context: &Context, query: HistoryQuery) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let key = context.known_key(&*store).await?;
    let page = history(&*store, &key, &query).await?;
    let answer = page.answer(&*store).await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::prose(|out| match &answer.table {
            Some(table) => print_table(out, &answer, table),
            None => print_samples(out, &answer),
        })?;
    }
    Ok(Finding::None)
}

fn print_samples(out: &mut dyn Write, answer: &HistoryAnswer) -> io::Result<()> {
    if answer.samples.is_empty() {
        return nothing(out, answer);
    }
    // Newest first: what a sample grew by is counted from the one below it.
    let older = answer.samples.iter().skip(1).map(Some).chain([None]);
    output::table(
        out,
        &[
            Column::Right("ID"),
            Column::Left("SAMPLED AT (UTC)"),
            Column::Left("KIND"),
            Column::Right("TOTAL"),
            Column::Right("CHANGE"),
            Column::Right("TABLES"),
        ],
        answer.samples.iter().zip(older).map(|(sample, older)| {
            vec![
                sample.id.to_string(),
                sample.sampled_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
                if sample.is_demo {
                    format!("{} (demo)", sample.kind)
                } else {
                    sample.kind.to_string()
                },
                sample
                    .total_bytes
                    .map_or_else(|| "unknown".to_owned(), size_text::pretty),
                older.map_or_else(String::new, |older| change(answer, sample, older)),
                sample
                    .table_count
                    .map_or_else(|| "unknown".to_owned(), thousands),
            ]
        }),
    )?;
    if (answer.samples.len() as u64) < answer.total {
        writeln!(
            out,
            "({} of {})",
            answer.samples.len(),
            output::count(answer.total, "sample")
        )?;
    }
    Ok(())
}

/// What a sample grew by; nothing where the older one was measured otherwise.
fn change(answer: &HistoryAnswer, sample: &SampleAnswer, older: &SampleAnswer) -> String {
    let (from, to) = (older.sampled_at, sample.sampled_at);
    let mut seams = answer.coverage_changed_at.iter();
    if seams.any(|at| at.as_second() > from.as_second() && at.as_second() <= to.as_second()) {
        return String::new();
    }
    let both = sample.total_bytes.zip(older.total_bytes);
    both.map_or_else(String::new, |(now, before)| {
        size_text::pretty_signed(signed(now) - signed(before))
    })
}

/// The curve of a table or a set.
fn print_table(out: &mut dyn Write, answer: &HistoryAnswer, table: &OfTable) -> io::Result<()> {
    let bytes = |sample: &SampleAnswer| sample.table_sizes.0.first().map(|(_, bytes)| *bytes);
    // no line leads from what another tool measured to what Plimsoll does
    let changed = answer.coverage_changed_at.last();
    let samples = answer.samples.iter().rev();
    let mut points: Vec<(Timestamp, u64)> = samples
        .filter_map(|sample| Some((sample.sampled_at, bytes(sample)?)))
        .collect();
    let all = points.len();
    if let Some(changed) = changed {
        let is_older = |at: Timestamp| at.as_second() < changed.as_second();
        if points.last().is_some_and(|last| !is_older(last.0)) {
            points.retain(|(at, _)| !is_older(*at));
        }
    }
    let left_out = all - points.len();
    let unknown: Vec<&SampleAnswer> = answer
        .samples
        .iter()
        .filter(|sample| sample.unknown.is_some())
        .collect();
    let name = name(table);
    if let (Some(first), Some(last)) = (points.first(), points.last()) {
        writeln!(
            out,
            "{name}: {} on {}, {} since {} ({})",
            size_text::pretty(last.1),
            minute(last.0),
            size_text::pretty_signed(signed(last.1) - signed(first.1)),
            minute(first.0),
            output::count(points.len() as u64, "sample"),
        )?;
    } else if !unknown.is_empty() {
        writeln!(out, "{name}: its size is not known")?;
    } else if let Some(gone) = &table.gone {
        // the samples that match are all of a later time
        return writeln!(out, "{name}: {}.", gone.text);
    } else {
        return nothing(out, answer);
    }
    if let Some(gone) = &table.gone {
        writeln!(out, "These are its last sizes: {}.", gone.text)?;
    }
    if left_out > 0 {
        writeln!(
            out,
            "{} not shown: another tool took them, or they cover something else.",
            output::count(left_out as u64, "older sample")
        )?;
    }
    // newest first
    if let (Some(last), Some(first)) = (unknown.first(), unknown.last()) {
        writeln!(
            out,
            "Unknown in {} from {} to {}: {}",
            output::count(unknown.len() as u64, "sample"),
            minute(first.sampled_at),
            minute(last.sampled_at),
            last.unknown.as_deref().unwrap_or_default(),
        )?;
    }
    for line in plot::draw(&points, plot::width()) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn name(table: &OfTable) -> String {
    let name = shown_table(&table.schema_name, &table.table_name);
    match table.set_tables {
        Some(tables) => format!("{name} (set of {})", output::count(tables, "table")),
        None => name,
    }
}

fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn nothing(out: &mut dyn Write, answer: &HistoryAnswer) -> io::Result<()> {
    writeln!(
        out,
        "No samples of {} on {} match; {TAKES_SAMPLES}.",
        shown(&answer.database),
        visible(&answer.instance)
    )
}
