//! A whole database: every table, every byte, every name, by every method.

use plimsoll_core::snapshot::{Method, Snapshot, TableKind};
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, on_every_major};

use crate::sizing::{
    BOTH, assert_exact, database, number, relation_sizes, see, see_again, server_files,
};

/// 200 tables in five schemas, of every kind and with every name that breaks tools.
pub(crate) const TWO_HUNDRED_TABLES: &str = r#"
create schema sales;
create schema "Weird.Na""me é";
create schema "select";
create schema empty_one;
do $$
declare s text;
begin
  foreach s in array array['public', 'sales', 'select', 'Weird.Na"me é', 'empty_one'] loop
    for i in 1..30 loop
      execute format('create table %I.t%s (id bigint primary key, payload text, at timestamptz default now())', s, i);
      execute format('insert into %I.t%s select g, repeat(''x'', 100) from generate_series(1, %s) g', s, i, i * 7);
    end loop;
    execute format('create table %I.%I (a int, b text)', s, 'Mixed Case');
    execute format('create table %I.%I (a int)', s, 'quo"te''s');
    execute format('create table %I.%I (a int)', s, 'dots.in.name');
    execute format('create table %I.%I (a int)', s, 'größe_表_🐘');
    execute format('create table %I.%I (a int)', s, E'new\nline');
    execute format('create table %I.%I (a int)', s, repeat('n', 63));
    execute format('create unlogged table %I.unlogged (a int primary key, b text)', s);
    execute format('insert into %I.unlogged select g, ''u'' from generate_series(1, 900) g', s);
    execute format('create table %I.toasted (id int primary key, doc text)', s);
    execute format('alter table %I.toasted alter doc set storage external', s);
    execute format('insert into %I.toasted select g, repeat(md5(g::text), 300) from generate_series(1, 60) g', s);
    execute format('create materialized view %I.summary as select id, length(doc) l from %I.toasted', s, s);
    execute format('create unique index on %I.summary (id)', s);
    execute format('create table %I.parts (id int, at date) partition by range (at)', s);
    execute format('create table %I.parts_2025 partition of %I.parts for values from (''2025-01-01'') to (''2026-01-01'')', s, s);
    execute format('create table %I.parts_2026 partition of %I.parts for values from (''2026-01-01'') to (''2027-01-01'') partition by list (id)', s, s);
    execute format('create table %I.parts_2026_1 partition of %I.parts_2026 for values in (1)', s, s);
    execute format('create table %I.parts_2026_x partition of %I.parts_2026 default', s, s);
    execute format('create index on %I.parts (at)', s);
    execute format('insert into %I.parts select g %% 3, ''2025-06-01''::date + g from generate_series(1, 500) g', s);
    execute format('create sequence %I.numbers', s);
  end loop;
end $$;
create table indexed (id int, tags int[], body text, at int);
insert into indexed select g, array[g, g + 1], 'body ' || g, g from generate_series(1, 3000) g;
create index indexed_gin on indexed using gin (tags);
create index indexed_brin on indexed using brin (at);
create index indexed_hash on indexed using hash (body);
create index indexed_gist on indexed using gist (int4range(id, id + 1));
create table "numbers_of_rows" (a int);
delete from sales.t30 where id % 2 = 0;
vacuum;
create temporary table mine (a int);
"#;

