//! A server behind a pooler that knows its database by an alias: one identity, decided at the first visit.

use plimsoll_server::settings::{Databases, Settings};
use throwaway_postgres::{Installation, Options, Pooler, SUPPORTED_MAJORS, Server, test};

use crate::service::{Service, at, watched};

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_and_the_databases_own_name_are_one() {
    let newest = SUPPORTED_MAJORS.into_iter().rev();
    let Some(installation) = newest
        .filter_map(|major| Installation::find(Some(major)).ok())
        .next()
    else {
        return;
    };
    let server = Server::start(&Options {
        tcp: true,
        ..test::options(&installation)
    })
    .unwrap();
    server.sql("postgres", "create database own_name").unwrap();
    server.sql("own_name", "create table t (id int)").unwrap();
    let aliases = [("alias", Some("own_name")), ("postgres", None)];
    let Some(pooler) = Pooler::start_for(&server, "transaction", 2, &aliases).unwrap() else {
        return;
    };
    for databases in [Databases::OfUrl, Databases::All] {
        let mut one = watched("main", &pooler.url("alias"));
        one.databases = databases;
        let service = Service::of(vec![one]).await;
        assert_eq!(
            service
                .get("/api/storage/history?database=own_name")
                .await
                .status,
            404,
            "not known yet"
        );
        let taken = service.post("/api/storage/samples?database=alias").await;
        assert_eq!(taken.status, 201, "{}", taken.text());
        for name in ["alias", "own_name"] {
            let of = format!("instance=main&database={name}");
            let history = service.json(&format!("/api/storage/history?{of}")).await;
            assert_eq!(
                (&history["total"], &history["database"]),
                (&1.into(), &"own_name".into()),
                "{name}"
            );
            for route in [
                "sizes",
                "series",
                "growth",
                "events",
                "forecast",
                "tables/public/t",
            ] {
                let answer = service.get(&format!("/api/storage/{route}?{of}")).await;
                assert_eq!(answer.status, 200, "{name} {route}: {}", answer.text());
                let database = &answer.json()["database"];
                assert!(*database == "own_name", "{name} {route}: {database}");
            }
        }
        // where all are watched the own name is found too, and is no second database
        let named = service
            .watch
            .databases()
            .into_iter()
            .filter(|db| db.key().database == "own_name");
        assert_eq!(named.count(), 1);
        service.clock.set(at("2026-03-10T13:00:00Z"));
        assert_eq!(
            service
                .post("/api/storage/samples?database=own_name")
                .await
                .status,
            201
        );
        assert_eq!(
            service.json("/api/storage/history?database=alias").await["total"],
            2
        );

        // another process knows it from the start, and says nothing of an empty history
        let mut one = watched("main", &pooler.url("alias"));
        one.databases = Databases::OfUrl;
        let settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![one]);
        let other = Service::sharing(settings, std::sync::Arc::clone(&service.folder)).await;
        other.watch.remember_identities().await.unwrap();
        assert_eq!(other.json("/api/storage/history").await["total"], 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alias_that_is_another_databases_own_name_is_told_from_it() {
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&Options {
        tcp: true,
        ..test::options(&installation)
    })
    .unwrap();
    for name in ["shop", "other"] {
        server
            .sql("postgres", &format!("create database {name}"))
            .unwrap();
    }
    let aliases = [("other", Some("shop"))];
    let Some(pooler) = Pooler::start_for(&server, "transaction", 2, &aliases).unwrap() else {
        return;
    };
    let direct = Service::of(vec![watched("main", &server.url("other"))]).await;
    assert_eq!(direct.post("/api/storage/samples").await.status, 201);
    let settings = Settings::new(
        "127.0.0.1:8000".parse().unwrap(),
        vec![watched("main", &pooler.url("other"))],
    );
    let pooled = Service::sharing(settings, std::sync::Arc::clone(&direct.folder)).await;
    pooled.clock.set(at("2026-03-10T13:00:00Z"));
    assert_eq!(pooled.post("/api/storage/samples").await.status, 201);
    for (of, database) in [
        ("", "shop"),
        ("?database=shop", "shop"),
        ("?database=other", "other"),
    ] {
        for route in ["history", "growth", "events", "series", "state"] {
            let answer = pooled.json(&format!("/api/storage/{route}{of}")).await;
            assert_eq!(answer["database"], database, "{route}{of}: {answer}");
        }
    }
    // what is looked at now is the one that the name leads to, and no name means two
    for route in ["sizes", "forecast", "tables/public/t"] {
        let refused = pooled
            .get(&format!("/api/storage/{route}?database=other"))
            .await;
        let detail = refused.problem(409, "ambiguous_database");
        assert!(
            detail.contains("leads to the database \"shop\""),
            "{detail}"
        );
        let answer = pooled
            .get(&format!("/api/storage/{route}?database=shop"))
            .await;
        assert!(
            answer.status == 200 || route.starts_with("tables"),
            "{}",
            answer.text()
        );
    }
}
