//! The rules about volumes and WAL, evaluated on a pulse.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::alert::contributors::{Contributor, Part, contributors};
use plimsoll_core::alert::evaluate::Facts;
use plimsoll_core::alert::facts::{fullness, pace, volume_reaches};
use plimsoll_core::alert::rules::wal::Around;
use plimsoll_core::alert::{AlertType, Reading, Subject};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::state::{Retained, Volume, Wal};
use plimsoll_core::disk::volume::text;
use plimsoll_core::disk::wal::HolderKind;
use plimsoll_store::{KeptState, StoreError};

use super::Alerting;
use super::settle::{Beside, Settled, Telling};
use super::told::full_text;
use crate::news::NewPulse;

/// Instances that share a volume look at it in the same minute: one look a minute is judged.
const SAME_LOOK_SECONDS: i64 = 30;

impl Alerting {
    /// Evaluates the rules about an instance's volumes, its WAL, and how old its samples are.
    pub async fn after_pulse(&self, pulse: &NewPulse) -> Result<(), StoreError> {
        self.lodgers.note(pulse);
        self.note_look(pulse.not_kept.as_deref());
        self.keep_unkept_if_any().await;
        let shared = self.states("").await?;
        let own = self.states(&pulse.instance).await?;
        for volume in &pulse.disk.volumes {
            let subject = Subject::volume_of(&pulse.instance, volume);
            let states = if subject.instance.is_empty() {
                &shared
            } else {
                &own
            };
            self.volume(states, &subject, volume, pulse).await?;
        }
        if pulse.disk.unreachable.is_none() {
            self.wal(&own, pulse).await?;
        }
        self.staleness(&own, pulse).await?;
        self.cleanup(&own, pulse).await?;
        self.history(&shared, pulse).await?;
        // What cannot be closed now fires a minute longer, and holds up nothing.
        if let Err(error) = self.close_unjudged(&own, &shared, pulse).await {
            tracing::warn!(instance = &*pulse.instance, error = %error, "alert.not_closed");
        }
        self.has_evaluated();
        Ok(())
    }

    async fn volume(
        &self,
        states: &[KeptState],
        subject: &Subject,
        volume: &Volume,
        pulse: &NewPulse,
    ) -> Result<(), StoreError> {
        let reaches = volume_reaches(volume, pulse.at);
        let pace = pace(volume, pulse.at);
        let all = [
            (AlertType::VolumeFull, Facts::Fullness(fullness(volume))),
            (
                AlertType::FillingFast,
                Facts::Pace(pace.as_ref().copied().map_err(String::as_str)),
            ),
            (
                AlertType::TimeToFull,
                Facts::Reaches(reaches.as_ref().copied().map_err(String::as_str)),
            ),
        ];
        for (alert_type, facts) in all {
            let judged_at = judged_at(states, alert_type, subject);
            // A forecast is judged once, however often it is looked at.
            let is_known = match alert_type {
                AlertType::TimeToFull => judged_at >= pulse.foreseen_at,
                _ => is_one_look(judged_at, pulse.at),
            };
            if is_known {
                continue;
            }
            let settled = Settled {
                alert_type,
                subject,
                facts,
                now: pulse.at,
                instance: &pulse.instance,
            };
            let telling = OfVolume {
                alerting: self,
                subject,
                volume,
                pulse,
            };
            self.settle(states, settled, &telling).await?;
        }
        Ok(())
    }

    /// What of each instance lies on a volume, for people.
    async fn places_on(
        &self,
        subject: &Subject,
        volume: &Volume,
        pulse: &NewPulse,
    ) -> Option<String> {
        let lodgers = self.lodgers(pulse.at).await;
        let mut on: Vec<String> = lodgers
            .iter()
            .filter_map(|lodger| Some((lodger, lodger.places_on(subject)?)))
            .map(|(lodger, places)| format!("{} of {}", places.join(", "), lodger.instance))
            .collect();
        if on.is_empty() && !volume.places.is_empty() {
            on.push(format!(
                "{} of {}",
                volume.places.join(", "),
                pulse.instance
            ));
        }
        let mounted = volume
            .name
            .as_ref()
            .map_or_else(String::new, |name| format!(" (mounted at {name})"));
        (!on.is_empty()).then(|| format!("On it{mounted}: {}.", on.join("; ")))
    }

