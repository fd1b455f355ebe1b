//! Moves a database's history out of the schema and into it.

use std::pin::pin;

use futures_util::TryStreamExt;
use tokio::sync::mpsc::{Receiver, Sender};

use super::PostgresStore;
use super::append::NEW_DATABASE_LOCK;
use super::error::Wrong;
use super::read::{instance_name, keep_name};
use super::work::Work;
use crate::portable::kinds::{self, Formers};
use crate::portable::line::{Destination, Line, Write, batch_json, by_table};
use crate::portable::row::{DatabaseRow, RelationRow, Row};
use crate::portable::splice::{Existing, Splice};
use crate::portable::{BATCH, ImportedHistory, NotImported};
use crate::{DatabaseKey, forecast, unread};

const READS: [&str; 4] = [
    include_str!("transfer/read_relations.sql"),
    include_str!("transfer/read_samples.sql"),
    include_str!("transfer/read_table_values.sql"),
    include_str!("transfer/read_index_values.sql"),
];

/// Sends every row of a database, as one transaction sees them, until nobody listens any more.
pub(super) async fn read(
    work: &Work<'_>,
    of: &DatabaseKey,
    to: &Sender<Vec<Row>>,
) -> Result<(), Wrong> {
    let Some(keys) = keys(work, of, false).await? else {
        return Ok(());
    };
    let Some(database) = database(work, keys).await? else {
        return Ok(());
    };
    if to.send(vec![Row::Database(database)]).await.is_err() {
        return Ok(());
    }
    let mut formers = Formers::read(work, keys).await?;
    for sql in READS {
        let mut rows = pin!(work.stream(sql, &[&keys.0, &keys.1]).await?);
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(row) = rows.try_next().await? {
            let mut row: Row = parsed(row.try_get(0)?)?;
            if let Row::Relation(relation) = &mut row {
                formers.give(relation);
            }
            batch.push(row);
            if batch.len() == BATCH && to.send(std::mem::take(&mut batch)).await.is_err() {
                return Ok(());
            }
        }
        if !batch.is_empty() && to.send(batch).await.is_err() {
            return Ok(());
        }
    }
    for batch in kinds::rows(work, keys).await?.chunks(BATCH) {
        if to.send(batch.to_vec()).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn parsed<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Wrong> {
    serde_json::from_str(json).map_err(|error| Wrong::Row(error.to_string()))
}

/// The keys of a database; with a row lock, so that samples of it wait, where it is to be written.
async fn keys(
    work: &Work<'_>,
    of: &DatabaseKey,
    is_to_be_written: bool,
) -> Result<Option<(i32, i32)>, Wrong> {
    if !is_to_be_written {
        return super::read::keys(work, of).await;
    }
    let Some(instance_id) = super::read::instance_id(work, &of.instance).await? else {
        return Ok(None);
    };
    let row = work
        .optional(
            include_str!("transfer/find_for_update.sql"),
            &[&instance_id, &of.database],
        )
        .await?;
    row.map(|row| Ok((instance_id, row.try_get(0)?)))
        .transpose()
}

async fn database(work: &Work<'_>, keys: (i32, i32)) -> Result<Option<DatabaseRow>, Wrong> {
    let instance = instance_name(work, keys.0).await?;
    let row = work
        .optional(
            include_str!("transfer/read_database.sql"),
            &[&keys.0, &keys.1, &instance],
        )
        .await?;
    row.map(|row| match parsed(row.try_get(0)?)? {
        Row::Database(row) => Ok(row),
        _ => Err(Wrong::Row("another row than the database's".to_owned())),
    })
    .transpose()
}

async fn existing(work: &Work<'_>, keys: (i32, i32)) -> Result<Option<Existing>, Wrong> {
    let Some(database) = database(work, keys).await? else {
        return Ok(None);
    };
    let mut relations = Vec::new();
    let mut formers = Formers::read(work, keys).await?;
    let rows = work
        .stream(
            include_str!("transfer/read_relations.sql"),
            &[&keys.0, &keys.1],
        )
        .await?;
    let mut rows = pin!(rows);
    while let Some(row) = rows.try_next().await? {
        if let Row::Relation(mut relation) = parsed(row.try_get(0)?)? {
            formers.give(&mut relation);
            relations.push(relation);
        }
    }
    let rows = work
        .query(
            include_str!("transfer/end_samples.sql"),
            &[&keys.0, &keys.1],
        )
        .await?;
    let ends: Result<_, Wrong> = rows.iter().map(|row| parsed(row.try_get(0)?)).collect();
    Ok(Some(Existing {
        database,
        relations,
        ends: ends?,
    }))
}

/// Takes one database's rows in one transaction.
pub(super) async fn write(
    store: &PostgresStore,
    mut from: Receiver<Vec<Row>>,
) -> Result<Result<ImportedHistory, NotImported>, Wrong> {
    let mut rows = from.recv().await.unwrap_or_default().into_iter();
    let Some(Row::Database(file)) = rows.next() else {
        return Ok(Err(NotImported::CutShort));
    };
    let of = file.key();
    let (relations, rest) = relations_first(rows, &mut from).await;
    let weeks = weeks(store, &file, &relations).await?;
    store.partitions.ensure_all(&store.pool, weeks).await?;
    let mut connection;
    let mut work = begin!(&store.pool, connection, write);
    work.may_take_long().await?;
    let mut found = keys(&work, &of, true).await?;
    if found.is_none() {
        // two processes that see a database for the first time take turns
        work.execute("select pg_advisory_xact_lock($1)", &[&NEW_DATABASE_LOCK])
            .await?;
        found = keys(&work, &of, true).await?;
    }
    let known = match found {
        Some(keys) => existing(&work, keys).await?,
        None => None,
    };
    let mut splice = Splice::new(&file, known);
    let mut buffers = Vec::new();
    for relation in relations {
        splice.relation(relation);
    }
    let mut batch = Some(rest.into_iter());
    while let Some(rows) = batch {
        for row in rows {
            let row = match row {
                Row::Relation(relation) => {
                    splice.relation(relation);
                    continue;
                }
                row => row,
            };
            match splice.place_relations() {
                Ok(writes) => {
                    for write in writes {
                        apply(&work, &of, &mut found, &write).await?;
                    }
                }
                Err(reason) => return Ok(Err(NotImported::Rows(reason))),
            }
            let is_end = matches!(row, Row::End(_));
            splice.row(row, &mut buffers);
            if (is_end || buffers.len() >= BATCH)
                && let Some(keys) = found
            {
                for (table, lines) in by_table(&mut buffers) {
                    insert(&work, keys, table, &lines).await?;
                }
            }
            if is_end {
                if let Some(keys) = found {
                    work.execute(include_str!("thin/recount.sql"), &[&keys.0, &keys.1])
                        .await?;
                    forecast::forget(&work, keys).await?;
                }
                work.commit().await?;
                return Ok(Ok(splice.imported(of)));
            }
        }
        batch = from.recv().await.map(Vec::into_iter);
    }
    Ok(Err(NotImported::CutShort))
}

/// The relations, which come before all other rows, and those of the others that came with the last.
async fn relations_first(
    rows: std::vec::IntoIter<Row>,
    from: &mut Receiver<Vec<Row>>,
) -> (Vec<RelationRow>, Vec<Row>) {
    let mut relations = Vec::new();
    let mut batch = Some(rows);
    while let Some(mut rows) = batch {
        while let Some(row) = rows.next() {
            match row {
                Row::Relation(relation) => relations.push(relation),
                other => return (relations, std::iter::once(other).chain(rows).collect()),
            }
        }
        batch = from.recv().await.map(Vec::into_iter);
    }
    (relations, Vec::new())
}

/// The ticks that values are taken of. Their weeks are made before the rows are taken: nobody holds a
/// connection, or a lock, while waiting for another.
async fn weeks(
    store: &PostgresStore,
    file: &DatabaseRow,
    relations: &[RelationRow],
) -> Result<(i64, i64), Wrong> {
    let mut connection;
    let work = begin!(&store.pool, connection, pass);
    let known = match keys(&work, &file.key(), false).await? {
        Some(keys) => existing(&work, keys).await?,
        None => None,
    };
    work.commit().await?;
    let mut splice = Splice::new(file, known);
    for relation in relations {
        splice.relation(relation.clone());
    }
    Ok(splice
        .ticks(file)
        .unwrap_or((file.last_tick, file.last_tick)))
}

async fn apply(
    work: &Work<'_>,
    of: &DatabaseKey,
    keys: &mut Option<(i32, i32)>,
    write: &Write,
) -> Result<(), Wrong> {
    match (write, *keys) {
        (Write::Database(row), _) => *keys = keep_database(work, of, row).await?,
        (Write::CloseUnread(tick), Some(keys)) => {
            unread::close(work, keys, *tick).await?;
        }
        (Write::Rows(table, lines), Some(keys)) => {
            for lines in lines.chunks(BATCH) {
                insert(work, keys, *table, lines).await?;
            }
        }
        (_, None) => {}
    }
    Ok(())
}

async fn insert(
    work: &Work<'_>,
    (instance_id, database_id): (i32, i32),
    table: Destination,
    lines: &[Line],
) -> Result<(), Wrong> {
    let sql = match table {
        Destination::Relations => include_str!("transfer/add_relations.sql"),
        Destination::Replaced => include_str!("transfer/replace_relations.sql"),
        Destination::Earlier => include_str!("transfer/earlier_relations.sql"),
        Destination::Gone => include_str!("transfer/gone_relations.sql"),
        Destination::Samples => include_str!("transfer/add_samples.sql"),
        Destination::TableValues => include_str!("transfer/add_table_values.sql"),
        Destination::IndexValues => include_str!("transfer/add_index_values.sql"),
        Destination::Kind(kind) => {
            kinds::take(work, (instance_id, database_id), kind, lines).await?;
            return Ok(());
        }
    };
    let highest = lines.iter().filter_map(Line::sample_id).max();
    if let Some(highest) = highest {
        work.row(include_str!("transfer/pass_sample_ids.sql"), &[&highest])
            .await?;
    }
    work.execute(sql, &[&instance_id, &database_id, &batch_json(lines)])
        .await?;
    Ok(())
}

async fn keep_database(
    work: &Work<'_>,
    of: &DatabaseKey,
    row: &DatabaseRow,
) -> Result<Option<(i32, i32)>, Wrong> {
    work.execute(
        "insert into plimsoll.instances (name) values ($1) on conflict (name) do nothing",
        &[&of.instance],
    )
    .await?;
    let Some(instance_id) = super::read::instance_id(work, &of.instance).await? else {
        return Ok(None);
    };
    let rows = work
        .query(
            "select database_id, name from plimsoll.databases where instance_id = $1",
            &[&instance_id],
        )
        .await?;
    // its own number, or the next that is free
    let (mut database_id, mut is_known) = (1, false);
    for row in &rows {
        let (id, name): (i32, &str) = (row.try_get(0)?, row.try_get(1)?);
        if name == of.database {
            (database_id, is_known) = (id, true);
        } else if !is_known {
            database_id = database_id.max(id + 1);
        }
    }
    let version = i32::try_from(row.server_version_num).unwrap_or(i32::MAX);
    work.execute(
        include_str!("transfer/keep_database.sql"),
        &[
            &instance_id,
            &database_id,
            &of.database,
            &row.oid,
            &row.system_identifier,
            &row.timeline.map(i64::from),
            &row.in_recovery,
            &version,
            &row.stats_reset_at,
            &row.last_tick,
            &row.next_relation,
        ],
    )
    .await?;
    let found = keys(work, of, false).await?;
    if let Some(keys) = found {
        keep_name(work, keys, &of.database).await?;
    }
    Ok(found)
}
