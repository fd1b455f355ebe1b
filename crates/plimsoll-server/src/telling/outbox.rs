//! Messages on their way: rows of the store, and in memory what it cannot take.
//!
//! **Invariant:** a message has one key wherever it lies, and is in the store or in memory, not in both.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use plimsoll_store::{
    Alert, AlertQuery, Fate, KeptMessage, KeptSilence, NewMessage, Store, StoreError, Waiting,
};

use crate::in_time::in_time;

/// So many messages are held in memory; what is due beyond that is made when there is room.
const MOST: usize = 10_000;

/// Messages on their way.
pub(super) struct Outbox {
    store: Arc<dyn Store>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// What the store had when it was read last.
    read: Known,
    /// Messages that are no rows yet, by ids below zero: in the order in which they were made.
    new: BTreeMap<i64, KeptMessage>,
    /// Rows of which the store does not know how they fared.
    fared: BTreeMap<i64, KeptMessage>,
    /// Those that are being sent.
    under_way: BTreeSet<i64>,
    unnumbered: i64,
    /// Whether the store was not read, or not written, when that was last tried.
    is_unread: bool,
    is_unwritten: bool,
}

/// What decides about messages.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// The alerts that fire, and those that ended and of which somebody was told.
    pub(super) alerts: Vec<Alert>,
    /// The messages about them.
    pub(super) told: Vec<KeptMessage>,
    pub(super) silences: Vec<KeptSilence>,
}

impl Outbox {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            memory: Mutex::default(),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A write, in time; takes note of how it went, and says when that changes.
    async fn write<T>(
        &self,
        writing: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let written = in_time(&*self.store, writing).await;
        let mut memory = self.memory();
        match (&written, memory.is_unwritten) {
            (Err(error), false) => tracing::error!(error = %error, "alert.told_from_memory"),
            (Ok(_), true) => tracing::info!("alert.told_from_store_again"),
            _ => {}
        }
        memory.is_unwritten = written.is_err();
        written
    }

