//! `plimsoll demo`: Plimsoll at work on a throwaway PostgreSQL that grows while one looks.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::Context as _;
use plimsoll_core::snapshot::Snapshot;
use plimsoll_postgres::{Memory, Silent, Target, VisitOptions, visit};
use plimsoll_server::answer::sizes::{SizesQuery, sizes};
use plimsoll_server::capacity::Source;
use plimsoll_server::clock::{Clock as _, SystemClock};
use plimsoll_server::forecasting::in_use;
use plimsoll_server::settings::{ConfiguredCapacity, Settings, Watched};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::args;
use crate::config::DEFAULT_LISTEN;
use crate::context::Context;
use crate::demo::inserts::{BEAT, DAYS_A_BEAT, keep_inserting};
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
    let now = SystemClock.now();
    let mut watched = Watched::new(INSTANCE, url.parse()?);
    let target = Target {
        instance: INSTANCE.into(),
        url: watched.url.clone(),
    };
    let mut snapshot = visit(
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
    // So that the first look shows when it is full.
    let capacity_bytes = in_use(&snapshot.facts) / 2 * 3;
    watched.capacity.push(ConfiguredCapacity {
        place: None,
        file_system: None,
        on: None,
        sources: vec![Source::Bytes(capacity_bytes)],
    });
    let declared = watched.capacities().ask(now).await;
    declared.apply_to_facts(&mut snapshot.facts);
    let folder = tempfile::Builder::new()
        .prefix("plimsoll-demo-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()?;
    let store_url = format!("sqlite:{}", folder.path().join("plimsoll.db").display());
    let store = plimsoll_store::open(&store_url)?;
    store.migrate().await?;
    record_history(&*store, &snapshot, now).await?;

    let listener = listen(args.listen).await?;
    let address = listener.local_addr()?;
    let mut settings = Settings::new(address, vec![watched]);
    settings.retention.daily_samples = DAILY_SAMPLES_KEPT;
    let config = folder.path().join("plimsoll.toml");
    std::fs::write(&config, configuration(&url, &store_url, capacity_bytes)?)?;
    let (program, config) = (program(), config.display());
    output::complain(&format!(
        "
  Plimsoll watches a demo shop, which grows as slowly as in its past. Look at

      http://{address}/
      curl http://{address}/api/storage/sizes

  ask its history in another terminal

      {program} --config {config} growth
      {program} --config {config} forecast
      {program} --config {config} history --table events

  or work in the database itself

      psql '{url}'

  Ctrl-C removes everything.
"
    ))?;
    let stop = CancellationToken::new();
    let life = tokio::spawn({
        let stop = stop.clone();
        async move { keep_inserting(&url, BEAT, DAYS_A_BEAT, &stop).await }
    });
    let served =
        super::serve::until_signal(Stop::listen()?, settings, store, listener, || ()).await;
    stop.cancel();
    // The inserts end with the demo; that their connection broke is no news then.
    let _ = life.await;
    drop(server);
    served
}

/// The demo as a configuration, for the other commands.
fn configuration(url: &str, store_url: &str, capacity_bytes: u64) -> anyhow::Result<String> {
    Ok(toml::to_string(&toml::toml! {
        instance = [{ name = INSTANCE, url = url }]
        store = { url = store_url }
        history = { daily_samples = DAILY_SAMPLES_KEPT }
        capacity = [{ bytes = capacity_bytes }]
    })?)
}

/// How this program is called: as `plimsoll` where that finds it, else by its path.
fn program() -> String {
    let Ok(this) = std::env::current_exe() else {
        return "plimsoll".to_owned();
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("plimsoll"))
        .find(|program| program.is_file());
    if found.is_some_and(|found| found.canonicalize().is_ok_and(|found| found == this)) {
        return "plimsoll".to_owned();
    }
    let here = std::env::current_dir().unwrap_or_default();
    match this.strip_prefix(here) {
        // a bare name would be looked for on the PATH
        Ok(below) => format!("./{}", below.display()),
        Err(_) => this.display().to_string(),
    }
}

fn print_once(context: &Context, snapshot: Snapshot) -> anyhow::Result<()> {
    let page = sizes(&Arc::new(snapshot), &SizesQuery::default(), None)?;
    if context.wants_json() {
        output::json(&page.answer())?;
    } else {
        output::prose(|out| super::sizes::print(out, &page.answer()))?;
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
