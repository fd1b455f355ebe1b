//! Runs everything until it is told to stop.

use std::sync::Arc;
use std::time::Duration;

use plimsoll_store::{Store, StoreError};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alerting::Alerting;
use crate::answer::silences;
use crate::clock::Clock;
use crate::followers::{self, Followers};
use crate::forecasting::Forecasts;
use crate::http::{App, KeptAnswers, router, serve};
use crate::jobs::Scheduler;
use crate::settings::{Settings, SettingsError};
use crate::telling::Telling;
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
/// then ends what is under way, within ten seconds. `ready` is called when the store is brought up to date and nothing is
/// left to fail.
pub async fn run(
    settings: Settings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    listener: TcpListener,
    shutdown: CancellationToken,
    ready: impl FnOnce(),
) -> Result<(), RunError> {
    settings.validate()?;
    for name in store.migrate().await? {
        tracing::info!(migration = name, "store.migrated");
    }
    let said = |what: &str| tracing::info!(what, "store.distributing");
    for done in store.distribute(&said).await? {
        tracing::info!(done, "store.distributed");
    }
    let stop = shutdown.child_token();
    let tasks = TaskTracker::new();
    let listen = settings.listen.to_string();
    let connections = settings.requests.connections;
    let Service {
        app,
        scheduler,
        telling,
    } = assemble(settings, store, clock, &tasks, &stop);
    app.watch.remember_identities().await?;
    for kept in app.watch.store().silences(app.watch.clock().now()).await? {
        let pattern = &kept.silence.pattern;
        if silences::fits_nothing(app.watch.store(), &app.settings, pattern).await? {
            tracing::warn!(id = kept.id, %pattern, "alert.silence_fits_nothing");
        }
    }
    scheduler.spawn(&tasks);
    telling.spawn(&tasks, &stop);
    ready();

    let app = router(app);
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

/// All that runs, put together.
pub struct Service {
    /// What the routes answer from.
    pub app: Arc<App>,
    /// What runs when; it does nothing until it is told.
    pub scheduler: Arc<Scheduler>,
    /// What tells channels of alerts; it does nothing until it is told.
    pub telling: Arc<Telling>,
}

/// Puts together all that runs; nothing is begun. Whatever it begins later can be waited for in `tasks`,
/// and ends with `stop`.
pub fn assemble(
    settings: Settings,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Service {
    let forecasts = Arc::new(Forecasts::new(Arc::clone(&store), Arc::clone(&clock)));
    let alerting = Arc::new(Alerting::new(
        Arc::clone(&store),
        Arc::clone(&forecasts),
        Arc::clone(&clock),
        &settings,
    ));
    let instances = settings.instances.iter();
    let telling = Arc::new(Telling::new(
        Arc::clone(&store),
        Arc::clone(&clock),
        Arc::clone(&alerting),
        &settings.channels,
        instances
            .map(|watched| watched.instance.to_string())
            .collect(),
    ));
    let followers = followers::all(&forecasts, &alerting);
    let followers = Arc::new(Followers::new(followers, tasks.clone(), stop));
    let watch = Arc::new(Watch::new(
        &settings,
        store,
        clock,
        followers,
        tasks.clone(),
        stop.clone(),
    ));
    let scheduler = Scheduler::new(Arc::clone(&watch), &settings, stop.clone());
    let app = App {
        watch,
        forecasts,
        alerting,
        telling: Arc::clone(&telling),
        kept_answers: KeptAnswers::default(),
        progress: Arc::clone(scheduler.progress()),
        settings,
    };
    Service {
        app: Arc::new(app),
        scheduler: Arc::new(scheduler),
        telling,
    }
}
