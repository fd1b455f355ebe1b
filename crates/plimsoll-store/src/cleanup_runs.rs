//! Cleanup runs: what was deleted when.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::rows::{Row, RowError, Transactions, Value};
use crate::{DatabaseKey, StoreError};

/// The cleanup runs that were.
#[async_trait]
pub trait CleanupRuns: Send + Sync {
    /// Past cleanup runs, newest first, and how many there are.
    async fn cleanup_runs(
        &self,
        of: &DatabaseKey,
        limit: usize,
    ) -> Result<(Vec<CleanupRun>, u64), StoreError>;

    /// The last run of each database of an instance that has ended, in the order of their names.
    async fn last_cleanup_runs(&self, instance: &str) -> Result<Vec<CleanupRun>, StoreError>;
}

/// A cleanup run, as `cleanup_runs` keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanupRun {
    /// Unique within the store.
    pub id: i64,
    /// Of which database.
    pub of: DatabaseKey,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended; null while it is under way.
    pub finished_at: Option<Timestamp>,
    /// `running`, `ok`, `failed` or `cancelled`.
    pub outcome: String,
    /// Rows deleted, by table key.
    pub rows_deleted: Vec<(String, u64)>,
    /// What failed.
    pub error: Option<String>,
}

#[async_trait]
impl<S: Transactions> CleanupRuns for S {
    async fn cleanup_runs(
        &self,
        of: &DatabaseKey,
        limit: usize,
    ) -> Result<(Vec<CleanupRun>, u64), StoreError> {
        let of = of.clone();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.reading(move |work| {
            Box::pin(async move {
                let keys = [Value::from(&of.instance), Value::from(&of.database)];
                let sql = "select count(*) from plimsoll.cleanup_runs
                           where instance = $1 and database = $2";
                let total = work.read(sql, &keys, |row| row.get(0)).await?;
                let sql = "select id, started_at, finished_at, outcome,
                               cast(rows_deleted as text), error, instance, database
                           from plimsoll.cleanup_runs
                           where instance = $1 and database = $2 order by id desc limit $3";
                let [instance, database] = keys;
                let params = [instance, database, limit.into()];
                let runs = work.read(sql, &params, run).await?;
                Ok((runs, total.into_iter().next().unwrap_or(0)))
            })
        })
        .await
    }

    async fn last_cleanup_runs(&self, instance: &str) -> Result<Vec<CleanupRun>, StoreError> {
        let instance = Value::from(instance);
        self.reading(move |work| {
            Box::pin(async move {
                let sql = "select id, started_at, finished_at, outcome,
                               cast(rows_deleted as text), error, instance, database
                           from plimsoll.cleanup_runs
                           where instance = $1 and id in (
                               select max(id) from plimsoll.cleanup_runs
                               where instance = $1 and finished_at is not null group by database
                           ) order by database collate \"C\"";
                work.read(sql, &[instance], run).await
            })
        })
        .await
    }
}

fn run(row: &Row) -> Result<CleanupRun, RowError> {
    Ok(CleanupRun {
        id: row.get(0)?,
        of: DatabaseKey {
            instance: row.get(6)?,
            database: row.get(7)?,
        },
        started_at: row.get(1)?,
        finished_at: row.get(2)?,
        outcome: row.get(3)?,
        rows_deleted: rows_from_json(&row.get::<String>(4)?),
        error: row.get(5)?,
    })
}

/// Rows by table, as the column `cleanup_runs.rows_deleted` keeps them: a JSON object.
fn rows_from_json(text: &str) -> Vec<(String, u64)> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(text).unwrap_or_default();
    object
        .into_iter()
        .filter_map(|(table, rows)| Some((table, rows.as_u64()?)))
        .collect()
}
