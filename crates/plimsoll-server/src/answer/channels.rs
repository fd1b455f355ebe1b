//! The channels as they are answered and printed. Nothing of them that is a secret is here.

use jiff::Timestamp;
use plimsoll_notify::Channel;
use plimsoll_store::{Store, StoreError, Waiting};
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

/// The channels that are configured, and what waits for them: in the store, and in memory only.
pub async fn channels(
    store: &dyn Store,
    all: &[ConfiguredChannel],
    in_memory: Vec<Waiting>,
) -> Result<ChannelsAnswer, StoreError> {
    let mut counts = if all.is_empty() {
        Vec::new()
    } else {
        store.waiting_counts().await?
    };
    counts.extend(in_memory);
    Ok(with_waiting(all, &counts))
}

/// The channels that are configured, with what waits for them.
pub fn with_waiting(all: &[ConfiguredChannel], counts: &[Waiting]) -> ChannelsAnswer {
    let channel = |configured: &ConfiguredChannel| {
        let answer = configured_channel(configured);
        if !configured.channel.takes_messages() {
            return answer;
        }
        let waiting = || counts.iter().filter(|one| one.channel == answer.name);
        ChannelAnswer {
            waiting: Some(waiting().map(|waiting| waiting.count).sum()),
            waiting_since: waiting().map(|waiting| waiting.since).min(),
            error: waiting()
                .filter_map(|waiting| waiting.error.clone())
                .next_back(),
            ..answer
        }
    };
    ChannelsAnswer {
        count: all.len() as u64,
        channels: all.iter().map(channel).collect(),
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
