//! On a server with Citus: distributes the history by instance.
//!
//! Everything of one instance lies together, so that whatever is asked of it is answered by one shard.
//! Partitions that are made later are distributed with their table.

use super::error::Wrong;
use super::work::Work;

/// The tables that lie with their instance, first the one that the others are placed beside.
pub(super) const DISTRIBUTED: [&str; 12] = [
    "databases",
    "samples",
    "relations",
    "former_names",
    "table_values",
    "index_values",
    "unread",
    "events",
    "forecasts",
    "forecast_parts",
    "disk_looks",
    "disk_state",
];

/// Distributes what is not distributed yet; returns what was done, for `plimsoll migrate` to say.
pub(super) async fn distribute(work: &Work<'_>) -> Result<Vec<String>, Wrong> {
    let row = work
        .row(
            "select exists (select 1 from pg_extension where extname = 'citus')",
            &[],
        )
        .await?;
    if !row.try_get::<_, bool>(0)? {
        return Ok(Vec::new());
    }
    let rows = work.query(include_str!("citus/known.sql"), &[]).await?;
    let known = rows.iter().map(|row| row.try_get(0));
    let known: Vec<&str> = known.collect::<Result<_, _>>()?;
    let statements = statements(&known);
    if statements.is_empty() {
        return Ok(Vec::new());
    }
    // one connection to each node: tables that were made in this transaction are seen by it only
    work.batch("set local citus.multi_shard_modify_mode to 'sequential'")
        .await?;
    for statement in statements {
        work.batch(&statement).await?;
    }
    Ok(vec!["distributed by instance (Citus)".to_owned()])
}

/// What Citus is told of the tables that it does not know yet: all, or those of a later migration.
fn statements(known: &[&str]) -> Vec<String> {
    let [first, others @ ..] = DISTRIBUTED;
    let mut statements = vec![(
        first,
        format!(
            "select create_distributed_table('plimsoll.{first}', 'instance_id', colocate_with => 'none')"
        ),
    )];
    statements.extend(others.map(|table| {
        let sql = format!(
            "select create_distributed_table('plimsoll.{table}', 'instance_id', colocate_with => 'plimsoll.{first}')"
        );
        (table, sql)
    }));
    statements.push((
        "cleanup_runs",
        // of its own kind of key, and asked for alone
        "select create_distributed_table('plimsoll.cleanup_runs', 'instance', colocate_with => 'none')"
            .to_owned(),
    ));
    statements.retain(|(table, _)| !known.contains(table));
    statements.into_iter().map(|(_, sql)| sql).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_migration_adds_is_distributed_too() {
        let all = statements(&[]);
        assert_eq!(all.len(), DISTRIBUTED.len() + 1);
        let mut known: Vec<&str> = DISTRIBUTED.to_vec();
        known.push("cleanup_runs");
        assert!(statements(&known).is_empty());
        known.retain(|table| *table != "forecasts");
        let missing = statements(&known);
        assert!(
            missing.len() == 1 && missing[0].contains("plimsoll.forecasts'"),
            "{missing:?}"
        );
    }
}
