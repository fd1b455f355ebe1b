//! Compares a snapshot with what is known, relation by relation.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::link::{Links, OidMap, is_restored};
use super::{
    Changes, Event, EventKind, FormerIdentity, KnownDatabase, KnownRelation, KnownToast, LastVisit,
    Part, RelationId, RelationKind, Sizes, measured,
};
use crate::Oid;
use crate::size::{Size, Status};
use crate::snapshot::{Index, Snapshot, Table, TableKind};

/// What is said of the seam between what another tool measured and what Plimsoll does.
pub const IMPORTED_BEFORE: &str =
    "what is older was measured by another tool, which may have covered less";
/// What is said of the seam between what two other tools measured, or one that covered other tables.
pub const IMPORTED_OTHERWISE: &str =
    "what is older was imported from another tool than what is newer, or covers something else";

/// What `now` adds to a history that knows `before`.
///
/// Only what this visit measured becomes a point; a part that it could not read keeps its last
/// value and is named in `unread`. The first snapshot of a database makes no events: what it shows
/// was there before.
pub fn compare(before: &KnownDatabase, now: &Snapshot) -> Changes {
    let restored = is_restored(before, now);
    let mut links = Links::new(before, now, restored);
    let mut comparison = Comparison {
        last: before.last.as_ref(),
        now,
        was_unread: before
            .unread
            .iter()
            .map(|&(id, part, status)| ((id, part), status))
            .collect(),
        coverage: HashMap::new(),
        first_seen: HashMap::new(),
        is_unread: HashSet::new(),
        restored,
        made_again: HashSet::new(),
        changes: Changes {
            next_relation_id: before.next_relation_id,
            ..Changes::default()
        },
    };
    comparison.database_events(restored);

    let mut linked: Vec<(&Table, Option<&KnownRelation>, RelationId)> =
        Vec::with_capacity(now.tables.len());
    for (place, table) in now.tables.iter().enumerate() {
        if !table.kind.has_series() {
            continue;
        }
        let known = links.table(place, table);
        if known.is_none() && table.heap.size.status == Status::Dropped {
            continue;
        }
        let id = known.map_or_else(|| comparison.next_id(), |known| known.id);
        linked.push((table, known, id));
    }
    let mut ids: OidMap<RelationId> = OidMap::default();
    if now.tables.iter().any(|table| table.parent_oid.is_some()) {
        ids.extend(linked.iter().map(|(table, _, id)| (table.oid, *id)));
    }
    for (table, known, id) in linked {
        let parent = table.parent_oid.and_then(|oid| ids.get(&oid).copied());
        comparison.table(&mut links, table, known, id, parent);
    }
    comparison.gone(&links);
    comparison.finish()
}

struct Comparison<'a> {
    last: Option<&'a LastVisit>,
    now: &'a Snapshot,
    was_unread: HashMap<(RelationId, Part), Status>,
    is_unread: HashSet<(RelationId, Part)>,
    restored: bool,
    /// Tables under another OID than before, whose indexes come and go with them.
    made_again: HashSet<RelationId>,
    /// Relations whose files are missing since the last sample, or are back.
    coverage: HashMap<RelationId, &'static str>,
    /// Bytes of what was there before, and is read for the first time.
    first_seen: HashMap<RelationId, u64>,
    changes: Changes,
}

