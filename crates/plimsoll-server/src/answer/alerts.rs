//! Alerts as they are answered and printed.

use std::str::FromStr;

use jiff::Timestamp;
use plimsoll_core::alert::contributors::{Contributor, Part};
use plimsoll_core::alert::life::Change;
use plimsoll_core::alert::message::subject_text;
use plimsoll_core::alert::silence::silenced_until;
use plimsoll_core::alert::{AlertType, ResolvedBy, Severity, Unit, Verdict};
use plimsoll_store::{Alert, AlertQuery, DatabaseKey, KeptMessage, KeptState, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::schema;
use crate::alerting::silences::in_force;
use crate::alerting::{self, Replay, ReplayedChange};
use crate::ask::params::{ALERT_STATE, ALERT_TYPE, ALERTS_LIMIT, OFFSET, SEVERITY};
use crate::ask::{Ask, AskError, Given, OfDatabase, Param, Refused};

/// Which alerts are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertsQuery(pub AlertQuery);

/// `active`, `resolved` or `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Firing(Option<bool>);

impl FromStr for Firing {
    type Err = AskError;

    fn from_str(text: &str) -> Result<Self, AskError> {
        match text {
            "active" => Ok(Self(Some(true))),
            "resolved" => Ok(Self(Some(false))),
            "all" => Ok(Self(None)),
            _ => Err(AskError::new(text, "one of active, resolved, all")),
        }
    }
}

impl Ask for AlertsQuery {
    fn params() -> Vec<&'static Param> {
        vec![&ALERT_STATE, &ALERT_TYPE, &SEVERITY, &ALERTS_LIMIT, &OFFSET]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let alert_type = given.read(&ALERT_TYPE, |text| {
            text.parse::<AlertType>()
                .map_err(|_| AskError::new(text, format!("one of {}", AlertType::NAMES.join(", "))))
        })?;
        let severity = given.read(&SEVERITY, |text| {
            text.parse::<Severity>()
                .map_err(|_| AskError::new(text, "one of warning, critical"))
        })?;
        Ok(Self(AlertQuery {
            instance: None,
            database: None,
            is_firing: given.word::<Firing>(&ALERT_STATE)?.0,
            alert_type,
            severity,
            limit: given.number(&ALERTS_LIMIT)?.unwrap_or(100),
            offset: given.number(&OFFSET)?.unwrap_or(0),
        }))
    }
}

/// Alerts, newest first.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlertsAnswer {
    /// The alerts.
    pub alerts: Vec<AlertAnswer>,
    /// How many are given.
    pub count: u64,
    /// How many there are.
    pub total: u64,
}

/// An alert: one episode of a condition, from its opening to its resolution.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AlertAnswer {
    /// Its id.
    pub id: i64,
    /// When it opened.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub created_at: Timestamp,
    /// Which rule opened it.
    #[schema(schema_with = schema::alert_type)]
    pub alert_type: AlertType,
    /// The highest that it had.
    #[schema(schema_with = schema::severity)]
    pub severity: Severity,
    /// What, since when, of what it is made, what to do.
    pub message: String,
    /// Bytes now, where the rule is about bytes.
    pub current_bytes: Option<u64>,
    /// Bytes before, where the rule compares two moments.
    pub previous_bytes: Option<u64>,
    /// By how much it grew; null where there was nothing, or it is not known.
    pub growth_percent: Option<f64>,
    /// When it ended; null while it fires.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub resolved_at: Option<Timestamp>,
    /// `firing` or `resolved`.
    #[schema(schema_with = schema::alert_state)]
    pub state: &'static str,
    /// The instance; null for what instances share.
    pub instance: Option<String>,
    /// The database; null for what is no database's.
    pub database: Option<String>,
    /// The schema of the table.
    pub schema_name: Option<String>,
    /// The table or set.
    pub table_name: Option<String>,
    /// The volume, by its pool.
    pub volume: Option<String>,
    /// What else tells it from others: a slot, a volume's host.
    pub name: Option<String>,
    /// What was compared.
    pub value: Option<f64>,
    /// With what.
    pub threshold: Option<f64>,
    /// In what.
    #[schema(schema_with = schema::alert_unit)]
    pub unit: Unit,
    /// Since when the condition holds.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub since: Timestamp,
    /// When it was judged last: what cannot be judged holds the state.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub evaluated_at: Timestamp,
    /// Why it ended; null while it fires.
    #[schema(schema_with = schema::resolved_by_or_null)]
    pub resolved_by: Option<ResolvedBy>,
    /// What somebody said about it.
    pub comment: Option<String>,
    /// Until when messages about it are held back; null if they are not.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub silenced_until: Option<Timestamp>,
    /// What the change is made of, with the rest as `other`: they add up to it.
    pub contributors: Vec<ContributorAnswer>,
    /// The messages about it, oldest first.
    pub deliveries: Vec<DeliveryAnswer>,
}

