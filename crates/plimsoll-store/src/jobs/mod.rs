//! Jobs: what ran when, whose a run is, and what became of it.
//!
//! The example of a kind of row: its migrations apart, all that both stores do with it is in this folder.

mod claim;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub(crate) use self::claim::Token;
pub use self::claim::{CLOCK_SKEW, Claim, Held};
use self::claim::{LastRun, is_ahead, may_begin};
use crate::StoreError;
use crate::rows::{Row, RowError, Transaction, Transactions, Value};

/// The runs of jobs.
///
/// All times in it but the scheduled ones are by the store's own clock: what one client's clock says
/// decides nothing for another's.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// Claims a job's run for a scheduled time: `None` if another process has claimed it, or if one is
    /// under way. One whose holder was silent for `stale_after` can be taken over.
    async fn claim(
        &self,
        job: &str,
        scheduled_for: Timestamp,
        stale_after: Duration,
    ) -> Result<Option<Claim>, StoreError>;

    /// Says that a run is still under way, so that nobody takes it over.
    async fn keep(&self, claim: &Claim) -> Result<Held, StoreError>;

    /// Records how a run ended.
    async fn finish(&self, claim: Claim, outcome: &str, message: &str) -> Result<Held, StoreError>;

    /// Gives a run up: it counts as not done, and anybody may begin it anew at once.
    async fn abandon(&self, claim: Claim) -> Result<Held, StoreError>;

    /// The state of a job, if it ever ran.
    async fn job(&self, name: &str) -> Result<Option<JobState>, StoreError>;

    /// The state of every job that ever ran, in the order of their names.
    async fn jobs(&self) -> Result<Vec<JobState>, StoreError>;
}

/// The last run of a job, and the one under way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobState {
    /// The job's name.
    pub name: String,
    /// When its last run began.
    pub last_started_at: Option<Timestamp>,
    /// When its last run ended; null while one is running.
    pub last_finished_at: Option<Timestamp>,
    /// Whether somebody holds a run of it, or held one and died.
    pub is_running: bool,
    /// `ok`, `failed`, `skipped` or `cancelled`.
    pub last_outcome: Option<String>,
    /// What it did, or why it failed.
    pub last_message: Option<String>,
    /// The scheduled time that was last begun.
    pub last_scheduled_for: Option<Timestamp>,
    /// The one last begun that lay in the store's future: a client's clock was ahead.
    pub ahead_for: Option<Timestamp>,
}

impl JobState {
    /// The last scheduled time not after `now` that was begun: what tells whether one was missed. One
    /// in the future tells of a clock that was ahead, and must not silence the job.
    pub fn last_begun(&self, now: Timestamp) -> Option<Timestamp> {
        [self.last_scheduled_for, self.ahead_for]
            .into_iter()
            .flatten()
            .filter(|at| *at <= now)
            .max()
    }
}

/// Jobs, and which of them.
macro_rules! select_jobs {
    ($rest:expr) => {
        concat!(
            "select name, last_started_at, last_finished_at, last_beat_at, last_outcome,
                last_message, last_scheduled_for, ahead_for
             from plimsoll.jobs ",
            $rest
        )
    };
}

#[async_trait]
impl<S: Transactions> Jobs for S {
    async fn claim(
        &self,
        job: &str,
        scheduled_for: Timestamp,
        stale_after: Duration,
    ) -> Result<Option<Claim>, StoreError> {
        let token = match Token::new() {
            Ok(token) => token,
            Err(error) => {
                let reason = format!("no randomness: {error}");
                return self
                    .writing(move |work| Box::pin(async move { Err(work.failed(&reason)) }))
                    .await;
            }
        };
        let claim = Arc::new(Claim {
            job: job.to_owned(),
            scheduled_for,
            token,
        });
        let asked = Arc::clone(&claim);
        let is_ours = self
            .writing(move |work| Box::pin(async move { begin(work, &asked, stale_after).await }))
            .await?;
        Ok(Arc::into_inner(claim).filter(|_| is_ours))
    }

    async fn keep(&self, claim: &Claim) -> Result<Held, StoreError> {
        let (job, token) = (Value::from(&claim.job), Value::from(claim.token.as_str()));
        self.writing(move |work| {
            Box::pin(async move {
                let now = work.now().await?;
                let sql =
                    "update plimsoll.jobs set last_beat_at = $3 where name = $1 and token = $2";
                let kept = work.execute(sql, &[job, token, now.into()]).await?;
                Ok(Held::from_rows(kept))
            })
        })
        .await
    }

