//! Evaluates the rules of alerts: after each sample those about a database's sizes, after each pulse those about volumes,
//! WAL and how old samples are. Keeps where each stands, and the episodes.
//!
//! **Invariant:** nothing here judges: the core's rules do. Nothing here sends: what changed is kept with its text.

mod contributors;
mod database;
mod facts;
mod pulse;
mod replay;
mod resolve;
mod settle;
pub mod silences;
mod staleness;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use plimsoll_core::alert::settings::Settings;
use plimsoll_store::{DatabaseKey, Store};

use crate::clock::Clock;
use crate::forecasting::Forecasts;
pub use replay::{Replay, ReplayedChange, replay};
use staleness::Sighting;

/// Ended episodes are kept so long, the last of each database longer; and what was told of them.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Evaluates rules.
pub struct Alerting {
    store: Arc<dyn Store>,
    forecasts: Arc<Forecasts>,
    clock: Arc<dyn Clock>,
    settings: Arc<Settings>,
    /// How large databases may be, as far as the configuration says.
    limits: HashMap<DatabaseKey, u64>,
    /// When it began, by the clock that nobody sets.
    started: Duration,
    sightings: Mutex<HashMap<DatabaseKey, Sighting>>,
    /// When rules were evaluated last.
    evaluated: Mutex<Option<Duration>>,
}

/// Rules that were not evaluated for three pulses are not evaluated.
const STOPPED_AFTER: Duration = Duration::from_mins(3);

impl Alerting {
    /// By these settings and limits, of the histories in `store`.
    pub fn new(
        store: Arc<dyn Store>,
        forecasts: Arc<Forecasts>,
        clock: Arc<dyn Clock>,
        settings: Arc<Settings>,
        limits: HashMap<DatabaseKey, u64>,
    ) -> Self {
        Self {
            started: clock.uptime(),
            store,
            forecasts,
            clock,
            settings,
            limits,
            sightings: Mutex::default(),
            evaluated: Mutex::default(),
        }
    }

    /// Whether rules are evaluated: a pulse was judged within the last three minutes.
    pub fn is_evaluating(&self) -> bool {
        let last = *self
            .evaluated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| self.clock.uptime().saturating_sub(last) <= STOPPED_AFTER)
    }

    fn has_evaluated(&self) {
        let now = self.clock.uptime();
        let mut last = self
            .evaluated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(now);
    }

    fn sightings(&self) -> MutexGuard<'_, HashMap<DatabaseKey, Sighting>> {
        self.sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
