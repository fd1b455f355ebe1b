//! What samples say of a database's total: how much of it is certain, and how much belongs to no relation.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::keys;
use crate::rows::{Row, RowError, Transaction, Value};
use crate::{DatabaseKey, StoreError};

/// A sample's total, with what it is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleParts {
    /// When it was taken.
    pub sampled_at: Timestamp,
    /// The database's total.
    pub total_bytes: u64,
    /// Bytes of it that were not measured or only estimated.
    pub uncertain_bytes: u64,
    /// Bytes of it that belong to no relation; none where that cannot be told.
    pub unattributed_bytes: Option<u64>,
}

pub(super) async fn read(
    work: &dyn Transaction,
    of: &DatabaseKey,
    since: Timestamp,
) -> Result<Vec<SampleParts>, StoreError> {
    let Some((instance, database)) = keys::find(work, of).await? else {
        return Ok(Vec::new());
    };
    let sql =
        "select sampled_at, total_bytes, estimated_bytes + coalesce(unmeasured_bytes, 0), unattributed_bytes
               from plimsoll.samples
               where instance_id = $1 and database_id = $2 and sampled_at >= $3
                   and total_bytes is not null
               order by tick";
    work.read(
        sql,
        &[instance.into(), database.into(), since.into()],
        parts,
    )
    .await
}

fn parts(row: &Row) -> Result<SampleParts, RowError> {
    Ok(SampleParts {
        sampled_at: row.get(0)?,
        total_bytes: row.get(1)?,
        uncertain_bytes: row.get(2)?,
        unattributed_bytes: row.get(3)?,
    })
}

/// When the last sample of Plimsoll's own was taken that knows the database's total, up to a time.
pub(super) async fn last_good(
    work: &dyn Transaction,
    of: &DatabaseKey,
    until: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let Some((instance, database)) = keys::find(work, of).await? else {
        return Ok(None);
    };
    let sql = "select sampled_at from plimsoll.samples
               where instance_id = $1 and database_id = $2 and sampled_at <= $3
                   and total_bytes is not null and method <> 'import'
               order by tick desc limit 1";
    let params = [instance.into(), database.into(), until.into()];
    let found = work.read(sql, &params, |row| row.get(0)).await?;
    Ok(found.into_iter().next())
}

/// The same of each database of an instance that has such a sample, by its name: each is found by its key.
pub(super) async fn last_good_of_each(
    work: &dyn Transaction,
    instance: &str,
    until: Timestamp,
) -> Result<HashMap<String, Timestamp>, StoreError> {
    let sql = "select instance_id from plimsoll.instances where name = $1";
    let ids: Vec<i32> = work
        .read(sql, &[Value::from(instance)], |row| row.get(0))
        .await?;
    let Some(id) = ids.into_iter().next() else {
        return Ok(HashMap::new());
    };
    let sql = "select name, sampled_at from (
                   select d.name, (
                       select s.sampled_at from plimsoll.samples as s
                       where s.instance_id = $1 and s.database_id = d.database_id
                           and s.sampled_at <= $2 and s.total_bytes is not null and s.method <> 'import'
                       order by s.tick desc limit 1
                   ) as sampled_at
                   from plimsoll.databases as d where d.instance_id = $1
               ) as newest where sampled_at is not null";
    let named = |row: &Row| Ok((row.get(0)?, row.get(1)?));
    let rows = work.read(sql, &[id.into(), until.into()], named).await?;
    Ok(rows.into_iter().collect())
}
