//! Sets as one snapshot or sample shows them: partitioned tables, and parents of plain inheritance, with all below them.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use plimsoll_core::snapshot::{Snapshot, TableKind};
use plimsoll_store::State;

/// PostgreSQL allows no circle, but two reads of a changing catalog might show one.
const MAX_LEVELS: usize = 1000;

/// A table of a snapshot or sample.
#[derive(Debug, Clone, Copy)]
pub struct Node<K> {
    /// Its id: unique among them.
    pub id: K,
    /// What it is a partition of, or inherits from.
    pub parent: Option<K>,
    /// Whether it is partitioned: then it has no bytes of its own.
    pub is_partitioned: bool,
    /// Whether its parent is inferred from its name alone.
    pub by_name: bool,
}

/// The sum over a set's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetSum {
    measured_bytes: u64,
    /// How many tables with bytes of their own belong to it.
    pub tables: u64,
    /// How many of them are inferred from their names alone.
    pub by_name: u64,
    unmeasured: u64,
}

impl SetSum {
    fn add<K>(&mut self, node: &Node<K>, bytes: Option<u64>) {
        if node.is_partitioned {
            return;
        }
        self.tables += 1;
        self.by_name += u64::from(node.by_name);
        match bytes {
            Some(bytes) => self.measured_bytes = self.measured_bytes.saturating_add(bytes),
            None => self.unmeasured += 1,
        }
    }

    /// Its bytes; not known without one of its tables.
    pub fn bytes(&self) -> Option<u64> {
        (self.unmeasured == 0).then_some(self.measured_bytes)
    }

    /// Why its bytes are not known; none where they are.
    pub fn unknown(&self) -> Option<String> {
        let (some, all) = (self.unmeasured, self.tables);
        let have = if some == 1 { "has" } else { "have" };
        (some > 0).then(|| format!("{some} of {all} tables {have} no size"))
    }
}

/// The tables of a snapshot, by their OIDs.
pub fn of_snapshot(snapshot: &Snapshot) -> impl Iterator<Item = Node<plimsoll_core::Oid>> {
    snapshot.tables.iter().map(|table| Node {
        id: table.oid,
        parent: table.parent_oid,
        is_partitioned: table.kind == TableKind::Partitioned,
        by_name: table.parent_by_name,
    })
}

/// The tables of a sample, by their ids in the history.
pub fn of_state(state: &State) -> impl Iterator<Item = Node<plimsoll_core::change::RelationId>> {
    state.tables.iter().map(|table| Node {
        id: table.id,
        parent: table.parent,
        is_partitioned: table.kind == TableKind::Partitioned,
        // the history does not keep how the parent was found
        by_name: false,
    })
}

/// The sets of a snapshot.
pub fn sets_of_snapshot(snapshot: &Snapshot) -> HashMap<plimsoll_core::Oid, SetSum> {
    let tables = &snapshot.tables;
    sets(of_snapshot(snapshot), |place| {
        tables.get(place).and_then(|table| table.size().bytes)
    })
}

/// The sets of a sample.
pub fn sets_of_state(state: &State) -> HashMap<plimsoll_core::change::RelationId, SetSum> {
    let tables = &state.tables;
    sets(of_state(state), |place| {
        tables
            .get(place)
            .and_then(|table| table.sizes.total_bytes())
    })
}

