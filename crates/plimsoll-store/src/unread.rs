//! Parts of relations that could not be measured: from when to when. Written with a sample, read,
//! thinned, moved.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use plimsoll_core::change::{Changes, Part, RelationId};
use plimsoll_core::size::Status;
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::keys::{Keys, Place, params};
use crate::reader::{Ids, UnreadPart};
use crate::rows::{Insert, Kind, NewRow, Row, RowError, Transaction, Value};
use crate::series::Interval;

/// A part that could not be measured for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadRow {
    /// Of which relation.
    pub relation: i32,
    /// The letter of the part.
    pub part: String,
    /// From this sample on.
    pub from_tick: i64,
    /// Until this one, which measured it again.
    pub until_tick: Option<i64>,
    /// Why not.
    pub status: String,
    /// When it was last measured.
    pub last_good_at: Option<Timestamp>,
}

const COLUMNS: &[(&str, Kind)] = &[
    ("instance_id", Kind::Int4),
    ("database_id", Kind::Int4),
    ("relation_id", Kind::Int4),
    ("part", Kind::Text),
    ("from_tick", Kind::Int8),
    ("until_tick", Kind::Int8),
    ("status", Kind::Text),
    ("last_good_at", Kind::Time),
];

const INSERT: Insert = Insert {
    table: "plimsoll.unread",
    columns: COLUMNS,
    skips_known: false,
};

/// Of rows that were moved some may be there.
const TAKE: Insert = Insert {
    table: "plimsoll.unread",
    columns: COLUMNS,
    skips_known: true,
};

/// Keeps what a sample could not measure, and what it measured again.
pub(crate) async fn keep(
    work: &dyn Transaction,
    place: Place,
    changes: &Changes,
) -> Result<(), StoreError> {
    if !changes.unread.is_empty() {
        begin(work, place, changes).await?;
    }
    let mut read_again: BTreeMap<&str, Vec<RelationId>> = BTreeMap::new();
    for (id, part) in &changes.read_again {
        read_again.entry(part.letter()).or_default().push(*id);
    }
    for (part, ids) in read_again {
        let sql = "update plimsoll.unread set until_tick = $3
                   where instance_id = $1 and database_id = $2 and until_tick is null
                       and part = $4 and relation_id = any ($5)";
        let [instance, database] = place.params();
        let params = [
            instance,
            database,
            place.tick.into(),
            part.into(),
            Value::Ids(ids),
        ];
        work.execute(sql, &params).await?;
    }
    Ok(())
}

async fn begin(work: &dyn Transaction, place: Place, changes: &Changes) -> Result<(), StoreError> {
    // The last good value is of the sample before, if the relation was there: it was measured then, or
    // the part would have been unread already.
    let sql = "select sampled_at from plimsoll.samples
               where instance_id = $1 and database_id = $2 and tick < $3 order by tick desc limit 1";
    let [instance, database] = place.params();
    let before: Vec<Timestamp> = work
        .read(sql, &[instance, database, place.tick.into()], |row| {
            row.get(0)
        })
        .await?;
    let added: HashSet<RelationId> = changes.added.iter().map(|known| known.id).collect();
    let rows = changes.unread.iter().map(|(id, part, status)| {
        let row = UnreadRow {
            relation: *id,
            part: part.letter().to_owned(),
            from_tick: place.tick,
            until_tick: None,
            status: status.as_str().to_owned(),
            last_good_at: before.first().copied().filter(|_| !added.contains(id)),
        };
        new_row(place.keys, row)
    });
    work.insert(&INSERT, rows.collect()).await?;
    Ok(())
}

fn new_row(keys: Keys, row: UnreadRow) -> NewRow {
    vec![
        keys.0.into(),
        keys.1.into(),
        row.relation.into(),
        row.part.into(),
        row.from_tick.into(),
        row.until_tick.into(),
        row.status.into(),
        row.last_good_at.into(),
    ]
}