on_every_major! {
    async fn every_byte_of_two_hundred_tables_has_one_owner(server: &Server) {
        let place = server.make_folder("elsewhere").unwrap();
        server
            .sql("postgres", &format!("create tablespace elsewhere location '{}'", place.display()))
            .unwrap();
        // One at a time: a procedure-less do block cannot hold vacuum.
        let (before, after) = TWO_HUNDRED_TABLES.split_once("vacuum;").unwrap();
        database(server, "whole", before);
        let mut session = server.session("whole").unwrap();
        session.run("vacuum").unwrap();
        session.run(after).unwrap();
        session.run("insert into mine select generate_series(1, 1000)").unwrap();
        for sql in [
            "create table far (a int primary key, b text) tablespace elsewhere",
            "insert into far select g, 'far' from generate_series(1, 2000) g",
            "create index t1_far on t1 (payload) tablespace elsewhere",
            "alter table t2 set tablespace elsewhere",
            "checkpoint",
        ] {
            session.run(sql).unwrap();
        }

        let files = see(server, "whole", MethodChoice::Files).await;
        let functions = see(server, "whole", MethodChoice::Functions).await;
        assert_eq!(files.method, Method::Files);
        assert_eq!(functions.method, Method::Functions);
        let tables = files.tables.iter().filter(|t| t.kind.is_listed()).count();
        assert!(tables >= 200, "{tables} tables");

        for snapshot in [&files, &functions] {
            assert_exact(server, "whole", snapshot);
            assert_totals(server, snapshot);
            for table in &snapshot.tables {
                let what = format!("{}.{}", table.schema_name, table.table_name);
                assert_eq!(
                    table.size().bytes,
                    Some(crate::sizing::total_size(server, "whole", table.oid)),
                    "{what} by {:?}", snapshot.method
                );
                assert!(!what.contains('\u{fffd}'), "{what}");
            }
        }
        assert_eq!(relation_sizes(&files), relation_sizes(&functions), "files == functions");

        let mut memory = Memory::default();
        see_again(server, "whole", MethodChoice::Changes, &mut memory).await;
        let changes = see_again(server, "whole", MethodChoice::Changes, &mut memory).await;
        assert_eq!(changes.method, Method::Changes);
        assert_eq!(relation_sizes(&files), relation_sizes(&changes), "files == changes");
        assert_eq!(changes.totals, functions.totals);

        // Names as they are, kinds as they are.
        for (schema, name, kind) in [
            ("Weird.Na\"me é", "quo\"te's", TableKind::Table),
            ("select", "new\nline", TableKind::Table),
            ("sales", "größe_表_🐘", TableKind::Table),
            ("public", "summary", TableKind::Matview),
            ("sales", "parts", TableKind::Partitioned),
            ("sales", "parts_2026_x", TableKind::Table),
            ("public", "numbers", TableKind::Sequence),
            ("pg_catalog", "pg_class", TableKind::Catalog),
        ] {
            assert_eq!(crate::sizing::table(&files, schema, name).kind, kind, "{schema}.{name}");
        }
        let mine = files.tables.iter().find(|t| &*t.table_name == "mine").unwrap();
        assert_eq!(mine.kind, TableKind::Temporary);
        assert!(mine.heap.size.bytes > Some(8192), "{mine:?}");
        let parent = crate::sizing::table(&files, "sales", "parts").oid;
        let child = crate::sizing::table(&files, "sales", "parts_2025");
        assert_eq!(child.parent_oid, Some(parent));
        assert_eq!(files.cost.user_relation_locks, 0);
    }
}

/// The total is `pg_database_size`, and what has no relation is the server's own files, to the byte.
fn assert_totals(server: &Server, snapshot: &Snapshot) {
    let totals = &snapshot.totals;
    let size = number(
        server,
        "whole",
        "select pg_database_size(current_database())",
    );
    assert_eq!(totals.total_bytes, Some(size), "{:?}", snapshot.method);
    assert_eq!(
        totals.unattributed_bytes,
        Some(server_files(server, "whole")),
        "{:?} {:?}",
        snapshot.method,
        snapshot.unattributed
    );
    assert_eq!(totals.unmeasured_bytes, Some(0));
    assert_eq!(totals.estimated_bytes, 0);
}

on_every_major! {
    async fn a_table_without_rows_or_columns_is_a_table(server: &Server) {
        database(server, "bare", "create table nothing (); create table one (a int)");
        for method in BOTH {
            let snapshot = see(server, "bare", method).await;
            assert_eq!(crate::sizing::bytes(&snapshot, "nothing"), 0);
            assert_eq!(crate::sizing::bytes(&snapshot, "one"), 0);
        }
    }
}
