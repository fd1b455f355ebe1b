//! Tells what the schema `plimsoll` of a database holds: nothing, a store, or something else.

use super::error::Wrong;
use super::work::Work;
use crate::migration::{Applied, POSTGRES, tables_text};

/// The number of the last migration, of a store that is known to be one.
pub(super) const LAST: &str = "select coalesce(max(number), 0) from plimsoll.migrations";

/// How far the store's schema has come, as a transaction sees it; an error if the schema is another's.
pub(super) async fn recognise(work: &Work<'_>) -> Result<Applied, Wrong> {
    let held = work.row(include_str!("recognise/held.sql"), &[]).await?;
    let tables: Vec<String> = held.try_get("tables")?;
    if tables.is_empty() {
        return Ok(Applied::default());
    }
    let columns: Vec<String> = held.try_get("columns")?;
    let has = |name: &str| columns.iter().any(|column| column == name);
    let foreign = || Wrong::Foreign(tables_text(&tables));
    if !["number", "name", "applied_at"].into_iter().all(has) {
        return Err(foreign());
    }
    let program = if has("program") { "program" } else { "null" };
    let sql =
        format!("select number, name, {program}::text from plimsoll.migrations order by number");
    let applied = work.query(&sql, &[]).await?;
    let (Some(first), Some(last)) = (applied.first(), applied.last()) else {
        return Err(foreign());
    };
    if first.try_get::<_, &str>(1)? != POSTGRES[0].name {
        return Err(foreign());
    }
    Ok(Applied::of(last.try_get(0)?, last.try_get(2)?))
}
