//! Tells what a SQLite file holds, and applies the numbered migrations to it.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::Wrong;
use crate::migration::{Applied, Migration, PROGRAM, SQLITE, tables_text};

/// What the file's header says of whose it is: "Plim" in ASCII. Files of before it say nothing.
const APPLICATION_ID: i32 = 0x506c_696d;

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
        if !has_column(&transaction, "program")? {
            transaction.execute_batch("alter table migrations add column program text")?;
        }
    }
    for migration in missing {
        transaction.execute_batch(migration.sql)?;
        transaction.execute(
            "insert into migrations (number, name, program) values (?1, ?2, ?3)",
            (migration.number, migration.name, PROGRAM),
        )?;
    }
    if application_id(&transaction)? != APPLICATION_ID {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.commit()?;
    Ok(names(missing))
}

pub(super) fn pending(connection: &Connection) -> Result<Vec<String>, Wrong> {
    Ok(names(missing(connection)?))
}

/// Those that the file lacks; an error if it is another program's, or a newer one has been at it.
pub(super) fn missing(connection: &Connection) -> Result<&'static [Migration], Wrong> {
    Ok(applied(connection)?.missing(SQLITE)?)
}

/// An error if a newer program has been at a file that was one of ours. As a write transaction's first
/// question: whoever migrates later waits for it.
pub(super) fn refuse_newer(connection: &Connection) -> Result<(), Wrong> {
    last(connection)?.missing(SQLITE)?;
    Ok(())
}

fn applied(connection: &Connection) -> Result<Applied, Wrong> {
    let id = application_id(connection)?;
    if id != 0 && id != APPLICATION_ID {
        return Err(Wrong::Foreign(format!("application_id {id:#010x}")));
    }
    let mut tables = connection.prepare(
        "select name from sqlite_master
         where type in ('table', 'view') and substr(name, 1, 7) <> 'sqlite_' order by rowid",
    )?;
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if tables.is_empty() {
        return Ok(Applied::default());
    }
    if !is_ours(connection)? {
        return Err(Wrong::Foreign(tables_text(&tables)));
    }
    last(connection)
}

/// Whether the table `migrations` is there, and begins with our first one.
fn is_ours(connection: &Connection) -> Result<bool, Wrong> {
    for column in ["number", "name", "applied_at"] {
        if !has_column(connection, column)? {
            return Ok(false);
        }
    }
    let first: Option<String> = connection
        .query_row("select name from migrations where number = 1", [], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(first.is_some_and(|name| name == SQLITE[0].name))
}

fn last(connection: &Connection) -> Result<Applied, Wrong> {
    let program = if has_column(connection, "program")? {
        "program"
    } else {
        "null"
    };
    let sql = format!("select number, {program} from migrations order by number desc limit 1");
    let applied = connection
        .prepare_cached(&sql)?
        .query_row([], |row| {
            Ok(Applied {
                number: row.get(0)?,
                program: row.get(1)?,
            })
        })
        .optional()?;
    Ok(applied.unwrap_or_default())
}

/// Whether the table `migrations` has a column.
fn has_column(connection: &Connection, name: &str) -> Result<bool, Wrong> {
    let sql = "select exists (select 1 from pragma_table_info('migrations') where name = ?1)";
    Ok(connection
        .prepare_cached(sql)?
        .query_row([name], |row| row.get(0))?)
}

fn application_id(connection: &Connection) -> Result<i32, Wrong> {
    Ok(connection.query_row("pragma application_id", [], |row| row.get(0))?)
}

fn names(migrations: &[Migration]) -> Vec<String> {
    migrations.iter().map(|m| m.name.to_owned()).collect()
}
