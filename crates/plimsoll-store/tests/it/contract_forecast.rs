//! The contract on forecasts: one pass reads what each series would, and what is kept of forecasts is
//! replaced as a whole.

use std::sync::Arc;

use jiff::SignedDuration;
use plimsoll_core::change::EventKind;
use plimsoll_core::forecast::coherent::HORIZONS;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::TableKind;
use plimsoll_store::{
    ForecastHeader, ForecastPart, KeptForecast, PartHorizons, PartKind, PartQuery, SampleTotal,
    SeriesBatch, SeriesQuery, Step, TableName, TableSteps,
};

use crate::fresh::Fresh;
use crate::world::{World, at, locked};

/// What the pass sends.
async fn pass(
    fresh: &Fresh,
    of: &World,
    query: &SeriesQuery,
) -> (Vec<SampleTotal>, Vec<TableSteps>) {
    let (to, mut from) = tokio::sync::mpsc::channel(1);
    let key = of.key();
    let read = fresh
        .store
        .read_series(&key, query, &[EventKind::Truncate], to);
    let receive = async {
        let mut samples = Vec::new();
        let mut tables = Vec::new();
        while let Some(batch) = from.recv().await {
            match batch {
                SeriesBatch::Samples(all) => samples = all,
                SeriesBatch::Tables(some) => tables.extend(some),
            }
        }
        (samples, tables)
    };
    let (read, received) = tokio::join!(read, receive);
    read.unwrap();
    received
}

/// Bytes at each sample that shows a table.
fn dense(table: &TableSteps, belongs: impl Fn(usize) -> bool, samples: usize) -> Vec<(usize, u64)> {
    (0..samples)
        .filter(|&place| belongs(place))
        .filter_map(|place| {
            let step = table.steps.iter().rfind(|step| step.0 <= place)?;
            Some((place, step.1))
        })
        .collect()
}

fn part(kind: PartKind, schema: &str, table: &str, grown: i64) -> ForecastPart {
    ForecastPart {
        kind,
        name: TableName::new(schema, table),
        level_bytes: 1 << 40,
        horizons: PartHorizons {
            grown: [grown; HORIZONS],
            half80: (grown > 0).then_some([7; HORIZONS]),
            adjustment: [-grown; HORIZONS],
        },
    }
}

fn forecast(sample_id: i64, parts: Vec<ForecastPart>) -> Arc<KeptForecast> {
    Arc::new(KeptForecast {
        header: ForecastHeader {
            sample_id,
            sampled_at: at("2026-01-01T03:00:00Z"),
            computed_at: at("2026-01-01T03:00:01.5Z"),
            took_ms: 1500,
            table_count: 9,
            young_count: 2,
            unknown: Some("too \"few\" samples".to_owned()),
        },
        parts,
    })
}

/// Some forecast.
pub(crate) fn any_forecast() -> Arc<KeptForecast> {
    forecast(1, vec![part(PartKind::Database, "", "", 3)])
}

