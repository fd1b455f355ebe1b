//! What is printed: the same JSON as the API's, tables for people, completions, findings.

use throwaway_postgres::on_every_major;

use crate::support::{Home, Ran, new_database, number, row};

on_every_major! {
    fn sizes_samples_and_history_tell_one_story(server: &Server) {
        let database = new_database(server, "story");
        server.sql(&database, r#"
            create table events (id bigint primary key, body text);
            insert into events select i, repeat('x', 200) from generate_series(1, 2000) i;
            create schema "Sales.2026";
            create table "Sales.2026"."Or""ders" (id int);
            insert into "Sales.2026"."Or""ders" select generate_series(1, 5000);
            create table parts (day date) partition by range (day);
            create table parts_2026 partition of parts for values from ('2026-01-01') to ('2027-01-01');
            insert into parts select '2026-05-05' from generate_series(1, 3000);
        "#).unwrap();
        server.sql(&database, "vacuum analyze").unwrap();
        // before 15, counters reach the statistics a moment later
        let counted = || number(server, &database, "select n_live_tup from pg_stat_user_tables where relname = 'events'");
        for _ in 0..500 {
            if counted() == 2000 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        assert_eq!(counted(), 2000);
        let (home, url) = (Home::new(), server.url(&database));

        let sizes = home.run(&url, &["--output", "json", "sizes"]).json();
        assert_eq!(sizes["database"], database.as_str());
        assert_eq!(sizes["tables_total"], 4);
        let events = row(&sizes, "events");
        let exact = number(server, &database, "select pg_total_relation_size('events')");
        assert_eq!(events["size_bytes"], exact);
        let pretty = server.sql(&database, &format!("select pg_size_pretty({exact}::bigint)")).unwrap();
        assert_eq!(events["size_human"], pretty[0][0].clone().unwrap());
        assert_eq!((&events["row_count"], &events["row_count_source"]), (&2000.into(), &"statistics".into()));
        let parent = row(&sizes, "parts");
        assert_eq!(parent["size_bytes"], 0);
        assert_eq!(parent["set_bytes"], row(&sizes, "parts_2026")["size_bytes"]);

        let sample = home.run(&url, &["--output", "json", "sample"]).json();
        assert_eq!(sample["kind"], "manual");
        assert_eq!(sample["table_sizes"]["events"], exact);
        assert!(sample["table_sizes"]["\"Sales.2026\".\"Or\"\"ders\""].is_u64(), "{sample}");
        assert!(sample["table_sizes"]["parts"].is_null(), "{sample}");

        server.sql(&database, "insert into events select i, repeat('y', 200) from generate_series(2001, 9000) i").unwrap();
        home.run(&url, &["sample"]);
        let history = home.run(&url, &["--output", "json", "history"]).json();
        let store = home.run(&url, &["--output", "json", "store"]).json();
        assert_eq!(store["samples"], history["total"]);
        assert!(store["size_bytes"].as_u64() > Some(0));
        let store = home.run(&url, &["store"]);
        assert!(store.out.contains("The history takes") && store.out.contains("not known yet"), "{store:?}");
        assert_eq!(history["total"], 2);
        let size_at = |n: usize| history["samples"][n]["table_sizes"]["events"].as_u64().unwrap();
        assert!(size_at(0) > size_at(1), "newest first: {history}");
        let plot = home.run(&url, &["history", "--table", "events"]);
        assert!(plot.out.contains("events:") && plot.out.contains('┤'), "{plot:?}");
        let plot = home.run(&url, &["history", "--table", "\"Sales.2026\".\"Or\"\"ders\""]);
        assert!(plot.out.contains("2 samples"), "{plot:?}");
        let grown = home.run(&url, &["sizes", "--sort", "growth", "--output", "json"]).json();
        assert_eq!(grown["tables_total"], 4);

        // the history can be read in plain SQL
        let sqlite = rusqlite::Connection::open(home.store_path()).unwrap();
        let rows: Vec<(i64, String, i64, String)> = sqlite
            .prepare("select id, sampled_at, total_bytes, table_sizes from storage_samples order by id")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].0, sample["id"].as_i64().unwrap());
        assert_eq!(rows[0].2, sample["total_bytes"].as_i64().unwrap());
        let sizes: serde_json::Value = serde_json::from_str(&rows[0].3).unwrap();
        assert_eq!(sizes, sample["table_sizes"]);
    }
}

