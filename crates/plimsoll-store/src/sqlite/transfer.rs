//! Moves a database's history out of the file and into it, and copies the file while it is in use.

use std::path::Path;
use std::time::Duration;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::mpsc::{Receiver, Sender};

use super::SqliteStore;
use super::error::Wrong;
use super::file::{Access, connect_to_read};
use super::read::keys;
use super::rows::{SqliteTransaction, wait};
use crate::portable::kinds::{self, Formers};
use crate::portable::line::{Destination, Line, Write, batch_json, by_table};
use crate::portable::row::{DatabaseRow, Row};
use crate::portable::splice::{Existing, Splice};
use crate::portable::{BATCH, ImportedHistory, NotImported};
use crate::{DatabaseKey, StoreError, forecast, unread};

/// Pages copied at a time; between two steps others may write.
const STEP_PAGES: i32 = 1024;

const READS: [&str; 4] = [
    include_str!("transfer/read_relations.sql"),
    include_str!("transfer/read_samples.sql"),
    include_str!("transfer/read_table_values.sql"),
    include_str!("transfer/read_index_values.sql"),
];

/// Sends every row of a database, as one read transaction sees them, until nobody listens any more.
pub(super) fn read(
    work: &SqliteTransaction,
    of: &DatabaseKey,
    to: &Sender<Vec<Row>>,
) -> Result<(), Wrong> {
    let Some(keys) = keys(&work.connection(), of)? else {
        return Ok(());
    };
    let Some(database) = database(&work.connection(), keys)? else {
        return Ok(());
    };
    if to.blocking_send(vec![Row::Database(database)]).is_err() {
        return Ok(());
    }
    let mut formers = wait(Formers::read(work, keys))?;
    for sql in READS {
        if !read_all(&work.connection(), sql, keys, &mut formers, to)? {
            return Ok(());
        }
    }
    for batch in wait(kinds::rows(work, keys))?.chunks(BATCH) {
        if to.blocking_send(batch.to_vec()).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Sends the rows that a statement answers; false when nobody listens any more.
fn read_all(
    connection: &Connection,
    sql: &str,
    keys: (i32, i32),
    formers: &mut Formers,
    to: &Sender<Vec<Row>>,
) -> Result<bool, Wrong> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(keys)?;
    let mut batch = Vec::with_capacity(BATCH);
    while let Some(row) = rows.next()? {
        let mut row = parsed(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
        if let Row::Relation(relation) = &mut row {
            formers.give(relation);
        }
        batch.push(row);
        if batch.len() == BATCH && to.blocking_send(std::mem::take(&mut batch)).is_err() {
            return Ok(false);
        }
    }
    Ok(batch.is_empty() || to.blocking_send(batch).is_ok())
}

fn parsed<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Wrong> {
    serde_json::from_str(json).map_err(|error| {
        Wrong::Sqlite(rusqlite::Error::FromSqlConversionFailure(
            0,
            rusqlite::types::Type::Text,
            Box::new(error),
        ))
    })
}

fn database(connection: &Connection, keys: (i32, i32)) -> Result<Option<DatabaseRow>, Wrong> {
    let json: Option<String> = connection
        .query_row(include_str!("transfer/read_database.sql"), keys, |row| {
            row.get(0)
        })
        .optional()?;
    json.map(|json| match parsed(&json)? {
        Row::Database(row) => Ok(row),
        _ => Err(Wrong::Absent),
    })
    .transpose()
}

fn existing(work: &SqliteTransaction, of: &DatabaseKey) -> Result<Option<Existing>, Wrong> {
    let Some(keys) = keys(&work.connection(), of)? else {
        return Ok(None);
    };
    let Some(database) = database(&work.connection(), keys)? else {
        return Ok(None);
    };
    let mut formers = wait(Formers::read(work, keys))?;
    let mut relations = Vec::new();
    let connection = work.connection();
    let mut statement = connection.prepare(include_str!("transfer/read_relations.sql"))?;
    let mut rows = statement.query(keys)?;
    while let Some(row) = rows.next()? {
        if let Row::Relation(mut relation) =
            parsed(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?
        {
            formers.give(&mut relation);
            relations.push(relation);
        }
    }
    let mut statement = connection.prepare(include_str!("transfer/end_samples.sql"))?;
    let mut rows = statement.query(keys)?;
    let mut ends = Vec::new();
    while let Some(row) = rows.next()? {
        ends.push(parsed(
            row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?,
        )?);
    }
    Ok(Some(Existing {
        database,
        relations,
        ends,
    }))
}

/// Takes one database's rows; the transaction is the caller's, to be rolled back on any error.
pub(super) fn write(
    work: &SqliteTransaction,
    mut from: Receiver<Vec<Row>>,
) -> Result<Result<ImportedHistory, NotImported>, Wrong> {
    let mut rows = std::iter::from_fn(|| from.blocking_recv()).flatten();
    let Some(Row::Database(file)) = rows.next() else {
        return Ok(Err(NotImported::CutShort));
    };
    let of = file.key();
    let mut splice = Splice::new(&file, existing(work, &of)?);
    let mut keys = keys(&work.connection(), &of)?;
    let mut buffers = Vec::new();
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
                    apply(work, &of, &mut keys, &write)?;
                }
            }
            Err(reason) => return Ok(Err(NotImported::Rows(reason))),
        }
        let is_end = matches!(row, Row::End(_));
        splice.row(row, &mut buffers);
        if (is_end || buffers.len() >= BATCH)
            && let Some(keys) = keys
        {
            flush(work, keys, &mut buffers)?;
        }
        if is_end {
            if let Some(keys) = keys {
                work.connection()
                    .execute(include_str!("thin/recount.sql"), keys)?;
                wait(forecast::forget(work, keys))?;
            }
            return Ok(Ok(splice.imported(of)));
        }
    }
    Ok(Err(NotImported::CutShort))
}

