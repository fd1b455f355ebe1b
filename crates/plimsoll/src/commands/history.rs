//! `plimsoll history`: the samples of a database, or the plot of one table.

use std::io::{self, Write};

use jiff::Timestamp;
use plimsoll_core::name::{shown, visible};
use plimsoll_core::size_text;
use plimsoll_server::answer::history::{HistoryAnswer, HistoryQuery, SampleAnswer, history};

use super::Finding;
use crate::context::Context;
use crate::output::{self, Column, plot, thousands};

pub(crate) async fn run(context: &Context, query: HistoryQuery) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let answer = history(&*store, &context.key()?, &query)
        .await?
        .answer(&*store)
        .await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::print(|out| match query.table_key() {
            Some(key) => print_table(out, &answer, &key),
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
                older.map_or_else(String::new, |older| change(sample, older)),
                thousands(sample.table_count),
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

fn change(sample: &SampleAnswer, older: &SampleAnswer) -> String {
    let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    let both = sample.total_bytes.zip(older.total_bytes);
    both.map_or_else(String::new, |(now, before)| {
        size_text::pretty_signed(signed(now) - signed(before))
    })
}

fn print_table(out: &mut dyn Write, answer: &HistoryAnswer, key: &str) -> io::Result<()> {
    let points: Vec<(Timestamp, u64)> = answer
        .samples
        .iter()
        .rev()
        .filter_map(|sample| {
            let (_, bytes) = sample.table_sizes.0.iter().find(|(name, _)| name == key)?;
            Some((sample.sampled_at, *bytes))
        })
        .collect();
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return nothing(out, answer);
    };
    let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
    writeln!(
        out,
        "{}: {} now, {} since {} ({})",
        visible(key),
        size_text::pretty(last.1),
        size_text::pretty_signed(signed(last.1) - signed(first.1)),
        first.0.strftime("%Y-%m-%d %H:%M UTC"),
        output::count(points.len() as u64, "sample"),
    )?;
    for line in plot::draw(&points, plot::width()) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn nothing(out: &mut dyn Write, answer: &HistoryAnswer) -> io::Result<()> {
    writeln!(
        out,
        "No samples of {} on {} match; `plimsoll sample` takes one, `plimsoll serve` one a day.",
        shown(&answer.database),
        visible(&answer.instance)
    )
}
