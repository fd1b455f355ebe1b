//! Settles one rule with one subject: reads where it stood, evaluates it, keeps where it stands and what became of its
//! episode. Whoever replaced the state meanwhile was first, and it is evaluated again on top of that.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::advice::Named;
use plimsoll_core::alert::contributors::Contributor;
use plimsoll_core::alert::evaluate::{Evaluated, Facts, Standing, evaluate};
use plimsoll_core::alert::life::{Change, State};
use plimsoll_core::alert::message::{Facts as Words, message};
use plimsoll_core::alert::settings::Rule;
use plimsoll_core::alert::{AlertType, Reading, ResolvedBy, Severity, Subject, Verdict};
use plimsoll_store::{AlertContent, EpisodeChange, KeptState, NewAlert, ReplacedState, StoreError};

use super::Alerting;

/// So often it is tried again where another process was first.
const TRIES: usize = 5;

/// What is clear is written down so often.
const QUIETLY: SignedDuration = SignedDuration::from_mins(15);

/// What is told beside the numbers, where an alert fires.
#[derive(Debug, Clone, Default)]
pub(super) struct Beside {
    pub(super) contributors: Vec<Contributor>,
    /// Since when those count, where the headline does not say.
    pub(super) counted_since: Option<Timestamp>,
    pub(super) events: Vec<String>,
    pub(super) forecast: Option<String>,
}

/// Knows what is told beside the numbers; asked only where the alert fires.
#[async_trait]
pub(super) trait Telling: Sync {
    async fn tell(&self, alert_type: AlertType, reading: &Reading) -> Result<Beside, StoreError>;
}

#[async_trait]
impl<F: Fn() -> Beside + Sync> Telling for F {
    async fn tell(&self, _: AlertType, _: &Reading) -> Result<Beside, StoreError> {
        Ok(self())
    }
}

/// What is settled: a rule, by the alert that it opens, with a subject on facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled<'a> {
    pub(super) alert_type: AlertType,
    pub(super) subject: &'a Subject,
    pub(super) facts: Facts<'a>,
    pub(super) now: Timestamp,
    /// The instance whose look or sample it is settled on.
    pub(super) instance: &'a str,
}

impl Alerting {
    /// Settles a rule with a subject, if it has that rule; what was judged at this time already is not judged again.
    /// `states` are those that were read of its instance.
    pub(super) async fn settle(
        &self,
        states: &[KeptState],
        settled: Settled<'_>,
        telling: &dyn Telling,
    ) -> Result<(), StoreError> {
        let Settled {
            alert_type,
            subject,
            facts,
            now,
            instance,
        } = settled;
        let named = self.named(instance, subject);
        let Some(rule) = self.settings.of(alert_type, subject) else {
            return Ok(());
        };
        let find = |states: &[KeptState]| {
            let found = states
                .iter()
                .find(|state| state.alert_type == alert_type && state.subject == *subject);
            found.cloned()
        };
        let mut before = find(states);
        let mut told = None;
        for _ in 0..TRIES {
            let stood = before
                .as_ref()
                .map(|kept| kept.standing.clone())
                .unwrap_or_default();
            if stood.state.evaluated_at == Some(now) {
                return Ok(());
            }
            let Some(evaluated) = evaluate(rule, facts, stood, now) else {
                return Ok(());
            };
            if before
                .as_ref()
                .is_some_and(|kept| is_no_news(&kept.standing, &evaluated, now))
            {
                return Ok(());
            }
            if told.is_none() && is_told(&evaluated) {
                let beside = telling.tell(alert_type, &evaluated.reading).await;
                // The numbers are told whatever can be read beside them.
                told = Some(beside.unwrap_or_else(|error| {
                    tracing::warn!(alert_type = alert_type.as_str(), error = %error, "alert.told_without_causes");
                    Beside::default()
                }));
            }
            let beside = told.as_ref();
            let episode = episode(rule, (subject, named), &evaluated, beside, now);
            let replaced = ReplacedState {
                before: before.clone(),
                alert_type,
                subject: subject.clone(),
                standing: evaluated.standing.clone(),
                episode,
            };
            if let Some(id) = self.keep(replaced).await? {
                log(rule, subject, &evaluated, id);
                if evaluated.change.is_some() {
                    self.changed.notify_one();
                }
                return Ok(());
            }
            before = find(&self.states(&subject.instance).await?);
        }
        tracing::warn!(
            alert_type = alert_type.as_str(),
            instance = subject.instance,
            database = subject.database,
            "alert.contended"
        );
        Ok(())
    }
}

