//! Alertmanager, version 2 of its API: every member of a cluster, each by itself.
//!
//! Alertmanager ends an alert at its `endsAt`, so what fires is sent each minute with one that lies 5 minutes ahead.
//! The labels are what it knows an alert by: the severity is one of them, so what becomes worse ends as what it was.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use plimsoll_call::http::{Answer, StatusCode};
use plimsoll_core::alert::Severity;
use serde::Serialize;

use crate::answered::taken;
use crate::endpoint::Endpoint;
use crate::error::{SendError, SendErrorCode};
use crate::message::{Event, Message, to_the_millisecond};
use crate::text::{beginning, line, lines};

/// How long an alert fires on at Alertmanager when it hears no more of it.
const FIRES_FOR: SignedDuration = SignedDuration::from_mins(5);

#[derive(Clone)]
pub(crate) struct Alertmanager {
    /// Each.
    pub(crate) members: Vec<Endpoint>,
}

/// An alert as Alertmanager reads it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    labels: BTreeMap<&'static str, String>,
    annotations: BTreeMap<&'static str, String>,
    starts_at: Timestamp,
    ends_at: Timestamp,
}

impl Alertmanager {
    pub(crate) fn target(&self) -> String {
        let members: Vec<_> = self.members.iter().map(Endpoint::target).collect();
        members.join(", ")
    }

    pub(crate) async fn send(&self, messages: &[Message], now: Timestamp) -> Result<(), SendError> {
        let alerts: Vec<Posted> = messages
            .iter()
            .flat_map(|message| posted(message, now))
            .collect();
        self.post_to_all(&alerts, now).await
    }

    /// Lets the watchdog fire for some minutes more.
    pub(crate) async fn beat(&self, now: Timestamp) -> Result<(), SendError> {
        self.post_to_all(&[watchdog(now)], now).await
    }

    /// Success is that one member took it: they tell each other what was sent, not what fires.
    async fn post_to_all(&self, alerts: &[Posted], now: Timestamp) -> Result<(), SendError> {
        let members = self.members.iter();
        let answers = join_all(members.map(|member| post_to(member, alerts, now))).await;
        let count = answers.len();
        let failed: Vec<SendError> = answers.into_iter().filter_map(Result::err).collect();
        if failed.len() < count {
            for error in failed {
                tracing::warn!(reason = error.text, "alert.channel.member_failed");
            }
            return Ok(());
        }
        // Where one member may take it later, trying again helps.
        let code = failed.iter().map(|error| error.code);
        let code = code
            .clone()
            .find(|code| code.retry_helps())
            .or(code.clone().next());
        let texts: Vec<_> = failed.iter().map(|error| error.text.as_str()).collect();
        Err(SendError {
            retry_after: failed.iter().filter_map(|error| error.retry_after).min(),
            ..SendError::new(code.unwrap_or(SendErrorCode::Unreachable), texts.join("; "))
        })
    }
}

/// To one member. Where it refuses them together, each by itself: those that are fine are taken.
async fn post_to(member: &Endpoint, alerts: &[Posted], now: Timestamp) -> Result<(), SendError> {
    let answer = post(member, alerts).await?;
    if answer.status != StatusCode::BAD_REQUEST || alerts.len() < 2 {
        return judge(member, &answer, now);
    }
    let mut refused = Vec::new();
    for alert in alerts {
        let answer = post(member, std::slice::from_ref(alert)).await?;
        if let Err(error) = judge(member, &answer, now) {
            if error.retry_helps() {
                return Err(error);
            }
            refused.push(error);
        }
    }
    let count = refused.len();
    match refused.pop() {
        None => Ok(()),
        Some(error) => Err(SendError {
            text: format!("{} ({count} of {})", error.text, alerts.len()),
            ..error
        }),
    }
}

async fn post(member: &Endpoint, alerts: &[Posted]) -> Result<Answer, SendError> {
    // Nothing of it can fail to be written.
    let body = serde_json::to_vec(alerts).unwrap_or_default();
    Ok(member.post(body, Vec::new()).await?)
}

fn judge(member: &Endpoint, answer: &Answer, now: Timestamp) -> Result<(), SendError> {
    taken(answer, &member.target(), "urls", now).map_err(|error| {
        if error.code != SendErrorCode::Rejected {
            return error;
        }
        // It says which label it does not like; what it was sent holds no secret.
        let said = String::from_utf8_lossy(&answer.body);
        let said = beginning(&line(said.trim()), 200);
        SendError {
            text: format!("{}: {said}", error.text),
            ..error
        }
    })
}

