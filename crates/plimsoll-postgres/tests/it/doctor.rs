//! The doctor's findings, and that the SQL it prints gives what it says.

use plimsoll_core::snapshot::Method;
use plimsoll_postgres::doctor::{Diagnosis, Level, ROLE, doctor, grants};
use plimsoll_postgres::{Target, VisitOptions};
use throwaway_postgres::{Server, on_every_major};
use tokio_util::sync::CancellationToken;

use crate::session::as_role;

const WEIRD: &str = "it's \"Weird\" \\ a=b";

async fn look(server: &Server, role: &str, names: &[&str], wanted: Level) -> Diagnosis {
    let target = Target {
        instance: "main".into(),
        url: as_role(&server.url("postgres"), role).parse().unwrap(),
    };
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let cancel = CancellationToken::new();
    doctor(&target, &names, wanted, &VisitOptions::default(), &cancel)
        .await
        .unwrap()
}

/// Runs a script as psql would: `\connect` lines change the database, in the order given.
fn run(server: &Server, script: &str, databases: &[&str]) {
    let mut databases = databases.iter();
    let mut session = server.session("postgres").unwrap();
    let mut part = String::new();
    for line in script.lines() {
        if line.starts_with("\\connect") {
            session.run(&part).unwrap();
            part.clear();
            session = server.session(databases.next().unwrap()).unwrap();
        } else {
            part.push_str(line);
            part.push('\n');
        }
    }
    session.run(&part).unwrap();
}

fn missing<'a>(diagnosis: &'a Diagnosis, database: &str) -> Vec<&'a str> {
    let database = diagnosis
        .databases
        .iter()
        .find(|it| it.database == database)
        .unwrap();
    diagnosis
        .items
        .iter()
        .chain(&database.items)
        .filter(|item| !item.ok && item.level.is_some())
        .map(|item| item.name.as_str())
        .collect()
}

on_every_major! {
    async fn trap_33_44_45_the_printed_grants_give_each_level_and_its_method(server: &Server) {
        for sql in [
            "create database app".to_owned(),
            format!("create database \"{}\"", WEIRD.replace('"', "\"\"")),
            "revoke connect on database app from public".to_owned(),
            "create database later".to_owned(),
        ] {
            server.sql("postgres", &sql).unwrap();
        }
        server.sql("app", "create table seen (a int)").unwrap();
        server.sql("app", "create table unseen (a int)").unwrap();
        let names = ["app", WEIRD];
        let owned = names.map(str::to_owned);
        let role = "Plim \"soll\"";

        for level in [Level::ReadOnly, Level::Monitor, Level::LockFree] {
            let script = grants(level, role, &owned);
            run(server, &script, &names);
            run(server, &script, &names);
            let url_role = "Plim%20%22soll%22";
            let found = look(server, url_role, &names, level).await;
            assert_eq!(found.role, role);
            assert_eq!(found.level, Some(level), "{found:#?}");
            assert!(found.is_complete && !found.is_superuser);
            let method = if level == Level::LockFree { Method::Files } else { Method::Functions };
            for database in &found.databases {
                assert_eq!((database.method, database.level), (Some(method), Some(level)));
            }
            let next = match level {
                Level::ReadOnly => Level::Monitor,
                _ => Level::LockFree,
            };
            let wants_more = look(server, url_role, &names, next).await;
            assert_eq!(wants_more.is_complete, level == Level::LockFree);
        }

        // The method is chosen for each database, and one that came later lacks the two grants.
        let found = look(server, "Plim%20%22soll%22", &[], Level::LockFree).await;
        let method = |name: &str| found.databases.iter().find(|it| it.database == name).unwrap().method;
        assert_eq!(method("app"), Some(Method::Files));
        assert_eq!(method("later"), Some(Method::Functions));
        assert!(!found.databases.iter().any(|it| it.database.starts_with("template")));
        assert_eq!(found.level, Some(Level::Monitor));
        assert_eq!(missing(&found, "later"), ["pg_ls_dir", "pg_stat_file"]);
        assert!(!server.log().contains("permission denied"), "{}", server.log());
    }

    async fn each_missing_item_prints_the_sql_that_mends_it(server: &Server) {
        for sql in [
            "create database app",
            "revoke connect on database app from public",
            "create role plain login",
        ] {
            server.sql("postgres", sql).unwrap();
        }
        server.sql("app", "create table t (a int)").unwrap();
        let found = look(server, "plain", &["postgres", "app"], Level::LockFree).await;
        assert_eq!((found.level, found.is_complete), (None, false));
        let app = found.databases.iter().find(|it| it.database == "app").unwrap();
        assert_eq!((app.method, app.level), (None, None));
        assert!(app.items[0].detail.as_deref().unwrap().contains("permission denied"));
        assert_eq!(app.items[0].grant.as_deref(), Some("grant connect on database \"app\" to \"plain\";"));

        // Whatever it prints is run, until nothing is left to print: three rounds at most, as CONNECT
        // comes before the rest.
        for _ in 0..3 {
            let found = look(server, "plain", &["postgres", "app"], Level::LockFree).await;
            for database in &found.databases {
                for item in found.items.iter().chain(&database.items) {
                    if let Some(grant) = &item.grant {
                        server.sql(&database.database, grant).unwrap();
                    }
                }
            }
        }
        let found = look(server, "plain", &["postgres", "app"], Level::LockFree).await;
        assert_eq!(found.level, Some(Level::LockFree), "{found:#?}");
        assert!(found.is_complete);
        let left: Vec<_> = found
            .databases
            .iter()
            .flat_map(|it| &it.items)
            .filter(|item| !item.ok)
            .map(|item| item.name.as_str())
            .collect();
        // Before 14 no single grant shows every table's statistics.
        let expected: &[&str] = if server.major() < 14 { &["pg_stats"] } else { &[] };
        assert_eq!(left, expected);

        // A managed server may have taken functions away from everybody.
        server.sql("app", "revoke execute on function pg_relation_size(regclass, text) from public").unwrap();
        server.sql("app", "revoke execute on function pg_ls_waldir() from pg_monitor").unwrap();
        let found = look(server, "plain", &["app"], Level::Monitor).await;
        assert_eq!(missing(&found, "app"), ["pg_relation_size", "pg_ls_waldir()"]);
        assert_eq!((found.level, found.is_complete), (None, false));
        let json = serde_json::to_value(&found).unwrap();
        assert_eq!(json["databases"][0]["method"], "files");
        assert_eq!(json["databases"][0]["items"][1]["grant"], "grant execute on function pg_catalog.pg_relation_size(regclass, text) to \"plain\";");
        assert_eq!(json["wanted"], "monitor");

        // A superuser has it all.
        let found = look(server, "postgres", &["app"], Level::LockFree).await;
        assert!(found.is_superuser && found.is_complete && found.level == Some(Level::LockFree));
        assert_eq!(ROLE, "plimsoll");
    }
}
