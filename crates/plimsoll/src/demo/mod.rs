//! The demo's server: a throwaway PostgreSQL with an application's tables, filled within seconds.

use std::thread;

use throwaway_postgres::{Options, Server, Session, StartError};

pub(crate) mod history;
pub(crate) mod inserts;
mod past;
pub(crate) mod record;

/// The database that the demo watches.
pub(crate) const DATABASE: &str = "shop";

/// Starts a server of the newest major that is installed and fills [`DATABASE`]. Blocks for some seconds.
///
/// Dropping the server removes it, and so does any end of this process.
pub(crate) fn start_server() -> Result<Server, StartError> {
    let server = Server::start(&options())?;
    fill(&server)?;
    Ok(server)
}

/// Without replicas and archives the server need not log what it fills new tables with.
fn options() -> Options {
    Options::default()
        .setting("wal_level", "minimal")
        .setting("max_wal_senders", "0")
        .setting("min_wal_size", "32MB")
        .setting("max_wal_size", "128MB")
        .setting("maintenance_work_mem", "128MB")
        .setting("autovacuum_naptime", "15s")
}

/// Makes the database and its data, in as many sessions as there are independent parts.
fn fill(server: &Server) -> Result<(), StartError> {
    server.sql("postgres", &format!("create database {DATABASE}"))?;
    session(server)?.run(include_str!("sql/schema.sql"))?;
    thread::scope(|scope| {
        let parts = [
            include_str!("sql/events.sql"),
            include_str!("sql/shop.sql"),
            include_str!("sql/rest.sql"),
        ];
        let running = parts.map(|part| scope.spawn(move || session(server)?.run(part)));
        running.into_iter().try_for_each(|part| match part.join() {
            Ok(done) => done.map(drop),
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })?;
    // Else it would run beside the first visit.
    server.sql(DATABASE, "checkpoint").map(drop)
}

fn session(server: &Server) -> Result<Session, StartError> {
    server.session(DATABASE)
}

#[cfg(test)]
mod tests;
