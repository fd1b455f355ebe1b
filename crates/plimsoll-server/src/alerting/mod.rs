//! Evaluates the rules of alerts: after each sample those about a database's sizes, after each pulse those about volumes,
//! WAL and how old samples are. Keeps where each stands, and the episodes.
//!
//! **Invariant:** nothing here judges: the core's rules do. Nothing here sends: what changed is kept with its text; in
//! memory while the store cannot be written.

mod cleanup;
mod closing;
mod contributors;
mod database;
mod facts;
mod history;
mod lodgers;
mod part;
mod pulse;
mod replay;
mod resolve;
mod settle;
pub mod silences;
mod staleness;
mod tables;
mod told;
mod unkept;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use plimsoll_core::alert::Subject;
use plimsoll_core::alert::advice::Named;
use plimsoll_core::alert::settings::Settings as Rules;
use plimsoll_store::{DatabaseKey, Store};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::forecasting::Forecasts;
use crate::settings::{Databases, Settings};
use lodgers::Lodgers;
pub use replay::{Replay, ReplayedChange, replay};
use staleness::Sighting;
use unkept::Unkept;

/// Ended episodes are kept so long, the last of each database longer; and what was told of them.
pub(crate) const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Evaluates rules.
pub struct Alerting {
    store: Arc<dyn Store>,
    forecasts: Arc<Forecasts>,
    clock: Arc<dyn Clock>,
    settings: Arc<Rules>,
    /// The instances that are watched here, by name,
    instances: Vec<String>,
    /// and those of which several databases are.
    of_several: HashSet<String>,
    /// How large databases may be, as far as the configuration says.
    limits: HashMap<DatabaseKey, u64>,
    /// When it began, by the clock that nobody sets.
    started: Duration,
    sightings: Mutex<HashMap<DatabaseKey, Sighting>>,
    /// When rules were evaluated last.
    evaluated: Mutex<Option<Duration>>,
    lodgers: Lodgers,
    /// In how many looks in a row a volume was not seen.
    missed: Mutex<HashMap<Subject, u32>>,
    /// When instances that nobody watches any more were looked for last.
    sought: Mutex<Option<Duration>>,
    /// What the store does not have yet.
    unkept: Unkept,
    /// Held while that is written.
    keeping: tokio::sync::Mutex<()>,
    /// Told when there is something to tell.
    changed: Notify,
}

/// Rules that were not evaluated for three pulses are not evaluated.
const STOPPED_AFTER: Duration = Duration::from_mins(3);

impl Alerting {
    /// By these settings, of the histories in `store`.
    pub fn new(
        store: Arc<dyn Store>,
        forecasts: Arc<Forecasts>,
        clock: Arc<dyn Clock>,
        settings: &Settings,
    ) -> Self {
        let instances = settings.instances.iter();
        let several = instances.clone().filter(|it| match &it.databases {
            Databases::OfUrl => false,
            Databases::Listed(names) => names.len() > 1,
            Databases::All => true,
        });
        Self {
            started: clock.uptime(),
            store,
            forecasts,
            clock,
            settings: Arc::clone(&settings.alerts),
            instances: instances.map(|it| it.instance.to_string()).collect(),
            of_several: several.map(|it| it.instance.to_string()).collect(),
            limits: settings.database_limits(),
            sightings: Mutex::default(),
            evaluated: Mutex::default(),
            lodgers: Lodgers::default(),
            missed: Mutex::default(),
            sought: Mutex::default(),
            unkept: Unkept::default(),
            keeping: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// What a command about a subject must name, seen from an instance.
    fn named<'a>(&self, instance: &'a str, subject: &'a Subject) -> Named<'a> {
        let is_one_of_several = self.of_several.contains(instance);
        Named {
            instance: Some(instance).filter(|_| self.instances.len() > 1),
            database: subject.database.as_deref().filter(|_| is_one_of_several),
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

    /// Returns once something opened, became worse or ended.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    fn has_evaluated(&self) {
        let now = self.clock.uptime();
        let mut last = self
            .evaluated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = Some(now);
    }

    fn missed(&self) -> MutexGuard<'_, HashMap<Subject, u32>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sought(&self) -> MutexGuard<'_, Option<Duration>> {
        self.sought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sightings(&self) -> MutexGuard<'_, HashMap<DatabaseKey, Sighting>> {
        self.sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
