//! Fits the rows of one database's history into a store that may know the database already.
//!
//! What the store measured itself stays as it is: rows are taken from before its first sample, or
//! from after its last one. Where the two meet, relations are linked by OID, and by name where OIDs
//! say nothing, so that a series goes on across the seam.

use std::collections::{HashMap, HashSet};

use super::line::{AtTick, Destination, FormerLine, Line, Placed, SharedKind, Write};
use super::row::{
    DatabaseRow, EventRow, IndexValueRow, RelationRow, Row, SizesRow, TableValueRow, UnreadRow,
};
use super::seam::{End, Meeting};

/// What the store knows of the database.
#[derive(Debug, Clone)]
pub(crate) struct Existing {
    pub(crate) database: DatabaseRow,
    pub(crate) relations: Vec<RelationRow>,
    /// Its first sample and its last one.
    pub(crate) ends: Vec<End>,
}

/// Which part of a history fits into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// All of it: the store did not know the database.
    New,
    /// What is older than the store's first sample.
    Before,
    /// What is newer than the store's last sample.
    After,
    /// Nothing: the store has samples of all this time, or it is what another tool measured after what Plimsoll did.
    Nothing,
}

/// The state of one database's transfer.
#[derive(Debug)]
pub(crate) struct Splice {
    fit: Fit,
    /// Rows count from here on, where there is a beginning.
    after: Option<i64>,
    /// And up to here, where there is an end.
    before: Option<i64>,
    target: DatabaseRow,
    relations: Vec<RelationRow>,
    existing: HashMap<i32, RelationRow>,
    /// The store's numbers of the rows' relations.
    ids: HashMap<i32, i32>,
    /// Of relations that go on after the store's last sample: their sizes there, if it had them.
    goes_on: HashMap<i32, Option<SizesRow>>,
    carried: Option<Carried>,
    /// Where the samples that are taken meet the store's.
    meeting: Option<Meeting>,
    /// The ticks of the file's first sample and of its last one.
    file_ticks: (i64, i64),
    are_relations_placed: bool,
    pub(crate) samples: u64,
    pub(crate) left_out: u64,
}

/// The last value before the store's last sample ends, until it is known whether it says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Carried {
    Table(TableValueRow),
    Index(IndexValueRow),
}

impl Splice {
    pub(crate) fn new(file: &DatabaseRow, existing: Option<Existing>) -> Self {
        let mut splice = Self {
            fit: Fit::New,
            after: None,
            before: None,
            target: file.clone(),
            relations: Vec::new(),
            existing: HashMap::new(),
            ids: HashMap::new(),
            goes_on: HashMap::new(),
            carried: None,
            meeting: None,
            file_ticks: (file.first_tick, file.last_tick),
            are_relations_placed: false,
            samples: 0,
            left_out: 0,
        };
        let Some(existing) = existing else {
            return splice;
        };
        let store = existing.database;
        splice.existing = existing
            .relations
            .into_iter()
            .map(|relation| (relation.relation, relation))
            .collect();
        // what another tool measured never follows what Plimsoll measured
        let may_follow = file.oid != 0 || store.oid == 0;
        if file.first_tick < store.first_tick {
            splice.fit = Fit::Before;
            splice.meeting = Meeting::before(existing.ends);
            splice.before = Some(store.first_tick);
            splice.target = store;
        } else if file.last_tick > store.last_tick && may_follow {
            splice.fit = Fit::After;
            splice.meeting = Meeting::after(existing.ends);
            splice.after = Some(store.last_tick);
            splice.target.next_relation = store.next_relation;
            splice.target.first_tick = store.first_tick;
        } else {
            splice.fit = Fit::Nothing;
            splice.target = store;
        }
        splice
    }

    pub(crate) const fn fit(&self) -> Fit {
        self.fit
    }

    /// From the first to the last tick that a value may get, once relations are known.
    pub(crate) fn ticks(&self, file: &DatabaseRow) -> Option<(i64, i64)> {
        if self.fit == Fit::Nothing {
            return None;
        }
        let first = self
            .relations
            .iter()
            .map(|relation| relation.first_tick)
            .fold(file.first_tick, i64::min)
            .max(self.after.map_or(i64::MIN, |after| after + 1));
        let last = file
            .last_tick
            .min(self.before.map_or(i64::MAX, |before| before - 1));
        Some((first, last))
    }

