//! The volumes of each watched server: looked at each minute, kept, and known without waiting for the server.

mod book;
mod eye;

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use plimsoll_core::disk::kept::{Look, Step};
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::state::Disk;
use plimsoll_postgres::{Lending, VisitError, Volumes};
use plimsoll_store::{Store, StoreError};

use crate::capacity::Capacities;
use crate::settings::Watched;

pub use eye::Looked;

/// What is known of one instance's volumes, and the means to look at them.
///
/// **Invariant:** nobody holds the memory while a server is asked, so that who reads it never waits for one.
pub struct InstanceDisk {
    watched: Watched,
    lending: Lending,
    volumes: Volumes,
    capacities: Capacities,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    memory: Memory,
    /// Whether all that is kept was read once.
    is_taken_up: bool,
    /// Whether the memory has what may not have been kept: then it is read anew, since what is kept next is told
    /// against what is kept.
    is_unkept: bool,
    /// What the last full look took.
    full_took: std::time::Duration,
}

/// Why a look was not kept.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl InstanceDisk {
    /// Knows nothing yet.
    pub fn new(watched: &Watched, lending: Lending) -> Self {
        Self {
            watched: watched.clone(),
            lending,
            volumes: Volumes::default(),
            capacities: watched.capacities(),
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
        self.take_up(store, now).await?;
        let older = match since {
            Some(since) => self.older(store, since).await?,
            None => None,
        };
        Ok(self.state().memory.disk_since(since, older.as_ref(), now))
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
        self.take_up(store, now).await?;
        Ok(self.state().memory.looked_at())
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
        book::looks(store, &self.watched.instance, step, now).await
    }

    /// Looks at the volumes now, and keeps what was seen; `visited_at` is when the instance was visited last.
    ///
    /// # Errors
    /// When that cannot be kept. A server that does not answer is no error: [`Looked`] says so.
    pub async fn look(
        &self,
        store: &dyn Store,
        daily_samples: usize,
        visited_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Looked, DiskError> {
        self.take_up(store, now).await?;
        let seen = self.see(visited_at, now).await;
        let (looked, keep) = {
            let mut state = self.state();
            state.is_unkept = true;
            let looked = state.take_in(seen, now);
            (looked, state.keep(daily_samples, now))
        };
        if let Some(keep) = keep {
            store.keep_disk(&self.watched.instance, keep).await?;
        }
        self.state().is_unkept = false;
        Ok(looked)
    }

    /// A look that was kept at about `since`, if that is before what the memory has.
    async fn older(&self, store: &dyn Store, since: Timestamp) -> Result<Option<Look>, StoreError> {
        if self.state().memory.reaches_back_to(since) {
            return Ok(None);
        }
        book::look_at(store, &self.watched.instance, since).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a server answered, or why it did not.
type Answered<T> = Result<T, VisitError>;
