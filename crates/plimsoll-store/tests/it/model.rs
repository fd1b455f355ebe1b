//! Random histories against a plain model in memory, which keeps every sample as a whole.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::change::Sizes;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::TableKind;
use plimsoll_core::thinning::Retention;
use plimsoll_store::{DifferenceQuery, SampleQuery, SeriesQuery, Step, Store, TableName};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::fresh::Fresh;
use crate::world::{World, at, locked};

/// Something that happens. Tables are named by a number, taken modulo how many there are.
#[derive(Debug, Clone)]
enum Happening {
    Create(u64),
    Resize(usize, u64),
    ResizeIndex(usize, u64),
    ResizeToast(usize, u64),
    Rewrite(usize, u64),
    Rename(usize),
    MoveSchema(usize),
    Drop(usize),
    /// The table itself, and its index or not, cannot be read until further notice.
    Lock(usize, bool),
    Unlock(usize),
    Sample(SampleKind, u16),
    Thin,
}

fn steps() -> impl Strategy<Value = Vec<Happening>> {
    let pages = 0_u64..500;
    let table = 0_usize..64;
    let kind = prop_oneof![
        1 => Just(SampleKind::Daily),
        5 => Just(SampleKind::Watch),
        1 => Just(SampleKind::Manual),
    ];
    let step = prop_oneof![
        3 => pages.clone().prop_map(Happening::Create),
        8 => (table.clone(), pages.clone()).prop_map(|(t, p)| Happening::Resize(t, p)),
        3 => (table.clone(), pages.clone()).prop_map(|(t, p)| Happening::ResizeIndex(t, p)),
        2 => (table.clone(), pages.clone()).prop_map(|(t, p)| Happening::ResizeToast(t, p)),
        1 => (table.clone(), pages).prop_map(|(t, p)| Happening::Rewrite(t, p)),
        1 => table.clone().prop_map(Happening::Rename),
        1 => table.clone().prop_map(Happening::MoveSchema),
        1 => table.clone().prop_map(Happening::Drop),
        1 => (table.clone(), any::<bool>()).prop_map(|(t, i)| Happening::Lock(t, i)),
        1 => table.prop_map(Happening::Unlock),
        12 => (kind, 1_u16..200).prop_map(|(k, m)| Happening::Sample(k, m)),
        2 => Just(Happening::Thin),
    ];
    proptest::collection::vec(step, 1..150)
}

/// What one sample must show: each table by its OID.
type Shown = BTreeMap<u32, (TableName, Sizes)>;

struct Model {
    world: World,
    /// Sizes by OID as they really are; what of it can be read is in the world.
    last_measured: HashMap<u32, u64>,
    real: HashMap<u32, u64>,
    next_oid: u32,
    now: Timestamp,
    kept: BTreeMap<i64, Shown>,
    /// Each table's last name.
    names: HashMap<u32, TableName>,
}

impl Model {
    fn table(&mut self, n: usize) -> Option<&mut plimsoll_core::snapshot::Table> {
        let count = self.world.tables.len();
        if count == 0 {
            None
        } else {
            Some(&mut self.world.tables[n % count])
        }
    }

    fn set(
        &mut self,
        n: usize,
        part: impl Fn(&mut plimsoll_core::snapshot::Table) -> (u32, &mut Size),
        bytes: u64,
    ) {
        let Some(table) = self.table(n) else { return };
        let (oid, size) = part(table);
        if size.is_measured() {
            *size = Size::measured(bytes);
        }
        self.real.insert(oid, bytes);
    }

