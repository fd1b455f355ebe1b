//! Runs everything until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::http::{App, router};
use crate::schedule::Scheduler;
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
    /// The listening socket failed.
    #[error("serving on {listen}: {reason}")]
    Serve {
        /// Where it listened.
        listen: String,
        /// What the operating system said.
        reason: std::io::Error,
    },
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
    // Ended together with the HTTP server, also when that one fails by itself.
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
    let app = router(Arc::new(App { watch, settings }));
    tracing::info!(listen, "server.started");
    let served = serve(listener, app, stop.clone()).await;
    stop.cancel();
    tasks.close();
    if tokio::time::timeout(LONGEST_STOP, tasks.wait())
        .await
        .is_err()
    {
        tracing::warn!("server.stopped_with_work_under_way");
    }
    tracing::info!("server.stopped");
    served.map_err(|reason| RunError::Serve { listen, reason })
}

/// Open connections get a few seconds to finish after the stop.
async fn serve(
    listener: TcpListener,
    app: axum::Router,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let graceful = axum::serve(listener, app)
        .with_graceful_shutdown(stop.clone().cancelled_owned())
        .into_future();
    tokio::select! {
        served = graceful => served,
        () = async {
            stop.cancelled().await;
            tokio::time::sleep(LONGEST_STOP / 3).await;
        } => Ok(()),
    }
}