    /// Keeps a relation until all are known.
    pub(crate) fn relation(&mut self, row: RelationRow) {
        self.relations.push(row);
    }

    /// Places the relations; to be called before the first row that is none.
    pub(crate) fn place_relations(&mut self) -> Result<Vec<Write>, String> {
        if self.are_relations_placed {
            return Ok(Vec::new());
        }
        self.are_relations_placed = true;
        if self.fit == Fit::Nothing {
            return Ok(Vec::new());
        }
        let mut relations = std::mem::take(&mut self.relations);
        relations.retain(|relation| self.is_within(relation));
        // an index is found by its table, which so comes first
        relations.sort_by_key(RelationRow::is_index);
        let links = self.link(&relations);
        if let (Some((ours, theirs)), Some(meeting)) = (self.border(), &mut self.meeting) {
            let known = self.existing.values().filter(|it| is_there(it, theirs));
            let read = relations.iter().filter(|it| is_there(it, ours));
            meeting.compare_tables(read, known, &links);
        }
        for relation in &relations {
            let id = match (self.fit, links.get(&relation.relation)) {
                (Fit::New, _) => relation.relation,
                (_, Some(&linked)) => linked,
                _ => {
                    let next = self.target.next_relation;
                    self.target.next_relation += 1;
                    next
                }
            };
            if self.ids.insert(relation.relation, id).is_some() {
                return Err(format!(
                    "relation {} of database `{}` is there twice",
                    relation.relation, self.target.database
                ));
            }
        }
        if self.fit == Fit::New {
            let above = self.ids.keys().max().map_or(1, |last| last + 1);
            self.target.next_relation = self.target.next_relation.max(above);
        }
        let mut writes = vec![Write::Database(self.target.clone())];
        let mut placed = Placed::default();
        let linked: HashSet<i32> = links.values().copied().collect();
        for relation in relations {
            let is_linked = links.contains_key(&relation.relation);
            self.place(relation, is_linked, &mut placed);
        }
        if let Some(after) = self.after {
            placed.gone = self
                .existing
                .values()
                .filter(|known| known.gone_tick.is_none() && !linked.contains(&known.relation))
                .map(|known| {
                    Line::At(AtTick {
                        relation: known.relation,
                        tick: after + 1,
                    })
                })
                .collect();
            writes.push(Write::CloseUnread(after + 1));
        }
        writes.extend(placed.writes());
        Ok(writes)
    }

    /// Whether any of the samples that are taken shows the relation.
    fn is_within(&self, relation: &RelationRow) -> bool {
        self.before
            .is_none_or(|before| relation.first_tick < before)
            && self
                .after
                .is_none_or(|after| relation.gone_tick.is_none_or(|gone| gone > after + 1))
    }

    fn place(&mut self, mut relation: RelationRow, is_linked: bool, placed: &mut Placed) {
        let file_id = relation.relation;
        let Some(&id) = self.ids.get(&file_id) else {
            return;
        };
        relation.relation = id;
        relation.owner = self.mapped(relation.owner);
        relation.parent = self.mapped(relation.parent);
        if relation.is_index() && relation.owner.is_none() {
            return;
        }
        let mut former = std::mem::take(&mut relation.former);
        if let Some(before) = self.before {
            former.retain(|former| former.until_tick < before);
            relation.gone_tick = relation.gone_tick.filter(|&gone| gone < before);
        }
        if let Some(after) = self.after {
            former.retain(|former| former.until_tick > after);
        }
        for former in former {
            let parent = self.mapped(former.parent);
            placed.former.push(Line::Former(FormerLine {
                relation: id,
                until_tick: former.until_tick,
                schema: former.schema,
                name: former.name,
                table_key: former.table_key,
                parent,
            }));
        }
        match (self.before, self.after) {
            (Some(before), _) if is_linked => {
                placed.earlier.push(Line::At(AtTick {
                    relation: id,
                    tick: relation.first_tick,
                }));
                let known = self.existing.get(&id);
                let is_renamed = known.is_some_and(|known| {
                    (&known.schema, &known.name) != (&relation.schema, &relation.name)
                        && known.former.is_empty()
                });
                if is_renamed && !relation.is_index() {
                    placed.former.push(Line::Former(FormerLine {
                        relation: id,
                        until_tick: before,
                        schema: relation.schema,
                        name: relation.name,
                        table_key: relation.table_key,
                        parent: relation.parent,
                    }));
                }
            }
            (Some(before), _) => {
                relation.gone_tick = relation.gone_tick.or(Some(before));
                placed.added.push(Line::Relation(Box::new(relation)));
            }
            (None, Some(after)) => {
                if relation.first_tick <= after {
                    let known = self.existing.get(&id).filter(|_| is_linked);
                    self.goes_on.insert(file_id, known.map(|known| known.sizes));
                }
                relation.first_tick = relation.first_tick.max(after + 1);
                let line = Line::Relation(Box::new(relation));
                if is_linked {
                    placed.replaced.push(line);
                } else {
                    placed.added.push(line);
                }
            }
            (None, None) => placed.added.push(Line::Relation(Box::new(relation))),
        }
    }

