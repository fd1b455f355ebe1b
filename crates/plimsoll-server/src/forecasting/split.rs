//! A series split by where its bytes lie: what moved to each tablespace, and all that is left where the rest lies.
//!
//! What lies where is as the latest visit saw it. The parts add up to the whole at each of its moments.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::Oid;
use plimsoll_core::change::EventKind;
use plimsoll_core::forecast::Point;
use plimsoll_core::snapshot::{Snapshot, Table, TableKind};
use plimsoll_store::{DatabaseKey, NamedEvent, Store, StoreError, Stored, TableName};

use super::ForecastOf;
use super::reads::{Series, database_events, hourly, is_of_all, no_growth, of_part};

const PG_DEFAULT: Oid = 1663;

/// The tables of a snapshot that a forecast is of.
pub(super) fn tables<'a>(snapshot: &'a Snapshot, of: &ForecastOf) -> Vec<&'a Table> {
    let all = snapshot.tables.iter();
    match of {
        ForecastOf::Database | ForecastOf::Instance | ForecastOf::Tablespace(_) => all.collect(),
        ForecastOf::Schema(name) => all.filter(|table| *table.schema_name == **name).collect(),
        ForecastOf::Table(name) => {
            let root = snapshot
                .tables
                .iter()
                .find(|table| is_named(table, name))
                .map(|table| table.oid);
            let mut inside: BTreeSet<Oid> = root.into_iter().collect();
            // Parents may come after what is below them: as deep as a tree is, so often.
            loop {
                let below = snapshot
                    .tables
                    .iter()
                    .filter(|table| table.parent_oid.is_some_and(|oid| inside.contains(&oid)))
                    .map(|table| table.oid);
                let before = inside.len();
                let below: Vec<Oid> = below.collect();
                inside.extend(below);
                if inside.len() == before {
                    break;
                }
            }
            all.filter(|table| inside.contains(&table.oid)).collect()
        }
    }
}

fn is_named(table: &Table, name: &TableName) -> bool {
    *table.schema_name == *name.schema_name && *table.table_name == *name.table_name
}

/// Where what is in no table lies: with the database's catalogs, as far as they were seen; of less than a database,
/// where most of it lies.
pub(super) fn home(tables: &[&Table], of: &ForecastOf) -> Oid {
    let is_whole = matches!(
        of,
        ForecastOf::Database | ForecastOf::Instance | ForecastOf::Tablespace(_)
    );
    let mut bytes: BTreeMap<Oid, u64> = BTreeMap::new();
    for table in tables {
        if is_whole && table.kind != TableKind::Catalog {
            continue;
        }
        for (oid, size) in pieces(table) {
            *bytes.entry(oid).or_default() += size.unwrap_or(0);
        }
    }
    let most = bytes.into_iter().max_by_key(|(_, bytes)| *bytes);
    most.map_or(PG_DEFAULT, |(oid, _)| oid)
}

/// The tablespaces that something of these tables lies in.
pub(super) fn tablespaces(tables: &[&Table]) -> BTreeSet<Oid> {
    tables
        .iter()
        .flat_map(|table| pieces(table))
        .map(|(oid, _)| oid)
        .collect()
}

/// Each piece of a table: its tablespace and its bytes. Toast lies where the table does.
fn pieces(table: &Table) -> impl Iterator<Item = (Oid, Option<u64>)> {
    let heap = (table.heap.tablespace, table.heap.size.bytes);
    let toast = table.toast.iter().flat_map(|toast| {
        [&toast.heap, &toast.index].map(|storage| (storage.tablespace, storage.size.bytes))
    });
    let indexes = table
        .indexes
        .iter()
        .map(|index| (index.storage.tablespace, index.storage.size.bytes));
    std::iter::once(heap)
        .chain(toast)
        .chain(indexes)
        // A partitioned table has no storage.
        .filter(|(oid, _)| *oid != 0)
}

