//! Makes the forecasts of a database and of what is in it agree: the tree of database, schemas, sets
//! and tables, and what is kept of it.

use std::collections::BTreeMap;

use plimsoll_core::coverage::begins;
use plimsoll_core::forecast::coherent::{Estimate, HORIZONS, HORIZONS_DAYS, NodeId, Tree};
use plimsoll_core::forecast::{Point, forecast};
use plimsoll_store::{ForecastPart, NamedEvent, PartHorizons, PartKind, TableName};

use super::gather::{Gathered, Own, Turnover, of_one_measure, own};
use super::reads;
use super::round::{bytes as unsigned, signed_bytes as signed};

/// What is kept, and why the database has no forecast where it has none. Where its tables have one all the
/// same, or nobody knows its size, there is no part for it and for what belongs to no table.
#[derive(Debug)]
pub(super) struct Agreed {
    pub(super) parts: Vec<ForecastPart>,
    pub(super) unknown: Option<String>,
}

/// A tree and, of each of its nodes, what it is and what its own forecast says.
#[derive(Default)]
struct Nodes {
    tree: Tree,
    all: Vec<Node>,
}

struct Node {
    id: NodeId,
    kind: PartKind,
    name: TableName,
    level_bytes: u64,
    own: Option<Own>,
}

impl Nodes {
    fn add(
        &mut self,
        parent: Option<NodeId>,
        kind: PartKind,
        name: TableName,
        level_bytes: u64,
        own: Option<Own>,
    ) -> NodeId {
        let id = self.tree.add(parent);
        self.tree.set_level(id, level_bytes as f64);
        self.all.push(Node {
            id,
            kind,
            name,
            level_bytes,
            own,
        });
        id
    }

    /// Tables of `parent` that are still to come, or to go: they can take all of it away.
    fn add_to_come(&mut self, parent: NodeId, name: TableName, level_bytes: u64, own: Own) {
        let is_nothing = own.iter().all(|own| own.variance == 0.0);
        if is_nothing {
            return;
        }
        let id = self.add(Some(parent), PartKind::ToCome, name, 0, Some(own));
        self.tree.set_level(id, level_bytes as f64);
    }
}

