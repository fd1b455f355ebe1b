//! Former names: what relations were called, and belonged to, before. Written with a sample, read,
//! thinned, moved.

use plimsoll_core::change::FormerIdentity;
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::keys::{Keys, Place, params};
use crate::reader::{FormerName, Ids};
use crate::rows::{Insert, Kind, NewRow, Row, RowError, Transaction};
use crate::sample::former_key;

/// What a relation was called, and belonged to, until a tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerRow {
    /// The first sample with the next name.
    pub until_tick: i64,
    /// Its schema then.
    pub schema: String,
    /// Its name then.
    pub name: String,
    /// Its key then, where that was not simply the names.
    pub table_key: Option<String>,
    /// Its parent then.
    pub parent: Option<i32>,
}

/// A former name with the relation that had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FormerLine {
    pub(crate) relation: i32,
    pub(crate) until_tick: i64,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) table_key: Option<String>,
    pub(crate) parent: Option<i32>,
}

const COLUMNS: &[(&str, Kind)] = &[
    ("instance_id", Kind::Int4),
    ("database_id", Kind::Int4),
    ("relation_id", Kind::Int4),
    ("until_tick", Kind::Int8),
    ("schema_name", Kind::Text),
    ("relation_name", Kind::Text),
    ("table_key", Kind::Text),
    ("parent_id", Kind::Int4),
];

const INSERT: Insert = Insert {
    table: "plimsoll.former_names",
    columns: COLUMNS,
    skips_known: false,
};

/// Of rows that were moved some may be there.
const TAKE: Insert = Insert {
    table: "plimsoll.former_names",
    columns: COLUMNS,
    skips_known: true,
};

/// Keeps the names that a sample no longer found.
pub(crate) async fn keep(
    work: &dyn Transaction,
    place: Place,
    former: &[FormerIdentity],
) -> Result<(), StoreError> {
    if former.is_empty() {
        return Ok(());
    }
    let rows = former.iter().map(|former| {
        let line = FormerLine {
            relation: former.id,
            until_tick: place.tick,
            schema: former.schema_name.to_string(),
            name: former.relation_name.to_string(),
            table_key: former_key(former, place.major),
            parent: former.parent,
        };
        new_row(place.keys, line)
    });
    work.insert(&INSERT, rows.collect()).await?;
    Ok(())
}

fn new_row(keys: Keys, line: FormerLine) -> NewRow {
    vec![
        keys.0.into(),
        keys.1.into(),
        line.relation.into(),
        line.until_tick.into(),
        line.schema.into(),
        line.name.into(),
        line.table_key.into(),
        line.parent.into(),
    ]
}

/// The former names of some relations, or of all, in the order of ids and ticks.
pub(crate) async fn read(
    work: &dyn Transaction,
    keys: Keys,
    ids: Ids<'_>,
) -> Result<Vec<FormerName>, StoreError> {
    let [instance, database] = params(keys);
    match ids {
        None => {
            let sql = "select relation_id, until_tick, schema_name, relation_name, parent_id
                       from plimsoll.former_names where instance_id = $1 and database_id = $2
                       order by relation_id, until_tick";
            work.read(sql, &[instance, database], former_name).await
        }
        Some([]) => Ok(Vec::new()),
        Some(ids) => {
            let sql = "select relation_id, until_tick, schema_name, relation_name, parent_id
                       from plimsoll.former_names
                       where instance_id = $1 and database_id = $2 and relation_id = any ($3)
                       order by relation_id, until_tick";
            let params = [instance, database, ids.into()];
            work.read(sql, &params, former_name).await
        }
    }
}

fn former_name(row: &Row) -> Result<FormerName, RowError> {
    Ok(FormerName {
        id: row.get(0)?,
        until: row.get(1)?,
        schema_name: row.get(2)?,
        relation_name: row.get(3)?,
        parent: row.get(4)?,
    })
}

/// Deletes names that were given up before, or with, the first sample that is left.
pub(crate) async fn thin(
    work: &dyn Transaction,
    keys: Keys,
    first_tick: i64,
) -> Result<(), StoreError> {
    let sql = "delete from plimsoll.former_names
               where instance_id = $1 and database_id = $2 and until_tick <= $3";
    let [instance, database] = params(keys);
    work.execute(sql, &[instance, database, first_tick.into()])
        .await?;
    Ok(())
}

/// All rows with the relation that had them, in the order of ids and ticks, to be moved.
pub(crate) async fn rows(
    work: &dyn Transaction,
    keys: Keys,
) -> Result<Vec<(i32, FormerRow)>, StoreError> {
    let sql = "select relation_id, until_tick, schema_name, relation_name, table_key, parent_id
               from plimsoll.former_names where instance_id = $1 and database_id = $2
               order by relation_id, until_tick";
    let read = |row: &Row| {
        let former = FormerRow {
            until_tick: row.get(1)?,
            schema: row.get(2)?,
            name: row.get(3)?,
            table_key: row.get(4)?,
            parent: row.get(5)?,
        };
        Ok((row.get(0)?, former))
    };
    work.read(sql, &params(keys), read).await
}

/// Takes rows that were moved, unless they are there.
pub(crate) async fn take(
    work: &dyn Transaction,
    keys: Keys,
    lines: Vec<FormerLine>,
) -> Result<(), StoreError> {
    let rows = lines.into_iter().map(|line| new_row(keys, line));
    work.insert(&TAKE, rows.collect()).await?;
    Ok(())
}
