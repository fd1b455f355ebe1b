//! Tells channels of alerts. What is due is derived from the alerts that are kept and from what each channel was told of
//! them, and is a row before it is sent: whatever is killed when, nothing is lost, and what is sent twice has one key.
//! While the store cannot be written, messages go straight out from memory, under the key that they would have had.
//!
//! **Invariant:** a channel waits for no other, and no rule for a channel.

mod compose;
mod due;
mod outbox;
mod post;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use plimsoll_core::alert::ResolvedBy;
use plimsoll_core::alert::silence::{Firing, Silence, is_swallowed, silenced_until};
use plimsoll_notify::{Channel, Event};
use plimsoll_store::{Alert, KeptMessage, NewMessage, Store, Waiting};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alerting::Alerting;
use crate::alerting::silences::of_core;
use crate::channels::ConfiguredChannel;
use crate::clock::Clock;
use compose::compose;
use due::{PastMessage, Wanted, due};
use outbox::Outbox;
use post::Sending;

/// How often it is looked whether something is to be told, or to be sent, beside when something changes.
const EVERY: Duration = Duration::from_secs(5);

/// Tells channels of alerts.
pub struct Telling {
    outbox: Outbox,
    clock: Arc<dyn Clock>,
    alerting: Arc<Alerting>,
    receivers: Vec<Receiver>,
    /// The instances that are watched here: of others those tell who watch them.
    instances: Vec<String>,
    /// Told when something is to be sent.
    due: Notify,
}

/// A channel with what it takes, and how its sending goes.
struct Receiver {
    channel: Channel,
    wanted: Wanted,
    sending: Mutex<Sending>,
}

impl Telling {
    /// Tells these channels of alerts about these instances, and of what instances share.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        alerting: Arc<Alerting>,
        channels: &[ConfiguredChannel],
        instances: Vec<String>,
    ) -> Self {
        let receiver = |configured: &ConfiguredChannel| Receiver {
            channel: configured.channel.clone(),
            wanted: Wanted {
                least: configured.least,
                pattern: configured.pattern.clone(),
                send_resolved: configured.send_resolved,
            },
            sending: Mutex::default(),
        };
        Self {
            outbox: Outbox::new(store),
            clock,
            alerting,
            receivers: channels.iter().map(receiver).collect(),
            instances,
            due: Notify::new(),
        }
    }

    /// Tells until `stop`; `tasks` can be waited for. One task finds what is due, and each channel has one of its own.
    pub fn spawn(self: &Arc<Self>, tasks: &TaskTracker, stop: &CancellationToken) {
        if self.receivers.is_empty() {
            return;
        }
        let (telling, stopping) = (Arc::clone(self), stop.clone());
        tasks.spawn(async move {
            while !stopping.is_cancelled() {
                let new = stopping.run_until_cancelled(telling.gather()).await;
                if new.is_some_and(|new| new > 0) {
                    telling.due.notify_waiters();
                }
                let next = async {
                    let changed = telling.alerting.changed();
                    // who is not told of a change looks all the same
                    let _ = tokio::time::timeout(EVERY, changed).await;
                };
                stopping.run_until_cancelled(next).await;
            }
        });
        for at in 0..self.receivers.len() {
            let (telling, stopping) = (Arc::clone(self), stop.clone());
            tasks.spawn(async move {
                while !stopping.is_cancelled() {
                    stopping.run_until_cancelled(telling.send(at)).await;
                    let next = tokio::time::timeout(EVERY, telling.due.notified());
                    stopping.run_until_cancelled(next).await;
                }
            });
        }
    }

    /// Keeps what is due as messages to send, in memory where the store cannot be written; returns how many are new.
    pub async fn gather(&self) -> u64 {
        let now = self.clock.now();
        let may_keep = self.catch_up().await;
        let known = self.outbox.known(now).await;
        let mut alerts = known.alerts;
        self.alerting.with_unkept(&mut alerts);
        alerts.retain(|alert| self.is_ours(alert));
        let mut told: HashMap<i64, Vec<&KeptMessage>> = HashMap::new();
        for kept in &known.told {
            told.entry(kept.message.alert_id).or_default().push(kept);
        }
        let silences = known.silences.into_iter();
        let silences: Vec<Silence> = silences.map(|kept| of_core(kept.silence, now)).collect();
        let mut messages = Vec::new();
        let is_firing = |alert: &&Alert| alert.resolved_at.is_none();
        let firing: Vec<Firing<'_>> = alerts.iter().filter(is_firing).map(of_alert).collect();
        for alert in &alerts {
            let is_held = is_held(alert, &firing, &silences, now);
            let told = told.get(&alert.id).map_or(&[][..], Vec::as_slice);
            let receivers = self.receivers.iter();
            messages.extend(receivers.filter_map(|to| to.due(alert, is_held, told, now)));
        }
        if messages.is_empty() {
            return 0;
        }
        self.outbox.add(messages, may_keep).await
    }

    /// Writes what is in memory only, alerts before messages about them; whether that left nothing.
    async fn catch_up(&self) -> bool {
        if self.alerting.has_unkept()
            && let Err(error) = self.alerting.keep_unkept().await
        {
            tracing::warn!(error = %error, "alert.still_in_memory_only");
            return false;
        }
        let kept_as = |id| self.alerting.kept_as(id);
        self.outbox.keep(kept_as).await.is_ok()
    }

    /// What waits for channels in memory only, because the store does not take it.
    pub fn waiting_in_memory(&self) -> Vec<Waiting> {
        self.outbox.waiting_in_memory()
    }

    fn is_ours(&self, alert: &Alert) -> bool {
        let instance = &alert.subject.instance;
        // Of an instance that nobody watches any more whoever closed it tells, where somebody was told that it opened.
        let is_nobodys = alert.resolved_by == Some(ResolvedBy::NotWatched);
        instance.is_empty() || is_nobodys || self.instances.contains(instance)
    }
}

