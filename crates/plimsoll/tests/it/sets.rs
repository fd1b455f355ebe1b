//! Whatever takes a table takes a set, and says the same where nothing has a name.

use serde_json::Value;
use throwaway_postgres::{Server, on_every_major};

use crate::support::{Home, Ran, new_database, number};

const TABLES: &str = "
    create table parent (id int primary key, body text);
    create table child_1 (primary key (id)) inherits (parent);
    create table child_2 (primary key (id)) inherits (parent);
    create table below () inherits (child_2);
    create table parts (day int) partition by range (day);
    create table parts_1 partition of parts for values from (0) to (1000);
    create table empty_parts (day int) partition by range (day);
    create table alone (id int);
    create table U&\"turned\\202Eround\" (id int);
    create schema \"Sales\";
    create table \"Sales\".orders (id int);
    insert into parent select n, 'x' from generate_series(1, 10) n;
    insert into child_1 select n, repeat('x', 100) from generate_series(1, 20000) n;
    insert into child_2 select n, repeat('x', 100) from generate_series(1, 5000) n;
    insert into below select n, repeat('x', 100) from generate_series(1, 1000) n;
    insert into parts select n % 1000 from generate_series(1, 9000) n";

/// What the server says that some tables take together.
fn bytes(server: &Server, database: &str, tables: &[&str]) -> u64 {
    let sum: Vec<String> = tables
        .iter()
        .map(|table| format!("pg_total_relation_size('{table}')"))
        .collect();
    number(server, database, &format!("select {}", sum.join(" + ")))
}

/// The sizes of what was asked for, newest first.
fn sizes(history: &Value, key: &str) -> Vec<Option<u64>> {
    let samples = history["samples"].as_array().unwrap();
    samples
        .iter()
        .map(|sample| sample["table_sizes"][key].as_u64())
        .collect()
}

