//! Drops samples that the retention no longer keeps, and the values that none of the others needs.

use jiff::Timestamp;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::thinning::{Kept, Retention, plan};

use super::error::Wrong;
use super::partition::{MONDAY, WEEK};
use super::read::keys;
use super::work::Work;
use crate::DatabaseKey;
use crate::thin::kinds;

pub(super) async fn thin(
    work: &Work<'_>,
    of: &DatabaseKey,
    retention: &Retention,
    now: Timestamp,
) -> Result<u64, Wrong> {
    let Some(database) = keys(work, of).await? else {
        return Ok(0);
    };
    let rows = work
        .query(
            "select id, sampled_at, kind from plimsoll.samples
             where instance_id = $1 and database_id = $2",
            &[&database.0, &database.1],
        )
        .await?;
    let samples = rows
        .iter()
        .map(|row| -> Result<Kept, Wrong> {
            Ok(Kept {
                id: row.try_get(0)?,
                sampled_at: row.try_get(1)?,
                kind: row
                    .try_get::<_, &str>(2)?
                    .parse()
                    .unwrap_or(SampleKind::Daily),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    drop_samples(work, database, &plan(&samples, retention, now)).await
}

/// Drops samples by id, but never the newest one: the next sample is compared with it.
///
/// A value stays as long as a sample follows, before the next value of its relation, for which it
/// counts: so what the samples that are left show does not change, and doing it again changes
/// nothing.
pub(super) async fn drop_samples(
    work: &Work<'_>,
    database: (i32, i32),
    ids: &[i64],
) -> Result<u64, Wrong> {
    let dropped = delete_samples(work, database, ids).await?;
    if dropped > 0 {
        carry(work, database).await?;
    }
    Ok(dropped)
}

/// As [`drop_samples`], but only deletes: a full disk has room for that.
pub(super) async fn delete_samples(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
    ids: &[i64],
) -> Result<u64, Wrong> {
    if ids.is_empty() {
        return Ok(0);
    }
    // against a sample being kept at the same time, and another process that thins
    work.execute(
        "select 1 from plimsoll.databases where instance_id = $1 and database_id = $2 for update",
        &[&instance_id, &database_id],
    )
    .await?;
    let dropped = work
        .execute(
            "delete from plimsoll.samples where instance_id = $1 and database_id = $2
                 and id = any ($3)
                 and tick <> (select last_tick from plimsoll.databases
                              where instance_id = $1 and database_id = $2)",
            &[&instance_id, &database_id, &ids],
        )
        .await?;
    if dropped > 0 {
        for statement in UNNEEDED {
            work.execute(statement, &[&instance_id, &database_id])
                .await?;
        }
        kinds(work, (instance_id, database_id)).await?;
        work.execute(
            include_str!("thin/relations.sql"),
            &[&instance_id, &database_id],
        )
        .await?;
    }
    Ok(dropped)
}

/// Moves what is still needed out of weeks that have no sample any more, and counts what each sample holds:
/// writes rows, but changes nothing of what the samples show.
pub(super) async fn carry(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
) -> Result<(), Wrong> {
    for statement in CARRY {
        work.execute(statement, &[&instance_id, &database_id, &MONDAY, &WEEK])
            .await?;
    }
    work.execute(
        include_str!("thin/recount.sql"),
        &[&instance_id, &database_id],
    )
    .await?;
    Ok(())
}

/// Each deletes values that no sample that is left needs, of instance $1 and database $2.
const UNNEEDED: [&str; 2] = [
    include_str!("thin/table_values.sql"),
    include_str!("thin/index_values.sql"),
];

/// Each moves what the samples that are left need out of the weeks before them.
const CARRY: [&str; 2] = [
    include_str!("thin/carry_table_values.sql"),
    include_str!("thin/carry_index_values.sql"),
];