    /// Where the two meet: a tick of the file, and one of the store.
    fn border(&self) -> Option<(i64, i64)> {
        let (first, last) = self.file_ticks;
        match (self.after, self.before) {
            (Some(after), _) => Some((after.max(first), after)),
            (None, Some(before)) => Some((last.min(before - 1), before)),
            (None, None) => None,
        }
    }

    /// Which relations of the file are which ones of the store, at the seam.
    fn link(&self, relations: &[RelationRow]) -> HashMap<i32, i32> {
        let Some((ours, theirs)) = self.border() else {
            return HashMap::new();
        };
        let known: Vec<&RelationRow> = self
            .existing
            .values()
            .filter(|relation| match self.after {
                Some(_) => relation.gone_tick.is_none(),
                None => is_there(relation, theirs),
            })
            .collect();
        let by_oid: HashMap<u32, &RelationRow> = known
            .iter()
            .filter(|relation| relation.oid != 0)
            .map(|&relation| (relation.oid, relation))
            .collect();
        let by_name: HashMap<_, &RelationRow> = known
            .iter()
            .map(|&relation| {
                let name = (relation.owner, &*relation.schema, &*relation.name);
                (name, relation)
            })
            .collect();
        let mut links = HashMap::new();
        let mut taken = HashSet::new();
        for relation in relations.iter().filter(|relation| is_there(relation, ours)) {
            let owner = match relation.owner {
                None => None,
                Some(owner) => match links.get(&owner) {
                    Some(&owner) => Some(owner),
                    None => continue,
                },
            };
            let found = by_oid
                .get(&relation.oid)
                .or_else(|| by_name.get(&(owner, &*relation.schema, &*relation.name)))
                .filter(|known| known.is_index() == relation.is_index());
            if let Some(known) = found
                && taken.insert(known.relation)
            {
                links.insert(relation.relation, known.relation);
            }
        }
        links
    }

    fn mapped(&self, id: Option<i32>) -> Option<i32> {
        id.and_then(|id| self.ids.get(&id).copied())
    }

    fn takes(&self, tick: i64) -> bool {
        self.fit != Fit::Nothing
            && self.after.is_none_or(|after| tick > after)
            && self.before.is_none_or(|before| tick < before)
    }

