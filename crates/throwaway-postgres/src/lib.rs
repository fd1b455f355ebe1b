//! Starts a temporary PostgreSQL for tests, benches and the demo.
//!
//! It needs nothing but `initdb` and `postgres` of some major, runs as root (then it drops to an
//! unprivileged account) and as a user, and leaves neither a process nor a folder behind, however
//! this process ends: a small shell (`supervisor.sh`) in a process group of its own holds the other
//! end of a pipe, and when that pipe closes it stops the server and removes the folder.
//!
//! ```no_run
//! use throwaway_postgres::{Options, Server};
//!
//! let server = Server::start(&Options::default())?;
//! server.sql("postgres", "create database app")?;
//! assert!(server.url("app").starts_with("postgres://"));
//! # Ok::<(), throwaway_postgres::StartError>(())
//! ```
//!
//! Tests that touch a server use [`on_every_major!`] and [`test::shared`].

mod account;
pub mod citus;
mod error;
mod installation;
mod pooler;
mod server;
mod session;
mod standby;
mod supervisor;
pub mod test;
pub mod timescaledb;
mod volume;

pub use error::StartError;
pub use installation::{Installation, SUPPORTED_MAJORS};
pub use pooler::Pooler;
pub use server::{Options, Server};
pub use session::Session;
pub use volume::{Volume, report_volumes};
