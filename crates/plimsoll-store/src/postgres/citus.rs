//! On a server with Citus: distributes the history by instance.
//!
//! Everything of one instance lies together, so that whatever is asked of it is answered by one shard.
//! Partitions that are made later are distributed with their table. What is asked of all instances
//! together (`instances`, `database_names`, `jobs`) stays on the coordinator.

use super::error::Wrong;
use super::pool::{Connection, Pool};
use super::work::Work;
use crate::Progress;

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

/// Two processes that distribute take turns: "plimsoll" in ASCII, and four more.
const LOCK: i64 = 0x706c_696d_736f_6c70;

/// Whether the server has Citus.
pub(super) async fn is_there(work: &Work<'_>) -> Result<bool, Wrong> {
    let sql = "select exists (select 1 from pg_extension where extname = 'citus')";
    Ok(work.row(sql, &[]).await?.try_get(0)?)
}

/// Distributes what is not distributed yet, table by table, and gives back the space of the copies that were
/// distributed; returns what was done. Each step is whole, so that another run goes on where one ended.
pub(super) async fn distribute(pool: &Pool, progress: Progress<'_>) -> Result<Vec<String>, Wrong> {
    let mut connection;
    let work = begin!(pool, connection, read);
    if !is_there(&work).await? {
        return Ok(Vec::new());
    }
    let steps = statements(&known(&work).await?);
    work.commit().await?;
    let mut done = Vec::new();
    let count = steps.len();
    for (number, (table, sql)) in (1..).zip(steps) {
        progress(&format!(
            "distributing {table} by instance ({number} of {count})"
        ));
        if step(&mut connection, table, &sql).await? {
            done.push(format!("distributed {table} by instance (Citus)"));
        }
    }
    let work = connection.read().await?;
    let rows = work
        .query(include_str!("citus/local_copies.sql"), &[])
        .await?;
    work.commit().await?;
    for row in rows {
        let table: &str = row.try_get(0)?;
        progress(&format!(
            "giving back the space of what {table} held before"
        ));
        let mut work = connection.write().await?;
        work.may_take_long().await?;
        let sql = "select truncate_local_data_after_distributing_table($1::text::regclass)";
        work.execute(sql, &[&format!("plimsoll.{table}")]).await?;
        work.commit().await?;
        done.push(format!("gave back the space of what {table} held before"));
    }
    Ok(done)
}

/// Distributes one table, unless another process did.
async fn step(connection: &mut Connection, table: &str, sql: &str) -> Result<bool, Wrong> {
    let mut work = connection.write().await?;
    work.may_take_long().await?;
    work.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    if known(&work).await?.iter().any(|known| known == table) {
        return Ok(false);
    }
    // one connection to each node for all of a table's partitions
    work.batch("set local citus.multi_shard_modify_mode to 'sequential'")
        .await?;
    work.batch(sql).await?;
    work.commit().await?;
    Ok(true)
}

/// The tables that are distributed.
async fn known(work: &Work<'_>) -> Result<Vec<String>, Wrong> {
    let rows = work.query(include_str!("citus/known.sql"), &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// What Citus is told of the tables that it does not know yet: all, or those of a later migration.
fn statements(known: &[String]) -> Vec<(&'static str, String)> {
    let beside = |table, column: &str, other: &str| {
        format!(
            "select create_distributed_table('plimsoll.{table}', '{column}', colocate_with => '{other}')"
        )
    };
    let [first, others @ ..] = DISTRIBUTED;
    let mut statements = vec![(first, beside(first, "instance_id", "none"))];
    let other = format!("plimsoll.{first}");
    statements.extend(others.map(|table| (table, beside(table, "instance_id", &other))));
    // of its own kind of key, and asked for alone
    let runs = "cleanup_runs";
    statements.push((runs, beside(runs, "instance", "none")));
    statements.retain(|(table, _)| !known.iter().any(|known| known == table));
    statements
}

/// What the history takes on all nodes. An error where one of them does not say.
pub(super) async fn shard_bytes(work: &Work<'_>) -> Result<u64, Wrong> {
    let row = work.row(include_str!("citus/shard_bytes.sql"), &[]).await?;
    let (bytes, silent): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    if silent > 0 {
        return Err(Wrong::Shards(silent));
    }
    Ok(crate::sample::unsigned(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_migration_adds_is_distributed_too() {
        assert_eq!(statements(&[]).len(), DISTRIBUTED.len() + 1);
        let mut known: Vec<String> = DISTRIBUTED.iter().map(ToString::to_string).collect();
        known.push("cleanup_runs".to_owned());
        assert!(statements(&known).is_empty());
        known.retain(|table| *table != "forecasts");
        let missing = statements(&known);
        assert!(
            missing.len() == 1 && missing[0].1.contains("plimsoll.forecasts'"),
            "{missing:?}"
        );
    }
}
