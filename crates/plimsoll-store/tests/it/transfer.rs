//! Histories move between stores without loss, once, and what other tools measured joins them.

use std::io::Cursor;
use std::sync::Arc;

use jiff::SignedDuration;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_store::transfer::csv::{self, Options};
use plimsoll_store::transfer::{Fit, TransferError, ndjson};
use plimsoll_store::{DatabaseKey, SeriesQuery, Store, TableName};

use crate::fresh::Fresh;
use crate::world::{World, at, locked};

/// A history with everything in it: two databases, hostile names, renames, drops, an unread part,
/// thinned samples.
async fn eventful(store: &dyn Store) -> [World; 2] {
    let mut shop = World::new("pri,\"mary\"\n", "shop");
    let mut other = World::new("pri,\"mary\"\n", "o'ther");
    other.add(16500, "public", "things", 8192);
    shop.add(20000, "public", "orders", 100_000);
    shop.add(20010, "Sales; --", "we\"ird.\n\u{1f980}", 50_000);
    shop.add(20020, "public", "select", 9_000);
    let start = at("2026-01-01T03:00:00.250Z");
    for day in 0..12_i32 {
        let now = start + SignedDuration::from_hours(24 * i64::from(day));
        shop.table(20000).heap.size = Size::measured(100_000 + 8192 * u64::try_from(day).unwrap());
        match day {
            3 => shop.table(20020).table_name = "renamed".into(),
            5 => shop.table(20010).heap.size = locked(),
            6 => shop.table(20010).heap.size = Size::measured(70_000),
            7 => shop.drop(20020),
            8 => {
                shop.add(20040, "public", "late", 1_000_000);
            }
            11 => shop.table(20040).heap.size = locked(),
            _ => {}
        }
        let kind = if day % 2 == 0 {
            SampleKind::Daily
        } else {
            SampleKind::Manual
        };
        store
            .record_sample(&shop.snapshot(now), kind, (day == 4).then_some(now))
            .await
            .unwrap();
        if day < 3 {
            let now = now + SignedDuration::from_secs(1);
            store
                .record_sample(&other.snapshot(now), SampleKind::Daily, None)
                .await
                .unwrap();
        }
    }
    let retention = plimsoll_core::thinning::Retention::default();
    let thinned = store
        .thin(
            &shop.key(),
            &retention,
            start + SignedDuration::from_hours(24 * 24),
        )
        .await
        .unwrap();
    assert!(
        thinned > 0,
        "the history holds values whose sample was thinned away"
    );
    [shop, other]
}

pub(crate) async fn exported(store: &dyn Store) -> String {
    let databases = store.databases().await.unwrap();
    let mut out = Vec::new();
    ndjson::export(store, &databases, &mut out, &|_| {})
        .await
        .unwrap();
    String::from_utf8(out).unwrap()
}

async fn import(
    store: &dyn Store,
    text: &str,
) -> Result<Vec<plimsoll_store::ImportedHistory>, TransferError> {
    let moved = ndjson::import(store, Cursor::new(text.to_owned()), &Arc::default()).await?;
    Ok(moved.databases)
}

/// Everything that the view shows, but how each database prints a time.
fn view(fresh: &Fresh) -> Vec<Vec<Option<String>>> {
    let mut rows = fresh.sql(
        "select id, instance, database, kind, total_bytes, attributed_bytes, estimated_bytes,
             unattributed_bytes, unmeasured_bytes, table_count, unread_count, table_sizes
         from storage_samples order by instance, database, id",
    );
    for row in &mut rows {
        let sizes = row.pop().flatten().unwrap();
        let sizes: std::collections::BTreeMap<String, u64> = serde_json::from_str(&sizes).unwrap();
        row.push(Some(format!("{sizes:?}")));
    }
    rows
}

/// How many values each sample has as its own.
fn value_counts(fresh: &Fresh) -> Vec<Vec<Option<String>>> {
    fresh.sql("select tick, value_count from samples order by tick, id")
}

