//! The built program as its users run it: a child process, against real servers.
#![allow(clippy::unwrap_used, reason = "a test ends where something fails")]

mod alerts;
mod alerts_tables;
mod as_the_server;
mod capacity;
mod channels;
mod coverage;
mod days_ago;
mod demo;
mod disk;
mod failures;
mod forecast;
mod gone;
mod input;
mod locks;
mod machine_clock;
mod moving;
mod names;
mod output;
mod places;
mod pooler;
mod private;
mod ranking;
mod readme;
mod secrets;
mod serve;
mod server_faults;
mod sets;
mod specification;
mod store;
mod store_faults;
mod store_faults_between;
mod store_named;
mod support;
mod two_servers;