contract! {
    async fn one_pass_reads_what_each_series_would(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        let hour = |n: i64| at("2026-01-01T00:00:00Z") + SignedDuration::from_hours(n);
        for n in 0..1100_u32 {
            world.add(10_000 + n * 10, "many", &format!("t{n}"), 8192);
        }
        world.add(100, "public", "measurement", 0).kind = TableKind::Partitioned;
        for (oid, name) in [(1000, "m_1"), (1010, "m_2")] {
            world.add(oid, "public", name, 81920).parent_oid = Some(100);
        }
        world.add(2000, "public", "tree", 8192);
        world.add(2010, "public", "leaf", 8192).parent_oid = Some(2000);
        world.add(3000, "public", "moved", 8192);
        world.add(3010, "pg_catalog", "pg_class", 8192).kind = TableKind::Catalog;
        for n in 0..6_i64 {
            let bytes = 8192 * u64::try_from(n + 1).unwrap();
            world.table(1000).heap.size = Size::measured(81920 + bytes);
            match n {
                // a value whose sample no series is read at, and one that only rows changed
                1 => world.table(2010).heap.size = Size::measured(90112),
                2 => world.table(2010).rows.count = Some(1),
                3 => {
                    world.table(3000).schema_name = "sales".into();
                    world.drop(1010);
                    world.add(1020, "public", "m_3", 8192).parent_oid = Some(100);
                }
                4 => {
                    world.table(3000).heap.filenode = 7;
                    world.table(3000).heap.size = Size::measured(0);
                    world.add(4000, "locked", "unread", 0).heap.size = locked();
                }
                _ => {}
            }
            fresh.keep(&world, hour(n)).await;
            if n == 1 {
                world.table(2010).heap.size = Size::measured(98304);
                fresh.keep(&world, hour(n) + SignedDuration::from_mins(5)).await;
            }
        }
        let query = SeriesQuery { step: Step::Hour, ..SeriesQuery::default() };
        let (samples, tables) = pass(fresh, &world, &query).await;
        assert_eq!(samples.len(), 6);
        let totals: Vec<_> = fresh.all(&world).await.iter().rev().map(|s| (s.id, s.total_bytes)).collect();
        for sample in &samples {
            assert!(totals.contains(&(sample.sample_id, sample.total_bytes)), "{sample:?}");
        }
        assert_eq!(tables.len(), 1100 + 9, "gone ones too, and each once");

        for table in tables.iter().filter(|table| table.name.schema_name != "many" || table.id % 100 == 0) {
            if table.kind == TableKind::Partitioned {
                continue;
            }
            let alone = fresh.store.table_series(&world.key(), &table.name, &query).await.unwrap().unwrap();
            let alone: Vec<_> = alone.points.iter()
                .filter_map(|p| Some((p.sample_id, p.total_bytes()?))).collect();
            let there = |place: usize| table.belongs.iter().any(|b| (b.from..b.until).contains(&place));
            let of_pass: Vec<_> = dense(table, there, samples.len()).into_iter()
                .map(|(place, bytes)| (samples[place].sample_id, bytes)).collect();
            assert_eq!(of_pass, alone, "{}", table.name);
        }
        let sum = |there: &dyn Fn(&plimsoll_store::Membership) -> bool| -> Vec<u64> {
            let mut sums = vec![0; samples.len()];
            for table in &tables {
                let is_in = |place: usize| table.belongs.iter()
                    .any(|b| there(b) && (b.from..b.until).contains(&place));
                for (place, bytes) in dense(table, is_in, samples.len()) {
                    sums[place] += bytes;
                }
            }
            sums
        };
        for schema in ["public", "sales", "many"] {
            let alone = fresh.store.schema_series(&world.key(), schema, &query).await.unwrap();
            let alone: Vec<_> = alone.iter().filter_map(plimsoll_store::Point::total_bytes).collect();
            let sums = sum(&|belongs| belongs.schema_name == schema);
            assert_eq!(&sums[samples.len() - alone.len()..], alone, "{schema}");
        }
        for root in ["measurement", "tree"] {
            let root = TableName::new("public", root);
            let alone = fresh.store.set_series(&world.key(), &root, &query).await.unwrap().unwrap();
            let alone: Vec<_> = alone.points.iter().filter_map(plimsoll_store::Point::total_bytes).collect();
            assert_eq!(sum(&|belongs| belongs.set.as_ref() == Some(&root)), alone, "{root}");
        }

        let named = |name: &str| tables.iter().find(|table| table.name.table_name == name).unwrap();
        let places = |name: &str| named(name).steps.iter().map(|step| step.0).collect::<Vec<_>>();
        assert_eq!(places("t7"), [0], "what does not change is one step");
        assert_eq!(places("leaf"), [0, 1]);
        assert_eq!(places("unread"), [0_usize; 0]);
        assert_eq!(named("moved").belongs.len(), 2);
        assert_eq!(named("moved").events.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::Truncate]);
        assert!(named("m_1").events.is_empty());

        let (samples, tables) = pass(fresh, &World::new("main", "nothing"), &query).await;
        assert!(samples.is_empty() && tables.is_empty());
    }

    async fn what_is_kept_of_forecasts_is_replaced_as_a_whole(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "orders", 81920);
        let all = PartQuery {
            kinds: vec![PartKind::Database, PartKind::Schema, PartKind::Set, PartKind::Table,
                PartKind::ToCome, PartKind::Rest],
            ..PartQuery::default()
        };
        let kept = |query: PartQuery| async move {
            fresh.store.kept_forecast(&World::new("main", "app").key(), &query).await.unwrap()
        };
        let first = forecast(5, vec![part(PartKind::Table, "public", "orders", 3)]);
        assert!(!fresh.store.keep_forecast(&world.key(), first.clone()).await.unwrap(), "no history");
        fresh.keep(&world, at("2026-01-01T03:00:00Z")).await;
        assert_eq!(kept(all.clone()).await, None);
        assert!(fresh.store.keep_forecast(&world.key(), first.clone()).await.unwrap());
        assert_eq!(kept(all.clone()).await, Some((*first).clone()));

        let second = forecast(6, vec![
            part(PartKind::Database, "", "", 30),
            part(PartKind::Table, "public", "a", 20),
            part(PartKind::Table, "Ünï \"q\"", "a", 10),
            part(PartKind::Table, "public", "b", 10),
            part(PartKind::Set, "public", "a", 9),
            part(PartKind::Schema, "public", "", 5),
            part(PartKind::ToCome, "public", "", 0),
            part(PartKind::ToCome, "public", "a", -1),
            part(PartKind::Rest, "", "", -2),
            part(PartKind::Table, "public", "c", -70),
        ]);
        assert!(fresh.store.keep_forecast(&world.key(), second.clone()).await.unwrap());
        let found = kept(all.clone()).await.unwrap();
        assert_eq!(found.header, second.header);
        assert_eq!(found.parts.len(), 10);
        assert!(found.parts.is_sorted_by_key(|part| -part.horizons.grown[7]), "what grows most first");
        for part in &second.parts {
            assert!(found.parts.contains(part), "{part:?}");
        }
        assert!(!fresh.store.keep_forecast(&world.key(), first.clone()).await.unwrap(), "an older sample's");
        assert_eq!(kept(all.clone()).await, Some(found.clone()));

        let some = |kinds: &[PartKind], name: Option<&TableName>, limit| PartQuery {
            kinds: kinds.to_vec(), name: name.cloned(), limit,
        };
        let names = |kept: Option<KeptForecast>| kept.unwrap().parts.iter()
            .map(|part| (part.kind, part.name.table_name.clone())).collect::<Vec<_>>();
        let a = TableName::new("public", "a");
        assert_eq!(names(kept(some(&[PartKind::Table], Some(&a), None)).await),
            [(PartKind::Table, "a".to_owned())]);
        let limited = names(kept(PartQuery { limit: Some(1), ..all.clone() }).await);
        assert_eq!(limited.len(), 7, "what has no kind of rows is not limited: {limited:?}");
        assert_eq!(limited.iter().filter(|part| part.0 == PartKind::ToCome).count(), 2);
        assert_eq!(names(kept(some(&[], None, None)).await), []);

        // another database's is its own
        let mut other = World::new("main", "other");
        other.add(1000, "public", "t", 8192);
        fresh.keep(&other, at("2026-01-01T03:00:00Z")).await;
        fresh.store.keep_forecast(&other.key(), first).await.unwrap();
        assert_eq!(kept(all).await, Some(found));
    }

    async fn what_joins_a_history_makes_its_forecasts_forgotten(fresh: &Fresh) {
        let mut world = World::new("main", "app");
        world.add(1000, "public", "orders", 81920);
        fresh.keep(&world, at("2026-01-10T03:00:00Z")).await;
        let kept = forecast(1, vec![part(PartKind::Database, "", "", 3)]);
        fresh.store.keep_forecast(&world.key(), kept).await.unwrap();
        let csv = "time,table,bytes\n2026-01-01T03:00:00Z,orders,1000\n2026-01-02T03:00:00Z,orders,2000\n";
        let options = plimsoll_store::transfer::csv::Options::default();
        let imported = plimsoll_store::transfer::csv::import(
            &*fresh.store, &world.key(), std::io::Cursor::new(csv), &options).await.unwrap();
        assert_eq!(imported.history.samples, 2);
        let query = PartQuery::default();
        assert_eq!(fresh.store.kept_forecast(&world.key(), &query).await.unwrap(), None);
        let parts = (fresh.sql)("select count(*) from forecast_parts");
        assert_eq!(parts.last().unwrap()[0].as_deref(), Some("0"));
    }
}
