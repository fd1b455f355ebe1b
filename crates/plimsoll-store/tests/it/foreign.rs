//! What other tools measured becomes history, in whatever shape they keep it.

use std::io::Cursor;
use std::sync::Arc;

use plimsoll_core::change::EventKind;
use plimsoll_core::sample::SampleKind;
use plimsoll_core::thinning::Retention;
use plimsoll_store::transfer::csv::{self, Imported, Options};
use plimsoll_store::transfer::{ImportProgress, TransferError};
use plimsoll_store::{DatabaseKey, EventQuery, SampleQuery, SeriesQuery, Store, TableName};

use crate::fresh::Fresh;
use crate::world::{World, at};

async fn import(
    store: &dyn Store,
    of: &DatabaseKey,
    text: &str,
    options: &Options,
) -> Result<Imported, TransferError> {
    csv::import(store, of, Cursor::new(text.to_owned()), options).await
}

fn shop() -> DatabaseKey {
    World::new("main", "shop").key()
}

#[tokio::test]
async fn a_name_with_its_schema_in_one_column_is_no_table_of_that_literal_name() {
    let fresh = Fresh::sqlite().await;
    let store = &*fresh.store;
    let text = "time,table,bytes\n\
                2026-01-01,public.orders,8192\n\
                2026-01-01,\"audit.\"\"we.ird\"\"\",8193\n\
                2026-01-01,plain,8194\n";
    import(store, &shop(), text, &Options::default())
        .await
        .unwrap();
    let mut names: Vec<_> = fresh
        .sql("select schema_name, relation_name from relations")
        .into_iter()
        .map(|row| (row[0].clone().unwrap(), row[1].clone().unwrap()))
        .collect();
    names.sort();
    let expected = [
        ("audit", "we.ird"),
        ("public", "orders"),
        ("public", "plain"),
    ];
    assert_eq!(
        names,
        expected.map(|(schema, table)| (schema.to_owned(), table.to_owned()))
    );
    let three = "time,table,bytes\n2026-01-01,a.b.c,8192\n";
    let error = import(store, &shop(), three, &Options::default())
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("line 2: its table is neither"),
        "{error}"
    );
}

#[tokio::test]
async fn names_that_our_export_guards_against_spreadsheets_come_back_as_they_were() {
    let fresh = Fresh::sqlite().await;
    let text = "time,schema,table,bytes,heap_bytes,toast_bytes,index_bytes,row_count\n\
                2026-01-01T00:00:00Z,'@s,'=cmd(),8192,8192,0,0,\n\
                2026-01-01T00:00:00Z,s,''quoted,8192,8192,0,0,\n";
    import(&*fresh.store, &shop(), text, &Options::default())
        .await
        .unwrap();
    let names = fresh.sql("select schema_name || ' ' || relation_name from relations order by 1");
    let names: Vec<_> = names.into_iter().flatten().flatten().collect();
    assert_eq!(names, ["@s =cmd()", "s 'quoted"]);
    let text = "time,schema,table,bytes\n2026-01-01T00:00:00Z,s,'=cmd(),8192\n";
    let other = Fresh::sqlite().await;
    import(&*other.store, &shop(), text, &Options::default())
        .await
        .unwrap();
    assert_eq!(
        other.sql("select relation_name from relations")[0][0].as_deref(),
        Some("'=cmd()")
    );
}

