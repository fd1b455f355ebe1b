//! The looks that the store keeps: read into memory, and written from it.

use jiff::Timestamp;
use plimsoll_core::disk::kept::{Look, Reader, Row, Step};
use plimsoll_core::disk::memory::{Kept, LastLook};
use plimsoll_store::{CLOCK_SKEW, DiskLook, DiskRange, Store, StoreError};

use super::{InstanceDisk, State};

/// The name under which the store keeps the last look.
const LAST: &str = "last";
/// The name under which it keeps the forecast.
pub(super) const FORESEEN: &str = "forecast";

impl InstanceDisk {
    /// Reads what is kept and not in memory yet: all of it at first, then what another process wrote.
    pub(super) async fn load(&self, store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
        // What may not be kept stays in memory until what is kept can be read in its place.
        let (is_unkept, is_first, known) = {
            let state = self.state();
            let known = state.memory.looked_at().filter(|_| !state.is_unkept);
            (state.is_unkept, !state.is_loaded, known)
        };
        let instance = &*self.watched.instance;
        // What lies further ahead was written before a clock was set back.
        let until = (now + CLOCK_SKEW).as_second();
        let since = known.map_or(i64::MIN, |at| at.as_second() + 1);
        let range = |step| DiskRange { step, since, until };
        let minutes = store.disk_rows(instance, range(Step::Minute)).await?;
        if minutes.is_empty() && !is_first && !is_unkept {
            return Ok(());
        }
        // A row may say what changed against one that is known already.
        let minutes = match minutes.first() {
            Some(first) => with_period(store, instance, minutes.clone(), first.tick).await?,
            None => minutes,
        };
        let hours = looks(store, instance, Step::Hour, now).await?;
        let days = looks(store, instance, Step::Day, now).await?;
        let last = last_look(store, instance).await?;
        let foreseen = store.disk_state(instance, FORESEEN).await?;
        let kept = Kept {
            minutes: Reader::looks(&minutes),
            hours,
            day: days.into_iter().next_back(),
            last,
        };
        let mut state = self.state();
        if is_unkept {
            *state = State::default();
        }
        state.memory.recall(kept);
        state.is_loaded = true;
        state.foreseen = foreseen.and_then(|(_, text)| serde_json::from_str(&text).ok());
        Ok(())
    }
}

impl State {
    /// What the store is to keep of the last look.
    pub(super) fn keep(
        &mut self,
        last: &LastLook,
        daily_samples: usize,
        now: Timestamp,
    ) -> DiskLook {
        DiskLook {
            at: now,
            rows: self.memory.rows(),
            kept_since: Step::ALL.map(|step| (step, step.kept_since(now, daily_samples))),
            states: vec![(LAST.to_owned(), json(last))],
        }
    }
}

/// What is kept of an instance's last look only; none where there was none.
///
/// # Errors
/// When the store cannot be read.
pub async fn last_look(store: &dyn Store, instance: &str) -> Result<Option<LastLook>, StoreError> {
    let last = store.disk_state(instance, LAST).await?;
    Ok(last.and_then(|(_, text)| serde_json::from_str(&text).ok()))
}

/// All looks of a step.
pub(super) async fn looks(
    store: &dyn Store,
    instance: &str,
    step: Step,
    now: Timestamp,
) -> Result<Vec<Look>, StoreError> {
    let range = DiskRange {
        until: (now + CLOCK_SKEW).as_second(),
        ..DiskRange::all(step)
    };
    let rows = store.disk_rows(instance, range).await?;
    Ok(Reader::looks(&rows))
}

/// The rows, preceded by the earlier ones of the same period.
async fn with_period(
    store: &dyn Store,
    instance: &str,
    rows: Vec<Row>,
    first: i64,
) -> Result<Vec<Row>, StoreError> {
    let step = Step::Minute;
    let range = DiskRange {
        step,
        since: step.period_of(first),
        until: first - 1,
    };
    let mut all = store.disk_rows(instance, range).await?;
    all.extend(rows);
    Ok(all)
}

/// The last look up to a time, of the finest step that has one near it; else the first one after it.
pub(super) async fn look_at(
    store: &dyn Store,
    instance: &str,
    at: Timestamp,
) -> Result<Option<Look>, StoreError> {
    let mut first: Option<Look> = None;
    for step in Step::ALL {
        let range = DiskRange {
            step,
            since: step.period_of(at.as_second()),
            until: step.period_of(at.as_second()) + step.period(),
        };
        let looks = Reader::looks(&store.disk_rows(instance, range).await?);
        let before = looks.iter().rev().find(|look| look.at <= at);
        if let Some(look) = before {
            return Ok(Some(look.clone()));
        }
        // The history begins later: its first look is what there is.
        first = first.or_else(|| looks.into_iter().next());
    }
    Ok(first)
}

fn json(last: &LastLook) -> String {
    // texts and numbers: cannot fail
    serde_json::to_string(last).unwrap_or_default()
}
