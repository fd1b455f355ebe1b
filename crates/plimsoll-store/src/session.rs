//! The one way in which a connection to a PostgreSQL server begins: its session is pinned before anything
//! else is asked.
//!
//! Whoever owns the database may set its `search_path`, and plant functions and operators that are then
//! found before PostgreSQL's own. The store's role would run them, with its rights.

use std::time::Duration;

use plimsoll_connect::{APPLICATION_NAME, ConnectError, Connected, DatabaseUrl};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Nothing is found but what is PostgreSQL's own, or is written with its schema; no rule of another's
/// decides which rows are seen. The text up to the first `;` can find nothing that was planted.
const PINNED: &str = "set search_path = pg_catalog, pg_temp;
set row_security = off;
set time zone 'UTC';
set lock_timeout = '20s';
set statement_timeout = '5min';
set idle_in_transaction_session_timeout = '5min';
select set_config(name, 'foreign-table', false) from pg_settings
where name = 'restrict_nonsystem_relation_kind'";

/// Opens a pinned connection.
pub(crate) async fn open(url: &DatabaseUrl) -> Result<Connected, OpenError> {
    let connected = url
        .connect(APPLICATION_NAME, CONNECT_TIMEOUT)
        .await
        .map_err(OpenError::Connect)?;
    let pinned = connected.client.batch_execute(PINNED);
    match tokio::time::timeout(CONNECT_TIMEOUT, pinned).await {
        Ok(Ok(())) => Ok(connected),
        Ok(Err(error)) => {
            connected.task.abort();
            Err(OpenError::Pin(error))
        }
        Err(_) => {
            connected.task.abort();
            Err(OpenError::Connect(ConnectError::TimedOut {
                server: url.host_text(),
            }))
        }
    }
}

/// Why no connection could be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    Connect(ConnectError),
    /// The session could not be pinned.
    Pin(tokio_postgres::Error),
}
