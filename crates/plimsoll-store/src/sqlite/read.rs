//! Reads samples and what is known of relations.

use std::collections::HashMap;

use plimsoll_core::Oid;
use plimsoll_core::reconcile::LastGood;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

use super::error::Wrong;
use crate::sample::{SamplePage, SampleQuery, from_millis, millis, table_count, unsigned};
use crate::{DatabaseKey, TableName};

/// The columns that [`header`] reads.
pub(super) const HEADER: &str = "\
    select s.id, i.name, d.name, s.sampled_at, s.kind, s.total_bytes, s.table_count, s.is_demo,
        s.method like 'import%', s.unread_count
    from samples as s
    join databases as d on d.instance_id = s.instance_id and d.database_id = s.database_id
    join instances as i on i.instance_id = s.instance_id";

pub(super) fn header(row: &Row<'_>) -> rusqlite::Result<SampleHeader> {
    let is_imported = row.get(8)?;
    Ok(SampleHeader {
        id: row.get(0)?,
        instance: row.get(1)?,
        database: row.get(2)?,
        sampled_at: from_millis(row.get(3)?),
        kind: row
            .get_ref(4)?
            .as_str()?
            .parse()
            .unwrap_or(SampleKind::Manual),
        total_bytes: row.get::<_, Option<i64>>(5)?.map(unsigned),
        table_count: table_count(row.get(6)?, is_imported),
        is_demo: row.get(7)?,
        is_imported,
        unread_count: unsigned(row.get(9)?),
    })
}

/// The keys of a database that has samples.
pub(super) fn keys(connection: &Connection, of: &DatabaseKey) -> Result<Option<(i32, i32)>, Wrong> {
    let keys = connection
        .prepare_cached(
            "select d.instance_id, d.database_id from instances as i
             join databases as d on d.instance_id = i.instance_id
             where i.name = ?1 and d.name = ?2",
        )?
        .query_row((&of.instance, &of.database), |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    Ok(keys)
}

pub(super) fn samples(connection: &Connection, query: &SampleQuery) -> Result<SamplePage, Wrong> {
    let Some((instance_id, database_id)) = keys(connection, &query.of)? else {
        return Ok(SamplePage {
            samples: Vec::new(),
            total: 0,
        });
    };
    let kinds = serde_json::to_string(&query.kinds).unwrap_or_default();
    let since = query.since.map_or(i64::MIN, millis);
    let step = query.step.millis();
    // Of the last sample of each step only the id is taken along: the rest is read for a page.
    let chosen = "\
        with chosen as (
            select id, tick, row_number() over (
                partition by iif(?5 = 1, id, sampled_at / ?5) order by tick desc
            ) as place
            from samples
            where instance_id = ?1 and database_id = ?2 and sampled_at >= ?4
                and (?3 = '[]' or kind in (select value from json_each(?3)))
        )";
    let choice: [&dyn ToSql; 5] = [&instance_id, &database_id, &kinds, &since, &step];
    let total: i64 = connection
        .prepare_cached(&format!(
            "{chosen} select count(*) from chosen where place = 1"
        ))?
        .query_row(&choice[..], |row| row.get(0))?;
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(&format!(
        "{chosen} {HEADER} join chosen as c on c.id = s.id and c.place = 1
         order by s.tick desc limit ?6"
    ))?;
    let page: [&dyn ToSql; 6] = [&instance_id, &database_id, &kinds, &since, &step, &limit];
    let samples = statement.query_map(&page[..], header)?;
    Ok(SamplePage {
        samples: samples.collect::<Result<_, _>>()?,
        total: unsigned(total),
    })
}