/// What a message says, as alerts: the alert, and before it that which it no longer is.
fn posted(message: &Message, now: Timestamp) -> Vec<Posted> {
    let starts_at = to_the_millisecond(message.created_at);
    let is_test = message.event == Event::Test;
    let ends_at = match (message.event, message.resolved_at) {
        (Event::Resolved, end) => to_the_millisecond(end.unwrap_or(message.at)),
        _ => to_the_millisecond(now + FIRES_FOR),
    };
    let alert = Posted {
        labels: labels(message, message.severity),
        annotations: annotations(message),
        starts_at,
        // What ends before it starts is refused.
        ends_at: ends_at.max(starts_at),
    };
    let before = message
        .previous_severity
        .filter(|&before| before != message.severity && !is_test)
        .map(|before| Posted {
            labels: labels(message, before),
            ends_at: to_the_millisecond(message.at).max(starts_at),
            ..alert.clone()
        });
    before.into_iter().chain([alert]).collect()
}

fn labels(message: &Message, severity: Severity) -> BTreeMap<&'static str, String> {
    let name = format!("Plimsoll{}", camel_case(&message.alert_type));
    let all = [
        ("alertname", Some(name)),
        ("alert_type", Some(message.alert_type.clone())),
        ("severity", Some(severity.as_str().to_owned())),
        // `instance` and `job` are Prometheus' own.
        ("server", message.instance.clone()),
        ("database", message.database.clone()),
        ("schema_name", message.schema_name.clone()),
        ("table_name", message.table_name.clone()),
        ("volume", message.volume.clone()),
        ("name", message.name.clone()),
    ];
    // An empty label is none.
    all.into_iter()
        .filter_map(|(label, value)| Some((label, value.filter(|value| !value.is_empty())?)))
        .collect()
}

fn annotations(message: &Message) -> BTreeMap<&'static str, String> {
    let runbook = message.runbook.as_deref();
    let runbook = runbook.map(|runbook| ("runbook_url", line(runbook)));
    [
        ("summary", line(&message.headline)),
        ("description", lines(&message.text)),
    ]
    .into_iter()
    .chain(runbook)
    .collect()
}

/// Always fires while Plimsoll lives: a route to somebody who notices when it stops.
fn watchdog(now: Timestamp) -> Posted {
    Posted {
        labels: [("alertname", "PlimsollWatchdog"), ("severity", "none")]
            .map(|(label, value)| (label, value.to_owned()))
            .into(),
        annotations: [
            (
                "summary",
                "Plimsoll evaluates its rules, and its messages go out",
            ),
            (
                "description",
                "Always fires. When it is gone, Plimsoll is, or cannot reach Alertmanager.",
            ),
        ]
        .map(|(label, value)| (label, value.to_owned()))
        .into(),
        starts_at: to_the_millisecond(now),
        ends_at: to_the_millisecond(now + FIRES_FOR),
    }
}

/// `growth_warning` as `GrowthWarning`.
fn camel_case(name: &str) -> String {
    name.split('_')
        .flat_map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(letters)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn fires() -> Message {
        Message {
            event: Event::Opened,
            alert_type: "growth_warning".to_owned(),
            instance: Some("prod".to_owned()),
            database: Some("shop".to_owned()),
            table_name: Some(String::new()),
            created_at: at(1000),
            runbook: Some("docs/runbooks/growth_warning.md".to_owned()),
            ..Message::test("k", at(1000))
        }
    }

    #[test]
    fn labels_identify_and_hold_no_number() {
        let alert = &posted(&fires(), at(1060))[0];
        let labels: Vec<_> = alert
            .labels
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        assert_eq!(
            labels,
            [
                ("alert_type", "growth_warning"),
                ("alertname", "PlimsollGrowthWarning"),
                ("database", "shop"),
                ("server", "prod"),
                ("severity", "warning"),
            ]
        );
        assert_eq!((alert.starts_at, alert.ends_at), (at(1000), at(1360)));
    }

    #[test]
    fn what_became_worse_ends_as_what_it_was() {
        let worse = Message {
            event: Event::Escalated,
            severity: Severity::Critical,
            previous_severity: Some(Severity::Warning),
            at: at(2000),
            ..fires()
        };
        let alerts = posted(&worse, at(2001));
        let told: Vec<_> = alerts
            .iter()
            .map(|alert| {
                (
                    alert.labels["severity"].as_str(),
                    alert.starts_at,
                    alert.ends_at,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("warning", at(1000), at(2000)),
                ("critical", at(1000), at(2301))
            ]
        );
    }

    #[test]
    fn what_ended_ends_when_it_did_and_never_before_it_began() {
        for (resolved_at, told_at, expect) in [
            (Some(at(3000)), at(3050), at(3000)),
            (None, at(3050), at(3050)),
            (Some(at(10)), at(3050), at(1000)),
        ] {
            let ended = Message {
                event: Event::Resolved,
                resolved_at,
                at: told_at,
                ..fires()
            };
            assert_eq!(posted(&ended, at(9000))[0].ends_at, expect);
        }
    }

    #[test]
    fn types_become_names() {
        for (name, expect) in [
            ("growth_warning", "GrowthWarning"),
            ("time_to_full", "TimeToFull"),
            ("test", "Test"),
            ("a__b_", "AB"),
        ] {
            assert_eq!(camel_case(name), expect);
        }
    }
}
