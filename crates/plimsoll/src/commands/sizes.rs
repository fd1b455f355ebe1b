//! `plimsoll sizes`: measures a database now and prints every table's size.

use std::io::{self, Write};
use std::sync::Arc;

use plimsoll_core::name::{shown, shown_table, visible};
use plimsoll_core::size::{SizeSource, Status};
use plimsoll_core::size_text;
use plimsoll_core::snapshot::{Method, TableKind};
use plimsoll_server::answer::growth_base::growth_base;
use plimsoll_server::answer::sizes::{SizesAnswer, SizesQuery, TableAnswer, sizes};
use plimsoll_server::ask::Sort;
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_store::{DatabaseKey, StoreError};

use super::Finding;
use crate::context::Context;
use crate::output::{self, Column, thousands};

pub(crate) async fn run(context: &Context, query: SizesQuery) -> anyhow::Result<Finding> {
    if query.sort == Sort::Growth {
        // One that cannot be read is better noticed before the server is visited.
        match context.store()?.pending_migrations().await {
            Err(StoreError::Absent { .. }) => {}
            pending => drop(pending?),
        }
    }
    let snapshot = Arc::new(context.visit().await?);
    let growth = match query.sort {
        Sort::Growth => {
            let base = async {
                let store = context.store()?;
                let key = DatabaseKey {
                    instance: snapshot.instance.to_string(),
                    database: snapshot.database.to_string(),
                };
                anyhow::Ok(growth_base(&*store, &key, SystemClock.now()).await?)
            };
            match base.await {
                Err(error) if matches!(error.downcast_ref(), Some(StoreError::Absent { .. })) => {
                    None
                }
                base => base?,
            }
        }
        _ => None,
    };
    let growth_is_unknown = query.sort == Sort::Growth && growth.is_none();
    let page = sizes(&snapshot, &query, growth)?;
    if context.wants_json() {
        let pieces = page.into_json()?;
        output::print(|out| {
            for piece in pieces {
                out.write_all(&piece?)?;
            }
            writeln!(out)
        })?;
    } else {
        output::prose(|out| {
            print(out, &page.answer())?;
            if growth_is_unknown {
                writeln!(
                    out,
                    "Growth is not known: the history has no daily sample of the last week; `plimsoll serve` takes them"
                )?;
            }
            Ok(())
        })?;
    }
    Ok(Finding::None)
}

/// The table, and below it how the database's total comes about.
pub(crate) fn print(out: &mut dyn Write, answer: &SizesAnswer) -> io::Result<()> {
    let with_growth = answer.growth_since.is_some();
    let with_status = answer.tables.iter().any(|t| {
        t.status != Some(Status::Ok)
            || t.size_source != SizeSource::Measured
            || t.set_unknown.is_some()
    });
    let mut columns = vec![
        Column::Left("TABLE"),
        Column::Right("SIZE"),
        Column::Right("ROWS"),
        Column::Right("HEAP"),
        Column::Right("TOAST"),
        Column::Right("INDEXES"),
    ];
    if with_growth {
        columns.push(Column::Right("GROWTH"));
    }
    if with_status {
        columns.push(Column::Left("STATUS"));
    }
    output::table(
        out,
        &columns,
        answer
            .tables
            .iter()
            .flat_map(|table| rows(table, with_growth, with_status)),
    )?;
    let listed = answer.tables.len() as u64;
    if let Some(total) = answer.tables_total
        && listed < total
    {
        // a set is a row, and no table of its own
        writeln!(out, "({listed} of {total} rows)")?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Database {} on {}",
        shown(&answer.database),
        visible(&answer.instance)
    )?;
    for (name, bytes, remark) in [
        ("total", answer.total_bytes, ""),
        ("in relations", answer.attributed_bytes, ""),
        (
            "of these estimated",
            answer.estimated_bytes,
            "not read now: last good values or relpages",
        ),
        (
            "in no relation",
            answer.unattributed_bytes,
            answer.unattributed_unknown.as_deref().unwrap_or(""),
        ),
        (
            "not measured",
            answer.unmeasured_bytes,
            match answer.unattributed_bytes {
                Some(_) => "of relations that could not be read",
                None => "of relations that could not be read, and in no relation",
            },
        ),
    ] {
        if bytes.is_none_or(|bytes| bytes > 0) || remark.is_empty() {
            let remark = if remark.is_empty() {
                String::new()
            } else {
                format!("  ({remark})")
            };
            let bytes = bytes.map_or_else(|| "unknown".to_owned(), size_text::pretty);
            writeln!(out, "  {name:<19}{bytes:>10}{remark}")?;
        }
    }
    writeln!(
        out,
        "Measured {} by {} in {} ms",
        answer.measured_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        answer.method.map_or("?", Method::as_str),
        answer
            .took_ms
            .map_or_else(unknown, |took_ms| took_ms.to_string()),
    )
}

/// The lines of a table: itself, and where it is a parent, all below it with it. A partitioned table has no bytes of its
/// own.
fn rows(table: &TableAnswer, with_growth: bool, with_status: bool) -> Vec<Vec<String>> {
    let name = shown_table(&table.schema_name, &table.table_name);
    let mut rows = Vec::new();
    if table.kind != TableKind::Partitioned {
        let mut row = vec![
            name.clone(),
            pretty(table.size_bytes),
            table.row_count.map_or_else(unknown, thousands),
            pretty(table.heap_bytes),
            pretty(table.toast_bytes),
            pretty(table.index_bytes),
        ];
        if with_growth {
            let grown = table.growth_bytes;
            row.push(grown.map_or_else(unknown, size_text::pretty_signed));
        }
        if with_status {
            row.push(status(table));
        }
        rows.push(row);
    }
    if table.set_tables.is_some() {
        let by_name = match table.set_tables_by_name {
            Some(tables) if tables > 0 => format!(", {tables} by name"),
            _ => String::new(),
        };
        let mut row = vec![format!("{name} (set{by_name})"), pretty(table.set_bytes)];
        row.resize(6 + usize::from(with_growth), String::new());
        if with_status {
            row.push(table.set_unknown.clone().unwrap_or_default());
        }
        rows.push(row);
    }
    rows
}

fn pretty(bytes: Option<u64>) -> String {
    bytes.map_or_else(unknown, size_text::pretty)
}

fn unknown() -> String {
    "?".to_owned()
}

/// Why the number is not simply a measured one.
fn status(table: &TableAnswer) -> String {
    let status = match table.status {
        None | Some(Status::Ok) => "",
        Some(Status::Dropped) => "dropped",
        Some(Status::Locked) => "locked",
        Some(Status::TimedOut) => "timed out",
        Some(Status::Denied) => "denied",
        Some(Status::Missing) => "missing",
    };
    let source = match table.size_source {
        SizeSource::Measured => "",
        SizeSource::LastGood => "last good",
        SizeSource::Relpages => "relpages",
        SizeSource::None => "size unknown",
    };
    let at = table.last_good_at.map_or_else(String::new, |at| {
        format!(" of {}", at.strftime("%Y-%m-%d %H:%M UTC"))
    });
    match (status, source) {
        (status, "") => status.to_owned(),
        ("", source) => format!("{source}{at}"),
        (status, source) => format!("{status}, {source}{at}"),
    }
}
