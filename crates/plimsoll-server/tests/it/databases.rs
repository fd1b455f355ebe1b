//! All databases of an instance: new ones are found, dropped ones end, bad ones cost only themselves.

use std::time::Duration;

use jiff::SignedDuration;
use plimsoll_server::jobs::{SAMPLE, Step, WATCH};
use plimsoll_server::settings::{Databases, Settings, Watched};
use serde_json::Value;
use throwaway_postgres::on_every_major;

use crate::service::{NOON, Service, at, watched};

fn all(name: &str, url: &str, exclude: &[&str]) -> Watched {
    let mut all = watched(name, url);
    all.databases = Databases::All;
    all.exclude = exclude.iter().map(|name| (*name).to_owned()).collect();
    all
}

/// Runs the daily sample of day `n` for every instance, and returns what each says of it.
async fn sample(service: &Service, n: i64) -> Vec<String> {
    let day = at(NOON) + SignedDuration::from_hours(24 * n);
    service.clock.set(day);
    let mut said = Vec::new();
    for (number, instance) in service.watch.instances().iter().enumerate() {
        let step = service.step(&SAMPLE, number).await;
        assert_eq!(step, Step::Ran);
        let jobs = service.store.jobs().await.unwrap();
        let name = format!("sample_storage_sizes/{}", instance.settings.instance);
        let job = jobs.into_iter().find(|job| job.name == name).unwrap();
        said.push(job.last_message.unwrap());
    }
    said
}

async fn total(service: &Service, database: &str) -> u64 {
    let path = format!("/api/storage/history?{database}&kind=all");
    let answer = service.get(&path).await;
    if answer.status == 404 {
        return 0;
    }
    answer.json()["total"].as_u64().unwrap()
}

async fn names(service: &Service) -> Vec<String> {
    let answer = service.json("/api/databases").await;
    let databases = answer["databases"].as_array().unwrap();
    let name = |database: &Value| database["database"].as_str().unwrap().to_owned();
    databases.iter().map(name).collect()
}

