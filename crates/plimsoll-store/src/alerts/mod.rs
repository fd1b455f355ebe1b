//! Alerts: where each rule stands with each subject, the episodes that were, and what holds back messages of them.
//!
//! A state is replaced only by who has read it: two processes that evaluate at once do not both tell of one change.

mod messages;
mod rows;
mod silences;
mod totals;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::contributors::Contributor;
use plimsoll_core::alert::evaluate::Standing;
use plimsoll_core::alert::{AlertType, Reading, ResolvedBy, Severity, Subject};

pub use self::messages::{Fate, KeptMessage, Messages, NewMessage, Waiting};
pub use self::silences::{KeptSilence, NewSilence, SilenceSpan};
pub use self::totals::SampleParts;
use crate::rows::{Transactions, Value};
use crate::{DatabaseKey, StoreError};

/// Alerts and what evaluating them needs of the past.
#[async_trait]
pub trait Alerts: Send + Sync {
    /// Where the rules stand with an instance's subjects.
    async fn alert_states(&self, instance: &str) -> Result<Vec<KeptState>, StoreError>;

    /// The instances of which states or episodes are kept, and nothing for what instances share, in the order of their
    /// names.
    async fn alert_instances(&self) -> Result<Vec<String>, StoreError>;

    /// Where the rules stand with a database and with what lies in it.
    async fn alert_states_of(&self, of: &DatabaseKey) -> Result<Vec<KeptState>, StoreError>;

    /// Replaces a state, and keeps what becomes of its episode, as one. None if somebody else has replaced it since it
    /// was read: then nothing is written. Else the episode that is open, or was closed by it.
    async fn keep_alert(&self, replaced: ReplacedState) -> Result<Option<Option<i64>>, StoreError>;

