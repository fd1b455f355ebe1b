//! A server with TimescaleDB, where it is installed.

use crate::installation::{Installation, SUPPORTED_MAJORS};
use crate::server::{Options, Server};
use crate::test;

/// A server of the newest major that has it and starts with it; `None` where none does. It tells nobody that it runs.
pub fn server() -> Option<Server> {
    let majors = SUPPORTED_MAJORS.into_iter().rev();
    majors
        .filter_map(|major| Installation::find(Some(major)).ok())
        .filter(|installation| installation.has_library("timescaledb"))
        .find_map(|installation| {
            let few = [
                ("shared_preload_libraries", "timescaledb"),
                ("timescaledb.telemetry_level", "off"),
            ];
            let options = few.iter().fold(
                test::options(&installation),
                |options: Options, (name, value)| options.setting(name, value),
            );
            Server::start(&options).ok()
        })
}
