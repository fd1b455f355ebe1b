//! Visits a monitored PostgreSQL server and returns a snapshot of what its disk holds.
//!
//! **Invariant:** the only crate that asks the catalog of a monitored server, and it never writes.

mod assemble;
mod capacity;
mod catalog;
mod changes;
mod connecting;
mod cost;
mod counters;
mod cross_check;
mod databases;
pub mod doctor;
mod encoding;
mod error;
mod facts;
mod files;
mod functions;
mod inventory;
mod locks;
mod options;
pub mod privileges;
mod progress;
mod pulse;
mod raw_text;
mod remembered;
mod rows;
mod same_host;
mod session;
mod sizes;
mod transactions;
mod visit;
mod volumes;

pub use crate::databases::databases;
pub use crate::error::VisitError;
pub use crate::facts::facts;
pub use crate::options::{MethodChoice, Target, VisitOptions};
pub use crate::progress::{Phase, Progress, Silent};
pub use crate::pulse::{add_queries, pulse, rest_of_disk};
pub use crate::remembered::volumes_without_server;
pub use crate::session::{Lending, Limits, Param, Session};
pub use crate::visit::{Memory, visit};
pub use crate::volumes::{PoolSpace, Volumes};
