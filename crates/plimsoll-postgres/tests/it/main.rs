//! Visits to real servers of every supported major.

#![allow(missing_docs, clippy::unwrap_used)]

mod doctor;
mod facts;
mod fuzz;
mod fuzz_names;
mod lending;
mod pgbouncer;
mod pulse;
mod pulse_filling;
mod pulse_volumes;
mod replay;
mod session;
mod sizing;
mod sizing_whole;
mod traps_absent;
mod traps_changes;
mod traps_encodings;
mod traps_ended;
mod traps_locks;
mod traps_meanwhile;
mod traps_names;
mod traps_parts;
mod traps_scale;
mod traps_timescaledb;
mod volume_looks;
