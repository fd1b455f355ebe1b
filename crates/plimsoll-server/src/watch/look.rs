//! What is known of a database without waiting for its server; and, for who asks to see it current, a
//! visit that is waited for a moment.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Semaphore;

use super::{VisitState, Watch, WatchedDatabase};

/// So many may wait for visits at once. Who finds no place is answered at once with what is known.
const PLACES: usize = 128;

/// How long a look waits for a visit unless it says otherwise,
const USUAL_WAIT: Duration = Duration::from_secs(1);

/// and how long where nothing at all is known.
const FIRST_WAIT: Duration = Duration::from_secs(10);

/// How a database is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Whether an older snapshot than is fresh is to be replaced; else any will do.
    pub is_current: bool,
    /// How long to wait for a visit; usually a second, and ten where nothing at all is known.
    pub wait: Option<Duration>,
    /// A snapshot up to this age does, though it be older than one is by itself fresh for.
    pub max_age: Option<SignedDuration>,
    /// Whether a visit may be begun, and waited for: not for a page of another site.
    pub may_visit: bool,
}

/// Places for those who wait: their own, so that they take none from those who do not.
pub(crate) struct Waiting(Semaphore);

impl Default for Waiting {
    fn default() -> Self {
        Self(Semaphore::new(PLACES))
    }
}

impl Look {
    /// At what is current, as far as the wait allows.
    pub const fn current(
        wait: Option<Duration>,
        max_age: Option<SignedDuration>,
        may_visit: bool,
    ) -> Self {
        Self {
            is_current: true,
            wait,
            max_age,
            may_visit,
        }
    }

    /// At whatever is known; only where that is nothing, a visit is waited for.
    pub const fn at_once(may_visit: bool) -> Self {
        Self {
            is_current: false,
            wait: None,
            max_age: None,
            may_visit,
        }
    }
}

impl Watch {
    /// Its latest snapshot, seen current as far as that takes no more than the look's wait. Where the last
    /// visit failed, the next one is the schedule's: nobody who looks begins one, or waits for it.
    ///
    /// `before_waiting` is called before it waits at all.
    pub async fn look(
        &self,
        database: &Arc<WatchedDatabase>,
        how: Look,
        before_waiting: impl FnOnce(),
    ) -> VisitState {
        let known = database.known();
        let now = self.clock().now();
        let is_enough = known.snapshot.is_some() && !how.is_current;
        if is_enough
            || database.is_fresh(now, how.max_age)
            || known.failure.is_some()
            || !how.may_visit
        {
            return known;
        }
        let wait = match how.wait {
            Some(wait) => wait,
            None if known.snapshot.is_some() || self.has_samples(database).await => USUAL_WAIT,
            None => FIRST_WAIT,
        };
        let visit = database.begin(&self.parts);
        if !wait.is_zero()
            && let Ok(_place) = self.parts.waiting.0.try_acquire()
        {
            before_waiting();
            if let Ok(Ok(snapshot)) = tokio::time::timeout(wait, visit).await {
                self.learn(database, &snapshot);
            }
        }
        database.known()
    }

    async fn has_samples(&self, database: &WatchedDatabase) -> bool {
        let stamp = self.stamp(database.key()).await;
        stamp.is_ok_and(|stamp| stamp.latest.is_some())
    }
}
