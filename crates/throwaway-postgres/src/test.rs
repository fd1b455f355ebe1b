//! Servers for tests: one for each major, shared by the tests of a process.

use std::sync::OnceLock;

use crate::installation::{Installation, SUPPORTED_MAJORS};
use crate::server::{Options, Server};

/// The environment variable with which a test fails whose major is not installed; else it is skipped.
pub const REQUIRE_ALL_MAJORS: &str = "PLIMSOLL_REQUIRE_ALL_MAJORS";

/// The server of a major that this process's tests share, started on first use.
///
/// Tests make their own databases, with names of their own, so that they can run side by side. A test
/// that stops or crashes a server starts one of its own, with [`options`]. The settings suit tests:
/// prepared transactions, `wal_level` logical, many locks, no autovacuum.
///
/// # Panics
/// If the major is not installed, or its server cannot be started.
pub fn shared(major: u32) -> &'static Server {
    match Installation::find(Some(major)) {
        Ok(installation) => shared_of(&installation),
        Err(error) => panic!("{error}"),
    }
}

/// As [`shared`], for [`on_every_major!`](crate::on_every_major): none, with a line that says so,
/// where the major is not installed.
///
/// # Panics
/// If it is not installed and `PLIMSOLL_REQUIRE_ALL_MAJORS` is set, or the server cannot be started.
pub fn shared_if_installed(major: u32) -> Option<&'static Server> {
    match Installation::find(Some(major)) {
        Ok(installation) => Some(shared_of(&installation)),
        Err(error) if is_every_major_required() => panic!("{error}"),
        Err(_) => {
            say_not_tested(major);
            None
        }
    }
}

/// The installation of a major, for tests that start servers of their own: none, with a line that
/// says so, where it is not installed.
///
/// # Panics
/// If it is not installed and `PLIMSOLL_REQUIRE_ALL_MAJORS` is set.
pub fn installed(major: u32) -> Option<Installation> {
    match Installation::find(Some(major)) {
        Ok(installation) => Some(installation),
        Err(error) if is_every_major_required() => panic!("{error}"),
        Err(_) => {
            say_not_tested(major);
            None
        }
    }
}

/// What [`shared`] servers are started with.
pub fn options(installation: &Installation) -> Options {
    Options {
        installation: Some(installation.clone()),
        ..Options::default()
    }
    .setting("autovacuum", "off")
    .setting("max_connections", "200")
    .setting("max_locks_per_transaction", "256")
    .setting("max_prepared_transactions", "20")
    .setting("wal_level", "logical")
}

fn shared_of(installation: &Installation) -> &'static Server {
    static SERVERS: [OnceLock<Server>; SUPPORTED_MAJORS.len()] =
        [const { OnceLock::new() }; SUPPORTED_MAJORS.len()];
    let at = SUPPORTED_MAJORS
        .iter()
        .position(|major| *major == installation.major);
    let slot = at.map(|at| &SERVERS[at]);
    let Some(slot) = slot else {
        panic!("PostgreSQL {} is not supported", installation.major)
    };
    slot.get_or_init(|| match Server::start(&options(installation)) {
        Ok(server) => server,
        Err(error) => panic!("{error}"),
    })
}

fn is_every_major_required() -> bool {
    std::env::var_os(REQUIRE_ALL_MAJORS).is_some_and(|value| !value.is_empty() && value != "0")
}

#[expect(
    clippy::print_stderr,
    reason = "a test that did nothing must not look like one that passed"
)]
fn say_not_tested(major: u32) {
    eprintln!("not tested: PostgreSQL {major} is not installed");
}

/// Makes one test of each supported major out of a function that takes a server.
///
/// The function becomes a module of its name with the tests `pg13` to `pg18`. An `async fn` runs
/// under the calling crate's `#[tokio::test]`.
///
/// ```ignore
/// throwaway_postgres::on_every_major! {
///     async fn a_dropped_table_is_not_a_zero(server: &Server) {
///         server.sql("postgres", "create database dropped_table").unwrap();
///     }
/// }
/// ```
#[macro_export]
macro_rules! on_every_major {
    ($($(#[$meta:meta])* async fn $name:ident($server:ident: &Server) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #![allow(unused_imports, clippy::unwrap_used, clippy::expect_used)]
            use super::*;
            async fn on($server: &'static $crate::Server) $body
            $crate::on_every_major!(@async on: pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);
        }
    )+};
    ($($(#[$meta:meta])* fn $name:ident($server:ident: &Server) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #![allow(unused_imports, clippy::unwrap_used, clippy::expect_used)]
            use super::*;
            fn on($server: &'static $crate::Server) $body
            $crate::on_every_major!(@plain on: pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);
        }
    )+};
    (@async $on:ident: $($test:ident $major:literal),+) => {$(
        #[::tokio::test]
        async fn $test() {
            if let Some(server) = $crate::test::shared_if_installed($major) {
                $on(server).await;
            }
        }
    )+};
    (@plain $on:ident: $($test:ident $major:literal),+) => {$(
        #[test]
        fn $test() {
            if let Some(server) = $crate::test::shared_if_installed($major) {
                $on(server);
            }
        }
    )+};
}

/// Makes one test of each supported major out of a function that takes an installation: for tests whose servers have
/// settings or files of their own.
///
/// `the_tests_module => the_function` becomes a module with the tests `pg13` to `pg18`.
#[macro_export]
macro_rules! on_own_server {
    ($($name:ident => $check:ident),+ $(,)?) => {$(
        mod $name {
            use super::*;
            $crate::on_own_server!(@tests $check: pg13 13, pg14 14, pg15 15, pg16 16, pg17 17, pg18 18);
        }
    )+};
    (@tests $check:ident: $($test:ident $major:literal),+) => {$(
        #[::tokio::test(flavor = "multi_thread")]
        async fn $test() {
            if let Some(installation) = $crate::test::installed($major) {
                $check(&installation).await;
            }
        }
    )+};
}
