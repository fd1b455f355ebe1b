//! `plimsoll backup`: copies the SQLite store while others use it.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, bail};
use plimsoll_core::size_text;
use serde::Serialize;

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output;
use crate::progress::Counter;

#[derive(Serialize)]
struct Answer<'a> {
    file: &'a Path,
    size_bytes: u64,
}

pub(crate) async fn run(context: &Context, args: &args::Backup) -> anyhow::Result<Finding> {
    let store = context.store()?;
    let file = &*args.file;
    if file.exists() {
        bail!(
            "{} exists already: a backup overwrites nothing",
            file.display()
        );
    }
    // written beside it and then renamed: what has the name is always whole, and only its owner may
    // read it, like the store itself
    let folder = match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let partial = tempfile::Builder::new()
        .prefix(".plimsoll-")
        .suffix(".partial")
        .tempfile_in(folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    let counter = Counter::new();
    let shown = counter.clone();
    let progress = Box::new(move |done, all| shown.at(&format!("{done} of {all} pages")));
    let copied = store.back_up(partial.path(), progress).await;
    drop(counter);
    if copied?.is_none() {
        bail!(
            "the store is a PostgreSQL database: back it up with pg_dump, or use `plimsoll export`"
        );
    }
    partial.as_file().sync_all()?;
    partial
        .persist_noclobber(file)
        .with_context(|| format!("cannot write {}", file.display()))?;
    let size_bytes = fs::metadata(file)?.len();
    if context.wants_json() {
        output::json(&Answer { file, size_bytes })?;
    } else {
        output::print(|out| {
            writeln!(
                out,
                "{}: {}",
                output::printable(&file.display().to_string()),
                size_text::pretty(size_bytes)
            )
        })?;
    }
    Ok(Finding::None)
}
