//! What others hold locked costs its own row, never the answer.

use std::thread;
use std::time::Duration;

use throwaway_postgres::on_every_major;

use crate::support::{Home, new_database, number, row};

on_every_major! {
    fn locked_tables_are_flagged_and_every_other_is_exact(server: &Server) {
        let database = new_database(server, "locks");
        for table in 0..20 {
            server.sql(&database, &format!(
                "create table t{table} (id int primary key, body text);
                 insert into t{table} select i, repeat('x', 100) from generate_series(1, 500) i"
            )).unwrap();
        }
        server.sql(&database, "vacuum analyze").unwrap();
        // who asks while they are locked waits
        let exact: Vec<_> = (0..20)
            .map(|table| number(server, &database, &format!("select pg_total_relation_size('t{table}')")))
            .collect();

        // t1 is held in ACCESS EXCLUSIVE mode; t2 is only waited for, behind a reader
        let mut holder = server.session(&database).unwrap();
        holder.run("begin; lock table t1 in access exclusive mode").unwrap();
        let mut reader = server.session(&database).unwrap();
        reader.run("begin; select count(*) from t2").unwrap();
        let waiter = {
            let mut session = server.session(&database).unwrap();
            thread::spawn(move || session.run("alter table t2 add column later int"))
        };
        while number(server, &database, "select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())") == 0 {
            thread::sleep(Duration::from_millis(5));
        }

        for method in ["files", "functions"] {
            let home = Home::new();
            let config = home.write("plimsoll.toml", &format!(
                "[[instance]]\nname = \"i\"\nurl = \"{}\"\nmethod = \"{method}\"\n", server.url(&database)
            ));
            let ran = crate::support::Ran::of(
                home.plimsoll().arg("--config").arg(&config).args(["--output", "json", "sizes"]),
            );
            let answer = ran.json();
            assert_eq!(answer["method"], method);
            assert_eq!(answer["tables_total"], 20);
            for (table, exact) in exact.iter().enumerate() {
                let row = row(&answer, &format!("t{table}"));
                // files are read whatever is locked
                if method == "functions" && (table == 1 || table == 2) {
                    assert_eq!(row["status"], "locked", "{method}: {row}");
                    assert_eq!(row["size_source"], "relpages", "{method}: {row}");
                } else {
                    assert_eq!(row["status"], "ok", "{method}: {row}");
                    assert_eq!(row["size_source"], "measured", "{method}: {row}");
                    assert_eq!(row["size_bytes"], *exact, "{method}: {row}");
                }
            }
            let bytes = |name: &str| answer[name].as_u64().unwrap();
            // what could not be read cannot be told apart from what is in no relation
            let is_told_apart = answer["unattributed_bytes"].is_u64();
            assert_eq!(is_told_apart, method == "files", "{answer}");
            assert_eq!(answer["unattributed_unknown"].is_null(), is_told_apart, "{answer}");
            assert_eq!(
                bytes("total_bytes"),
                bytes("attributed_bytes") + answer["unattributed_bytes"].as_u64().unwrap_or(0) + bytes("unmeasured_bytes"),
            );
            // the same for people
            let text = crate::support::Ran::of(
                home.plimsoll().arg("--config").arg(&config).args(["sizes", "--search", "t1"]),
            );
            assert_eq!(text.out.contains("locked"), method == "functions", "{text:?}");
        }
        drop(reader);
        drop(holder);
        waiter.join().unwrap().unwrap();
    }
}
