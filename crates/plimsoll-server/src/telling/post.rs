//! Sends what waits for a channel: an instance's first message at once, more within half a minute together; what fails is
//! tried again, later and later, and given up after three days.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::Severity;
use plimsoll_notify::{Channel, Message, SendError};
use plimsoll_store::{Fate, KeptMessage};

use super::{Receiver, Telling};

/// What an instance has to say within so long after a message goes into one.
const GATHERED: Duration = Duration::from_secs(30);
/// No more messages in an hour, but for critical ones.
const MOST_IN_AN_HOUR: usize = 20;
const HOUR: Duration = Duration::from_hours(1);
/// The first pause after a failure, which doubles up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);
/// What could not be sent for so long is given up.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(3 * 24);
/// Nobody else takes what is being sent, and is said to be so once in a while; what a killed process was sending is taken
/// after this.
const TAKEN_FOR: SignedDuration = SignedDuration::from_mins(1);
const SAID: Duration = Duration::from_secs(20);
/// A heartbeat stops when a message waits for so long.
const STUCK_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// How a channel's sending goes; by the clock that nobody sets.
#[derive(Debug, Default)]
pub(super) struct Sending {
    /// When something of an instance was sent last.
    last: HashMap<String, Duration>,
    /// When something was sent within the last hour.
    hour: VecDeque<Duration>,
    /// When all that fires was sent again.
    resent: Option<Duration>,
}

impl Telling {
    /// Sends what is due on a channel. What a receiver does not take is tried again.
    pub async fn send(&self, at: usize) {
        let Some(to) = self.receivers.get(at) else {
            return;
        };
        let now = self.clock.now();
        let waiting = self.outbox.waiting(to.channel.name()).await;
        let is_stuck = waiting
            .iter()
            .any(|kept| now.duration_since(kept.message.created_at) > STUCK_AFTER);
        let due = waiting.into_iter().filter(|kept| kept.next_try_at <= now);
        let mut batches: BTreeMap<String, Vec<KeptMessage>> = BTreeMap::new();
        for kept in due {
            let instance = kept.message.instance.clone();
            batches.entry(instance).or_default().push(kept);
        }
        for (instance, batch) in batches {
            let batch = to.may_go(&instance, batch, self.clock.uptime());
            let batch = self.take(batch).await;
            self.deliver(to, &instance, batch).await;
        }
        self.send_again(to, is_stuck).await;
    }

    /// Those of a batch that nobody else took meanwhile.
    async fn take(&self, batch: Vec<KeptMessage>) -> Vec<KeptMessage> {
        self.outbox.take(batch, self.clock.now() + TAKEN_FOR).await
    }

    async fn deliver(&self, to: &Receiver, instance: &str, mut batch: Vec<KeptMessage>) {
        if batch.is_empty() {
            return;
        }
        let told = messages(&batch);
        let sending = to.channel.send(&told, self.clock.now());
        tokio::pin!(sending);
        let sent = loop {
            tokio::select! {
                sent = &mut sending => break sent,
                () = tokio::time::sleep(SAID) => batch = self.take(batch).await,
            }
        };
        match sent {
            Err(error) if !error.retry_helps() && batch.len() > 1 => {
                // One of them may be what the receiver does not take.
                for kept in batch {
                    let one = messages(std::slice::from_ref(&kept));
                    let sent = to.channel.send(&one, self.clock.now()).await;
                    self.settle(to, instance, &[kept], sent).await;
                }
            }
            sent => self.settle(to, instance, &batch, sent).await,
        }
    }

    async fn settle(
        &self,
        to: &Receiver,
        instance: &str,
        batch: &[KeptMessage],
        sent: Result<(), SendError>,
    ) {
        let (now, channel) = (self.clock.now(), to.channel.name());
        let count = batch.len();
        match &sent {
            Ok(()) => {
                to.has_sent(instance, self.clock.uptime());
                tracing::info!(channel, count, "alert.told");
            }
            Err(error) => {
                tracing::warn!(channel, count, code = error.code.as_str(), error = %error, "alert.not_told");
            }
        }
        for kept in batch {
            let fate = match &sent {
                Ok(()) => Fate::Sent(now),
                Err(error) => after_failure(kept, error, now),
            };
            if let Fate::Ended { fate, .. } = &fate {
                tracing::error!(
                    channel,
                    alert_id = kept.message.alert_id,
                    fate,
                    "alert.given_up"
                );
            }
            self.outbox.settle(kept, fate).await;
        }
    }