    async fn finish(&self, claim: Claim, outcome: &str, message: &str) -> Result<Held, StoreError> {
        let (outcome, message) = (Value::from(outcome), Value::from(message));
        let (job, token) = (Value::from(&claim.job), Value::from(claim.token.as_str()));
        self.writing(move |work| {
            Box::pin(async move {
                let now = work.now().await?;
                let sql = "update plimsoll.jobs set token = null, last_finished_at = $3,
                               last_outcome = $4, last_message = $5
                           where name = $1 and token = $2";
                let params = [job, token, now.into(), outcome, message];
                Ok(Held::from_rows(work.execute(sql, &params).await?))
            })
        })
        .await
    }

    async fn abandon(&self, claim: Claim) -> Result<Held, StoreError> {
        let params = [Value::from(&claim.job), claim.token.as_str().into()];
        self.writing(move |work| {
            Box::pin(async move {
                // without an end and without a beat: as if its process had died long ago
                let sql = "update plimsoll.jobs set token = null, last_beat_at = null,
                               last_outcome = 'cancelled', last_message = 'given up before it ended'
                           where name = $1 and token = $2";
                Ok(Held::from_rows(work.execute(sql, &params).await?))
            })
        })
        .await
    }

    async fn job(&self, name: &str) -> Result<Option<JobState>, StoreError> {
        let name = Value::from(name);
        self.reading(move |work| {
            Box::pin(async move {
                let sql = select_jobs!("where name = $1");
                Ok(work.read(sql, &[name], state).await?.into_iter().next())
            })
        })
        .await
    }

    async fn jobs(&self) -> Result<Vec<JobState>, StoreError> {
        self.reading(|work| {
            Box::pin(async move {
                let sql = select_jobs!("order by name collate \"C\"");
                work.read(sql, &[], state).await
            })
        })
        .await
    }
}

/// Begins a run, if that may be.
async fn begin(
    work: &dyn Transaction,
    claim: &Claim,
    stale_after: Duration,
) -> Result<bool, StoreError> {
    let job = Value::from(&claim.job);
    // so that there is a row to lock, whoever is first
    let sql = "insert into plimsoll.jobs (name) values ($1) on conflict (name) do nothing";
    work.execute(sql, std::slice::from_ref(&job)).await?;
    let sql =
        "select last_started_at, last_finished_at, last_beat_at, last_scheduled_for, ahead_for
               from plimsoll.jobs where name = $1 for update";
    let rows = work.read(sql, std::slice::from_ref(&job), last_run).await?;
    let last = rows.into_iter().next().unwrap_or_default();
    let now = work.now().await?;
    if !may_begin(&last, claim.scheduled_for, now, stale_after) {
        return Ok(false);
    }
    let mut times = (last.scheduled_for, last.ahead_for);
    if is_ahead(claim.scheduled_for, now) {
        times.1 = Some(claim.scheduled_for);
    } else {
        times.0 = Some(claim.scheduled_for);
    }
    let sql = "update plimsoll.jobs set token = $2, last_started_at = $3, last_beat_at = $3,
                   last_scheduled_for = $4, ahead_for = $5,
                   last_finished_at = null, last_outcome = null, last_message = null
               where name = $1";
    let token = claim.token.as_str().into();
    let params = [job, token, now.into(), times.0.into(), times.1.into()];
    work.execute(sql, &params).await?;
    Ok(true)
}

fn last_run(row: &Row) -> Result<LastRun, RowError> {
    Ok(LastRun {
        started_at: row.get(0)?,
        finished_at: row.get(1)?,
        beat_at: row.get(2)?,
        scheduled_for: row.get(3)?,
        ahead_for: row.get(4)?,
    })
}

fn state(row: &Row) -> Result<JobState, RowError> {
    let last_started_at: Option<Timestamp> = row.get(1)?;
    let last_finished_at = row.get(2)?;
    let last_beat_at: Option<Timestamp> = row.get(3)?;
    Ok(JobState {
        name: row.get(0)?,
        last_started_at,
        last_finished_at,
        is_running: last_started_at.is_some()
            && last_finished_at.is_none()
            && last_beat_at.is_some(),
        last_outcome: row.get(4)?,
        last_message: row.get(5)?,
        last_scheduled_for: row.get(6)?,
        ahead_for: row.get(7)?,
    })
}
