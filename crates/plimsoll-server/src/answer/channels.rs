//! The channels as they are answered and printed. Nothing of them that is a secret is here.

use jiff::Timestamp;
use plimsoll_notify::Channel;
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

/// The channels that are configured.
pub fn channels(all: &[ConfiguredChannel]) -> ChannelsAnswer {
    ChannelsAnswer {
        channels: all.iter().map(answer).collect(),
        count: all.len() as u64,
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

fn answer(configured: &ConfiguredChannel) -> ChannelAnswer {
    let channel = &configured.channel;
    let of_messages = channel.takes_messages();
    ChannelAnswer {
        name: channel.name().to_owned(),
        kind: channel.kind().as_str(),
        target: channel.target(),
        least: of_messages.then(|| configured.least.as_str()),
        pattern: configured.pattern.as_ref().map(ToString::to_string),
        send_resolved: of_messages.then_some(configured.send_resolved),
    }
}
