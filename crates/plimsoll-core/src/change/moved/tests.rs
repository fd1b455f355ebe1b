//! What moved, compared by itself, gives the changes of the whole: on many random histories.

use super::super::tests::{rewrite, snapshot, table};
use super::super::{KnownDatabase, compare};
use super::*;
use crate::size::Status;
use crate::snapshot::{Storage, TableKind};

/// Numbers from a seed (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from(z ^ (z >> 31)).unwrap() % end
    }
}

struct Database {
    random: Random,
    next_oid: Oid,
    now: Snapshot,
}

impl Database {
    fn new(seed: u64) -> Self {
        let mut now = snapshot();
        now.tables.clear();
        let mut database = Self {
            random: Random(seed),
            next_oid: 20_000,
            now,
        };
        for n in 0..60 {
            database.create(&format!("table_{n}"));
        }
        database
    }

    fn oid(&mut self) -> Oid {
        self.next_oid += 100;
        self.next_oid
    }

    fn create(&mut self, name: &str) {
        let mut new = table(self.oid(), name);
        new.kind = match self.random.below(12) {
            0 => TableKind::Partitioned,
            1 => TableKind::Catalog,
            2 => TableKind::Temporary,
            3 => TableKind::Matview,
            _ => TableKind::Table,
        };
        if self.random.below(4) == 0 {
            new.parent_oid = self.any_oid();
        }
        let place = self.random.below(self.now.tables.len() + 1);
        self.now.tables.insert(place, new);
    }

    fn any(&mut self) -> usize {
        self.random.below(self.now.tables.len())
    }

    fn any_oid(&mut self) -> Option<Oid> {
        if self.now.tables.is_empty() {
            return None;
        }
        let at = self.any();
        Some(self.now.tables[at].oid)
    }

    /// One thing that happens to a database, or to what a visit sees of it.
    fn change(&mut self) {
        let at = self.any();
        let oid = self.oid();
        let bytes = self.random.below(1 << 20) as u64;
        match self.random.below(17) {
            0 => drop(self.now.tables.remove(at)),
            1 => self.create(&format!("new_{oid}")),
            2 => {
                let old = self.now.tables.remove(at);
                self.create(&old.table_name);
            }
            3 => self.now.tables[at].table_name = format!("renamed_{oid}").into(),
            4 => {
                let other = self.any();
                let name = self.now.tables[at].table_name.clone();
                self.now.tables[at].table_name = self.now.tables[other].table_name.clone();
                self.now.tables[other].table_name = name;
            }
            5 => self.now.tables[at].heap.size = Size::measured(bytes),
            6 => self.now.tables[at].heap.size = Size::default(),
            7 => self.now.tables[at].heap.size.status = Status::Missing,
            8 => self.now.tables[at].rows.count = Some(bytes),
            9 => {
                let parent = self.any_oid();
                let table = &mut self.now.tables[at];
                table.parent_oid = parent.filter(|oid| *oid != table.oid);
            }
            10 => self.now.tables[at].parent_oid = None,
            11 => rewrite(&mut self.now.tables[at], bytes),
            12 => self.now.tables[at].indexes.clear(),
            13 => {
                let mut index = table(oid, "more").indexes.remove(0);
                index.index_name = format!("index_{oid}").into();
                self.now.tables[at].indexes.push(index);
            }
            14 => {
                for (index, oid) in self.now.tables[at].indexes.iter_mut().zip(oid..) {
                    index.oid = oid;
                    index.storage.filenode = oid;
                }
            }
            15 => {
                for index in &mut self.now.tables[at].indexes {
                    index.storage.size = match bytes % 3 {
                        0 => Size::default(),
                        _ => Size::measured(bytes),
                    };
                }
            }
            _ => {
                let toast = &mut self.now.tables[at].toast;
                *toast = match toast {
                    Some(_) => None,
                    None => table(oid, "toasted").toast.map(|mut toast| {
                        toast.heap = Storage {
                            size: Size::measured(bytes),
                            ..toast.heap
                        };
                        toast
                    }),
                };
            }
        }
    }
}

/// As a store looks it up.
fn only(known: &KnownDatabase, ids: &[RelationId]) -> KnownDatabase {
    let mut part = known.clone();
    part.relations.retain(|relation| {
        ids.contains(&relation.id) || relation.owner.is_some_and(|owner| ids.contains(&owner))
    });
    part
}

/// In an order that does not depend on that in which relations were looked up.
fn sorted(mut changes: Changes) -> Changes {
    changes.gone.sort_unstable();
    changes
        .unread
        .sort_unstable_by_key(|unread| (unread.0, unread.1));
    changes
        .events
        .sort_by_key(|event| (event.relation, format!("{:?}", event.kind)));
    changes.former.sort_by_key(|former| former.id);
    changes
}

#[test]
fn what_moved_gives_the_changes_of_the_whole() {
    let (mut in_part, mut left_out) = (0, 0);
    for seed in 0..200 {
        let mut database = Database::new(seed);
        let mut known = KnownDatabase::new();
        let mut last = LastTables::default();
        for round in 0..12 {
            for _ in 0..database.random.below(5) {
                database.change();
            }
            let now = &database.now;
            let prints = fingerprints(now);
            let whole = compare(&known, now);
            let mut before = Some(&known);
            if let Some(moved) = last.moved(now, &prints) {
                let mut part = compare(&only(&known, &moved.ids), &moved.snapshot);
                part.table_count += moved.left_out;
                let what = format!("seed {seed}, round {round}");
                let (part, whole) = (sorted(part), sorted(whole.clone()));
                assert_eq!(part.events, whole.events, "{what}");
                assert_eq!(part.updated, whole.updated, "{what}");
                assert_eq!(part, whole, "{what}");
                in_part += 1;
                left_out += now.tables.len() - moved.snapshot.tables.len();
                before = None;
            }
            last = last.after(before, &whole, now, &prints);
            known.apply(&whole, now);
        }
    }
    // or the test would show nothing
    assert!(
        in_part > 1500 && left_out > 30 * in_part,
        "{in_part}, {left_out}"
    );
}

#[test]
fn a_snapshot_like_the_last_moves_nothing() {
    let now = snapshot();
    let prints = fingerprints(&now);
    let known = KnownDatabase::new();
    let changes = compare(&known, &now);
    let last = LastTables::default().after(Some(&known), &changes, &now, &prints);
    let moved = last.moved(&now, &prints).unwrap();
    assert!(moved.snapshot.tables.is_empty() && moved.ids.is_empty());
    assert_eq!(moved.left_out, 2);
}

#[test]
fn where_most_moved_all_is_looked_up() {
    let now = snapshot();
    assert!(
        LastTables::default()
            .moved(&now, &fingerprints(&now))
            .is_none()
    );
}
