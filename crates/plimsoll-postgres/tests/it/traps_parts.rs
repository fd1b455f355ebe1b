//! Traps 14 to 19, 22 to 28, 36, 51, 76: what belongs to a table, and what is a table.

use std::os::unix::fs::FileExt;

use plimsoll_core::size::Status;
use plimsoll_core::snapshot::{
    Persistence, RowCountSource, Snapshot, Table, TableKind, UnattributedCause,
};
use plimsoll_postgres::{Memory, MethodChoice};
use throwaway_postgres::{Server, on_every_major};

use crate::sizing::{
    BOTH, ask, assert_exact, bytes, database, file_of, number, options, run, see, server_sizes,
    table, try_visit, url_as,
};

/// TimescaleDB's catalog as its releases 2.0 to 2.28 have it, as far as it tells chunks from hypertables, made by hand:
/// one hypertable with two chunks, the second of which is compressed in both ways in which they were ever named.
const TIMESCALEDB: &str = "
    create schema _timescaledb_catalog;
    create schema _timescaledb_internal;
    create table _timescaledb_catalog.hypertable (id int primary key, schema_name name, table_name name,
        compressed_hypertable_id int);
    create table _timescaledb_catalog.chunk (id int primary key, hypertable_id int, schema_name name, table_name name,
        compressed_chunk_id int);
    create table conditions (at int, value int);
    create table _timescaledb_internal._compressed_hypertable_2 ();
    create table _timescaledb_internal._hyper_1_1_chunk () inherits (conditions);
    create table _timescaledb_internal._hyper_1_2_chunk () inherits (conditions);
    create table _timescaledb_internal.compress_hyper_2_3_chunk (packed text);
    create table _timescaledb_internal._hyper_1_2_chunk_compressed (packed text);
    insert into _timescaledb_internal._hyper_1_1_chunk select n, n from generate_series(1, 900) n;
    insert into _timescaledb_internal.compress_hyper_2_3_chunk select repeat('x', 100) from generate_series(1, 900);
    insert into _timescaledb_catalog.hypertable values
        (1, 'public', 'conditions', 2), (2, '_timescaledb_internal', '_compressed_hypertable_2', null);
    insert into _timescaledb_catalog.chunk values
        (1, 1, '_timescaledb_internal', '_hyper_1_1_chunk', null),
        (2, 1, '_timescaledb_internal', '_hyper_1_2_chunk', 3),
        (3, 2, '_timescaledb_internal', 'compress_hyper_2_3_chunk', null)";

/// Makes its tables an extension's, as if that were installed.
const INSTALLED: &str = "
    set allow_system_table_mods = on;
    insert into pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
    select 7676, 'timescaledb', 10, 2200, false, '2.17.0' where not exists (select from pg_extension where oid = 7676);
    insert into pg_depend (classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype)
    select 'pg_class'::regclass, c.oid, 0, 'pg_extension'::regclass, 7676, 0, 'e' from pg_class c
    where c.relnamespace = '_timescaledb_catalog'::regnamespace and c.relkind = 'r'
    and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e')";

