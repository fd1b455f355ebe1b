//! The method *functions*: `pg_relation_size` of each relation, by OID, in batches.
//!
//! For servers where the data files cannot be listed. Somebody else's ACCESS EXCLUSIVE lock, held or
//! waited for, costs that relation only. A backend keeps what it once opened in its relation cache, so
//! connections are replaced before that cache grows large.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_connect::DatabaseUrl;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{Cost, Persistence};
use tokio_postgres::types::Type;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, Kind, Relation, Slot};
use crate::cost;
use crate::error::VisitError;
use crate::progress::{Phase, Progress};
use crate::session::{Limits, Session};
use crate::sizes::{Found, Sizes};
use crate::transactions::Transactions;

/// How many relations one backend opens at most before it is replaced: some 4.5 kB of relation cache each.
const RELATIONS_A_CONNECTION: usize = 12_000;

/// After so many relations, and as many more, a backend's memory is looked at: wide tables and
/// expressions in indexes cost many times the usual. Looking costs a few milliseconds.
const LOOK_EVERY: usize = 4_000;

/// A backend that has more memory than this opens nothing more.
const BACKEND_BYTES: u64 = 56 << 20;

/// How many relations one statement sizes. Each statement costs a round trip, planning and a reading of
/// `pg_locks`, which 500 relations do not outweigh on a busy server; a larger batch makes that reading
/// older when the last relation's turn comes.
const BATCH: usize = 2_000;

/// After so many failures in a row, not one relation between them, the rest is not tried: it is the
/// role or the server, not the relation.
const FAILURES_IN_A_ROW: usize = 20;

/// How often what changed during the visit is looked at again.
const ROUNDS: usize = 3;

/// How to get further connections.
#[derive(Clone, Copy)]
pub(crate) struct Connecting<'a> {
    pub url: &'a DatabaseUrl,
    pub limits: &'a Limits,
    pub cancel: &'a CancellationToken,
    /// How many are used side by side.
    pub parallel: u8,
}

/// Where what is found goes.
pub(crate) struct Finds<'a> {
    pub sizes: &'a mut Sizes,
    pub spent: &'a mut Cost,
    /// `pg_database_size`, if it is asked for.
    pub total: Option<&'a mut Option<u64>>,
}

