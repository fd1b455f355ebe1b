//! Tells a store that is slow from one that does not answer.

use std::pin::pin;
use std::time::{Duration, Instant};

use plimsoll_connect::DatabaseUrl;
use tokio::sync::Mutex;

use super::error::Wrong;
use super::pool::Pool;
use crate::session;

/// How long who looks waits for an answer before the server is asked whether it is there,
const BEFORE_ASKING: Duration = Duration::from_millis(250);

/// how long it may take to say so,
const LONGEST: Duration = Duration::from_secs(1);

/// and how long later it is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether the server answers, found out by connecting to it: a pooler before it answers that itself, however long
/// a question waits there for a connection of its own.
#[derive(Debug)]
pub(super) struct Probe {
    url: DatabaseUrl,
    /// What was found out last, and when.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Probe {
    pub(super) fn of(url: DatabaseUrl) -> Self {
        Self {
            url,
            last: Mutex::new(None),
        }
    }

    /// Whether there is no answer. One that says no is one.
    async fn is_silent(&self) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, is_silent)) = *last
            && at.elapsed() < PAUSE
        {
            return is_silent;
        }
        let is_silent = !session::answers(&self.url, LONGEST).await;
        *last = Some((Instant::now(), is_silent));
        is_silent
    }

    /// What is read on one of the pool's connections, unless the server does not answer meanwhile: then none of
    /// those that are open is used again.
    pub(super) async fn unless_silent<T>(
        &self,
        pool: &Pool,
        reading: impl Future<Output = Result<T, Wrong>>,
    ) -> Result<T, Wrong> {
        let mut reading = pin!(reading);
        let mut pause = BEFORE_ASKING;
        loop {
            if let Ok(result) = tokio::time::timeout(pause, &mut reading).await {
                return result;
            }
            pause = PAUSE;
            tokio::select! {
                biased;
                result = &mut reading => return result,
                is_silent = self.is_silent() => if is_silent {
                    pool.manager().give_up();
                    return Err(Wrong::Silent(LONGEST));
                }
            }
        }
    }
}