on_every_major! {
    fn whatever_takes_a_table_takes_a_set(server: &Server) {
        let database = new_database(server, "sets");
        server.sql(&database, TABLES).unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let json = |args: &[&str]| home.run(&url, &[&["--output", "json"], args].concat()).json();
        home.run(&url, &["sample"]);
        let all = ["parent", "child_1", "child_2", "below"];
        let first = bytes(server, &database, &all);

        // itself and the set are two lines, and both are true
        let shown = home.run(&url, &["sizes", "--table", "parent"]);
        let own = number(server, &database, "select pg_total_relation_size('parent')");
        let pretty = |bytes: u64| {
            let sql = format!("select pg_size_pretty({bytes}::bigint)");
            server.sql(&database, &sql).unwrap()[0][0].clone().unwrap()
        };
        let line = |name: &str| {
            let found = shown.out.lines().find(|line| line.starts_with(name));
            found.unwrap_or_else(|| panic!("no {name} in {shown:?}")).to_owned()
        };
        assert!(line("parent  ").contains(&pretty(own)), "{shown:?}");
        assert!(line("parent (set)").contains(&pretty(first)), "{shown:?}");
        let listed = json(&["sizes", "--table", "parent"]);
        assert_eq!((&listed["tables_total"], &listed["tables"][3]["set_bytes"]), (&4.into(), &first.into()), "{listed}");
        let parts = json(&["sizes", "--table", "empty_parts"]);
        assert_eq!((&parts["tables"][0]["set_bytes"], &parts["tables"][0]["set_tables"]), (&0.into(), &0.into()));

        // members go and come
        server.sql(&database, "
            alter table child_1 no inherit parent;
            create table child_3 () inherits (parent);
            insert into child_3 select n, repeat('x', 100) from generate_series(1, 3000) n;
            reindex table child_2").unwrap();
        home.run(&url, &["sample"]);
        let second = bytes(server, &database, &["parent", "child_2", "below", "child_3"]);
        let history = json(&["history", "--table", "parent"]);
        assert_eq!(sizes(&history, "parent"), [Some(second), Some(first)]);
        assert_eq!((&history["table"]["set_tables"], &history["table"]["is_gone"]), (&4.into(), &false.into()));
        let shown = home.run(&url, &["history", "--table", "parent"]);
        assert!(shown.out.starts_with(&format!("parent (set of 4 tables): {} on ", pretty(second))), "{shown:?}");
        let empty = json(&["history", "--table", "empty_parts"]);
        assert_eq!(sizes(&empty, "empty_parts"), [Some(0), Some(0)]);

        let csv = home.run(&url, &["export", "--table", "PARENT"]);
        let column: Vec<_> = csv.out.lines().skip(1).map(|line| line.split(',').nth(3).unwrap().to_owned()).collect();
        assert_eq!(column, [first.to_string(), second.to_string()], "{csv:?}");
        let forecast = json(&["forecast", "--table", "parent", "--capacity", "500GB"]);
        assert_eq!((&forecast["of"], &forecast["table_name"]), (&"set".into(), &"parent".into()), "{forecast}");
        let events = json(&["events", "--table", "parent"]);
        let happened = |kind: &str, field: &str, name: &str| {
            let events = events["events"].as_array().unwrap();
            events.iter().any(|event| event["kind"] == kind && event[field] == name)
        };
        assert!(happened("detach", "table_name", "child_1") && happened("create", "table_name", "child_3"), "{events}");
        assert!(happened("reindex", "index_name", "child_2_pkey"), "{events}");
        assert!(!happened("create", "table_name", "alone"), "{events}");

        server.sql(&database, "insert into alone select generate_series(1, 50000)").unwrap();
        server.sql(&database, "insert into below select n, repeat('x', 100) from generate_series(1, 9000) n").unwrap();
        home.run(&url, &["sample"]);
        let growth = json(&["growth", "--since", "1d", "--table", "parent"]);
        let named = |list: &str| -> Vec<String> {
            let rows = growth[list].as_array().unwrap();
            rows.iter().map(|row| row["table_name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!((named("tables"), named("new_tables"), named("sets")),
            (vec!["below".to_owned()], vec!["child_3".to_owned()], vec!["parent".to_owned()]), "{growth}");
        let last = bytes(server, &database, &["parent", "child_2", "below", "child_3"]);
        assert_eq!((&growth["sets"][0]["before_bytes"], &growth["sets"][0]["after_bytes"]), (&first.into(), &last.into()));
    }

    fn a_set_without_one_of_its_tables_is_unknown(server: &Server) {
        let database = new_database(server, "unknown_set");
        server.sql(&database, TABLES).unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        // a table that is locked from its first sample on was never measured
        let mut lock = server.session(&database).unwrap();
        lock.run("begin; lock table only child_2 in access exclusive mode").unwrap();
        let config = home.write("plimsoll.toml", &format!("
            [[instance]]
            name = \"main\"
            url = \"{url}\"
            method = \"functions\"
        "));
        let config = config.to_str().unwrap();
        let configured = |args: &[&str]| Ran::of(home.plimsoll().args(["--config", config]).args(args));
        assert_eq!(configured(&["sample"]).code, Some(0));
        let reason = "1 of 4 tables was never measured until then";
        let history = configured(&["--output", "json", "history", "--table", "parent"]).json();
        assert_eq!(sizes(&history, "parent"), [None]);
        assert_eq!(history["samples"][0]["unknown"], reason, "{history}");
        let shown = configured(&["history", "--table", "parent"]);
        assert!(shown.out.contains(reason), "{shown:?}");
        drop(lock);
        assert_eq!(configured(&["sample"]).code, Some(0));
        let all = bytes(server, &database, &["parent", "child_1", "child_2", "below"]);
        let history = configured(&["--output", "json", "history", "--table", "parent"]).json();
        assert_eq!(sizes(&history, "parent"), [Some(all), None], "{history}");
        let csv = configured(&["export", "--table", "parent"]);
        assert_eq!(csv.out.lines().count(), 2, "{csv:?}");
    }

    fn what_nothing_has_the_name_of_is_told_alike(server: &Server) {
        let database = new_database(server, "nameless");
        server.sql(&database, TABLES).unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        home.run(&url, &["sample"]);
        let mut texts = Vec::new();
        for command in [
            &["history", "--table", "nope"][..], &["export", "--table", "nope"], &["events", "--table", "nope"],
            &["growth", "--table", "nope"], &["sizes", "--table", "nope"],
            &["forecast", "--capacity", "1GB", "--table", "nope"],
        ] {
            let ran = home.run(&url, command);
            ran.failed_saying(&["no table is known as nope"]);
            texts.push(ran.err);
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
        for command in [&["sizes", "--schema", "nope"][..], &["forecast", "--capacity", "1GB", "--schema", "nope"]] {
            home.run(&url, command).failed_saying(&["no table is known in a schema nope"]);
        }
        for command in [
            &["history"][..], &["growth"], &["events"], &["export"], &["forecast", "--capacity", "1GB"],
            &["forecast", "--by", "set"],
        ] {
            let ran = home.run(&url, &[&["--database", "nope"], command].concat());
            ran.failed_saying(&["no watched database is named \"nope\"; watched are: ", &format!("/{database}")]);
        }
        home.run(&url, &["--instance", "nope", "history"]).failed_saying(&["no instance is named \"nope\""]);

        // known, and no sample matches: that is no error
        let none = home.run(&url, &["history", "--table", "alone", "--since", "2100-01-01"]);
        assert!(none.code == Some(0) && none.out.contains("No samples of"), "{none:?}");

        // a name is read as it is shown
        for name in ["U&\"turned\\202Eround\"", "\"Sales\".orders"] {
            let shown = home.run(&url, &["sizes", "--table", name]);
            assert!(shown.out.contains(name), "{shown:?}");
            let shown = home.run(&url, &["history", "--table", name]);
            assert!(shown.out.starts_with(&format!("{name}: ")), "{shown:?}");
        }
        for name in ["Sales", "\"Sales\""] {
            let listed = home.run(&url, &["--output", "json", "sizes", "--schema", name]).json();
            assert_eq!(listed["tables_total"], 1, "{listed}");
        }
        let quoted = format!("\"{database}\"");
        assert!(home.run(&url, &["--database", &quoted, "history"]).out.contains("manual"));

        server.sql(&database, "drop table alone").unwrap();
        home.run(&url, &["sample"]);
        let gone = home.run(&url, &["history", "--table", "alone"]);
        assert!(gone.out.contains("it was dropped: last seen on") && !gone.out.contains(" now"), "{gone:?}");
    }
}
