//! `plimsoll growth`: what grew between two samples.

use std::io::{self, Write};

use jiff::Timestamp;
use plimsoll_core::name::{shown, shown_table, visible};
use plimsoll_core::size_text;
use plimsoll_core::time::length;
use plimsoll_server::answer::growth::{GrowthAnswer, GrowthQuery, TableGrowth, growth};

use super::Finding;
use crate::context::Context;
use crate::output::{self, Column};

pub(crate) async fn run(context: &Context, query: GrowthQuery) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let answer = growth(&*store, &context.known_key(&*store).await?, &query).await?;
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::prose(|out| print(out, &answer))?;
    }
    Ok(Finding::None)
}

fn print(out: &mut dyn Write, answer: &GrowthAnswer) -> io::Result<()> {
    let name = format!(
        "{} on {}",
        shown(&answer.database),
        visible(&answer.instance)
    );
    let (Some(from), Some(to)) = (&answer.from, &answer.to) else {
        let reason = answer.insufficient_data.as_deref().unwrap_or_default();
        return writeln!(out, "Growth of {name} is not known: {reason}");
    };
    let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M").to_string();
    writeln!(
        out,
        "{name} grew by {}{} from {} to {} UTC ({})",
        answer
            .grown_human
            .as_deref()
            .unwrap_or("an unknown number of bytes"),
        answer
            .per_day_bytes
            .map(|bytes| format!(", {} a day,", size_text::pretty_signed(bytes)))
            .unwrap_or_default(),
        day(from.sampled_at),
        day(to.sampled_at),
        length(to.sampled_at.duration_since(from.sampled_at).as_secs_f64()),
    )?;
    if let Some(note) = &answer.note {
        writeln!(out, "{note}")?;
    }
    if answer.uncovered_tables_total > 0 {
        writeln!(
            out,
            "Of {} one size is not known, which is no growth: they are left out.",
            output::count(answer.uncovered_tables_total, "table")
        )?;
    }
    tables(out, "GREW", &answer.tables, answer.tables_total)?;
    tables(out, "NEW", &answer.new_tables, answer.new_tables_total)?;
    tables(
        out,
        "VANISHED",
        &answer.vanished_tables,
        answer.vanished_tables_total,
    )?;
    groups(out, answer)?;
    writeln!(out)?;
    let pretty = size_text::pretty_signed;
    output::table(
        out,
        &[Column::Left("IN ALL"), Column::Right("GROWTH")],
        [
            ("tables themselves", answer.heap_grown_bytes),
            ("toast", answer.toast_grown_bytes),
            ("indexes", answer.index_grown_bytes),
            ("in no relation", answer.rest_grown_bytes),
            ("database", answer.grown_bytes),
        ]
        .map(|(name, bytes)| {
            let bytes = bytes.map_or_else(|| "unknown".to_owned(), pretty);
            vec![name.to_owned(), bytes]
        }),
    )?;
    if let Some(reason) = answer
        .rest_unknown
        .as_ref()
        .filter(|_| answer.grown_bytes.is_some())
    {
        writeln!(out, "What is in no relation is not known: {reason}.")?;
    }
    Ok(())
}

/// Schemas, sets and indexes, where there is more to say than the tables did.
fn groups(out: &mut dyn Write, answer: &GrowthAnswer) -> io::Result<()> {
    let row = |name: String, grown: &str, per_day, share| {
        vec![name, grown.to_owned(), a_day(per_day), percent(share)]
    };
    if answer.schemas.len() > 1 {
        let rows = answer.schemas.iter().map(|schema| {
            row(
                shown(&schema.schema_name).into_owned(),
                &schema.grown_human,
                schema.per_day_bytes,
                schema.share_percent,
            )
        });
        section(out, "SCHEMA", rows)?;
    }
    let rows = answer.sets.iter().map(|set| {
        row(
            shown_table(&set.schema_name, &set.table_name),
            set.grown_human.as_deref().unwrap_or("unknown"),
            set.per_day_bytes,
            set.share_percent,
        )
    });
    section(out, "PARTITION SET", rows)?;
    let rows = answer.indexes.iter().map(|index| {
        let table = shown_table(&index.schema_name, &index.table_name);
        row(
            format!("{} on {table}", shown(&index.index_name)),
            &index.grown_human,
            index.per_day_bytes,
            index.share_percent,
        )
    });
    section(out, "INDEX", rows)
}

fn section(
    out: &mut dyn Write,
    name: &'static str,
    rows: impl Iterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    writeln!(out)?;
    let columns = [
        Column::Left(name),
        Column::Right("GROWTH"),
        Column::Right("A DAY"),
        Column::Right("SHARE"),
    ];
    output::table(out, &columns, rows)
}

fn tables(
    out: &mut dyn Write,
    name: &'static str,
    tables: &[TableGrowth],
    total: Option<u64>,
) -> io::Result<()> {
    if tables.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let columns = [
        Column::Left(name),
        Column::Right("GROWTH"),
        Column::Right("A DAY"),
        Column::Right("SHARE"),
        Column::Right("OF ITSELF"),
        Column::Right("HEAP"),
        Column::Right("TOAST"),
        Column::Right("INDEXES"),
        Column::Right("SIZE"),
    ];
    let rows = tables.iter().map(|table| {
        let size = table.after_bytes.or(table.before_bytes);
        vec![
            shown_table(&table.schema_name, &table.table_name),
            table.grown_human.clone(),
            a_day(table.per_day_bytes),
            percent(table.share_percent),
            percent(table.percent),
            part(table.heap_grown_bytes),
            part(table.toast_grown_bytes),
            part(table.index_grown_bytes),
            size.map_or_else(String::new, size_text::pretty),
        ]
    });
    output::table(out, &columns, rows)?;
    if let Some(total) = total
        && (tables.len() as u64) < total
    {
        writeln!(out, "({} of {total})", tables.len())?;
    }
    Ok(())
}

fn a_day(bytes: Option<i64>) -> String {
    bytes.map_or_else(String::new, size_text::pretty_signed)
}

fn percent(percent: Option<f64>) -> String {
    percent.map_or_else(String::new, |percent| format!("{percent:.1} %"))
}

/// A part's growth, where it is known what the part is.
fn part(bytes: Option<i64>) -> String {
    bytes.map_or_else(|| "unknown".to_owned(), size_text::pretty_signed)
}