#[tokio::test]
async fn sizes_of_tables_are_read_as_other_programs_and_countries_write_them() {
    let of = shop();
    for text in [
        "time,schema,table,bytes\n2026-01-31,public,orders,\"1,048,576\"\n2026-02-28,public,orders,1048576\n",
        "sep=;\r\nDatum;schemaname;relname;Bytes\r\n31.01.2026;public;orders;1.048.576\r\n28.02.2026;public;orders;1.048.576\r\n",
        "captured_at\ttable_schema\ttable_name\tsize_kib\n1769817600\tpublic\torders\t1024\n1772236800\tpublic\torders\t1024\n",
        " time       | table         | bytes   \n------------+---------------+---------\n 2026-01-31 | public.orders | 1048576 \n 2026-02-28 | public.orders | 1048576 \n(2 rows)\n",
    ] {
        let fresh = Fresh::sqlite().await;
        let imported = import(&*fresh.store, &of, text, &Options::default())
            .await
            .unwrap();
        assert_eq!(imported.history.samples, 2, "{text}");
        let orders = TableName::new("public", "orders");
        let series = fresh
            .store
            .table_series(&of, &orders, &SeriesQuery::default())
            .await
            .unwrap()
            .unwrap();
        let days: Vec<_> = series
            .points
            .iter()
            .map(|point| point.sampled_at.to_string())
            .collect();
        assert_eq!(
            days,
            ["2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z"],
            "{text}"
        );
        assert!(
            series
                .points
                .iter()
                .all(|point| point.sizes.total_bytes() == Some(1 << 20)),
            "{text}"
        );
    }
}

#[tokio::test]
async fn two_sizes_of_a_table_at_one_moment_are_a_bad_line() {
    let fresh = Fresh::sqlite().await;
    let text = "time,schema,table,bytes\n\
                2026-01-01,public,orders,10\n\
                2026-01-01,public,orders,10\n\
                2026-01-02,public,orders,20\n\
                2026-01-02,public,orders,21\n";
    let error = import(&*fresh.store, &shop(), text, &Options::default())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("line 5: it says 21 bytes, and another line 20"),
        "{error}"
    );
    let options = Options {
        skip_bad_samples: true,
        ..Options::default()
    };
    let imported = import(&*fresh.store, &shop(), text, &options)
        .await
        .unwrap();
    assert_eq!(imported.history.samples, 1);
}

#[tokio::test]
async fn one_size_over_time_becomes_samples_without_tables() {
    let prometheus = r#"{"status": "success", "data": {"resultType": "matrix", "result": [{"metric": {"__name__": "pg_database_size_bytes", "datname": "shop"}, "values": [[1767236400, "100000"], [1767322800, "NaN"], [1767409200, "300000"]]}]}}"#;
    let csv = "time,bytes\n2026-01-01 03:00:00 UTC,100000\n2026-01-03 03:00:00 UTC,300000\n";
    for text in [csv, prometheus] {
        let fresh = Fresh::sqlite().await;
        let imported = import(&*fresh.store, &shop(), text, &Options::default())
            .await
            .unwrap();
        assert_eq!(imported.history.samples, 2);
        let rows = fresh.sql(
            "select total_bytes, attributed_bytes, unmeasured_bytes, table_count, table_sizes, kind
             from storage_samples order by id",
        );
        for (row, bytes) in rows.iter().zip(["100000", "300000"]) {
            // of its tables nothing is known, which is not 0
            let expected = [
                Some(bytes),
                None,
                Some(bytes),
                None,
                Some("{}"),
                Some("daily"),
            ];
            assert_eq!(
                row.iter().map(Option::as_deref).collect::<Vec<_>>(),
                expected
            );
        }
        let page = fresh
            .store
            .samples(&SampleQuery::newest(shop()))
            .await
            .unwrap();
        assert_eq!(page.samples[0].table_count, None);
        // what is free is no size, unless it is said of what
        let free = "Timestamp,FreeStorageSpace\n2026/01/01 03:00,400000\n";
        let error = import(&*fresh.store, &shop(), free, &Options::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("--free"), "{error}");
    }
}

