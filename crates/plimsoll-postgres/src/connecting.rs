//! Further connections of a visit: beside the first, in its place, and after it was lost.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use plimsoll_connect::DatabaseUrl;
use tokio_util::sync::CancellationToken;

use crate::error::VisitError;
use crate::session::{Lending, Limits, Session};

/// How often in one visit a session that ended is replaced.
const REPLACED_AT_MOST: u32 = 3;

/// How often it is tried while every slot is taken, or the server starts again, and what is waited between.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(200);

/// How to get further connections.
#[derive(Clone, Copy)]
pub(crate) struct Connecting<'a> {
    pub url: &'a DatabaseUrl,
    pub limits: &'a Limits,
    pub cancel: &'a CancellationToken,
    /// Who else has connections, and may need one.
    pub lending: &'a Lending,
    /// How many are used side by side.
    pub parallel: u8,
    /// How many ended by themselves until now.
    pub lost: &'a AtomicU32,
}

impl Connecting<'_> {
    /// Opens one. Somebody else may have taken the slot that was just given back: it is waited for a while.
    pub(crate) async fn open(&self) -> Result<Session, VisitError> {
        let mut tries = 1;
        loop {
            match Session::open(self.url, self.limits, self.cancel).await {
                Err(error) if is_passing(&error) && tries < TRIES => {
                    tries += 1;
                    if error.code() == "too_many_connections" {
                        self.lending.give_up().await;
                    }
                }
                opened => return opened.map(|session| session.lent_by(self.lending)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Opens one in the place of a session that `ended`. That is also the error where none is to be had:
    /// it says what happened, the other one only what followed.
    pub(crate) async fn again(&self, ended: VisitError) -> Result<Session, VisitError> {
        let is_stop = matches!(ended, VisitError::Cancelled { .. });
        if is_stop || self.lost.fetch_add(1, Ordering::Relaxed) >= REPLACED_AT_MOST {
            return Err(ended);
        }
        tracing::warn!(reason = %ended, "storage.visit.session_ended");
        match self.open().await {
            Err(error @ VisitError::Cancelled { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(reason = %error, "storage.visit.session_not_replaced");
                Err(ended)
            }
            opened => opened,
        }
    }
}

/// Whether it may be otherwise in a moment.
fn is_passing(error: &VisitError) -> bool {
    matches!(error.code(), "too_many_connections" | "server_starting")
}
