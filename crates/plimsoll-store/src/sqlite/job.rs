//! Jobs, and cleanup runs.

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use super::error::Wrong;
use crate::job::rows_from_json;
use crate::sample::{from_millis, millis, unsigned};
use crate::{CleanupRun, DatabaseKey, JobState};

pub(super) fn claim(
    connection: &Connection,
    name: &str,
    scheduled_for: Timestamp,
    now: Timestamp,
    stale_after_s: u32,
) -> Result<bool, Wrong> {
    // A run that ended is never repeated for its scheduled time; one whose process died is.
    let claimed = connection.execute(
        "insert into jobs (name, last_started_at, last_scheduled_for, last_beat_at)
         values (?1, ?3, ?2, ?3)
         on conflict (name) do update set
             last_started_at = excluded.last_started_at,
             last_scheduled_for = excluded.last_scheduled_for,
             last_beat_at = excluded.last_beat_at,
             last_finished_at = null, last_outcome = null, last_message = null
         where (last_finished_at is not null and last_scheduled_for < excluded.last_scheduled_for)
             or (last_finished_at is null and last_scheduled_for <= excluded.last_scheduled_for
                 and last_beat_at + ?4 * 1000 <= ?3)",
        (name, millis(scheduled_for), millis(now), stale_after_s),
    )?;
    Ok(claimed > 0)
}

pub(super) fn keep(
    connection: &Connection,
    name: &str,
    scheduled_for: Timestamp,
    now: Timestamp,
) -> Result<bool, Wrong> {
    let kept = connection.execute(
        "update jobs set last_beat_at = ?3
         where name = ?1 and last_scheduled_for = ?2 and last_finished_at is null",
        (name, millis(scheduled_for), millis(now)),
    )?;
    Ok(kept > 0)
}

pub(super) fn finish(
    connection: &Connection,
    name: &str,
    now: Timestamp,
    outcome: &str,
    message: &str,
) -> Result<(), Wrong> {
    connection.execute(
        "update jobs set last_finished_at = ?2, last_outcome = ?3, last_message = ?4 where name = ?1",
        (name, millis(now), outcome, message),
    )?;
    Ok(())
}

pub(super) fn jobs(connection: &Connection) -> Result<Vec<JobState>, Wrong> {
    let mut statement = connection.prepare_cached(
        "select name, last_started_at, last_finished_at, last_outcome, last_message,
                last_scheduled_for
         from jobs order by name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(JobState {
            name: row.get(0)?,
            last_started_at: time(row, 1)?,
            last_finished_at: time(row, 2)?,
            last_outcome: row.get(3)?,
            last_message: row.get(4)?,
            last_scheduled_for: time(row, 5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn cleanup_runs(
    connection: &Connection,
    of: &DatabaseKey,
    limit: usize,
) -> Result<(Vec<CleanupRun>, u64), Wrong> {
    let total: i64 = connection.query_row(
        "select count(*) from cleanup_runs where instance = ?1 and database = ?2",
        (&of.instance, &of.database),
        |row| row.get(0),
    )?;
    let mut statement = connection.prepare_cached(
        "select id, started_at, finished_at, outcome, rows_deleted, error from cleanup_runs
         where instance = ?1 and database = ?2 order by id desc limit ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = statement.query_map((&of.instance, &of.database, limit), |row| {
        Ok(CleanupRun {
            id: row.get(0)?,
            of: of.clone(),
            started_at: from_millis(row.get(1)?),
            finished_at: time(row, 2)?,
            outcome: row.get(3)?,
            rows_deleted: rows_from_json(row.get_ref(4)?.as_str()?),
            error: row.get(5)?,
        })
    })?;
    Ok((rows.collect::<Result<_, _>>()?, unsigned(total)))
}

fn time(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<i64>>(at)?.map(from_millis))
}
