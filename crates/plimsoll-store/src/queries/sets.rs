//! Sets: partitioned tables and parents of plain inheritance, each with all below it as one series.

use std::collections::{HashMap, HashSet};

use plimsoll_core::change::{Event, RelationId};
use plimsoll_core::snapshot::TableKind;

use super::{MAX_LEVELS, find, named, parents};
use crate::history::{SeriesQuery, SetMember, SetSeries, TableName};
use crate::reader::{FormerName, Keys, Reader, Relation, Which};
use crate::series::{Interval, Sum, values_of};
use crate::{events as event_rows, former_names, unread as unread_rows};

pub(crate) async fn set_series<R: Reader>(
    reader: &R,
    of: Keys,
    root: &TableName,
    query: &SeriesQuery,
) -> Result<Option<SetSeries>, R::Error> {
    let Some(root) = find(reader, of, root).await? else {
        return Ok(None);
    };
    let ticks = reader.ticks(of, query).await?;
    let children = reader.relations(of, Which::WithParent).await?;
    let former = former_names::read(reader.rows(), of, None).await?;
    let belongs = members(&root, &children, &former);
    let mut ids: Vec<RelationId> = belongs.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    // of all times: a member shows its newest size
    let values = reader.table_values(of, Some(&ids), i64::MAX).await?;
    let unread = unread_rows::read(reader.rows(), of, Some(&ids)).await?;
    let (events, indexes) = events_of(reader, of, &ids).await?;

    let parents = parents(children.iter().chain([&root]));
    let mut sum = Sum::new(&ticks);
    for (id, interval) in &belongs {
        if parents.contains(id) {
            sum.add_parent(*interval);
        } else {
            sum.add(*interval, values_of(&values, *id));
        }
        for part in unread.iter().filter(|part| part.id == *id) {
            if let Some(both) = part.interval.and(*interval) {
                sum.unread(both);
            }
        }
    }
    let mut relations: Vec<Relation> = children
        .into_iter()
        .filter(|child| ids.binary_search(&child.id).is_ok())
        .chain([root.clone()])
        .collect();
    let mut members = Vec::with_capacity(ids.len());
    for relation in &relations {
        let Some(kind) = relation.table_kind() else {
            continue;
        };
        if kind == TableKind::Partitioned {
            continue;
        }
        let last = belongs
            .iter()
            .filter(|(id, _)| *id == relation.id)
            .map(|(_, interval)| interval.until)
            .max()
            .unwrap_or(i64::MAX);
        let sizes = values_of(&values, relation.id)
            .iter()
            .rfind(|value| value.tick < last)
            .map(|value| value.sizes)
            .unwrap_or_default();
        members.push(SetMember {
            name: relation.name(),
            kind,
            is_member: last == i64::MAX,
            sizes,
        });
    }
    members.sort_by(|a, b| (b.sizes.total_bytes(), &a.name).cmp(&(a.sizes.total_bytes(), &b.name)));
    relations.extend(indexes);
    Ok(Some(SetSeries {
        name: root.name(),
        points: sum.points(),
        members,
        events: named(events, &relations),
    }))
}

/// What happened to some tables and to their indexes, with the indexes it happened to. A set may have thousands of
/// tables, and few events: those are read first.
pub(super) async fn events_of<R: Reader>(
    reader: &R,
    of: Keys,
    ids: &[RelationId],
) -> Result<(Vec<Event>, Vec<Relation>), R::Error> {
    let is_of_table = |id: RelationId| ids.binary_search(&id).is_ok();
    let mut events = event_rows::read(reader.rows(), of, None).await?;
    let others: HashSet<RelationId> = events
        .iter()
        .filter_map(|event| event.relation)
        .filter(|id| !is_of_table(*id))
        .collect();
    let others: Vec<RelationId> = others.into_iter().collect();
    let mut indexes = reader.relations(of, Which::Ids(&others)).await?;
    indexes.retain(|relation| relation.owner.is_some_and(is_of_table));
    let index_ids: HashSet<RelationId> = indexes.iter().map(|index| index.id).collect();
    events.retain(|event| {
        let id = event.relation;
        id.is_some_and(|id| is_of_table(id) || index_ids.contains(&id))
    });
    Ok((events, indexes))
}

/// Everything below a root, on every level, and the root itself; each with the time for which it
/// belonged there.
fn members(
    root: &Relation,
    children: &[Relation],
    former: &[FormerName],
) -> Vec<(RelationId, Interval)> {
    let mut below: HashMap<RelationId, Vec<(RelationId, Interval)>> = HashMap::new();
    for child in children {
        let mut from = child.first_tick;
        let before = former.iter().filter(|was| was.id == child.id);
        for was in before {
            if let Some(parent) = was.parent {
                let interval = Interval {
                    from,
                    until: was.until,
                };
                below.entry(parent).or_default().push((child.id, interval));
            }
            from = was.until;
        }
        if let Some(parent) = child.parent {
            let until = child.gone_tick.unwrap_or(i64::MAX);
            below
                .entry(parent)
                .or_default()
                .push((child.id, Interval { from, until }));
        }
    }
    let mut members = vec![(root.id, root.exists())];
    let mut level = members.clone();
    for _ in 0..MAX_LEVELS {
        let next: Vec<_> = level
            .iter()
            .flat_map(|(id, interval)| {
                below
                    .get(id)
                    .into_iter()
                    .flatten()
                    .filter_map(|(child, link)| Some((*child, link.and(*interval)?)))
            })
            .collect();
        if next.is_empty() {
            break;
        }
        members.extend(&next);
        level = next;
    }
    members
}
