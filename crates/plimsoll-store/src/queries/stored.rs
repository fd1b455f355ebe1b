//! What lies in one place: heaps with their toast tables, and single indexes, as one series. However many they are,
//! they are read some hundreds at a time.

use std::collections::{HashMap, HashSet};

use plimsoll_core::change::{RelationId, Sizes};
use plimsoll_core::forecast::Point;

use super::sets::events_of;
use super::{last_tick, named};
use crate::history::{SeriesQuery, Stored, StoredSeries, TableName};
use crate::reader::{Keys, Reader, Relation, Which};
use crate::series::{Interval, Sum, Value};

/// How many tables are read at a time.
const BATCH: usize = 500;

pub(crate) async fn stored_series<R: Reader>(
    reader: &R,
    of: Keys,
    stored: &[Stored],
    query: &SeriesQuery,
) -> Result<StoredSeries, R::Error> {
    let ticks = reader.ticks(of, query).await?;
    let last = last_tick(&ticks);
    let tables = by_name(reader.relations(of, Which::Tables).await?);
    let mut wanted: Vec<(&Relation, &Stored)> = stored
        .iter()
        .filter_map(|stored| Some((tables.get(&stored.table)?, stored)))
        .collect();
    wanted.sort_unstable_by_key(|(relation, _)| relation.id);
    let mut sum = Sum::new(&ticks);
    let mut indexes_here: HashSet<RelationId> = HashSet::new();
    for batch in wanted.chunks(BATCH) {
        let with_heap: Vec<RelationId> = ids(batch, |stored| stored.has_heap);
        for value in reader
            .table_values(of, Some(&with_heap), last)
            .await?
            .chunk_by(same)
        {
            add(&mut sum, value, |sizes| {
                Some(sizes.heap_bytes? + sizes.all_toast_bytes())
            });
        }
        let with_indexes = ids(batch, |stored| !stored.indexes.is_empty());
        let mut indexes = reader
            .relations(of, Which::IndexesOfAny(&with_indexes))
            .await?;
        indexes.retain(|index| {
            let table = index.owner.and_then(|owner| {
                let place = batch.binary_search_by_key(&owner, |(relation, _)| relation.id);
                batch.get(place.ok()?)
            });
            index.gone_tick.is_none()
                && table.is_some_and(|(_, stored)| stored.indexes.contains(&index.relation_name))
        });
        let index_ids: Vec<RelationId> = indexes.iter().map(|index| index.id).collect();
        indexes_here.extend(&index_ids);
        for value in reader
            .index_values(of, &index_ids, last)
            .await?
            .chunk_by(same)
        {
            add(&mut sum, value, |sizes| sizes.heap_bytes);
        }
    }
    let (mut events, mut relations) = events_of(reader, of, &ids(&wanted, |_| true)).await?;
    let has_heap: HashSet<RelationId> =
        ids(&wanted, |stored| stored.has_heap).into_iter().collect();
    // an index that is gone lay where its table does, as far as anybody knows
    indexes_here.extend(relations.iter().filter_map(|index| {
        let is_with_heap = index.owner.is_some_and(|owner| has_heap.contains(&owner));
        (index.gone_tick.is_some() && is_with_heap).then_some(index.id)
    }));
    events.retain(|event| {
        let id = event.relation;
        id.is_some_and(|id| has_heap.contains(&id) || indexes_here.contains(&id))
    });
    relations.extend(wanted.iter().map(|(relation, _)| (*relation).clone()));
    Ok(StoredSeries {
        points: points(sum),
        events: named(events, &relations),
    })
}

/// The table that each name means: the one that has it, else the one that had it last.
fn by_name(relations: Vec<Relation>) -> HashMap<TableName, Relation> {
    let mut tables: HashMap<TableName, Relation> = HashMap::with_capacity(relations.len());
    let rank = |relation: &Relation| (relation.gone_tick.unwrap_or(i64::MAX), relation.id);
    for relation in relations {
        match tables.get(&relation.name()) {
            Some(other) if rank(other) > rank(&relation) => {}
            _ => drop(tables.insert(relation.name(), relation)),
        }
    }
    tables
}

fn ids(of: &[(&Relation, &Stored)], is_wanted: impl Fn(&Stored) -> bool) -> Vec<RelationId> {
    let wanted = of.iter().filter(|(_, stored)| is_wanted(stored));
    wanted.map(|(relation, _)| relation.id).collect()
}

fn same(one: &Value, other: &Value) -> bool {
    one.id == other.id
}

/// Adds the values of one relation to a sum, in the order of their ticks; what is not known stays as it was.
fn add(sum: &mut Sum<'_>, values: &[Value], bytes: impl Fn(&Sizes) -> Option<u64>) {
    let known: Vec<Value> = values
        .iter()
        .filter_map(|value| {
            let sizes = Sizes {
                heap_bytes: Some(bytes(&value.sizes)?),
                ..Sizes::default()
            };
            Some(Value { sizes, ..*value })
        })
        .collect();
    if let Some(first) = known.first() {
        let belongs = Interval {
            from: first.tick,
            until: i64::MAX,
        };
        sum.add(belongs, &known);
    }
}

fn points(sum: Sum<'_>) -> Vec<Point> {
    let points = sum.points();
    let sized = points.iter().filter_map(|point| {
        Some(Point {
            at: point.sampled_at,
            bytes: point.total_bytes()?,
        })
    });
    sized.collect()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use plimsoll_core::sample::SampleKind;

    use super::*;
    use crate::series::Tick;

    #[test]
    fn a_sum_moves_where_a_part_does_and_begins_with_the_first() {
        let ticks: Vec<Tick> = (0..5)
            .map(|n| Tick {
                tick: n * 10,
                sample_id: n,
                sampled_at: Timestamp::from_second(n * 10).unwrap(),
                kind: SampleKind::Daily,
                total_bytes: None,
                is_imported: false,
            })
            .collect();
        let value = |tick, heap_bytes| Value {
            id: 1,
            tick,
            sizes: Sizes {
                heap_bytes,
                ..Sizes::default()
            },
        };
        let mut sum = Sum::new(&ticks);
        let heap = |sizes: &Sizes| sizes.heap_bytes;
        add(
            &mut sum,
            &[value(5, Some(100)), value(6, Some(90)), value(20, None)],
            heap,
        );
        add(
            &mut sum,
            &[value(30, Some(7)), value(40, Some(1)), value(50, Some(9))],
            heap,
        );
        let points: Vec<_> = points(sum)
            .iter()
            .map(|point| (point.at.as_second(), point.bytes))
            .collect();
        assert_eq!(points, [(10, 90), (20, 90), (30, 97), (40, 91)]);
        assert!(super::points(Sum::new(&ticks)).is_empty());
    }
}
