//! Traps 53 to 57: names are bytes, and what cannot be read costs itself.

use plimsoll_core::instance::{Figure, InstanceFacts};
use plimsoll_postgres::doctor::{Level, doctor};
use plimsoll_postgres::{Memory, MethodChoice, Target, VisitOptions, facts};
use throwaway_postgres::{Server, on_every_major};
use tokio_util::sync::CancellationToken;

use crate::session::{as_role, open};
use crate::sizing::{BOTH, ask, database, number, options, run, see, table, total_size, try_visit};

fn database_in(server: &Server, name: &str, encoding: &str) {
    let sql = format!(
        "create database \"{name}\" template template0 encoding '{encoding}' lc_collate 'C' lc_ctype 'C'"
    );
    server.sql("postgres", &sql).unwrap();
}

/// A session of a database in another encoding, that speaks UTF-8.
fn run_in_utf8(server: &Server, database: &str, statements: &[&str]) {
    let mut session = server.session(database).unwrap();
    session.run("set client_encoding = 'UTF8'").unwrap();
    for sql in statements {
        session.run(sql).unwrap();
    }
}

/// Makes a schema, table and index of one name, an SQL expression, and fills it.
const MAKE: &str = "
    do $$ declare name text := EXPRESSION; begin
        execute format('create schema %I', name);
        execute format('create table %I.%I (id int primary key, doc text)', name, name);
        execute format('create index %I on %I.%I (doc)', name || '_doc', name, name);
        execute format('insert into %I.%I select g, repeat(''x'', 100) from generate_series(1, 3000) g', name, name);
    end $$";

/// Makes such a table, and checks that it is seen under that name to the byte, and nothing is missing.
async fn check(server: &Server, database: &str, expression: &str, name: &str) {
    run(server, database, &MAKE.replace("EXPRESSION", expression));
    let relations = number(
        server,
        database,
        "select count(*) from pg_class where relkind in ('r', 'm', 'p', 't', 'i', 'S') and not relisshared",
    );
    for method in BOTH {
        let snapshot = see(server, database, method).await;
        let table = table(&snapshot, name, name);
        assert_eq!(
            table.size().bytes,
            Some(total_size(server, database, table.oid)),
            "{name}"
        );
        assert!(
            table
                .indexes
                .iter()
                .any(|index| *index.index_name == *format!("{name}_doc"))
        );
        let seen = crate::sizing::relation_sizes(&snapshot).len();
        assert_eq!(u64::try_from(seen).unwrap(), relations, "{name}");
        assert_eq!(snapshot.totals.unmeasured_bytes, Some(0));
    }
}

