//! The channels as they are answered and printed. Nothing of them that is a secret is here.

use jiff::Timestamp;
use plimsoll_notify::Channel;
use plimsoll_store::{KeptMessage, Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::channels::ConfiguredChannel;

/// Where messages about alerts go.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelsAnswer {
    /// In the order of the configuration.
    pub channels: Vec<ChannelAnswer>,
    /// How many there are.
    pub count: u64,
}

/// One receiver of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelAnswer {
    /// Its name.
    pub name: String,
    /// `webhook`, `slack`, `alertmanager`, `smtp`, `command` or `heartbeat`.
    pub kind: &'static str,
    /// Where it sends: scheme, host and port, or the program. The rest may be a secret.
    pub target: String,
    /// The least severity that is sent there; null where no messages are.
    pub least: Option<&'static str>,
    /// The pattern of what is sent there; null for all.
    #[serde(rename = "match")]
    pub pattern: Option<String>,
    /// Whether the end of an alert is sent; null where no messages are.
    pub send_resolved: Option<bool>,
    /// How many messages wait for it; null where no messages are, or where nobody looked.
    pub waiting: Option<u64>,
    /// Since when the oldest of them does.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub waiting_since: Option<Timestamp>,
    /// Why they could not be sent; null while none failed.
    pub error: Option<String>,
}

/// A channel took a message that says only that it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChannelTestAnswer {
    /// Its name.
    pub channel: String,
    /// Its kind.
    pub kind: &'static str,
    /// Where that went.
    pub target: String,
    /// When it was sent.
    #[serde(serialize_with = "plimsoll_core::time::serialize")]
    pub sent_at: Timestamp,
}

/// The channels that are configured, and what waits for them.
pub async fn channels(
    store: &dyn Store,
    all: &[ConfiguredChannel],
) -> Result<ChannelsAnswer, StoreError> {
    let mut channels = Vec::new();
    for configured in all {
        let answer = configured_channel(configured);
        channels.push(if configured.channel.takes_messages() {
            let waiting = store.waiting_messages(configured.channel.name()).await?;
            with_waiting(answer, &waiting)
        } else {
            answer
        });
    }
    Ok(ChannelsAnswer {
        count: channels.len() as u64,
        channels,
    })
}

fn with_waiting(answer: ChannelAnswer, waiting: &[KeptMessage]) -> ChannelAnswer {
    ChannelAnswer {
        waiting: Some(waiting.len() as u64),
        waiting_since: waiting.iter().map(|kept| kept.message.created_at).min(),
        error: waiting.iter().rev().find_map(|kept| kept.error.clone()),
        ..answer
    }
}

/// What a channel took.
pub fn tested(channel: &Channel, sent_at: Timestamp) -> ChannelTestAnswer {
    ChannelTestAnswer {
        channel: channel.name().to_owned(),
        kind: channel.kind().as_str(),
        target: channel.target(),
        sent_at,
    }
}

/// A channel as the configuration has it; what waits for it was not looked at.
pub fn configured_channel(configured: &ConfiguredChannel) -> ChannelAnswer {
    let channel = &configured.channel;
    let of_messages = channel.takes_messages();
    ChannelAnswer {
        name: channel.name().to_owned(),
        kind: channel.kind().as_str(),
        target: channel.target(),
        least: of_messages.then(|| configured.least.as_str()),
        pattern: configured.pattern.as_ref().map(ToString::to_string),
        send_resolved: of_messages.then_some(configured.send_resolved),
        waiting: None,
        waiting_since: None,
        error: None,
    }
}
