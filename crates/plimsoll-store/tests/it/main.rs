//! The stores' tests: one contract for both back ends, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contract;
mod crash;
mod model;
mod sqlite_file;
mod world;
