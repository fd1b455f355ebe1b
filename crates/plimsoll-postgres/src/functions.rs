//! The method *functions*: `pg_relation_size` of each relation, by OID, in batches.
//!
//! For servers where the data files cannot be listed. Somebody else's ACCESS EXCLUSIVE lock, held or
//! waited for, costs that relation only. A backend keeps what it once opened in its relation cache, so
//! connections are replaced before that cache grows large.

mod absent;
mod work;

use plimsoll_core::size::Status;
use plimsoll_core::snapshot::Cost;
use tokio_postgres::types::Type;

use crate::catalog::{Catalog, Slot};
use crate::connecting::Connecting;
use crate::error::VisitError;
use crate::functions::work::Work;
use crate::progress::Progress;
use crate::session::Session;
use crate::sizes::{RelationSize, Sizes, status_of};
use crate::transactions::Transactions;

pub(crate) use crate::functions::absent::mark_missing;

/// How often what changed during the visit is looked at again.
const ROUNDS: usize = 3;

/// Where what is found goes.
pub(crate) struct Output<'a> {
    pub sizes: &'a mut Sizes,
    pub spent: &'a mut Cost,
    /// `pg_database_size`, if it is asked for.
    pub total: Option<&'a mut Option<u64>>,
}

/// `pg_database_size`, unless the deadline comes first or the role may not ask.
pub(crate) async fn total(session: &Session) -> Result<Option<u64>, VisitError> {
    match database_size(session).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.session_lives() => {
            tracing::warn!(reason = %error, "storage.sizing.total_not_read");
            Ok(None)
        }
        Err(VisitError::TimedOut { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn database_size(session: &Session) -> Result<Option<u64>, VisitError> {
    let sql = include_str!("functions/database.sql");
    let row = session
        .one(sql, &[(&session.database_oid(), Type::OID)])
        .await?;
    let bytes: Option<i64> = session.read(&row, 0)?;
    Ok(bytes.map(i64::unsigned_abs))
}

/// Sizes the relations of `slots`; returns the session to go on with.
///
/// When the deadline comes, or the session ends and no other can be had, what has been read stays and the
/// rest keeps status `timed_out`. What was locked or cancelled is tried once more at the end: most locks
/// are short, and a batch that took too long is not the fault of the relation whose turn it was. When a
/// transaction ended in between, what it created or gave another toast table is sized as well.
pub(crate) async fn size(
    mut session: Session,
    connecting: Connecting<'_>,
    catalog: &mut Catalog,
    slots: Vec<Slot>,
    output: Output<'_>,
    progress: &dyn Progress,
) -> Result<Session, VisitError> {
    let Output {
        sizes,
        spent,
        mut total,
    } = output;
    let mut slots = slots;
    let mut snapshot = catalog.snapshot().to_owned();
    for round in 0..=ROUNDS {
        let output = Output {
            sizes,
            spent,
            total: total.take(),
        };
        let work = Work::new(catalog, &slots, output, round > 0, progress, connecting);
        session = work.run_all(session).await?;
        slots = match look_again(&session, catalog, sizes, &mut snapshot).await {
            Ok(slots) => slots,
            Err(error) if status_of(&error).is_some() => {
                tracing::warn!(reason = %error, "storage.sizing.not_looked_again");
                break;
            }
            Err(error) => return Err(error),
        };
        if slots.is_empty() || round == ROUNDS {
            break;
        }
    }
    Ok(session)
}

/// Reads again what changed since the catalog was read; returns what is to be sized again.
///
/// `snapshot` is that of the last look.
async fn look_again(
    session: &Session,
    catalog: &mut Catalog,
    sizes: &mut Sizes,
    snapshot: &mut String,
) -> Result<Vec<Slot>, VisitError> {
    let now = Transactions::read(session).await?.snapshot;
    if now == *snapshot {
        return Ok(Vec::new());
    }
    *snapshot = now;
    let changed = catalog.changed(session).await?;
    for slot in changed.dropped {
        sizes.set(slot, RelationSize::unread(Status::Dropped));
    }
    catalog.read_again(session, &changed.altered).await?;
    sizes.grow(catalog);
    Ok(changed
        .altered
        .iter()
        .filter_map(|oid| catalog.slot(*oid))
        .filter(|slot| catalog.relation(*slot).filenode != 0)
        .collect())
}

/// The statement that sizes a batch, as the role may ask it.
pub(crate) fn sizes_sql(session: &Session) -> String {
    let all_forks = if session.may_add_forks() {
        "pg_table_size(t.oid)"
    } else {
        "pg_relation_size(t.oid, 'main') + pg_relation_size(t.oid, 'fsm') \
         + pg_relation_size(t.oid, 'vm') + pg_relation_size(t.oid, 'init')"
    };
    include_str!("functions/sizes.sql").replace("{all_forks}", all_forks)
}
