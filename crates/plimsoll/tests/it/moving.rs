//! Histories move in and out through the program: exports, imports, backups.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use throwaway_postgres::on_every_major;

use crate::support::{Home, new_database};

on_every_major! {
    fn an_export_fills_another_store_and_comes_back_the_same(server: &Server) {
        let database = new_database(server, "exported");
        server.sql(&database, "create table orders (id int primary key); create table \"a,\"\"b\" ()").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        for _ in 0..2 {
            assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        }
        let file = home.path("all.ndjson");
        let file = file.to_str().unwrap();
        let ran = home.run(&url, &["export", file]);
        assert_eq!((ran.code, &*ran.out), (Some(0), ""), "{ran:?}");
        let there = server.url(&new_database(server, "imported"));
        let ran = home.run(&url, &["--store", &there, "import", file, "--output", "json"]);
        assert_eq!(ran.json()["databases"][0]["samples_added"], 2);
        let ran = home.run(&url, &["--store", &there, "export"]);
        assert_eq!(ran.out, std::fs::read_to_string(file).unwrap());
        let series = home.run(&url, &["--store", &there, "export", "--table", "orders"]);
        assert_eq!(series.out.lines().count(), 3, "{series:?}");
        assert!(series.out.starts_with("time,schema,table,bytes,"), "{series:?}");
        let series = home.run(&url, &["export", "--table", "\"a,\"\"b\""]);
        assert!(series.out.contains(",public,\"a,\"\"b\",0,0,0,0,"), "{series:?}");
        // what is there stays unless its end is asked for, and either way is its owner's only
        home.run(&url, &["export", file]).failed_saying(&["exists already", "--overwrite"]);
        let ran = home.run(&url, &["export", "--overwrite", file]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // a backup of PostgreSQL is pg_dump's
        let copy = home.path("copy.db");
        home.run(&url, &["--store", &there, "backup", copy.to_str().unwrap()])
            .failed_saying(&["pg_dump"]);
        assert!(!copy.exists());
    }

    fn what_pghero_kept_is_shown_as_a_tables_history(server: &Server) {
        let (home, url) = (Home::new(), server.url(&new_database(server, "pghero")));
        let file = home.write("pghero.csv", "\
            id,database,schema,relation,size,captured_at\n\
            1,primary,public,orders,1048576,2026-01-01 03:00:00\n\
            2,primary,public,orders_pkey,16384,2026-01-01 03:00:00\n\
            3,primary,public,orders,2097152,2026-01-02 03:00:00\n\
            4,primary,public,orders_pkey,16384,2026-01-02 03:00:00\n");
        let ran = home.run(&url, &["import", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.out.contains("2 samples added"), "{ran:?}");
        let shown = home.run(&url, &["history", "--table", "orders"]);
        assert!(shown.out.contains("(2 samples)"), "{shown:?}");
        assert!(shown.out.contains("+1024 kB"), "{shown:?}");
        let file = home.write("sizes.csv", "time,schema,table,bytes\n2025-01-01,public,orders,5\nnow,a,b,1\n");
        home.run(&url, &["import", file.to_str().unwrap()])
            .failed_saying(&["line 3", "`now`", "--skip-bad-samples"]);
    }

    fn a_backup_is_taken_while_samples_are_and_overwrites_nothing(server: &Server) {
        let database = new_database(server, "backed_up");
        let (home, url) = (Home::new(), server.url(&database));
        assert_eq!(home.run(&url, &["sample"]).code, Some(0));
        let mut writing: Vec<_> = (0..3)
            .map(|_| home.on(&url).arg("sample").stdout(Stdio::null()).spawn().unwrap())
            .collect();
        let copy = home.path("copy.db");
        let ran = home.run(&url, &["backup", copy.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for process in &mut writing {
            assert!(process.wait().unwrap().success());
        }
        let check: String = rusqlite::Connection::open(&copy)
            .unwrap()
            .query_row("pragma integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(check, "ok");
        let store = format!("sqlite:{}", copy.display());
        let shown = home.run(&url, &["--store", &store, "history", "--output", "json"]).json();
        assert!(shown["total"].as_u64().unwrap() >= 1);
        home.run(&url, &["backup", copy.to_str().unwrap()])
            .failed_saying(&["exists already"]);
    }
}
