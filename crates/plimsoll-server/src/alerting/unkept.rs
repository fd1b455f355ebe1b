//! What rules came to while the store could not be written: until it can be, memory is the truth.
//!
//! **Invariant:** while anything is unkept, nothing newer is written before it, and what is written tells the times at
//! which it was judged.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use plimsoll_core::alert::evaluate::Standing;
use plimsoll_core::alert::{AlertType, Subject};
use plimsoll_store::{
    Alert, DatabaseKey, EpisodeChange, KeptState, NewAlert, ReplacedState, Store, StoreError,
};

use super::Alerting;
use crate::in_time::in_time;

/// Of so many rules and subjects it is remembered where they stand. Those whose episode changed go before others.
const MOST: usize = 1000;

/// Where rules stand that could not be kept, by rule and subject.
#[derive(Debug, Default)]
pub(super) struct Unkept(Mutex<Memory>);

/// A rule, by the alert that it opens, and a subject.
type Key = (AlertType, Subject);

#[derive(Debug, Default)]
struct Memory {
    positions: BTreeMap<Key, Position>,
    /// The states of an instance as they were read last.
    read: HashMap<String, Vec<KeptState>>,
    /// Why the last write failed; none after a good one.
    why: Option<String>,
    /// The ids that the store gave to episodes that had none, by the one that they had here.
    kept_as: HashMap<i64, i64>,
    /// How many episodes had no id.
    unnumbered: i64,
}

/// Where a rule stands with a subject.
#[derive(Debug, Clone)]
struct Position {
    /// As the store has it.
    before: Option<KeptState>,
    /// What came then, oldest first.
    steps: Vec<Step>,
    /// So many of them are being written.
    under_way: usize,
}

/// Something that is to be kept as one.
#[derive(Debug, Clone)]
struct Step {
    standing: Standing,
    episode: EpisodeChange,
    /// Of the episode; below zero for one that the store does not have yet.
    id: Option<i64>,
}

impl Unkept {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Alerting {
    /// Where the rules stand with an instance's subjects: as the store has it, or had it when it was read last, and what
    /// came then.
    pub(super) async fn states(&self, instance: &str) -> Result<Vec<KeptState>, StoreError> {
        let read = self.store.alert_states(instance).await;
        let mut memory = self.unkept.memory();
        let mut states = match read {
            Ok(states) => {
                memory.read.insert(instance.to_owned(), states.clone());
                states
            }
            Err(error) => {
                memory.why = Some(error.to_string());
                memory.read.get(instance).cloned().ok_or(error)?
            }
        };
        memory.stand_in(instance, &mut states);
        Ok(states)
    }

    /// The same, of what lies within a database.
    pub(super) async fn states_of(&self, of: &DatabaseKey) -> Result<Vec<KeptState>, StoreError> {
        let read = self.store.alert_states_of(of).await;
        let mut memory = self.unkept.memory();
        let is_within = |state: &KeptState| state.subject.database.as_ref() == Some(&of.database);
        let mut states = match read {
            Ok(states) => {
                for state in &states {
                    memory.has_kept(state.clone());
                }
                states
            }
            Err(error) => {
                memory.why = Some(error.to_string());
                memory.read.get(&of.instance).cloned().ok_or(error)?
            }
        };
        memory.stand_in(&of.instance, &mut states);
        states.retain(is_within);
        Ok(states)
    }

    /// Keeps where a rule stands in place of what was read, and what becomes of its episode: in the store, or in memory
    /// while the store cannot be written. None if somebody else was first.
    pub(super) async fn keep(
        &self,
        replaced: ReplacedState,
    ) -> Result<Option<Option<i64>>, StoreError> {
        if self.has_unkept() {
            return Ok(Some(self.unkept.memory().take_in(replaced)));
        }
        match in_time(&*self.store, self.store.keep_alert(replaced.clone())).await {
            Ok(kept) => {
                let mut memory = self.unkept.memory();
                memory.why = None;
                if let Some(id) = kept {
                    let open =
                        id.filter(|_| !matches!(replaced.episode, EpisodeChange::Ends { .. }));
                    let ReplacedState {
                        alert_type,
                        subject,
                        standing,
                        ..
                    } = replaced;
                    memory.has_kept(KeptState::new(alert_type, subject, standing, open));
                }
                Ok(kept)
            }
            Err(error) => {
                tracing::error!(error = %error, "alert.kept_in_memory_only");
                let mut memory = self.unkept.memory();
                memory.why = Some(error.to_string());
                Ok(Some(memory.take_in(replaced)))
            }
        }
    }

    /// Writes what could not be kept.
    ///
    /// # Errors
    /// When the store still cannot be written; what is left stays in memory.
    pub async fn keep_unkept(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.keeping.lock().await;
        loop {
            let Some((key, position)) = self.unkept.memory().begin() else {
                return Ok(());
            };
            let mut writing = Writing {
                store: &*self.store,
                key,
                before: position.before,
                done: 0,
                is_lost: false,
                kept_as: Vec::new(),
            };
            let written = writing.all(position.steps).await;
            let Writing {
                key,
                before,
                done,
                is_lost,
                kept_as,
                ..
            } = writing;
            self.unkept
                .memory()
                .end(&key, before, done, is_lost, &kept_as);
            if let Err(error) = written {
                self.unkept.memory().why = Some(error.to_string());
                return Err(error);
            }
        }
    }

