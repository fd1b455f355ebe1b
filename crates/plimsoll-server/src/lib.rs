//! Everything long-running: the schedule, the HTTP API, the page.
//!
//! **Invariant:** no SQL here. Snapshots come from `plimsoll-postgres`, history from the store, and
//! [`answer`] turns both into what is printed, for the API and the command line alike.

pub mod alerting;
pub mod answer;
pub mod ask;
pub mod capacity;
pub mod channels;
pub mod clock;
pub mod coverage;
pub mod disk;
pub mod followers;
pub mod forecasting;
pub mod http;
mod in_time;
pub mod jobs;
pub mod news;
mod panics;
mod run;
pub mod selection;
pub mod settings;
pub mod telling;
pub mod watch;

pub use crate::panics::Panicked;
pub use crate::run::{RunError, Service, assemble, run};