/// `pg_database_size`, unless the deadline comes first or the role may not ask.
pub(crate) async fn total(session: &Session) -> Result<Option<u64>, VisitError> {
    match database_size(session).await {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.session_lives() => {
            tracing::warn!(reason = %error, "storage.sizing.total_not_read");
            Ok(None)
        }
        Err(VisitError::TimedOut { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn database_size(session: &Session) -> Result<u64, VisitError> {
    let sql = include_str!("functions/database.sql");
    let row = session
        .one(sql, &[(&session.database_oid(), Type::OID)])
        .await?;
    let bytes: Option<i64> = session.read(&row, 0)?;
    Ok(bytes
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or(0))
}

/// Sizes the relations of `slots`; returns the session to go on with.
///
/// When the deadline comes, what has been read stays and the rest keeps status `timed_out`. What was
/// locked is tried once more at the end: most locks are short. When a transaction ended in between, what
/// it created or gave another toast table is sized as well.
pub(crate) async fn size(
    mut session: Session,
    connecting: Connecting<'_>,
    catalog: &mut Catalog,
    slots: Vec<Slot>,
    finds: Finds<'_>,
    progress: &dyn Progress,
) -> Result<Session, VisitError> {
    let Finds {
        sizes,
        spent,
        mut total,
    } = finds;
    let mut slots = slots;
    let mut snapshot = catalog.snapshot().to_owned();
    for round in 0..=ROUNDS {
        let work = Work {
            catalog,
            batches: Mutex::new(batches(catalog, slots.clone())),
            found: Mutex::new((sizes, 0)),
            spent: Mutex::new(spent),
            database_bytes: Mutex::new(total.take()),
            is_full_one_known: AtomicBool::new(round > 0),
            total: slots.len() as u64,
            progress,
            connecting,
        };
        session = work.run_all(session).await?;
        slots = match look_again(&session, catalog, sizes, &mut snapshot).await {
            Err(VisitError::TimedOut { .. }) => break,
            slots => slots?,
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
        sizes.set(slot, Found::unread(Status::Dropped));
    }
    catalog.read_again(session, &changed.restated).await?;
    sizes.grow(catalog);
    Ok(changed
        .restated
        .iter()
        .filter_map(|oid| catalog.slot(*oid))
        .filter(|slot| catalog.relation(*slot).filenode != 0)
        .collect())
}

impl Connecting<'_> {
    async fn open(&self) -> Result<Session, VisitError> {
        Session::open(self.url, self.limits, self.cancel).await
    }
}

/// Relations that one statement sizes.
type Batch = Vec<Slot>;

/// In the order of OIDs: a table, its toast table and its indexes were mostly made together, so their
/// rows lie on the same pages of the server's catalog.
fn batches(catalog: &Catalog, mut slots: Vec<Slot>) -> VecDeque<Batch> {
    slots.sort_unstable_by_key(|slot| catalog.relation(*slot).oid);
    slots.chunks(BATCH).map(<[Slot]>::to_vec).collect()
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

/// Whether it may have a toast table, which `pg_table_size` would add, and has rows to be estimated from
/// its main fork.
const fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, Kind::Table | Kind::Matview)
}

struct Work<'a> {
    catalog: &'a Catalog,
    batches: Mutex<VecDeque<Batch>>,
    /// What was found, and how many relations are done.
    found: Mutex<(&'a mut Sizes, u64)>,
    spent: Mutex<&'a mut Cost>,
    /// Where the database's total goes, until somebody asks for it.
    database_bytes: Mutex<Option<&'a mut Option<u64>>>,
    /// Whether it is known how much memory a backend has when it is replaced.
    is_full_one_known: AtomicBool,
    total: u64,
    progress: &'a dyn Progress,
    connecting: Connecting<'a>,
}

impl Work<'_> {
    /// Works off the batches on as many connections as are wished for, then once more what was locked.
    async fn run_all(&self, session: Session) -> Result<Session, VisitError> {
        let is_shared = self.connecting.parallel > 1 && self.remaining() > 1;
        let session = if is_shared {
            let first = self.run(session);
            let second = async {
                let session = self.connecting.open().await?;
                self.ask_total(&session).await?;
                let session = self.run(session).await?;
                self.spend(session).await;
                Ok::<(), VisitError>(())
            };
            let (session, second) = futures_util::future::join(first, second).await;
            second?;
            session?
        } else {
            self.ask_total(&session).await?;
            self.run(session).await?
        };
        let locked = self.locked();
        if locked.is_empty() {
            return Ok(session);
        }
        *lock(&self.batches) = batches(self.catalog, locked);
        self.run(session).await
    }

    async fn ask_total(&self, session: &Session) -> Result<(), VisitError> {
        let place = lock(&self.database_bytes).take();
        if let Some(place) = place {
            *place = total(session).await?;
        }
        Ok(())
    }

    /// Takes batch after batch until none is left or the deadline comes.
    async fn run(&self, mut session: Session) -> Result<Session, VisitError> {
        let mut opened = 0;
        let mut look_at = LOOK_EVERY;
        let mut bytes = None;
        let mut patience = Patience::default();
        while let Some(batch) = self.next() {
            // What is replaced for its number of relations is looked at once in a visit, to tell.
            let is_last = opened + batch.len() > RELATIONS_A_CONNECTION;
            if opened >= look_at
                && !(is_last && self.is_full_one_known.swap(true, Ordering::Relaxed))
            {
                look_at += LOOK_EVERY;
                let memory = session.backend_memory().await;
                bytes = memory.0;
                cost::add_memory(&mut lock(&self.spent), memory);
            }
            if is_full(opened, batch.len(), bytes) {
                // The old one goes first: a role may have one connection only.
                self.spend(session).await;
                session = self.connecting.open().await?;
                (opened, look_at, bytes) = (0, LOOK_EVERY, None);
            }
            opened += batch.len();
            match self.size(&session, &batch, &mut patience).await {
                Ok(()) => {}
                Err(VisitError::TimedOut { .. }) => return Ok(session),
                Err(error) => return Err(error),
            }
        }
        Ok(session)
    }

    /// Sizes a batch. An error belongs to the relation whose turn it was: what came before it has its
    /// answer, and what comes after it is asked for again.
    async fn size(
        &self,
        session: &Session,
        batch: &[Slot],
        patience: &mut Patience,
    ) -> Result<(), VisitError> {
        let mut rest = batch;
        while !rest.is_empty() {
            if patience.failures >= FAILURES_IN_A_ROW {
                self.set_all(rest, patience.status);
                return Ok(());
            }
            let mut answered = 0;
            let result = self.ask(session, rest, &mut answered).await;
            rest = &rest[answered.min(rest.len())..];
            if answered > 0 {
                patience.failures = 0;
            }
            let Err(error) = result else { return Ok(()) };
            patience.status = status(&error).ok_or_else(|| error.clone())?;
            patience.failures += 1;
            if let Some((failed, after)) = rest.split_first() {
                let relation = self.catalog.relation(*failed).oid;
                tracing::debug!(relation, reason = %error, "storage.sizing.relation_not_read");
                self.set(*failed, Found::unread(patience.status));
                rest = after;
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        session: &Session,
        slots: &[Slot],
        answered: &mut usize,
    ) -> Result<(), VisitError> {
        let oids: Vec<u32> = slots
            .iter()
            .map(|slot| self.catalog.relation(*slot).oid)
            .collect();
        let unlogged: Vec<bool> = slots
            .iter()
            .map(|slot| self.catalog.relation(*slot).persistence == Persistence::Unlogged)
            .collect();
        let tables: Vec<bool> = slots
            .iter()
            .map(|slot| is_table(self.catalog.relation(*slot)))
            .collect();
        let params = [
            (&oids as _, Type::OID_ARRAY),
            (&unlogged as _, Type::BOOL_ARRAY),
            (&tables as _, Type::BOOL_ARRAY),
        ];
        session
            .stream(&sizes_sql(session), &params, |row| {
                let oid: u32 = session.read(&row, 0)?;
                let is_locked: bool = session.read(&row, 1)?;
                let main = session.read::<Option<i64>, _>(&row, 2)?;
                let others = session.read::<Option<i64>, _>(&row, 3)?;
                let unsigned = |bytes: i64| u64::try_from(bytes).unwrap_or(0);
                if let Some(slot) = self.catalog.slot(oid) {
                    self.set(
                        slot,
                        match (is_locked, main, others) {
                            (true, ..) => Found::unread(Status::Locked),
                            (false, Some(main), Some(others)) => {
                                Found::measured(unsigned(main) + unsigned(others), unsigned(main))
                            }
                            _ => Found::unread(Status::Dropped),
                        },
                    );
                }
                *answered += 1;
                Ok(())
            })
            .await?;
        Ok(())
    }

    fn next(&self) -> Option<Batch> {
        lock(&self.batches).pop_front()
    }

    fn remaining(&self) -> usize {
        lock(&self.batches).len()
    }

    fn set(&self, slot: Slot, found: Found) {
        let mut known = lock(&self.found);
        known.0.set(slot, found);
        known.1 += 1;
        if known.1.is_multiple_of(BATCH as u64) {
            self.progress
                .at(Phase::Sizing(known.1.min(self.total), self.total));
        }
    }

    fn set_all(&self, slots: &[Slot], status: Status) {
        for slot in slots {
            self.set(*slot, Found::unread(status));
        }
    }

    fn locked(&self) -> Vec<Slot> {
        let known = lock(&self.found);
        self.catalog
            .slots()
            .map(|(slot, _)| slot)
            .filter(|slot| {
                let found = known.0.get(*slot);
                !found.is_measured && found.status == Status::Locked
            })
            .collect()
    }

    /// Closes a session and counts what it cost.
    async fn spend(&self, session: Session) {
        cost::add(&mut lock(&self.spent), &session.cost());
        session.close().await;
    }
}

/// Whether a backend that opened some relations, and then had so much memory, is replaced before it
/// opens more.
fn is_full(opened: usize, more: usize, bytes: Option<u64>) -> bool {
    let has_too_much = bytes.is_some_and(|bytes| bytes > BACKEND_BYTES);
    opened > 0 && (has_too_much || opened + more > RELATIONS_A_CONNECTION)
}

/// What has failed since something last worked.
#[derive(Default)]
struct Patience {
    failures: usize,
    status: Status,
}

/// What an error says about the relation whose turn it was; none if the session is over.
fn status(error: &VisitError) -> Option<Status> {
    Some(match error {
        VisitError::LockTimedOut { .. } | VisitError::RecoveryConflict { .. } => Status::Locked,
        VisitError::StatementTimedOut { .. } => Status::TimedOut,
        VisitError::PermissionDenied { .. } | VisitError::QueryFailed { .. } => Status::Denied,
        _ => return None,
    })
}

/// Nothing panics while it holds one of these locks, so a poisoned one is as good as new.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_replaced_for_its_memory_or_its_relations() {
        for (opened, megabytes, expected) in [
            (0, None, false),
            (10_000, None, false),
            (12_000, None, true),
            (8_000, Some(56), false),
            (4_000, Some(57), true),
        ] {
            let bytes = megabytes.map(|megabytes: u64| megabytes << 20);
            assert_eq!(
                is_full(opened, BATCH, bytes),
                expected,
                "{opened}, {megabytes:?} MB"
            );
        }
    }
}
