//! Trap 58: what was not covered is unknown: that it is covered now is no growth.

use throwaway_postgres::on_every_major;

use crate::days_ago::date_back;
use crate::support::{Home, Ran, new_database};

/// What `growth`, `events` and `forecast` say of a history in which nothing grew but what was looked at changed.
fn nothing_grew(json: &dyn Fn(&[&str]) -> serde_json::Value, of: &[&str], context: &str) {
    let growth = json(&[of, &["growth", "--since", "5d"]].concat());
    // catalogs and the like may gain some pages
    let grown = growth["grown_bytes"].as_i64().unwrap();
    assert!(grown.abs() < 200_000, "{context}: {growth}");
    for list in [
        "tables_total",
        "new_tables_total",
        "vanished_tables_total",
        "indexes_total",
    ] {
        assert_eq!(growth[list], 0, "{context}: {growth}");
    }
    assert!(
        growth["rest_grown_bytes"].as_i64().unwrap().abs() < 200_000,
        "{context}: {growth}"
    );
    let events = json(&[of, &["events"]].concat());
    assert_eq!(events["count"], 0, "{context}: {events}");
    let forecast = json(&[of, &["forecast", "--capacity", "500GB"]].concat());
    assert!(
        forecast["slope_bytes_per_day"].as_i64().unwrap().abs() < 20_000,
        "{context}: {forecast}"
    );
    let ranked = json(&[of, &["forecast", "--by", "table"]].concat());
    assert_eq!(ranked["rows"], serde_json::json!([]), "{context}: {ranked}");
}

const TABLES: &str = "
    create table orders (id int primary key, line text);
    insert into orders select g, repeat(md5(g::text), 100) from generate_series(1, 20000) g;
    create table wide as select repeat(md5(g::text), 200) as body from generate_series(1, 2000) g;
    create unlogged table notes (n int);
    create materialized view seen as select count(*) from orders;
    vacuum analyze";

