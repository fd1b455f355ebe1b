//! The domain of Plimsoll: what a visit saw, what is kept of it, and what follows from it.
//!
//! **Invariant:** nothing here does I/O. No runtime, no SQL, no clock: time enters as an argument.
//! `make lint` checks it on this crate's dependency tree.

pub mod alert;
pub mod cap;
pub mod capacity;
pub mod change;
pub mod counted;
pub mod coverage;
pub mod disk;
pub mod events;
pub mod footprint;
pub mod forecast;
pub mod instance;
pub mod moment;
pub mod name;
pub mod outlook;
pub mod reconcile;
pub mod sample;
pub mod size;
pub mod size_text;
pub mod snapshot;
pub mod thinning;
pub mod time;

/// A PostgreSQL object identifier.
pub type Oid = u32;
