//! `plimsoll migrate`: brings the store's schema up to date.

use serde::Serialize;

use super::Finding;
use crate::context::Context;
use crate::output;

#[derive(Serialize)]
struct Migrated {
    applied: Vec<String>,
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Finding> {
    let applied = context.writable_store()?.migrate().await?;
    if context.wants_json() {
        output::json(&Migrated { applied })?;
    } else if applied.is_empty() {
        output::print(|out| writeln!(out, "The store is up to date."))?;
    } else {
        output::print(|out| {
            applied
                .iter()
                .try_for_each(|name| writeln!(out, "applied {name}"))
        })?;
    }
    Ok(Finding::None)
}
