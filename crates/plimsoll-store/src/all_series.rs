//! Reads the series of all tables of a database in one pass, some tables at a time: what did not
//! change costs one value, and no more than a batch is in memory.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use plimsoll_core::change::{Event, EventKind, RelationId};
use plimsoll_core::snapshot::TableKind;

use crate::history::SeriesQuery;
use crate::reader::{FormerName, Keys, Reader, Relation, Which};
use crate::series::{Interval, Tick, Value, values_of};
use crate::{TableName, events as event_rows, former_names};

/// How many tables are read at a time.
const BATCH: usize = 500;
/// How deep partitions are followed; PostgreSQL allows no cycles, a damaged store might.
const MAX_LEVELS: usize = 64;

/// One message of the pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesBatch {
    /// The samples that all series are read at, oldest first: it comes first.
    Samples(Vec<SampleTotal>),
    /// Some tables.
    Tables(Vec<TableSteps>),
}

/// A sample and the database's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleTotal {
    /// Its id.
    pub sample_id: i64,
    /// When it was taken.
    pub sampled_at: Timestamp,
    /// `pg_database_size`, if it was known.
    pub total_bytes: Option<u64>,
    /// Whether another tool measured it.
    pub is_imported: bool,
}

/// The series of a table by what changed. Places are those of the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSteps {
    /// Its id in the history.
    pub id: RelationId,
    /// Its name now, or its last one.
    pub name: TableName,
    /// What it is.
    pub kind: TableKind,
    /// Where it belonged, one after the other.
    pub belongs: Vec<Membership>,
    /// Its bytes from a place on, where they differ from those before.
    pub steps: Vec<(usize, u64)>,
    /// What happened to it and to its indexes, oldest first.
    pub events: Vec<Event>,
}

/// Where a table belonged, from one place to before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The schema it was in.
    pub schema_name: String,
    /// The root of the partition set or inheritance tree that it was part of, by its name now; the root
    /// itself too, where it is one.
    pub set: Option<TableName>,
    /// From this place on.
    pub from: usize,
    /// Before this place; the number of samples where it is still there.
    pub until: usize,
}

/// The pass: what is known before the first table is read.
pub(crate) struct AllSeries {
    of: Keys,
    ticks: Vec<Tick>,
    /// Children and their parents.
    parents: HashMap<RelationId, RelationId>,
    former: Vec<FormerName>,
    /// Roots of sets, by their names now.
    roots: HashMap<RelationId, TableName>,
    events: HashMap<RelationId, Vec<Event>>,
    after: RelationId,
}

impl AllSeries {
    /// Reads what the whole pass needs: samples, who is part of whom, and events of some kinds.
    pub(crate) async fn begin<R: Reader>(
        reader: &R,
        of: Keys,
        query: &SeriesQuery,
        kinds: &[EventKind],
    ) -> Result<Self, R::Error> {
        let ticks = reader.ticks(of, query).await?;
        let parents: HashMap<_, _> = reader.parents(of).await?.into_iter().collect();
        let former = former_names::read(reader.rows(), of, None).await?;
        let then = former.iter().filter_map(|was| was.parent);
        let roots: HashSet<RelationId> = parents
            .values()
            .copied()
            .chain(then)
            .map(|parent| root(&parents, parent))
            .collect();
        let ids: Vec<RelationId> = roots.into_iter().collect();
        let roots = reader
            .relations(of, Which::Ids(&ids))
            .await?
            .into_iter()
            .map(|relation| (relation.id, relation.name()))
            .collect();
        let events = events(reader, of, kinds).await?;
        Ok(Self {
            of,
            ticks,
            parents,
            former,
            roots,
            events,
            after: RelationId::MIN,
        })
    }

    /// The samples.
    pub(crate) fn samples(&self) -> Vec<SampleTotal> {
        self.ticks
            .iter()
            .map(|tick| SampleTotal {
                sample_id: tick.sample_id,
                sampled_at: tick.sampled_at,
                total_bytes: tick.total_bytes,
                is_imported: tick.is_imported,
            })
            .collect()
    }