    /// Judges whoever holds WAL, and those of whom an alert is known and who hold none any more.
    async fn wal(&self, own: &[KeptState], pulse: &NewPulse) -> Result<(), StoreError> {
        let Wal {
            bytes_per_hour,
            retained_by,
            sees_all_holders,
            max_wal_bytes,
            ..
        } = &pulse.disk.wal;
        let wal = Place::Wal.to_string();
        let volume = pulse
            .disk
            .volumes
            .iter()
            .find(|volume| volume.places.contains(&wal));
        let around = Around {
            capacity_bytes: volume.and_then(|volume| volume.capacity_bytes),
            max_wal_bytes: *max_wal_bytes,
            bytes_per_hour: *bytes_per_hour,
        };
        let mut held = Vec::new();
        for retained in retained_by {
            let Some(name) = holder_name(&retained.holder.what) else {
                continue;
            };
            let subject = Subject::instance(&pulse.instance).named(&name);
            let settled = Settled {
                alert_type: AlertType::WalRetention,
                subject: &subject,
                facts: Facts::Holder(&retained.holder, around),
                now: pulse.at,
                instance: &pulse.instance,
            };
            let telling = || told_of_holder(retained);
            self.settle(own, settled, &telling).await?;
            held.push(name);
        }
        if !sees_all_holders {
            return Ok(());
        }
        let gone = own.iter().filter(|state| {
            let name = state.subject.name.as_ref();
            state.alert_type == AlertType::WalRetention
                && state.alert_id.is_some()
                && name.is_some_and(|name| !held.contains(name))
        });
        for state in gone {
            let settled = Settled {
                alert_type: AlertType::WalRetention,
                subject: &state.subject,
                facts: Facts::HolderGone,
                now: pulse.at,
                instance: &pulse.instance,
            };
            self.settle(own, settled, &Beside::default).await?;
        }
        Ok(())
    }
}

/// When a rule judged a subject last.
pub(super) fn judged_at(
    states: &[KeptState],
    alert_type: AlertType,
    subject: &Subject,
) -> Option<Timestamp> {
    let mut states = states.iter();
    let state = states.find(|it| it.alert_type == alert_type && it.subject == *subject);
    state?.standing.state.evaluated_at
}

/// Whether what was judged then was judged by the look of another instance.
pub(super) fn is_one_look(judged_at: Option<Timestamp>, now: Timestamp) -> bool {
    let seconds = judged_at.map(|at| now.duration_since(at).as_secs());
    seconds.is_some_and(|seconds| (0..SAME_LOOK_SECONDS).contains(&seconds))
}

/// What a volume's alert tells beside its numbers.
struct OfVolume<'a> {
    alerting: &'a Alerting,
    subject: &'a Subject,
    volume: &'a Volume,
    pulse: &'a NewPulse,
}

#[async_trait]
impl Telling for OfVolume<'_> {
    async fn tell(&self, _: AlertType, _: &Reading) -> Result<Beside, StoreError> {
        let on = self
            .alerting
            .places_on(self.subject, self.volume, self.pulse);
        Ok(told_of(self.volume, on.await))
    }
}

fn told_of(volume: &Volume, on: Option<String>) -> Beside {
    let shares = volume.why.iter().map(|cause| Contributor {
        part: Part::OfVolume,
        schema_name: None,
        table_name: None,
        name: Some(text(cause.part, cause.name.as_deref())),
        bytes: cause.change_bytes,
    });
    let change = volume
        .why
        .iter()
        .fold(0_i64, |sum, cause| sum.saturating_add(cause.change_bytes));
    let mut events: Vec<String> = on.into_iter().collect();
    events.extend(volume.help.first().map(|help| {
        let command = help
            .command
            .as_ref()
            .map_or_else(String::new, |command| format!(": {command}"));
        format!("What would help most: {}{command}", help.text)
    }));
    Beside {
        contributors: contributors(shares.collect(), change),
        counted_since: volume.since,
        events,
        forecast: volume
            .full
            .forecast
            .and_then(|dates| full_text(dates.low, dates.mid, dates.high)),
    }
}

fn told_of_holder(retained: &Retained) -> Beside {
    let mut events = vec![format!("It is {}.", retained.text)];
    if let Some(by) = &retained.ends_by {
        let at = retained.ends_at.map_or_else(String::new, |at| {
            format!(", at the present rate on {at:.0}")
        });
        events.push(format!("{by} ends it{at}."));
    }
    Beside {
        events,
        ..Beside::default()
    }
}

/// What tells a holder from others of its instance; none for those that nobody can mend.
fn holder_name(what: &HolderKind) -> Option<String> {
    match what {
        HolderKind::Slot(slot) => Some(format!("slot {}", slot.name)),
        HolderKind::Archiving(_) => Some("archiving".to_owned()),
        HolderKind::WalKeepSize => Some("wal_keep_size".to_owned()),
        HolderKind::Checkpoint | HolderKind::Replay(_) | HolderKind::Summaries => None,
    }
}
