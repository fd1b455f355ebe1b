//! What can be asked of the history, worked out once for both stores over what a `Reader` reads.

mod sets;
mod stored;

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use plimsoll_core::change::{Event, RelationId, RelationKind, Sizes};
use plimsoll_core::snapshot::TableKind;

use crate::history::{
    Difference, DifferenceQuery, EventQuery, Growth, IndexSeries, NamedEvent, SeriesQuery, State,
    TableName, TableSeries, TableState,
};
use crate::reader::{Compared, FormerName, Ids, Keys, Reader, Relation, SizeChange, Which};
use crate::series::{Interval, Sum, Tick, values_of};
use crate::{Point, events as event_rows, former_names, unread as unread_rows};

pub(crate) use sets::set_series;
pub(crate) use stored::stored_series;

/// How deep partitions are followed; PostgreSQL allows no cycles, a damaged store might.
const MAX_LEVELS: usize = 64;

pub(crate) async fn table_series<R: Reader>(
    reader: &R,
    of: Keys,
    table: &TableName,
    query: &SeriesQuery,
) -> Result<Option<TableSeries>, R::Error> {
    // what waits for no other answer is asked at once
    let (relation, ticks) = tokio::try_join!(find(reader, of, table), reader.ticks(of, query))?;
    let Some(relation) = relation else {
        return Ok(None);
    };
    let Some(kind) = relation.table_kind() else {
        return Ok(None);
    };
    let last = last_tick(&ticks);
    let (mut indexes, values) = tokio::try_join!(
        reader.relations(of, Which::IndexesOf(relation.id)),
        reader.table_values(of, Some(std::slice::from_ref(&relation.id)), last),
    )?;
    indexes.sort_by(|a, b| {
        (a.gone_tick.is_some(), &a.relation_name).cmp(&(b.gone_tick.is_some(), &b.relation_name))
    });
    let index_ids: Vec<RelationId> = indexes.iter().map(|index| index.id).collect();
    let ids: Vec<RelationId> = index_ids.iter().copied().chain([relation.id]).collect();
    let (index_values, (unread, events)) =
        tokio::try_join!(reader.index_values(of, &index_ids, last), async {
            let unread = unread_rows::read(reader.rows(), of, Some(&ids));
            let events = event_rows::read(reader.rows(), of, Some(&ids));
            tokio::try_join!(unread, events).map_err(R::Error::from)
        },)?;

    let mut sum = Sum::new(&ticks);
    if has_bytes(&relation) {
        sum.add(relation.exists(), &values);
    } else {
        sum.add_parent(relation.exists());
    }
    // an index that could not be measured leaves the table's sum at a last good value too
    for part in &unread {
        sum.unread(part.interval);
    }
    let points = sum.points();
    let index_series = indexes
        .iter()
        .map(|index| {
            let mut sum = Sum::new(&ticks);
            sum.add(index.exists(), values_of(&index_values, index.id));
            for part in unread.iter().filter(|part| part.id == index.id) {
                sum.unread(part.interval);
            }
            IndexSeries {
                index_name: index.relation_name.clone(),
                is_gone: index.gone_tick.is_some(),
                points: sum.points(),
            }
        })
        .collect();
    let mut relations = indexes;
    let name = relation.name();
    let is_gone = relation.gone_tick.is_some();
    relations.push(relation);
    Ok(Some(TableSeries {
        name,
        kind,
        is_gone,
        points,
        indexes: index_series,
        events: named(events, &relations),
    }))
}

/// The table that a name means: the one that has it, else the one that had it last.
async fn find<R: Reader>(
    reader: &R,
    of: Keys,
    table: &TableName,
) -> Result<Option<Relation>, R::Error> {
    let candidates = reader.relations(of, Which::Named(table)).await?;
    let has_it = |relation: &Relation| {
        relation.schema_name == table.schema_name && relation.relation_name == table.table_name
    };
    Ok(candidates.into_iter().max_by_key(|relation| {
        let until = relation.gone_tick.unwrap_or(i64::MAX);
        (has_it(relation), until, relation.id)
    }))
}