throwaway_postgres::on_every_major! {
    async fn a_history_moves_to_postgresql_and_back_unchanged(server: &Server) {
        let from = Fresh::sqlite().await;
        let [mut shop, _] = eventful(&*from.store).await;
        let text = exported(&*from.store).await;
        let there = Fresh::postgres(server, "moved").await;
        let moved = import(&*there.store, &text).await.unwrap();
        assert_eq!(moved.len(), 2);
        assert!(moved.iter().all(|moved| moved.fit == Fit::New && moved.left_out == 0));
        assert_eq!(exported(&*there.store).await, text);
        assert_eq!(view(&there), view(&from));
        assert_eq!(value_counts(&there), value_counts(&from));
        let back = Fresh::sqlite().await;
        import(&*back.store, &exported(&*there.store).await).await.unwrap();
        assert_eq!(exported(&*back.store).await, text);
        assert_eq!(view(&back), view(&from));
        assert_eq!(value_counts(&back), value_counts(&from));

        // again: nothing is doubled
        let again = import(&*there.store, &text).await.unwrap();
        assert!(again.iter().all(|moved| moved.samples == 0), "{again:?}");
        assert_eq!(exported(&*there.store).await, text);

        // both go on measuring, alike, and what one has more than the other follows
        shop.table(20000).heap.size = Size::measured(1);
        for day in ["2026-02-01T03:00:00Z", "2026-02-02T03:00:00Z"] {
            shop.table(20000).heap.size = Size::measured(u64::try_from(day.len()).unwrap() * 8192);
            there.store
                .record_sample(&shop.snapshot(at(day)), SampleKind::Daily, None)
                .await
                .unwrap();
        }
        let text = exported(&*there.store).await;
        let after = import(&*back.store, &text).await.unwrap();
        let samples: u64 = after.iter().map(|moved| moved.samples).sum();
        assert_eq!(samples, 2);
        let sizes = |rows: Vec<Vec<Option<String>>>| -> Vec<Option<String>> {
            rows.into_iter().map(|mut row| row.pop().unwrap()).collect()
        };
        assert_eq!(sizes(view(&back)), sizes(view(&there)));
    }
}

#[tokio::test]
async fn what_is_older_than_the_store_goes_before_it_and_joins_its_series() {
    let past = Fresh::sqlite().await;
    let mut shop = World::new("main", "shop");
    shop.add(20000, "public", "orders", 100_000);
    shop.add(20010, "public", "dropped", 8192);
    for day in 1..=5_u64 {
        shop.table(20000).heap.size = Size::measured(100_000 * day);
        let now = at(&format!("2026-01-0{day}T03:00:00Z"));
        past.store
            .record_sample(&shop.snapshot(now), SampleKind::Daily, None)
            .await
            .unwrap();
    }
    let present = Fresh::sqlite().await;
    shop.drop(20010);
    // renamed between the two, with the same OID
    shop.table(20000).table_name = "sales".into();
    for day in 4..=6_u64 {
        shop.table(20000).heap.size = Size::measured(1_000_000 * day);
        let now = at(&format!("2026-01-0{day}T04:00:00Z"));
        present
            .store
            .record_sample(&shop.snapshot(now), SampleKind::Daily, None)
            .await
            .unwrap();
    }
    let before = view(&present);
    let text = exported(&*past.store).await;
    let moved = import(&*present.store, &text).await.unwrap();
    assert_eq!(
        (moved[0].fit, moved[0].samples, moved[0].left_out),
        (Fit::Before, 4, 1)
    );
    let series = present
        .store
        .table_series(
            &shop.key(),
            &TableName::new("public", "sales"),
            &SeriesQuery::default(),
        )
        .await
        .unwrap()
        .unwrap();
    let heaps: Vec<_> = series
        .points
        .iter()
        .map(|p| p.sizes.heap_bytes.unwrap())
        .collect();
    assert_eq!(
        heaps,
        [
            100_000, 200_000, 300_000, 400_000, 4_000_000, 5_000_000, 6_000_000
        ]
    );
    // what the store had measured itself is as it was
    let after = view(&present);
    for row in before {
        assert!(after.contains(&row), "{row:?} changed");
    }
    let first = &after
        .iter()
        .find(|row| row[11].as_ref().unwrap().contains("dropped"))
        .unwrap()[11];
    assert!(
        first.as_ref().unwrap().contains("\"orders\""),
        "the name as it was then: {first:?}"
    );
    assert_eq!(import(&*present.store, &text).await.unwrap()[0].samples, 0);
}