throwaway_postgres::on_every_major! {
    async fn an_import_before_own_samples_tells_the_seam_as_a_change_of_coverage(server: &Server) {
        for fresh in [Fresh::sqlite().await, Fresh::postgres(server, "seam").await] {
            let mut world = World::new("main", "shop");
            world.add(20000, "public", "orders", 500_000);
            let now = at("2026-01-05T03:00:00Z");
            fresh.store.record_sample(&world.snapshot(now), SampleKind::Daily, None).await.unwrap();
            let text = "time,schema,table,bytes\n2026-01-01,public,orders,8192\n2026-01-04,public,orders,16384\n";
            import(&*fresh.store, &shop(), text, &Options::default()).await.unwrap();
            let query = EventQuery::default();
            let events = fresh.store.events(&shop(), &query).await.unwrap();
            let told: Vec<_> = events.iter().map(|named| (named.event.kind, named.event.relation)).collect();
            assert_eq!(told, [(EventKind::Coverage, None)]);
            assert_eq!((events[0].event.from, events[0].event.to), (at("2026-01-04T00:00:00Z"), now));
            assert_eq!(events[0].event.bytes_before, None, "the sum of one table is no total");
        }
    }

    async fn a_wrong_date_or_a_long_past_makes_no_thousands_of_partitions(server: &Server) {
        let fresh = Fresh::postgres(server, "far").await;
        let partitions = || {
            let tables = "select c.relname from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
                          where i.inhparent = 'table_values'::regclass order by 1";
            let rows = fresh.sql(tables).into_iter();
            rows.map(|mut row| row.remove(0).unwrap()).collect::<Vec<_>>()
        };
        let before = partitions();
        for (wrong, words) in [
            ("1970-01-01", "no time that is known"),
            ("1995-12-31", "no PostgreSQL before 1996"),
            ("2199-01-01", "still to come"),
        ] {
            let text = format!("time,bytes\n2026-01-01,8192\n{wrong},8192\n");
            let options = Options {
                progress: Arc::new(ImportProgress::at(at("2026-06-01T00:00:00Z"))),
                ..Options::default()
            };
            let error = import(&*fresh.store, &shop(), &text, &options).await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(partitions(), before);
        }
        // a sample each month of twenty years: the last two years by weeks, each one before by itself
        let months = (2006..2026).flat_map(|year| (1..=12).map(move |month| (year, month)));
        let lines: String = months
            .map(|(year, month)| format!("{year}-{month:02}-15,public,orders,{}\n", 8192 * (year * 12 + month)))
            .collect();
        let text = format!("time,schema,table,bytes\n{lines}");
        let imported = import(&*fresh.store, &shop(), &text, &Options::default()).await.unwrap();
        assert_eq!(imported.history.samples, 240);
        let made = partitions();
        let years = made.iter().filter(|name| name.contains("_year_")).count();
        assert_eq!(years, 18, "{made:?}");
        assert!((95..=120).contains(&(made.len() - years - before.len())), "{made:?}");
        let series = fresh.store
            .table_series(&shop(), &TableName::new("public", "orders"), &SeriesQuery::default())
            .await.unwrap().unwrap();
        let sizes: Vec<_> = series.points.iter().map(|point| point.sizes.total_bytes().unwrap()).collect();
        let expected: Vec<u64> = (2006 * 12 + 1..=2025 * 12 + 12).map(|months| 8192 * months).collect();
        assert_eq!(sizes, expected);
        // what comes to lie in a year that has one partition goes there
        let more = "time,schema,table,bytes\n2009-05-01,public,orders,8192\n2010-05-01,public,orders,16384\n";
        let other = DatabaseKey { instance: "other".to_owned(), ..shop() };
        import(&*fresh.store, &other, more, &Options::default()).await.unwrap();
        assert_eq!(partitions(), made);
        // and a year of which no sample is left goes as a whole
        for of in [shop(), other] {
            fresh.store.thin(&of, &Retention::default(), at("2026-06-01T00:00:00Z")).await.unwrap();
        }
        let left = partitions();
        let years: Vec<_> = left.iter().filter(|name| name.contains("_year_")).collect();
        assert_eq!(years.len(), 6 + 2, "of the last 90 samples, and of the two of the other: {left:?}");
    }
}
