//! Who lies on which volume, as of each instance's last look: of the instances that are watched here, and of those that
//! another process watches on the same store.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::alert::Subject;
use plimsoll_core::disk::memory::{Kept, Memory};
use plimsoll_core::disk::state::Volume;
use plimsoll_store::StoreError;

use super::Alerting;
use crate::disk::last_look;
use crate::news::NewPulse;

/// An instance at which nobody has looked for so long lies nowhere: it is not watched any more.
pub(super) const UNWATCHED_AFTER: SignedDuration = SignedDuration::from_hours(2);
/// What another process sees is read so often.
const READ_EVERY: Duration = Duration::from_mins(15);

/// An instance, with the volumes that it lies on.
#[derive(Debug, Clone)]
pub(super) struct Lodger {
    pub(super) instance: String,
    /// When it was looked at last.
    looked_at: Timestamp,
    /// The volumes, with what of it lies there.
    volumes: Vec<(Subject, Vec<String>)>,
}

/// What is known of instances by now.
#[derive(Debug, Default)]
pub(super) struct Lodgers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_instance: HashMap<String, Lodger>,
    /// When the store was asked last, by the clock that nobody sets.
    read: Option<Duration>,
}

impl Lodgers {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes what a look at an instance saw.
    pub(super) fn note(&self, pulse: &NewPulse) {
        let lodger = Lodger::of(&pulse.instance, pulse.at, &pulse.disk.volumes);
        let mut known = self.known();
        known.by_instance.insert(pulse.instance.to_string(), lodger);
    }

    /// Takes what is kept, where nothing newer is known.
    fn take(&self, kept: Vec<Lodger>, uptime: Duration) {
        let mut known = self.known();
        known.read = Some(uptime);
        for lodger in kept {
            let own = known.by_instance.get(&lodger.instance);
            if own.is_none_or(|own| own.looked_at < lodger.looked_at) {
                known.by_instance.insert(lodger.instance.clone(), lodger);
            }
        }
    }
}

impl Lodger {
    fn of(instance: &str, looked_at: Timestamp, volumes: &[Volume]) -> Self {
        let lies = |volume: &Volume| {
            let subject = Subject::volume_of(instance, volume);
            (subject, volume.places.clone())
        };
        Self {
            instance: instance.to_owned(),
            looked_at,
            volumes: volumes.iter().map(lies).collect(),
        }
    }

    /// What of it lies on a volume; none where nothing does.
    pub(super) fn places_on(&self, volume: &Subject) -> Option<&[String]> {
        let mut volumes = self.volumes.iter();
        let found = volumes.find(|(subject, _)| subject == volume);
        found.map(|(_, places)| places.as_slice())
    }
}

impl Alerting {
    /// The instances that were looked at lately, by name, as far as that can be read.
    pub(super) async fn lodgers(&self, now: Timestamp) -> Vec<Lodger> {
        let uptime = self.clock.uptime();
        let read = self.lodgers.known().read;
        if read.is_none_or(|read| uptime.saturating_sub(read) >= READ_EVERY) {
            match self.kept_lodgers().await {
                Ok(kept) => self.lodgers.take(kept, uptime),
                Err(error) => tracing::warn!(error = %error, "alert.neighbours_not_read"),
            }
        }
        let since = now
            .saturating_sub(UNWATCHED_AFTER)
            .unwrap_or(Timestamp::MIN);
        let known = self.lodgers.known();
        let recent = known
            .by_instance
            .values()
            .filter(|it| it.looked_at >= since);
        let mut lodgers: Vec<Lodger> = recent.cloned().collect();
        lodgers.sort_by(|a, b| a.instance.cmp(&b.instance));
        lodgers
    }

    /// Every instance at which somebody looked, as of the last look that is kept.
    async fn kept_lodgers(&self) -> Result<Vec<Lodger>, StoreError> {
        let mut kept = Vec::new();
        for instance in self.store.disk_instances().await? {
            let Some(last) = last_look(&*self.store, &instance).await? else {
                continue;
            };
            let looked_at = last.at;
            let mut memory = Memory::default();
            memory.recall(Kept {
                last: Some(last),
                ..Kept::default()
            });
            let volumes = memory.disk(None, looked_at).volumes;
            kept.push(Lodger::of(&instance, looked_at, &volumes));
        }
        Ok(kept)
    }
}
