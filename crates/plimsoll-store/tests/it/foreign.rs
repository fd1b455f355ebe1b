//! What other tools measured becomes history, in whatever shape they keep it.

use std::io::Cursor;

use plimsoll_core::change::EventKind;
use plimsoll_core::sample::SampleKind;
use plimsoll_store::transfer::TransferError;
use plimsoll_store::transfer::csv::{self, Imported, Options};
use plimsoll_store::{DatabaseKey, EventQuery, SeriesQuery, Store, TableName};

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
        let text = |row: &[Option<String>]| {
            row.iter()
                .map(|cell| cell.clone().unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            text(&rows[0]),
            ["100000", "0", "100000", "0", "{}", "daily"]
        );
        assert_eq!(
            text(&rows[1]),
            ["300000", "0", "300000", "0", "{}", "daily"]
        );
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

    async fn a_wrong_date_makes_no_thousands_of_partitions(server: &Server) {
        let fresh = Fresh::postgres(server, "far").await;
        let count = || -> u64 {
            let weeks = "select count(*) from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
                         where c.relkind = 'r'";
            fresh.sql(weeks)[0][0].as_deref().unwrap().parse().unwrap()
        };
        let before = count();
        let far = "time,bytes\n1991-01-01,8192\n2026-01-01,8192\n";
        let error = import(&*fresh.store, &shop(), far, &Options::default()).await.unwrap_err();
        assert!(error.to_string().contains("lie 35 years apart"), "{error}");
        assert_eq!(count(), before);
        let near = "time,bytes\n2025-01-01,8192\n2026-01-01,8192\n";
        import(&*fresh.store, &shop(), near, &Options::default()).await.unwrap();
        assert!((1..=2 * 54).contains(&(count() - before)));
    }
}
