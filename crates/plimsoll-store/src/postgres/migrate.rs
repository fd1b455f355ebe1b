//! Applies the numbered migrations to the schema `plimsoll`.

use super::error::Wrong;
use super::pool::Pool;
use super::recognise::recognise;
use super::work::Work;
use crate::migration::{Migration, POSTGRES, PROGRAM};

/// Two processes that start at once take turns on this advisory lock: "plimsoll" in ASCII.
const LOCK: i64 = 0x706c_696d_736f_6c6c;

pub(super) async fn migrate(pool: &Pool) -> Result<Vec<String>, Wrong> {
    let mut connection;
    let mut work = begin!(pool, connection, set_up);
    work.may_take_long().await?;
    work.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    let missing = missing(&work).await?;
    if !missing.is_empty() {
        // not `if not exists`: that needs CREATE on the database even where the schema is there
        if !has_schema(&work).await? {
            work.batch("create schema plimsoll").await?;
        }
        work.batch(
            "create table if not exists plimsoll.migrations (
                number integer primary key,
                name text not null,
                applied_at timestamptz not null default now()
            );
            alter table plimsoll.migrations add column if not exists program text",
        )
        .await?;
    }
    for migration in missing {
        work.batch(migration.sql).await?;
        let number = i32::try_from(migration.number).unwrap_or(i32::MAX);
        work.execute(
            "insert into plimsoll.migrations (number, name, program) values ($1, $2, $3)",
            &[&number, &migration.name, &PROGRAM],
        )
        .await?;
    }
    work.commit().await?;
    Ok(names(missing))
}

pub(super) async fn pending(pool: &Pool) -> Result<Vec<String>, Wrong> {
    let mut connection;
    let work = begin!(pool, connection, read);
    Ok(names(missing(&work).await?))
}

async fn missing(work: &Work<'_>) -> Result<&'static [Migration], Wrong> {
    Ok(recognise(work).await?.missing(POSTGRES)?)
}

async fn has_schema(work: &Work<'_>) -> Result<bool, Wrong> {
    let row = work
        .row(
            "select exists (select 1 from pg_namespace where nspname = 'plimsoll')",
            &[],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Whether the schema has a table. Not by `to_regclass`: it may look with the eyes of the moment
/// before an advisory lock was waited for.
pub(super) async fn has_table(work: &Work<'_>, name: &str) -> Result<bool, Wrong> {
    let row = work
        .row(
            "select exists (
                 select 1 from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
                 where n.nspname = 'plimsoll' and c.relname = $1)",
            &[&name],
        )
        .await?;
    Ok(row.try_get(0)?)
}

fn names(migrations: &[Migration]) -> Vec<String> {
    migrations.iter().map(|m| m.name.to_owned()).collect()
}