    /// Forgets a state, and ends its episode if one is open. Whether that was done: nothing is if somebody else has replaced
    /// it since it was read.
    async fn forget_alert(
        &self,
        state: KeptState,
        by: ResolvedBy,
        at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Gives a state and its open episode to the same table of a database under another name. Whether that was done: nothing
    /// is where there is a state of that name, or somebody has replaced this one since it was read.
    async fn rename_alert(&self, state: KeptState, to: Subject) -> Result<bool, StoreError>;

    /// Episodes, newest first, and how many there are.
    async fn alerts(&self, query: AlertQuery) -> Result<(Vec<Alert>, u64), StoreError>;

    /// An episode.
    async fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError>;

    /// Deletes episodes that ended before a time, but for the newest of each database. Returns how many.
    async fn thin_alerts(&self, instance: &str, ended_before: Timestamp)
    -> Result<u64, StoreError>;

    /// The silences that are not over at a time, in the order in which they were made.
    async fn silences(&self, now: Timestamp) -> Result<Vec<KeptSilence>, StoreError>;

    /// Keeps a silence, and forgets those that were over long before; its id.
    async fn add_silence(&self, silence: NewSilence) -> Result<i64, StoreError>;

    /// Ends a silence; whether there was one.
    async fn end_silence(&self, id: i64) -> Result<bool, StoreError>;

    /// What a database's samples say of its total since a time, oldest first. Those without a total are left out.
    async fn sample_parts(
        &self,
        of: &DatabaseKey,
        since: Timestamp,
    ) -> Result<Vec<SampleParts>, StoreError>;

    /// When the last sample of Plimsoll's own was taken that knows a database's total, up to a time.
    async fn last_good_sample(
        &self,
        of: &DatabaseKey,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// The same of each database of an instance that has one.
    async fn last_good_samples(
        &self,
        instance: &str,
        until: Timestamp,
    ) -> Result<HashMap<String, Timestamp>, StoreError>;
}

/// So many ended episodes of a database are always kept.
pub const KEPT_OF_DATABASE: i64 = 30;

/// Silences that are over are kept so long.
const KEPT_SILENCE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A state as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptState {
    /// Which rule.
    pub alert_type: AlertType,
    /// With what.
    pub subject: Subject,
    /// Where it stands. One that cannot be read, a later version's, begins anew rather than stop all others.
    pub standing: Standing,
    /// The same as it was written: by it whoever replaces it shows that he has read it.
    written: String,
    /// The episode that is open.
    pub alert_id: Option<i64>,
}

impl KeptState {
    /// A state as it is kept with these.
    pub fn new(
        alert_type: AlertType,
        subject: Subject,
        standing: Standing,
        alert_id: Option<i64>,
    ) -> Self {
        Self {
            alert_type,
            subject,
            // texts and numbers: cannot fail
            written: serde_json::to_string(&standing).unwrap_or_default(),
            standing,
            alert_id,
        }
    }
}

/// A state in place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct ReplacedState {
    /// What was read; a state that is new has none.
    pub before: Option<KeptState>,
    /// Which rule.
    pub alert_type: AlertType,
    /// With what.
    pub subject: Subject,
    /// Where it stands now.
    pub standing: Standing,
    /// What becomes of the episode.
    pub episode: EpisodeChange,
}

/// What becomes of an episode.
#[derive(Debug, Clone, PartialEq)]
pub enum EpisodeChange {
    /// Nothing; there may be none.
    None,
    /// It opens.
    Opens(NewAlert),
    /// It goes on, with new numbers.
    GoesOn(AlertContent),
    /// It ends.
    Ends {
        /// When.
        at: Timestamp,
        /// Why.
        by: ResolvedBy,
        /// What somebody said about it.
        comment: Option<String>,
    },
}

/// An episode that opens.
#[derive(Debug, Clone, PartialEq)]
pub struct NewAlert {
    /// Since when the condition holds.
    pub since: Timestamp,
    /// When it opened.
    pub created_at: Timestamp,
    /// What is told of it.
    pub told: AlertContent,
}

/// What an alert says: its severity, message and numbers as of the last evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertContent {
    /// The highest severity that it had.
    pub severity: Severity,
    /// When it was judged last.
    pub evaluated_at: Timestamp,
    /// For people.
    pub message: String,
    /// The numbers.
    pub reading: Reading,
    /// What the change is made of.
    pub contributors: Vec<Contributor>,
}

impl AlertContent {
    /// The line of the message that stands alone.
    pub fn headline(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }
}

/// An episode as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Unique within the store.
    pub id: i64,
    /// Which rule.
    pub alert_type: AlertType,
    /// About what.
    pub subject: Subject,
    /// Since when the condition holds.
    pub since: Timestamp,
    /// When it opened.
    pub created_at: Timestamp,
    /// When it ended; null while it fires.
    pub resolved_at: Option<Timestamp>,
    /// Why it ended.
    pub resolved_by: Option<ResolvedBy>,
    /// What somebody said about it.
    pub comment: Option<String>,
    /// What is told of it.
    pub told: AlertContent,
}

/// Which episodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertQuery {
    /// Of this instance, and what instances share.
    pub instance: Option<String>,
    /// Of this database.
    pub database: Option<String>,
    /// Firing ones or ended ones; all without.
    pub is_firing: Option<bool>,
    /// Of this rule.
    pub alert_type: Option<AlertType>,
    /// At least as serious.
    pub severity: Option<Severity>,
    /// At most so many,
    pub limit: usize,
    /// after so many.
    pub offset: usize,
}

/// More that fire at once are not looked at.
const MOST_FIRING: usize = 10_000;

impl AlertQuery {
    /// All that fire.
    pub fn firing() -> Self {
        Self {
            is_firing: Some(true),
            limit: MOST_FIRING,
            ..Self::default()
        }
    }
}

#[async_trait]
impl<S: Transactions> Alerts for S {
    async fn alert_states(&self, instance: &str) -> Result<Vec<KeptState>, StoreError> {
        let instance = Value::from(instance);
        self.reading(move |work| {
            Box::pin(async move {
                let sql = "select alert_type, subject, state, alert_id from plimsoll.alert_states
                           where instance = $1 order by alert_type collate \"C\", subject collate \"C\"";
                work.read(sql, &[instance], rows::state).await
            })
        })
        .await
    }

