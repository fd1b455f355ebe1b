//! One file a rule, or a few that are alike: settings with their defaults, the facts that it needs, and how it reads
//! them.

pub mod abnormal;
pub mod growth;
pub mod size;
pub mod stray;
pub mod time;
pub mod upkeep;
pub mod volume;
pub mod wal;

#[cfg(test)]
pub(crate) mod cases;