    async fn step(&mut self, step: &Happening, store: &dyn Store) {
        match *step {
            Happening::Create(pages) => {
                let oid = self.next_oid;
                self.next_oid += 10;
                self.world
                    .add(oid, "public", &format!("t{oid}"), pages * 8192);
                for (part, bytes) in [(0, pages * 8192), (1, 0), (2, 8192), (3, 16384)] {
                    self.real.insert(oid + part, bytes);
                }
            }
            Happening::Resize(n, pages) => self.set(n, |t| (t.oid, &mut t.heap.size), pages * 8192),
            Happening::ResizeIndex(n, pages) => self.set(
                n,
                |t| (t.indexes[0].oid, &mut t.indexes[0].storage.size),
                pages * 8192,
            ),
            Happening::ResizeToast(n, pages) => self.set(
                n,
                |t| {
                    let toast = t.toast.as_mut().unwrap();
                    (toast.oid, &mut toast.heap.size)
                },
                pages * 8192,
            ),
            Happening::Rewrite(n, pages) => {
                if let Some(table) = self.table(n) {
                    table.heap.filenode += 1;
                }
                self.set(n, |t| (t.oid, &mut t.heap.size), pages * 8192);
            }
            Happening::Rename(n) => {
                let name = format!("renamed_{}", self.next_oid);
                self.next_oid += 10;
                if let Some(table) = self.table(n) {
                    table.table_name = name.into();
                }
            }
            Happening::MoveSchema(n) => {
                if let Some(table) = self.table(n) {
                    let archived = &*table.schema_name == "archive";
                    table.schema_name = if archived { "public" } else { "archive" }.into();
                }
            }
            Happening::Drop(n) => {
                if let Some(oid) = self.table(n).map(|table| table.oid) {
                    self.world.drop(oid);
                }
            }
            Happening::Lock(n, with_index) => {
                if let Some(table) = self.table(n) {
                    table.heap.size = locked();
                    if with_index {
                        table.indexes[0].storage.size = locked();
                    }
                }
            }
            Happening::Unlock(n) => {
                let real = self.real.clone();
                if let Some(table) = self.table(n) {
                    for (oid, size) in table.parts_mut() {
                        *size = Size::measured(real[&oid]);
                    }
                }
            }
            Happening::Sample(kind, minutes) => {
                self.now += SignedDuration::from_mins(i64::from(minutes));
                let snapshot = self.world.snapshot(self.now);
                let recorded = store.record_sample(&snapshot, kind, None).await.unwrap();
                let shown = self.shown();
                self.kept.insert(recorded.header().id, shown);
            }
            Happening::Thin => {
                let of = self.world.key();
                store.thin(&of, &retention(), self.now).await.unwrap();
            }
        }
    }

    /// What a sample taken now must show: of each part the last measured size.
    fn shown(&mut self) -> Shown {
        let mut shown = Shown::new();
        for table in &mut self.world.tables {
            for (oid, size) in table.parts_mut() {
                if size.is_measured() {
                    self.last_measured.insert(oid, size.bytes.unwrap());
                }
            }
            let last = |oid: u32| self.last_measured.get(&oid).copied();
            let sizes = Sizes {
                heap_bytes: last(table.oid),
                toast_bytes: last(table.oid + 1),
                toast_index_bytes: last(table.oid + 2),
                index_bytes: last(table.oid + 3).unwrap_or(0),
                row_count: table.rows.count,
            };
            let name = TableName::new(&*table.schema_name, &*table.table_name);
            self.names.insert(table.oid, name.clone());
            shown.insert(table.oid, (name, sizes));
        }
        shown
    }

