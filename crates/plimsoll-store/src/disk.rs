//! An instance's volumes: looks as they are kept, and what is remembered beside them.
//!
//! What a look holds, and when it goes, is the core's (`disk::kept`); this keeps rows by instance, step and second.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::disk::kept::{Row as Look, Step, splice};

use crate::StoreError;
use crate::rows::{Insert, Kind, NewRow, Row, RowError, Transaction, Transactions, Value};

/// The history of volumes.
#[async_trait]
pub trait DiskHistory: Send + Sync {
    /// Keeps a look with what it makes old: its rows, the state that is kept of the last look only, and the oldest
    /// second that stays of each step. Rows of the future go: they were written before a clock was set back.
    async fn keep_disk(&self, instance: &str, look: DiskLook) -> Result<(), StoreError>;

    /// Rows of one step, oldest first.
    async fn disk_rows(&self, instance: &str, range: DiskRange) -> Result<Vec<Look>, StoreError>;

    /// Keeps a state by its name, in place of the one that was there.
    async fn keep_disk_state(
        &self,
        instance: &str,
        name: &str,
        at: Timestamp,
        state: &str,
    ) -> Result<(), StoreError>;

    /// The state of this name, and when it was written.
    async fn disk_state(
        &self,
        instance: &str,
        name: &str,
    ) -> Result<Option<(Timestamp, String)>, StoreError>;

    /// The instances of which looks are kept, in the order of their names.
    async fn disk_instances(&self) -> Result<Vec<String>, StoreError>;

    /// Takes rows from elsewhere, those that are older than all that is kept of their step or newer, and states that are
    /// newer than those of their names; returns how many rows were taken.
    async fn take_disk_rows(
        &self,
        instance: &str,
        rows: Vec<Look>,
        states: Vec<DiskState>,
    ) -> Result<u64, StoreError>;

    /// Drops what is old of instances at which nobody looks any more, and in the end all of it; returns how many looks
    /// went. Where somebody looks, each look drops what it makes old.
    async fn thin_unwatched_disks(
        &self,
        daily_samples: usize,
        now: Timestamp,
    ) -> Result<u64, StoreError>;
}

/// A state of an instance's volumes, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskState {
    /// Its name.
    pub name: String,
    /// When it was written.
    pub at: Timestamp,
    /// What it is.
    pub state: String,
}

/// An instance is not watched any more when nobody has looked for so many seconds.
const UNWATCHED_AFTER: i64 = 24 * 3600;

/// A look to keep.
#[derive(Debug, Clone)]
pub struct DiskLook {
    /// When it was taken.
    pub at: Timestamp,
    /// Its rows.
    pub rows: Vec<Look>,
    /// By step: the oldest second that stays.
    pub kept_since: [(Step, i64); 3],
    /// States by their names.
    pub states: Vec<(String, String)>,
}

/// Which rows to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRange {
    /// Of this step.
    pub step: Step,
    /// From this second on,
    pub since: i64,
    /// to this one.
    pub until: i64,
}

impl DiskRange {
    /// Every row of a step.
    pub const fn all(step: Step) -> Self {
        Self {
            step,
            since: i64::MIN,
            until: i64::MAX,
        }
    }
}

const LOOKS: Insert = Insert {
    table: "plimsoll.disk_looks",
    columns: &[
        ("instance_id", Kind::Int4),
        ("step", Kind::Text),
        ("tick", Kind::Int8),
        ("look", Kind::Text),
    ],
    skips_known: true,
};

