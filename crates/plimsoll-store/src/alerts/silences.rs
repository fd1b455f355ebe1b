//! The rows of silences.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::pattern::Pattern;

use super::rows::{optional_word, word};
use crate::StoreError;
use crate::rows::{Row, RowError, Transaction};

/// When messages are held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SilenceSpan {
    /// Once.
    Until {
        /// From then,
        from: Timestamp,
        /// to then.
        until: Timestamp,
    },
    /// Each time that a schedule names.
    Recurring {
        /// Not before this.
        from: Timestamp,
        /// A cron expression, in UTC.
        cron: String,
        /// So long each time.
        length: SignedDuration,
    },
}

/// A silence that is to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    /// Which subjects.
    pub pattern: Pattern,
    /// Which alerts; none stands for all.
    pub alert_type: Option<AlertType>,
    /// When.
    pub span: SilenceSpan,
    /// Who wanted it.
    pub who: String,
    /// Why.
    pub why: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A silence as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSilence {
    /// Unique within the store.
    pub id: i64,
    /// What it is.
    pub silence: NewSilence,
}

/// Those that are not over at a time.
pub(super) async fn read(
    work: &dyn Transaction,
    now: Timestamp,
) -> Result<Vec<KeptSilence>, StoreError> {
    let sql = "select id, pattern, alert_type, from_at, until_at, cron, length_seconds, who, why, created_at
               from plimsoll.alert_silences where until_at is null or until_at > $1 order by id";
    work.read(sql, &[now.into()], silence).await
}

pub(super) async fn add(work: &dyn Transaction, silence: NewSilence) -> Result<i64, StoreError> {
    let (from, until, cron, seconds) = match silence.span {
        SilenceSpan::Until { from, until } => (from, Some(until), None, None),
        SilenceSpan::Recurring { from, cron, length } => {
            (from, None, Some(cron), Some(length.as_secs()))
        }
    };
    let sql = "insert into plimsoll.alert_silences
                   (pattern, alert_type, from_at, until_at, cron, length_seconds, who, why, created_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) returning id";
    let params = [
        silence.pattern.to_string().into(),
        silence.alert_type.map(|of| of.as_str().to_owned()).into(),
        from.into(),
        until.into(),
        cron.into(),
        seconds.into(),
        silence.who.into(),
        silence.why.into(),
        silence.created_at.into(),
    ];
    let ids: Vec<i64> = work.read(sql, &params, |row| row.get(0)).await?;
    ids.first()
        .copied()
        .ok_or_else(|| work.failed("a new silence has no id"))
}

/// Whether there was one.
pub(super) async fn end(work: &dyn Transaction, id: i64) -> Result<bool, StoreError> {
    let sql = "delete from plimsoll.alert_silences where id = $1";
    Ok(work.execute(sql, &[id.into()]).await? > 0)
}

/// Deletes those that were over before a time.
pub(super) async fn thin(work: &dyn Transaction, before: Timestamp) -> Result<(), StoreError> {
    let sql = "delete from plimsoll.alert_silences where until_at < $1";
    work.execute(sql, &[before.into()]).await?;
    Ok(())
}

fn silence(row: &Row) -> Result<KeptSilence, RowError> {
    let from = row.get(3)?;
    let span = match (row.get(4)?, row.get(5)?, row.get(6)?) {
        (Some(until), _, _) => SilenceSpan::Until { from, until },
        (None, Some(cron), Some(seconds)) => SilenceSpan::Recurring {
            from,
            cron,
            length: SignedDuration::from_secs(seconds),
        },
        _ => return Err(row.no("time until when, or a schedule", 4)),
    };
    Ok(KeptSilence {
        id: row.get(0)?,
        silence: NewSilence {
            pattern: word(row, 1)?,
            alert_type: optional_word(row, 2)?,
            span,
            who: row.get(7)?,
            why: row.get(8)?,
            created_at: row.get(9)?,
        },
    })
}