on_every_major! {
    async fn trap_72_a_role_with_one_connection_loses_no_database(server: &Server) {
        server.sql("postgres", "create role trap_72 login connection limit 1").unwrap();
        for n in 1..=4 {
            server.sql("postgres", &format!("create database trap_72_{n}")).unwrap();
        }
        let url = server.url("postgres").replacen("postgres://postgres@", "postgres://trap_72@", 1);
        let others: Vec<String> = server
            .sql("postgres", "select datname from pg_database where datname !~ '^trap_72_'")
            .unwrap()
            .into_iter()
            .filter_map(|mut row| row.remove(0))
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        let instance = all("main", &url, &others);
        let service = Service::of(vec![instance]).await;
        for day in 0..2 {
            assert_eq!(sample(&service, day).await, ["4 databases sampled"], "day {day}");
        }
        server.sql("postgres", "drop role trap_72").unwrap();
    }

    async fn dropped_databases_end_and_new_ones_begin(server: &Server) {
        for name in ["stays", "goes", "left_out"] {
            server.sql("postgres", &format!("create database {name}")).unwrap();
            server.sql(name, "create table t as select generate_series(1, 1000) as n").unwrap();
        }
        // the URL's own database is left out too: it is visited to find the others, and not kept
        let instance = all("main", &server.url("postgres"), &["postgres", "left_out"]);
        let service = Service::of(vec![instance]).await;
        assert_eq!(sample(&service, 0).await, ["2 databases sampled"]);
        assert_eq!(names(&service).await, ["goes", "stays"]);

        server.sql("postgres", "drop database goes").unwrap();
        server.sql("postgres", "create database comes").unwrap();
        for day in 1..3 {
            assert_eq!(sample(&service, day).await, ["2 databases sampled"], "day {day}");
        }
        assert_eq!(names(&service).await, ["comes", "stays"]);
        for (database, samples) in [("stays", 3), ("goes", 1), ("comes", 2), ("postgres", 0), ("left_out", 0)] {
            assert_eq!(total(&service, &format!("database={database}")).await, samples, "{database}");
        }

        // what was dropped is not visited, and can still be read
        service.get("/api/storage/sizes?database=goes").await.problem(404, "unknown_database");
        service.get("/api/storage/history?database=never").await.problem(404, "unknown_database");
        let series = service.json("/api/storage/series?database=goes&table=t").await;
        let sizes = service.json("/api/storage/history?database=goes").await;
        assert_eq!(series["points"].as_array().unwrap().len(), 1);
        assert_eq!(series["points"][0]["size_bytes"], sizes["samples"][0]["table_sizes"]["t"]);
        let state = service.json("/api/storage/state?database=goes").await;
        assert_eq!(state["tables"][0]["table_name"], "t");
        assert_eq!(service.json("/api/storage/events?database=goes").await["count"], 0);
        let growth = service.json("/api/storage/growth?database=goes").await;
        assert!(growth["insufficient_data"].is_string(), "{growth}");

        // it comes back as another database of its name: the same series goes on
        server.sql("postgres", "create database goes").unwrap();
        server.sql("goes", "create table t as select generate_series(1, 5000) as n").unwrap();
        assert_eq!(sample(&service, 3).await, ["3 databases sampled"]);
        let series = service.json("/api/storage/series?database=goes&table=t").await;
        assert_eq!(series["points"].as_array().unwrap().len(), 2);
        assert_eq!(series["events"][0]["kind"], "restore");
        // and under another name it keeps its history
        server.sql("postgres", "alter database goes rename to gone_on").unwrap();
        for day in 4..6 {
            assert_eq!(sample(&service, day).await, ["3 databases sampled"], "day {day}");
        }
        let series = service.json("/api/storage/series?database=gone_on&table=t").await;
        assert_eq!(series["points"].as_array().unwrap().len(), 4, "{series:#}");
        server.sql("postgres", "drop database gone_on").unwrap();
    }

    async fn a_database_that_cannot_be_visited_costs_only_itself(server: &Server) {
        for name in ["bad_broken", "bad_forbidden", "bad_hanging", "fine_1", "fine_2"] {
            server.sql("postgres", &format!("create database {name}")).unwrap();
        }
        server.sql("postgres", "
            create role watcher login; grant pg_monitor to watcher;
            revoke connect on database bad_forbidden from public").unwrap();
        // nobody gets in while its catalog is locked
        let mut holder = server.session("bad_hanging").unwrap();
        holder.run("begin; lock table pg_class in access exclusive mode").unwrap();
        // nor without the file that says which version it is
        let oid = server.sql("postgres", "select oid::text from pg_database where datname = 'bad_broken'").unwrap();
        let file = server.data_dir().join(format!("base/{}/PG_VERSION", oid[0][0].as_ref().unwrap()));
        let version = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();

        let url = server.url("postgres").replace("postgres@", "watcher@").replace("user=postgres", "user=watcher");
        assert!(url.contains("watcher"), "{url}");
        let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hanging = format!("postgres://u@{}/app?sslmode=disable", nobody.local_addr().unwrap());
        let mut settings = Settings::new(
            "127.0.0.1:8000".parse().unwrap(),
            vec![all("main", &url, &[]), all("hanging", &hanging, &[])],
        );
        for instance in &mut settings.instances {
            instance.visit.connect_timeout = Duration::from_millis(500);
            instance.visit.deadline = Duration::from_secs(60);
        }
        let service = Service::with(settings).await;
        let said = sample(&service, 0).await;
        assert!(said[0].starts_with("3 of 6 databases sampled; "), "{said:?}");
        for bad in ["bad_broken", "bad_forbidden", "bad_hanging"] {
            assert!(said[0].contains(&format!("{bad}: ")), "{said:?}");
            assert_eq!(total(&service, &format!("instance=main&database={bad}")).await, 0);
        }
        assert!(said[1].starts_with("0 of 1 database sampled; app: "), "{said:?}");
        for fine in ["postgres", "fine_1", "fine_2"] {
            assert_eq!(total(&service, &format!("instance=main&database={fine}")).await, 1, "{fine}");
        }
        let databases = service.json("/api/databases").await;
        for database in databases["databases"].as_array().unwrap() {
            let name = database["database"].as_str().unwrap();
            let is_bad = name.starts_with("bad_") || name == "app";
            assert_eq!(database["error"].is_null(), !is_bad, "{database:#}");
        }

        // once they can be visited, the watch makes up for their daily samples, and for no others
        holder.run("rollback").unwrap();
        std::fs::write(&file, version).unwrap();
        server.sql("postgres", "grant connect on database bad_forbidden to watcher").unwrap();
        let Step::WaitUntil(next) = service.step(&WATCH, 0).await else {
            panic!("a watch is not due at the first start");
        };
        service.clock.set(next);
        assert_eq!(service.step(&WATCH, 0).await, Step::Ran);
        for name in ["bad_broken", "bad_forbidden", "bad_hanging", "fine_1", "fine_2", "postgres"] {
            let of = format!("/api/storage/history?instance=main&database={name}&kind=all");
            let history = service.json(&of).await;
            let kinds: Vec<_> = history["samples"].as_array().unwrap().iter().map(|s| s["kind"].as_str().unwrap()).collect();
            let expect: &[&str] = if name.starts_with("bad_") { &["daily"] } else { &["watch", "daily"] };
            assert_eq!(kinds, expect, "{name}");
        }
    }
}
