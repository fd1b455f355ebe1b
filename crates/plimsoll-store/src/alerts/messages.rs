//! Messages about alerts: which are to go where, and what became of them. A message is a row before it is sent, and stays
//! one: what was told of an alert is known by them.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::alert::Severity;

use super::rows::word;
use crate::StoreError;
use crate::rows::{Row, RowError, Transaction, Transactions, Value};

/// What is to be sent, and what was.
#[async_trait]
pub trait Messages: Send + Sync {
    /// Keeps messages to send; those that are kept already stay as they are. Returns how many are new.
    async fn add_messages(&self, messages: Vec<NewMessage>) -> Result<u64, StoreError>;

    /// The messages about alerts, oldest first.
    async fn messages_of(&self, alerts: &[i64]) -> Result<Vec<KeptMessage>, StoreError>;

    /// The alerts that ended, and of which some channel was told that they opened, but not that they ended.
    async fn told_and_over(&self) -> Result<Vec<i64>, StoreError>;

    /// How many messages wait for each channel that some wait for, in the order of their names.
    async fn waiting_counts(&self) -> Result<Vec<Waiting>, StoreError>;

    /// The messages that wait for a channel, oldest first.
    async fn waiting_messages(&self, channel: &str) -> Result<Vec<KeptMessage>, StoreError>;

    /// Takes messages that are to be tried now, until a time: those that nobody else took since they were read.
    async fn take_messages(
        &self,
        messages: &[KeptMessage],
        until: Timestamp,
    ) -> Result<Vec<i64>, StoreError>;

    /// Keeps how a sending ended.
    async fn settle_messages(&self, ids: &[i64], fate: Fate) -> Result<(), StoreError>;

    /// Forgets messages that were made before a time, but for those about alerts that fire.
    async fn thin_messages(&self, before: Timestamp) -> Result<u64, StoreError>;
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The channel's name.
    pub channel: String,
    /// About which alert.
    pub alert_id: i64,
    /// What happened: `opened`, `escalated`, `reminder`, `resolved`.
    pub event: String,
    /// Which of its event, from 1 on.
    pub number: i64,
    /// What is gathered: the instance, or nothing for what instances share.
    pub instance: String,
    /// How serious the alert is by it.
    pub severity: Severity,
    /// As the sender writes it.
    pub message: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it is to be sent; else it only says that this is told.
    pub is_wanted: bool,
    /// When it was sent; one that is sent already when it is kept went out while the store could not be written.
    pub sent_at: Option<Timestamp>,
}

/// What waits for a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The channel's name.
    pub channel: String,
    /// How many messages.
    pub count: u64,
    /// When the oldest was made.
    pub since: Timestamp,
    /// Why the newest that failed was not sent; none while none failed.
    pub error: Option<String>,
}

/// A message as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// Unique within the store.
    pub id: i64,
    /// What it is.
    pub message: NewMessage,
    /// When it is to be tried next.
    pub next_try_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub error: Option<String>,
    /// When it was sent, or given up; none while it waits.
    pub ended_at: Option<Timestamp>,
    /// `sent`, `given_up`, `rejected` or `unwanted`.
    pub fate: Option<String>,
}

/// How a sending ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Sent(Timestamp),
    /// It failed, and is tried again.
    Again {
        /// When.
        at: Timestamp,
        /// Why it failed.
        error: String,
    },
    /// It is not tried any more.
    Ended {
        /// When.
        at: Timestamp,
        /// `given_up` or `rejected`.
        fate: &'static str,
        /// Why it failed.
        error: String,
    },
}

/// Messages, and which of them.
macro_rules! select_messages {
    ($rest:expr) => {
        concat!(
            "select id, channel, alert_id, event, number, instance, severity, message, created_at,
                next_try_at, tries, error, ended_at, fate
             from plimsoll.alert_messages ",
            $rest
        )
    };
}

#[async_trait]
impl<S: Transactions> Messages for S {
    async fn add_messages(&self, messages: Vec<NewMessage>) -> Result<u64, StoreError> {
        self.writing(move |work| {
            Box::pin(async move {
                let mut new = 0;
                for message in messages {
                    new += add(work, message).await?;
                }
                Ok(new)
            })
        })
        .await
    }

    async fn messages_of(&self, alerts: &[i64]) -> Result<Vec<KeptMessage>, StoreError> {
        if alerts.is_empty() {
            return Ok(Vec::new());
        }
        let alerts = Value::from(alerts);
        self.reading(move |work| {
            Box::pin(async move {
                let sql = select_messages!("where alert_id = any ($1) order by id");
                work.read(sql, &[alerts], message).await
            })
        })
        .await
    }

    async fn told_and_over(&self) -> Result<Vec<i64>, StoreError> {
        self.reading(|work| {
            Box::pin(async move {
                let sql = "select distinct m.alert_id from plimsoll.alert_messages as m
                           join plimsoll.alerts as a on a.id = m.alert_id
                           where m.event = 'opened' and a.resolved_at is not null and not exists (
                               select 1 from plimsoll.alert_messages as r
                               where r.alert_id = m.alert_id and r.channel = m.channel and r.event = 'resolved'
                           ) order by m.alert_id";
                work.read(sql, &[], |row| row.get(0)).await
            })
        })
        .await
    }

