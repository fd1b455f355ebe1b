//! The method *changes*: between full sweeps, *functions* for what can have changed only.
//!
//! What can have changed: relations whose counters, file or page count moved, or that were write-locked
//! now or at the last two visits, each with the whole of its table; every GIN and BRIN index whose table
//! ever moved or holds bytes (pending lists and summaries grow unseen); everything after a statistics reset, a restart
//! or a crash, and on a standby, where nothing is counted. What a session has not reported yet can be
//! missed, so a full sweep comes again after a while, and the answer says when the last one was. One comes at
//! once where counters are switched off for the server, a role or the database, and where bytes appear that
//! are in no relation: somebody may have switched them off for a session.

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::Oid;
use plimsoll_core::size::Status;

use crate::catalog::{Catalog, Kind, Relation, Slot};
use crate::error::VisitError;
use crate::inventory::Inventory;
use crate::session::Session;
use crate::sizes::{RelationSize, Sizes};

/// Above so many relations the total is carried forward between full sweeps: `pg_database_size` would
/// cost the server more than the whole visit.
const TOTAL_IS_CARRIED_ABOVE: usize = 20_000;

/// For how long. What counters did not tell is noticed then.
const TOTAL_IS_CARRIED_FOR: SignedDuration = SignedDuration::from_hours(1);

/// The last full sweep, brought up to date by every visit since.
#[derive(Debug)]
pub(crate) struct Sweep {
    at: Timestamp,
    stamps: String,
    /// Bytes that belonged to no relation at the full sweep, at most. None if something was not read then.
    unattributed_bytes: Option<u64>,
    /// When the server was last asked for the total.
    total_asked_at: Timestamp,
    /// Ordered by OID.
    known: Vec<KnownRelation>,
}

/// What is remembered of one relation.
#[derive(Debug, Clone, Copy)]
struct KnownRelation {
    oid: Oid,
    filenode: Oid,
    pages: u32,
    main_pages: u32,
    bytes: u64,
    moves: u64,
    /// Whether `bytes` was measured.
    is_measured: bool,
    /// Whether it was ever seen to move.
    ever_moved: bool,
    /// One bit a visit, the lowest one for the last: whether it was write-locked.
    written: u8,
}

/// The visits whose write locks count: now and the last two.
const WRITTEN_LATELY: u8 = 0b111;

/// `pg_stat_*.stats_reset` and the server's start, as one text: any difference means that counters may
/// have begun anew. None where they are not counted.
pub(crate) async fn stamps(session: &Session) -> Result<Option<String>, VisitError> {
    session.read(&session.one(&stamps_sql(session), &[]).await?, 0)
}

/// The statement that reads them.
pub(crate) fn stamps_sql(session: &Session) -> String {
    let checkpointer = if session.server().major() >= 17 {
        "(select coalesce(c.stats_reset::text, '-') from pg_stat_checkpointer c),"
    } else {
        ""
    };
    include_str!("changes/stamps.sql").replace("{checkpointer}", checkpointer)
}

impl Sweep {
    /// When every relation was last read.
    pub(crate) const fn at(&self) -> Timestamp {
        self.at
    }

    /// Whether it can stand for what has not changed since.
    pub(crate) fn holds(
        &self,
        stamps: Option<&str>,
        now: Timestamp,
        full_sweep_every: std::time::Duration,
    ) -> bool {
        let age = now.duration_since(self.at);
        stamps == Some(&self.stamps) && !age.is_negative() && age.unsigned_abs() < full_sweep_every
    }

    /// Takes over what cannot have changed; returns what has to be sized.
    pub(crate) fn carry_over(&mut self, inventory: &Inventory, sizes: &mut Sizes) -> Vec<Slot> {
        let catalog = &inventory.catalog;
        let before = std::mem::take(&mut self.known);
        let mut moved = vec![true; catalog.relations().len()];
        let mut known = Vec::with_capacity(before.len());
        let mut rest = before.into_iter().peekable();
        for slot in by_oid(catalog) {
            let relation = catalog.relation(slot);
            while rest.next_if(|known| known.oid < relation.oid).is_some() {}
            let old = rest.next_if(|known| known.oid == relation.oid);
            let (new, has_moved) = compare(relation, old, inventory);
            moved[slot as usize] = has_moved;
            known.push((slot, new));
        }
        spread(catalog, &mut moved);
        let mut to_size = Vec::new();
        for (slot, known) in &mut known {
            let at = *slot as usize;
            known.ever_moved |= moved[at];
            if moved[at] {
                to_size.push(*slot);
            } else {
                let main_bytes = u64::from(known.main_pages) * inventory.block_size;
                sizes.set(*slot, RelationSize::measured(known.bytes, main_bytes));
            }
        }
        let always: Vec<Slot> = known
            .iter()
            .filter(|(slot, _)| !moved[*slot as usize] && grows_unseen(catalog, *slot))
            .filter(|(slot, _)| {
                let table = catalog.relation(*slot).table;
                known
                    .binary_search_by_key(&table, |(_, known)| known.oid)
                    .map_or(true, |at| known[at].1.ever_moved || known[at].1.bytes > 0)
            })
            .map(|(slot, _)| *slot)
            .collect();
        to_size.extend(always);
        self.known = known.into_iter().map(|(_, known)| known).collect();
        to_size.retain(|slot| catalog.relation(*slot).filenode != 0);
        to_size
    }

