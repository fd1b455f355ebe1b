//! The volumes of each watched server: looked at each minute, kept, and known without waiting for the server.

mod forecast;
mod history;
mod look;
mod neighbours;
mod tables;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use plimsoll_core::disk::kept::{Look, Step};
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::state::{Disk, Foreseen};
use plimsoll_postgres::{Lending, VisitError, Volumes};
use plimsoll_store::{Store, StoreError};

use crate::capacity::Capacities;
use crate::settings::Watched;

pub use history::last_look;
pub use look::LookReport;
pub use neighbours::Shares;
use tables::CachedText;

/// What is known of one instance's volumes, and the means to look at them.
///
/// **Invariant:** nobody holds the memory while a server is asked, so that who reads it never waits for one.
pub struct InstanceDisk {
    watched: Watched,
    lending: Lending,
    volumes: Volumes,
    capacities: Capacities,
    shares: Shares,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    /// Whether what is kept was read once.
    is_loaded: bool,
    /// Whether the memory has what may not have been kept: then it is read anew, since what is kept next is told
    /// against what is kept.
    is_unkept: bool,
    /// What the last full look took.
    full_took: std::time::Duration,
    /// When its volumes are full by what the history says.
    foreseen: Option<Foreseen>,
    /// What was told of databases' changes lately, by name, minute, and whether they grew.
    table_texts: BTreeMap<(String, i64, bool), CachedText>,
}

impl InstanceDisk {
    /// Knows nothing yet.
    pub fn new(watched: &Watched, lending: Lending, shares: Shares) -> Self {
        Self {
            watched: watched.clone(),
            lending,
            volumes: Volumes::default(),
            capacities: watched.capacities(),
            shares,
            state: Mutex::default(),
        }
    }

    /// The state at `now` as it is kept, with changes since `since`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn known(
        &self,
        store: &dyn Store,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Disk, StoreError> {
        self.load(store, now).await?;
        let older = match since {
            Some(since) => {
                let memory = self.state().memory.clone();
                self.before(store, &memory, since).await?
            }
            None => None,
        };
        let mut disk = self.in_memory(since, older.as_ref(), now);
        self.tell_tables(store, &mut disk, now).await?;
        Ok(disk)
    }

    /// The state at `now` as this process last kept or read it. Which tables grew is not looked up.
    pub fn looked_up(&self, now: Timestamp) -> Disk {
        self.in_memory(None, None, now)
    }

    fn in_memory(&self, since: Option<Timestamp>, older: Option<&Look>, now: Timestamp) -> Disk {
        let state = self.state();
        let mut disk = state.memory.disk_since(since, older, now);
        if let Some(foreseen) = &state.foreseen {
            disk.foresee(foreseen);
        }
        disk
    }

    /// When its volumes were looked at last, by any process.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn looked_at(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.load(store, now).await?;
        Ok(self.state().memory.looked_at())
    }

    /// When its volumes were forecast last.
    pub fn foreseen_at(&self) -> Option<Timestamp> {
        self.state().foreseen.as_ref().map(|foreseen| foreseen.at)
    }

    /// The memory of what is kept, for whoever looks without keeping, with what was forecast.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recalled(
        &self,
        store: &dyn Store,
        now: Timestamp,
    ) -> Result<(Memory, Option<Foreseen>), StoreError> {
        self.load(store, now).await?;
        let state = self.state();
        Ok((state.memory.clone(), state.foreseen.clone()))
    }

    /// The look that was kept at about `since`, where a memory does not reach back so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn before(
        &self,
        store: &dyn Store,
        memory: &Memory,
        since: Timestamp,
    ) -> Result<Option<Look>, StoreError> {
        if memory.reaches_back_to(since) {
            return Ok(None);
        }
        history::look_at(store, &self.watched.instance, since).await
    }

    /// The looks that are kept of one step, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn looks(
        &self,
        store: &dyn Store,
        step: Step,
        now: Timestamp,
    ) -> Result<Vec<Look>, StoreError> {
        history::looks(store, &self.watched.instance, step, now).await
    }

    /// Looks at the volumes now, and keeps what was seen; `visited_at` is when the instance was visited last. What could
    /// not be kept is told all the same ([`LookReport::not_kept`]), and forgotten once the store can be read.
    ///
    /// # Errors
    /// When nothing was ever read from the store. A server that does not answer is no error: [`LookReport`] says so.
    pub async fn look(
        &self,
        store: &dyn Store,
        daily_samples: usize,
        visited_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<LookReport, StoreError> {
        // As rows are kept.
        let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let unread = match self.load(store, now).await {
            Err(error) if !self.state().is_loaded => return Err(error),
            read => read.err(),
        };
        let mut seen = self.observe(visited_at, now).await;
        if let Some(pulse) = seen.pulse() {
            let readable = unread.is_none().then_some(store);
            if let Err(error) = self.add_neighbours(pulse, readable, now).await {
                tracing::warn!(error = %error, "storage.disk.neighbours_unknown");
            }
        }
        let (mut looked, keep) = {
            let mut state = self.state();
            state.is_unkept = true;
            let looked = state.apply(seen, now);
            let instance = &*self.watched.instance;
            let last = state.memory.last_look();
            let shares = last.as_ref().map(|last| last.shares(instance));
            self.shares.keep(instance, shares.unwrap_or_default());
            let keep = last.map(|last| state.keep(&last, daily_samples, now));
            (looked, keep)
        };
        // What is kept is told against what is kept: without having read that, nothing is.
        let kept = match (unread, keep) {
            (Some(error), _) => Err(error),
            (None, Some(keep)) => store.keep_disk(&self.watched.instance, keep).await,
            (None, None) => Ok(()),
        };
        match kept {
            Ok(()) => self.state().is_unkept = false,
            Err(error) => looked.not_kept = Some(error),
        }
        Ok(looked)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a server answered, or why it did not.
type Answered<T> = Result<T, VisitError>;