fn apply(
    work: &SqliteTransaction,
    of: &DatabaseKey,
    keys: &mut Option<(i32, i32)>,
    write: &Write,
) -> Result<(), Wrong> {
    match (write, *keys) {
        (Write::Database(row), _) => *keys = Some(keep_database(&work.connection(), of, row)?),
        (Write::CloseUnread(tick), Some(keys)) => {
            wait(unread::close(work, keys, *tick))?;
        }
        (Write::Rows(table, lines), Some(keys)) => {
            for lines in lines.chunks(BATCH) {
                insert(work, keys, *table, lines)?;
            }
        }
        (_, None) => {}
    }
    Ok(())
}

fn flush(
    work: &SqliteTransaction,
    keys: (i32, i32),
    buffers: &mut Vec<(Destination, Line)>,
) -> Result<(), Wrong> {
    for (table, lines) in by_table(buffers) {
        insert(work, keys, table, &lines)?;
    }
    Ok(())
}

fn insert(
    work: &SqliteTransaction,
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
            return wait(kinds::take(work, (instance_id, database_id), kind, lines));
        }
    };
    work.connection().prepare_cached(sql)?.execute((
        instance_id,
        database_id,
        batch_json(lines),
    ))?;
    Ok(())
}

fn keep_database(
    connection: &Connection,
    of: &DatabaseKey,
    row: &DatabaseRow,
) -> Result<(i32, i32), Wrong> {
    connection.execute(
        "insert into instances (name) values (?1) on conflict (name) do nothing",
        [&of.instance],
    )?;
    connection.execute(
        include_str!("transfer/keep_database.sql"),
        rusqlite::named_params! {
            ":instance": of.instance,
            ":name": of.database,
            ":oid": row.oid,
            ":system_identifier": row.system_identifier,
            ":timeline": row.timeline,
            ":in_recovery": row.in_recovery,
            ":server_version_num": row.server_version_num,
            ":stats_reset_at": row.stats_reset_at.map(crate::sample::millis),
            ":last_tick": row.last_tick,
            ":next_relation_id": row.next_relation,
        },
    )?;
    keys(connection, of)?.ok_or(Wrong::Absent)
}

impl SqliteStore {
    /// Copies the file as it is at one moment into a new one, while others read and write.
    pub(super) async fn copy_to(
        &self,
        to: &Path,
        progress: crate::BackupProgress,
    ) -> Result<(), StoreError> {
        let to = to.to_owned();
        let source = self.file.path.clone();
        // on a connection of its own, so that this process's readers need not wait
        self.run(Access::Read, move |shared| {
            let own;
            let connection = if source.as_os_str().is_empty() {
                &*shared
            } else {
                own = connect_to_read(&source)?;
                &own.0
            };
            copy(connection, &to, &progress)
        })
        .await
    }
}

fn copy(connection: &Connection, to: &Path, progress: &crate::BackupProgress) -> Result<(), Wrong> {
    // a reader's transaction holds the moment that is copied: what others write meanwhile does not
    // begin the copy anew
    let moment = connection.unchecked_transaction()?;
    moment.query_row("select count(*) from sqlite_master", [], |_| Ok(()))?;
    let mut target = Connection::open(to)?;
    {
        let backup = Backup::new(&moment, &mut target)?;
        loop {
            match backup.step(STEP_PAGES)? {
                StepResult::Done => break,
                StepResult::More => {}
                _ => std::thread::sleep(Duration::from_millis(20)),
            }
            let pages = backup.progress();
            progress(
                u64::try_from(pages.pagecount - pages.remaining).unwrap_or(0),
                u64::try_from(pages.pagecount).unwrap_or(0),
            );
        }
    }
    let found: String = target.query_row("pragma integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(Wrong::Sqlite(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
            Some(found),
        )));
    }
    // a copy is one file, and is read where there is no room for others
    target.query_row("pragma journal_mode = delete", [], |_| Ok(()))?;
    Ok(())
}
