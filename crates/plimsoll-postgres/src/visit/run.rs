//! One visit, step by step.

use std::time::Instant;

use jiff::Timestamp;
use plimsoll_core::instance::InstanceFacts;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::snapshot::{Snapshot, Table};
use tokio_util::sync::CancellationToken;

use crate::assemble;
use crate::catalog::Catalog;
use crate::cost;
use crate::counters::Counting;
use crate::error::VisitError;
use crate::facts::facts;
use crate::functions::Connecting;
use crate::locks::Locks;
use crate::options::{MethodChoice, Target, VisitOptions};
use crate::privileges::Privileges;
use crate::progress::{Phase, Progress};
use crate::seen::Seen;
use crate::session::{Limits, Session};
use crate::visit::Memory;
use crate::visit::sizing::{Around, Choice, in_time};

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
    // Locks before counters: who writes in between is seen by one or the other.
    let locks = in_time(Locks::read(&session).await)?;
    let counting = Counting::on(&session, choice == Choice::Changes);
    let (catalog, counts) = Catalog::read(&session, counting).await?;
    let mut seen = Seen {
        catalog,
        counts,
        locks,
        block_size: u64::from(session.server().block_size),
    };
    let expected = seen.catalog.relations().len() as u64;
    progress.at(Phase::Sizing(0, expected));
    let around = Around {
        connecting: Connecting {
            url: &target.url,
            limits: &limits,
            cancel,
            parallel: options.parallel,
        },
        options,
        progress,
        now,
    };
    let (session, sized) = around.size(session, choice, &mut seen, memory).await?;
    let mut tables = assemble::tables(&seen, &sized.sizes);
    drop((seen, sized.sizes));
    let unattributed_bytes = sized
        .unattributed
        .as_ref()
        .map(|causes| causes.iter().map(|cause| cause.bytes).sum());
    let database_bytes = sized.database_bytes.unwrap_or_else(|| known_bytes(&tables));
    let totals = reconcile(&mut tables, database_bytes, unattributed_bytes);

    progress.at(Phase::Facts);
    let facts = around_it(&session, totals.total_bytes).await?;
    let mut cost = sized.spent;
    if cost.backend_memory_bytes.is_none() {
        cost::add_memory(&mut cost, session.backend_memory().await);
    }
    cost::add(&mut cost, &session.cost());
    let snapshot = Snapshot {
        instance: target.instance.clone(),
        database: session.database().into(),
        database_oid: session.database_oid(),
        server: session.server().clone(),
        measured_at: now,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        method: sized.method,
        full_sweep_at: sized.full_sweep_at,
        tables,
        totals,
        unattributed: sized.unattributed.unwrap_or_default(),
        facts,
        cost,
    };
    session.close().await;
    Ok(snapshot)
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

/// The rest of the server's disk. Sizes are what the visit is for: this may be missing.
async fn around_it(session: &Session, total_bytes: u64) -> Result<InstanceFacts, VisitError> {
    let known = [(session.database_oid(), total_bytes)];
    let facts = facts(session, &known).await?;
    if let Some(reason) = facts.databases.reason() {
        tracing::warn!(reason, "storage.facts.not_read");
    }
    Ok(facts)
}

/// The total where the database's is not known.
fn known_bytes(tables: &[Table]) -> u64 {
    tables
        .iter()
        .flat_map(Table::parts)
        .filter_map(|size| size.bytes)
        .sum()
}
