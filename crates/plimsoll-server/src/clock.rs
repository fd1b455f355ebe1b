//! The one place where time enters.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// Tells the time, and waits for it.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// What time it is.
    fn now(&self) -> Timestamp;

    /// What a clock that nobody sets has counted since some moment.
    fn uptime(&self) -> Duration;

    /// Returns once it is `at`, or later; or when the clock is set back meanwhile, so that nobody waits
    /// for a time that is further away than it was.
    async fn sleep_until(&self, at: Timestamp);
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// How long [`SystemClock`] sleeps at most before it looks at the time again: a clock that was set,
/// or a laptop that slept, is noticed within this.
const LOOK_AGAIN: Duration = Duration::from_secs(20);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // To the millisecond, so that no answer has more digits.
        let now = Timestamp::now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    fn uptime(&self) -> Duration {
        static FIRST: OnceLock<Instant> = OnceLock::new();
        FIRST.get_or_init(Instant::now).elapsed()
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut now = self.now();
        loop {
            let left = at.duration_since(now);
            if left <= SignedDuration::ZERO {
                return;
            }
            tokio::time::sleep(left.unsigned_abs().min(LOOK_AGAIN)).await;
            let then = std::mem::replace(&mut now, self.now());
            if now < then {
                return;
            }
        }
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
    uptime: Mutex<Duration>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn new(now: Timestamp) -> Self {
        Self {
            now: watch::Sender::new(now),
            uptime: Mutex::default(),
        }
    }

    /// Shows `now` from here on, and so much time has passed as lies between; see [`ManualClock::set`].
    pub fn pass_until(&self, now: Timestamp) {
        let passed = now.duration_since(*self.now.borrow());
        if let Ok(passed) = Duration::try_from(passed) {
            *self.uptime.lock().unwrap_or_else(PoisonError::into_inner) += passed;
        }
        self.set(now);
    }

    /// Shows `now` from here on, as a clock does that is set; whoever waited for a time up to it goes on, and, where
    /// that is back in time, whoever waited at all.
    pub fn set(&self, now: Timestamp) {
        self.now.send_replace(now);
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn uptime(&self) -> Duration {
        *self.uptime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sleep_until(&self, at: Timestamp) {
        let mut seen = self.now.subscribe();
        let mut before = *seen.borrow_and_update();
        let is_over = |now: &Timestamp| *now >= at || std::mem::replace(&mut before, *now) > *now;
        // The sender lives in `self`, so the channel cannot be closed while this waits.
        let _ = seen.wait_for(is_over).await;
    }
}