    async fn check(&self, store: &dyn Store) {
        let of = self.world.key();
        let query = SampleQuery {
            of: of.clone(),
            kinds: Vec::new(),
            since: None,
            step: Step::All,
            limit: usize::MAX,
        };
        let mut samples = store.samples(&query).await.unwrap().samples;
        samples.reverse();
        let mut series: HashMap<u32, Vec<(i64, Sizes)>> = HashMap::new();
        for header in &samples {
            let shown = &self.kept[&header.id];
            let mut by_key: Vec<(String, u64)> = shown
                .values()
                .filter_map(|(name, sizes)| Some((name.key(18), sizes.total_bytes()?)))
                .collect();
            by_key.sort();
            assert_eq!(store.table_sizes(header, None, None).await.unwrap(), by_key);
            assert_eq!(
                header.table_count,
                Some(u64::try_from(by_key.len()).unwrap())
            );

            let state = store.state(&of, header.sampled_at).await.unwrap().unwrap();
            assert_eq!(state.sample, *header);
            let mut tables: Vec<_> = state
                .tables
                .into_iter()
                .map(|t| (t.name, t.sizes))
                .collect();
            tables.sort_by(|a, b| a.0.cmp(&b.0));
            let mut expected: Vec<_> = shown.values().cloned().collect();
            expected.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(tables, expected);
            for (oid, (_, sizes)) in shown {
                series.entry(*oid).or_default().push((header.id, *sizes));
            }
        }
        for (oid, points) in series {
            let name = &self.names[&oid];
            let found = store
                .table_series(&of, name, &SeriesQuery::default())
                .await
                .unwrap()
                .unwrap();
            assert_eq!(found.kind, TableKind::Table);
            let is: Vec<_> = found
                .points
                .iter()
                .map(|p| (p.sample_id, p.sizes))
                .collect();
            assert_eq!(is, points, "series of {name}");
        }
        for pair in samples.windows(2).step_by(3) {
            let query = DifferenceQuery {
                from: pair[0].sampled_at,
                to: pair[1].sampled_at,
                kinds: Vec::new(),
                indexes: false,
                limit: None,
            };
            let (before, after) = (&self.kept[&pair[0].id], &self.kept[&pair[1].id]);
            let bytes = |shown: &Shown, oid: u32| {
                let sizes = shown.get(&oid).and_then(|(_, sizes)| sizes.total_bytes());
                i64::try_from(sizes.unwrap_or(0)).unwrap()
            };
            let mut expected: Vec<i64> = before
                .keys()
                .chain(after.keys().filter(|oid| !before.contains_key(oid)))
                .map(|oid| bytes(after, *oid) - bytes(before, *oid))
                .filter(|bytes| *bytes != 0)
                .collect();
            expected.sort_by(|a, b| b.cmp(a));
            let found = store.difference(&of, &query).await.unwrap().unwrap();
            let is: Vec<i64> = found
                .growth
                .iter()
                .map(plimsoll_store::Growth::bytes)
                .collect();
            assert_eq!(is, expected);
        }
    }
}

fn retention() -> Retention {
    Retention {
        daily_samples: 3,
        all_for: SignedDuration::from_hours(6),
        hourly_for: SignedDuration::from_hours(36),
    }
}

/// Runs random histories, each on a store that `fresh` makes.
fn check_random_histories(cases: u32, fresh: impl Fn(&tokio::runtime::Runtime) -> Fresh) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let result = TestRunner::new(config).run(&steps(), |steps| {
        let fresh = fresh(&runtime);
        let mut model = Model {
            world: World::new("main", "app"),
            last_measured: HashMap::new(),
            real: HashMap::new(),
            next_oid: 1000,
            now: at("2026-01-01T00:00:00Z"),
            kept: BTreeMap::new(),
            names: HashMap::new(),
        };
        runtime.block_on(async {
            // so many that few of them move: only those are looked up
            for _ in 0..30 {
                model.step(&Happening::Create(2), &*fresh.store).await;
            }
            for step in &steps {
                model.step(step, &*fresh.store).await;
            }
            model.check(&*fresh.store).await;
        });
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn random_histories_in_a_file_are_what_the_model_keeps() {
    check_random_histories(100, |runtime| runtime.block_on(Fresh::sqlite()));
}

#[test]
fn random_histories_on_a_server_are_what_the_model_keeps() {
    let Some(server) = throwaway_postgres::test::shared_if_installed(18) else {
        return;
    };
    let count = std::cell::Cell::new(0);
    check_random_histories(15, |runtime| {
        count.set(count.get() + 1);
        runtime.block_on(Fresh::postgres(server, &format!("random_{}", count.get())))
    });
}