pub(crate) async fn schema_series<R: Reader>(
    reader: &R,
    of: Keys,
    schema_name: &str,
    query: &SeriesQuery,
) -> Result<Vec<Point>, R::Error> {
    let relations = reader.relations(of, Which::InSchema(schema_name)).await?;
    let former = former_names::read(reader.rows(), of, None).await?;
    let mut belongs = Vec::with_capacity(relations.len());
    for relation in &relations {
        let mut from = relation.first_tick;
        for was in former.iter().filter(|was| was.id == relation.id) {
            if was.schema_name == schema_name {
                belongs.push((
                    relation.id,
                    Interval {
                        from,
                        until: was.until,
                    },
                ));
            }
            from = was.until;
        }
        if relation.schema_name == schema_name {
            let until = relation.gone_tick.unwrap_or(i64::MAX);
            belongs.push((relation.id, Interval { from, until }));
        }
    }
    let ticks = reader.ticks(of, query).await?;
    let mut ids: Vec<RelationId> = belongs.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let parents = parents(&relations);
    sum(reader, of, &ticks, &belongs, (Some(&ids), &parents)).await
}

pub(crate) async fn database_series<R: Reader>(
    reader: &R,
    of: Keys,
    query: &SeriesQuery,
) -> Result<Vec<Point>, R::Error> {
    let relations = reader.relations(of, Which::Tables).await?;
    let belongs: Vec<_> = relations
        .iter()
        .map(|relation| (relation.id, relation.exists()))
        .collect();
    let ticks = reader.ticks(of, query).await?;
    sum(reader, of, &ticks, &belongs, (None, &parents(&relations))).await
}

/// Whether a relation has bytes of its own: all but partitioned tables.
fn has_bytes(relation: &Relation) -> bool {
    relation.kind != RelationKind::Table(TableKind::Partitioned)
}

/// Those that have no bytes of their own.
fn parents<'a>(relations: impl IntoIterator<Item = &'a Relation>) -> HashSet<RelationId> {
    let parents = relations
        .into_iter()
        .filter(|relation| !has_bytes(relation));
    parents.map(|relation| relation.id).collect()
}

