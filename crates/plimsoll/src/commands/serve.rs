//! `plimsoll serve`: the schedule, the HTTP API and the page, until a signal.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_server::clock::SystemClock;
use plimsoll_server::settings::Settings;
use plimsoll_store::Store;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output;
use crate::signals::Stop;

pub(crate) async fn run(context: Context, args: &args::Serve) -> anyhow::Result<Finding> {
    let mut settings = context.config.settings.clone();
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    settings.validate()?;
    let store = context.writable_store()?;
    let listener = listen(settings.listen).await?;
    // Before anybody learns that it runs, and may end it.
    let stop = Stop::listen()?;
    output::complain(&format!(
        "Plimsoll answers at http://{}/",
        listener.local_addr()?
    ))?;
    until_signal(stop, settings, store, listener).await?;
    Ok(Finding::None)
}

/// Opens the listening socket.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("listening on {address} (--listen 127.0.0.1:PORT names another port)")
    })
}

/// Serves until a signal ends it.
pub(crate) async fn until_signal(
    mut stop: Stop,
    settings: Settings,
    store: Arc<dyn Store>,
    listener: TcpListener,
) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let on_signal = shutdown.clone();
    tokio::spawn(async move {
        let name = stop.received().await;
        tracing::info!(signal = name, "server.stopping");
        on_signal.cancel();
    });
    plimsoll_server::run(settings, store, Arc::new(SystemClock), listener, shutdown).await?;
    Ok(())
}