impl Comparison<'_> {
    fn next_id(&mut self) -> RelationId {
        let id = self.changes.next_relation_id;
        self.changes.next_relation_id += 1;
        id
    }

    fn event(
        &mut self,
        kind: EventKind,
        relation: Option<RelationId>,
        bytes: (Option<u64>, Option<u64>),
        detail: Option<String>,
    ) {
        // what another tool measured tells nothing of OIDs, files and what is no table
        let Some(last) = self.last.filter(|last| last.database_oid != 0) else {
            return;
        };
        self.changes.events.push(Event {
            kind,
            relation,
            from: last.sampled_at,
            to: self.now.measured_at,
            bytes_before: bytes.0,
            bytes_after: bytes.1,
            detail,
        });
    }

    fn database_events(&mut self, restored: bool) {
        let Some(&last) = self.last else { return };
        let server = &self.now.server;
        if last.database_oid == 0 {
            self.changes.events.push(Event {
                kind: EventKind::Coverage,
                relation: None,
                from: last.sampled_at,
                to: self.now.measured_at,
                bytes_before: last.total_bytes,
                bytes_after: self.now.totals.total_bytes,
                detail: Some(IMPORTED_BEFORE.to_owned()),
            });
            return;
        }
        let bytes = (last.total_bytes, self.now.totals.total_bytes);
        if restored {
            let detail = format!(
                "database OID {} became {}",
                last.database_oid, self.now.database_oid
            );
            self.event(EventKind::Restore, None, bytes, Some(detail));
            return;
        }
        // A promoted standby's control file names the new timeline from its next checkpoint on: where
        // timelines can be read they alone decide, or one failover would be told twice.
        let is_failover = match (last.timeline, server.timeline) {
            (Some(was), Some(is)) => is > was,
            _ => last.in_recovery && !server.in_recovery,
        };
        if is_failover {
            let detail = match (last.timeline, server.timeline) {
                (Some(was), Some(is)) => Some(format!("timeline {was} became {is}")),
                _ => None,
            };
            self.event(EventKind::Failover, None, bytes, detail);
        }
        // Before PostgreSQL 15 a database's counters are dated from the moment that they first
        // counted something; since then a date means that they were reset.
        let is_first_date = last.stats_reset_at.is_none() && server.major() < 15;
        // Stores keep milliseconds, servers know microseconds.
        let [was, is] = [last.stats_reset_at, server.stats_reset_at]
            .map(|at| at.map(Timestamp::as_millisecond));
        if is.is_some() && was != is && !is_first_date {
            self.event(EventKind::StatisticsReset, None, bytes, None);
        }
    }

    fn table(
        &mut self,
        links: &mut Links<'_>,
        table: &Table,
        known: Option<&KnownRelation>,
        id: RelationId,
        parent: Option<RelationId>,
    ) {
        let was = known.map(|known| known.sizes).unwrap_or_default();
        let rewritten = known.is_some_and(|known| moved(known.filenode, table.heap.filenode));
        if known.is_some_and(|known| known.oid != table.oid) {
            self.made_again.insert(id);
        }
        let mut index_bytes = 0;
        for index in &table.indexes {
            let bytes = self.index(links, table, index, known, id, rewritten);
            index_bytes += bytes.unwrap_or(0);
        }
        let toast = table.toast.map(|toast| KnownToast {
            oid: toast.oid,
            filenode: toast.heap.filenode,
            index_oid: toast.index_oid,
            index_filenode: toast.index.filenode,
        });
        let sizes = Sizes {
            heap_bytes: self.part(id, Part::Heap, &table.heap.size, was.heap_bytes),
            toast_bytes: table
                .toast
                .and_then(|toast| self.part(id, Part::Toast, &toast.heap.size, was.toast_bytes)),
            toast_index_bytes: table.toast.and_then(|toast| {
                self.part(
                    id,
                    Part::ToastIndex,
                    &toast.index.size,
                    was.toast_index_bytes,
                )
            }),
            index_bytes,
            row_count: table.rows.count,
        };
        if known.is_some() && was.heap_bytes.is_none() {
            // its series begins here, with all that belongs to it
            self.first_seen.remove(&id);
            if let Some(bytes) = sizes.total_bytes() {
                self.first_seen.insert(id, bytes);
            }
        }
        if table.kind == TableKind::Catalog {
            self.first_seen.remove(&id);
        }
        self.coverage_event(id, known);
        let kind = RelationKind::Table(table.kind);
        let filenode = file_of(known, table.heap.filenode);
        if table.kind.in_table_sizes() && sizes.heap_bytes.is_some() {
            self.changes.table_count += 1;
        }
        let is_same = known.is_some_and(|known| {
            known.sizes == sizes
                && known.oid == table.oid
                && known.filenode == filenode
                && known.toast == toast
                && known.parent == parent
                && known.kind == kind
                && known.relation_name == table.table_name
                && *known.schema_name == *table.schema_name
        });
        if is_same {
            return;
        }
        let is_now = KnownRelation {
            id,
            oid: table.oid,
            kind,
            owner: None,
            schema_name: (*table.schema_name).into(),
            relation_name: table.table_name.clone(),
            parent,
            filenode,
            toast,
            sizes,
        };
        match known {
            None => self.new_table(is_now),
            Some(known) => self.known_table(known, is_now, rewritten),
        }
    }

    fn new_table(&mut self, is_now: KnownRelation) {
        if is_now.kind != RelationKind::Table(TableKind::Catalog) {
            self.event(
                EventKind::Create,
                Some(is_now.id),
                (None, is_now.sizes.total_bytes()),
                None,
            );
        }
        if is_now.sizes != Sizes::default()
            && is_now.kind != RelationKind::Table(TableKind::Partitioned)
        {
            self.changes.table_points.push((is_now.id, is_now.sizes));
        }
        self.changes.added.push(is_now);
    }

    fn known_table(&mut self, known: &KnownRelation, is_now: KnownRelation, rewritten: bool) {
        let id = Some(known.id);
        let bytes = (known.sizes.total_bytes(), is_now.sizes.total_bytes());
        if known.oid != is_now.oid {
            if is_now.kind != RelationKind::Table(TableKind::Catalog) {
                let detail = format!("OID {} became {}", known.oid, is_now.oid);
                let kind = if self.restored {
                    EventKind::Restore
                } else {
                    EventKind::Recreate
                };
                self.event(kind, id, bytes, Some(detail));
            }
        } else if rewritten {
            let emptied = is_now.sizes.heap_bytes == Some(0)
                && known.sizes.heap_bytes.is_some_and(|bytes| bytes > 0);
            let kind = if emptied {
                EventKind::Truncate
            } else {
                EventKind::Rewrite
            };
            self.event(kind, id, bytes, None);
        }
        let renamed =
            known.schema_name != is_now.schema_name || known.relation_name != is_now.relation_name;
        if renamed {
            let detail = format!(
                "{}.{} became {}.{}",
                known.schema_name, known.relation_name, is_now.schema_name, is_now.relation_name
            );
            self.event(EventKind::Rename, id, bytes, Some(detail));
        }
        if known.parent != is_now.parent {
            if known.parent.is_some() {
                self.event(EventKind::Detach, id, bytes, None);
            }
            if is_now.parent.is_some() {
                self.event(EventKind::Attach, id, bytes, None);
            }
        }
        if renamed || known.parent != is_now.parent {
            self.changes.former.push(FormerIdentity {
                id: known.id,
                schema_name: known.schema_name.clone(),
                relation_name: known.relation_name.clone(),
                parent: known.parent,
            });
        }
        if known.sizes != is_now.sizes {
            self.changes.table_points.push((known.id, is_now.sizes));
        }
        self.changes.updated.push(is_now);
    }

    /// Returns the index's last measured bytes.
    fn index(
        &mut self,
        links: &mut Links<'_>,
        table: &Table,
        index: &Index,
        owner: Option<&KnownRelation>,
        owner_id: RelationId,
        table_rewritten: bool,
    ) -> Option<u64> {
        let known = owner.and_then(|owner| links.index(owner.id, index, &table.indexes));
        if known.is_none() && index.storage.size.status == Status::Dropped {
            return None;
        }
        let id = known.map_or_else(|| self.next_id(), |known| known.id);
        let was = known.and_then(|known| known.sizes.heap_bytes);
        let bytes = self.part(id, Part::Heap, &index.storage.size, was);
        let comes_with_its_table = owner.is_some_and(|owner| owner.sizes.heap_bytes.is_none());
        if comes_with_its_table || table.kind == TableKind::Catalog {
            self.first_seen.remove(&id);
        }
        self.coverage_event(id, known);
        let filenode = file_of(known, index.storage.filenode);
        let is_same = known.is_some_and(|known| {
            was == bytes
                && known.oid == index.oid
                && known.filenode == filenode
                && known.relation_name == index.index_name
        });
        if is_same {
            return bytes;
        }
        let is_now = KnownRelation {
            id,
            oid: index.oid,
            kind: RelationKind::Index,
            owner: Some(owner_id),
            schema_name: "".into(),
            relation_name: index.index_name.clone(),
            parent: None,
            filenode,
            toast: None,
            sizes: Sizes {
                heap_bytes: bytes,
                ..Sizes::default()
            },
        };
        if let Some(bytes) = bytes
            && was != Some(bytes)
        {
            self.changes.index_points.push((id, bytes));
        }
        let Some(known) = known else {
            // an index that comes with its new table is no event of its own
            let is_alone = owner.is_some() && !self.made_again.contains(&owner_id);
            if is_alone && table.kind != TableKind::Catalog {
                self.event(EventKind::Create, Some(id), (None, bytes), None);
            }
            self.changes.added.push(is_now);
            return bytes;
        };
        if known.relation_name != is_now.relation_name {
            let detail = format!("{} became {}", known.relation_name, is_now.relation_name);
            self.event(EventKind::Rename, Some(id), (was, bytes), Some(detail));
            self.changes.former.push(FormerIdentity {
                id,
                schema_name: known.schema_name.clone(),
                relation_name: known.relation_name.clone(),
                parent: None,
            });
        }
        let rebuilt = known.oid != is_now.oid || moved(known.filenode, is_now.filenode);
        if rebuilt && !table_rewritten && !self.made_again.contains(&owner_id) {
            self.event(EventKind::Reindex, Some(id), (was, bytes), None);
        }
        self.changes.updated.push(is_now);
        bytes
    }

    /// The last measured bytes of a part, this visit's included; notes whether it was read.
    fn part(&mut self, id: RelationId, part: Part, size: &Size, was: Option<u64>) -> Option<u64> {
        let before = self.was_unread.get(&(id, part));
        if size.is_measured() {
            match (before, was, size.bytes) {
                (Some(_), None, Some(bytes)) => *self.first_seen.entry(id).or_default() += bytes,
                (Some(Status::Missing), ..) => {
                    self.coverage.insert(id, "its files are back");
                }
                _ => {}
            }
            return measured(size);
        }
        self.changes.unread_count += 1;
        self.is_unread.insert((id, part));
        if before.is_none() {
            self.changes.unread.push((id, part, size.status));
            if size.status == Status::Missing {
                self.coverage.insert(id, "its files are missing");
            }
        }
        was
    }

    /// What was not to be seen is no growth, and neither is what is to be seen again.
    fn coverage_event(&mut self, id: RelationId, known: Option<&KnownRelation>) {
        if let Some(what) = self.coverage.remove(&id) {
            let was = known.map(|known| match known.kind {
                RelationKind::Index => known.sizes.heap_bytes,
                RelationKind::Table(_) => known.sizes.total_bytes(),
            });
            let bytes = (was.flatten(), None);
            self.event(EventKind::Coverage, Some(id), bytes, Some(what.to_owned()));
        }
        if let Some(bytes) = self.first_seen.remove(&id) {
            let what = "what could not be read before was read for the first time".to_owned();
            self.event(
                EventKind::Coverage,
                Some(id),
                (None, Some(bytes)),
                Some(what),
            );
        }
    }

    fn gone(&mut self, links: &Links<'_>) {
        let gone: Vec<&KnownRelation> = links.left_over().collect();
        let gone_tables: HashSet<RelationId> = gone
            .iter()
            .filter(|known| known.owner.is_none())
            .map(|known| known.id)
            .collect();
        for known in gone {
            self.changes.gone.push(known.id);
            // indexes that go with their table, and what an upgrade removes from the catalog, are
            // no events of their own
            let with_its_table = known.owner.is_some_and(|owner| {
                gone_tables.contains(&owner) || self.made_again.contains(&owner)
            });
            if with_its_table || known.kind == RelationKind::Table(TableKind::Catalog) {
                continue;
            }
            let before = if known.kind == RelationKind::Index {
                known.sizes.heap_bytes
            } else {
                known.sizes.total_bytes()
            };
            self.event(EventKind::Drop, Some(known.id), (before, None), None);
        }
    }

    fn finish(mut self) -> Changes {
        let mut read_again: Vec<_> = self
            .was_unread
            .keys()
            .filter(|part| !self.is_unread.contains(part))
            .copied()
            .collect();
        read_again.sort_unstable();
        self.changes.read_again = read_again;
        // in the order of the stores' keys: cheaper to write
        self.changes
            .table_points
            .sort_unstable_by_key(|point| point.0);
        self.changes
            .index_points
            .sort_unstable_by_key(|point| point.0);
        self.changes.added.sort_unstable_by_key(|known| known.id);
        self.changes.updated.sort_unstable_by_key(|known| known.id);
        self.changes
    }
}

/// Whether a relation has another file than before.
const fn moved(was: Oid, is: Oid) -> bool {
    was != 0 && is != 0 && was != is
}

/// The present file, or the last known one where the visit could not tell.
fn file_of(known: Option<&KnownRelation>, filenode: Oid) -> Oid {
    match known {
        Some(known) if filenode == 0 => known.filenode,
        _ => filenode,
    }
}
