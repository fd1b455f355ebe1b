//! The application's life while the demo runs: rows come, change and go.

use std::time::Duration;

use tokio_postgres::NoTls;
use tokio_util::sync::CancellationToken;

/// The time between two beats: some 30 kB of growth a second in all.
const BEAT: Duration = Duration::from_millis(500);

/// Inserts, updates and deletes until cancelled, or until the server is gone.
pub(crate) async fn keep_inserting(
    url: &str,
    cancel: &CancellationToken,
) -> Result<(), tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    let connection = tokio::spawn(connection);
    let beats = async {
        client
            .batch_execute("set application_name = 'demo shop'")
            .await?;
        loop {
            client.batch_execute(include_str!("sql/live.sql")).await?;
            tokio::time::sleep(BEAT).await;
        }
    };
    let outcome = tokio::select! {
        () = cancel.cancelled() => Ok(()),
        failed = beats => failed,
    };
    connection.abort();
    outcome
}