    /// Keeps what was sized.
    pub(crate) fn learn(&mut self, inventory: &Inventory, slots: &[Slot], sizes: &Sizes) {
        for slot in slots {
            let oid = inventory.catalog.relation(*slot).oid;
            if let Ok(at) = self.known.binary_search_by_key(&oid, |known| known.oid) {
                self.known[at].take(sizes.get(*slot), inventory.block_size);
            }
        }
    }

    /// What a full sweep saw; none if the deadline left something out.
    pub(crate) fn after_full(
        at: Timestamp,
        stamps: String,
        inventory: &Inventory,
        sizes: &Sizes,
        database_bytes: Option<u64>,
    ) -> Option<Self> {
        let mut known = Vec::with_capacity(inventory.catalog.relations().len());
        for slot in by_oid(&inventory.catalog) {
            let found = sizes.get(slot);
            if found.status == Status::TimedOut {
                return None;
            }
            let (mut new, _) = compare(inventory.catalog.relation(slot), None, inventory);
            new.take(found, inventory.block_size);
            known.push(new);
        }
        Some(Self {
            at,
            stamps,
            unattributed_bytes: database_bytes.and_then(|bytes| beside(bytes, sizes)),
            total_asked_at: at,
            known,
        })
    }

    /// Whether the server is asked for the database's total, or that is carried forward.
    pub(crate) fn asks_total(&self, now: Timestamp) -> bool {
        let age = now.duration_since(self.total_asked_at);
        self.known.len() <= TOTAL_IS_CARRIED_ABOVE
            || self.unattributed_bytes.is_none()
            || age.is_negative()
            || age >= TOTAL_IS_CARRIED_FOR
    }

    /// Whether more bytes belong to no relation than did at the full sweep: counters did not tell the truth,
    /// or something is being made. `database_bytes` is from before the sizes.
    pub(crate) fn is_doubted_by(
        &mut self,
        database_bytes: u64,
        sizes: &Sizes,
        now: Timestamp,
    ) -> bool {
        self.total_asked_at = now;
        let Some(now) = beside(database_bytes, sizes) else {
            return false;
        };
        now > *self.unattributed_bytes.get_or_insert(now)
    }

    /// The database's total without asking the server, where asking costs too much: what belonged to no
    /// relation at the full sweep, and what relations have now.
    pub(crate) fn carried_total(&self, sizes: &Sizes) -> Option<u64> {
        sizes.is_whole().then(|| {
            self.unattributed_bytes
                .map(|bytes| bytes + sizes.measured_bytes())
        })?
    }
}

/// Bytes that belong to no relation; none if a relation was not read.
fn beside(database_bytes: u64, sizes: &Sizes) -> Option<u64> {
    sizes
        .is_whole()
        .then(|| database_bytes.saturating_sub(sizes.measured_bytes()))
}

impl KnownRelation {
    fn take(&mut self, found: &RelationSize, block_size: u64) {
        self.is_measured = found.is_measured;
        if found.is_measured {
            self.bytes = found.bytes;
            self.main_pages =
                u32::try_from(found.main_bytes / block_size.max(1)).unwrap_or(u32::MAX);
        }
    }
}

fn by_oid(catalog: &Catalog) -> Vec<Slot> {
    let mut slots: Vec<Slot> = catalog.slots().map(|(slot, _)| slot).collect();
    slots.sort_unstable_by_key(|slot| catalog.relation(*slot).oid);
    slots
}

/// A relation as it is now, and whether it can have changed by itself.
fn compare(
    relation: &Relation,
    old: Option<KnownRelation>,
    inventory: &Inventory,
) -> (KnownRelation, bool) {
    let moves = inventory.counts.moves(relation.oid);
    let locks = inventory.locks.as_ref();
    let is_written = locks.is_none_or(|locks| locks.is_written(relation.oid));
    let Some(old) = old else {
        let new = KnownRelation {
            oid: relation.oid,
            filenode: relation.filenode,
            pages: relation.pages,
            main_pages: 0,
            bytes: 0,
            moves,
            is_measured: false,
            ever_moved: moves > 0,
            written: u8::from(is_written),
        };
        return (new, true);
    };
    let new = KnownRelation {
        filenode: relation.filenode,
        pages: relation.pages,
        moves,
        written: (old.written << 1) | u8::from(is_written),
        ..old
    };
    let has_moved = !old.is_measured
        || old.filenode != new.filenode
        || old.pages != new.pages
        || old.moves != new.moves
        || new.written & WRITTEN_LATELY != 0;
    (new, has_moved)
}

/// Where a table or its toast table moved, everything of that table may have.
fn spread(catalog: &Catalog, moved: &mut [bool]) {
    for (slot, relation) in catalog.slots() {
        if let Some(toast) = catalog.slot(relation.toast).filter(|_| relation.toast != 0) {
            let either = moved[slot as usize] || moved[toast as usize];
            moved[slot as usize] = either;
            moved[toast as usize] = either;
        }
    }
    for (slot, relation) in catalog.slots() {
        if relation.kind == Kind::Index
            && let Some(table) = catalog.slot(relation.table)
        {
            moved[slot as usize] |= moved[table as usize];
        }
    }
}

/// Whether an index grows without its table's counters, its file or its page count telling.
fn grows_unseen(catalog: &Catalog, slot: Slot) -> bool {
    let relation = catalog.relation(slot);
    relation.kind == Kind::Index
        && catalog
            .access_method(relation)
            .is_none_or(|name| !matches!(&**name, "btree" | "hash" | "gist" | "spgist"))
}