on_every_major! {
    async fn trap_53_a_byte_that_is_no_character_loses_no_relation(server: &Server) {
        for (database, encoding, expression, name) in [
            ("trap_53_none", "SQL_ASCII", "'caf' || chr(233)", "caf\\xE9"),
            ("trap_53_utf8", "SQL_ASCII", "'caf' || chr(195) || chr(169)", "café"),
            // Not the byte, but what is written like it.
            ("trap_53_like", "SQL_ASCII", "e'caf\\\\xE9'", "caf\\x5CxE9"),
            // No server converts this one to UTF-8, which the client library asks for.
            ("trap_53_mule", "MULE_INTERNAL", "'caf' || convert_from('\\x81e9'::bytea, 'MULE_INTERNAL')", "caf\\x81\\xE9"),
            ("trap_53_windows", "WIN1252", "'price' || chr(128) || chr(129)", "price€\\x81"),
        ] {
            database_in(server, database, encoding);
            check(server, database, expression, name).await;
        }
    }

    async fn trap_54_names_are_read_in_the_encoding_of_their_database(server: &Server) {
        for (database, encoding, name) in [
            ("trap_54_latin1", "LATIN1", "Grün ÿ"),
            ("trap_54_latin9", "LATIN9", "Œuvre €"),
            ("trap_54_win1251", "WIN1251", "Привет"),
            ("trap_54_koi8", "KOI8R", "Привет"),
            ("trap_54_euc_jp", "EUC_JP", "日本"),
        ] {
            database_in(server, database, encoding);
            run_in_utf8(server, database, &["create table made (name text)", &format!("insert into made values ('{name}')")]);
            check(server, database, "(select made.name from made)", name).await;
        }
    }

    async fn trap_55_a_database_whose_name_is_not_utf8_is_found_connected_to_and_sized(server: &Server) {
        database_in(server, "trap_55_latin1", "LATIN1");
        let folder = server.make_folder("trap_55").unwrap();
        run_in_utf8(server, "trap_55_latin1", &[
            "create database \"Ünï\" template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'",
            "create role \"Jürgen\" login superuser",
            &format!("create tablespace \"Größe\" location '{}'", folder.display()),
        ]);
        // The same name in UTF-8 is another database's.
        database_in(server, "Zoë", "UTF8");
        run_in_utf8(server, "trap_55_latin1", &[
            "create database \"Zoë\" template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'",
        ]);
        let session = open(&server.url("postgres")).await.unwrap();
        let found = facts(&session, &[]).await.unwrap();
        let names: Vec<_> = found.databases.each().iter().map(|it| it.name.as_str()).collect();
        for name in ["Ünï", "Zoë", "Zo\\xEB", "trap_55_latin1", "postgres"] {
            assert_eq!(names.iter().filter(|it| **it == name).count(), 1, "{name}: {names:?}");
        }
        assert!(found.databases.each().iter().all(|it| it.bytes.known().is_some()), "{found:?}");
        // The cluster's own encoding is UTF-8, so nobody can tell what the tablespace's bytes mean.
        assert!(found.tablespaces.each().iter().any(|it| it.name == "Gr\\xF6\\xDFe" && it.bytes.known().is_some()));

        for (name, connect_name) in [("Ünï", "\\xDCn\\xEF"), ("Zo\\xEB", "Zo\\xEB"), ("Zoë", "Zoë")] {
            let database = found.databases.each().iter().find(|it| it.name == name).unwrap();
            assert_eq!(database.connect_name, connect_name);
            let url: plimsoll_connect::DatabaseUrl = server.url("postgres").parse().unwrap();
            let url = url.with_database(&database.connect_name);
            for method in BOTH {
                let target = Target { instance: "test".into(), url: url.clone() };
                let snapshot = plimsoll_postgres::visit(
                    &target,
                    &options(method),
                    &mut Memory::default(),
                    &plimsoll_postgres::Silent,
                    &CancellationToken::new(),
                    jiff::Timestamp::now(),
                )
                .await
                .unwrap();
                assert_eq!(&*snapshot.database, name);
                let total = ask(server, "postgres", &format!("select pg_database_size({}::oid)", database.oid));
                assert_eq!(snapshot.totals.total_bytes.unwrap().to_string(), total, "{name}");
                assert!(!snapshot.tables.is_empty());
            }
        }
        // In the URL by its bytes, and a statement that ends at the deadline is cancelled there as well.
        let url = server.url("uni").replacen("/uni", "/%DCn%EF", 1);
        let session = open(&url).await.unwrap();
        assert_eq!(session.database(), "Ünï");
    }

    async fn trap_56_a_fact_that_cannot_be_read_costs_itself_only(server: &Server) {
        database(server, "trap_56", "create role trap_56 login; grant pg_monitor to trap_56");
        let folder = server.make_folder("trap_56").unwrap();
        run(server, "postgres", &format!("create tablespace trap_56 location '{}'", folder.display()));
        let url = as_role(&server.url("trap_56"), "trap_56");
        let absent = |found: &InstanceFacts| {
            let own = found.tablespaces.each().iter().find(|it| it.name == "trap_56");
            let mut absent = Vec::new();
            for (fact, reason) in [
                ("databases", found.databases.reason()),
                ("tablespaces", found.tablespaces.reason()),
                ("location", own.and_then(|own| own.location.reason())),
                ("bytes", own.and_then(|own| own.bytes.reason())),
                ("wal", found.wal.bytes.reason()),
                ("retained_by", found.wal.retained_by.reason()),
                ("keep_size", found.wal.keep_size_bytes.reason()),
                ("archive_pending", found.wal.archive_pending.reason()),
                ("temporary", found.temporary_bytes.reason()),
                ("capacity", found.capacity.reason()),
            ] {
                assert!(!reason.is_some_and(str::is_empty));
                absent.extend(reason.map(|_| fact));
            }
            absent
        };
        for (what, expected) in [
            ("nothing", &[][..]),
            ("select on pg_replication_slots", &["retained_by"]),
            ("select on pg_settings", &["keep_size", "archive_pending", "capacity"]),
            ("select on pg_tablespace", &["tablespaces", "temporary"]),
            ("select on pg_roles", &[]),
            ("execute on function pg_tablespace_location(oid)", &["location"]),
            ("execute on function pg_tablespace_size(oid)", &["bytes"]),
            ("execute on function pg_current_wal_lsn()", &["retained_by"]),
            ("execute on function pg_database_size(oid)", &[]),
        ] {
            // With archiving off nothing is asked; and who may not see the setting does not ask either.
            if what != "nothing" {
                run(server, "trap_56", &format!("revoke {what} from public"));
            }
            let session = open(&url).await.unwrap();
            let found = facts(&session, &[]).await.unwrap();
            let absent: Vec<_> = absent(&found).into_iter().filter(|it| *it != "archive_pending").collect();
            let expected: Vec<_> = expected.iter().copied().filter(|it| *it != "archive_pending").collect();
            assert_eq!(absent, expected, "without {what}");
            // Sizes are what a visit is for.
            let snapshot = try_visit(&url, &options(MethodChoice::Functions), &mut Memory::default()).await;
            assert!(snapshot.unwrap().tables.len() > 50, "without {what}");
            if what != "nothing" {
                run(server, "trap_56", &format!("grant {what} to public"));
            }
        }
        // A tablespace whose link is gone.
        let session = open(&server.url("trap_56")).await.unwrap();
        let oid = ask(server, "trap_56", "select oid from pg_tablespace where spcname = 'trap_56'");
        let link = server.data_dir().join("pg_tblspc").join(oid);
        std::fs::rename(&link, link.with_extension("away")).unwrap();
        let found = facts(&session, &[]).await.unwrap();
        std::fs::rename(link.with_extension("away"), &link).unwrap();
        assert_eq!(absent(&found).first(), Some(&"location"));
        assert!(matches!(found.databases, Figure::Known(_)) && matches!(found.wal.bytes, Figure::Known(_)));
        run(server, "postgres", "drop tablespace trap_56");
    }

    async fn trap_57_what_no_size_needs_stops_none(server: &Server) {
        database(server, "trap_57", "
            create role trap_57 login;
            create table parent (id int primary key, doc text);
            create table child () inherits (parent);
            create table parts (id int) partition by range (id);
            create table part partition of parts for values from (0) to (1000);
            insert into part select generate_series(0, 999);
            create index on parent using gin (to_tsvector('simple', doc));
            insert into child select g, repeat('x', 500) from generate_series(1, 3000) g");
        let url = as_role(&server.url("trap_57"), "trap_57");
        let visited = async |method| {
            let snapshot = try_visit(&url, &options(method), &mut Memory::default()).await.unwrap();
            assert_eq!(snapshot.totals.unmeasured_bytes, Some(0), "{:?}", snapshot.totals);
            for name in ["parent", "child", "part"] {
                let table = table(&snapshot, "public", name);
                assert_eq!(table.size().bytes, Some(total_size(server, "trap_57", table.oid)), "{name}");
                assert!(table.size().is_measured());
            }
            snapshot
        };
        for (what, is_needed) in [
            ("select on pg_stat_database", false),
            ("select on pg_am", false),
            ("select on pg_inherits", false),
            ("select on pg_stat_bgwriter", false),
            ("select on pg_roles", false),
            ("select on pg_settings", false),
            ("select on pg_tablespace", false),
            ("select on pg_replication_slots", false),
            ("execute on function pg_table_size(regclass)", false),
            ("execute on function pg_stat_get_db_stat_reset_time(oid)", false),
            ("execute on function pg_relation_size(regclass, text)", true),
            ("select on pg_index", true),
            ("select on pg_namespace", true),
            ("select on pg_locks", true),
        ] {
            run(server, "trap_57", &format!("revoke {what} from public"));
            if !is_needed {
                for method in [MethodChoice::Auto, MethodChoice::Changes] {
                    let snapshot = visited(method).await;
                    let parent = table(&snapshot, "public", "parent");
                    assert_eq!(&*parent.indexes[1].access_method, "gin", "without {what}");
                    let parts = table(&snapshot, "public", "parts").oid;
                    assert_eq!(table(&snapshot, "public", "part").parent_oid, Some(parts), "without {what}");
                }
            }
            // `doctor` says so beforehand, and what it advises helps.
            let diagnose = async || {
                let target = Target { instance: "test".into(), url: url.parse().unwrap() };
                let names = ["trap_57".to_owned()];
                let cancel = CancellationToken::new();
                let found = doctor(&target, &names, Level::ReadOnly, &VisitOptions::default(), &cancel).await;
                found.unwrap().databases.remove(0)
            };
            let found = diagnose().await;
            assert_eq!(found.method.is_none(), is_needed, "without {what}: {found:?}");
            assert_eq!(found.level.is_none(), is_needed, "without {what}: {found:?}");
            let object = what.rsplit(' ').next().unwrap().split('(').next().unwrap();
            let grants: Vec<_> = found.items.iter().filter_map(|item| item.grant.as_deref()).collect();
            let helping = grants.iter().filter(|grant| grant.contains(object)).collect::<Vec<_>>();
            // What a visit asks for beforehand, and does another way, is no finding.
            let is_asked = ["pg_table_size", "pg_stat_get_db_stat_reset_time", "pg_roles"].contains(&object);
            assert_eq!(helping.is_empty(), is_asked, "without {what}: {grants:?}");
            for grant in helping {
                run(server, "trap_57", grant);
            }
            let found = diagnose().await;
            assert!(found.level.is_some() && found.method.is_some(), "with {grants:?}: {found:?}");
            visited(MethodChoice::Auto).await;
            run(server, "trap_57", &format!("grant {what} to public"));
        }
        run(server, "trap_57", "drop owned by trap_57; drop role trap_57");
    }
}