/// A message about an alert on its way to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeliveryAnswer {
    /// The channel.
    pub channel: String,
    /// What happened: `opened`, `escalated`, `reminder` or `resolved`.
    pub event: String,
    /// `waits`, `sent`, `given_up`, or `rejected`: the receiver will never take it.
    #[schema(schema_with = schema::delivery_state)]
    pub state: String,
    /// When it was made.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub created_at: Timestamp,
    /// When it was sent, or given up; null while it waits.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub ended_at: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    pub error: Option<String>,
}

/// A share of a change.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ContributorAnswer {
    /// What part.
    #[schema(schema_with = schema::contributor_part)]
    pub part: Part,
    /// The schema of its table.
    pub schema_name: Option<String>,
    /// Its table.
    pub table_name: Option<String>,
    /// The index; the part of the volume.
    pub name: Option<String>,
    /// What it gained.
    pub bytes: i64,
    /// For people.
    pub text: String,
}

/// What is said when an alert is closed by hand.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// Why.
    #[schema(pattern = r"^[^\x00]*$")]
    pub comment: Option<String>,
}

/// Reads alerts: of one instance or database, or of all.
pub async fn alerts(
    store: &dyn Store,
    of: &OfDatabase,
    query: AlertsQuery,
    now: Timestamp,
) -> Result<AlertsAnswer, StoreError> {
    let query = AlertQuery {
        instance: of.instance.clone(),
        database: of.database.clone(),
        ..query.0
    };
    let (alerts, total) = store.alerts(query).await?;
    let silences = in_force(store, now).await?;
    let ids: Vec<i64> = alerts.iter().map(|alert| alert.id).collect();
    let messages = store.messages_of(&ids).await?;
    let answer = |alert: Alert| {
        let until = silenced_until(&silences, alert.alert_type, &alert.subject, now);
        let until = until.filter(|_| alert.resolved_at.is_none());
        self::alert(alert, until, &messages)
    };
    let alerts: Vec<AlertAnswer> = alerts.into_iter().map(answer).collect();
    Ok(AlertsAnswer {
        count: alerts.len() as u64,
        alerts,
        total,
    })
}

/// An alert that has ended as it is answered.
pub async fn resolved(store: &dyn Store, alert: Alert) -> Result<AlertAnswer, StoreError> {
    let messages = store.messages_of(&[alert.id]).await?;
    Ok(self::alert(alert, None, &messages))
}

fn alert(alert: Alert, silenced_until: Option<Timestamp>, messages: &[KeptMessage]) -> AlertAnswer {
    let Alert {
        id,
        alert_type,
        subject,
        since,
        created_at,
        resolved_at,
        resolved_by,
        comment,
        told,
    } = alert;
    AlertAnswer {
        id,
        created_at,
        alert_type,
        severity: told.severity,
        message: told.message,
        current_bytes: told.reading.current_bytes,
        previous_bytes: told.reading.previous_bytes,
        growth_percent: told.reading.growth_percent(),
        resolved_at,
        state: if resolved_at.is_some() {
            "resolved"
        } else {
            "firing"
        },
        instance: Some(subject.instance).filter(|instance| !instance.is_empty()),
        database: subject.database,
        schema_name: subject.schema_name,
        table_name: subject.table_name,
        volume: subject.volume,
        name: subject.name,
        value: told.reading.value,
        threshold: told.reading.threshold,
        unit: told.reading.unit,
        since,
        evaluated_at: told.evaluated_at,
        resolved_by,
        comment,
        silenced_until,
        contributors: told.contributors.into_iter().map(contributor).collect(),
        deliveries: messages
            .iter()
            .filter(|kept| kept.message.alert_id == id && kept.message.is_wanted)
            .map(delivery)
            .collect(),
    }
}

fn delivery(kept: &KeptMessage) -> DeliveryAnswer {
    DeliveryAnswer {
        channel: kept.message.channel.clone(),
        event: kept.message.event.clone(),
        state: kept.fate.clone().unwrap_or_else(|| "waits".to_owned()),
        created_at: kept.message.created_at,
        ended_at: kept.ended_at,
        tries: kept.tries,
        error: kept.error.clone(),
    }
}

