//! The stores' tests: one contract for both back ends, and what is particular to each.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[macro_use]
mod fresh;

mod cap;
mod citus;
mod citus_kills;
mod claimant;
mod contract;
mod contract_alerts;
mod contract_disk;
mod contract_footprint;
mod contract_forecast;
mod contract_jobs;
mod contract_series;
mod crash;
mod cut;
mod earlier;
mod fleet;
mod foreign;
mod model;
mod pooler;
mod postgres_session;
mod recognised;
mod sqlite_file;
mod statements;
mod transfer;
mod world;
