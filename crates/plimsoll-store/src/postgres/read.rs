//! Reads samples and what is known of relations.

use std::collections::HashMap;

use plimsoll_core::Oid;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use tokio_postgres::Row;

use super::error::Wrong;
use super::pool::Work;
use crate::keys::Keys;
use crate::reader::{Reader, Which};
use crate::sample::{SamplePage, SampleQuery, unsigned};
use crate::{DatabaseKey, TableName};

pub(super) fn header(row: &Row) -> Result<SampleHeader, Wrong> {
    Ok(SampleHeader {
        id: row.try_get(0)?,
        instance: row.try_get(1)?,
        database: row.try_get(2)?,
        sampled_at: row.try_get(3)?,
        kind: row
            .try_get::<_, &str>(4)?
            .parse()
            .unwrap_or(SampleKind::Manual),
        total_bytes: row.try_get::<_, Option<i64>>(5)?.map(unsigned),
        table_count: unsigned(row.try_get(6)?),
        is_demo: row.try_get(7)?,
    })
}

/// The keys of a database that has samples.
pub(super) async fn keys(work: &Work<'_>, of: &DatabaseKey) -> Result<Option<(i32, i32)>, Wrong> {
    let Some(instance_id) = instance_id(work, &of.instance).await? else {
        return Ok(None);
    };
    let row = work
        .optional(
            "select database_id from plimsoll.databases where instance_id = $1 and name = $2",
            &[&instance_id, &of.database],
        )
        .await?;
    row.map(|row| Ok((instance_id, row.try_get(0)?)))
        .transpose()
}

/// The key of an instance that has a history.
pub(super) async fn instance_id(work: &Work<'_>, name: &str) -> Result<Option<i32>, Wrong> {
    let row = work
        .optional(include_str!("instance_id.sql"), &[&name])
        .await?;
    row.map(|row| Ok(row.try_get(0)?)).transpose()
}

pub(super) async fn samples(work: &Work<'_>, query: &SampleQuery) -> Result<SamplePage, Wrong> {
    let Some((instance_id, database_id)) = keys(work, &query.of).await? else {
        return Ok(SamplePage {
            samples: Vec::new(),
            total: 0,
        });
    };
    let kinds: Vec<&str> = query.kinds.iter().map(|kind| kind.as_str()).collect();
    let step_s = query.step.millis() / 1000;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let total: i64 = work
        .row(
            include_str!("read/count_samples.sql"),
            &[&instance_id, &database_id, &kinds, &query.since, &step_s],
        )
        .await?
        .try_get(0)?;
    let rows = work
        .query(
            include_str!("read/samples.sql"),
            &[
                &instance_id,
                &database_id,
                &kinds,
                &query.since,
                &step_s,
                &limit,
            ],
        )
        .await?;
    Ok(SamplePage {
        samples: rows.iter().map(header).collect::<Result<_, _>>()?,
        total: unsigned(total),
    })
}

pub(super) async fn table_sizes(
    work: &Work<'_>,
    sample: &SampleHeader,
    largest: Option<usize>,
    table: Option<&str>,
) -> Result<Vec<(String, u64)>, Wrong> {
    let of = DatabaseKey {
        instance: sample.instance.clone(),
        database: sample.database.clone(),
    };
    let Some((instance_id, database_id)) = keys(work, &of).await? else {
        return Ok(Vec::new());
    };
    if let Some(key) = table {
        return one_table(work, (instance_id, database_id), sample.id, key).await;
    }
    let limit = largest.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let sql = if largest.is_some() {
        "select table_key, size_bytes from plimsoll.sample_tables
         where instance_id = $1 and database_id = $2 and sample_id = $3
         order by size_bytes desc, table_key limit $4"
    } else {
        "select table_key, size_bytes from plimsoll.sample_tables
         where instance_id = $1 and database_id = $2 and sample_id = $3
         order by table_key limit $4"
    };
    let rows = work
        .query(sql, &[&instance_id, &database_id, &sample.id, &limit])
        .await?;
    let rows = rows.iter();
    rows.map(|row| Ok((row.try_get(0)?, unsigned(row.try_get(1)?))))
        .collect()
}

/// The table of a key: only those that have or had its name are looked at.
async fn one_table(
    work: &Work<'_>,
    keys: Keys,
    sample: i64,
    key: &str,
) -> Result<Vec<(String, u64)>, Wrong> {
    let Ok(name) = key.parse::<TableName>() else {
        return Ok(Vec::new());
    };
    let named = work.relations(keys, Which::Named(&name)).await?;
    let ids: Vec<i32> = named.iter().map(|relation| relation.id).collect();
    let rows = work
        .query(
            "select table_key, size_bytes from plimsoll.sample_tables
             where instance_id = $1 and database_id = $2 and sample_id = $3
                 and relation_id = any ($4) and table_key = $5",
            &[&keys.0, &keys.1, &sample, &ids, &key],
        )
        .await?;
    let rows = rows.iter();
    rows.map(|row| Ok((row.try_get(0)?, unsigned(row.try_get(1)?))))
        .collect()
}

pub(super) async fn last_good(
    work: &Work<'_>,
    of: &DatabaseKey,
) -> Result<HashMap<Oid, LastGood>, Wrong> {
    let Some((instance_id, database_id)) = keys(work, of).await? else {
        return Ok(HashMap::new());
    };
    let rows = work
        .query(
            include_str!("read/last_good.sql"),
            &[&instance_id, &database_id],
        )
        .await?;
    let rows = rows.iter();
    rows.map(|row| {
        let good = LastGood {
            bytes: unsigned(row.try_get(1)?),
            at: row.try_get(2)?,
        };
        Ok((row.try_get(0)?, good))
    })
    .collect()
}

pub(super) async fn databases(work: &Work<'_>) -> Result<Vec<DatabaseKey>, Wrong> {
    let rows = work
        .query(
            "select i.name, d.name from plimsoll.databases as d
             join plimsoll.instances as i on i.instance_id = d.instance_id
             where d.last_tick is not null
             order by i.name collate \"C\", d.name collate \"C\"",
            &[],
        )
        .await?;
    let rows = rows.iter();
    rows.map(|row| {
        Ok(DatabaseKey {
            instance: row.try_get(0)?,
            database: row.try_get(1)?,
        })
    })
    .collect()
}

pub(super) async fn size_bytes(work: &Work<'_>) -> Result<u64, Wrong> {
    let row = work.row(include_str!("read/size_bytes.sql"), &[]).await?;
    Ok(unsigned(row.try_get(0)?))
}
