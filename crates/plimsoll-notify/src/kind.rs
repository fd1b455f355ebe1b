//! Which kinds of receivers there are.

use serde::Deserialize;

/// Which kind of receiver a channel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// JSON to an address, signed.
    Webhook,
    /// Slack, Mattermost.
    Slack,
    /// The members of an Alertmanager.
    Alertmanager,
    /// Mail.
    Smtp,
    /// A program of this host.
    Command,
    /// An address that is called while all is well.
    Heartbeat,
}

impl Kind {
    /// The name that the configuration and answers carry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::Alertmanager => "alertmanager",
            Self::Smtp => "smtp",
            Self::Command => "command",
            Self::Heartbeat => "heartbeat",
        }
    }
}

/// How mail is kept from being read on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// From the second word on; a server that does not offer it gets nothing.
    #[default]
    Starttls,
    /// From the beginning.
    Tls,
    /// Not at all.
    None,
}

impl Tls {
    /// Where such a server listens.
    pub(crate) const fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}