#[async_trait]
impl<S: Transactions> DiskHistory for S {
    async fn keep_disk(&self, instance: &str, look: DiskLook) -> Result<(), StoreError> {
        let instance = instance.to_owned();
        self.writing(move |work| {
            Box::pin(async move {
                let id = known(work, &instance).await?;
                for (step, since) in look.kept_since {
                    let sql = "delete from plimsoll.disk_looks
                               where instance_id = $1 and step = $2 and (tick < $3 or tick >= $4)";
                    let now = look.at.as_second();
                    let params = [id.into(), step.as_str().into(), since.into(), now.into()];
                    work.execute(sql, &params).await?;
                }
                work.insert(&LOOKS, new_rows(id, look.rows)).await?;
                for (name, state) in &look.states {
                    keep_state(work, id, name, look.at, state).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn disk_rows(&self, instance: &str, range: DiskRange) -> Result<Vec<Look>, StoreError> {
        let instance = instance.to_owned();
        self.reading(move |work| {
            Box::pin(async move {
                let Some(id) = find(work, &instance).await? else {
                    return Ok(Vec::new());
                };
                rows_of(work, id, range).await
            })
        })
        .await
    }

    async fn keep_disk_state(
        &self,
        instance: &str,
        name: &str,
        at: Timestamp,
        state: &str,
    ) -> Result<(), StoreError> {
        let (instance, name, state) = (instance.to_owned(), name.to_owned(), state.to_owned());
        self.writing(move |work| {
            Box::pin(async move {
                let id = known(work, &instance).await?;
                keep_state(work, id, &name, at, &state).await
            })
        })
        .await
    }

    async fn disk_state(
        &self,
        instance: &str,
        name: &str,
    ) -> Result<Option<(Timestamp, String)>, StoreError> {
        let (instance, name) = (instance.to_owned(), name.to_owned());
        self.reading(move |work| {
            Box::pin(async move {
                let Some(id) = find(work, &instance).await? else {
                    return Ok(None);
                };
                let sql = "select written_at, state from plimsoll.disk_state
                           where instance_id = $1 and name = $2";
                let states = work
                    .read(sql, &[id.into(), Value::from(&name)], state)
                    .await?;
                Ok(states.into_iter().next())
            })
        })
        .await
    }

    async fn disk_instances(&self) -> Result<Vec<String>, StoreError> {
        self.reading(|work| {
            Box::pin(async move {
                let sql =
                    "select instance_id, name from plimsoll.instances order by name collate \"C\"";
                let all: Vec<(i32, String)> = work
                    .read(sql, &[], |row| Ok((row.get(0)?, row.get(1)?)))
                    .await?;
                let mut with_looks = Vec::new();
                for (id, name) in all {
                    let sql = "select tick from plimsoll.disk_looks where instance_id = $1 limit 1";
                    let found: Vec<i64> = work.read(sql, &[id.into()], |row| row.get(0)).await?;
                    if !found.is_empty() {
                        with_looks.push(name);
                    }
                }
                Ok(with_looks)
            })
        })
        .await
    }

    async fn take_disk_rows(
        &self,
        instance: &str,
        rows: Vec<Look>,
        states: Vec<DiskState>,
    ) -> Result<u64, StoreError> {
        let instance = instance.to_owned();
        self.writing(move |work| {
            Box::pin(async move {
                let id = known(work, &instance).await?;
                let mut taken = 0;
                for step in Step::ALL {
                    let kept = rows_of(work, id, DiskRange::all(step)).await?;
                    let theirs: Vec<Look> = rows
                        .iter()
                        .filter(|row| row.step == step)
                        .cloned()
                        .collect();
                    let new = splice(step, &kept, &theirs);
                    taken += work.insert(&LOOKS, new_rows(id, new)).await?;
                }
                for DiskState { name, at, state } in &states {
                    let sql = "select written_at from plimsoll.disk_state
                               where instance_id = $1 and name = $2 and written_at >= $3";
                    let params = [id.into(), Value::from(name), (*at).into()];
                    let newer: Vec<Timestamp> = work.read(sql, &params, |row| row.get(0)).await?;
                    if newer.is_empty() {
                        keep_state(work, id, name, *at, state).await?;
                    }
                }
                Ok(taken)
            })
        })
        .await
    }

    async fn thin_unwatched_disks(
        &self,
        daily_samples: usize,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.writing(move |work| {
            Box::pin(async move {
                let sql = "select instance_id from plimsoll.instances";
                let ids: Vec<i32> = work.read(sql, &[], |row| row.get(0)).await?;
                let mut dropped = 0;
                for id in ids {
                    if !is_unwatched(work, id, now).await? {
                        continue;
                    }
                    for step in Step::ALL {
                        let since = step.kept_since(now, daily_samples);
                        dropped += drop_step(work, id, step, since).await?;
                    }
                    let sql = "select tick from plimsoll.disk_looks where instance_id = $1 limit 1";
                    let left: Vec<i64> = work.read(sql, &[id.into()], |row| row.get(0)).await?;
                    if left.is_empty() {
                        let sql = "delete from plimsoll.disk_state where instance_id = $1";
                        work.execute(sql, &[id.into()]).await?;
                    }
                }
                Ok(dropped)
            })
        })
        .await
    }
}

/// Deletes whole periods of looks that end before a time, of all instances; returns how many looks went.
pub(crate) async fn drop_before(
    store: &impl Transactions,
    until: Timestamp,
) -> Result<u64, StoreError> {
    store
        .writing(move |work| {
            Box::pin(async move {
                let sql = "select instance_id from plimsoll.instances";
                let ids: Vec<i32> = work.read(sql, &[], |row| row.get(0)).await?;
                let mut dropped = 0;
                for id in ids {
                    for step in Step::ALL {
                        let begin = step.period_of(until.as_second());
                        dropped += drop_step(work, id, step, begin).await?;
                    }
                }
                Ok(dropped)
            })
        })
        .await
}

/// Whether looks at an instance are kept, and none of the last day: each step's newest is found by its key.
async fn is_unwatched(work: &dyn Transaction, id: i32, now: Timestamp) -> Result<bool, StoreError> {
    let mut newest = None;
    for step in Step::ALL {
        let sql = "select max(tick) from plimsoll.disk_looks where instance_id = $1 and step = $2";
        let params = [id.into(), step.as_str().into()];
        let ticks: Vec<Option<i64>> = work.read(sql, &params, |row| row.get(0)).await?;
        newest = newest.max(ticks.into_iter().flatten().next());
    }
    Ok(newest.is_some_and(|tick| tick <= now.as_second() - UNWATCHED_AFTER))
}

/// Deletes an instance's looks of a step that are older; how many.
async fn drop_step(
    work: &dyn Transaction,
    id: i32,
    step: Step,
    before: i64,
) -> Result<u64, StoreError> {
    let sql = "delete from plimsoll.disk_looks where instance_id = $1 and step = $2 and tick < $3";
    let params = [id.into(), step.as_str().into(), before.into()];
    work.execute(sql, &params).await
}

/// The key of an instance, if there is one of this name.
async fn find(work: &dyn Transaction, instance: &str) -> Result<Option<i32>, StoreError> {
    let sql = "select instance_id from plimsoll.instances where name = $1";
    let found: Vec<i32> = work
        .read(sql, &[Value::from(instance)], |row| row.get(0))
        .await?;
    Ok(found.into_iter().next())
}

/// The key of an instance, which is made if there is none.
async fn known(work: &dyn Transaction, instance: &str) -> Result<i32, StoreError> {
    if let Some(id) = find(work, instance).await? {
        return Ok(id);
    }
    let sql = "insert into plimsoll.instances (name) values ($1) on conflict (name) do nothing";
    work.execute(sql, &[Value::from(instance)]).await?;
    let id = find(work, instance).await?;
    id.ok_or_else(|| work.failed("an instance that was just written is not there"))
}

async fn rows_of(
    work: &dyn Transaction,
    id: i32,
    DiskRange { step, since, until }: DiskRange,
) -> Result<Vec<Look>, StoreError> {
    let sql = "select tick, look from plimsoll.disk_looks
               where instance_id = $1 and step = $2 and tick between $3 and $4
               order by tick";
    let params = [id.into(), step.as_str().into(), since.into(), until.into()];
    work.read(sql, &params, |row| {
        Ok(Look {
            step,
            tick: row.get(0)?,
            look: row.get(1)?,
        })
    })
    .await
}

async fn keep_state(
    work: &dyn Transaction,
    id: i32,
    name: &str,
    at: Timestamp,
    state: &str,
) -> Result<(), StoreError> {
    let sql = "insert into plimsoll.disk_state (instance_id, name, written_at, state)
               values ($1, $2, $3, $4)
               on conflict (instance_id, name) do update set
                   written_at = excluded.written_at, state = excluded.state";
    let params = [id.into(), name.into(), at.into(), state.into()];
    work.execute(sql, &params).await?;
    Ok(())
}

fn new_rows(id: i32, looks: Vec<Look>) -> Vec<NewRow> {
    let row = |look: Look| -> NewRow {
        vec![
            id.into(),
            look.step.as_str().into(),
            look.tick.into(),
            look.look.into(),
        ]
    };
    looks.into_iter().map(row).collect()
}

fn state(row: &Row) -> Result<(Timestamp, String), RowError> {
    Ok((row.get(0)?, row.get(1)?))
}