on_every_major! {
    fn trap_58_another_method_is_no_growth(server: &Server) {
        let database = new_database(server, "methods");
        for sql in TABLES.split(';') {
            server.sql(&database, sql).unwrap();
        }
        let (home, url) = (Home::new(), server.url(&database));
        let run = |method: &str, args: &[&str]| {
            let config = home.write("plimsoll.toml", &format!(
                "[[instance]]\nname = \"i\"\nurl = \"{url}\"\nmethod = \"{method}\"\n"
            ));
            Ran::of(home.plimsoll().arg("--config").arg(config).args(args))
        };
        for method in ["files", "functions", "files", "changes", "files", "functions", "functions"] {
            assert_eq!(run(method, &["sample"]).code, Some(0), "{method}");
        }
        date_back(&home, &url);
        let json = |args: &[&str]| run("auto", &[&["--output", "json"], args].concat()).json();
        nothing_grew(&json, &[], "methods");
        let history = json(&["history"]);
        let sizes: Vec<_> = history["samples"].as_array().unwrap().iter().map(|sample| &sample["table_sizes"]).collect();
        assert!(sizes.len() == 7 && sizes.iter().all(|one| *one == sizes[0]), "{history}");
    }

    fn trap_58_a_database_that_is_excluded_no_more_is_no_growth(server: &Server) {
        let (one, other) = (new_database(server, "watched"), new_database(server, "excluded"));
        for database in [&one, &other] {
            for sql in TABLES.split(';') {
                server.sql(database, sql).unwrap();
            }
        }
        let home = Home::new();
        let run = |exclude: &str, args: &[&str]| {
            let config = home.write("plimsoll.toml", &format!(
                "[[instance]]\nname = \"i\"\nurl = \"{}\"\ndatabases = [\"{one}\", \"{other}\"]\nexclude = [{exclude}]\n",
                server.url(&one)
            ));
            Ran::of(home.plimsoll().arg("--config").arg(config).args(args))
        };
        let excluded = format!("\"{other}\"");
        let json = |args: &[&str]| run("", &[&["--output", "json"], args].concat()).json();
        // six days of the one, and one of both; then both days back
        for _ in 0..6 {
            assert_eq!(run(&excluded, &["--database", &one, "sample"]).code, Some(0));
        }
        date_back(&home, &server.url(&one));
        assert_eq!(run("", &["--database", &other, "sample"]).code, Some(0));
        nothing_grew(&json, &["--database", &one], "excluded no more");
        let whole = json(&["--database", &one, "forecast", "--whole-instance", "--capacity", "500GB"]);
        assert!(whole["slope_bytes_per_day"].as_i64().unwrap().abs() < 20_000, "{whole}");
        let both = server.sql("postgres", &format!("select pg_database_size('{one}') + pg_database_size('{other}')")).unwrap();
        let both: i64 = both[0][0].as_deref().unwrap().parse().unwrap();
        assert!((whole["level_bytes"].as_i64().unwrap() - both).abs() < 500_000, "{whole}");
        assert_eq!(whole["events"], serde_json::json!([]), "{whole}");
        let of_other = json(&["--database", &other, "growth"]);
        assert!(of_other["insufficient_data"].as_str().unwrap().contains("only one sample"), "{of_other}");
        let events = json(&["--database", &other, "events"]);
        assert_eq!(events["count"], 0, "{events}");
        // and the other way round: what is excluded from now on has not shrunk
        assert_eq!(run(&excluded, &["--database", &one, "sample"]).code, Some(0));
        let whole = json(&["--database", &one, "forecast", "--whole-instance", "--capacity", "500GB"]);
        assert!(whole["slope_bytes_per_day"].as_i64().unwrap().abs() < 20_000, "{whole}");
        nothing_grew(&json, &["--database", &one], "excluded again");
    }

    fn trap_58_the_first_own_sample_after_an_import_of_some_tables_is_no_growth(server: &Server) {
        let database = new_database(server, "covered");
        server.sql(&database, "
            create table orders as select generate_series(1, 20000) as n;
            create table large as select generate_series(1, 200000) as n").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let mut text = "time,table,bytes\n".to_owned();
        for day in 1..=28 {
            text.push_str(&format!("2026-01-{day:02},public.orders,{}\n", 600_000 + day * 1000));
        }
        let file = home.write("sizes.csv", &text);
        let imported = home.run(&url, &["import", file.to_str().unwrap()]);
        assert!(imported.out.contains("28 samples added"), "{imported:?}");
        let history = home.run(&url, &["--output", "json", "history"]).json();
        assert!(history["samples"][0]["total_bytes"].is_null(), "{history}");
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));

        let since = ["growth", "--since", "2026-01-01"];
        let growth = home.run(&url, &[&["--output", "json"], &since[..]].concat()).json();
        assert!(growth["grown_bytes"].is_null() && growth["per_day_bytes"].is_null(), "{growth}");
        assert_eq!((&growth["new_tables_total"], &growth["tables_total"]), (&0.into(), &1.into()), "{growth}");
        assert_eq!(growth["tables"][0]["table_name"], "orders");
        // one own sample: growth is that of the other tool's, and not from its measure to ours
        assert_eq!(growth["tables"][0]["grown_bytes"], 27_000);
        for unknown in ["heap_grown_bytes", "relations_grown_bytes", "rest_grown_bytes"] {
            assert!(growth[unknown].is_null(), "{unknown}: {growth}");
        }
        assert!(growth["coverage_changed_at"].is_string() && growth["uncovered_tables_total"] == 1, "catalogs were not asked for: {growth}");
        let shown = home.run(&url, &since);
        assert!(!shown.out.contains("NEW") && shown.out.contains("another tool"), "{shown:?}");
        let events = home.run(&url, &["--output", "json", "events"]).json();
        assert_eq!(events["count"], 1, "{events}");
        assert_eq!((&events["events"][0]["kind"], &events["events"][0]["alert"]), (&"coverage".into(), &false.into()));
        // one own sample is too few to say how the database goes on
        let forecast = home.run(&url, &["--output", "json", "forecast", "--capacity", "500GB"]).json();
        assert!(forecast["insufficient_data"].is_object(), "{forecast}");
    }

    fn trap_58_growth_after_an_import_is_that_of_one_measure(server: &Server) {
        let database = new_database(server, "one_measure");
        server.sql(&database, "create table orders as select generate_series(1, 20000) as n; create table large (n int)").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let mut text = "time,table,bytes\n".to_owned();
        for day in 1..=28 {
            // another tool counted a tenth of it
            text.push_str(&format!("2026-01-{day:02},public.orders,{}\n", 60_000 + day * 1000));
        }
        let file = home.write("sizes.csv", &text);
        let imported = home.run(&url, &["import", file.to_str().unwrap()]);
        assert!(imported.out.contains("28 samples added"), "{imported:?}");
        // what is asked of an import agrees at once
        let json = |args: &[&str]| home.run(&url, &[&["--output", "json"], args].concat()).json();
        let alone = json(&["forecast", "--table", "orders", "--capacity", "1GB"]);
        let ranked = json(&["forecast", "--by", "table"]);
        assert_eq!(ranked["rows"][0]["level_bytes"], alone["level_bytes"], "{ranked}");
        assert!(alone["reconciled"].is_object(), "{alone}");
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        server.sql(&database, "insert into large select generate_series(1, 50000)").unwrap();
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        let growth = json(&["growth", "--since", "2026-01-01"]);
        let grown: Vec<_> = growth["tables"].as_array().unwrap().iter().map(|it| it["table_name"].clone()).collect();
        assert_eq!(grown, ["large"], "{growth}");
        assert!(growth["grown_bytes"].as_i64().unwrap() > 1_000_000, "{growth}");
        assert!(growth["coverage_changed_at"].is_string() && growth["note"].as_str().unwrap().contains("from there on"), "{growth}");
        assert_eq!((&growth["new_tables_total"], &growth["vanished_tables_total"]), (&0.into(), &0.into()));
    }

    fn trap_58_what_pghero_called_a_relation_is_an_index_where_the_watched_database_says_so(server: &Server) {
        let database = new_database(server, "told");
        server.sql(&database, "
            create table orders (n int);
            create index by_time on orders (n);
            create table orders_pkey (n int)").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let file = home.write("pghero.csv", "\
            id,database,schema,relation,size,captured_at
            1,app,public,orders,8192,2026-01-01 03:00:00
            2,app,public,by_time,16384,2026-01-01 03:00:00
            3,app,public,orders_pkey,4096,2026-01-01 03:00:00
            ".replace("            ", "").as_str());
        let imported = home.run(&url, &["import", file.to_str().unwrap()]);
        assert!(imported.out.contains("1 sample added") && !imported.out.contains("by their names"), "{imported:?}");
        let history = home.run(&url, &["--output", "json", "history"]).json();
        let sizes = &history["samples"][0]["table_sizes"];
        assert_eq!(*sizes, serde_json::json!({"orders": 8192 + 16384, "orders_pkey": 4096}), "{history}");
        // where nobody can be asked, that is said
        let nobody = "postgres://nobody@127.0.0.1:1/shop";
        let imported = home.run(nobody, &["import", file.to_str().unwrap()]);
        assert!(imported.out.contains("by their names") && imported.out.contains("127.0.0.1"), "{imported:?}");
    }

    fn trap_58_what_could_not_be_read_at_first_is_no_growth_when_it_is(server: &Server) {
        let database = new_database(server, "hidden");
        server.sql(&database, "
            create table hidden (id int primary key, line text);
            insert into hidden select g, repeat('x', 100) from generate_series(1, 20000) g;
            create table grows (line text);
            create role trap_58 login").unwrap();
        let url = server.url(&database).replacen("//postgres@", "//trap_58@", 1);
        let lock = "begin; lock table hidden in access exclusive mode";
        let lock_index = "begin; alter index hidden_pkey set tablespace pg_default";
        let deny = "revoke execute on function pg_relation_size(regclass, text) from public";
        let grant = "grant execute on function pg_relation_size(regclass, text) to public";
        for (hide, show, grown, uncovered) in [
            (lock, "rollback", &["grows"][..], 1),
            (lock_index, "rollback", &["grows"], 0),
            // then nobody knows what grew
            (deny, grant, &[], 2),
        ] {
            let home = Home::new();
            let config = home.write("plimsoll.toml", &format!(
                "[[instance]]\nname = \"i\"\nurl = \"{url}\"\nmethod = \"functions\"\n"
            ));
            let run = |args: &[&str]| Ran::of(home.plimsoll().arg("--config").arg(&config).args(args));
            let json = |args: &[&str]| run(&[&["--output", "json"], args].concat()).json();
            let mut session = server.session(&database).unwrap();
            session.run(hide).unwrap();
            let sizes = json(&["sizes"]);
            assert!(sizes["unattributed_bytes"].is_null() && sizes["unattributed_unknown"].is_string(), "{hide}: {sizes}");
            let shown = run(&["sizes"]).out;
            assert!(shown.contains("unknown  (it cannot be told apart"), "{hide}: {shown}");
            assert_eq!(run(&["sample"]).code, Some(0), "{hide}");
            session.run(show).unwrap();
            server.sql(&database, "insert into grows select repeat('y', 100) from generate_series(1, 5000)").unwrap();
            assert_eq!(run(&["sample"]).code, Some(0), "{hide}");

            let growth = json(&["growth", "--since", "2026-01-01"]);
            let tables = growth["tables"].as_array().unwrap();
            let names: Vec<_> = tables.iter().map(|table| table["table_name"].as_str().unwrap()).collect();
            assert_eq!(names, grown, "{hide}: {growth}");
            assert_eq!(growth["uncovered_tables_total"], uncovered, "{hide}: {growth}");
            assert_eq!((&growth["new_tables_total"], &growth["indexes_total"]), (&0.into(), &0.into()), "{hide}: {growth}");
            assert!(growth["rest_grown_bytes"].is_null() && growth["rest_unknown"].is_string(), "{hide}: {growth}");
            let events = json(&["events"]);
            let events = events["events"].as_array().unwrap();
            assert!(!events.is_empty(), "{hide}");
            for event in events {
                assert_eq!((&event["kind"], &event["alert"]), (&"coverage".into(), &false.into()), "{hide}: {event}");
                assert!(event["bytes_before"].is_null() && event["bytes_after"].is_u64(), "{hide}: {event}");
            }
        }
    }
}