    /// The same before something is judged anew; a store that still cannot be written keeps nobody from that.
    pub(super) async fn keep_unkept_if_any(&self) {
        if self.has_unkept()
            && let Err(error) = self.keep_unkept().await
        {
            tracing::warn!(error = %error, "alert.still_in_memory_only");
        }
    }

    /// Whether something is in memory only.
    pub fn has_unkept(&self) -> bool {
        !self.unkept.memory().positions.is_empty()
    }

    /// Why the store was not written when that was last tried; none where it was.
    pub fn unwritten(&self) -> Option<String> {
        self.unkept.memory().why.clone()
    }

    /// Notes whether a look was kept.
    pub(super) fn note_look(&self, not_kept: Option<&str>) {
        let mut memory = self.unkept.memory();
        if not_kept.is_some() || memory.positions.is_empty() {
            memory.why = not_kept.map(str::to_owned);
        }
    }

    /// The id that the store gave to an episode that had none.
    pub fn kept_as(&self, id: i64) -> Option<i64> {
        self.unkept.memory().kept_as.get(&id).copied()
    }

    /// Puts episodes as the store has them where they stand now, and adds those that it does not have.
    pub fn with_unkept(&self, alerts: &mut Vec<Alert>) {
        for ((alert_type, subject), position) in &self.unkept.memory().positions {
            for step in &position.steps {
                step.apply(*alert_type, subject, alerts);
            }
        }
    }
}

impl Memory {
    /// Puts states where they stand now.
    fn stand_in(&self, instance: &str, states: &mut Vec<KeptState>) {
        let own = self
            .positions
            .iter()
            .filter(|((_, subject), _)| subject.instance == instance);
        for ((alert_type, subject), position) in own {
            let Some(last) = position.steps.last() else {
                continue;
            };
            let known = states
                .iter()
                .position(|state| state.alert_type == *alert_type && state.subject == *subject);
            let at = known.unwrap_or_else(|| {
                let standing = Standing::default();
                states.push(KeptState::new(*alert_type, subject.clone(), standing, None));
                states.len() - 1
            });
            if let Some(state) = states.get_mut(at) {
                state.standing = last.standing.clone();
                state.alert_id = last.open();
            }
        }
    }

    /// Remembers a state; returns the episode's id.
    fn take_in(&mut self, replaced: ReplacedState) -> Option<i64> {
        let ReplacedState {
            before,
            alert_type,
            subject,
            standing,
            episode,
        } = replaced;
        let key = (alert_type, subject);
        if !self.positions.contains_key(&key) && !self.makes_room(&episode) {
            tracing::error!(alert_type = alert_type.as_str(), "alert.forgotten");
            return None;
        }
        let known = self.read.get(&key.1.instance).map(|states| {
            let mut states = states.iter();
            let known = states.find(|it| it.alert_type == key.0 && it.subject == key.1);
            known.cloned()
        });
        let unnumbered = &mut self.unnumbered;
        let position = self.positions.entry(key).or_insert_with(|| Position {
            before: known.unwrap_or(before),
            steps: Vec::new(),
            under_way: 0,
        });
        let open = match position.steps.last() {
            Some(last) => last.open(),
            None => position.before.as_ref().and_then(|before| before.alert_id),
        };
        let id = match &episode {
            EpisodeChange::Opens(_) => {
                *unnumbered += 1;
                Some(-*unnumbered)
            }
            _ => open,
        };
        position.add(Step {
            standing,
            episode,
            id,
        });
        id
    }

    /// Whether there is room for one more; where an episode changes, one goes of which none does.
    fn makes_room(&mut self, episode: &EpisodeChange) -> bool {
        if self.positions.len() < MOST {
            return true;
        }
        if *episode == EpisodeChange::None {
            return false;
        }
        let quiet = self.positions.iter().find(|(_, position)| {
            let mut steps = position.steps.iter();
            steps.all(|step| step.episode == EpisodeChange::None)
        });
        let quiet = quiet.map(|(key, _)| key.clone());
        quiet.is_some_and(|key| self.positions.remove(&key).is_some())
    }

    /// What the store has of a rule and subject now.
    fn has_kept(&mut self, state: KeptState) {
        let Some(states) = self.read.get_mut(&state.subject.instance) else {
            return;
        };
        let is_same =
            |it: &&mut KeptState| it.alert_type == state.alert_type && it.subject == state.subject;
        match states.iter_mut().find(is_same) {
            Some(known) => *known = state,
            None => states.push(state),
        }
    }

    /// What is to be written first. Nothing becomes part of it while it is.
    fn begin(&mut self) -> Option<(Key, Position)> {
        let (key, position) = self.positions.iter_mut().next()?;
        position.under_way = position.steps.len();
        Some((key.clone(), position.clone()))
    }

