//! The disk as a whole: volumes and the parts that fill them, how fast, why, and what would help.

pub mod capacities;
pub mod declared;
pub mod help;
pub mod kept;
pub mod layout;
pub mod memory;
pub mod mounts;
pub mod neighbours;
mod notes;
pub mod outlook;
pub mod pace;
pub mod part;
pub mod pulse;
pub mod state;
pub mod steps;
pub mod volume;
pub mod wal;
pub mod why;
