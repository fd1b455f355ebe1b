//! One visit, step by step.

use std::sync::atomic::AtomicU32;
use std::time::Instant;

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::snapshot::{Cost, Snapshot, Totals};
use tokio_util::sync::CancellationToken;

use crate::assemble;
use crate::catalog::Catalog;
use crate::connecting::Connecting;
use crate::cost;
use crate::counters::Counting;
use crate::cross_check::cross_check;
use crate::error::VisitError;
use crate::facts::facts;
use crate::inventory::Inventory;
use crate::locks::Locks;
use crate::options::{MethodChoice, Target, VisitOptions};
use crate::privileges::Privileges;
use crate::progress::{Phase, Progress};
use crate::session::{Limits, Session};
use crate::visit::Memory;
use crate::visit::sizing::{Choice, Sizing, SizingResult, can_do_without};

/// Visits a database once. `now` becomes the snapshot's `measured_at`.
///
/// When the deadline comes after the catalog was read, or the session ends and cannot be replaced, the
/// snapshot has what was sized until then, and status `timed_out` for the rest.
///
/// # Errors
/// When there is no connection, when the catalog cannot be read, and when the session ends before anything
/// was sized.
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
    let lost = AtomicU32::new(0);
    let connecting = Connecting {
        url: &target.url,
        limits: &limits,
        cancel,
        lending: &options.lending,
        parallel: options.parallel,
        lost: &lost,
    };
    let session = connecting.open().await?;
    memory.belong_to(&session);
    let mut choice = choose(&session, options.method).await?;

    progress.at(Phase::Catalog);
    // Locks before counters: who writes in between is seen by one or the other.
    let locks = match choice {
        Choice::Changes => can_do_without(Locks::read(&session).await)?,
        Choice::Files | Choice::Functions => None,
    };
    let counting = Counting::on(&session, choice == Choice::Changes);
    let (catalog, counts) = match Catalog::read(&session, counting).await {
        // Perhaps it is only what is counted that the role may not see, and no size needs that.
        Err(error @ VisitError::PermissionDenied { .. }) if counting.rows() => {
            let read = Catalog::read(&session, Counting::Nothing).await?;
            tracing::warn!(reason = %error, "storage.counters.not_read");
            if choice == Choice::Changes {
                choice = Choice::Functions;
                memory.sweep = None;
            }
            read
        }
        read => read?,
    };
    let mut inventory = Inventory {
        catalog,
        counts,
        locks,
        block_size: u64::from(session.server().block_size),
    };
    let (database, database_oid) = (session.database().into(), session.database_oid());
    let server = session.server().clone();
    let expected = inventory.catalog.relations().len() as u64;
    progress.at(Phase::Sizing(0, expected));
    let sizing = Sizing {
        connecting,
        options,
        progress,
        now,
    };
    let mut sized = SizingResult::nothing(&inventory, choice, now);
    let session = sizing.size(session, choice, &mut inventory, memory, &mut sized);
    let session = match session.await {
        Ok(session) => Some(session),
        Err(error @ VisitError::Cancelled { .. }) => return Err(error),
        Err(error) if !sized.sizes.has_measured(&inventory.catalog) => return Err(error),
        Err(error) => {
            tracing::warn!(code = error.code(), reason = %error, "storage.visit.cut_short");
            None
        }
    };
    if let Some(session) = &session {
        let checked = cross_check(session, &mut inventory, &sized.sizes);
        can_do_without(checked.await)?;
    }
    let tables = assemble::tables(&inventory, &sized.sizes);
    drop((inventory, sized.sizes));
    let unattributed_bytes = sized
        .unattributed
        .as_ref()
        .map(|causes| causes.iter().map(|cause| cause.bytes).sum());
    let totals = reconcile(&tables, sized.database_bytes, unattributed_bytes);

    progress.at(Phase::Facts);
    let mut cost = sized.spent;
    let facts = match session {
        Some(session) => facts_and_close(session, &totals, &mut cost).await?,
        None => InstanceFacts::default(),
    };
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
        cost,
    })
}

async fn choose(session: &Session, choice: MethodChoice) -> Result<Choice, VisitError> {
    Ok(match choice {
        MethodChoice::Files => Choice::Files,
        MethodChoice::Functions => Choice::Functions,
        MethodChoice::Changes => Choice::Changes,
        MethodChoice::Auto if Privileges::read(session).await?.may_read_files() => Choice::Files,
        MethodChoice::Auto => Choice::Functions,
    })
}

/// The rest of the server's disk, and the session's end. Sizes are what the visit is for: this may be missing.
async fn facts_and_close(
    session: Session,
    totals: &Totals,
    cost: &mut Cost,
) -> Result<InstanceFacts, VisitError> {
    let known: Vec<_> = totals
        .total_bytes
        .map(|bytes| (session.database_oid(), bytes))
        .into_iter()
        .collect();
    let facts = facts(&session, &known).await?;
    if let Some(reason) = facts.databases.reason() {
        tracing::warn!(reason, "storage.facts.not_read");
    }
    if cost.backend_memory_bytes.is_none() {
        cost::add_memory(cost, session.backend_memory().await);
    }
    cost::add(cost, &session.cost());
    session.close().await;
    Ok(facts)
}