    async fn waiting_counts(&self) -> Result<Vec<Waiting>, StoreError> {
        self.reading(|work| {
            Box::pin(async move {
                let sql = "select w.channel, count(*), min(w.created_at), (
                               select e.error from plimsoll.alert_messages as e
                               where e.channel = w.channel and e.ended_at is null and e.error is not null
                               order by e.id desc limit 1
                           ) from plimsoll.alert_messages as w
                           where w.ended_at is null group by w.channel order by w.channel collate \"C\"";
                work.read(sql, &[], waiting).await
            })
        })
        .await
    }

    async fn waiting_messages(&self, channel: &str) -> Result<Vec<KeptMessage>, StoreError> {
        let channel = Value::from(channel);
        self.reading(move |work| {
            Box::pin(async move {
                let sql = select_messages!("where channel = $1 and ended_at is null order by id");
                work.read(sql, &[channel], message).await
            })
        })
        .await
    }

    async fn take_messages(
        &self,
        messages: &[KeptMessage],
        until: Timestamp,
    ) -> Result<Vec<i64>, StoreError> {
        let read: Vec<(i64, Timestamp)> = messages
            .iter()
            .map(|kept| (kept.id, kept.next_try_at))
            .collect();
        self.writing(move |work| {
            Box::pin(async move {
                let mut taken = Vec::new();
                for (id, next_try_at) in read {
                    let sql = "update plimsoll.alert_messages set next_try_at = $3
                               where id = $1 and next_try_at = $2 and ended_at is null";
                    let params = [id.into(), next_try_at.into(), until.into()];
                    if work.execute(sql, &params).await? > 0 {
                        taken.push(id);
                    }
                }
                Ok(taken)
            })
        })
        .await
    }

    async fn settle_messages(&self, ids: &[i64], fate: Fate) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.writing(move |work| {
            Box::pin(async move {
                for id in ids {
                    settle(work, id, fate.clone()).await?;
                }
                Ok(())
            })
        })
        .await
    }

    async fn thin_messages(&self, before: Timestamp) -> Result<u64, StoreError> {
        self.writing(move |work| {
            Box::pin(async move {
                let sql = "delete from plimsoll.alert_messages where created_at < $1
                           and alert_id not in (select id from plimsoll.alerts where resolved_at is null)";
                work.execute(sql, &[before.into()]).await
            })
        })
        .await
    }
}

async fn add(work: &dyn Transaction, message: NewMessage) -> Result<u64, StoreError> {
    let sql = "insert into plimsoll.alert_messages (channel, alert_id, event, number, instance, severity, message,
                   created_at, next_try_at, ended_at, fate)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10) on conflict do nothing";
    let (ended_at, fate) = match (message.is_wanted, message.sent_at) {
        (false, _) => (Some(message.created_at), Some("unwanted")),
        (true, Some(sent_at)) => (Some(sent_at), Some("sent")),
        (true, None) => (None, None),
    };
    let params = [
        message.channel.into(),
        message.alert_id.into(),
        message.event.into(),
        message.number.into(),
        message.instance.into(),
        message.severity.as_str().into(),
        message.message.into(),
        message.created_at.into(),
        ended_at.into(),
        fate.into(),
    ];
    work.execute(sql, &params).await
}

fn waiting(row: &Row) -> Result<Waiting, RowError> {
    Ok(Waiting {
        channel: row.get(0)?,
        count: row.get(1)?,
        since: row.get(2)?,
        error: row.get(3)?,
    })
}

async fn settle(work: &dyn Transaction, id: i64, fate: Fate) -> Result<(), StoreError> {
    let (next_try_at, error, ended_at, fate) = match fate {
        Fate::Sent(at) => (at, None, Some(at), Some("sent".to_owned())),
        Fate::Again { at, error } => (at, Some(error), None, None),
        Fate::Ended { at, fate, error } => (at, Some(error), Some(at), Some(fate.to_owned())),
    };
    let sql = "update plimsoll.alert_messages
               set tries = tries + 1, next_try_at = $2, error = $3, ended_at = $4, fate = $5
               where id = $1 and ended_at is null";
    let params = [
        id.into(),
        next_try_at.into(),
        error.into(),
        ended_at.into(),
        fate.into(),
    ];
    work.execute(sql, &params).await?;
    Ok(())
}

fn message(row: &Row) -> Result<KeptMessage, RowError> {
    let (ended_at, fate): (Option<Timestamp>, Option<String>) = (row.get(12)?, row.get(13)?);
    Ok(KeptMessage {
        id: row.get(0)?,
        message: NewMessage {
            channel: row.get(1)?,
            alert_id: row.get(2)?,
            event: row.get(3)?,
            number: row.get(4)?,
            instance: row.get(5)?,
            severity: word(row, 6)?,
            message: row.get(7)?,
            created_at: row.get(8)?,
            is_wanted: fate.as_deref() != Some("unwanted"),
            sent_at: ended_at.filter(|_| fate.as_deref() == Some("sent")),
        },
        next_try_at: row.get(9)?,
        tries: row.get(10)?,
        error: row.get(11)?,
        ended_at,
        fate,
    })
}
