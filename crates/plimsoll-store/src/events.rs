//! Events: what happened to a relation and is not growth. Written with a sample, read, thinned, moved.

use std::collections::HashSet;

use jiff::Timestamp;
use plimsoll_core::change::{Event, EventKind};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::keys::{Keys, Place, params};
use crate::reader::Ids;
use crate::rows::{Insert, Kind, NewRow, Row, RowError, Transaction, Value};
use crate::sample::{from_millis, millis, signed};

/// What happened that is not growth.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EventRow {
    /// To which relation; to the database as a whole where there is none.
    pub relation: Option<i32>,
    /// What.
    pub kind: String,
    /// The sample that noticed it.
    pub tick: i64,
    /// Not before this.
    pub from_at: Timestamp,
    /// Not after this.
    pub to_at: Timestamp,
    /// Bytes before it.
    pub bytes_before: Option<i64>,
    /// Bytes after it.
    pub bytes_after: Option<i64>,
    /// More about it.
    pub detail: Option<String>,
}

const INSERT: Insert = Insert {
    table: "plimsoll.events",
    columns: &[
        ("instance_id", Kind::Int4),
        ("database_id", Kind::Int4),
        ("event_id", Kind::Int8),
        ("relation_id", Kind::Int4),
        ("kind", Kind::Text),
        ("tick", Kind::Int8),
        ("from_at", Kind::Time),
        ("to_at", Kind::Time),
        ("bytes_before", Kind::Int8),
        ("bytes_after", Kind::Int8),
        ("detail", Kind::Text),
    ],
    skips_known: false,
};

/// Keeps what a sample noticed.
pub(crate) async fn keep(
    work: &dyn Transaction,
    place: Place,
    events: &[Event],
) -> Result<(), StoreError> {
    let rows = events.iter().map(|event| EventRow {
        relation: event.relation,
        kind: event.kind.as_str().to_owned(),
        tick: place.tick,
        from_at: event.from,
        to_at: event.to,
        bytes_before: event.bytes_before.map(signed),
        bytes_after: event.bytes_after.map(signed),
        detail: event.detail.clone(),
    });
    append(work, place.keys, rows.collect()).await
}

/// Appends rows in their order. The caller holds the lock on the database's row, so nobody else takes
/// the same numbers.
async fn append(work: &dyn Transaction, keys: Keys, rows: Vec<EventRow>) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let sql = "select coalesce(max(event_id), 0) from plimsoll.events
               where instance_id = $1 and database_id = $2";
    let last: Vec<i64> = work.read(sql, &params(keys), |row| row.get(0)).await?;
    let first = last.first().copied().unwrap_or(0) + 1;
    let rows = (first..).zip(rows).map(|(id, row)| new_row(keys, id, row));
    work.insert(&INSERT, rows.collect()).await?;
    Ok(())
}

fn new_row(keys: Keys, id: i64, row: EventRow) -> NewRow {
    vec![
        keys.0.into(),
        keys.1.into(),
        id.into(),
        row.relation.into(),
        row.kind.into(),
        row.tick.into(),
        row.from_at.into(),
        row.to_at.into(),
        row.bytes_before.into(),
        row.bytes_after.into(),
        row.detail.into(),
    ]
}

/// What happened, oldest first. With ids to those of them only, without also to the whole database.
pub(crate) async fn read(
    work: &dyn Transaction,
    keys: Keys,
    ids: Ids<'_>,
) -> Result<Vec<Event>, StoreError> {
    let [instance, database] = params(keys);
    match ids {
        None => {
            let sql = "select relation_id, kind, from_at, to_at, bytes_before, bytes_after, detail
                       from plimsoll.events where instance_id = $1 and database_id = $2
                       order by tick, event_id";
            work.read(sql, &[instance, database], event).await
        }
        Some([]) => Ok(Vec::new()),
        Some(ids) => {
            let sql = "select relation_id, kind, from_at, to_at, bytes_before, bytes_after, detail
                       from plimsoll.events
                       where instance_id = $1 and database_id = $2 and relation_id = any ($3)
                       order by tick, event_id";
            work.read(sql, &[instance, database, ids.into()], event)
                .await
        }
    }
}

fn event(row: &Row) -> Result<Event, RowError> {
    Ok(Event {
        relation: row.get(0)?,
        kind: row.get::<String>(1)?.parse().unwrap_or(EventKind::Rewrite),
        from: row.get(2)?,
        to: row.get(3)?,
        bytes_before: row.get(4)?,
        bytes_after: row.get(5)?,
        detail: row.get(6)?,
    })
}

/// Deletes what happened before the first sample that is left.
pub(crate) async fn thin(
    work: &dyn Transaction,
    keys: Keys,
    first_tick: i64,
) -> Result<(), StoreError> {
    let sql = "delete from plimsoll.events
               where instance_id = $1 and database_id = $2 and tick < $3";
    let [instance, database] = params(keys);
    work.execute(sql, &[instance, database, first_tick.into()])
        .await?;
    Ok(())
}

/// All rows, in the order in which they were noticed, to be moved.
pub(crate) async fn rows(work: &dyn Transaction, keys: Keys) -> Result<Vec<EventRow>, StoreError> {
    let sql = "select relation_id, kind, tick, from_at, to_at, bytes_before, bytes_after, detail
               from plimsoll.events where instance_id = $1 and database_id = $2
               order by tick, event_id";
    work.read(sql, &params(keys), event_row).await
}

fn event_row(row: &Row) -> Result<EventRow, RowError> {
    Ok(EventRow {
        relation: row.get(0)?,
        kind: row.get(1)?,
        tick: row.get(2)?,
        from_at: row.get(3)?,
        to_at: row.get(4)?,
        bytes_before: row.get(5)?,
        bytes_after: row.get(6)?,
        detail: row.get(7)?,
    })
}

/// Takes rows that were moved, unless they are there.
pub(crate) async fn take(
    work: &dyn Transaction,
    keys: Keys,
    mut rows: Vec<EventRow>,
) -> Result<(), StoreError> {
    let ticks = rows.iter().map(|row| row.tick);
    let (Some(first), Some(last)) = (ticks.clone().min(), ticks.max()) else {
        return Ok(());
    };
    let sql = "select relation_id, kind, tick, from_at, to_at, bytes_before, bytes_after, detail
               from plimsoll.events
               where instance_id = $1 and database_id = $2 and tick between $3 and $4";
    let [instance, database] = params(keys);
    let range: [Value; 4] = [instance, database, first.into(), last.into()];
    let known = work.read(sql, &range, event_row).await?;
    let known: HashSet<EventRow> = known.into_iter().collect();
    for row in &mut rows {
        // as the store keeps them
        row.from_at = from_millis(millis(row.from_at));
        row.to_at = from_millis(millis(row.to_at));
    }
    rows.retain(|row| !known.contains(row));
    append(work, keys, rows).await
}
