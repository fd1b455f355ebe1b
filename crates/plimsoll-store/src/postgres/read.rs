//! Reads samples and what is known of relations.

use std::collections::HashMap;

use plimsoll_core::Oid;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use tokio_postgres::Row;

use super::citus;
use super::error::Wrong;
use super::work::Work;
use crate::keys::Keys;
use crate::reader::{Reader, Which};
use crate::sample::{SamplePage, SampleQuery, table_count, unsigned};
use crate::{DatabaseKey, TableName};

/// The columns of a sample's header, of a known instance.
pub(super) fn header(row: &Row, instance: &str) -> Result<SampleHeader, Wrong> {
    let is_imported = row.try_get(7)?;
    Ok(SampleHeader {
        id: row.try_get(0)?,
        instance: instance.to_owned(),
        database: row.try_get(1)?,
        sampled_at: row.try_get(2)?,
        kind: row
            .try_get::<_, &str>(3)?
            .parse()
            .unwrap_or(SampleKind::Manual),
        total_bytes: row.try_get::<_, Option<i64>>(4)?.map(unsigned),
        table_count: table_count(row.try_get(5)?, is_imported),
        is_demo: row.try_get(6)?,
        is_imported,
        unread_count: unsigned(row.try_get(8)?),
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

/// The name of an instance that has a history.
pub(super) async fn instance_name(work: &Work<'_>, id: i32) -> Result<String, Wrong> {
    let sql = "select name from plimsoll.instances where instance_id = $1";
    Ok(work.row(sql, &[&id]).await?.try_get(0)?)
}

/// Says by what name a database that has a sample is known now.
pub(super) async fn keep_name(work: &Work<'_>, keys: Keys, name: &str) -> Result<(), Wrong> {
    work.execute(
        "insert into plimsoll.database_names (instance_id, database_id, name)
         select $1, $2, $3 where not exists (
             select 1 from plimsoll.database_names where instance_id = $1 and database_id = $2 and name = $3
         )
         on conflict (instance_id, database_id) do update set name = excluded.name",
        &[&keys.0, &keys.1, &name],
    )
    .await?;
    Ok(())
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
        samples: rows
            .iter()
            .map(|row| header(row, &query.of.instance))
            .collect::<Result<_, _>>()?,
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
    // of one table: only those that have or had its name are looked at
    let ids: Option<Vec<i32>> = match table.map(str::parse::<TableName>) {
        None => None,
        Some(Err(_)) => return Ok(Vec::new()),
        Some(Ok(name)) => {
            let named = work
                .relations((instance_id, database_id), Which::Named(&name))
                .await?;
            Some(named.iter().map(|relation| relation.id).collect())
        }
    };
    let limit = largest.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = work
        .query(
            include_str!("read/table_sizes.sql"),
            &[&instance_id, &database_id, &sample.id, &ids, &limit, &table],
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
            "select i.name, d.name from plimsoll.database_names as d
             join plimsoll.instances as i on i.instance_id = d.instance_id
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

/// The keys of the instances that have a history.
pub(super) async fn instances(work: &Work<'_>) -> Result<Vec<i32>, Wrong> {
    let sql = "select distinct instance_id from plimsoll.database_names order by instance_id";
    let rows = work.query(sql, &[]).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

pub(super) async fn size_bytes(work: &Work<'_>) -> Result<u64, Wrong> {
    let row = work.row(include_str!("read/size_bytes.sql"), &[]).await?;
    let here = unsigned(row.try_get(0)?);
    if citus::is_there(work).await? {
        return Ok(here + citus::shard_bytes(work).await?);
    }
    Ok(here)
}
