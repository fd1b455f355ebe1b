//! One visit, step by step.

use std::time::Instant;

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::snapshot::{Cost, Method, Snapshot, Table, Unattributed};
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, Slot};
use crate::changes::{self, Seen, Sweep};
use crate::cost;
use crate::error::VisitError;
use crate::facts::facts;
use crate::files;
use crate::functions::{self, Connecting};
use crate::locks::Locks;
use crate::privileges::Privileges;
use crate::rows::RowCounts;
use crate::session::{Limits, Session};
use crate::sizes::Sizes;
use crate::visit::{Memory, MethodChoice, Phase, Progress, Target, VisitOptions};

/// Visits a database once. `now` becomes the snapshot's `measured_at`.
///
/// When the deadline comes after the catalog was read, the snapshot has what was sized until then,
/// and status `timed_out` for the rest.
///
/// # Errors
/// When there is no connection, when the catalog cannot be read, and when the connection breaks.
/// Cancelling stops the running statement on the server and returns an error.
pub async fn visit(
    target: &Target,
    options: &VisitOptions,
    memory: &mut Memory,
    progress: &dyn Progress,
    cancel: &CancellationToken,
    now: Timestamp,
) -> Result<Snapshot, VisitError> {
    let started = Instant::now();
    let limits = Limits::from(options);
    progress.at(Phase::Connecting);
    let session = Session::open(&target.url, &limits, cancel).await?;
    memory.belong_to(&session);
    let choice = choose(&session, options.method).await?;

    progress.at(Phase::Catalog);
    let mut catalog = Catalog::read(&session).await?;
    let locks = in_time(Locks::read(&session).await)?;
    let counts = in_time(RowCounts::read(&session, choice == Choice::Changes).await)?;
    let mut sizes = Sizes::of(&catalog);
    let block_size = u64::from(session.server().block_size);
    let expected = catalog.relations().len() as u64;
    progress.at(Phase::Sizing(0, expected));

    let connecting = Connecting {
        url: &target.url,
        limits: &limits,
        cancel,
        parallel: options.parallel,
    };
    let mut spent = Cost::default();
    let mut sized = Sized {
        method: Method::Functions,
        full_sweep_at: Some(now),
        database_bytes: None,
        unattributed: None,
    };
    let session = match choice {
        Choice::Files => {
            let unowned = &mut memory.unowned;
            let listing = files::size(
                &session,
                &mut catalog,
                &locks,
                &mut sizes,
                unowned,
                progress,
            )
            .await;
            sized.method = Method::Files;
            if let Some(listing) = in_time(listing.map(Some))? {
                spent.user_relation_locks = listing.user_relation_locks;
                sized.database_bytes = Some(listing.total_bytes);
                sized.unattributed = Some(listing.unattributed);
            }
            session
        }
        Choice::Functions => {
            sized.database_bytes = total(&session).await?;
            let slots = everything(&catalog);
            functions::size(
                session, connecting, &catalog, slots, &mut sizes, &mut spent, progress,
            )
            .await?
        }
        Choice::Changes => {
            let seen = Seen {
                catalog: &catalog,
                counts: &counts,
                locks: &locks,
                block_size,
            };
            let stamps = in_time(changes::stamps(&session).await)?;
            let is_standby = session.server().in_recovery;
            let sweep = memory
                .sweep
                .take()
                .filter(|sweep| !is_standby && sweep.holds(&stamps, now, options.full_sweep_every));
            match sweep {
                Some(mut sweep) => {
                    let slots = sweep.carry_over(&seen, &mut sizes);
                    let learned = slots.clone();
                    let session = functions::size(
                        session, connecting, &catalog, slots, &mut sizes, &mut spent, progress,
                    )
                    .await?;
                    sweep.learn(&seen, &learned, &sizes);
                    sized.method = Method::Changes;
                    sized.full_sweep_at = Some(sweep.at);
                    sized.database_bytes = match sweep.carried_total(&sizes) {
                        Some(total) => Some(total),
                        None => total(&session).await?,
                    };
                    memory.sweep = Some(sweep);
                    session
                }
                None => {
                    sized.database_bytes = total(&session).await?;
                    let slots = everything(&catalog);
                    let session = functions::size(
                        session, connecting, &catalog, slots, &mut sizes, &mut spent, progress,
                    )
                    .await?;
                    memory.sweep = Sweep::after_full(
                        now,
                        stamps,
                        &seen,
                        &sizes,
                        sized.database_bytes.unwrap_or(0),
                    );
                    session
                }
            }
        }
    };

    let mut tables = catalog.tables(&sizes, &counts, block_size);
    drop((catalog, sizes, counts));
    let unattributed_bytes = sized
        .unattributed
        .as_ref()
        .map(|causes| causes.iter().map(|cause| cause.bytes).sum());
    let database_bytes = sized.database_bytes.unwrap_or_else(|| known_bytes(&tables));
    let totals = reconcile(&mut tables, database_bytes, unattributed_bytes);

    progress.at(Phase::Facts);
    let facts = match facts(&session, &[(session.database_oid(), totals.total_bytes)]).await {
        Ok(facts) => facts,
        Err(error @ VisitError::Cancelled { .. }) => return Err(error),
        // Sizes are what the visit is for: what is around them may be missing.
        Err(error) => {
            tracing::warn!(reason = %error, "storage.facts.not_read");
            InstanceFacts::default()
        }
    };
    if spent.backend_memory_bytes.is_none() {
        cost::add_memory(&mut spent, session.backend_memory().await);
    }
    cost::add(&mut spent, &session.cost());
    let server = session.server().clone();
    let database = session.database().into();
    let database_oid = session.database_oid();
    session.close().await;
    Ok(Snapshot {
        instance: target.instance.clone(),
        database,
        database_oid,
        server,
        measured_at: now,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        method: sized.method,
        full_sweep_at: sized.full_sweep_at,
        tables,
        totals,
        unattributed: sized.unattributed.unwrap_or_default(),
        facts,
        cost: spent,
    })
}