/// Splits `whole`, the series of `tables`, by what `group` says of each tablespace; what is in no table, or in one
/// that the history does not know, is in the group of `home`.
pub(super) async fn split<G: Ord + Clone>(
    store: &dyn Store,
    of: &DatabaseKey,
    tables: &[&Table],
    whole: Series,
    home: Oid,
    group: impl Fn(Oid) -> G,
) -> Result<BTreeMap<G, Series>, StoreError> {
    let rest = group(home);
    let mut groups: BTreeMap<G, Vec<Oid>> = BTreeMap::new();
    for oid in tablespaces(tables) {
        groups.entry(group(oid)).or_default().push(oid);
    }
    groups.remove(&rest);
    let mut of_all = Vec::new();
    if !groups.is_empty() {
        // that another tool measured before is so for each part
        of_all = of_part(&database_events(store, of).await?, |_| false);
    }
    let mut parts = BTreeMap::new();
    for (name, oids) in groups {
        parts.insert(name, within(store, of, tables, &oids, &of_all).await?);
    }
    let mut whole = whole;
    let others: Vec<&Series> = parts.values().collect();
    whole.points = less(&whole.points, &others);
    (whole.events, whole.left) = events_here(&whole.events, &others);
    // what meets as a whole may not do so in its parts
    let mut parts: BTreeMap<G, Series> = parts
        .into_iter()
        .map(|(name, part)| (name, part.cut()))
        .collect();
    parts.insert(rest, whole.cut());
    Ok(parts)
}

/// Of the events of a whole, those of what others leave of it; and what left it as it came into sight in others, where
/// the whole had those bytes all the time.
fn events_here(whole: &[NamedEvent], others: &[&Series]) -> (Vec<NamedEvent>, Vec<NamedEvent>) {
    let is_in = |events: &[NamedEvent], event: &NamedEvent| {
        let mut events = events.iter();
        events.any(|other| other.event == event.event)
    };
    let is_elsewhere = |event: &NamedEvent| others.iter().any(|part| is_in(&part.events, event));
    let here = match others {
        [] => whole.to_vec(),
        // what is so of all of it is so of each part
        _ => of_part(whole, |event| !is_elsewhere(event)),
    };
    let theirs = others.iter().flat_map(|part| &part.events);
    let left = theirs
        .filter(|event| event.event.kind == EventKind::Coverage && !is_in(whole, event))
        .filter(|event| !is_of_all(event))
        .cloned()
        .collect();
    (here, left)
}

/// The tables and indexes that lie in these tablespaces now; `of_all` are the events that concern each part.
async fn within(
    store: &dyn Store,
    of: &DatabaseKey,
    tables: &[&Table],
    oids: &[Oid],
    of_all: &[NamedEvent],
) -> Result<Series, StoreError> {
    let stored: Vec<Stored> = tables
        .iter()
        .filter_map(|table| part(table, oids))
        .collect();
    let series = store.stored_series(of, &stored, &hourly()).await?;
    Ok(Series {
        points: series.points,
        events: no_growth([of_all, &series.events].concat()),
        ..Series::default()
    })
}

/// What of a table lies in these tablespaces, if anything.
fn part(table: &Table, oids: &[Oid]) -> Option<Stored> {
    let indexes = table.indexes.iter();
    let indexes = indexes.filter(|index| oids.contains(&index.storage.tablespace));
    let stored = Stored {
        table: TableName::new(&*table.schema_name, &*table.table_name),
        has_heap: oids.contains(&table.heap.tablespace),
        indexes: indexes.map(|index| index.index_name.to_string()).collect(),
    };
    (stored.has_heap || !stored.indexes.is_empty()).then_some(stored)
}

/// What the others leave of the whole, at each of its moments.
fn less(whole: &[Point], others: &[&Series]) -> Vec<Point> {
    let at_or_before = |points: &[Point], at| {
        let after = points.partition_point(|point| point.at <= at);
        after.checked_sub(1).map_or(0, |last| points[last].bytes)
    };
    whole
        .iter()
        .map(|point| {
            let elsewhere = others
                .iter()
                .map(|part| at_or_before(&part.points, point.at))
                .sum::<u64>();
            Point {
                at: point.at,
                bytes: point.bytes.saturating_sub(elsewhere),
            }
        })
        .collect()
}
