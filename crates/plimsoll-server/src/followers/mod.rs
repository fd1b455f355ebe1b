//! What is done after each sample and each pulse, apart from it and never in its way.
//!
//! A follower is one entry in [`all`] and one file. All of them are run in one way: bounded, ended by a
//! stop, each with a failure, counters and a log line of its own.

mod alerts;
mod counters;
mod forecasts;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::alerting::Alerting;
use crate::forecasting::Forecasts;
use crate::news::{NewPulse, NewSample, News, Of};
use crate::panics::{Panicked, caught};

pub use counters::{Counters, Counts};

/// Every follower, in the order in which they are begun.
pub fn all(forecasts: &Arc<Forecasts>, alerting: &Arc<Alerting>) -> Vec<Box<dyn Follower>> {
    vec![
        Box::new(forecasts::Follow(Arc::clone(forecasts))),
        Box::new(alerts::Follow(Arc::clone(alerting))),
    ]
}

/// Something that follows from each sample or pulse.
#[async_trait]
pub trait Follower: Send + Sync + 'static {
    /// The name that logs and counters carry.
    fn name(&self) -> &'static str;

    /// How much of it may go on.
    fn bounds(&self) -> Bounds {
        Bounds::default()
    }

    /// Whether it has anything to do with a pulse.
    fn follows_pulses(&self) -> bool {
        false
    }

    /// Does what follows from a sample. Is dropped when the server stops, or when it takes too long.
    async fn follow(&self, sample: &NewSample) -> Result<(), FollowError>;

    /// Does what follows from a pulse.
    async fn follow_pulse(&self, _pulse: &NewPulse) -> Result<(), FollowError> {
        Ok(())
    }
}

/// Why a follower failed.
pub type FollowError = Box<dyn std::error::Error + Send + Sync>;

/// How much of a follower may go on. Of one database's samples, and of one instance's pulses, there is never more than
/// one run under way and one that waits: a newer one takes the waiting one's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// So many runs side by side.
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
    /// Of what a run is under way, each with the news that come next.
    under_way: Mutex<HashMap<Of, Option<News>>>,
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

    /// Begins whatever follows from news, and returns at once.
    pub fn announce(&self, news: &News) {
        let is_pulse = matches!(news, News::Pulse(_));
        for following in &self.all {
            if is_pulse && !following.follower.follows_pulses() {
                continue;
            }
            let Some(news) = following.take(news.clone()) else {
                continue;
            };
            self.tasks
                .spawn(Arc::clone(following).run(news).in_current_span());
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
    /// The news, if nobody is at work on what they are of; else they wait for their turn there.
    fn take(&self, news: News) -> Option<News> {
        let mut under_way = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = under_way.get_mut(&news.of()) {
            if next.replace(news).is_some() {
                self.counters.superseded();
            }
            return None;
        }
        under_way.insert(news.of(), None);
        Some(news)
    }

    async fn run(self: Arc<Self>, first: News) {
        let mut next = Some(first);
        while let Some(news) = next {
            let began = Instant::now();
            let ended = self.once(&news).await;
            self.tell(&news, &ended, began.elapsed());
            let mut under_way = self
                .under_way
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let of = news.of();
            next = under_way.get_mut(&of).and_then(Option::take);
            if next.is_none() {
                under_way.remove(&of);
            }
        }
    }

    async fn once(&self, news: &News) -> Ended {
        let longest = self.follower.bounds().longest;
        let work = async {
            // never closed
            let _place = self.places.acquire().await;
            let work = caught(async {
                match news {
                    News::Sample(sample) => self.follower.follow(sample).await,
                    News::Pulse(pulse) => self.follower.follow_pulse(pulse).await,
                }
            });
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

    fn tell(&self, news: &News, ended: &Ended, took: Duration) {
        self.counters.ended(ended, took);
        let follower = self.follower.name();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let (instance, database, sample_id) = match news {
            News::Sample(NewSample { of, header, .. }) => {
                (&*of.instance, Some(&*of.database), Some(header.id))
            }
            News::Pulse(pulse) => (&*pulse.instance, None, None),
        };
        let error = match ended {
            // What follows each minute is no news.
            Ended::Well if sample_id.is_none() => {
                tracing::debug!(follower, instance, took_ms, "storage.pulse.followed");
                return;
            }
            Ended::Well => {
                tracing::info!(
                    follower,
                    instance,
                    database,
                    sample_id,
                    took_ms,
                    "storage.sample.followed"
                );
                return;
            }
            Ended::Stopped => {
                tracing::debug!(
                    follower,
                    instance,
                    database,
                    sample_id,
                    "storage.follower_stopped"
                );
                return;
            }
            Ended::Failed(error) => error.to_string(),
            Ended::TooLong(longest) => format!("it was not done within {} s", longest.as_secs()),
            Ended::Panicked(panic) => {
                tracing::error!(
                    follower, instance, database, sample_id, took_ms, error = %panic,
                    "storage.follower_panicked"
                );
                return;
            }
        };
        if sample_id.is_some() {
            tracing::warn!(
                follower,
                instance,
                database,
                sample_id,
                took_ms,
                error,
                "storage.sample.follower_failed"
            );
        } else {
            tracing::warn!(
                follower,
                instance,
                took_ms,
                error,
                "storage.pulse.follower_failed"
            );
        }
    }
}

#[cfg(test)]
mod tests;