/// The parts that the newest sample could not measure.
pub(crate) async fn now(
    work: &dyn Transaction,
    keys: Keys,
) -> Result<Vec<(RelationId, Part, Status)>, StoreError> {
    let sql = "select relation_id, part, status from plimsoll.unread
               where instance_id = $1 and database_id = $2 and until_tick is null";
    let read = |row: &Row| {
        let part = Part::from_letter(&row.get::<String>(1)?).unwrap_or(Part::Heap);
        let status = Status::from_name(&row.get::<String>(2)?).unwrap_or(Status::Denied);
        Ok((row.get(0)?, part, status))
    };
    work.read(sql, &params(keys), read).await
}

/// When parts could not be measured, of some relations or of all.
pub(crate) async fn read(
    work: &dyn Transaction,
    keys: Keys,
    ids: Ids<'_>,
) -> Result<Vec<UnreadPart>, StoreError> {
    let [instance, database] = params(keys);
    match ids {
        None => {
            let sql = "select relation_id, from_tick, until_tick, last_good_at from plimsoll.unread
                       where instance_id = $1 and database_id = $2";
            work.read(sql, &[instance, database], unread_part).await
        }
        Some([]) => Ok(Vec::new()),
        Some(ids) => {
            let sql = "select relation_id, from_tick, until_tick, last_good_at from plimsoll.unread
                       where instance_id = $1 and database_id = $2 and relation_id = any ($3)";
            let params = [instance, database, ids.into()];
            work.read(sql, &params, unread_part).await
        }
    }
}

fn unread_part(row: &Row) -> Result<UnreadPart, RowError> {
    Ok(UnreadPart {
        id: row.get(0)?,
        interval: Interval {
            from: row.get(1)?,
            until: row.get::<Option<i64>>(2)?.unwrap_or(i64::MAX),
        },
        last_good_at: row.get(3)?,
    })
}

/// Deletes what was measured again before, or with, the first sample that is left.
pub(crate) async fn thin(
    work: &dyn Transaction,
    keys: Keys,
    first_tick: i64,
) -> Result<(), StoreError> {
    let sql = "delete from plimsoll.unread
               where instance_id = $1 and database_id = $2 and until_tick <= $3";
    let [instance, database] = params(keys);
    work.execute(sql, &[instance, database, first_tick.into()])
        .await?;
    Ok(())
}

/// All rows in the order of their keys, to be moved.
pub(crate) async fn rows(work: &dyn Transaction, keys: Keys) -> Result<Vec<UnreadRow>, StoreError> {
    let sql = "select relation_id, part, from_tick, until_tick, status, last_good_at
               from plimsoll.unread where instance_id = $1 and database_id = $2
               order by relation_id, part collate \"C\", from_tick";
    let read = |row: &Row| {
        Ok(UnreadRow {
            relation: row.get(0)?,
            part: row.get(1)?,
            from_tick: row.get(2)?,
            until_tick: row.get(3)?,
            status: row.get(4)?,
            last_good_at: row.get(5)?,
        })
    };
    work.read(sql, &params(keys), read).await
}

/// Takes rows that were moved, unless they are there.
pub(crate) async fn take(
    work: &dyn Transaction,
    keys: Keys,
    rows: Vec<UnreadRow>,
) -> Result<(), StoreError> {
    let rows = rows.into_iter().map(|row| new_row(keys, row));
    work.insert(&TAKE, rows.collect()).await?;
    Ok(())
}

/// Says that nothing is unread any more from a tick on.
pub(crate) async fn close(work: &dyn Transaction, keys: Keys, tick: i64) -> Result<(), StoreError> {
    let sql = "update plimsoll.unread set until_tick = $3
               where instance_id = $1 and database_id = $2 and until_tick is null";
    let [instance, database] = params(keys);
    work.execute(sql, &[instance, database, tick.into()])
        .await?;
    Ok(())
}
