//! Runs everything until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::http::{App, router, serve};
use crate::jobs::Scheduler;
use crate::settings::{Settings, SettingsError};
use crate::watch::Watch;

/// How long whatever is under way may take to end after a stop.
const LONGEST_STOP: Duration = Duration::from_secs(9);

/// Why the server could not run, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store could not be brought up to date.
    #[error("preparing the store: {0}")]
    Store(#[from] StoreError),
}

/// Serves the API and the page on `listener` and runs the schedule, until `shutdown` is cancelled;
/// then ends what is under way, within ten seconds.
pub async fn run(
    settings: Settings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    settings.validate()?;
    for name in store.migrate().await? {
        tracing::info!(migration = name, "store.migrated");
    }
    let stop = shutdown.child_token();
    let tasks = TaskTracker::new();
    let watch = Arc::new(Watch::new(
        &settings,
        Arc::clone(&store),
        clock,
        tasks.clone(),
        stop.clone(),
    ));
    let scheduler = Arc::new(Scheduler::new(Arc::clone(&watch), &settings, stop.clone()));
    scheduler.spawn(&tasks);

    let listen = settings.listen.to_string();
    let connections = settings.requests.connections;
    let app = router(Arc::new(App { watch, settings }));
    tracing::info!(listen, "server.started");
    serve(listener, app, connections, stop.clone()).await;
    tasks.close();
    if tokio::time::timeout(LONGEST_STOP, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("server.stopped_with_work_under_way");
    }
    tracing::info!("server.stopped");
    Ok(())
}