#[tokio::test]
async fn an_export_that_is_damaged_leaves_nothing_and_names_the_line() {
    let from = Fresh::sqlite().await;
    eventful(&*from.store).await;
    let text = exported(&*from.store).await;
    let lines: Vec<&str> = text.lines().collect();
    let whole = |lines: &[&str]| lines.join("\n") + "\n";
    let cut = whole(&lines[..lines.len() - 3]);
    let mut missing = lines.clone();
    missing.remove(10);
    let garbled = text.replacen("\"row\":\"sample\"", "\"row\":\"sampel\"", 1);
    let below_zero = text.replacen("\"total_bytes\":", "\"total_bytes\":-", 1);
    let first_sample = lines
        .iter()
        .position(|line| line.contains("\"row\":\"sample\""))
        .unwrap()
        + 1;
    let end = lines
        .iter()
        .rposition(|line| line.contains("\"row\":\"end\""))
        .unwrap();
    for (damaged, says) in [
        (cut, "cut short".to_owned()),
        (
            text[..text.len() - 9].to_owned(),
            format!("line {}: ", lines.len()),
        ),
        (whole(&missing), format!("line {end}: ")),
        (garbled, format!("line {first_sample}: ")),
        (below_zero, format!("line {first_sample}: ")),
        (
            whole(&lines[1..]),
            "line 1: it belongs to no database".to_owned(),
        ),
        (
            text.replacen("\"format\":1", "\"format\":2", 1),
            "use a newer plimsoll".to_owned(),
        ),
        ("time,bytes\n".to_owned(), "line 1: ".to_owned()),
    ] {
        let fresh = Fresh::sqlite().await;
        let error = import(&*fresh.store, &damaged)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains(&says), "no {says:?} in {error:?}");
        // not even the whole database that comes before the damage
        assert!(fresh.store.databases().await.unwrap().is_empty(), "{error}");
        assert!(fresh.sql("select 1 from relations").is_empty(), "{error}");
        import(&*fresh.store, &text).await.unwrap();
        assert_eq!(view(&fresh).len(), view(&from).len());
    }
}

const PGHERO: &str = "\
id,database,schema,relation,size,captured_at
1,primary,public,orders,100000,2026-01-01 03:00:00.123
2,primary,public,orders_pkey,16384,2026-01-01 03:00:00.123
3,primary,public,index_orders_on_user_id,8192,2026-01-01 03:00:00.123
4,primary,public,gone,5000,2026-01-01 03:00:00.123
9,primary,public,orders,300000,2026-01-03 03:00:00.5
10,primary,public,orders_pkey,32768,2026-01-03 03:00:00.5
11,primary,public,index_orders_on_user_id,8192,2026-01-03 03:00:00.5
12,primary,\"we,ird \"\"schema\"\"\",\"a\nb\",77,2026-01-03 03:00:00.5
5,primary,public,orders,200000,2026-01-02 03:00:00
6,primary,public,orders_pkey,16384,2026-01-02 03:00:00
7,primary,public,index_orders_on_user_id,8192,2026-01-02 03:00:00
8,primary,public,gone,0,2026-01-02 03:00:00
";

async fn totals(store: &dyn Store, of: &DatabaseKey, schema: &str, table: &str) -> Vec<u64> {
    let series = store
        .table_series(of, &TableName::new(schema, table), &SeriesQuery::default())
        .await
        .unwrap()
        .unwrap_or_else(|| panic!("no series of {schema}.{table}"));
    series
        .points
        .iter()
        .map(|point| point.sizes.total_bytes().unwrap())
        .collect()
}