/// Each set on every level: itself and all below it, however deep. `bytes_of` tells the bytes of the table at that place
/// of the list, and is asked for those in sets only: most tables are in none, and a sum of parts takes a while.
fn sets<K: Copy + Eq + Hash>(
    nodes: impl Iterator<Item = Node<K>>,
    bytes_of: impl Fn(usize) -> Option<u64>,
) -> HashMap<K, SetSum> {
    let nodes: Vec<Node<K>> = nodes.collect();
    let has_parents = nodes.iter().any(|node| node.parent.is_some());
    let mut sets: HashMap<K, SetSum> = nodes
        .iter()
        .filter(|node| node.is_partitioned)
        .map(|node| (node.id, SetSum::default()))
        .collect();
    if !has_parents {
        return sets;
    }
    let places: HashMap<K, usize> = nodes.iter().map(|node| node.id).zip(0..).collect();
    let above = |node: &Node<K>| node.parent.and_then(|id| places.get(&id).copied());
    for (place, node) in nodes.iter().enumerate() {
        let bytes = node.parent.and_then(|_| bytes_of(place));
        let mut next = above(node);
        for _ in 0..MAX_LEVELS {
            let Some(parent) = next else { break };
            let set = sets.entry(nodes[parent].id).or_insert_with(|| {
                let mut itself = SetSum::default();
                itself.add(&nodes[parent], bytes_of(parent));
                itself
            });
            set.add(node, bytes);
            next = above(&nodes[parent]);
        }
    }
    sets
}

/// A table and all below it.
pub fn descendants<K: Copy + Eq + Hash>(
    root: K,
    nodes: impl Iterator<Item = Node<K>>,
) -> HashSet<K> {
    let mut children: HashMap<K, Vec<K>> = HashMap::new();
    for node in nodes {
        if let Some(parent) = node.parent {
            children.entry(parent).or_default().push(node.id);
        }
    }
    let mut all = HashSet::from([root]);
    let mut level = vec![root];
    while let Some(id) = level.pop() {
        let next = children.get(&id).into_iter().flatten();
        level.extend(next.copied().filter(|child| all.insert(*child)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A table that is partitioned where it has no bytes.
    fn table(id: u32, parent: Option<u32>, bytes: Option<u64>) -> (Node<u32>, Option<u64>) {
        let node = Node {
            id,
            parent,
            is_partitioned: bytes == Some(0),
            by_name: id == 4,
        };
        (node, bytes)
    }

    fn nodes(tables: &[(Node<u32>, Option<u64>)]) -> impl Iterator<Item = Node<u32>> {
        tables.iter().map(|(node, _)| *node)
    }

    #[test]
    fn a_set_is_itself_and_all_below_it_and_unknown_without_one() {
        let tables = [
            table(1, None, Some(0)),
            table(2, Some(1), Some(0)),
            table(3, Some(2), Some(30)),
            table(4, Some(1), Some(40)),
            // plain inheritance, of which a leaf was never measured
            table(10, None, Some(8)),
            table(11, Some(10), Some(5)),
            table(12, Some(11), None),
            // alone, and partitioned without partitions
            table(20, None, Some(7)),
            table(21, None, Some(0)),
        ];
        let sets = sets(nodes(&tables), |place| tables[place].1);
        let seen = |id: u32| sets.get(&id).map(|set| (set.bytes(), set.tables));
        for (id, expect) in [
            (1, Some((Some(70), 2))),
            (2, Some((Some(30), 1))),
            (3, None),
            (10, Some((None, 3))),
            (11, Some((None, 2))),
            (20, None),
            (21, Some((Some(0), 0))),
        ] {
            assert_eq!(seen(id), expect, "{id}");
        }
        assert_eq!(
            sets[&10].unknown().as_deref(),
            Some("1 of 3 tables has no size")
        );
        assert_eq!(sets[&1].unknown(), None);
        assert_eq!((sets[&1].by_name, sets[&2].by_name), (1, 0));
        assert_eq!(descendants(1, nodes(&tables)), HashSet::from([1, 2, 3, 4]));
        assert_eq!(descendants(20, nodes(&tables)), HashSet::from([20]));
    }

    #[test]
    fn a_circle_ends() {
        let tables = [table(1, Some(2), Some(1)), table(2, Some(1), Some(2))];
        assert_eq!(sets(nodes(&tables), |place| tables[place].1).len(), 2);
        assert_eq!(descendants(1, nodes(&tables)), HashSet::from([1, 2]));
    }
}
