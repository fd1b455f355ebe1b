//! One visit, from connecting to the finished snapshot.

mod memory;
mod run;
mod sizing;

pub use crate::visit::memory::Memory;
pub use crate::visit::run::visit;