on_every_major! {
    fn the_history_can_be_kept_in_postgresql(server: &Server) {
        let database = new_database(server, "watched");
        let store = server.url(&new_database(server, "store"));
        server.sql(&database, "create table t as select generate_series(1, 1000) i").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let on_store = |args: &[&str]| Ran::of(home.on(&url).env("PLIMSOLL_STORE", &store).args(args));
        assert_eq!(on_store(&["migrate"]).code, Some(0));
        let again = on_store(&["migrate"]);
        assert!(again.out.contains("up to date"), "{again:?}");
        let sample = on_store(&["--output", "json", "sample"]).json();
        let name = store.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
        let kept = server.sql(&name, "select id, total_bytes, table_sizes from plimsoll.storage_samples").unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0][0], Some(sample["id"].to_string()));
        assert_eq!(kept[0][1], Some(sample["total_bytes"].to_string()));
        let sizes: serde_json::Value = serde_json::from_str(kept[0][2].as_deref().unwrap()).unwrap();
        assert_eq!(sizes, sample["table_sizes"]);
        assert!(!home.store_path().exists());
    }
}

#[test]
fn a_reader_that_goes_away_is_not_an_error() {
    let home = Home::new();
    let mut command = home.plimsoll();
    let child = command
        .args(["completions", "zsh"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn();
    let mut child = child.unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
}

#[test]
fn every_shell_gets_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Ran::of(Home::new().plimsoll().args(["completions", shell]));
        assert!(
            ran.code == Some(0) && ran.out.contains("check-config"),
            "{shell}: {ran:?}"
        );
    }
}

#[test]
fn a_configuration_is_explained_or_its_mistake_named() {
    let home = Home::new();
    let check = |text: &str| {
        let path = home.write("plimsoll.toml", text);
        Ran::of(
            home.plimsoll()
                .arg("--config")
                .arg(path)
                .arg("check-config"),
        )
    };
    let fine = check("[[instance]]\nname = \"main\"\nurl = \"postgres://u:hush@h/app\"\n");
    assert_eq!(fine.code, Some(0), "{fine:?}");
    assert!(
        fine.out.contains("watches \"main\"") && !fine.out.contains("hush"),
        "{fine:?}"
    );
    let wrong =
        check("[[instance]]\nname = \"main\"\nurl = \"postgres://h/app\"\ndatabase = \"x\"\n");
    assert_eq!(wrong.code, Some(1), "a finding, not an error: {wrong:?}");
    assert!(
        wrong.out.contains("line 4") && wrong.out.contains("`databases`"),
        "{wrong:?}"
    );
    let nothing = check("");
    assert!(
        nothing.code == Some(1) && nothing.out.contains("DATABASE_URL"),
        "{nothing:?}"
    );
}

on_every_major! {
    fn doctor_finds_what_is_missing_and_prints_what_helps(server: &Server) {
        let database = new_database(server, "doctor");
        let role = format!("{database}_role");
        let (home, admin) = (Home::new(), server.url(&database));
        let grants = |level: &str| home.run(&admin, &["doctor", "--grants", "--level", level, "--role", &role]);
        let url = admin.replace("user=postgres", &format!("user={role}")).replace("postgres@", &format!("{role}@"));
        for (level, method) in [("read_only", "functions"), ("monitor", "functions"), ("lock_free", "files")] {
            let script = grants(level);
            assert_eq!(script.code, Some(0), "{script:?}");
            // psql's own commands aside: there is only this database
            let sql: String = script.out.lines().filter(|line| !line.starts_with('\\')).map(|line| format!("{line}\n")).collect();
            server.sql(&database, &sql).unwrap();
            let found = home.run(&url, &["doctor", "--level", level, "--output", "json"]);
            let answer = found.json();
            assert_eq!(answer["is_complete"], true, "{level}: {answer}");
            let sizes = home.run(&url, &["sizes", "--output", "json"]).json();
            assert_eq!(sizes["method"], method, "{level}");
        }
        let more = format!("{database}_bare");
        server.sql(&database, &format!("create role {more} login")).unwrap();
        let bare = home.run(&url.replace(&role, &more), &["doctor"]);
        assert_eq!(bare.code, Some(1), "{bare:?}");
        assert!(bare.out.contains("pg_monitor"), "{bare:?}");
    }
}
