//! `plimsoll disk`: the volumes of a server, how full and by what, looked at now, beside what is kept of them.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::part::Part;
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_postgres::{
    Lending, Limits, Session, VisitError, Volumes, pulse, rest_of_disk, volumes_of,
};
use plimsoll_server::answer;
use plimsoll_server::capacity::Capacities;
use plimsoll_server::disk::InstanceDisk;
use plimsoll_server::settings::Watched;
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

pub(crate) async fn run(context: &Context, args: &args::Disk) -> anyhow::Result<Finding> {
    let watched = context.instance()?;
    let query = &args.query.0;
    // Whether anything is kept or not: who looks for the first time sees what there is now.
    let store = match context.readable_store().await {
        Err(error) if args.stored => return Err(error),
        store => store.ok(),
    };
    let kept = InstanceDisk::new(watched, Lending::default());
    let mut eye = Eye::default();
    let mut foreseen = None;
    if let Some(store) = &store {
        let now = Timestamp::now();
        (eye.memory, foreseen) = kept.recalled(&**store, now).await?;
        eye.full_at = eye.memory.full_at();
    }
    loop {
        let looked = if args.stored {
            None
        } else {
            Some(eye.look(watched).await?)
        };
        let now = Timestamp::now();
        let since = query.since.or(if args.watch { eye.first_at } else { None });
        let older = match (&store, since) {
            (Some(store), Some(since)) => kept.before(&**store, &eye.memory, since).await?,
            _ => None,
        };
        let mut disk = eye.memory.disk_since(since, older.as_ref(), now);
        if let Some(foreseen) = &foreseen {
            disk.foresee(foreseen);
        }
        if let Some(store) = &store {
            kept.tell_tables(&**store, &mut disk, now).await?;
        }
        if context.wants_json() {
            let mut answer = answer::disk::answer(&watched.instance, &disk);
            if let Some(store) = &store {
                answer::disk::add_series(&mut answer, &kept, &**store, query, now).await?;
            }
            output::json(&answer)?;
        } else {
            let clears = args.watch && io::stdout().is_terminal();
            output::print(|out| {
                if clears {
                    // The top left, and nothing below.
                    write!(out, "\u{1b}[H\u{1b}[2J")?;
                }
                screen(out, &watched.instance, &disk, looked.as_ref(), width())?;
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
    /// Looks once. A server that does not answer has its volumes looked at, where earlier looks are kept that say where
    /// they are.
    async fn look(&mut self, watched: &Watched) -> anyhow::Result<Looked> {
        let began = Instant::now();
        let now = Timestamp::now();
        let is_due = self.first_at.is_none()
            || self
                .full_at
                .is_none_or(|at| now.duration_since(at) >= FULL_EVERY);
        let (statements, missing) = match self.ask(watched, is_due, began + LIMIT, now).await {
            Ok((mut pulse, full, statements)) => {
                self.ask_capacities(watched, now, &mut pulse).await;
                let (full, missing) = match full {
                    Rest::Read(parts) => {
                        self.full_at = Some(now);
                        (Some(parts), None)
                    }
                    Rest::TooSlow(reason) => (None, Some(reason)),
                    Rest::Kept => (None, None),
                };
                self.memory.observe(pulse, full.as_deref());
                (statements, missing)
            }
            Err(error) => {
                let Some(mut last) = self.memory.last_pulse().cloned() else {
                    return Err(error).with_context(|| format!("looking at {}", watched.url));
                };
                last.volumes = volumes_of(&last, &self.volumes, LIMIT).await;
                // Who else knows what a volume has does not need the server.
                self.ask_capacities(watched, now, &mut last).await;
                self.memory
                    .observe_volumes(now, &error.to_string(), &last.volumes);
                (0, None)
            }
        };
        self.first_at.get_or_insert(now);
        Ok(Looked {
            took: began.elapsed(),
            statements,
            full_at: self.full_at,
            missing,
        })
    }

    async fn ask_capacities(&mut self, watched: &Watched, now: Timestamp, pulse: &mut Pulse) {
        let capacities = self.capacities.get_or_insert_with(|| watched.capacities());
        capacities.ask(now).await.apply(pulse);
    }

    /// A pulse and, where it is due and fits, the rest; with the statements that it took.
    async fn ask(
        &mut self,
        watched: &Watched,
        is_due: bool,
        until: Instant,
        now: Timestamp,
    ) -> Result<(Pulse, Rest, u64), VisitError> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => open(watched, until).await?,
        };
        session.until(until);
        let before = session.cost().statements;
        let pulse = pulse(&session, &self.volumes, now).await?;
        let full = if is_due {
            rest(&session, now).await?
        } else {
            Rest::Kept
        };
        let statements = session.cost().statements - before;
        if !matches!(full, Rest::TooSlow(_)) {
            self.session = Some(session);
        }
        Ok((pulse, full, statements))
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

async fn open(watched: &Watched, until: Instant) -> Result<Session, VisitError> {
    let limits = Limits {
        deadline: until,
        ..Limits::from(&watched.visit)
    };
    Session::open(&watched.url, &limits, &CancellationToken::new()).await
}