    async fn alert_instances(&self) -> Result<Vec<String>, StoreError> {
        self.reading(|work| {
            Box::pin(async move {
                let sql = "select instance from plimsoll.alert_states
                           union select instance from plimsoll.alerts";
                let mut names: Vec<String> = work.read(sql, &[], |row| row.get(0)).await?;
                names.sort();
                Ok(names)
            })
        })
        .await
    }

    async fn alert_states_of(&self, of: &DatabaseKey) -> Result<Vec<KeptState>, StoreError> {
        let instance = Value::from(&of.instance);
        let subject = Subject::database(&of.instance, &of.database);
        self.reading(move |work| {
            Box::pin(async move { rows::states_within(work, instance, &subject).await })
        })
        .await
    }

    async fn forget_alert(
        &self,
        state: KeptState,
        by: ResolvedBy,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        self.writing(move |work| Box::pin(async move { rows::forget(work, state, by, at).await }))
            .await
    }

    async fn rename_alert(&self, state: KeptState, to: Subject) -> Result<bool, StoreError> {
        self.writing(move |work| Box::pin(async move { rows::rename(work, state, to).await }))
            .await
    }

    async fn keep_alert(&self, replaced: ReplacedState) -> Result<Option<Option<i64>>, StoreError> {
        self.writing(move |work| Box::pin(async move { rows::keep(work, replaced).await }))
            .await
    }

    async fn alerts(&self, query: AlertQuery) -> Result<(Vec<Alert>, u64), StoreError> {
        self.reading(move |work| Box::pin(async move { rows::page(work, &query).await }))
            .await
    }

    async fn alert(&self, id: i64) -> Result<Option<Alert>, StoreError> {
        self.reading(move |work| Box::pin(async move { rows::one(work, id).await }))
            .await
    }

    async fn thin_alerts(
        &self,
        instance: &str,
        ended_before: Timestamp,
    ) -> Result<u64, StoreError> {
        let instance = instance.to_owned();
        self.writing(move |work| {
            Box::pin(async move { rows::thin(work, &instance, ended_before).await })
        })
        .await
    }

    async fn silences(&self, now: Timestamp) -> Result<Vec<KeptSilence>, StoreError> {
        self.reading(move |work| Box::pin(async move { silences::read(work, now).await }))
            .await
    }

    async fn add_silence(&self, silence: NewSilence) -> Result<i64, StoreError> {
        self.writing(move |work| {
            Box::pin(async move {
                let long_ago = silence.created_at.saturating_sub(KEPT_SILENCE);
                silences::thin(work, long_ago.unwrap_or(Timestamp::MIN)).await?;
                silences::add(work, silence).await
            })
        })
        .await
    }

    async fn end_silence(&self, id: i64) -> Result<bool, StoreError> {
        self.writing(move |work| Box::pin(async move { silences::end(work, id).await }))
            .await
    }

    async fn sample_parts(
        &self,
        of: &DatabaseKey,
        since: Timestamp,
    ) -> Result<Vec<SampleParts>, StoreError> {
        let of = of.clone();
        self.reading(move |work| Box::pin(async move { totals::read(work, &of, since).await }))
            .await
    }

    async fn last_good_sample(
        &self,
        of: &DatabaseKey,
        until: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let of = of.clone();
        self.reading(move |work| Box::pin(async move { totals::last_good(work, &of, until).await }))
            .await
    }

    async fn last_good_samples(
        &self,
        instance: &str,
        until: Timestamp,
    ) -> Result<HashMap<String, Timestamp>, StoreError> {
        let instance = instance.to_owned();
        self.reading(move |work| {
            Box::pin(async move { totals::last_good_of_each(work, &instance, until).await })
        })
        .await
    }
}
