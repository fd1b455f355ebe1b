//! What is told: one message about one alert.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::Severity;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What happened to the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// It opened.
    Opened,
    /// It became worse.
    Escalated,
    /// It still fires.
    Reminder,
    /// It ended.
    Resolved,
    /// Nothing: somebody tries the channel.
    Test,
}

impl Event {
    /// The name that messages carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Escalated => "escalated",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }
}

/// How a severity stands in a schema: the core, whose it is, knows nothing of schemas.
struct SeveritySchema;

impl PartialSchema for SeveritySchema {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("How serious an alert is."))
            .enum_values(Some(Severity::ALL.map(Severity::as_str)))
            .into()
    }
}

impl ToSchema for SeveritySchema {
    fn name() -> Cow<'static, str> {
        "Severity".into()
    }
}

/// One message about one alert. Names stand as the database has them; whoever prints them escapes them for where they
/// go. What is not known is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// Tells it from every other message, and is the same however often it is sent.
    pub key: String,
    /// The key of the first message about the same alert; the message's own key where it is the first.
    pub thread: String,
    /// What happened to the alert.
    pub event: Event,
    /// When that happened (UTC).
    pub at: Timestamp,
    /// The alert's id; null for a test.
    pub alert_id: Option<i64>,
    /// Which rule opened it, such as `growth_warning`.
    pub alert_type: String,
    /// How serious it is.
    #[schema(value_type = SeveritySchema)]
    pub severity: Severity,
    /// How serious it was before it became worse; null where it did not.
    #[schema(value_type = Option<SeveritySchema>)]
    pub previous_severity: Option<Severity>,
    /// When the alert opened (UTC).
    pub created_at: Timestamp,
    /// When it ended (UTC); null while it fires.
    pub resolved_at: Option<Timestamp>,
    /// The instance; null for what instances share.
    pub instance: Option<String>,
    /// The database; null for what is no database's.
    pub database: Option<String>,
    /// The schema of the table.
    pub schema_name: Option<String>,
    /// The table, or set of partitions.
    pub table_name: Option<String>,
    /// The volume.
    pub volume: Option<String>,
    /// What else tells it from others: a replication slot, a policy.
    pub name: Option<String>,
    /// One line that stands alone.
    pub headline: String,
    /// All lines: what, since when, of what it is made, what to do.
    pub text: String,
    /// Where it says what to do in full.
    pub runbook: Option<String>,
    /// What was compared.
    pub value: Option<f64>,
    /// With what.
    pub threshold: Option<f64>,
    /// In what: `bytes`, `percent`, `percent_of_inodes`, `seconds`, `bytes_per_day`.
    pub unit: Option<String>,
    /// Bytes now, where the rule is about bytes.
    pub current_bytes: Option<u64>,
    /// Bytes before, where the rule compares two moments.
    pub previous_bytes: Option<u64>,
    /// By how much it grew, in per cent; null where there was nothing before, or it is not known.
    pub growth_percent: Option<f64>,
    /// What the change is made of; with the rest they add up to it.
    pub contributors: Vec<Share>,
}

/// A share of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// What it is: `heap`, `toast`, `index`, `new_table`, `wal`, `no_relation` or `other`.
    pub part: String,
    /// The schema of its table.
    pub schema_name: Option<String>,
    /// Its table.
    pub table_name: Option<String>,
    /// The index; what holds WAL.
    pub name: Option<String>,
    /// What it gained.
    pub bytes: i64,
    /// For people.
    pub text: String,
}

impl Message {
    /// A message that says nothing but that the channel works.
    pub fn test(key: impl Into<String>, at: Timestamp) -> Self {
        let key = key.into();
        Self {
            thread: key.clone(),
            key,
            event: Event::Test,
            at,
            alert_id: None,
            alert_type: "test".to_owned(),
            severity: Severity::Warning,
            previous_severity: None,
            created_at: at,
            resolved_at: None,
            instance: None,
            database: None,
            schema_name: None,
            table_name: None,
            volume: None,
            name: None,
            headline: "this is a test of the channel".to_owned(),
            text: "this is a test of the channel\nNothing is wrong. Somebody asked Plimsoll to try it."
                .to_owned(),
            runbook: None,
            value: None,
            threshold: None,
            unit: None,
            current_bytes: None,
            previous_bytes: None,
            growth_percent: None,
            contributors: Vec::new(),
        }
    }
}

/// The key of what is sent in one piece: a message's own, or one made of those of several. The same messages have the
/// same key, so that a receiver knows what it already has.
pub fn delivery_key(messages: &[Message]) -> String {
    if let [only] = messages {
        return only.key.clone();
    }
    let mut digest = Sha256::new();
    for message in messages {
        // No key is the beginning of another with its length before it.
        digest.update((message.key.len() as u64).to_be_bytes());
        digest.update(&message.key);
    }
    format!("several_{}", short_hex(&digest.finalize()))
}

/// Enough of a digest to tell what it is of.
pub(crate) fn short_hex(digest: &[u8]) -> String {
    let bytes = digest.iter().take(16);
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// A time to the millisecond, which receivers of all kinds read.
pub(crate) fn to_the_millisecond(time: Timestamp) -> Timestamp {
    time.checked_sub(SignedDuration::from_nanos(i64::from(
        time.subsec_nanosecond().rem_euclid(1_000_000),
    )))
    .unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_has_the_key_of_its_messages() {
        let message = |key: &str| Message::test(key, Timestamp::UNIX_EPOCH);
        let key = |keys: &[&str]| {
            let messages: Vec<_> = keys.iter().map(|key| message(key)).collect();
            delivery_key(&messages)
        };
        assert_eq!(key(&["a"]), "a");
        assert_eq!(key(&["a", "b"]), key(&["a", "b"]));
        let different = [
            key(&["a", "b"]),
            key(&["b", "a"]),
            key(&["ab"]),
            key(&["a", "bc"]),
            key(&["ab", "c"]),
        ];
        for (at, one) in different.iter().enumerate() {
            assert!(different[at + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn a_message_survives_being_kept() {
        let message = Message {
            table_name: Some("a\r\nb\u{202e}\"".to_owned()),
            value: Some(f64::INFINITY),
            current_bytes: Some(u64::MAX),
            ..Message::test("k", Timestamp::UNIX_EPOCH)
        };
        let text = serde_json::to_string(&message).unwrap();
        let back: Message = serde_json::from_str(&text).unwrap();
        // What is no number is unknown.
        assert_eq!(
            back,
            Message {
                value: None,
                ..message
            }
        );
    }

    #[test]
    fn times_are_told_to_the_millisecond() {
        for (nanoseconds, text) in [
            (1_500_000_001_234_567_891_i128, "2017-07-14T02:40:01.234Z"),
            (0, "1970-01-01T00:00:00Z"),
        ] {
            let time = Timestamp::from_nanosecond(nanoseconds).unwrap();
            assert_eq!(to_the_millisecond(time).to_string(), text);
        }
    }
}
