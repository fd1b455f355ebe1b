//! Works off the relations that *functions* sizes: batch after batch, on one connection or two.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::HashMap;
use plimsoll_core::Oid;
use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{Cost, Persistence};
use tokio_postgres::types::Type;

use super::{Output, sizes_sql, total};
use crate::catalog::{Catalog, Kind, Relation, Slot};
use crate::connecting::Connecting;
use crate::cost;
use crate::error::VisitError;
use crate::progress::{Phase, Progress};
use crate::session::Session;
use crate::sizes::{RelationSize, Sizes, status_of};

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

/// After so many failures in a row in one tablespace, the rest of it is not tried: it is the role or the
/// folder, not the relation.
const FAILURES_IN_A_ROW: usize = 20;

/// Relations that one statement sizes.
type Batch = Vec<Slot>;

/// In the order of OIDs: a table, its toast table and its indexes were mostly made together, so their
/// rows lie on the same pages of the server's catalog.
fn batches(catalog: &Catalog, mut slots: Vec<Slot>) -> VecDeque<Batch> {
    slots.sort_unstable_by_key(|slot| catalog.relation(*slot).oid);
    slots.chunks(BATCH).map(<[Slot]>::to_vec).collect()
}

/// Whether it may have a toast table, which `pg_table_size` would add, and has rows to be estimated from
/// its main fork.
const fn is_table(relation: &Relation) -> bool {
    matches!(relation.kind, Kind::Table | Kind::Matview)
}

/// The relations of one round, and where what is found goes.
pub(super) struct Work<'a> {
    catalog: &'a Catalog,
    batches: Mutex<VecDeque<Batch>>,
    /// What is worth another try at the end.
    again: Mutex<Vec<Slot>>,
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

impl<'a> Work<'a> {
    pub(super) fn new(
        catalog: &'a Catalog,
        slots: &[Slot],
        output: Output<'a>,
        is_full_one_known: bool,
        progress: &'a dyn Progress,
        connecting: Connecting<'a>,
    ) -> Self {
        Self {
            catalog,
            batches: Mutex::new(batches(catalog, slots.to_vec())),
            again: Mutex::default(),
            found: Mutex::new((output.sizes, 0)),
            spent: Mutex::new(output.spent),
            database_bytes: Mutex::new(output.total),
            is_full_one_known: AtomicBool::new(is_full_one_known),
            total: slots.len() as u64,
            progress,
            connecting,
        }
    }