    /// Takes note of how a read went.
    fn note_read<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        self.memory().is_unread = read.is_err();
        read
    }

    /// Whether the store has all that is told, and takes what comes.
    pub(super) fn is_kept(&self) -> bool {
        let memory = self.memory();
        let is_open = !memory.is_unread && !memory.is_unwritten;
        is_open && memory.new.is_empty() && memory.fared.is_empty()
    }

    /// What decides about messages: from the store, or as it was read last; with what became of messages since.
    pub(super) async fn known(&self, now: Timestamp) -> Known {
        let read = self.note_read(self.read(now).await);
        let mut memory = self.memory();
        if let Ok(read) = read {
            memory.read = read;
        }
        let mut known = memory.read.clone();
        memory.stand_in(&mut known.told);
        known.told.extend(memory.new.values().cloned());
        known
    }

    async fn read(&self, now: Timestamp) -> Result<Known, StoreError> {
        let (mut alerts, _) = self.store.alerts(AlertQuery::firing()).await?;
        for id in self.store.told_and_over().await? {
            alerts.extend(self.store.alert(id).await?);
        }
        let ids: Vec<i64> = alerts.iter().map(|alert| alert.id).collect();
        Ok(Known {
            told: self.store.messages_of(&ids).await?,
            silences: self.store.silences(now).await?,
            alerts,
        })
    }

    /// What waits in memory only, by channel.
    pub(super) fn waiting_in_memory(&self) -> Vec<Waiting> {
        let memory = self.memory();
        let mut all: BTreeMap<&str, Waiting> = BTreeMap::new();
        let waiting = memory.new.values().filter(|kept| kept.ended_at.is_none());
        for kept in waiting {
            let (channel, since) = (&kept.message.channel, kept.message.created_at);
            let of = all.entry(channel).or_insert_with(|| Waiting {
                channel: channel.clone(),
                count: 0,
                since,
                error: None,
            });
            of.count += 1;
            of.since = of.since.min(since);
            of.error = kept.error.clone().or(of.error.take());
        }
        all.into_values().collect()
    }

    /// Adds messages to send: to the store, if it may have them; returns how many are new.
    pub(super) async fn add(&self, messages: Vec<NewMessage>, may_keep: bool) -> u64 {
        if may_keep && let Ok(new) = self.write(self.store.add_messages(messages.clone())).await {
            return new;
        }
        let mut memory = self.memory();
        let room = MOST.saturating_sub(memory.new.len());
        let mut count = 0;
        for message in messages.into_iter().take(room) {
            memory.unnumbered += 1;
            let id = i64::MIN + memory.unnumbered;
            memory.new.insert(id, unkept(id, message));
            count += 1;
        }
        count
    }

    /// Writes what is in memory; `kept_as` is the id of an alert that had none when the message was made.
    ///
    /// # Errors
    /// When the store still cannot be written.
    pub(super) async fn keep(
        &self,
        kept_as: impl Fn(i64) -> Option<i64>,
    ) -> Result<(), StoreError> {
        let (fared, new) = self.memory().begin_keeping(kept_as);
        let kept = self.keep_these(&fared, &new).await;
        let mut memory = self.memory();
        for id in fared.iter().map(|kept| &kept.id).chain(new.keys()) {
            memory.under_way.remove(id);
        }
        if kept.is_ok() {
            memory.new.retain(|id, _| !new.contains_key(id));
        }
        kept
    }

    async fn keep_these(
        &self,
        fared: &[KeptMessage],
        new: &BTreeMap<i64, NewMessage>,
    ) -> Result<(), StoreError> {
        for kept in fared {
            self.write(self.store.settle_messages(&[kept.id], fate(kept)))
                .await?;
            self.memory().fared.remove(&kept.id);
        }
        if new.is_empty() {
            return Ok(());
        }
        let messages: Vec<NewMessage> = new.values().cloned().collect();
        let count = messages.len() as u64;
        if self.write(self.store.add_messages(messages)).await? < count {
            self.settle_those_there(new.values()).await?;
        }
        Ok(())
    }

    /// Settles rows of which nobody could say that they were written, and that were sent from memory then.
    async fn settle_those_there(
        &self,
        sent: impl Iterator<Item = &NewMessage> + Send,
    ) -> Result<(), StoreError> {
        let sent: Vec<&NewMessage> = sent.filter(|new| new.sent_at.is_some()).collect();
        let alerts: Vec<i64> = sent.iter().map(|new| new.alert_id).collect();
        for row in self.note_read(self.store.messages_of(&alerts).await)? {
            let is_same = |new: &&&NewMessage| {
                let of = |message: &NewMessage| (message.alert_id, message.number);
                of(new) == of(&row.message)
                    && (&new.channel, &new.event) == (&row.message.channel, &row.message.event)
            };
            let sent_at = sent.iter().find(is_same).and_then(|new| new.sent_at);
            if let (Some(at), None) = (sent_at, row.ended_at) {
                self.write(self.store.settle_messages(&[row.id], Fate::Sent(at)))
                    .await?;
            }
        }
        Ok(())
    }

    /// The messages that wait for a channel, oldest first.
    pub(super) async fn waiting(&self, channel: &str) -> Vec<KeptMessage> {
        let rows = self.note_read(self.store.waiting_messages(channel).await);
        let memory = self.memory();
        let mut waiting = rows.unwrap_or_else(|_| memory.read.told.clone());
        memory.stand_in(&mut waiting);
        waiting.extend(memory.new.values().cloned());
        waiting.retain(|kept| {
            kept.message.channel == channel
                && kept.ended_at.is_none()
                && !memory.under_way.contains(&kept.id)
        });
        waiting
    }

    /// Takes messages to send until a time: those of a batch that nobody else took meanwhile.
    pub(super) async fn take(
        &self,
        mut batch: Vec<KeptMessage>,
        until: Timestamp,
    ) -> Vec<KeptMessage> {
        // The store does not know how those fared that were tried from memory, and would give them to nobody.
        let is_ours: BTreeSet<i64> = self.memory().fared.keys().copied().collect();
        let is_row = |kept: &&KeptMessage| kept.id > 0 && !is_ours.contains(&kept.id);
        let rows: Vec<KeptMessage> = batch.iter().filter(is_row).cloned().collect();
        if !rows.is_empty() {
            // Where nobody can take anything, it is sent all the same: with its key.
            let taken = self.write(self.store.take_messages(&rows, until)).await;
            if let Ok(taken) = taken {
                batch.retain(|kept| !is_row(&kept) || taken.contains(&kept.id));
            }
        }
        let mut memory = self.memory();
        for kept in &mut batch {
            kept.next_try_at = until;
            memory.under_way.insert(kept.id);
        }
        batch
    }

    /// Takes note of how a sending ended.
    pub(super) async fn settle(&self, kept: &KeptMessage, fate: Fate) {
        let settled = match kept.id {
            ..0 => None,
            id => Some(
                self.write(self.store.settle_messages(&[id], fate.clone()))
                    .await,
            ),
        };
        let mut memory = self.memory();
        memory.under_way.remove(&kept.id);
        match settled {
            Some(Ok(())) => {
                memory.fared.remove(&kept.id);
                let mut read = memory.read.told.iter_mut();
                if let Some(row) = read.find(|row| row.id == kept.id) {
                    *row = after(kept, fate);
                }
            }
            Some(Err(_)) => drop(memory.fared.insert(kept.id, after(kept, fate))),
            None => {
                if let Some(new) = memory.new.get_mut(&kept.id) {
                    *new = after(new, fate);
                }
            }
        }
    }
}