/// What sizing found besides the relations' sizes.
struct Sized {
    method: Method,
    full_sweep_at: Option<Timestamp>,
    /// None if the deadline came first.
    database_bytes: Option<u64>,
    /// None where the method cannot tell.
    unattributed: Option<Vec<Unattributed>>,
}

/// The method of this visit, once the server was asked what the role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Files,
    Functions,
    Changes,
}

async fn choose(session: &Session, choice: MethodChoice) -> Result<Choice, VisitError> {
    Ok(match choice {
        MethodChoice::Functions => Choice::Functions,
        MethodChoice::Changes => Choice::Changes,
        MethodChoice::Files => Choice::Files,
        MethodChoice::Auto if Privileges::read(session).await?.may_read_files() => Choice::Files,
        MethodChoice::Auto => Choice::Functions,
    })
}

/// Every relation that has storage.
fn everything(catalog: &Catalog) -> Vec<Slot> {
    catalog
        .slots()
        .filter(|(_, relation)| relation.filenode != 0)
        .map(|(slot, _)| slot)
        .collect()
}

/// `pg_database_size`, unless the deadline comes first or the role may not ask.
async fn total(session: &Session) -> Result<Option<u64>, VisitError> {
    match functions::database_size(session).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.session_lives() => {
            tracing::warn!(reason = %error, "storage.sizing.total_not_read");
            Ok(None)
        }
        Err(error) => in_time(Err(error)),
    }
}

/// What the visit can do without when the deadline comes.
fn in_time<T: Default>(result: Result<T, VisitError>) -> Result<T, VisitError> {
    match result {
        Err(VisitError::TimedOut { .. }) => Ok(T::default()),
        result => result,
    }
}

/// The total where the database's is not known.
fn known_bytes(tables: &[Table]) -> u64 {
    tables
        .iter()
        .flat_map(Table::parts)
        .filter_map(|size| size.bytes)
        .sum()
}