    /// Takes note of what was written of a position.
    fn end(
        &mut self,
        key: &Key,
        before: Option<KeptState>,
        done: usize,
        is_lost: bool,
        kept_as: &[(i64, i64)],
    ) {
        self.kept_as.extend(kept_as.iter().copied());
        if let Some(before) = before.clone() {
            self.has_kept(before);
        }
        let Some(position) = self.positions.get_mut(key) else {
            return;
        };
        position.steps.drain(..done.min(position.steps.len()));
        position.before = before;
        position.under_way = 0;
        for step in &mut position.steps {
            let has = kept_as.iter().find(|(had, _)| step.id == Some(*had));
            step.id = has.map_or(step.id, |(_, has)| Some(*has));
        }
        if is_lost || position.steps.is_empty() {
            self.positions.remove(key);
        }
    }
}

impl Position {
    /// Adds a step; what only goes on becomes part of the last one.
    fn add(&mut self, step: Step) {
        let is_under_way = self.steps.len() == self.under_way;
        let Some(last) = self.steps.last_mut().filter(|_| !is_under_way) else {
            self.steps.push(step);
            return;
        };
        match (&mut last.episode, step.episode) {
            (_, EpisodeChange::None) => last.standing = step.standing,
            (EpisodeChange::Opens(NewAlert { told, .. }), EpisodeChange::GoesOn(now))
            | (EpisodeChange::GoesOn(told), EpisodeChange::GoesOn(now)) => {
                *told = now;
                last.standing = step.standing;
            }
            (EpisodeChange::None, episode) => {
                *last = Step {
                    standing: step.standing,
                    episode,
                    id: step.id,
                };
            }
            (_, episode) => self.steps.push(Step {
                standing: step.standing,
                episode,
                id: step.id,
            }),
        }
    }
}

impl Step {
    /// The episode that is open after it.
    const fn open(&self) -> Option<i64> {
        match self.episode {
            EpisodeChange::Ends { .. } => None,
            _ => self.id,
        }
    }

    fn apply(&self, alert_type: AlertType, subject: &Subject, alerts: &mut Vec<Alert>) {
        let Some(id) = self.id else {
            return;
        };
        if let EpisodeChange::Opens(NewAlert {
            since,
            created_at,
            told,
        }) = &self.episode
        {
            // Written when nobody could say so, it is there already.
            alerts.retain(|other| {
                (other.alert_type, &other.subject, other.created_at)
                    != (alert_type, subject, *created_at)
            });
            alerts.push(Alert {
                id,
                alert_type,
                subject: subject.clone(),
                since: *since,
                created_at: *created_at,
                resolved_at: None,
                resolved_by: None,
                comment: None,
                told: told.clone(),
            });
            return;
        }
        let Some(alert) = alerts.iter_mut().find(|alert| alert.id == id) else {
            return;
        };
        match &self.episode {
            EpisodeChange::GoesOn(told) => alert.told = told.clone(),
            EpisodeChange::Ends { at, by, comment } => {
                alert.resolved_at = Some(*at);
                alert.resolved_by = Some(*by);
                alert.comment = comment.clone().or(alert.comment.take());
            }
            EpisodeChange::None | EpisodeChange::Opens(_) => {}
        }
    }
}

/// A position on its way into the store.
struct Writing<'a> {
    store: &'a dyn Store,
    key: Key,
    /// As the store has it by now.
    before: Option<KeptState>,
    /// So many steps were written.
    done: usize,
    /// Whether another process judges the same, so that its word counts.
    is_lost: bool,
    kept_as: Vec<(i64, i64)>,
}

impl Writing<'_> {
    async fn all(&mut self, steps: Vec<Step>) -> Result<(), StoreError> {
        for step in steps {
            let (alert_type, subject) = self.key.clone();
            let ends = matches!(step.episode, EpisodeChange::Ends { .. });
            let replaced = ReplacedState {
                before: self.before.clone(),
                alert_type,
                subject: subject.clone(),
                standing: step.standing.clone(),
                episode: step.episode,
            };
            let kept = in_time(self.store, self.store.keep_alert(replaced)).await?;
            let kept = if let Some(id) = kept {
                let open = id.filter(|_| !ends);
                self.note(step.id, id);
                Some(KeptState::new(alert_type, subject, step.standing, open))
            } else {
                let states = self.store.alert_states(&subject.instance).await?;
                let mut states = states.into_iter();
                let kept = states.find(|it| it.alert_type == alert_type && it.subject == subject);
                // It was written when nobody could say so.
                let is_ours = kept
                    .as_ref()
                    .is_some_and(|kept| kept.standing.state == step.standing.state);
                if !is_ours {
                    tracing::warn!(
                        alert_type = alert_type.as_str(),
                        instance = subject.instance,
                        "alert.judged_elsewhere"
                    );
                    self.before = kept;
                    self.is_lost = true;
                    return Ok(());
                }
                self.note(step.id, kept.as_ref().and_then(|kept| kept.alert_id));
                kept
            };
            self.before = kept;
            self.done += 1;
        }
        Ok(())
    }

    fn note(&mut self, had: Option<i64>, has: Option<i64>) {
        self.kept_as.extend(had.filter(|had| *had < 0).zip(has));
    }
}

#[cfg(test)]
mod tests;
