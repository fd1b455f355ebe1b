//! The one way in which a connection to a PostgreSQL server is opened, and in which each transaction on it
//! begins: pinned before anything is asked.
//!
//! Whoever owns the database may set its `search_path`, and plant functions and operators that are then
//! found before PostgreSQL's own. The store's role would run them, with its rights.
//!
//! Nothing is set for a session: behind a pooler in transaction mode the next transaction may meet another
//! backend, and what was set stays behind on one that is somebody else's next.

use std::time::Duration;

use plimsoll_connect::{APPLICATION_NAME, ConnectError, Connected, DatabaseUrl};
use tokio_postgres::{Client, Row};

/// How long connecting may take, and how long a transaction may take to begin.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an ordinary statement may take, as the server is told.
pub(crate) const STATEMENT_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Nothing is found but what is PostgreSQL's own, or is written with its schema; no rule of another's
/// decides which rows are seen. The text up to the first `;` can find nothing that was planted.
const PINNED: &str = "set local search_path = pg_catalog, pg_temp;
set local row_security = off;
set local time zone 'UTC';
set local lock_timeout = '20s';
set local statement_timeout = '5min';
set local idle_in_transaction_session_timeout = '5min'";

/// What is different for who looks.
const LOOKING: &str = ";\nset local lock_timeout = '1s'";

/// Settings that only some servers have.
const OF_SOME: [(&str, &str); 2] = [
    ("restrict_nonsystem_relation_kind", "'foreign-table'"),
    // a role's own limit would end the session
    ("transaction_timeout", "0"),
];

/// Where this is off, a commit is acknowledged that a crash of the server may lose.
const ACKNOWLEDGED: &str = "synchronous_commit";

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Sees one state of the database, and changes nothing. Who looks waits for no lock longer than a moment.
    Read,
    /// As `Read`, for what is written next: it waits as a writer does.
    Load,
    Write,
}

/// An open connection, and how transactions on it begin.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connected: Connected,
    pinned: String,
}

/// Opens a connection.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Session, OpenError> {
    let connected = url
        .connect(APPLICATION_NAME, CONNECT_TIMEOUT)
        .await
        .map_err(OpenError::Connect)?;
    let mut session = Session {
        connected,
        pinned: PINNED.to_owned(),
    };
    match tokio::time::timeout(CONNECT_TIMEOUT, session.pin_more()).await {
        Ok(Ok(())) => Ok(session),
        Ok(Err(error)) => {
            session.connected.task.abort();
            Err(OpenError::Pin(error))
        }
        Err(_) => {
            session.connected.task.abort();
            Err(OpenError::Connect(ConnectError::TimedOut {
                server: url.host_text(),
            }))
        }
    }
}

/// Whether a server answers who connects, within a time; one that says no does. Nothing is asked: a pooler answers by
/// itself.
pub(crate) async fn answers(url: &DatabaseUrl, within: Duration) -> bool {
    let connecting = url.connect(APPLICATION_NAME, within);
    match tokio::time::timeout(within, connecting).await {
        // the connection ends with its client
        Ok(Ok(_)) => true,
        Ok(Err(error)) => !matches!(error, ConnectError::TimedOut { .. }),
        Err(_) => false,
    }
}

impl Session {
    pub(crate) const fn client(&self) -> &Client {
        &self.connected.client
    }

    /// What begins a transaction in which everything is pinned, as one message. Where a part of it fails,
    /// nothing that follows runs.
    pub(crate) fn begin(&self, mode: Mode) -> String {
        let kind = match mode {
            Mode::Read | Mode::Load => "isolation level repeatable read, read only",
            Mode::Write => "isolation level read committed",
        };
        let locks = if mode == Mode::Read { LOOKING } else { "" };
        format!("begin {kind};\n{}{locks}", self.pinned)
    }

    /// Finds out which of the settings that only some servers have this one has.
    async fn pin_more(&mut self) -> Result<(), tokio_postgres::Error> {
        let found: Result<Vec<Row>, _> = async {
            self.client().batch_execute(&self.begin(Mode::Read)).await?;
            let sql = format!(
                "select name from pg_catalog.pg_settings where name in ('{}', '{}')
                     or (name = '{ACKNOWLEDGED}' and setting = 'off')",
                OF_SOME[0].0, OF_SOME[1].0
            );
            let found = self.client().query_typed(&sql, &[]).await?;
            self.client().batch_execute("commit").await?;
            Ok(found)
        }
        .await;
        for row in found? {
            let name: &str = row.try_get(0)?;
            if name == ACKNOWLEDGED {
                self.pinned
                    .push_str(&format!(";\nset local {ACKNOWLEDGED} = on"));
            }
            if let Some((name, value)) = OF_SOME.iter().find(|(of_some, _)| *of_some == name) {
                self.pinned
                    .push_str(&format!(";\nset local {name} = {value}"));
            }
        }
        Ok(())
    }
}

/// Why no connection could be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    Connect(ConnectError),
    /// No pinned transaction came about.
    Pin(tokio_postgres::Error),
}
