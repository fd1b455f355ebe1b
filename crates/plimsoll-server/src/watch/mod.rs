//! Which databases are watched, and the latest snapshot of each.

mod database;
mod last_good;
mod look;
mod record;
mod select;
mod stamps;
mod unwritten;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use plimsoll_core::instance::DatabaseTotal;
use plimsoll_postgres::{Lending, Target, VisitError};
use plimsoll_store::{DatabaseKey, Store, StoreError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::disk::{InstanceDisk, Shares};
use crate::followers::Followers;
use crate::news::{NewPulse, News};
use crate::panics::Panicked;
use crate::settings::{Databases, Settings, Watched};

pub use database::{Failure, VisitState, WatchedDatabase, fresh_for};
pub use last_good::fill_last_good;
pub use look::Look;
pub use record::{log_recorded, record, record_on_request};
pub use select::SelectError;
pub use stamps::Stamp;

/// Every watched server, with the means to visit it.
///
/// **Invariant:** at most one visit to a database is under way, however many ask.
pub struct Watch {
    instances: Vec<WatchedInstance>,
    parts: Arc<Parts>,
}

/// What every visit needs.
pub(crate) struct Parts {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) waiting: look::Waiting,
    pub(crate) stamps: stamps::Stamps,
    unwritten: unwritten::Unwritten,
    /// Told of each sample that is kept, and of each pulse.
    pub(crate) followers: Arc<Followers>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// One watched server and those of its databases that are known by now.
pub struct WatchedInstance {
    /// What the settings say about it.
    pub settings: Watched,
    databases: RwLock<BTreeMap<String, Arc<WatchedDatabase>>>,
    /// Whether a visit has told since the start which databases there are.
    has_learned: AtomicBool,
    disk: Arc<InstanceDisk>,
    /// The one visit that its server may have at a time.
    own_visit: Arc<Semaphore>,
}

/// Why there is no snapshot.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WatchError {
    /// The visit failed.
    #[error(transparent)]
    Visit(#[from] VisitError),
    /// The snapshot could not be kept, or what is kept could not be read.
    #[error("the store: {0}")]
    Store(Arc<StoreError>),
    /// A mistake of ours.
    #[error("the visit failed by {0}")]
    Panicked(Panicked),
    /// The server is being shut down.
    #[error("Plimsoll is shutting down; ask again when it is up")]
    Stopping,
}

impl WatchError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Visit(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Panicked(_) => "internal",
            Self::Stopping => "shutting_down",
        }
    }
}

impl From<StoreError> for WatchError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl Watch {
    /// Knows the databases that the settings name; the others are found by visiting.
    pub fn new(
        settings: &Settings,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        followers: Arc<Followers>,
        tasks: TaskTracker,
        stop: CancellationToken,
    ) -> Self {
        let parts = Arc::new(Parts {
            clock,
            store,
            waiting: look::Waiting::default(),
            stamps: stamps::Stamps::default(),
            unwritten: unwritten::Unwritten::default(),
            followers,
            tasks,
            stop,
        });
        // Several entries may watch one server.
        let mut servers: BTreeMap<String, Arc<Semaphore>> = BTreeMap::new();
        let shares = Shares::of(&settings.instances);
        let instances = settings
            .instances
            .iter()
            .map(|watched| {
                let server = servers
                    .entry(watched.url.host_text())
                    .or_insert_with(|| Arc::new(Semaphore::new(1)));
                WatchedInstance::new(watched.clone(), Arc::clone(server), shares.clone())
            })
            .collect();
        Self { instances, parts }
    }

    /// Remembers which databases the aliases led to that poolers have for them.
    pub async fn remember_identities(&self) -> Result<(), StoreError> {
        for (alias, database) in self.store().aliases().await? {
            for watched in self.databases() {
                if *watched.asked() == alias {
                    watched.identify(&database);
                }
            }
        }
        Ok(())
    }

    /// The watched servers.
    pub fn instances(&self) -> &[WatchedInstance] {
        &self.instances
    }

    /// The clock that visits are dated by.
    pub fn clock(&self) -> &dyn Clock {
        &*self.parts.clock
    }

    /// Where the history is kept.
    pub fn store(&self) -> &dyn Store {
        &*self.parts.store
    }

    /// Begins whatever follows from a pulse.
    pub fn announce(&self, pulse: NewPulse) {
        self.parts.followers.announce(&News::Pulse(pulse));
    }

    /// Every watched database that is known by now, by instance and name.
    pub fn databases(&self) -> Vec<Arc<WatchedDatabase>> {
        self.instances
            .iter()
            .flat_map(WatchedInstance::databases)
            .collect()
    }

    /// A new snapshot, or that of the visit that is under way.
    pub async fn visit(
        &self,
        database: &Arc<WatchedDatabase>,
    ) -> Result<Arc<plimsoll_core::snapshot::Snapshot>, WatchError> {
        let snapshot = database.visit_now(&self.parts).await?;
        self.learn(database, &snapshot);
        Ok(snapshot)
    }