/// The sum of relations for as long as they belong to what is asked for. `ids` are theirs, or none where that is the
/// whole database.
async fn sum<R: Reader>(
    reader: &R,
    of: Keys,
    ticks: &[Tick],
    belongs: &[(RelationId, Interval)],
    (ids, parents): (Ids<'_>, &HashSet<RelationId>),
) -> Result<Vec<Point>, R::Error> {
    let values = reader.table_values(of, ids, last_tick(ticks)).await?;
    let mut unread: HashMap<RelationId, Vec<Interval>> = HashMap::new();
    for part in unread_rows::read(reader.rows(), of, ids).await? {
        unread.entry(part.id).or_default().push(part.interval);
    }
    let mut sum = Sum::new(ticks);
    for (id, interval) in belongs {
        if parents.contains(id) {
            sum.add_parent(*interval);
        } else {
            sum.add(*interval, values_of(&values, *id));
        }
        for part in unread.get(id).into_iter().flatten() {
            if let Some(both) = part.and(*interval) {
                sum.unread(both);
            }
        }
    }
    Ok(sum.points())
}

/// The last one of a series: what counts only from later on is not seen in it.
fn last_tick(ticks: &[Tick]) -> i64 {
    ticks.last().map_or(i64::MIN, |last| last.tick)
}

pub(crate) async fn state<R: Reader>(
    reader: &R,
    of: Keys,
    at: Timestamp,
    near: Option<&TableName>,
) -> Result<Option<State>, R::Error> {
    let Some((sample, tick, is_newest)) = reader.sample_at(of, at).await? else {
        return Ok(None);
    };
    let wanted = (!is_newest).then_some(tick);
    let (relations, sizes) = match near {
        None => {
            let sizes = reader.tables_at(of, wanted, &[]).await?;
            (reader.relations(of, Which::Tables).await?, sizes)
        }
        Some(name) => {
            let relations = near_to(reader, of, name).await?;
            let ids: Vec<RelationId> = relations.iter().map(|relation| relation.id).collect();
            let values = reader.table_values(of, Some(&ids), tick).await?;
            // in the order of ticks: the last one holds
            let sizes = values.into_iter().map(|value| (value.id, value.sizes));
            let mut sizes: Vec<(RelationId, Sizes)> = sizes.collect();
            // no series is kept of what has no bytes
            let parent = TableKind::Partitioned;
            if relations
                .iter()
                .any(|relation| relation.table_kind() == Some(parent))
            {
                sizes.extend(reader.tables_at(of, wanted, &[parent]).await?);
            }
            (relations, sizes)
        }
    };
    let sizes: HashMap<RelationId, Sizes> = sizes.into_iter().collect();
    let mut names: HashMap<RelationId, FormerName> = HashMap::new();
    for was in former_names::read(reader.rows(), of, None).await? {
        // in the order of ticks: the first one that ended after the sample holds
        if was.until > tick {
            names.entry(was.id).or_insert(was);
        }
    }
    let mut last_good: HashMap<RelationId, Option<Timestamp>> = HashMap::new();
    for part in unread_rows::read(reader.rows(), of, None).await? {
        if part.interval.from <= tick && tick < part.interval.until {
            let oldest = last_good.entry(part.id).or_insert(part.last_good_at);
            *oldest = (*oldest).min(part.last_good_at);
        }
    }
    let mut tables: Vec<TableState> = relations
        .into_iter()
        .filter(|relation| {
            let exists = relation.exists();
            exists.from <= tick && tick < exists.until
        })
        .filter_map(|relation| {
            let kind = relation.table_kind()?;
            let was = names.remove(&relation.id);
            let (name, parent) = match was {
                Some(was) => (
                    TableName::new(was.schema_name, was.relation_name),
                    was.parent,
                ),
                None => (
                    TableName::new(relation.schema_name, relation.relation_name),
                    relation.parent,
                ),
            };
            Some(TableState {
                id: relation.id,
                name,
                kind,
                parent,
                sizes: sizes.get(&relation.id).copied().unwrap_or_default(),
                last_good_at: last_good.get(&relation.id).copied().flatten(),
            })
        })
        .collect();
    tables.sort_by(|a, b| (b.sizes.total_bytes(), &a.name).cmp(&(a.sizes.total_bytes(), &b.name)));
    Ok(Some(State { sample, tables }))
}

/// The tables that have or had a name, with what they are part of now and what is part of them.
async fn near_to<R: Reader>(
    reader: &R,
    of: Keys,
    name: &TableName,
) -> Result<Vec<Relation>, R::Error> {
    let mut relations = reader.relations(of, Which::Named(name)).await?;
    let ids: Vec<RelationId> = relations.iter().map(|relation| relation.id).collect();
    let mut others: Vec<RelationId> = relations.iter().filter_map(|named| named.parent).collect();
    others.retain(|id| !ids.contains(id));
    relations.extend(reader.relations(of, Which::Ids(&others)).await?);
    let children = reader.relations(of, Which::ChildrenOf(&ids)).await?;
    let known: HashSet<RelationId> = relations.iter().map(|relation| relation.id).collect();
    let new = children
        .into_iter()
        .filter(|child| !known.contains(&child.id));
    relations.extend(new);
    Ok(relations)
}

pub(crate) async fn difference<R: Reader>(
    reader: &R,
    of: Keys,
    query: &DifferenceQuery,
) -> Result<Option<Difference>, R::Error> {
    let (Some((from, from_tick, from_newest)), Some((to, to_tick, to_newest))) = (
        reader.sample_at(of, query.from).await?,
        reader.sample_at(of, query.to).await?,
    ) else {
        return Ok(None);
    };
    let tick = |tick: i64, is_newest: bool| if is_newest { i64::MAX } else { tick };
    let ticks = (tick(from_tick, from_newest), tick(to_tick, to_newest));
    let kinds: &[TableKind] = if query.kinds.is_empty() {
        &[TableKind::Table, TableKind::Matview]
    } else {
        &query.kinds
    };
    let what = if query.indexes {
        Compared::Indexes
    } else {
        Compared::Tables(kinds)
    };
    let mut changed = reader.changed(of, ticks, what).await?;
    let total = changed.len();
    // what grew most first; ids where that is the same, so that the answer is always the same
    let by_growth =
        |a: &SizeChange, b: &SizeChange| b.grown().cmp(&a.grown()).then(a.id.cmp(&b.id));
    if let Some(limit) = query.limit
        && limit < changed.len()
    {
        changed.select_nth_unstable_by(limit, by_growth);
        changed.truncate(limit);
    }
    changed.sort_unstable_by(by_growth);

    let mut ids: Vec<RelationId> = changed.iter().map(|changed| changed.id).collect();
    ids.sort_unstable();
    let values = if query.indexes {
        reader.index_values(of, &ids, to_tick).await?
    } else {
        reader.table_values(of, Some(&ids), to_tick).await?
    };
    let mut relations: HashMap<RelationId, Relation> = reader
        .relations(of, Which::Ids(&ids))
        .await?
        .into_iter()
        .map(|relation| (relation.id, relation))
        .collect();
    let owners: HashSet<RelationId> = relations.values().filter_map(|r| r.owner).collect();
    let owners: Vec<RelationId> = owners.into_iter().collect();
    for owner in reader.relations(of, Which::Ids(&owners)).await? {
        relations.insert(owner.id, owner);
    }
    let sizes_at = |id: RelationId, tick: i64, bytes: Option<i64>| {
        bytes.map(|_| {
            values_of(&values, id)
                .iter()
                .rfind(|value| value.tick <= tick)
                .map(|value| value.sizes)
                .unwrap_or_default()
        })
    };
    let growth = changed
        .into_iter()
        .filter_map(|changed| {
            let id = changed.id;
            let relation = relations.get(&id)?;
            let owner = relation.owner.and_then(|owner| relations.get(&owner));
            Some(Growth {
                id,
                name: owner.unwrap_or(relation).name(),
                index_name: owner.map(|_| relation.relation_name.clone()),
                kind: relation.kind,
                parent: owner.unwrap_or(relation).parent,
                before: sizes_at(id, ticks.0, changed.before_bytes),
                after: sizes_at(id, ticks.1, changed.after_bytes),
            })
        })
        .collect();
    Ok(Some(Difference {
        from,
        to,
        growth,
        total,
    }))
}

pub(crate) async fn events<R: Reader>(
    reader: &R,
    of: Keys,
    query: &EventQuery,
) -> Result<Vec<NamedEvent>, R::Error> {
    let mut events = match &query.table {
        None => event_rows::read(reader.rows(), of, None).await?,
        Some(table) => {
            let Some(relation) = find(reader, of, table).await? else {
                return Ok(Vec::new());
            };
            let indexes = reader.relations(of, Which::IndexesOf(relation.id)).await?;
            let ids: Vec<RelationId> = indexes
                .iter()
                .map(|index| index.id)
                .chain([relation.id])
                .collect();
            event_rows::read(reader.rows(), of, Some(&ids)).await?
        }
    };
    events.retain(|event| {
        (query.kinds.is_empty() || query.kinds.contains(&event.kind))
            && query.since.is_none_or(|since| event.to >= since)
    });
    events.reverse();
    events.truncate(query.limit.unwrap_or(usize::MAX));
    let ids: HashSet<RelationId> = events.iter().filter_map(|event| event.relation).collect();
    let ids: Vec<RelationId> = ids.into_iter().collect();
    let mut relations = reader.relations(of, Which::Ids(&ids)).await?;
    let owners: HashSet<RelationId> = relations.iter().filter_map(|r| r.owner).collect();
    let owners: Vec<RelationId> = owners.into_iter().collect();
    relations.extend(reader.relations(of, Which::Ids(&owners)).await?);
    Ok(named(events, &relations))
}

fn named(events: Vec<Event>, relations: &[Relation]) -> Vec<NamedEvent> {
    let by_id: HashMap<RelationId, &Relation> = relations
        .iter()
        .map(|relation| (relation.id, relation))
        .collect();
    events
        .into_iter()
        .map(|event| {
            let relation = event.relation.and_then(|id| by_id.get(&id));
            let owner = relation
                .and_then(|relation| relation.owner)
                .and_then(|owner| by_id.get(&owner));
            NamedEvent {
                event,
                table: owner.or(relation).map(|relation| relation.name()),
                index_name: owner
                    .and(relation)
                    .map(|relation| relation.relation_name.clone()),
            }
        })
        .collect()
}
