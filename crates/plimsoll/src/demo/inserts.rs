//! The application's life while the demo runs: rows come, change and go.

use std::time::Duration;

use anyhow::Result;
use plimsoll_connect::DatabaseUrl;
use tokio_util::sync::CancellationToken;

/// The time between two beats: some 30 kB of growth a second in all.
const BEAT: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Inserts, updates and deletes until cancelled, or until the server is gone.
pub(crate) async fn keep_inserting(url: &str, cancel: &CancellationToken) -> Result<()> {
    let url: DatabaseUrl = url.parse()?;
    let connected = url.connect("demo shop", CONNECT_TIMEOUT).await?;
    let client = connected.client;
    let beats = async {
        loop {
            client.batch_execute(include_str!("sql/live.sql")).await?;
            tokio::time::sleep(BEAT).await;
        }
    };
    let outcome = tokio::select! {
        () = cancel.cancelled() => Ok(()),
        failed = beats => failed,
    };
    connected.task.abort();
    outcome
}
