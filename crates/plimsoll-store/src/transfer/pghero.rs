//! Reads PgHero's `pghero_space_stats` from the database in which PgHero keeps it.

use std::io::{Seek, Write};
use std::pin::pin;
use std::time::Duration;

use futures_util::TryStreamExt;
use plimsoll_connect::{APPLICATION_NAME, DatabaseUrl, UrlError};

use super::TransferError;
use super::csv::{self, Imported, Options};
use crate::{DatabaseKey, Store, StoreError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the table by one COPY into a temporary file, so that PgHero's database is not kept busy.
pub async fn import(
    store: &dyn Store,
    of: &DatabaseKey,
    url: &str,
    options: &Options,
) -> Result<Imported, TransferError> {
    let url: DatabaseUrl = url
        .parse()
        .map_err(|error: UrlError| StoreError::Url(error.to_string()))?;
    let failed = |reason: String| TransferError::Source {
        from: url.to_string(),
        reason,
    };
    let explain = |error: tokio_postgres::Error| {
        failed(
            error
                .as_db_error()
                .map_or_else(|| error.to_string(), |db| db.message().to_owned()),
        )
    };
    let connected = url
        .connect(APPLICATION_NAME, CONNECT_TIMEOUT)
        .await
        .map_err(|error| failed(error.to_string()))?;
    let client = connected.client;
    client
        .batch_execute("set time zone 'UTC'; set default_transaction_read_only = on")
        .await
        .map_err(explain)?;
    let mut file = tempfile::tempfile()?;
    let stream = client
        .copy_out(include_str!("pghero.sql"))
        .await
        .map_err(explain)?;
    let mut stream = pin!(stream);
    while let Some(bytes) = stream.try_next().await.map_err(explain)? {
        file.write_all(&bytes)?;
    }
    connected.task.abort();
    file.rewind()?;
    csv::import(store, of, file, options).await
}