    /// Works off the batches on as many connections as are wished for, then once more what was locked or
    /// cancelled.
    pub(super) async fn run_all(&self, session: Session) -> Result<Session, VisitError> {
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
            let session = session?;
            match second {
                Ok(()) => session,
                Err(error @ VisitError::Cancelled { .. }) => return Err(error),
                Err(error) => {
                    tracing::warn!(reason = %error, "storage.sizing.second_connection_lost");
                    self.ask_total(&session).await?;
                    // What the second one had in hand when it ended.
                    self.run(session).await?
                }
            }
        } else {
            let session = match self.ask_total(&session).await {
                Ok(()) => session,
                Err(error) => {
                    self.spend(session).await;
                    let session = self.connecting.again(error).await?;
                    self.ask_total(&session).await?;
                    session
                }
            };
            self.run(session).await?
        };
        let again = std::mem::take(&mut *lock(&self.again));
        if again.is_empty() {
            return Ok(session);
        }
        *lock(&self.batches) = batches(self.catalog, again);
        self.run(session).await
    }

    async fn ask_total(&self, session: &Session) -> Result<(), VisitError> {
        let place = lock(&self.database_bytes).take();
        let Some(place) = place else { return Ok(()) };
        let asked = total(session).await;
        match asked {
            Ok(bytes) => *place = bytes,
            Err(error) => {
                *lock(&self.database_bytes) = Some(place);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Takes batch after batch until none is left or the deadline comes. A session that ends is replaced;
    /// where none is to be had, the error says how the last one ended.
    async fn run(&self, mut session: Session) -> Result<Session, VisitError> {
        let mut opened = 0;
        let mut look_at = LOOK_EVERY;
        let mut bytes = None;
        let mut streaks = FailureStreaks::default();
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
                session = match self.connecting.open().await {
                    Ok(session) => session,
                    Err(error) => {
                        self.put_back(batch);
                        return Err(error);
                    }
                };
                (opened, look_at, bytes) = (0, LOOK_EVERY, None);
            }
            opened += batch.len();
            match self.size(&session, batch, &mut streaks).await {
                Ok(()) => {}
                Err((_, VisitError::TimedOut { .. })) => return Ok(session),
                Err((rest, error)) => {
                    self.put_back(rest);
                    self.spend(session).await;
                    session = self.connecting.again(error).await?;
                    (opened, look_at, bytes) = (0, LOOK_EVERY, None);
                }
            }
        }
        Ok(session)
    }

    /// Sizes a batch. An error belongs to the relation whose turn it was: what came before it has its
    /// answer, and what comes after it is asked for again. An error that ends the session comes back with
    /// what was not asked for.
    async fn size(
        &self,
        session: &Session,
        batch: Batch,
        streaks: &mut FailureStreaks,
    ) -> Result<(), (Batch, VisitError)> {
        let mut rest = self.without_hopeless(batch, streaks);
        while !rest.is_empty() {
            let mut answered = 0;
            let result = self.ask(session, &rest, &mut answered).await;
            let mut after = rest.split_off(answered.min(rest.len()));
            if !streaks.is_untried() {
                for slot in &rest {
                    streaks.succeeded(self.catalog.relation(*slot).tablespace);
                }
            }
            let Err(error) = result else { return Ok(()) };
            if matches!(
                error,
                VisitError::TimedOut { .. } | VisitError::Cancelled { .. }
            ) {
                return Err((after, error));
            }
            // Also when the session is over: it may be this relation that ended it.
            let status = status_of(&error);
            if !after.is_empty() {
                let failed = after.remove(0);
                let relation = self.catalog.relation(failed);
                tracing::debug!(relation = relation.oid, reason = %error, "storage.sizing.relation_not_read");
                let status = status.unwrap_or(Status::TimedOut);
                self.set(failed, RelationSize::unread(status));
                streaks.failed(relation.tablespace, status);
            }
            if status.is_none() {
                return Err((after, error));
            }
            rest = self.without_hopeless(after, streaks);
        }
        Ok(())
    }

    /// Gives up on what is in a tablespace where nothing could be read for so long.
    fn without_hopeless(&self, mut slots: Batch, streaks: &FailureStreaks) -> Batch {
        if streaks.is_untried() {
            return slots;
        }
        slots.retain(|slot| {
            let tablespace = self.catalog.relation(*slot).tablespace;
            let hopeless = streaks.is_over(tablespace);
            if let Some(status) = hopeless {
                self.set(*slot, RelationSize::unread(status));
            }
            hopeless.is_none()
        });
        slots
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
                if let Some(slot) = self.catalog.slot(oid) {
                    self.set(
                        slot,
                        match (is_locked, main, others) {
                            (true, ..) => RelationSize::unread(Status::Locked),
                            (false, Some(main), Some(others)) => RelationSize::measured(
                                (main + others).unsigned_abs(),
                                main.unsigned_abs(),
                            ),
                            _ => RelationSize::unread(Status::Dropped),
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

    fn put_back(&self, batch: Batch) {
        lock(&self.batches).push_front(batch);
    }

    fn remaining(&self) -> usize {
        lock(&self.batches).len()
    }

    fn set(&self, slot: Slot, found: RelationSize) {
        if matches!(found.status, Status::Locked | Status::TimedOut) {
            lock(&self.again).push(slot);
        }
        let mut known = lock(&self.found);
        known.0.set(slot, found);
        known.1 += 1;
        if known.1.is_multiple_of(BATCH as u64) {
            self.progress
                .at(Phase::Sizing(known.1.min(self.total), self.total));
        }
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

/// What has failed in a tablespace since something there last worked.
#[derive(Default)]
struct FailureStreaks(HashMap<Oid, (usize, Status)>);

impl FailureStreaks {
    fn is_untried(&self) -> bool {
        self.0.is_empty()
    }

    fn failed(&mut self, tablespace: Oid, status: Status) {
        let failures = self.0.entry(tablespace).or_insert((0, status));
        *failures = (failures.0 + 1, status);
    }

    fn succeeded(&mut self, tablespace: Oid) {
        self.0.remove(&tablespace);
    }

    /// What the last failure said, if there were too many.
    fn is_over(&self, tablespace: Oid) -> Option<Status> {
        let (failures, status) = self.0.get(&tablespace)?;
        (*failures >= FAILURES_IN_A_ROW).then_some(*status)
    }
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
