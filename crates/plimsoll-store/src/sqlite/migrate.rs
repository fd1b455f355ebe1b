//! Applies the numbered migrations to a SQLite file.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::Wrong;
use crate::migration::{Migration, SQLITE, after, newest};

pub(super) fn migrate(connection: &mut Connection) -> Result<Vec<String>, Wrong> {
    // `immediate`: the second of two processes that start at once waits here, and then finds
    // everything applied.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let missing = missing(&transaction)?;
    if !missing.is_empty() {
        transaction.execute_batch(
            "create table if not exists migrations (
                number integer primary key,
                name text not null,
                applied_at text not null default (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
            ) strict",
        )?;
    }
    for migration in missing {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "insert into migrations (number, name) values (?1, ?2)",
            (migration.number, migration.name),
        )?;
    }
    transaction.commit()?;
    Ok(names(missing))
}

pub(super) fn pending(connection: &Connection) -> Result<Vec<String>, Wrong> {
    Ok(names(missing(connection)?))
}

pub(super) fn all() -> Vec<String> {
    names(SQLITE)
}

/// An error if a newer program has been at this file.
pub(super) fn refuse_newer(connection: &Connection) -> Result<(), Wrong> {
    let (found, known) = (applied(connection)?, newest(SQLITE));
    if found > known {
        return Err(Wrong::Newer(found, known));
    }
    Ok(())
}

fn missing(connection: &Connection) -> Result<&'static [Migration], Wrong> {
    refuse_newer(connection)?;
    Ok(after(SQLITE, applied(connection)?))
}

fn applied(connection: &Connection) -> Result<u32, Wrong> {
    let has_any = connection
        .query_row(
            "select 1 from sqlite_master where type = 'table' and name = 'migrations'",
            [],
            |_| Ok(()),
        )
        .optional()?
        .is_some();
    if !has_any {
        return Ok(0);
    }
    Ok(connection.query_row(
        "select coalesce(max(number), 0) from migrations",
        [],
        |row| row.get(0),
    )?)
}

fn names(migrations: &[Migration]) -> Vec<String> {
    migrations.iter().map(|m| m.name.to_owned()).collect()
}