on_every_major! {
    async fn trap_14_partitions_are_sized_and_their_parents_are_not(server: &Server) {
        database(server, "trap_14", "
            create table p (id int, at date) partition by range (at);
            create table p_old partition of p for values from ('2020-01-01') to ('2025-01-01');
            create table p_new partition of p for values from ('2025-01-01') to ('2030-01-01') partition by list (id);
            create table p_new_1 partition of p_new for values in (1);
            create table p_new_rest partition of p_new default;
            create index on p (at);
            insert into p select g % 3, '2024-06-01'::date + g from generate_series(1, 900) g;
            analyze");
        for method in BOTH {
            let snapshot = see(server, "trap_14", method).await;
            let of = |name: &str| table(&snapshot, "public", name);
            for parent in ["p", "p_new"] {
                assert_eq!(of(parent).size().bytes, Some(0), "{parent}");
                assert_eq!(of(parent).kind, TableKind::Partitioned);
                // It has no rows of its own, and never -1.
                assert_eq!(of(parent).rows.count, None);
                assert_eq!(of(parent).rows.source, RowCountSource::Unknown);
            }
            for (child, parent) in [("p_old", "p"), ("p_new", "p"), ("p_new_1", "p_new"), ("p_new_rest", "p_new")] {
                assert_eq!(of(child).parent_oid, Some(of(parent).oid), "{child}");
            }
            for leaf in ["p_old", "p_new_1", "p_new_rest"] {
                assert_eq!(of(leaf).kind, TableKind::Table);
                assert_eq!(of(leaf).indexes.len(), 1);
                assert!(of(leaf).size().bytes > Some(16_384), "{leaf}");
            }
        }
        run(server, "trap_14", "alter table p detach partition p_old");
        for method in BOTH {
            let snapshot = see(server, "trap_14", method).await;
            let detached = table(&snapshot, "public", "p_old");
            assert_eq!(detached.parent_oid, None, "a detached child leaves the set");
            assert!(detached.size().bytes > Some(16_384), "and still occupies the disk");
        }
    }

    async fn trap_76_compressed_chunks_belong_to_their_hypertable(server: &Server) {
        database(server, "trap_76", TIMESCALEDB);
        // no extension of that name: whoever made these tables, they are not TimescaleDB's, and are not read
        let seen = see(server, "trap_76", MethodChoice::Functions).await;
        let of = |snapshot: &Snapshot, name: &str| table(snapshot, "_timescaledb_internal", name).clone();
        let conditions = |snapshot: &Snapshot| table(snapshot, "public", "conditions").oid;
        for chunk in ["compress_hyper_2_3_chunk", "_hyper_1_2_chunk_compressed"] {
            assert!(of(&seen, chunk).parent_by_name, "{chunk}");
        }
        assert_eq!(of(&seen, "compress_hyper_2_3_chunk").parent_oid, Some(conditions(&seen)));
        assert_eq!(of(&seen, "_hyper_1_2_chunk_compressed").parent_oid, Some(of(&seen, "_hyper_1_2_chunk").oid));

        run(server, "trap_76", INSTALLED);
        for method in BOTH {
            let seen = see(server, "trap_76", method).await;
            let compressed = of(&seen, "compress_hyper_2_3_chunk");
            assert_eq!((compressed.parent_oid, compressed.parent_by_name), (Some(conditions(&seen)), false));
            assert_eq!(of(&seen, "_compressed_hypertable_2").parent_oid, Some(conditions(&seen)));
            assert_exact(server, "trap_76", &seen);
        }

        // a role that may not read it learns what the names tell
        run(server, "trap_76", "create role trap_76 login; grant usage on schema _timescaledb_catalog to public");
        let url = url_as(server, "trap_76", "trap_76");
        let options = options(MethodChoice::Functions);
        let seen = try_visit(&url, &options, &mut Memory::default()).await.unwrap();
        assert!(of(&seen, "compress_hyper_2_3_chunk").parent_by_name);

        // 2.29 and later
        run(server, "trap_76", "
            grant select on all tables in schema _timescaledb_catalog to public;
            alter table _timescaledb_catalog.chunk drop column compressed_chunk_id;
            create table _timescaledb_catalog.compression_settings (relid regclass not null, compress_relid regclass);
            insert into _timescaledb_catalog.compression_settings values
                ('_timescaledb_internal._hyper_1_2_chunk', '_timescaledb_internal._hyper_1_2_chunk_compressed'),
                ('_timescaledb_internal._hyper_1_1_chunk', null)");
        run(server, "trap_76", INSTALLED);
        let seen = see(server, "trap_76", MethodChoice::Functions).await;
        let compressed = of(&seen, "_hyper_1_2_chunk_compressed");
        assert_eq!((compressed.parent_oid, compressed.parent_by_name), (Some(of(&seen, "_hyper_1_2_chunk").oid), false));
        run(server, "trap_76", "drop owned by trap_76; drop role trap_76");
    }

    async fn trap_15_a_parent_of_plain_inheritance_has_bytes_of_its_own(server: &Server) {
        database(server, "trap_15", "
            create table parent (id int, doc text);
            create table child (more int) inherits (parent);
            insert into parent select g, repeat('p', 100) from generate_series(1, 1000) g;
            insert into child select g, repeat('c', 100), g from generate_series(1, 4000) g");
        for method in BOTH {
            let snapshot = see(server, "trap_15", method).await;
            let (parent, child) = (table(&snapshot, "public", "parent"), table(&snapshot, "public", "child"));
            assert_eq!(parent.kind, TableKind::Table);
            assert_eq!(child.parent_oid, Some(parent.oid));
            let (parent, child) = (parent.size().bytes.unwrap(), child.size().bytes.unwrap());
            assert!(parent > 100_000 && child > 3 * parent, "{parent} {child}");
        }
    }

    async fn trap_16_17_every_byte_has_one_owner(server: &Server) {
        database(server, "trap_16", "
            create table t (id int primary key, doc text);
            alter table t alter doc set storage external;
            insert into t select g, repeat(md5(g::text), 200) from generate_series(1, 2000) g;
            create index t_id on t (id);
            delete from t where id % 2 = 0");
        run(server, "trap_16", "vacuum t");
        for method in BOTH {
            let snapshot = see(server, "trap_16", method).await;
            assert_exact(server, "trap_16", &snapshot);
            let t = table(&snapshot, "public", "t");
            let ask = |sql: &str| Some(number(server, "trap_16", sql));
            assert_eq!(t.heap.size.bytes, ask("select pg_relation_size('t') + pg_relation_size('t', 'fsm') + pg_relation_size('t', 'vm')"));
            assert!(t.heap.size.bytes > ask("select pg_relation_size('t')"), "the maps count");
            assert_eq!(t.toast_size().bytes, ask("select pg_total_relation_size(reltoastrelid) from pg_class where oid = 't'::regclass"));
            assert_eq!(t.index_size().bytes, ask("select pg_indexes_size('t')"));
            assert_eq!(t.size().bytes, ask("select pg_total_relation_size('t')"));
            // What adds the toast table to pg_table_size counts it twice.
            let all: u64 = snapshot.tables.iter().filter_map(|t| t.size().bytes).sum();
            assert_eq!(all, snapshot.totals.attributed_bytes);
            assert!(snapshot.tables.iter().all(|t| !t.table_name.starts_with("pg_toast")));
        }
    }

    async fn trap_18_each_relation_names_its_own_tablespace(server: &Server) {
        for name in ["trap_18_default", "trap_18_fast"] {
            let place = server.make_folder(name).unwrap();
            run(server, "postgres", &format!("create tablespace {name} location '{}'", place.display()));
        }
        run(server, "postgres", "create database trap_18 tablespace trap_18_default");
        run(server, "trap_18", "
            create table home (id int primary key, doc text);
            create table moved (id int primary key, doc text) tablespace trap_18_fast;
            create table back (id int, doc text) tablespace pg_default;
            create index home_fast on home (doc) tablespace trap_18_fast;
            insert into home select g, repeat('h', 100) from generate_series(1, 3000) g;
            insert into moved select * from home;
            insert into back select * from home");
        let oid = |name: &str| u32::try_from(number(server, "postgres", &format!("select oid from pg_tablespace where spcname = '{name}'"))).unwrap();
        let (default, fast) = (oid("trap_18_default"), oid("trap_18_fast"));
        for method in BOTH {
            let snapshot = see(server, "trap_18", method).await;
            assert_exact(server, "trap_18", &snapshot);
            assert_eq!(snapshot.totals.total_bytes, Some(number(server, "trap_18", "select pg_database_size(current_database())")));
            let home = table(&snapshot, "public", "home");
            assert_eq!(home.heap.tablespace, default, "0 is the database's default");
            let of = |name: &str| home.indexes.iter().find(|i| &*i.index_name == name).unwrap().storage.tablespace;
            assert_eq!((of("home_pkey"), of("home_fast")), (default, fast));
            let moved = table(&snapshot, "public", "moved");
            assert_eq!((moved.heap.tablespace, moved.toast.unwrap().heap.tablespace, moved.indexes[0].storage.tablespace), (fast, fast, default));
            assert_eq!(table(&snapshot, "public", "back").heap.tablespace, 1663);
            assert_eq!(table(&snapshot, "pg_catalog", "pg_class").heap.tablespace, default);
        }
    }

    async fn trap_19_shared_catalogs_are_in_no_database(server: &Server) {
        database(server, "trap_19", "select 1");
        for method in BOTH {
            let snapshot = see(server, "trap_19", method).await;
            for shared in ["pg_database", "pg_authid", "pg_tablespace", "pg_shdepend"] {
                assert!(snapshot.tables.iter().all(|t| &*t.table_name != shared), "{shared}");
            }
            assert!(snapshot.tables.iter().all(|t| t.heap.tablespace != 1664));
            assert_eq!(snapshot.totals.total_bytes, Some(number(server, "trap_19", "select pg_database_size(current_database())")));
        }
    }

    async fn trap_23_temporary_tables_of_other_sessions_are_a_kind_of_their_own(server: &Server) {
        database(server, "trap_23", "create table lasting (id int)");
        let mut session = server.session("trap_23").unwrap();
        session.run("create temporary table passing (id int primary key, doc text)").unwrap();
        session.run("insert into passing select g, repeat('t', 100) from generate_series(1, 5000) g").unwrap();
        session.run("create temporary sequence passing_numbers").unwrap();
        for method in BOTH {
            let snapshot = see(server, "trap_23", method).await;
            let passing = snapshot.tables.iter().find(|t| &*t.table_name == "passing").unwrap();
            assert_eq!(passing.kind, TableKind::Temporary);
            assert_eq!(passing.persistence, Persistence::Temporary);
            assert!(!passing.kind.has_series() && !passing.kind.is_listed());
            assert!(passing.heap.size.bytes > Some(500_000), "{passing:?}");
            assert!(passing.indexes[0].storage.size.bytes > Some(100_000), "{passing:?}");
            let numbers = snapshot.tables.iter().find(|t| &*t.table_name == "passing_numbers").unwrap();
            assert_eq!(numbers.kind, TableKind::Temporary);
            assert_exact(server, "trap_23", &snapshot);
        }
    }

    async fn trap_24_whatever_has_storage_is_there_and_nothing_else(server: &Server) {
        database(server, "trap_24", "
            create table t (id int);
            insert into t select generate_series(1, 1000);
            create view v as select * from t;
            create type c as (a int);
            create foreign data wrapper w; create server s foreign data wrapper w;
            create foreign table f (id int) server s;
            create materialized view m as select * from t;
            create sequence q;
            select lo_from_bytea(0, decode(repeat('ab', 40000), 'hex')) from generate_series(1, 20)");
        for method in BOTH {
            let snapshot = see(server, "trap_24", method).await;
            for absent in ["v", "c", "f"] {
                assert!(snapshot.tables.iter().all(|t| &*t.table_name != absent), "{absent}");
            }
            assert_eq!(table(&snapshot, "public", "q").size().bytes, Some(8192));
            assert_eq!(table(&snapshot, "public", "q").kind, TableKind::Sequence);
            assert_eq!(table(&snapshot, "public", "m").kind, TableKind::Matview);
            assert!(bytes(&snapshot, "m") > 32_768);
            let large = table(&snapshot, "pg_catalog", "pg_largeobject");
            assert_eq!(large.kind, TableKind::Catalog);
            assert!(large.size().bytes > Some(20_000), "{large:?}");
            let attribute = table(&snapshot, "pg_catalog", "pg_attribute");
            assert!(attribute.size().bytes > Some(400_000) && attribute.indexes.len() == 2);
            // A catalog's toast table is the catalog's.
            assert!(table(&snapshot, "pg_catalog", "pg_rewrite").toast.unwrap().heap.size.bytes.is_some());
            assert_exact(server, "trap_24", &snapshot);
        }
    }

    async fn trap_25_an_invalid_index_is_flagged_and_counts(server: &Server) {
        database(server, "trap_25", "create table t (id int); insert into t select g % 2000 from generate_series(1, 4000) g");
        let failed = server.sql("trap_25", "create unique index concurrently t_unique on t (id)").unwrap_err();
        assert!(failed.to_string().contains("t_unique"), "{failed}");
        run(server, "trap_25", "create index t_valid on t (id)");
        for method in BOTH {
            let snapshot = see(server, "trap_25", method).await;
            let t = table(&snapshot, "public", "t");
            let of = |name: &str| t.indexes.iter().find(|i| &*i.index_name == name).unwrap();
            assert!(of("t_valid").is_valid && !of("t_unique").is_valid);
            assert_eq!(t.index_size().bytes, Some(number(server, "trap_25", "select pg_indexes_size('t')")));
        }
    }

    async fn trap_27_a_rewrite_changes_the_file_and_not_the_table(server: &Server) {
        database(server, "trap_27", "
            create table t (id int primary key, doc text);
            insert into t select g, repeat('t', 900) from generate_series(1, 900) g;
            delete from t where id % 3 > 0");
        let mut before: Vec<Table> = Vec::new();
        for sql in ["select 1", "vacuum full t", "cluster t using t_pkey", "reindex table t", "truncate t"] {
            run(server, "trap_27", sql);
            for (at, method) in BOTH.into_iter().enumerate() {
                let snapshot = see(server, "trap_27", method).await;
                let now = table(&snapshot, "public", "t").clone();
                assert_eq!(now.size().bytes, Some(number(server, "trap_27", "select pg_total_relation_size('t')")), "{sql}");
                if let Some(before) = before.get(at) {
                    assert_eq!(now.oid, before.oid);
                    assert_eq!(now.heap.filenode != before.heap.filenode, !sql.starts_with("reindex"), "{sql}");
                    assert_ne!(now.indexes[0].storage.filenode, before.indexes[0].storage.filenode, "{sql}");
                }
                if before.len() > at { before[at] = now } else { before.push(now) }
            }
        }
    }

    async fn trap_28_a_table_that_was_never_counted_has_no_row_count(server: &Server) {
        database(server, "trap_28", "
            create table empty (id int);
            create table loaded (id int);
            insert into loaded select generate_series(1, 5000);
            create table counted (id int);
            insert into counted select generate_series(1, 700);
            analyze counted");
        let mut session = server.session("trap_28").unwrap();
        // As a restore leaves it: pages, and nothing that was ever counted in them.
        session.run("select pg_stat_reset()").unwrap();
        for method in BOTH {
            let snapshot = see(server, "trap_28", method).await;
            for table in &snapshot.tables {
                let rows = table.rows;
                assert_eq!(rows.count.is_none(), rows.source == RowCountSource::Unknown, "{table:?}");
            }
            let of = |name: &str| table(&snapshot, "public", name).rows;
            // Nothing is counted since the reset, and reltuples say otherwise: they are believed.
            assert_eq!((of("counted").count, of("counted").source), (Some(700), RowCountSource::Estimate));
            assert_eq!(of("empty").count, Some(0));
        }
    }

    async fn trap_68_rows_that_are_counted_twice_are_estimated_instead(server: &Server) {
        database(server, "trap_68", "create table t (id int)");
        // Its own report of what it loaded comes after ANALYZE has counted the same rows.
        let mut session = server.session("trap_68").unwrap();
        session.run("create table loaded (id int)").unwrap();
        session.run("insert into loaded select generate_series(1, 3000)").unwrap();
        session.run("analyze loaded").unwrap();
        drop(session);
        crate::traps_changes::settle(server, "trap_68");
        for method in BOTH {
            let snapshot = see(server, "trap_68", method).await;
            let rows = table(&snapshot, "public", "loaded").rows;
            assert_eq!(rows.count, Some(3000), "{rows:?}");
            let counted = number(server, "trap_68", "select n_live_tup from pg_stat_user_tables where relname = 'loaded'");
            let is_true = counted == 3000;
            assert_eq!(rows.source == RowCountSource::Statistics, is_true, "{counted} {rows:?}");
        }
    }

    async fn trap_36_bytes_are_exact_and_the_kind_of_storage_is_named(server: &Server) {
        database(server, "trap_36", "
            create access method other_heap type table handler heap_tableam_handler;
            create table other (id int, doc text) using other_heap;
            create table usual (id int);
            insert into other select g, repeat('o', 50) from generate_series(1, 777) g");
        for method in BOTH {
            let snapshot = see(server, "trap_36", method).await;
            assert_eq!(table(&snapshot, "public", "other").access_method.as_deref(), Some("other_heap"));
            assert_eq!(table(&snapshot, "public", "usual").access_method.as_deref(), Some("heap"));
            assert_eq!(u64::from(snapshot.server.block_size), number(server, "trap_36", "select current_setting('block_size')"));
            assert_exact(server, "trap_36", &snapshot);
        }
    }

    async fn trap_51_one_number_in_two_tablespaces_is_two_relations(server: &Server) {
        let place = server.make_folder("trap_51").unwrap();
        run(server, "postgres", &format!("create tablespace trap_51 location '{}'", place.display()));
        database(server, "trap_51", "
            create table here (id int);
            insert into here select generate_series(1, 100);
            create table there (id int) tablespace trap_51;
            insert into there select generate_series(1, 5000)");
        run(server, "trap_51", "checkpoint");
        let here = file_of(server, "trap_51", "here");
        let there = file_of(server, "trap_51", "there");
        let number = here.file_name().unwrap();
        let foreign = there.parent().unwrap().join(number);
        // A file of the number of `here` beside `there`: nobody's.
        std::fs::write(&foreign, vec![0; 16_384]).unwrap();
        let temporary = here.with_file_name(format!("t99_{}", number.to_str().unwrap()));
        std::fs::write(&temporary, vec![0; 8192]).unwrap();
        give_to_server(server, &[&foreign, &temporary]);
        let snapshot = see(server, "trap_51", plimsoll_postgres::MethodChoice::Files).await;
        assert_exact(server, "trap_51", &snapshot);
        assert_eq!(bytes(&snapshot, "here"), 8192);
        let of = |cause| snapshot.unattributed.iter().find(|u| u.cause == cause).map(|u| (u.bytes, u.files));
        assert_eq!(of(UnattributedCause::Uncommitted), Some((16_384, 1)));
        assert_eq!(of(UnattributedCause::Temporary), Some((8192, 1)));
        let snapshot = see(server, "trap_51", plimsoll_postgres::MethodChoice::Functions).await;
        assert_exact(server, "trap_51", &snapshot);
    }
}

/// Files that the test made as root are read by a server that is not.
fn give_to_server(server: &Server, files: &[&std::path::Path]) {
    use std::os::unix::fs::{MetadataExt, chown};
    let owner = std::fs::metadata(server.data_dir()).unwrap();
    for file in files {
        chown(file, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

on_every_major! {
    async fn trap_26_segments_forks_and_mapped_catalogs_are_summed(server: &Server) {
        database(server, "trap_26", "create table big (id int); insert into big values (1)");
        run(server, "trap_26", "vacuum big");
        run(server, "trap_26", "checkpoint");
        // A first segment of 1 GB with a hole, and a second one: what a table of more than 1 GB has.
        let first = file_of(server, "trap_26", "big");
        let file = std::fs::File::options().write(true).open(&first).unwrap();
        file.set_len(1 << 30).unwrap();
        file.write_at(&[0], (1 << 30) - 1).unwrap();
        let second = first.with_file_name(format!("{}.1", first.file_name().unwrap().to_str().unwrap()));
        std::fs::write(&second, vec![0; 3 * 8192]).unwrap();
        give_to_server(server, &[&second]);
        for method in BOTH {
            let snapshot = see(server, "trap_26", method).await;
            let big = table(&snapshot, "public", "big");
            assert!(big.heap.size.bytes >= Some((1 << 30) + 3 * 8192), "{big:?}");
            assert_exact(server, "trap_26", &snapshot);
            assert_eq!(big.size().status, Status::Ok);
            // Mapped catalogs have no relfilenode of their own.
            assert_eq!(ask(server, "trap_26", "select relfilenode from pg_class where relname = 'pg_class'"), "0");
            assert!(table(&snapshot, "pg_catalog", "pg_class").heap.filenode > 0);
            assert!(table(&snapshot, "pg_catalog", "pg_class").heap.size.bytes > Some(50_000));
        }
        assert!(server_sizes(server, "trap_26").len() > 200);
        let folder = first.parent().unwrap();
        assert!(folder.join("PG_VERSION").exists());
    }
}
