//! `plimsoll export`: the whole history as NDJSON, or the series of one table as CSV.

use std::io::{self, BufWriter, Write};

use anyhow::{Context as _, bail};
use plimsoll_store::transfer::ndjson;
use plimsoll_store::{DatabaseKey, SeriesQuery, TableName};

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output::{self, thousands};
use crate::progress::Counter;

pub(crate) async fn run(context: &Context, args: args::Export) -> anyhow::Result<Finding> {
    let store = context.migrated_store().await?;
    let databases: Vec<DatabaseKey> = store
        .databases()
        .await?
        .into_iter()
        .filter(|key| context.means(key))
        .collect();
    if databases.is_empty() {
        bail!("the store has no samples of such a database; `plimsoll sample` takes one");
    }
    let mut out = open(args.file.as_deref())?;
    let result = match &args.table {
        None => {
            let counter = Counter::new();
            let written = ndjson::export(&*store, &databases, &mut *out, &|rows| {
                counter.at(&format!("{} rows", thousands(rows)));
            })
            .await;
            written.map(drop).map_err(anyhow::Error::from)
        }
        Some(table) => {
            let table: TableName = table.parse()?;
            let [of] = &*databases else {
                bail!("the store has several databases: name one with --instance and --database");
            };
            let query = SeriesQuery::default();
            let Some(series) = store.table_series(of, &table, &query).await? else {
                bail!("no sample of \"{}\" shows a table {table}", of.database);
            };
            write_series(&mut *out, &table, &series.points).map_err(anyhow::Error::from)
        }
    };
    match result {
        // a reader that went away (`plimsoll export | head`) has what it wanted
        Err(error) if args.file.is_none() && is_broken_pipe(&error) => Ok(Finding::None),
        Err(error) => Err(error),
        Ok(()) => Ok(Finding::None),
    }
}

fn open(file: Option<&std::path::Path>) -> anyhow::Result<Box<dyn Write + Send>> {
    let Some(path) = file.filter(|path| *path != std::path::Path::new("-")) else {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    };
    let file =
        std::fs::File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Box::new(BufWriter::with_capacity(1 << 16, file)))
}

fn write_series(
    out: &mut dyn Write,
    table: &TableName,
    points: &[plimsoll_store::Point],
) -> io::Result<()> {
    writeln!(
        out,
        "time,schema,table,bytes,heap_bytes,toast_bytes,index_bytes,row_count"
    )?;
    let (schema, name) = (field(&table.schema_name), field(&table.table_name));
    for point in points {
        let Some(bytes) = point.sizes.total_bytes() else {
            continue;
        };
        let sizes = &point.sizes;
        let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        writeln!(
            out,
            "{},{schema},{name},{bytes},{},{},{},{}",
            point.sampled_at,
            number(sizes.heap_bytes),
            sizes.all_toast_bytes(),
            sizes.index_bytes,
            number(sizes.row_count),
        )?;
    }
    out.flush()
}

/// A text as CSV holds it.
fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) || text.trim() != text {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }) || output::printable(&error.to_string()).contains("Broken pipe")
}