/// Makes what was gathered agree; `events` are the database's that are no growth.
pub(super) fn agree(mut gathered: Gathered, events: &[NamedEvent]) -> Agreed {
    let samples = std::mem::take(&mut gathered.samples);
    let seams = gathered.seam_times();
    let totals: Vec<Point> = samples
        .iter()
        .filter_map(|sample| {
            Some(Point {
                at: sample.sampled_at,
                bytes: sample.total_bytes?,
            })
        })
        .collect();
    let known = reads::known(&reads::of_whole(events.to_vec()));
    let unknown = match totals.is_empty() && !samples.is_empty() {
        true => Some("no sample knows the size of the whole database".to_owned()),
        false => {
            let alike = of_one_measure(&totals, &seams);
            let insufficient = forecast(alike, &known).err();
            let changed = begins(&totals, &seams).map(|(_, at)| at);
            insufficient.map(|found| reads::because(&found.reason, changed))
        }
    };
    let is_unknown = unknown.is_some() && (totals.is_empty() || !gathered.moving.is_empty());
    // what came and went shows only where tables do
    let since = gathered.tables.since(&samples);
    let since = since.or(totals.first().map(|point| point.at));
    let history_days = since.zip(samples.last()).map_or(0.0, |(since, last)| {
        last.sampled_at.duration_since(since).as_secs_f64() / 86_400.0
    });
    let none = || TableName::new("", "");
    let mut nodes = Nodes::default();
    let level = |points: &[Point]| points.last().map_or(0, |point| point.bytes);
    let database_level = match is_unknown {
        true => level(&gathered.tables.points(&samples)),
        false => level(&totals),
    };
    let database = nodes.add(
        None,
        PartKind::Database,
        none(),
        database_level,
        own(&totals, &seams, &known),
    );
    let rest = gathered.tables.rest(&samples);
    // where nobody said what is in tables, the database is no sum of parts
    if !rest.is_empty() || !gathered.schemas.is_empty() {
        nodes.add(
            Some(database),
            PartKind::Rest,
            none(),
            level(&rest),
            own(&rest, &seams, &reads::known_of_rest(events)),
        );
    }

    let mut schemas: BTreeMap<String, (NodeId, u64)> = BTreeMap::new();
    for (name, mut group) in gathered.schemas {
        if !group.is_present {
            continue;
        }
        let points = group.sum.points(&samples);
        // none of its tables was ever measured: it has no size, which is not one of 0
        if points.is_empty() {
            continue;
        }
        let known = reads::of_part(events, |event| {
            let table = event.table.as_ref();
            table.is_some_and(|table| table.schema_name == name)
        });
        let own = own(&points, &seams, &reads::known(&known));
        let part = TableName::new(&*name, "");
        let id = nodes.add(Some(database), PartKind::Schema, part, level(&points), own);
        schemas.insert(name, (id, level(&points)));
    }
    let mut sets: BTreeMap<TableName, (NodeId, u64)> = BTreeMap::new();
    for (name, mut set) in gathered.sets {
        // one that lies in several schemas is part of none: its tables are their schemas'
        let [home] = &*set.homes else { continue };
        let Some(&(schema, _)) = schemas.get(home) else {
            continue;
        };
        let points = set.sum.points(&samples);
        if points.is_empty() {
            continue;
        }
        let events = [reads::no_growth(set.events), gathered.of_all.clone()].concat();
        let own = own(&points, &seams, &reads::known(&events));
        let id = nodes.add(
            Some(schema),
            PartKind::Set,
            name.clone(),
            level(&points),
            own,
        );
        sets.insert(name, (id, level(&points)));
    }
    let mut turnover: BTreeMap<NodeId, (TableName, u64, Turnover)> = BTreeMap::new();
    for ((schema, set), came_and_went) in gathered.turnover {
        let of_set = set.as_ref().and_then(|set| {
            let &(id, level) = sets.get(set)?;
            Some((id, set.clone(), level))
        });
        let of_schema = || {
            let &(id, level) = schemas.get(&schema)?;
            Some((id, TableName::new(&*schema, ""), level))
        };
        let (id, name, level) = of_set
            .or_else(of_schema)
            .unwrap_or_else(|| (database, none(), database_level));
        let entry = turnover.entry(id);
        let (.., sum) = entry.or_insert_with(|| (name, level, Turnover::default()));
        sum.add(&came_and_went);
    }
    for (parent, (name, level, sum)) in turnover {
        nodes.add_to_come(parent, name, level, sum.own(history_days));
    }
    for leaf in gathered.moving {
        let set = leaf.set.as_ref().and_then(|set| sets.get(set));
        let Some(&(parent, _)) = set.or_else(|| schemas.get(&leaf.name.schema_name)) else {
            continue;
        };
        nodes.add(
            Some(parent),
            PartKind::Table,
            leaf.name,
            leaf.level_bytes,
            Some(leaf.own),
        );
    }
    let mut parts = parts(nodes);
    if is_unknown {
        parts.retain(|part| !matches!(part.kind, PartKind::Database | PartKind::Rest));
    }
    Agreed { parts, unknown }
}

