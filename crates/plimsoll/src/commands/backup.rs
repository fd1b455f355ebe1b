//! `plimsoll backup`: copies the SQLite store while others use it.

use std::path::Path;

use anyhow::bail;
use plimsoll_core::name::visible;
use plimsoll_core::size_text;
use serde::Serialize;

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::new_file::{IfExists, NewFile};
use crate::output;
use crate::progress::Counter;
use crate::secrets::masked;

#[derive(Serialize)]
struct BackedUp<'a> {
    file: &'a Path,
    size_bytes: u64,
}

pub(crate) async fn run(context: &Context, args: &args::Backup) -> anyhow::Result<Finding> {
    let store = context.readable_store().await?;
    let file = &*args.file;
    let copy = NewFile::begin(file, IfExists::Fail("a backup overwrites nothing"))?;
    let counter = Counter::new();
    let shown = counter.clone();
    let progress = Box::new(move |done, all| shown.at(&format!("{done} of {all} pages")));
    let copied = store.back_up(copy.partial_path(), progress).await;
    drop(counter);
    if copied?.is_none() {
        bail!(
            "the store is a PostgreSQL database: back it up with pg_dump, or use `plimsoll export`"
        );
    }
    let size_bytes = copy.keep()?;
    if context.wants_json() {
        output::json(&BackedUp { file, size_bytes })?;
    } else {
        output::print(|out| {
            writeln!(
                out,
                "{}: {}",
                visible(&masked(&file.display().to_string())),
                size_text::pretty(size_bytes)
            )
        })?;
    }
    Ok(Finding::None)
}
