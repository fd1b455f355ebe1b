//! The forecasts of everything that is watched: made one database at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_store::{DatabaseKey, ForecastHeader, Store, StoreError};
use tokio::sync::Mutex;

use super::{
    Forecast, ForecastError, ForecastOf, ForecastQuery, RankBy, Ranking, VisitedSnapshots,
};
use crate::clock::Clock;

/// Makes forecasts, and answers with those that are made.
pub struct Forecasts {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Held by whoever makes the forecasts of a database: one at a time, which bounds their memory.
    turn: Mutex<()>,
    /// How often forecasts were made anew here.
    made: AtomicU64,
}

impl Forecasts {
    /// Of the histories in `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            clock,
            turn: Mutex::default(),
            made: AtomicU64::new(0),
        }
    }

    /// Another number whenever forecasts were made anew here.
    pub fn made(&self) -> u64 {
        self.made.load(Ordering::Acquire)
    }

    /// Makes a database's forecasts anew if that is due; the header of those that are kept then.
    pub async fn refresh_if_due(
        &self,
        of: &DatabaseKey,
    ) -> Result<Option<ForecastHeader>, StoreError> {
        let header = super::refresh_if_due(&*self.store, of, &*self.clock, &self.turn).await;
        self.made.fetch_add(1, Ordering::AcqRel);
        header
    }

    /// Forecasts what the history has; see [`super::forecast`].
    pub async fn forecast(
        &self,
        of: &DatabaseKey,
        what: &ForecastOf,
        seen: VisitedSnapshots<'_>,
        query: &ForecastQuery,
    ) -> Result<Forecast, ForecastError> {
        super::forecast(&*self.store, of, what, seen, query).await
    }

    /// Ranks what is in a database by its expected growth; see [`super::ranking()`].
    pub async fn ranking(
        &self,
        of: &DatabaseKey,
        by: RankBy,
        limit: usize,
    ) -> Result<Option<Ranking>, StoreError> {
        super::ranking(&*self.store, of, &*self.clock, &self.turn, by, limit).await
    }
}