throwaway_postgres::on_every_major! {
    async fn what_pghero_kept_becomes_history_that_visits_go_on_with(server: &Server) {
        for fresh in [Fresh::sqlite().await, Fresh::postgres(server, "pghero").await] {
            let store = &*fresh.store;
            let mut shop = World::new("main", "shop");
            let of = shop.key();
            let options = Options::default();
            let input = || Cursor::new(PGHERO);
            let imported = csv::import(store, &of, input(), &options).await.unwrap();
            assert_eq!((imported.history.fit, imported.history.samples), (Fit::New, 3));
            assert_eq!(
                totals(store, &of, "public", "orders").await,
                [124_576, 224_576, 340_960]
            );
            // 0 bytes was PgHero's word for "dropped while I measured"
            assert_eq!(totals(store, &of, "public", "gone").await, [5000]);
            assert_eq!(totals(store, &of, "we,ird \"schema\"", "a\nb").await, [77]);
            let again = csv::import(store, &of, input(), &options).await.unwrap();
            assert_eq!((again.history.samples, again.history.left_out), (0, 3));

            shop.add(20000, "public", "orders", 400_000);
            store
                .record_sample(&shop.snapshot(at("2026-01-04T03:00:00Z")), SampleKind::Daily, None)
                .await
                .unwrap();
            let series = totals(store, &of, "public", "orders").await;
            assert_eq!(series[..3], [124_576, 224_576, 340_960]);
            assert_eq!(series.len(), 4);
            let events = fresh.sql("select kind from events");
            assert_eq!(events, [[Some("coverage".to_owned())]], "no table is new at the seam");
            // what Plimsoll measures is never followed by what PgHero still captures
            let later = PGHERO.replace("2026-01-0", "2026-02-0");
            let late = csv::import(store, &of, Cursor::new(later), &options).await.unwrap();
            assert_eq!(late.history.samples, 0);
        }
    }

    async fn pghero_is_read_from_its_own_database_and_goes_before_what_is_there(server: &Server) {
        let pghero = format!("pghero_source_{}", std::process::id());
        server.sql("postgres", &format!("create database {pghero}")).unwrap();
        server.sql(&pghero, "
            create table pghero_space_stats (id bigserial primary key, database text, schema text,
                relation text, size bigint, captured_at timestamp);
            insert into pghero_space_stats (database, schema, relation, size, captured_at)
            select d, 'public', r, 1000 * n * length(d), timestamp '2026-01-01 03:00' + n * interval '1 day'
            from generate_series(1, 20) as n, unnest(array['primary', 'other']) as d,
                unnest(array['orders', 'by_time']) as r
        ").unwrap();
        let fresh = Fresh::sqlite().await;
        let mut shop = World::new("main", "shop");
        // an index whose name tells nothing: the store knows whose it is
        let orders = shop.add(20000, "public", "orders", 500_000);
        orders.indexes[0].index_name = "by_time".into();
        let now = at("2026-01-15T12:00:00Z");
        fresh.store.record_sample(&shop.snapshot(now), SampleKind::Daily, None).await.unwrap();
        let mut options = Options::default();
        let url = server.url(&pghero);
        let import = async |options: &Options| {
            let file = plimsoll_store::transfer::pghero::read(&url).await?;
            csv::import(&*fresh.store, &shop.key(), file, options).await
        };
        let error = import(&options).await.unwrap_err().to_string();
        assert!(error.contains("other, primary"), "{error}");
        options.source_database = Some("primary".to_owned());
        let imported = import(&options).await.unwrap();
        assert!(!imported.told_by_names);
        let history = imported.history;
        assert_eq!((history.fit, history.samples, history.left_out), (Fit::Before, 14, 6));
        let series = totals(&*fresh.store, &shop.key(), "public", "orders").await;
        assert_eq!(series.len(), 15);
        assert_eq!(series[0], 2 * 7000, "the index belongs to its table");
        server.sql(&pghero, "drop table pghero_space_stats").unwrap();
        let error = import(&options).await.unwrap_err().to_string();
        assert!(error.contains("pghero_space_stats"), "{error}");
    }
}

#[tokio::test]
async fn any_csv_of_sizes_becomes_history_and_bad_lines_are_named() {
    let fresh = Fresh::sqlite().await;
    let store = &*fresh.store;
    let of = World::new("main", "shop").key();
    // each table at times of its own: silence is no drop
    let text = "time,schema,table,bytes\n\
                2026-01-01T10:00:00Z,public,a,10\n\
                2026-01-01T11:00:00Z,public,b,100\n\
                2026-01-02T10:00:00Z,public,a,20\n\
                2026-01-02T11:00:00Z,public,b,200\n\
                soon,public,a,30\n\
                2026-01-03T10:00:00Z,public,a,-5\n\
                2026-01-03T10:00:00Z,public,b,300\n\
                2026-01-04T10:00:00Z,public\n";
    let input = || Cursor::new(text);
    let error = csv::import(store, &of, input(), &Options::default())
        .await
        .unwrap_err();
    let error = error.to_string();
    for says in [
        "3 lines",
        "line 6: `soon`",
        "line 7: `-5`",
        "line 9: it has 2 fields",
    ] {
        assert!(error.contains(says), "no {says:?} in {error:?}");
    }
    assert!(
        store.databases().await.unwrap().is_empty(),
        "all or nothing"
    );
    let options = Options {
        skip_bad_samples: true,
        ..Options::default()
    };
    let imported = csv::import(store, &of, input(), &options).await.unwrap();
    // the sample of 2026-01-03 has a bad line, and is left out as a whole
    assert_eq!((imported.history.samples, imported.bad_lines_total), (4, 3));
    assert_eq!(totals(store, &of, "public", "a").await, [10, 10, 20, 20]);
    assert_eq!(totals(store, &of, "public", "b").await, [100, 100, 200]);
    let page = view(&fresh);
    // of a database the sum of some tables is not the size
    assert!(page.iter().all(|row| row[4].is_none()), "{page:?}");
    let total: Vec<_> = page.iter().map(|row| row[5].as_deref().unwrap()).collect();
    assert_eq!(total, ["10", "110", "120", "220"]);
    for (text, says) in [
        ("alpha,beta\n", "no column of it has times"),
        ("time,schema,table,bytes\n", "nothing to import"),
        ("", "there is nothing in it"),
    ] {
        let error = csv::import(store, &of, Cursor::new(text), &options)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_whole_while_others_write() {
    let fresh = Fresh::sqlite().await;
    let mut shop = World::new("main", "shop");
    for table in 0..300_u32 {
        shop.add(20000 + table * 10, "public", &format!("t{table}"), 8192);
    }
    let record = async |shop: &mut World, minute: i64| {
        for table in 0..300_u32 {
            let bytes = u64::try_from(minute + 2).unwrap() * 8192;
            shop.table(20000 + table * 10).heap.size = Size::measured(bytes);
        }
        let now = at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(minute);
        // another process would have another store: so has this
        let other = plimsoll_store::open(&fresh.url).unwrap();
        other
            .record_sample(&shop.snapshot(now), SampleKind::Watch, None)
            .await
            .unwrap();
    };
    for minute in 0..40 {
        record(&mut shop, minute).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.db");
    let is_done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let backing_up = async {
        let copied = fresh.store.back_up(&path, Box::new(|_, _| {})).await;
        is_done.store(true, std::sync::atomic::Ordering::Release);
        copied.unwrap().unwrap();
    };
    let writing = async {
        let mut minute = 40;
        while minute < 43 || !is_done.load(std::sync::atomic::Ordering::Acquire) {
            record(&mut shop, minute).await;
            minute += 1;
        }
    };
    tokio::join!(backing_up, writing);
    let copy = rusqlite::Connection::open(&path).unwrap();
    let check: String = copy
        .query_row("pragma integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    // of one moment: every sample in it has every table, with the size of its time
    let uneven: i64 = copy
        .query_row(
            "select count(*) from (
                 select s.id from samples as s join sample_tables as t on t.sample_id = s.id
                 group by s.id having count(*) <> 300 or count(distinct t.heap_bytes) <> 1)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(uneven, 0);
    let samples: i64 = copy
        .query_row("select count(*) from samples", [], |row| row.get(0))
        .unwrap();
    assert!(samples >= 40);
    let reopened = plimsoll_store::open(&format!("sqlite:{}", path.display())).unwrap();
    assert!(reopened.pending_migrations().await.unwrap().is_empty());
}