/// Whether messages about an alert are held back.
fn is_held(alert: &Alert, firing: &[Firing<'_>], silences: &[Silence], now: Timestamp) -> bool {
    silenced_until(silences, alert.alert_type, &alert.subject, now).is_some()
        || is_swallowed(of_alert(alert), firing)
}

const fn of_alert(alert: &Alert) -> Firing<'_> {
    Firing {
        alert_type: alert.alert_type,
        subject: &alert.subject,
        severity: alert.told.severity,
    }
}

impl Receiver {
    /// The message that is due to this channel about an alert.
    fn due(
        &self,
        alert: &Alert,
        is_held: bool,
        told: &[&KeptMessage],
        now: Timestamp,
    ) -> Option<NewMessage> {
        if !self.channel.takes_messages() {
            return None;
        }
        let told: Vec<PastMessage> = told
            .iter()
            .filter(|kept| kept.message.channel == self.channel.name())
            .filter_map(|kept| {
                Some(PastMessage {
                    event: event(&kept.message.event)?,
                    severity: kept.message.severity,
                    at: kept.message.created_at,
                })
            })
            .collect();
        let about = due::Alert {
            subject: &alert.subject,
            severity: alert.told.severity,
            is_over: alert.resolved_at.is_some(),
            is_held,
        };
        let (event, is_wanted) = due(&self.wanted, about, &told, now)?;
        let before = told.iter().filter(|told| told.event == event).count();
        let number = i64::try_from(before).unwrap_or(i64::MAX - 1) + 1;
        let previous = told.iter().map(|told| told.severity).max();
        let message = compose(alert, event, number, previous, now);
        Some(NewMessage {
            channel: self.channel.name().to_owned(),
            alert_id: alert.id,
            event: event.as_str().to_owned(),
            number,
            instance: alert.subject.instance.clone(),
            severity: alert.told.severity,
            // numbers and texts: cannot fail
            message: serde_json::to_string(&message).unwrap_or_default(),
            created_at: now,
            is_wanted,
            sent_at: None,
        })
    }
}

fn event(text: &str) -> Option<Event> {
    let all = [
        Event::Opened,
        Event::Escalated,
        Event::Reminder,
        Event::Resolved,
    ];
    all.into_iter().find(|event| event.as_str() == text)
}
