//! A channel: one receiver of messages.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use crate::alertmanager::Alertmanager;
use crate::command::Command;
use crate::error::SendError;
use crate::heartbeat::Heartbeat;
use crate::kind::Kind;
use crate::message::Message;
use crate::slack::Slack;
use crate::smtp::Smtp;
use crate::webhook::Webhook;

/// One receiver of messages. It only sends: each call tries once.
#[derive(Clone)]
pub struct Channel {
    name: String,
    sender: Sender,
}

/// How it sends.
#[derive(Clone)]
pub(crate) enum Sender {
    Webhook(Webhook),
    Slack(Slack),
    Alertmanager(Alertmanager),
    Smtp(Smtp),
    Command(Command),
    Heartbeat(Heartbeat),
}

impl Channel {
    /// Who [`resends`](Self::resends) wants to hear so often of all that fires: Alertmanager forgets what it does not
    /// hear of for 5 minutes.
    pub const RESEND_EVERY: Duration = Duration::from_secs(60);

    pub(crate) const fn new(name: String, sender: Sender) -> Self {
        Self { name, sender }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its kind.
    pub const fn kind(&self) -> Kind {
        match &self.sender {
            Sender::Webhook(_) => Kind::Webhook,
            Sender::Slack(_) => Kind::Slack,
            Sender::Alertmanager(_) => Kind::Alertmanager,
            Sender::Smtp(_) => Kind::Smtp,
            Sender::Command(_) => Kind::Command,
            Sender::Heartbeat(_) => Kind::Heartbeat,
        }
    }

    /// Where it sends, for people: no more of it than is no secret.
    pub fn target(&self) -> String {
        match &self.sender {
            Sender::Webhook(webhook) => webhook.target(),
            Sender::Slack(slack) => slack.target(),
            Sender::Alertmanager(alertmanager) => alertmanager.target(),
            Sender::Smtp(smtp) => smtp.target(),
            Sender::Command(command) => command.target(),
            Sender::Heartbeat(heartbeat) => heartbeat.target(),
        }
    }

    /// Whether it takes messages. A heartbeat does not: it is only called ([`beat`](Self::beat)).
    pub const fn takes_messages(&self) -> bool {
        !matches!(self.sender, Sender::Heartbeat(_))
    }

    /// Whether it wants to hear of all that fires each [`RESEND_EVERY`](Self::RESEND_EVERY): the last message about
    /// each, sent as it was.
    pub const fn resends(&self) -> bool {
        matches!(self.sender, Sender::Alertmanager(_))
    }

    /// Whether it wants to be called while rules are evaluated and messages go out ([`beat`](Self::beat)).
    pub const fn beats(&self) -> bool {
        matches!(self.sender, Sender::Alertmanager(_) | Sender::Heartbeat(_))
    }

    /// Sends messages in one piece, once. Bounded in time, also where the future is dropped.
    pub async fn send(&self, messages: &[Message], now: Timestamp) -> Result<(), SendError> {
        if messages.is_empty() {
            return Ok(());
        }
        match &self.sender {
            Sender::Webhook(webhook) => webhook.send(messages, now).await,
            Sender::Slack(slack) => slack.send(messages, now).await,
            Sender::Alertmanager(alertmanager) => alertmanager.send(messages, now).await,
            Sender::Smtp(smtp) => smtp.send(messages).await,
            Sender::Command(command) => command.send(messages).await,
            Sender::Heartbeat(_) => Ok(()),
        }
    }

    /// Says that Plimsoll is alive: calls a heartbeat's address, and lets `PlimsollWatchdog` fire at an Alertmanager.
    /// Where it stops, somebody is told by them.
    pub async fn beat(&self, now: Timestamp) -> Result<(), SendError> {
        match &self.sender {
            Sender::Alertmanager(alertmanager) => alertmanager.beat(now).await,
            Sender::Heartbeat(heartbeat) => heartbeat.beat(now).await,
            Sender::Webhook(_) | Sender::Slack(_) | Sender::Smtp(_) | Sender::Command(_) => Ok(()),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name)
            .field("kind", &self.kind())
            .field("target", &self.target())
            .finish()
    }
}
