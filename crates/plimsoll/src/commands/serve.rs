//! `plimsoll serve`: the schedule, the HTTP API and the page, until a signal.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

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
    let text = format!("Plimsoll answers at http://{}/", listener.local_addr()?);
    // Standard error may be closed.
    let ready = move || drop(output::complain(&text));
    until_signal(stop, settings, store, listener, ready).await?;
    Ok(Finding::None)
}

/// Opens the listening socket.
pub(crate) async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .map_err(|error| anyhow::anyhow!("cannot listen on {address}: {}", why(&error)))
}

/// Why an address cannot be listened on, and what to do about it.
fn why(error: &io::Error) -> String {
    let another = "--listen 127.0.0.1:PORT, or `listen` under [server], names another";
    match error.kind() {
        io::ErrorKind::AddrInUse => format!("another program listens there already; {another}"),
        io::ErrorKind::AddrNotAvailable => format!("this host has no such address; {another}"),
        io::ErrorKind::PermissionDenied => {
            format!("this user may not (ports below 1024 are root's); {another}")
        }
        _ => error.to_string(),
    }
}

/// Serves until a signal ends it.
pub(crate) async fn until_signal(
    mut stop: Stop,
    settings: Settings,
    store: Arc<dyn Store>,
    listener: TcpListener,
    ready: impl FnOnce(),
) -> anyhow::Result<()> {
    let shutdown = CancellationToken::new();
    let on_signal = shutdown.clone();
    tokio::spawn(async move {
        let name = stop.received().await;
        tracing::info!(signal = name, "server.stopping");
        on_signal.cancel();
    });
    plimsoll_server::run(
        settings,
        store,
        Arc::new(SystemClock),
        listener,
        shutdown,
        ready,
    )
    .await?;
    Ok(())
}