/// Whether nothing would be told by writing it down: it cannot be judged as before, or was clear within [`QUIETLY`] and
/// is so still.
fn is_no_news(before: &Standing, after: &Evaluated, now: Timestamp) -> bool {
    if after.standing == *before {
        return true;
    }
    let is_clear = |standing: &Standing| {
        let verdict = standing.reading.as_ref().map(|reading| &reading.verdict);
        let State {
            firing, dismissed, ..
        } = &standing.state;
        verdict == Some(&Verdict::Clear) && firing.is_none() && dismissed.is_none()
    };
    let is_recent = before
        .state
        .evaluated_at
        .is_some_and(|at| (SignedDuration::ZERO..QUIETLY).contains(&now.duration_since(at)));
    is_recent
        && after.change.is_none()
        && is_clear(before)
        && is_clear(&after.standing)
        && before.memory == after.standing.memory
}

/// Whether there is something to say: it fires, and its numbers are known.
fn is_told(evaluated: &Evaluated) -> bool {
    evaluated.standing.state.firing.is_some()
        && !matches!(evaluated.reading.verdict, Verdict::Unknown(_))
}

fn episode(
    rule: &Rule,
    (subject, named): (&Subject, Named<'_>),
    evaluated: &Evaluated,
    beside: Option<&Beside>,
    now: Timestamp,
) -> EpisodeChange {
    if evaluated.change == Some(Change::Resolved) {
        return EpisodeChange::Ends {
            at: now,
            by: ResolvedBy::Condition,
            comment: None,
        };
    }
    let (Some(open), true) = (&evaluated.standing.state.firing, is_told(evaluated)) else {
        return EpisodeChange::None;
    };
    let nothing = Beside::default();
    let beside = beside.unwrap_or(&nothing);
    let told = AlertContent {
        severity: open.severity,
        evaluated_at: now,
        message: message(Words {
            alert_type: rule.alert_type(),
            subject,
            reading: &evaluated.reading,
            since: open.since,
            contributors: &beside.contributors,
            counted_since: beside.counted_since,
            events: &beside.events,
            forecast: beside.forecast.as_deref(),
            named,
        }),
        reading: evaluated.reading.clone(),
        contributors: beside.contributors.clone(),
    };
    match evaluated.change {
        Some(Change::Opened(_)) => EpisodeChange::Opens(NewAlert {
            since: open.since,
            created_at: now,
            told,
        }),
        _ => EpisodeChange::GoesOn(told),
    }
}

fn log(rule: &Rule, subject: &Subject, evaluated: &Evaluated, id: Option<i64>) {
    let alert_type = rule.alert_type().as_str();
    let (instance, database) = (&subject.instance, &subject.database);
    let told = |severity: Severity, event: &str| {
        tracing::warn!(
            alert_id = id,
            alert_type,
            severity = severity.as_str(),
            instance,
            database,
            value = evaluated.reading.value,
            threshold = evaluated.reading.threshold,
            "{event}"
        );
    };
    match evaluated.change {
        Some(Change::Opened(severity)) => told(severity, "alert.opened"),
        Some(Change::Raised(severity)) => told(severity, "alert.raised"),
        Some(Change::Resolved) => {
            tracing::info!(
                alert_id = id,
                alert_type,
                instance,
                database,
                "alert.resolved"
            );
        }
        None => {}
    }
}
