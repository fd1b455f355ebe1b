//! What tells one state of a database's history from another, known without asking the store each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use plimsoll_store::{DatabaseKey, PartQuery, SampleQuery, StoreError};

use super::Watch;

/// What was read so long ago may have been changed by another process since.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// A state of a database's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// The newest sample: its id, and when it was taken.
    pub latest: Option<(i64, Timestamp)>,
    /// How many samples there are.
    pub samples: u64,
    /// The forecasts that are kept: of which sample, and when they were made.
    pub forecasts: Option<(i64, Timestamp)>,
}

/// The stamps that were read, each with when that was.
#[derive(Default)]
pub(crate) struct Stamps(Mutex<HashMap<DatabaseKey, (Timestamp, Stamp)>>);

impl Stamps {
    /// Lets the next who asks read it anew: something was written.
    pub(crate) fn forget(&self, of: &DatabaseKey) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(of);
    }
}

impl Watch {
    /// What tells the present state of a database's history from every other: at most a second old for
    /// what another process writes.
    pub async fn stamp(&self, of: &DatabaseKey) -> Result<Stamp, StoreError> {
        let now = self.clock().now();
        let stamps = &self.parts.stamps.0;
        let lock = || stamps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read_at, stamp)) = lock().get(of).copied()
            && now.duration_since(read_at).abs() < LOOK_AGAIN
        {
            return Ok(stamp);
        }
        let newest = SampleQuery::newest(of.clone());
        let page = self.store().samples(&newest).await?;
        let kept = self
            .store()
            .kept_forecast(of, &PartQuery::default())
            .await?;
        let latest = page.samples.first();
        let stamp = Stamp {
            latest: latest.map(|sample| (sample.id, sample.sampled_at)),
            samples: page.total,
            forecasts: kept.map(|kept| (kept.header.sample_id, kept.header.computed_at)),
        };
        lock().insert(of.clone(), (now, stamp));
        Ok(stamp)
    }
}