fn parts(nodes: Nodes) -> Vec<ForecastPart> {
    let Nodes { tree, all } = nodes;
    let mut horizons: Vec<PartHorizons> = all
        .iter()
        .map(|node| PartHorizons {
            grown: [0; HORIZONS],
            half80: node.own.map(|own| own.map(|own| unsigned(own.half80()))),
            adjustment: [0; HORIZONS],
        })
        .collect();
    // nodes are in the order of their ids
    let own = |node: NodeId, at: usize| -> Option<Estimate> {
        let place = all.binary_search_by_key(&node, |node| node.id).ok()?;
        all[place].own.map(|own| own[at])
    };
    for at in 0..HORIZONS_DAYS.len() {
        let grown = tree.reconcile(|node| own(node, at));
        for ((grown, node), horizons) in grown.into_iter().zip(&all).zip(&mut horizons) {
            horizons.grown[at] = signed(grown);
            if let Some(own) = node.own {
                horizons.adjustment[at] = signed(grown - own[at].grown);
            }
        }
    }
    let mut parts: Vec<ForecastPart> = all
        .into_iter()
        .zip(horizons)
        .map(|(node, horizons)| ForecastPart {
            kind: node.kind,
            name: node.name,
            level_bytes: node.level_bytes,
            horizons,
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.grown_bytes()));
    parts
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use plimsoll_core::snapshot::TableKind;
    use plimsoll_store::{Membership, SampleTotal, TableSteps};

    use super::super::gather::Gathered;
    use super::*;

    const GIGABYTE: u64 = 1 << 30;

    /// A set that gets a partition of 30 GB each 30 days, none of which ever moves. Beside it a table
    /// that grows unevenly, and one that never moves.
    #[test]
    fn a_set_grows_by_the_partitions_that_are_still_to_come() {
        let days = 152_usize;
        let uneven = |day: usize| {
            (400 + day as u64) * GIGABYTE / 10 + (day as u64 * 7919 % 11) * GIGABYTE / 50
        };
        let samples = (0..days).map(|day| SampleTotal {
            sample_id: i64::try_from(day).unwrap(),
            sampled_at: Timestamp::UNIX_EPOCH
                + SignedDuration::from_hours(24 * i64::try_from(day).unwrap()),
            is_imported: false,
            total_bytes: Some((day as u64 / 30 + 1) * 30 * GIGABYTE + uneven(day) + 70 * GIGABYTE),
        });
        let mut gathered = Gathered::new(samples.collect(), &[]);
        let mut add = |id, name: &str, set: Option<&str>, from: usize, steps: Vec<(usize, u64)>| {
            gathered.table(&TableSteps {
                id,
                name: TableName::new("public", name),
                kind: TableKind::Table,
                belongs: vec![Membership {
                    schema_name: "public".to_owned(),
                    set: set.map(|root| TableName::new("public", root)),
                    from,
                    until: days,
                }],
                steps,
                events: Vec::new(),
            });
        };
        for month in 0..6 {
            let first = month * 30;
            let loaded = vec![(first, 30 * GIGABYTE)];
            let id = i32::try_from(month).unwrap();
            add(
                id,
                &format!("m_{month}"),
                Some("measurements"),
                first,
                loaded,
            );
        }
        add(
            10,
            "uneven",
            None,
            0,
            (0..days).map(|day| (day, uneven(day))).collect(),
        );
        add(11, "still", None, 0, vec![(0, 70 * GIGABYTE)]);

        let agreed = agree(gathered, &[]);
        assert_eq!(agreed.unknown, None);
        let grown = |kind, name: &str| {
            let part = agreed.parts.iter().find(|part| {
                part.kind == kind && (part.name.table_name == name || kind == PartKind::Schema)
            });
            let part = part.unwrap_or_else(|| panic!("no {kind:?} {name} in {:?}", agreed.parts));
            part.grown_bytes() as f64 / GIGABYTE as f64
        };
        let near =
            |is: f64, wanted: f64| assert!((is - wanted).abs() < 0.2 * wanted, "{is} for {wanted}");
        near(grown(PartKind::Set, "measurements"), 90.0);
        near(grown(PartKind::Table, "uneven"), 9.0);
        near(grown(PartKind::Database, ""), 99.0);
        assert!(
            agreed
                .parts
                .iter()
                .all(|part| part.name.table_name != "still")
        );
        // none of the present partitions takes any of it
        let to_come = grown(PartKind::ToCome, "measurements");
        let of_set = grown(PartKind::Set, "measurements");
        assert!((to_come - of_set).abs() < 1e-6, "{to_come} of {of_set}");
    }
}
