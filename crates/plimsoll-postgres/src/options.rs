//! Which database is visited, and how.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_connect::DatabaseUrl;
use tokio::time::Instant;

use crate::session::{Lending, Limits};

/// One database to visit.
#[derive(Debug, Clone)]
pub struct Target {
    /// The configured name of the instance.
    pub instance: Arc<str>,
    /// How to connect; its database is the one that is visited.
    pub url: DatabaseUrl,
}

/// How sizes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MethodChoice {
    /// What the role may do: *files* where it can, else *functions*; full sweeps.
    #[default]
    Auto,
    /// *files*, or an error.
    Files,
    /// *functions*.
    Functions,
    /// *changes* on top of *functions*, once `Memory` holds a full sweep.
    Changes,
}

/// How a visit behaves.
#[derive(Debug, Clone)]
pub struct VisitOptions {
    /// How sizes are to be read.
    pub method: MethodChoice,
    /// Connections used side by side by *functions*: 1 or 2.
    pub parallel: u8,
    /// How long a statement of ours may wait for a lock. Short, because who asks for a lock that
    /// conflicts waits behind us as long as we wait.
    pub lock_timeout: Duration,
    /// How long one statement of ours may run.
    pub statement_timeout: Duration,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long the whole visit may take; then the running statement is cancelled on the server.
    pub deadline: Duration,
    /// *changes*: a full sweep is made when the last one is older than this.
    pub full_sweep_every: Duration,
    /// How it shares a connection with the pulses of its instance.
    pub lending: Lending,
}

impl Default for VisitOptions {
    fn default() -> Self {
        Self {
            method: MethodChoice::Auto,
            parallel: 1,
            lock_timeout: Duration::from_millis(5),
            statement_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(120),
            full_sweep_every: Duration::from_secs(24 * 3600),
            lending: Lending::default(),
        }
    }
}

impl From<&VisitOptions> for Limits {
    /// The deadline counts from now.
    fn from(options: &VisitOptions) -> Self {
        Self {
            lock_timeout: options.lock_timeout,
            statement_timeout: options.statement_timeout,
            connect_timeout: options.connect_timeout,
            deadline: Instant::now() + options.deadline,
        }
    }
}