fn contributor(share: Contributor) -> ContributorAnswer {
    ContributorAnswer {
        text: share.text(),
        part: share.part,
        schema_name: share.schema_name,
        table_name: share.table_name,
        name: share.name,
        bytes: share.bytes,
    }
}

/// Where every rule stands with every subject.
#[derive(Debug, Clone, Serialize)]
pub struct StandingsAnswer {
    /// One for each rule and subject that was evaluated.
    pub standings: Vec<StandingAnswer>,
}

/// Where a rule stands with a subject.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StandingAnswer {
    /// Which rule.
    pub alert_type: AlertType,
    /// For people: about what.
    pub subject: String,
    /// `clear`, `between`, `pending`, `firing`, `dismissed` or `unknown`.
    pub state: &'static str,
    /// Why it cannot be judged.
    pub unknown: Option<String>,
    /// What the numbers alone do not say.
    pub note: Option<String>,
    /// What was compared.
    pub value: Option<f64>,
    /// With what.
    pub threshold: Option<f64>,
    /// In what.
    pub unit: Option<Unit>,
    /// When it was judged last. What is clear is written down every 15 minutes only.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub evaluated_at: Option<Timestamp>,
}

/// Reads where every rule stands with the subjects of these instances, and with what instances share.
pub async fn standings(
    store: &dyn Store,
    instances: &[String],
) -> Result<StandingsAnswer, StoreError> {
    let mut states = Vec::new();
    for instance in instances.iter().map(String::as_str).chain([""]) {
        states.extend(store.alert_states(instance).await?);
    }
    Ok(StandingsAnswer {
        standings: states.iter().map(standing).collect(),
    })
}

fn standing(kept: &KeptState) -> StandingAnswer {
    let (state, reading) = (&kept.standing.state, kept.standing.reading.as_ref());
    let word = match reading.map(|reading| &reading.verdict) {
        _ if state.firing.is_some() => "firing",
        _ if state.dismissed.is_some() => "dismissed",
        Some(Verdict::Unknown(_)) | None => "unknown",
        _ if state.is_pending() => "pending",
        Some(Verdict::Between) => "between",
        Some(Verdict::Clear | Verdict::Holds(_)) => "clear",
    };
    StandingAnswer {
        alert_type: kept.alert_type,
        subject: subject_text(&kept.subject),
        state: word,
        unknown: match reading.map(|reading| &reading.verdict) {
            Some(Verdict::Unknown(why)) => Some(why.clone()),
            _ => None,
        },
        note: reading.and_then(|reading| reading.note.clone()),
        value: reading.and_then(|reading| reading.value),
        threshold: reading.and_then(|reading| reading.threshold),
        unit: reading.map(|reading| reading.unit),
        evaluated_at: state.evaluated_at,
    }
}

/// What would have been told of a database.
#[derive(Debug, Clone, Serialize)]
pub struct ReplayAnswer {
    /// The configured name of the instance.
    pub instance: String,
    /// The database.
    pub database: String,
    /// How many samples were judged.
    pub samples: usize,
    /// What would have been told, oldest first.
    pub told: Vec<ToldAnswer>,
}

/// Something that would have been told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ToldAnswer {
    /// When.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub at: Timestamp,
    /// Of which rule.
    pub alert_type: AlertType,
    /// How serious.
    pub severity: Severity,
    /// `opened`, `raised` or `resolved`.
    pub change: &'static str,
    /// The line that stands alone.
    pub message: String,
}

/// Judges the samples that are kept.
pub async fn replay(store: &dyn Store, replay: Replay<'_>) -> Result<ReplayAnswer, StoreError> {
    let (told, samples) = alerting::replay(store, replay).await?;
    let DatabaseKey { instance, database } = replay.of.clone();
    Ok(ReplayAnswer {
        instance,
        database,
        samples,
        told: told.into_iter().map(told_answer).collect(),
    })
}

fn told_answer(told: ReplayedChange) -> ToldAnswer {
    ToldAnswer {
        at: told.at,
        alert_type: told.alert_type,
        severity: told.severity,
        change: match told.change {
            Change::Opened(_) => "opened",
            Change::Raised(_) => "raised",
            Change::Resolved => "resolved",
        },
        message: told.headline,
    }
}