    /// Sends all that fires again, where the receiver forgets it else, and says that we are alive: while rules are
    /// evaluated, messages go out, and the store takes what is measured.
    async fn send_again(&self, to: &Receiver, is_stuck: bool) {
        let is_due = to.is_resend_due(self.clock.uptime());
        if !is_due {
            return;
        }
        let channel = to.channel.name();
        if to.channel.resends() {
            let mut known = self.outbox.known(self.clock.now()).await;
            self.alerting.with_unkept(&mut known.alerts);
            let firing = known
                .alerts
                .iter()
                .filter(|alert| alert.resolved_at.is_none());
            let last = firing.filter_map(|alert| {
                let mut sent = known.told.iter().filter(|kept| {
                    kept.message.alert_id == alert.id
                        && kept.message.channel == channel
                        && kept.fate.as_deref() == Some("sent")
                });
                sent.next_back().cloned()
            });
            let again = messages(&last.collect::<Vec<_>>());
            if let Err(error) = to.channel.send(&again, self.clock.now()).await {
                tracing::warn!(channel, error = %error, "alert.not_sent_again");
            }
        }
        let is_kept = self.alerting.unwritten().is_none() && self.outbox.is_kept();
        let is_well = !is_stuck && is_kept && self.alerting.is_evaluating();
        if is_well
            && to.channel.beats()
            && let Err(error) = to.channel.beat(self.clock.now()).await
        {
            tracing::warn!(channel, error = %error, "alert.no_heartbeat");
        }
    }
}

impl Receiver {
    /// Those of an instance that may go now.
    fn may_go(
        &self,
        instance: &str,
        batch: Vec<KeptMessage>,
        uptime: Duration,
    ) -> Vec<KeptMessage> {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_gathering = sending
            .last
            .get(instance)
            .is_some_and(|last| uptime.saturating_sub(*last) < GATHERED);
        if is_gathering {
            return Vec::new();
        }
        sending
            .hour
            .retain(|sent| uptime.saturating_sub(*sent) < HOUR);
        let is_over = sending.hour.len() >= MOST_IN_AN_HOUR;
        let goes = |kept: &KeptMessage| !is_over || kept.message.severity == Severity::Critical;
        batch.into_iter().filter(goes).collect()
    }

    fn has_sent(&self, instance: &str, uptime: Duration) {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.last.insert(instance.to_owned(), uptime);
        sending.hour.push_back(uptime);
    }

    fn is_resend_due(&self, uptime: Duration) -> bool {
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = sending
            .resent
            .is_none_or(|last| uptime.saturating_sub(last) >= Channel::RESEND_EVERY);
        if is_due {
            sending.resent = Some(uptime);
        }
        is_due
    }
}

/// The messages as they were written; what another version wrote is left out.
fn messages(batch: &[KeptMessage]) -> Vec<Message> {
    let read = batch
        .iter()
        .map(|kept| serde_json::from_str(&kept.message.message));
    read.filter_map(Result::ok).collect()
}

fn after_failure(kept: &KeptMessage, error: &SendError, now: Timestamp) -> Fate {
    let text = error.to_string();
    if !error.retry_helps() {
        return Fate::Ended {
            at: now,
            fate: "rejected",
            error: text,
        };
    }
    if now.duration_since(kept.message.created_at) >= GIVEN_UP_AFTER {
        return Fate::Ended {
            at: now,
            fate: "given_up",
            error: text,
        };
    }
    let pause = pause(kept.tries).max(error.retry_after.unwrap_or_default());
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    Fate::Again {
        at: now.saturating_add(pause).unwrap_or(Timestamp::MAX),
        error: text,
    }
}

/// 5 s after the first failure, then twice as long each time, up to 15 minutes.
fn pause(tries: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(tries))
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_quarter_of_an_hour() {
        let pauses: Vec<u64> = (0..10).map(|tries| pause(tries).as_secs()).collect();
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
