//! What is done after each sample, apart from it and never in its way.
//!
//! A follower is one entry in [`all`] and one file. All of them are run in one way: bounded, ended by a
//! stop, each with a failure, counters and a log line of its own.

mod counters;
mod forecasts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use plimsoll_core::sample::SampleHeader;
use plimsoll_store::DatabaseKey;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::forecasting::Forecasts;
use crate::panics::{Panicked, caught};

pub use counters::{Counters, Counts};

/// Every follower, in the order in which they are begun.
pub fn all(forecasts: &Arc<Forecasts>) -> Vec<Box<dyn Follower>> {
    vec![Box::new(forecasts::Follow(Arc::clone(forecasts)))]
}

/// A sample that was just kept.
#[derive(Debug, Clone)]
pub struct NewSample {
    /// Of which database.
    pub of: DatabaseKey,
    /// Its header.
    pub header: SampleHeader,
}

/// Something that follows from each sample.
#[async_trait]
pub trait Follower: Send + Sync + 'static {
    /// The name that logs and counters carry.
    fn name(&self) -> &'static str;

    /// How much of it may go on.
    fn bounds(&self) -> Bounds {
        Bounds::default()
    }

    /// Does it. Is dropped when the server stops, or when it takes too long.
    async fn follow(&self, sample: &NewSample) -> Result<(), FollowError>;
}

/// Why a follower failed.
pub type FollowError = Box<dyn std::error::Error + Send + Sync>;

/// How much of a follower may go on. Of one database there is never more than one run under way and one
/// that waits: a newer sample takes the waiting one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// So many databases side by side.
    pub side_by_side: usize,
    /// So long a run may take.
    pub longest: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            side_by_side: 1,
            longest: Duration::from_mins(10),
        }
    }
}

/// Runs the followers.
pub struct Followers {
    all: Vec<Arc<Following>>,
    tasks: TaskTracker,
}

/// One follower and how it fares.
struct Following {
    follower: Box<dyn Follower>,
    places: Semaphore,
    /// Databases of which a run is under way, each with the sample that comes next.
    under_way: Mutex<HashMap<DatabaseKey, Option<NewSample>>>,
    counters: Counters,
    stop: CancellationToken,
}

/// How a run ended.
enum Ended {
    Well,
    Failed(FollowError),
    Panicked(Panicked),
    TooLong(Duration),
    Stopped,
}

impl Followers {
    /// Runs these until `stop`; `tasks` can be waited for.
    pub fn new(
        followers: Vec<Box<dyn Follower>>,
        tasks: TaskTracker,
        stop: &CancellationToken,
    ) -> Self {
        let following = |follower: Box<dyn Follower>| {
            Arc::new(Following {
                places: Semaphore::new(follower.bounds().side_by_side.max(1)),
                follower,
                under_way: Mutex::default(),
                counters: Counters::default(),
                stop: stop.clone(),
            })
        };
        Self {
            all: followers.into_iter().map(following).collect(),
            tasks,
        }
    }

    /// Begins whatever follows from a sample, and returns at once.
    pub fn announce(&self, sample: &NewSample) {
        for following in &self.all {
            let Some(sample) = following.take(sample.clone()) else {
                continue;
            };
            self.tasks
                .spawn(Arc::clone(following).run(sample).in_current_span());
        }
    }

    /// How each follower fared since the start, by name.
    pub fn counts(&self) -> Vec<(&'static str, Counts)> {
        let counts =
            |following: &Arc<Following>| (following.follower.name(), following.counters.counts());
        self.all.iter().map(counts).collect()
    }
}

impl Following {
    /// The sample, if nobody is at work on its database yet; else it waits for its turn there.
    fn take(&self, sample: NewSample) -> Option<NewSample> {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = under_way.get_mut(&sample.of) {
            if next.replace(sample).is_some() {
                self.counters.superseded();
            }
            return None;
        }
        under_way.insert(sample.of.clone(), None);
        Some(sample)
    }

    async fn run(self: Arc<Self>, first: NewSample) {
        let mut next = Some(first);
        while let Some(sample) = next {
            let began = Instant::now();
            let ended = self.once(&sample).await;
            self.tell(&sample, &ended, began.elapsed());
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            next = under_way.get_mut(&sample.of).and_then(Option::take);
            if next.is_none() {
                under_way.remove(&sample.of);
            }
        }
    }

    async fn once(&self, sample: &NewSample) -> Ended {
        let longest = self.follower.bounds().longest;
        let work = async {
            // never closed
            let _place = self.places.acquire().await;
            let work = caught(self.follower.follow(sample));
            match tokio::time::timeout(longest, work).await {
                Err(_) => Ended::TooLong(longest),
                Ok(Err(panic)) => Ended::Panicked(panic),
                Ok(Ok(Err(error))) => Ended::Failed(error),
                Ok(Ok(Ok(()))) => Ended::Well,
            }
        };
        let ended = self.stop.run_until_cancelled(work).await;
        ended.unwrap_or(Ended::Stopped)
    }

    fn tell(&self, sample: &NewSample, ended: &Ended, took: Duration) {
        let follower = self.follower.name();
        let DatabaseKey { instance, database } = &sample.of;
        let sample_id = sample.header.id;
        self.counters.ended(ended, took);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match ended {
            Ended::Well => tracing::info!(
                follower,
                instance,
                database,
                sample_id,
                took_ms,
                "storage.sample.followed"
            ),
            Ended::Failed(error) => tracing::warn!(
                follower, instance, database, sample_id, took_ms, error = %error,
                "storage.sample.follower_failed"
            ),
            Ended::TooLong(longest) => tracing::warn!(
                follower,
                instance,
                database,
                sample_id,
                took_ms,
                error = format!("it was not done within {} s", longest.as_secs()),
                "storage.sample.follower_failed"
            ),
            Ended::Panicked(panic) => tracing::error!(
                follower, instance, database, sample_id, took_ms, error = %panic,
                "storage.sample.follower_failed"
            ),
            Ended::Stopped => tracing::debug!(
                follower,
                instance,
                database,
                sample_id,
                "storage.sample.follower_stopped"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
