//! Drops samples that the retention no longer keeps, and the values that none of the others needs.

use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::thinning::{Kept, Retention, plan};
use rusqlite::Connection;

use super::error::Wrong;
use super::read::keys;
use super::rows::{SqliteTransaction, wait};
use crate::DatabaseKey;
use crate::sample::from_millis;
use crate::thin::kinds;

pub(super) fn thin(
    work: &SqliteTransaction,
    of: &DatabaseKey,
    retention: &Retention,
    now: Timestamp,
) -> Result<u64, Wrong> {
    let Some(database) = keys(&work.connection(), of)? else {
        return Ok(0);
    };
    let samples = samples(&work.connection(), database)?;
    drop_samples(work, database, &plan(&samples, retention, now))
}

fn samples(connection: &Connection, database: (i32, i32)) -> Result<Vec<Kept>, Wrong> {
    let mut statement = connection.prepare_cached(
        "select id, sampled_at, kind from samples where instance_id = ?1 and database_id = ?2",
    )?;
    let samples = statement
        .query_map(database, |row| {
            Ok(Kept {
                id: row.get(0)?,
                sampled_at: from_millis(row.get(1)?),
                kind: row
                    .get_ref(2)?
                    .as_str()?
                    .parse()
                    .unwrap_or(SampleKind::Daily),
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(samples)
}

/// Drops samples by id, but never the newest one: the next sample is compared with it.
///
/// A value stays as long as a sample follows, before the next value of its relation, for which it
/// counts: so what the samples that are left show does not change, and doing it again changes
/// nothing.
pub(super) fn drop_samples(
    work: &SqliteTransaction,
    database: (i32, i32),
    ids: &[i64],
) -> Result<u64, Wrong> {
    let dropped = delete_samples(&work.connection(), database, ids)?;
    if dropped > 0 {
        for statement in UNNEEDED {
            work.connection()
                .prepare_cached(statement)?
                .execute(database)?;
        }
        tidy(work, database)?;
    }
    Ok(dropped)
}

/// Deletes samples only, not what nothing needs without them.
pub(super) fn delete_samples(
    connection: &Connection,
    database: (i32, i32),
    ids: &[i64],
) -> Result<u64, Wrong> {
    let ids = serde_json::to_string(ids).unwrap_or_default();
    let dropped = connection.execute(
        "delete from samples where instance_id = ?1 and database_id = ?2
             and id in (select value from json_each(?3))
             and tick <> (select last_tick from databases where instance_id = ?1 and database_id = ?2)",
        (database.0, database.1, &ids),
    )?;
    Ok(u64::try_from(dropped).unwrap_or(0))
}

/// The relations of a database, in order.
pub(super) fn relations(connection: &Connection, database: (i32, i32)) -> Result<Vec<i32>, Wrong> {
    let mut statement = connection.prepare_cached(
        "select relation_id from relations where instance_id = ?1 and database_id = ?2
         order by relation_id",
    )?;
    let ids = statement.query_map(database, |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Deletes the values that no sample that is left needs, of the relations from one to another.
pub(super) fn delete_unneeded(
    connection: &Connection,
    database: (i32, i32),
    (first, last): (i32, i32),
) -> Result<(), Wrong> {
    for statement in UNNEEDED {
        let sql = format!(
            "{} and relation_id between ?3 and ?4",
            statement.trim_end().trim_end_matches(';')
        );
        let params = (database.0, database.1, first, last);
        connection.prepare_cached(&sql)?.execute(params)?;
    }
    Ok(())
}

/// What follows where samples were deleted.
pub(super) fn tidy(work: &SqliteTransaction, database: (i32, i32)) -> Result<(), Wrong> {
    wait(kinds(work, database))?;
    forget_gone(&work.connection(), database)?;
    work.connection()
        .prepare_cached(include_str!("thin/recount.sql"))?
        .execute(database)?;
    Ok(())
}

/// Each deletes values that no sample that is left needs, of instance ?1 and database ?2.
const UNNEEDED: [&str; 2] = [
    include_str!("thin/table_values.sql"),
    include_str!("thin/index_values.sql"),
];

/// Deletes relations that are gone and that no sample shows any more.
fn forget_gone(connection: &Connection, database: (i32, i32)) -> Result<(), Wrong> {
    let mut statement = connection.prepare_cached(
        "select relation_id from relations as r where instance_id = ?1 and database_id = ?2
             and gone_tick <= (
                 select min(tick) from samples where instance_id = ?1 and database_id = ?2)
             and not exists (
                 select 1 from events as e where e.instance_id = ?1 and e.database_id = ?2
                     and e.relation_id = r.relation_id)",
    )?;
    let gone: Vec<i32> = statement
        .query_map(database, |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in gone {
        for table in ["table_values", "index_values", "relations"] {
            let sql = format!(
                "delete from {table}
                 where instance_id = ?1 and database_id = ?2 and relation_id = ?3"
            );
            connection
                .prepare_cached(&sql)?
                .execute((database.0, database.1, id))?;
        }
    }
    Ok(())
}
