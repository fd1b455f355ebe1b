//! `plimsoll migrate`: brings the store's schema up to date.

use serde::Serialize;

use super::Finding;
use crate::context::Context;
use crate::output;

#[derive(Serialize)]
struct Migrated {
    applied: Vec<String>,
    /// What was done so that each instance's history lies together (Citus).
    distributed: Vec<String>,
}

pub(crate) async fn run(context: &Context) -> anyhow::Result<Finding> {
    let store = context.writable_store()?;
    let applied = store.migrate().await?;
    let said = |what: &str| tracing::info!(what, "store.distributing");
    let distributed = store.distribute(&said).await?;
    if context.wants_json() {
        output::json(&Migrated {
            applied,
            distributed,
        })?;
    } else if applied.is_empty() && distributed.is_empty() {
        output::prose(|out| writeln!(out, "The store is up to date."))?;
    } else {
        output::prose(|out| {
            applied
                .iter()
                .try_for_each(|name| writeln!(out, "applied {name}"))?;
            distributed
                .iter()
                .try_for_each(|done| writeln!(out, "{done}"))
        })?;
    }
    Ok(Finding::None)
}