    /// The next tables; `None` after the last.
    pub(crate) async fn next<R: Reader>(
        &mut self,
        reader: &R,
    ) -> Result<Option<Vec<TableSteps>>, R::Error> {
        let page = Which::After(self.after, BATCH);
        let relations = reader.relations(self.of, page).await?;
        let Some(last) = relations.iter().map(|relation| relation.id).max() else {
            return Ok(None);
        };
        self.after = last;
        let ids: Vec<RelationId> = relations.iter().map(|relation| relation.id).collect();
        let last = self.ticks.last().map_or(i64::MIN, |last| last.tick);
        let values = reader.table_values(self.of, Some(&ids), last).await?;
        let tables = relations
            .iter()
            .filter_map(|relation| self.table(relation, &values))
            .collect();
        Ok(Some(tables))
    }

    fn table(&mut self, relation: &Relation, values: &[Value]) -> Option<TableSteps> {
        let kind = relation.table_kind()?;
        let steps = self.steps(values_of(values, relation.id));
        Some(TableSteps {
            id: relation.id,
            name: relation.name(),
            kind,
            belongs: self.belongs(relation),
            steps,
            events: self.events.remove(&relation.id).unwrap_or_default(),
        })
    }

    fn place(&self, tick: i64) -> usize {
        self.ticks.partition_point(|at| at.tick < tick)
    }

    fn steps(&self, values: &[Value]) -> Vec<(usize, u64)> {
        let mut steps: Vec<(usize, u64)> = Vec::new();
        for value in values {
            let Some(bytes) = value.sizes.total_bytes() else {
                continue;
            };
            let place = self.place(value.tick);
            // of two that came between two samples the later one counts
            while steps.last().is_some_and(|&(last, _)| last == place) {
                steps.pop();
            }
            if steps.last().is_none_or(|&(_, last)| last != bytes) {
                steps.push((place, bytes));
            }
        }
        steps.retain(|&(place, _)| place < self.ticks.len());
        steps.shrink_to_fit();
        steps
    }

    fn belongs(&self, relation: &Relation) -> Vec<Membership> {
        let exists = relation.exists();
        let first = self.former.partition_point(|was| was.id < relation.id);
        let former = self.former[first..]
            .iter()
            .take_while(|was| was.id == relation.id);
        let mut from = exists.from;
        let mut all: Vec<Membership> = Vec::new();
        let names = former.map(|was| (was.until, &was.schema_name, was.parent));
        let now = (exists.until, &relation.schema_name, relation.parent);
        for (until, schema_name, parent) in names.chain([now]) {
            let interval = Interval { from, until }.and(exists);
            from = until;
            let Some(interval) = interval else { continue };
            let (start, end) = (self.place(interval.from), self.place(interval.until));
            if start >= end {
                continue;
            }
            let set = self.set(relation.id, parent);
            match all.last_mut() {
                // only its own name changed
                Some(last) if last.schema_name == *schema_name && last.set == set => {
                    last.until = end;
                }
                _ => all.push(Membership {
                    schema_name: schema_name.clone(),
                    set,
                    from: start,
                    until: end,
                }),
            }
        }
        all
    }

    fn set(&self, id: RelationId, parent: Option<RelationId>) -> Option<TableName> {
        let root = parent.map_or(id, |parent| root(&self.parents, parent));
        self.roots.get(&root).cloned()
    }
}

/// The topmost parent.
fn root(parents: &HashMap<RelationId, RelationId>, of: RelationId) -> RelationId {
    let mut at = of;
    for _ in 0..MAX_LEVELS {
        match parents.get(&at) {
            Some(parent) => at = *parent,
            None => break,
        }
    }
    at
}

/// Events of some kinds, by the table that they happened to, or to whose index.
async fn events<R: Reader>(
    reader: &R,
    of: Keys,
    kinds: &[EventKind],
) -> Result<HashMap<RelationId, Vec<Event>>, R::Error> {
    let mut events = event_rows::read(reader.rows(), of, None).await?;
    events.retain(|event| kinds.contains(&event.kind));
    let ids: HashSet<RelationId> = events.iter().filter_map(|event| event.relation).collect();
    let ids: Vec<RelationId> = ids.into_iter().collect();
    let owners: HashMap<RelationId, RelationId> = reader
        .relations(of, Which::Ids(&ids))
        .await?
        .into_iter()
        .filter_map(|relation| Some((relation.id, relation.owner?)))
        .collect();
    let mut of_table: HashMap<RelationId, Vec<Event>> = HashMap::new();
    for event in events {
        if let Some(id) = event.relation {
            let table = owners.get(&id).copied().unwrap_or(id);
            of_table.entry(table).or_default().push(event);
        }
    }
    Ok(of_table)
}
