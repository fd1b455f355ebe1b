//! `plimsoll disk`: the volumes of a server, how full and by what, looked at now, beside what is kept of them.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use plimsoll_core::disk::kept::{HOURS_FOR, Step};
use plimsoll_core::disk::layout::Place;
use plimsoll_core::disk::memory::Memory;
use plimsoll_core::disk::part::Part;
use plimsoll_core::disk::pulse::Pulse;
use plimsoll_core::disk::state::Volume;
use plimsoll_core::disk::steps::{Steps, steps};
use plimsoll_postgres::{
    Lending, Limits, Session, VisitError, Volumes, add_queries, pulse, rest_of_disk,
    volumes_without_server,
};
use plimsoll_server::answer;
use plimsoll_server::capacity::Capacities;
use plimsoll_server::disk::{InstanceDisk, Shares};
use plimsoll_server::settings::Watched;
use plimsoll_store::Store;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Finding;
use crate::args;
use crate::context::Context;
use crate::output;
use crate::output::disk::{LookReport, STEPS, Shown, screen, series, width};

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
    let shares = Shares::of(&context.config.settings.instances);
    let kept = InstanceDisk::new(watched, Lending::default(), shares);
    let mut observer = Observer {
        wants_queries: args.queries,
        ..Observer::default()
    };
    let mut foreseen = None;
    if let Some(store) = &store {
        let now = Timestamp::now();
        (observer.memory, foreseen) = kept.recalled(&**store, now).await?;
        observer.full_at = observer.memory.full_at();
    }
    loop {
        let looked = if args.stored {
            None
        } else {
            Some(observer.look(watched, &kept, store.as_deref()).await?)
        };
        let now = Timestamp::now();
        let since = query
            .since
            .or(if args.watch { observer.first_at } else { None });
        let older = match (&store, since) {
            (Some(store), Some(since)) => kept.before(&**store, &observer.memory, since).await?,
            _ => None,
        };
        let mut disk = observer.memory.disk_since(since, older.as_ref(), now);
        if let Some(foreseen) = &foreseen {
            disk.foresee(foreseen);
        }
        if let Some(store) = &store {
            kept.tell_tables(&**store, &mut disk, now).await?;
        }
        let mut answer = answer::disk::answer(&watched.instance, &disk);
        if let Some(store) = &store {
            answer::disk::add_series(&mut answer, &kept, &**store, query, now).await?;
        }
        if context.wants_json() {
            output::json(&answer)?;
        } else {
            let mut steps = BTreeMap::new();
            for volume in &disk.volumes {
                let of = steps_of(&kept, store.as_deref(), &observer.memory, volume, now).await?;
                steps.insert(volume.pool.clone(), of);
            }
            let shown = Shown {
                instance: &watched.instance,
                disk: &disk,
                looked: looked.as_ref(),
                steps: &steps,
                now,
            };
            let clears = args.watch && io::stdout().is_terminal();
            output::print(|out| {
                if clears {
                    // The top left, and nothing below.
                    write!(out, "\u{1b}[H\u{1b}[2J")?;
                }
                screen(out, &shown, width())?;
                if query.step.is_some() {
                    series::print(out, &answer)?;
                }
                if args.watch && !clears {
                    writeln!(out)
                } else {
                    Ok(())
                }
            })?;
        }
        if !args.watch {
            // What was shown is of the volumes alone, and none of what was asked of the server.
            return match looked.and_then(|looked| looked.unreachable) {
                Some(error) => Err(error).with_context(|| format!("looking at {}", watched.url)),
                None => Ok(Finding::None),
            };
        }
        tokio::select! {
            () = tokio::time::sleep(PULSE_EVERY) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Finding::None),
        }
    }
}

/// Looks at the volumes: with the memory of what it saw, and a connection that stays open from one look to the next.
#[derive(Default)]
struct Observer {
    memory: Memory,
    volumes: Volumes,
    capacities: Option<Capacities>,
    session: Option<Session>,
    first_at: Option<Timestamp>,
    full_at: Option<Timestamp>,
    wants_queries: bool,
}

impl Observer {
    /// Looks once. A server that does not answer has its volumes looked at, where earlier looks are kept that say where
    /// they are.
    async fn look(
        &mut self,
        watched: &Watched,
        kept: &InstanceDisk,
        store: Option<&dyn Store>,
    ) -> anyhow::Result<LookReport> {
        let began = Instant::now();
        let now = Timestamp::now();
        let is_due = self.first_at.is_none()
            || self
                .full_at
                .is_none_or(|at| now.duration_since(at) >= FULL_EVERY);
        let mut unreachable = None;
        let (statements, missing) = match self.ask(watched, is_due, began + LIMIT, now).await {
            Ok((mut pulse, full, statements)) => {
                self.ask_capacities(watched, now, &mut pulse).await;
                kept.add_neighbours(&mut pulse, store, now).await?;
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
                last.parts = Vec::new();
                last.volumes = volumes_without_server(&last, &self.volumes, LIMIT).await;
                // Who else knows what a volume has does not need the server.
                self.ask_capacities(watched, now, &mut last).await;
                kept.add_neighbours(&mut last, store, now).await?;
                self.memory
                    .observe_volumes(now, &error.to_string(), Some(&last));
                unreachable = Some(error);
                (0, None)
            }
        };
        self.first_at.get_or_insert(now);
        Ok(LookReport {
            took: began.elapsed(),
            statements,
            full_at: self.full_at,
            missing,
            unreachable,
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
        session.set_deadline(until);
        let before = session.cost().statements;
        let mut pulse = pulse(&session, &self.volumes, now).await?;
        if self.wants_queries {
            add_queries(&session, &mut pulse).await?;
        }
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

/// How each part of a volume went since its changes count: by the looks in memory, or by hours or days that are kept.
async fn steps_of(
    kept: &InstanceDisk,
    store: Option<&dyn Store>,
    memory: &Memory,
    volume: &Volume,
    now: Timestamp,
) -> anyhow::Result<Steps> {
    let Some(since) = volume.since else {
        return Ok(Steps::new());
    };
    let mut looks = memory.looks_at(&volume.pool);
    let first = looks.first().map(|(at, _)| *at);
    if let Some(store) = store.filter(|_| first.is_none_or(|first| first > since)) {
        let step = if now.duration_since(since) <= HOURS_FOR {
            Step::Hour
        } else {
            Step::Day
        };
        let older = kept.looks(store, step, now).await?;
        let older = older
            .iter()
            .filter(|look| first.is_none_or(|first| look.at < first));
        let mut all: Vec<_> = older
            .filter_map(|look| Some((look.at, look.parts(&volume.pool)?)))
            .collect();
        all.append(&mut looks);
        looks = all;
    }
    Ok(steps(&looks, since, now, STEPS))
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
