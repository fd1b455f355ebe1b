//! Reads PgHero's `pghero_space_stats` from the database in which PgHero keeps it.

use std::fs::File;
use std::io::{Seek, Write};
use std::pin::pin;

use futures_util::TryStreamExt;
use plimsoll_connect::{DatabaseUrl, UrlError};

use super::TransferError;
use crate::StoreError;
use crate::session::{self, Mode, OpenError};

/// Reads the table by one COPY into a temporary file, so that PgHero's database is not kept busy: a CSV as
/// [`csv`](super::csv) reads it.
///
/// # Errors
/// [`TransferError`].
pub async fn read(url: &str) -> Result<File, TransferError> {
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
    let session = match session::open(&url).await {
        Ok(session) => session,
        Err(OpenError::Connect(error)) => return Err(failed(error.to_string())),
        Err(OpenError::Pin(error)) => return Err(explain(error)),
    };
    let client = session.client();
    // one transaction, which ends with the connection
    let begin = format!(
        "{}; set local statement_timeout = '12h'",
        session.begin(Mode::Read)
    );
    client.batch_execute(&begin).await.map_err(explain)?;
    let found = client
        .query_typed_opt(include_str!("pghero/table.sql"), &[])
        .await
        .map_err(explain)?;
    let Some(found) = found else {
        return Err(failed("there is no table of that name".to_owned()));
    };
    let (table, is_plain): (String, bool) = (
        found.try_get(0).map_err(explain)?,
        found.try_get(1).map_err(explain)?,
    );
    if !is_plain {
        // reading anything else runs what its owner wrote, with the rights of whoever reads it
        return Err(failed(format!(
            "{table} is no ordinary table; name a database that has PgHero's own"
        )));
    }
    let mut file = tempfile::tempfile()?;
    let copy = format!(
        "copy (select database, schema, relation, size, captured_at from only {table}) \
         to stdout (format csv, header)"
    );
    let stream = client.copy_out(&copy).await.map_err(explain)?;
    let mut stream = pin!(stream);
    while let Some(bytes) = stream.try_next().await.map_err(explain)? {
        file.write_all(&bytes)?;
    }
    session.connected.task.abort();
    file.rewind()?;
    Ok(file)
}