impl Memory {
    /// Puts rows where they stand now.
    fn stand_in(&self, rows: &mut [KeptMessage]) {
        for row in rows {
            if let Some(fared) = self.fared.get(&row.id) {
                *row = fared.clone();
            }
        }
    }

    /// What is to be written, and is not sent meanwhile: not what is being sent. What is about an alert that another
    /// process told of is forgotten once it is sent.
    fn begin_keeping(
        &mut self,
        kept_as: impl Fn(i64) -> Option<i64>,
    ) -> (Vec<KeptMessage>, BTreeMap<i64, NewMessage>) {
        for kept in self.new.values_mut() {
            let alert_id = &mut kept.message.alert_id;
            *alert_id = kept_as(*alert_id).unwrap_or(*alert_id);
        }
        self.new
            .retain(|_, kept| kept.message.alert_id > 0 || kept.ended_at.is_none());
        let under_way = &self.under_way;
        let rests = |id: &i64| !under_way.contains(id);
        let fared = self.fared.values().filter(|kept| rests(&kept.id));
        let fared: Vec<KeptMessage> = fared.cloned().collect();
        let new = self
            .new
            .iter()
            .filter(|(id, kept)| rests(id) && kept.message.alert_id > 0);
        let new: BTreeMap<i64, NewMessage> =
            new.map(|(id, kept)| (*id, kept.message.clone())).collect();
        let ids = fared.iter().map(|kept| kept.id).chain(new.keys().copied());
        self.under_way.extend(ids);
        (fared, new)
    }
}

/// A message that is no row.
fn unkept(id: i64, message: NewMessage) -> KeptMessage {
    KeptMessage {
        id,
        next_try_at: message.created_at,
        tries: 0,
        error: None,
        ended_at: (!message.is_wanted).then_some(message.created_at),
        fate: (!message.is_wanted).then(|| "unwanted".to_owned()),
        message,
    }
}

/// A message after it was tried once more.
fn after(kept: &KeptMessage, fate: Fate) -> KeptMessage {
    let mut kept = kept.clone();
    kept.tries += 1;
    match fate {
        Fate::Sent(at) => {
            (kept.error, kept.ended_at, kept.fate) = (None, Some(at), Some("sent".to_owned()));
            kept.message.sent_at = Some(at);
        }
        Fate::Again { at, error } => {
            kept.next_try_at = at;
            kept.error = Some(error);
        }
        Fate::Ended { at, fate, error } => {
            (kept.error, kept.ended_at, kept.fate) = (Some(error), Some(at), Some(fate.to_owned()));
        }
    }
    kept
}

/// How a message fared that was tried.
fn fate(kept: &KeptMessage) -> Fate {
    let error = kept.error.clone().unwrap_or_default();
    match (kept.ended_at, kept.fate.as_deref()) {
        (Some(at), Some("sent")) => Fate::Sent(at),
        (Some(at), Some("rejected")) => Fate::Ended {
            at,
            fate: "rejected",
            error,
        },
        (Some(at), _) => Fate::Ended {
            at,
            fate: "given_up",
            error,
        },
        (None, _) => Fate::Again {
            at: kept.next_try_at,
            error,
        },
    }
}

#[cfg(test)]
mod tests;