    /// Fits in one row that is no relation.
    pub(crate) fn row(&mut self, row: Row, writes: &mut Vec<(Destination, Line)>) {
        if self.fit == Fit::Nothing {
            if matches!(row, Row::Sample(_)) {
                self.left_out += 1;
            }
            return;
        }
        match row {
            Row::Sample(row) if self.takes(row.tick) => {
                self.samples += 1;
                if let Some(meeting) = &mut self.meeting {
                    meeting.take(&row);
                }
                writes.push((Destination::Samples, Line::Sample(Box::new(row))));
            }
            Row::Sample(_) => self.left_out += 1,
            Row::TableValue(row) => {
                self.carry(Carried::Table(row), writes);
                if self.takes(row.tick)
                    && let Some(relation) = self.mapped(Some(row.relation))
                {
                    let row = TableValueRow { relation, ..row };
                    writes.push((Destination::TableValues, Line::TableValue(row)));
                }
            }
            Row::IndexValue(row) => {
                self.carry(Carried::Index(row), writes);
                if self.takes(row.tick)
                    && let Some(relation) = self.mapped(Some(row.relation))
                {
                    let row = IndexValueRow { relation, ..row };
                    writes.push((Destination::IndexValues, Line::IndexValue(row)));
                }
            }
            Row::Unread(row) => {
                self.let_go(None, writes);
                self.unread(row, writes);
            }
            Row::Event(row) => {
                self.let_go(None, writes);
                // an event of a relation that is not taken has nothing to belong to
                let relation = self.mapped(row.relation);
                if self.takes(row.tick) && relation.is_some() == row.relation.is_some() {
                    let row = EventRow { relation, ..row };
                    writes.push((Destination::Kind(SharedKind::Events), Line::Event(row)));
                }
            }
            Row::Database(_)
            | Row::Relation(_)
            | Row::Disk(_)
            | Row::DiskLook(_)
            | Row::DiskState(_) => {}
            Row::End(_) => {
                self.let_go(None, writes);
                if let Some(event) = self.meeting.take().and_then(Meeting::seam) {
                    writes.push((Destination::Kind(SharedKind::Events), Line::Event(event)));
                }
            }
        }
    }

    /// Remembers a value that began before the store's last sample and may go on after it.
    fn carry(&mut self, value: Carried, writes: &mut Vec<(Destination, Line)>) {
        let Some(after) = self.after else { return };
        let (relation, tick) = value.of();
        self.let_go(Some((relation, tick)), writes);
        if tick <= after {
            self.carried = Some(value);
        }
    }

    /// Writes the carried value, unless the next one replaces it, or the store has it already.
    fn let_go(&mut self, next: Option<(i32, i64)>, writes: &mut Vec<(Destination, Line)>) {
        let (Some(after), Some(carried)) = (self.after, self.carried.take()) else {
            return;
        };
        let (file_relation, _) = carried.of();
        let is_replaced = next.is_some_and(|(id, tick)| id == file_relation && tick <= after + 1);
        let (Some(known), Some(relation), false) = (
            self.goes_on.get(&file_relation),
            self.mapped(Some(file_relation)),
            is_replaced,
        ) else {
            return;
        };
        let tick = after + 1;
        match carried {
            Carried::Table(TableValueRow { sizes, .. }) if *known != Some(sizes) => {
                let row = TableValueRow {
                    relation,
                    tick,
                    sizes,
                };
                writes.push((Destination::TableValues, Line::TableValue(row)));
            }
            Carried::Index(IndexValueRow { bytes, .. })
                if known.is_none_or(|known| known.heap_bytes != Some(bytes)) =>
            {
                let row = IndexValueRow {
                    relation,
                    tick,
                    bytes,
                };
                writes.push((Destination::IndexValues, Line::IndexValue(row)));
            }
            _ => {}
        }
    }

    fn unread(&self, mut row: UnreadRow, writes: &mut Vec<(Destination, Line)>) {
        let Some(relation) = self.mapped(Some(row.relation)) else {
            return;
        };
        row.relation = relation;
        if let Some(before) = self.before {
            if row.from_tick >= before {
                return;
            }
            row.until_tick = Some(row.until_tick.map_or(before, |until| until.min(before)));
        }
        if let Some(after) = self.after {
            if row.until_tick.is_some_and(|until| until <= after + 1) {
                return;
            }
            row.from_tick = row.from_tick.max(after + 1);
        }
        writes.push((Destination::Kind(SharedKind::Unread), Line::Unread(row)));
    }
}

/// Whether a sample shows a relation.
fn is_there(relation: &RelationRow, tick: i64) -> bool {
    relation.first_tick <= tick && relation.gone_tick.is_none_or(|gone| gone > tick)
}

impl Carried {
    const fn of(&self) -> (i32, i64) {
        match self {
            Self::Table(row) => (row.relation, row.tick),
            Self::Index(row) => (row.relation, row.tick),
        }
    }
}
