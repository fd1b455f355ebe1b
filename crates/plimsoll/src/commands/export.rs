//! `plimsoll export`: the whole history as NDJSON, or the series of one table as CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use anyhow::{Context as _, bail};
use plimsoll_core::name::visible;
use plimsoll_server::selection;
use plimsoll_store::transfer::ndjson;
use plimsoll_store::{SeriesQuery, TableName};

use super::{Finding, TAKES_SAMPLES};
use crate::args;
use crate::context::Context;
use crate::new_file::{IfExists, Sink};
use crate::output::{self, thousands};
use crate::progress::Counter;

pub(crate) async fn run(context: &Context, args: args::Export) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let databases = context.kept(&*store).await?;
    let instances: Vec<String> = store
        .disk_instances()
        .await?
        .into_iter()
        .filter(|instance| context.means_all_of(instance))
        .collect();
    if databases.is_empty() && (instances.is_empty() || args.table.0.0.is_some()) {
        output::complain(&format!("The history has no samples; {TAKES_SAMPLES}."))?;
        return Ok(Finding::None);
    }
    let existing = if args.overwrite {
        IfExists::Replace
    } else {
        IfExists::Fail("--overwrite replaces it")
    };
    let mut sink = Sink::open(args.file.as_deref(), existing)?;
    let out = sink.writer();
    let result = match &args.table.0.0 {
        None => {
            let counter = Counter::new();
            let written = ndjson::export(&*store, &databases, out, &|rows| {
                counter.at(&format!("{} rows", thousands(rows)));
            })
            .await;
            match written {
                Ok(_) => {
                    let disks = ndjson::export_disks(&*store, &instances, out).await;
                    disks.map(drop).map_err(anyhow::Error::from)
                }
                Err(error) => Err(error.into()),
            }
        }
        Some(table) => {
            let [of] = &*databases else {
                bail!("the store has several databases: name one with --instance and --database");
            };
            let found = selection::table(&*store, of, table, &SeriesQuery::default()).await?;
            write_series(out, &found.name, found.points()).map_err(anyhow::Error::from)
        }
    };
    let result = match &args.file {
        Some(file) => result.with_context(|| format!("exporting to {}", file.display())),
        None => result,
    };
    match result.and_then(|()| sink.keep()) {
        // a reader that went away (`plimsoll export | head`) has what it wanted
        Err(error) if args.file.is_none() && is_broken_pipe(&error) => Ok(Finding::None),
        Err(error) => Err(error),
        Ok(()) => Ok(Finding::None),
    }
}

fn write_series(
    out: &mut dyn Write,
    table: &TableName,
    points: &[plimsoll_store::Point],
) -> csv::Result<()> {
    let mut lines = csv::Writer::from_writer(out);
    lines.write_record([
        "time",
        "schema",
        "table",
        "bytes",
        "heap_bytes",
        "toast_bytes",
        "index_bytes",
        "row_count",
    ])?;
    for point in points {
        let sizes = &point.sizes;
        if let Some(bytes) = sizes.total_bytes() {
            // what another tool's size is made of, nobody knows
            let known = |bytes: u64| (!point.is_imported).then_some(bytes);
            lines.serialize((
                point.sampled_at,
                for_spreadsheet(&table.schema_name),
                for_spreadsheet(&table.table_name),
                bytes,
                sizes.heap_bytes.and_then(known),
                known(sizes.all_toast_bytes()),
                known(sizes.index_bytes),
                sizes.row_count,
            ))?;
        }
    }
    lines.flush()?;
    Ok(())
}

/// A text that no spreadsheet takes for a formula: whoever may name a table would else run one in it.
///
/// An apostrophe goes before it, as OWASP advises ("CSV Injection"); what begins with one already gets another,
/// so that it can be told what a name was.
fn for_spreadsheet(text: &str) -> Cow<'_, str> {
    if text.starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '\'', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
    ]) {
        return Cow::Owned(format!("'{text}"));
    }
    Cow::Borrowed(text)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }) || visible(&error.to_string()).contains("Broken pipe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_that_a_csv_begins_with_is_a_formula() {
        for (name, cell) in [
            ("orders", "orders"),
            ("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(1)", "'@SUM(1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("'quoted", "''quoted"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(for_spreadsheet(name), cell);
        }
    }
}
