//! The bed of the measurements: a temporary server and a database with many tables.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use plimsoll_postgres::Target;
use throwaway_postgres::{Options, Server, Session};

pub(crate) const DATABASE: &str = "many_tables";

/// A server with the database, and who connects to it.
pub(crate) struct Bed {
    pub server: Server,
    pub target: Target,
    pub tables: u32,
}

impl Bed {
    /// Makes it. 100,000 tables take some two to four minutes.
    pub(crate) fn make(tables: u32) -> Result<Self> {
        let options = Options::default()
            .setting("max_locks_per_transaction", "256")
            .setting("shared_buffers", "512MB")
            .setting("max_wal_size", "8GB")
            // Every size moves only when the bench moves it.
            .setting("autovacuum", "off")
            // Whatever spills is in the log.
            .setting("log_temp_files", "0");
        let server = Server::start(&options)?;
        let target = Target {
            instance: "bench".into(),
            url: server.url(DATABASE).parse().context("the server's URL")?,
        };
        let bed = Self {
            server,
            target,
            tables,
        };
        bed.server
            .sql("postgres", &format!("create database {DATABASE}"))?;
        let mut session = bed.session()?;
        let script = include_str!("bed/many-tables.sql").replace(":tables", &tables.to_string());
        for statement in statements(&script) {
            session.run(&statement)?;
        }
        // What autovacuum would have done meanwhile on a server in use.
        for catalog in ["pg_class", "pg_index", "pg_namespace", "pg_attribute"] {
            session.run(&format!("vacuum analyze {catalog}"))?;
        }
        session.run("checkpoint")?;
        Ok(bed)
    }

    /// A session of its own.
    pub(crate) fn session(&self) -> Result<Session> {
        Ok(self.server.session(DATABASE)?)
    }

    /// The first value of a statement's answer.
    pub(crate) fn ask(&self, sql: &str) -> Result<String> {
        value(&mut self.session()?, sql)
    }

    /// The folder of the database's files.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let oid = self.ask("select oid from pg_database where datname = current_database()")?;
        Ok(self.server.data_dir().join("base").join(oid))
    }

    /// The names of tables from one number to another, ready for SQL.
    pub(crate) fn names(&self, from: u32, count: u32) -> Vec<String> {
        (from..from + count)
            .filter(|n| *n <= self.tables)
            .map(|n| format!("s{}.t{n}", n % 10))
            .collect()
    }

    /// Adds a row to every hundredth table, and returns when the server knows of it.
    pub(crate) fn write_one_percent(&self, id: u32) -> Result<()> {
        self.session()?.run(&format!(
            "do $$ begin for i in {first}..{last} by 100 loop
                 execute format('insert into s%s.t%s values ({id}, ''written'')', i % 10, i);
             end loop; end $$",
            first = 1 + id % 100,
            last = self.tables,
            id = 1000 + id,
        ))?;
        self.wait_until_alone()
    }

    /// Waits until every other session has ended: a backend reports its counters when it ends.
    pub(crate) fn wait_until_alone(&self) -> Result<()> {
        let mut session = self.session()?;
        let deadline = Instant::now() + Duration::from_secs(30);
        let sql = "select count(*) from pg_stat_activity
                   where backend_type = 'client backend' and pid <> pg_backend_pid()";
        while value(&mut session, sql)? != "0" {
            if Instant::now() > deadline {
                bail!("sessions of the bench did not end within 30 seconds");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// The first value of a statement's answer.
pub(crate) fn value(session: &mut Session, sql: &str) -> Result<String> {
    let rows = session.run(sql)?;
    rows.first()
        .and_then(|row| row.first().cloned().flatten())
        .with_context(|| format!("no answer to: {sql}"))
}

/// The statements of a script; a `;` between two `$$` belongs to its statement.
fn statements(script: &str) -> Vec<String> {
    let mut statements = vec![String::new()];
    let code: Vec<&str> = script
        .lines()
        .filter(|line| !line.starts_with("--"))
        .collect();
    for (n, part) in code.join("\n").split("$$").enumerate() {
        let inside = n % 2 == 1;
        for (m, piece) in part.split(';').enumerate() {
            if m > 0 && !inside {
                statements.push(String::new());
            }
            if let Some(last) = statements.last_mut() {
                if m > 0 && inside {
                    last.push(';');
                }
                if m == 0 && n > 0 {
                    last.push_str("$$");
                }
                last.push_str(piece);
            }
        }
    }
    statements.retain(|statement| !statement.trim().is_empty());
    statements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_between_statements_not_inside_quotes() {
        assert_eq!(
            statements("-- a; b\nselect 1;\ndo $$ begin x; end $$;\nselect 2"),
            ["select 1", "\ndo $$ begin x; end $$", "\nselect 2"]
        );
    }
}
