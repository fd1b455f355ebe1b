//! The receivers of messages that are configured, and trying one of them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use plimsoll_core::alert::pattern::{InvalidPattern, Pattern};
use plimsoll_notify::{
    Channel, Message, SendError, SendErrorCode, Settings, SettingsError, Severity,
};

/// A `[[channel]]` entry: a receiver, and what is sent there.
#[derive(Debug, Clone)]
pub struct ConfiguredChannel {
    /// The receiver.
    pub channel: Channel,
    /// The least severity that is sent there.
    pub least: Severity,
    /// Of what; none is all.
    pub pattern: Option<Pattern>,
    /// Whether the end of an alert is sent.
    pub send_resolved: bool,
}

/// Why a channel could not be tried, or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TestError {
    /// None has this name.
    #[error("no channel is named \"{name}\"; {}", listed(.known))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// It did not take the message.
    #[error("the channel \"{name}\": {error}")]
    Failed {
        /// Its name.
        name: String,
        /// Why.
        error: SendError,
    },
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return "the configuration has no [[channel]]".to_owned();
    }
    format!("there are: {}", names.join(", "))
}

impl TestError {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "unknown_channel",
            Self::Failed { error, .. } => match error.code {
                SendErrorCode::NotReady => "channel_not_ready",
                SendErrorCode::Unreachable => "channel_unreachable",
                SendErrorCode::TimedOut => "channel_timed_out",
                SendErrorCode::Busy => "channel_busy",
                SendErrorCode::Refused => "channel_refused",
                SendErrorCode::Rejected => "channel_rejected",
            },
        }
    }
}

impl ConfiguredChannel {
    /// What all entries mean, each with a name of its own.
    pub fn all(written: &[Settings]) -> Result<Vec<Self>, SettingsError> {
        let mut names = BTreeSet::new();
        for one in written {
            if !names.insert(&one.name) {
                return Err(SettingsError {
                    channel: one.name.clone(),
                    key: "name",
                    reason: "stands twice: each channel needs its own".to_owned(),
                });
            }
        }
        written.iter().map(Self::new).collect()
    }

    fn new(written: &Settings) -> Result<Self, SettingsError> {
        let pattern = written.pattern.as_ref().map(|text| {
            text.parse().map_err(|error: InvalidPattern| SettingsError {
                channel: written.name.clone(),
                key: "match",
                reason: format!("cannot be used: {error}"),
            })
        });
        Ok(Self {
            channel: written.channel()?,
            least: written.least.unwrap_or(Severity::Warning),
            pattern: pattern.transpose()?,
            send_resolved: written.send_resolved.unwrap_or(true),
        })
    }
}

/// Sends a message that says only that the channel works; calls a heartbeat. Tries once, and keeps nothing.
pub async fn test<'a>(
    channels: &'a [ConfiguredChannel],
    name: &str,
    now: Timestamp,
) -> Result<&'a Channel, TestError> {
    let find = channels.iter().map(|configured| &configured.channel);
    let Some(channel) = find.clone().find(|channel| channel.name() == name) else {
        return Err(TestError::Unknown {
            name: name.to_owned(),
            known: find.map(|channel| channel.name().to_owned()).collect(),
        });
    };
    let sent = if channel.takes_messages() {
        let key = format!("test_{}", now.as_nanosecond());
        channel.send(&[Message::test(key, now)], now).await
    } else {
        channel.beat(now).await
    };
    sent.map(|()| channel).map_err(|error| TestError::Failed {
        name: name.to_owned(),
        error,
    })
}
