//! Makes the message about an alert.

use plimsoll_core::alert::advice::runbook_url;
use plimsoll_core::alert::contributors::Contributor;
use plimsoll_core::alert::message::subject_text;
use plimsoll_core::alert::{ResolvedBy, Severity};
use plimsoll_core::name::visible;
use plimsoll_notify::{Event, Message, Share};
use plimsoll_store::Alert;
use sha2::{Digest as _, Sha256};

/// The message about what happened to an alert; the `number`th of its event.
pub(super) fn compose(
    alert: &Alert,
    event: Event,
    number: i64,
    previous: Option<Severity>,
    at: jiff::Timestamp,
) -> Message {
    let told = &alert.told;
    let resolved_at = alert.resolved_at.filter(|_| event == Event::Resolved);
    let (headline, text) = match resolved_at {
        Some(over_at) => ending(alert, over_at),
        None => (told.headline().to_owned(), told.message.clone()),
    };
    Message {
        key: key(alert, event, number),
        thread: key(alert, Event::Opened, 1),
        event,
        at: resolved_at.unwrap_or(at),
        // One that could not be kept has none yet.
        alert_id: Some(alert.id).filter(|id| *id > 0),
        alert_type: alert.alert_type.as_str().to_owned(),
        severity: told.severity,
        previous_severity: previous.filter(|_| event == Event::Escalated),
        created_at: alert.created_at,
        resolved_at,
        instance: Some(alert.subject.instance.clone()).filter(|instance| !instance.is_empty()),
        database: alert.subject.database.clone(),
        schema_name: alert.subject.schema_name.clone(),
        table_name: alert.subject.table_name.clone(),
        volume: alert.subject.volume.clone(),
        name: alert.subject.name.clone(),
        headline,
        text,
        runbook: runbook_url(alert.alert_type),
        value: told.reading.value,
        threshold: told.reading.threshold,
        unit: Some(told.reading.unit.as_str().to_owned()),
        current_bytes: told.reading.current_bytes,
        previous_bytes: told.reading.previous_bytes,
        growth_percent: told.reading.growth_percent(),
        contributors: told.contributors.iter().map(share).collect(),
    }
}

/// An end is told in the past: the alert's own text is of when it fired.
fn ending(alert: &Alert, over_at: jiff::Timestamp) -> (String, String) {
    let over = format!(
        "{} of {} is over",
        alert.alert_type,
        subject_text(&alert.subject)
    );
    let why = alert.resolved_by.and_then(ResolvedBy::text);
    let why = match (why, &alert.comment) {
        (Some(why), Some(comment)) => format!(", when {why}: {}", visible(comment)),
        (Some(why), None) => format!(", when {why}."),
        (None, _) => ".".to_owned(),
    };
    let text = format!(
        "{over}\nIt fired from {:.0} to {over_at:.0}{why}\nIt had been told as: {}",
        alert.created_at,
        alert.told.headline()
    );
    (over, text)
}

/// What tells the message from every other, and is the same however often it is sent and whether the store could be
/// written or not: by what the alert is about and when it opened, since only the store gives ids.
fn key(alert: &Alert, event: Event, number: i64) -> String {
    // texts: cannot fail
    let about = serde_json::to_vec(&(alert.alert_type, &alert.subject)).unwrap_or_default();
    let about: String = Sha256::digest(about)
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let opened = alert.created_at.as_millisecond();
    format!("alert_{about}_{opened}_{}_{number}", event.as_str())
}

fn share(share: &Contributor) -> Share {
    Share {
        part: share.part.as_str().to_owned(),
        schema_name: share.schema_name.clone(),
        table_name: share.table_name.clone(),
        name: share.name.clone(),
        bytes: share.bytes,
        text: share.text(),
    }
}
