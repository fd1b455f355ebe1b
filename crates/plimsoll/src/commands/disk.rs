//! `plimsoll disk`: the volumes of a server, how full and by what, looked at now.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::part::Part;
use plimsoll_core::disk::state::Disk;
use plimsoll_postgres::{Limits, Session, VisitError, Volumes, pulse, rest_of_disk};
use plimsoll_server::capacity::Capacities;
use plimsoll_server::settings::Watched;
use serde::Serialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output;
use crate::output::disk::{Looked, screen, width};

/// How long the looks may take: somebody waits for them.
const LIMIT: Duration = Duration::from_secs(2);
/// While watching, how often a pulse is taken,
const PULSE_EVERY: Duration = Duration::from_secs(5);
/// and how often databases and the rest of the data directory are read.
const FULL_EVERY: SignedDuration = SignedDuration::from_mins(5);

/// What is printed as JSON.
#[derive(Serialize)]
struct DiskReport<'a> {
    instance: &'a str,
    #[serde(flatten)]
    disk: &'a Disk,
}

pub(crate) async fn run(context: &Context, args: &args::Disk) -> anyhow::Result<Finding> {
    let watched = context.instance()?;
    let mut eye = Eye::default();
    loop {
        let looked = eye.look(watched).await?;
        let disk = eye.memory.disk(eye.first_at, Timestamp::now());
        if context.wants_json() {
            output::json(&DiskReport {
                instance: &watched.instance,
                disk: &disk,
            })?;
        } else {
            let clears = args.watch && io::stdout().is_terminal();
            output::print(|out| {
                if clears {
                    // The top left, and nothing below.
                    write!(out, "\u{1b}[H\u{1b}[2J")?;
                }
                screen(out, &watched.instance, &disk, &looked, width())?;
                if args.watch && !clears {
                    writeln!(out)
                } else {
                    Ok(())
                }
            })?;
        }
        if !args.watch {
            return Ok(Finding::None);
        }
        tokio::select! {
            () = tokio::time::sleep(PULSE_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Finding::None),
        }
    }
}

/// What looks, with what it has seen and its connection, which stays open from one look to the next.
#[derive(Default)]
struct Eye {
    memory: Memory,
    volumes: Volumes,
    capacities: Option<Capacities>,
    session: Option<Session>,
    first_at: Option<Timestamp>,
    full_at: Option<Timestamp>,
}

impl Eye {
    async fn look(&mut self, watched: &Watched) -> anyhow::Result<Looked> {
        let began = Instant::now();
        let mut session = match self.session.take() {
            Some(session) => session,
            None => open(watched)
                .await
                .with_context(|| format!("connecting to {}", watched.url))?,
        };
        session.until(Instant::now() + LIMIT);
        let now = Timestamp::now();
        let before = session.cost().statements;
        let mut pulse = pulse(&session, &self.volumes, now).await?;
        let capacities = self.capacities.get_or_insert_with(|| watched.capacities());
        capacities.ask(now).await.apply(&mut pulse);
        let is_due = self
            .full_at
            .is_none_or(|at| now.duration_since(at) >= FULL_EVERY);
        let full = if is_due {
            rest(&session, now).await?
        } else {
            Rest::Kept
        };
        let (full, missing) = match full {
            Rest::Read(parts) => {
                self.full_at = Some(now);
                (Some(parts), None)
            }
            Rest::TooSlow(reason) => (None, Some(reason)),
            Rest::Kept => (None, None),
        };
        let statements = session.cost().statements - before;
        if missing.is_none() {
            self.session = Some(session);
        }
        self.memory.observe(pulse, full.as_deref());
        self.first_at.get_or_insert(now);
        Ok(Looked {
            took: began.elapsed(),
            statements,
            full_at: self.full_at,
            missing,
        })
    }
}

enum Rest {
    Read(Vec<(Place, Part)>),
    /// It did not fit into the time; the session is over.
    TooSlow(String),
    /// What an earlier look read is recent enough.
    Kept,
}

async fn rest(session: &Session, now: Timestamp) -> Result<Rest, VisitError> {
    match rest_of_disk(session, now).await {
        Ok(parts) => Ok(Rest::Read(parts)),
        Err(error @ VisitError::TimedOut { .. }) => Ok(Rest::TooSlow(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn open(watched: &Watched) -> Result<Session, VisitError> {
    let limits = Limits::from(&watched.visit);
    Session::open(&watched.url, &limits, &CancellationToken::new()).await
}
