//! Traps 1 to 4, 39: names label a relation, and never find it.

use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::on_every_major;

use crate::sizing::{BOTH, database, options, run, see, table, total_size, try_visit, url_as};

on_every_major! {
    async fn trap_01_03_39_two_tables_of_one_name_are_told_apart_off_the_search_path(server: &Server) {
        database(server, "trap_01", "
            create schema a; create schema b;
            create table a.t (id int primary key, doc text);
            create table b.t (id int primary key, doc text);
            create table public.t (id int);
            insert into a.t select g, repeat('a', 200) from generate_series(1, 9000) g;
            insert into b.t select g, repeat('b', 200) from generate_series(1, 30) g;
            create index t_doc on a.t (doc);
            create index t_doc on b.t (doc);
            alter database trap_01 set search_path = a, b");
        for method in BOTH {
            let snapshot = see(server, "trap_01", method).await;
            let (a, b) = (table(&snapshot, "a", "t"), table(&snapshot, "b", "t"));
            assert_eq!(table(&snapshot, "public", "t").size().bytes, Some(0));
            for table in [a, b] {
                assert_eq!(table.size().bytes, Some(total_size(server, "trap_01", table.oid)));
                assert_eq!(table.indexes.len(), 2);
            }
            assert!(a.size().bytes > Some(20 * b.size().bytes.unwrap()), "{a:?} {b:?}");
        }
    }

    async fn trap_02_names_come_out_as_they_went_in(server: &Server) {
        let names = [
            "We\"ird.Na\"\"me é", "dots.in.it", "'quoted'", "new\nline\ttab", "🐘", " leading",
            "SELECT", "back\\slash", "=cmd|' /C calc'!A0", "<script>alert(1)</script>",
            "{label=\"x\"}", "%s", "$1",
        ].map(str::to_owned).into_iter().chain([
            // 63 bytes, also where the last character has two.
            "x".repeat(63), format!("{}é", "y".repeat(61)),
        ]).collect::<Vec<_>>();
        database(server, "trap_02", "select 1");
        let mut session = server.session("trap_02").unwrap();
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let index_of = |at: usize| &names[(at + 1) % names.len()];
        for (at, name) in names.iter().enumerate() {
            let (name, index) = (quoted(name), quoted(index_of(at)));
            session.run(&format!("create schema {name}; create table {name}.{name} (id int); create index {index} on {name}.{name} (id)")).unwrap();
            session.run(&format!("insert into {name}.{name} values (1)")).unwrap();
        }
        for method in BOTH {
            let snapshot = see(server, "trap_02", method).await;
            for (at, name) in names.iter().enumerate() {
                let table = table(&snapshot, name, name);
                assert_eq!(&*table.indexes[0].index_name, index_of(at).as_str());
                assert_eq!(table.size().bytes, Some(8192 + 16384), "{name}");
            }
        }
    }

    async fn trap_04_a_role_without_usage_on_the_schema_reads_every_size(server: &Server) {
        database(server, "trap_04", "
            create schema hidden;
            create table hidden.t (id int primary key, doc text);
            insert into hidden.t select g, repeat('h', 200) from generate_series(1, 5000) g;
            create role trap_04 login;
            revoke all on schema hidden, public from public");
        let url = url_as(server, "trap_04", "trap_04");
        // What the role may do decides: it cannot list files.
        let snapshot = try_visit(&url, &options(MethodChoice::Auto), &mut Memory::default()).await.unwrap();
        assert_eq!(snapshot.method.as_str(), "functions");
        let hidden = table(&snapshot, "hidden", "t");
        assert_eq!(hidden.size().bytes, Some(total_size(server, "trap_04", hidden.oid)));
        assert_eq!(snapshot.totals.unmeasured_bytes, Some(0));
        run(server, "trap_04", "drop owned by trap_04; drop role trap_04");
    }
}
