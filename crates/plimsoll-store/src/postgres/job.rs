//! Jobs, and cleanup runs.

use jiff::Timestamp;

use super::error::Wrong;
use super::pool::Work;
use crate::job::rows_from_json;
use crate::sample::unsigned;
use crate::{CleanupRun, DatabaseKey, JobState};

pub(super) async fn claim(
    work: &Work<'_>,
    name: &str,
    scheduled_for: Timestamp,
    now: Timestamp,
    stale_after_s: u32,
) -> Result<bool, Wrong> {
    // A run that ended is never repeated for its scheduled time; one whose process died is.
    let claimed = work
        .execute(
            "insert into plimsoll.jobs as j (name, last_started_at, last_scheduled_for, last_beat_at)
             values ($1, $3, $2, $3)
             on conflict (name) do update set
                 last_started_at = excluded.last_started_at,
                 last_scheduled_for = excluded.last_scheduled_for,
                 last_beat_at = excluded.last_beat_at,
                 last_finished_at = null, last_outcome = null, last_message = null
             where (j.last_finished_at is not null
                     and j.last_scheduled_for < excluded.last_scheduled_for)
                 or (j.last_finished_at is null
                     and j.last_scheduled_for <= excluded.last_scheduled_for
                     and j.last_beat_at + make_interval(secs => $4::float8) <= $3)",
            &[&name, &scheduled_for, &now, &f64::from(stale_after_s)],
        )
        .await?;
    Ok(claimed > 0)
}

pub(super) async fn keep(
    work: &Work<'_>,
    name: &str,
    scheduled_for: Timestamp,
    now: Timestamp,
) -> Result<bool, Wrong> {
    let kept = work
        .execute(
            "update plimsoll.jobs set last_beat_at = $3
             where name = $1 and last_scheduled_for = $2 and last_finished_at is null",
            &[&name, &scheduled_for, &now],
        )
        .await?;
    Ok(kept > 0)
}

pub(super) async fn finish(
    work: &Work<'_>,
    name: &str,
    now: Timestamp,
    outcome: &str,
    message: &str,
) -> Result<(), Wrong> {
    work.execute(
        "update plimsoll.jobs
         set last_finished_at = $2, last_outcome = $3, last_message = $4
         where name = $1",
        &[&name, &now, &outcome, &message],
    )
    .await?;
    Ok(())
}

pub(super) async fn jobs(work: &Work<'_>) -> Result<Vec<JobState>, Wrong> {
    let rows = work
        .query(
            "select name, last_started_at, last_finished_at, last_outcome, last_message,
                    last_scheduled_for
             from plimsoll.jobs order by name collate \"C\"",
            &[],
        )
        .await?;
    Ok(rows
        .iter()
        .map(|row| JobState {
            name: row.get(0),
            last_started_at: row.get(1),
            last_finished_at: row.get(2),
            last_outcome: row.get(3),
            last_message: row.get(4),
            last_scheduled_for: row.get(5),
        })
        .collect())
}

pub(super) async fn cleanup_runs(
    work: &Work<'_>,
    of: &DatabaseKey,
    limit: usize,
) -> Result<(Vec<CleanupRun>, u64), Wrong> {
    let total: i64 = work
        .row(
            "select count(*) from plimsoll.cleanup_runs where instance = $1 and database = $2",
            &[&of.instance, &of.database],
        )
        .await?
        .get(0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = work
        .query(
            "select id, started_at, finished_at, outcome, rows_deleted::text, error
             from plimsoll.cleanup_runs
             where instance = $1 and database = $2 order by id desc limit $3",
            &[&of.instance, &of.database, &limit],
        )
        .await?;
    let runs = rows
        .iter()
        .map(|row| CleanupRun {
            id: row.get(0),
            of: of.clone(),
            started_at: row.get(1),
            finished_at: row.get(2),
            outcome: row.get(3),
            rows_deleted: rows_from_json(row.get(4)),
            error: row.get(5),
        })
        .collect();
    Ok((runs, unsigned(total)))
}
