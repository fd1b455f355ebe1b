//! `plimsoll forecast --by table`: what will eat the disk, so that all of it adds up.

use std::io::{self, Write};

use plimsoll_core::counted::either;
use plimsoll_core::name::{shown, shown_table};
use plimsoll_core::size_text;
use plimsoll_server::answer::ranking::{RankingAnswer, RankingRow, ranking};
use plimsoll_server::clock::SystemClock;
use plimsoll_server::forecasting::{self, RankBy};
use tokio::sync::Mutex;

use super::Finding;
use crate::context::Context;
use crate::output::{self, Column, thousands};

pub(crate) async fn run(context: &Context, by: RankBy, limit: usize) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    // nobody else asks in this process
    let turn = Mutex::default();
    let key = context.known_key(&*store).await?;
    let ranked = forecasting::ranking(&*store, &key, &SystemClock, &turn, by, limit).await?;
    let answer = ranking(&key, by, ranked);
    if context.wants_json() {
        output::json(&answer)?;
    } else {
        output::prose(|out| print(out, &answer))?;
    }
    Ok(Finding::None)
}

fn print(out: &mut dyn Write, answer: &RankingAnswer) -> io::Result<()> {
    let name = shown(&answer.database);
    let (None, Some(as_of)) = (&answer.insufficient_data, answer.as_of) else {
        let reason = answer.insufficient_data.as_deref().unwrap_or_default();
        return writeln!(
            out,
            "How {name} will go on is not known: {reason}.\n`plimsoll serve` takes a sample a day, `plimsoll sample` one now."
        );
    };
    writeln!(
        out,
        "What {name} will grow by, as of {}\n",
        as_of.strftime("%Y-%m-%d %H:%M UTC")
    )?;
    let heading = match answer.by {
        "schema" => "SCHEMA",
        "set" => "PARTITION SET",
        _ => "TABLE",
    };
    let columns = [
        Column::Left(heading),
        Column::Right("NOW"),
        Column::Right("IN 7 DAYS"),
        Column::Right("IN 30 DAYS"),
        Column::Right("IN 90 DAYS"),
        Column::Right("SIZE THEN, 80 % BETWEEN"),
        Column::Right("SHARE"),
    ];
    let rows = answer.rows.iter().map(|row| cells(row_name(row), row));
    let sums = [
        ("all others", &answer.others),
        ("to come and to go", &answer.to_come),
        ("in no table", &answer.rest),
        ("database", &answer.total),
    ];
    let sums = sums
        .into_iter()
        .filter_map(|(name, row)| Some(cells(name.to_owned(), row.as_ref()?)));
    output::table(out, &columns, rows.chain(sums))?;
    if let Some(reason) = &answer.total_unknown {
        writeln!(
            out,
            "\nHow the whole of {name} will go on is not known: {reason}."
        )?;
    }
    if let (Some(tables), Some(young)) = (answer.tables, answer.young_tables)
        && young > 0
    {
        writeln!(
            out,
            "\nOf {}, {} {} too young for a forecast, and {} as {}.",
            output::count(tables, "table"),
            thousands(young),
            either(young, "is", "are"),
            either(young, "counts", "count"),
            either(young, "it is", "they are"),
        )?;
    }
    Ok(())
}

fn cells(name: String, row: &RankingRow) -> Vec<String> {
    let pretty = |bytes: i64| {
        u64::try_from(bytes).map_or_else(|_| size_text::pretty_signed(bytes), size_text::pretty)
    };
    let mut cells = vec![name, pretty(row.level_bytes)];
    cells.extend(row.forecast.iter().map(|band| band.grown_human.clone()));
    let last = row.forecast.last();
    let bounds = last.and_then(|band| Some((band.lo80?, band.hi80?)));
    cells.push(bounds.map_or_else(String::new, |(low, high)| {
        format!("{} - {}", pretty(low), pretty(high))
    }));
    cells.push(
        row.share_percent
            .map_or_else(String::new, |share| format!("{share:.1} %")),
    );
    cells
}

fn row_name(row: &RankingRow) -> String {
    let schema = row.schema_name.as_deref().unwrap_or_default();
    match &row.table_name {
        Some(table) => shown_table(schema, table),
        None => shown(schema).into_owned(),
    }
}
