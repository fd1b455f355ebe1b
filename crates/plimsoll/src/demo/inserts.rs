//! The application's life while the demo runs: rows come, change and go, as fast as in its made-up past.

use std::time::Duration;

use anyhow::Result;
use plimsoll_connect::DatabaseUrl;
use tokio_util::sync::CancellationToken;

/// The time between two beats of the application's life.
pub(crate) const BEAT: Duration = Duration::from_secs(5);

/// How much of a day passes in a beat, unless a test is in a hurry.
pub(crate) const DAYS_A_BEAT: f64 = 5.0 / 86_400.0;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Inserts, updates and deletes until cancelled, or until the server is gone.
pub(crate) async fn keep_inserting(
    url: &str,
    beat: Duration,
    days_a_beat: f64,
    cancel: &CancellationToken,
) -> Result<()> {
    let url: DatabaseUrl = url.parse()?;
    let connected = url.connect("demo shop", CONNECT_TIMEOUT).await?;
    let client = connected.client;
    let sql = include_str!("sql/live.sql").replace("{days}", &days_a_beat.to_string());
    let beats = async {
        loop {
            client.batch_execute(&sql).await?;
            tokio::time::sleep(beat).await;
        }
    };
    let outcome = tokio::select! {
        () = cancel.cancelled() => Ok(()),
        failed = beats => failed,
    };
    connected.task.abort();
    outcome
}
