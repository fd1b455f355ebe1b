//! `plimsoll demo`: Plimsoll at work on a throwaway PostgreSQL that grows while one looks.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use jiff::Timestamp;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, Silent, Target, VisitOptions, visit};
use plimsoll_server::answer::sizes::{SizesQuery, sizes};
use plimsoll_server::settings::{Settings, Watched};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::args;
use crate::config::DEFAULT_LISTEN;
use crate::context::Context;
use crate::demo::inserts::keep_inserting;
use crate::demo::record::record_history;
use crate::demo::{DATABASE, start_server};
use crate::output;
use crate::signals::Stop;

/// The name of the demo's instance.
const INSTANCE: &str = "demo";

/// Enough that the first thinning leaves the whole of the made-up history.
const DAILY_SAMPLES_KEPT: usize = 150;

pub(crate) async fn run(context: &Context, args: &args::Demo) -> anyhow::Result<Finding> {
    // A signal must also be obeyed while the server is being filled, and nothing be left behind.
    let mut stop = Stop::listen()?;
    tokio::select! {
        outcome = show(context, args) => outcome?,
        _ = stop.received() => {}
    }
    Ok(Finding::None)
}

async fn show(context: &Context, args: &args::Demo) -> anyhow::Result<()> {
    output::complain("Starting a throwaway PostgreSQL with a shop's tables ...")?;
    let server = tokio::task::spawn_blocking(start_server)
        .await?
        .context("starting the demo's PostgreSQL")?;
    let url = server.url(DATABASE);
    let now = Timestamp::now();
    let watched = Watched::new(INSTANCE, url.parse()?);
    let target = Target {
        instance: INSTANCE.into(),
        url: watched.url.clone(),
    };
    let snapshot = visit(
        &target,
        &VisitOptions::default(),
        &mut Memory::default(),
        &Silent,
        &CancellationToken::new(),
        now,
    )
    .await?;
    if args.once {
        return print_once(context, snapshot);
    }
    let folder = tempfile::Builder::new()
        .prefix("plimsoll-demo-")
        .tempdir()?;
    let store_path = folder.path().join("plimsoll.db");
    let store = plimsoll_store::open(&format!("sqlite:{}", store_path.display()))?;
    store.migrate().await?;
    record_history(&*store, &snapshot, now).await?;

    let listener = listen(args.listen).await?;
    let address = listener.local_addr()?;
    let mut settings = Settings::new(address, vec![watched]);
    settings.retention.daily_samples = DAILY_SAMPLES_KEPT;
    let url_shown = server.url(DATABASE);
    output::complain(&format!(
        "\n  Plimsoll watches a growing demo shop. Look at\n\n      http://{address}/\n      curl http://{address}/api/storage/sizes\n      curl http://{address}/api/storage/history\n\n  or work in the database itself:  psql '{url_shown}'\n  Ctrl-C removes everything.\n"
    ))?;
    let stop = CancellationToken::new();
    let life = tokio::spawn({
        let stop = stop.clone();
        async move { keep_inserting(&url, &stop).await }
    });
    let served = super::serve::until_signal(settings, store, listener).await;
    stop.cancel();
    // The inserts end with the demo; that their connection broke is no news then.
    let _ = life.await;
    drop(server);
    served
}

fn print_once(context: &Context, snapshot: Snapshot) -> anyhow::Result<()> {
    let page = sizes(&Arc::new(snapshot), &SizesQuery::default(), None);
    if context.wants_json() {
        output::json(&page.answer())?;
    } else {
        output::print(|out| super::sizes::print(out, &page.answer()))?;
    }
    Ok(())
}

/// The address that was asked for; else the usual one, or a free one when that is taken.
async fn listen(asked: Option<SocketAddr>) -> anyhow::Result<TcpListener> {
    if let Some(address) = asked {
        return super::serve::listen(address).await;
    }
    match TcpListener::bind(DEFAULT_LISTEN).await {
        Ok(listener) => Ok(listener),
        Err(_) => super::serve::listen(SocketAddr::new(DEFAULT_LISTEN.ip(), 0)).await,
    }
}