    /// A snapshot of a visit that began at `since` or later, or after this was asked.
    pub async fn snapshot_since(
        &self,
        database: &Arc<WatchedDatabase>,
        since: jiff::Timestamp,
    ) -> Result<Arc<plimsoll_core::snapshot::Snapshot>, WatchError> {
        let snapshot = database.since(&self.parts, since).await?;
        self.learn(database, &snapshot);
        Ok(snapshot)
    }

    /// Every visit sees which databases its server has, and where an alias leads: no other statement is needed to
    /// find them.
    fn learn(&self, database: &WatchedDatabase, snapshot: &plimsoll_core::snapshot::Snapshot) {
        let instance = self
            .instances
            .iter()
            .find(|i| *i.settings.instance == *snapshot.instance);
        if let Some(instance) = instance {
            if *snapshot.database != *database.key().database {
                instance.renew(database.asked(), &snapshot.database);
            }
            instance.learn(snapshot.facts.databases.each());
        }
    }
}

impl WatchedInstance {
    fn new(mut settings: Watched, own_visit: Arc<Semaphore>, shares: Shares) -> Self {
        // Pulses and visits of one instance make do with one connection where they must.
        settings.visit.lending = Lending::default();
        let disk = InstanceDisk::new(&settings, settings.visit.lending.clone(), shares);
        let instance = Self {
            databases: RwLock::default(),
            has_learned: AtomicBool::new(false),
            disk: Arc::new(disk),
            own_visit,
            settings,
        };
        let names = match &instance.settings.databases {
            Databases::OfUrl | Databases::All => vec![instance.settings.database_of_url()],
            Databases::Listed(names) => names
                .iter()
                .filter(|name| !instance.settings.exclude.contains(*name))
                .cloned()
                .collect(),
        };
        let databases = names
            .into_iter()
            .map(|name| (name.clone(), instance.watched(&name, &name)))
            .collect();
        Self {
            databases: RwLock::new(databases),
            ..instance
        }
    }

    /// Those of its databases that are known by now, by name.
    pub fn databases(&self) -> Vec<Arc<WatchedDatabase>> {
        let databases = self
            .databases
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        databases.values().cloned().collect()
    }

    /// Whether these are all of its databases that are watched: where all are, the server must have told since the start.
    pub fn knows_databases(&self) -> bool {
        self.settings.databases != Databases::All || self.has_learned.load(Ordering::Relaxed)
    }

    /// What is known of its volumes.
    pub const fn disk(&self) -> &Arc<InstanceDisk> {
        &self.disk
    }

    /// The database to ask for what concerns the whole server: the URL's if it is watched.
    pub fn any_database(&self) -> Option<Arc<WatchedDatabase>> {
        let databases = self
            .databases
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        databases
            .get(&self.settings.database_of_url())
            .or_else(|| databases.values().next())
            .cloned()
    }

    /// A database by its name as it is shown, and as it is asked for.
    fn watched(&self, name: &str, connect_name: &str) -> Arc<WatchedDatabase> {
        let key = DatabaseKey {
            instance: self.settings.instance.to_string(),
            database: name.to_owned(),
        };
        let target = Target {
            instance: Arc::clone(&self.settings.instance),
            url: self.settings.url.with_database(connect_name),
        };
        let own_visit = Arc::clone(&self.own_visit);
        Arc::new(WatchedDatabase::new(key, target, &self.settings, own_visit))
    }

    /// An alias leads to another database than it did: what is known of that one is not known of this one.
    fn renew(&self, asked: &DatabaseKey, database: &str) {
        let mut databases = self
            .databases
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(watched) = databases.get_mut(&asked.database) {
            let renewed = self.watched(&asked.database, &asked.database);
            renewed.identify(database);
            *watched = renewed;
        }
    }

    /// Takes up new databases and lets go of dropped ones, where all are watched.
    fn learn(&self, seen: &[DatabaseTotal]) {
        if self.settings.databases != Databases::All || seen.is_empty() {
            return;
        }
        let wanted: Vec<(&str, &str)> = seen
            .iter()
            .filter(|db| db.allows_connections && !db.is_template)
            .map(|db| (db.name.as_str(), db.connect_name.as_str()))
            .filter(|(name, _)| !self.settings.exclude.contains(*name))
            .collect();
        if wanted.is_empty() {
            return;
        }
        let mut databases = self
            .databases
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        databases.retain(|name, database| {
            // behind a pooler it may be asked for by an alias
            let own = &database.key().database;
            let stays = wanted.iter().any(|(wanted, _)| wanted == name || wanted == own);
            if !stays {
                tracing::info!(instance = %self.settings.instance, database = %name, "storage.database.gone");
            }
            stays
        });
        for (name, connect_name) in wanted {
            let is_known = databases
                .iter()
                .any(|(asked, database)| asked == name || database.key().database == name);
            if !is_known {
                tracing::info!(instance = %self.settings.instance, database = %name, "storage.database.found");
                databases.insert(name.to_owned(), self.watched(name, connect_name));
            }
        }
        self.has_learned.store(true, Ordering::Relaxed);
    }
}