pub(super) fn table_sizes(
    connection: &Connection,
    sample: i64,
    largest: Option<usize>,
    table: Option<&str>,
) -> Result<Vec<(String, u64)>, Wrong> {
    if let Some(key) = table {
        return one_table(connection, sample, key);
    }
    let order = if largest.is_some() {
        "size_bytes desc, table_key"
    } else {
        "table_key"
    };
    let limit = largest.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
    let mut statement = connection.prepare_cached(&format!(
        "select table_key, size_bytes from sample_tables
         where sample_id = ?1 order by {order} limit ?2"
    ))?;
    let rows = statement.query_map((sample, limit), |row| {
        Ok((row.get(0)?, unsigned(row.get(1)?)))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The table of a key: only those that have or had its name are looked at.
fn one_table(connection: &Connection, sample: i64, key: &str) -> Result<Vec<(String, u64)>, Wrong> {
    let Ok(name) = key.parse::<TableName>() else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "with named as materialized (
             select r.relation_id from samples as s
             join relations as r indexed by relations_by_name on r.instance_id = s.instance_id
                 and r.database_id = s.database_id and r.owner_id is null
             where s.id = ?1 and r.relation_name = ?3 and r.schema_name = ?4
             union
             select f.relation_id from samples as s
             join former_names as f on f.instance_id = s.instance_id
                 and f.database_id = s.database_id
             where s.id = ?1 and f.relation_name = ?3 and f.schema_name = ?4
         )
         select table_key, size_bytes from sample_tables
         where sample_id = ?1 and table_key = ?2 and relation_id in (select relation_id from named)",
    )?;
    let params = (sample, key, &name.table_name, &name.schema_name);
    let rows = statement.query_map(params, |row| Ok((row.get(0)?, unsigned(row.get(1)?))))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn last_good(
    connection: &Connection,
    of: &DatabaseKey,
) -> Result<HashMap<Oid, LastGood>, Wrong> {
    let Some((instance_id, database_id)) = keys(connection, of)? else {
        return Ok(HashMap::new());
    };
    // A part is as old as the newest sample, unless that one could not measure it.
    let mut statement = connection.prepare_cached(
        "with parts as (
             select relation_id, oid, 'h' as part, heap_bytes as bytes from relations
             where instance_id = ?1 and database_id = ?2 and gone_tick is null
             union all
             select relation_id, toast_oid, 't', toast_bytes from relations
             where instance_id = ?1 and database_id = ?2 and gone_tick is null
             union all
             select relation_id, toast_index_oid, 'x', toast_index_bytes from relations
             where instance_id = ?1 and database_id = ?2 and gone_tick is null
         )
         select p.oid, p.bytes,
             iif(u.relation_id is null, s.sampled_at, coalesce(u.last_good_at, s.sampled_at))
         from parts as p
         join databases as d on d.instance_id = ?1 and d.database_id = ?2
         join samples as s on s.instance_id = ?1 and s.database_id = ?2 and s.tick = d.last_tick
         left join unread as u on u.instance_id = ?1 and u.database_id = ?2
             and u.relation_id = p.relation_id and u.part = p.part and u.until_tick is null
         where p.bytes is not null and p.oid is not null and p.oid <> 0",
    )?;
    let rows = statement.query_map((instance_id, database_id), |row| {
        let good = LastGood {
            bytes: unsigned(row.get(1)?),
            at: from_millis(row.get(2)?),
        };
        Ok((row.get(0)?, good))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn databases(connection: &Connection) -> Result<Vec<DatabaseKey>, Wrong> {
    let mut statement = connection.prepare_cached(
        "select i.name, d.name from databases as d
         join instances as i on i.instance_id = d.instance_id
         order by i.name, d.name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(DatabaseKey {
            instance: row.get(0)?,
            database: row.get(1)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn size_bytes(connection: &Connection) -> Result<u64, Wrong> {
    let pages: i64 = connection.query_row(
        "select page_count * page_size from pragma_page_count(), pragma_page_size()",
        [],
        |row| row.get(0),
    )?;
    // what was written and is not yet in the file itself
    let wal = connection
        .path()
        .and_then(|path| std::fs::metadata(format!("{path}-wal")).ok())
        .map_or(0, |wal| wal.len());
    Ok(unsigned(pages) + wal)
}
