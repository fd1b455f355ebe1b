//! Closes what nobody judges any more: no rule does, nobody watches it, or it is gone.
//!
//! Processes with different configurations may share a store, and must not undo each other's work. So what is of an
//! instance is closed by who watches that instance; what instances share by who watches all of them that were looked at
//! lately; and what is of an instance at which nobody looks any more by whoever runs.

use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::alert::{AlertType, ResolvedBy, Subject};
use plimsoll_store::{CLOCK_SKEW, KeptState, StoreError};

use super::Alerting;
use super::lodgers::UNWATCHED_AFTER;
use crate::disk::last_look;
use crate::news::NewPulse;

/// A volume that so many looks in a row did not see is gone.
const MISSED: u32 = 3;
/// Instances that nobody watches any more are looked for so often.
const SOUGHT_EVERY: Duration = Duration::from_mins(5);

impl Alerting {
    /// Closes what a look at an instance shows not to be judged any more: of `own` states of that instance, and of
    /// those that instances share.
    pub(super) async fn close_unjudged(
        &self,
        own: &[KeptState],
        shared: &[KeptState],
        pulse: &NewPulse,
    ) -> Result<(), StoreError> {
        for state in own {
            if let Some(by) = self.why_closed(state, pulse) {
                self.close(state, by, pulse.at).await?;
            }
        }
        for state in shared {
            if let Some(by) = self.why_shared_is_closed(state, pulse).await? {
                self.close(state, by, pulse.at).await?;
            }
        }
        self.close_unwatched(pulse.at).await
    }

    /// Closes an episode, and forgets where its rule stood.
    pub(super) async fn close(
        &self,
        state: &KeptState,
        by: ResolvedBy,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let is_closed = self.store.forget_alert(state.clone(), by, at).await?;
        if is_closed && state.alert_id.is_some() {
            tracing::info!(
                alert_id = state.alert_id,
                alert_type = state.alert_type.as_str(),
                instance = state.subject.instance,
                database = state.subject.database,
                resolved_by = by.as_str(),
                "alert.resolved"
            );
        }
        Ok(())
    }

    /// Whether a rule judges the subject.
    pub(super) fn is_judged(&self, alert_type: AlertType, subject: &Subject) -> bool {
        let rule = self.settings.of(alert_type, subject);
        rule.is_some_and(|rule| rule.enabled)
    }

    fn why_closed(&self, state: &KeptState, pulse: &NewPulse) -> Option<ResolvedBy> {
        let KeptState {
            alert_type,
            subject,
            ..
        } = state;
        let is_sampled = pulse.sampled_every.is_some() || *alert_type != AlertType::SamplingStale;
        if !self.is_judged(*alert_type, subject) || !is_sampled {
            return Some(ResolvedBy::RuleDisabled);
        }
        if let Some(database) = &subject.database {
            let mut databases = pulse.databases.iter();
            let is_watched = databases.any(|seen| seen.of.database == *database);
            return (pulse.knows_databases && !is_watched).then_some(ResolvedBy::NotWatched);
        }
        if subject.volume.is_some() && pulse.disk.unreachable.is_none() {
            return self.is_missed(subject, pulse).then_some(ResolvedBy::Gone);
        }
        None
    }

    /// Whether several looks in a row did not see a volume of this instance's own.
    fn is_missed(&self, subject: &Subject, pulse: &NewPulse) -> bool {
        let mut volumes = pulse.disk.volumes.iter();
        let is_there = volumes.any(|seen| Subject::volume_of(&pulse.instance, seen) == *subject);
        let mut missed = self.missed();
        if is_there {
            missed.remove(subject);
            return false;
        }
        let looks = missed.entry(subject.clone()).or_default();
        *looks += 1;
        *looks >= MISSED
    }

    async fn why_shared_is_closed(
        &self,
        state: &KeptState,
        pulse: &NewPulse,
    ) -> Result<Option<ResolvedBy>, StoreError> {
        let KeptState {
            alert_type,
            subject,
            ..
        } = state;
        let is_judged = self.is_judged(*alert_type, subject);
        let mut seen = pulse.disk.volumes.iter();
        let lies_here = seen.any(|volume| Subject::volume_of(&pulse.instance, volume) == *subject);
        if is_judged && (lies_here || subject.volume.is_none()) {
            return Ok(None);
        }
        let lodgers = self.lodgers(pulse.at).await;
        let mut there = lodgers
            .iter()
            .filter(|lodger| subject.volume.is_none() || lodger.places_on(subject).is_some());
        let is_gone = subject.volume.is_some() && there.clone().next().is_none();
        if is_gone {
            return Ok(Some(ResolvedBy::Gone));
        }
        let are_ours = there.all(|lodger| self.instances.contains(&lodger.instance));
        Ok((!is_judged && are_ours).then_some(ResolvedBy::RuleDisabled))
    }

    /// Closes what is of instances that nobody watches any more.
    async fn close_unwatched(&self, now: Timestamp) -> Result<(), StoreError> {
        let uptime = self.clock.uptime();
        {
            let mut sought = self.sought();
            if sought.is_some_and(|last| uptime.saturating_sub(last) < SOUGHT_EVERY) {
                return Ok(());
            }
            *sought = Some(uptime);
        }
        for instance in self.store.alert_instances().await? {
            if instance.is_empty() || self.instances.contains(&instance) {
                continue;
            }
            let seen = self.seen_at(&instance, now).await?;
            if seen.is_some_and(|seen| now.duration_since(seen) <= UNWATCHED_AFTER) {
                continue;
            }
            for state in self.store.alert_states(&instance).await? {
                self.close(&state, ResolvedBy::NotWatched, now).await?;
            }
        }
        Ok(())
    }

    /// When anybody looked at an instance last, as far as that is kept.
    async fn seen_at(
        &self,
        instance: &str,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let looked_at = last_look(&*self.store, instance).await?.map(|last| last.at);
        let sampled = self
            .store
            .last_good_samples(instance, now + CLOCK_SKEW)
            .await?;
        Ok(sampled.into_values().chain(looked_at).max())
    }
}
