//! Every route that takes a table takes a set, and says the same where nothing has a name.

use plimsoll_store::DatabaseKey;
use serde_json::Value;
use throwaway_postgres::on_every_major;

use crate::service::{Service, at, watched};

on_every_major! {
    async fn every_route_that_takes_a_table_takes_a_set(server: &Server) {
        server.sql("postgres", "create database sets").unwrap();
        server.sql("sets", "
            create table parent (id int);
            create table child () inherits (parent);
            insert into parent select generate_series(1, 100);
            insert into child select generate_series(1, 20000);
            create table alone (id int)").unwrap();
        let service = Service::of(vec![watched("main", &server.url("sets"))]).await;
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        server.sql("sets", "insert into child select generate_series(1, 30000)").unwrap();
        service.clock.set(at("2026-03-11T13:00:00Z"));
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        let sql = "select (pg_total_relation_size('parent') + pg_total_relation_size('child'))::text";
        let bytes: u64 = server.sql("sets", sql).unwrap()[0][0].as_ref().unwrap().parse().unwrap();

        let sizes = service.json("/api/storage/sizes?table=parent").await;
        let row = &sizes["tables"][1];
        assert_eq!((&row["table_name"], &row["set_bytes"], &row["set_tables"]), (&"parent".into(), &bytes.into(), &2.into()));
        assert_eq!(sizes["tables_total"], 2);
        let history = service.json("/api/storage/history?table=parent").await;
        assert_eq!(history["samples"][0]["table_sizes"]["parent"], bytes, "{history:#}");
        assert_eq!((&history["table"]["set_tables"], &history["total"]), (&2.into(), &2.into()));
        let series = service.json("/api/storage/series?table=parent").await;
        assert_eq!(series["set_points"][1]["size_bytes"], bytes);
        let table = service.json("/api/storage/tables/public/parent").await;
        assert_eq!(table["set_series"][1]["size_bytes"], bytes);
        let growth = service.json("/api/storage/growth?table=parent&since=3d").await;
        assert_eq!((&growth["sets"][0]["after_bytes"], &growth["tables_total"]), (&bytes.into(), &1.into()), "{growth:#}");
        let forecast = service.json("/api/storage/forecast?table=parent").await;
        assert_eq!(forecast["of"], "set");
        let events = service.json("/api/storage/events?table=parent&kind=create").await;
        assert_eq!(events["count"], 0, "{events:#}");

        let routes = ["sizes?table=", "history?table=", "series?table=", "growth?table=", "forecast?table=",
            "events?table=", "tables/public/"];
        let mut texts = Vec::new();
        for route in routes {
            let answer = service.get(&format!("/api/storage/{route}nope")).await;
            assert_eq!(answer.status, 404, "{route}: {}", answer.text());
            assert_eq!(answer.json()["code"], "unknown_table", "{route}");
            texts.push(answer.json()["detail"].clone());
        }
        texts.dedup();
        assert_eq!(texts.len(), 1, "{texts:?}");
        for route in ["sizes", "series", "forecast"] {
            let answer = service.get(&format!("/api/storage/{route}?schema=nope")).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &"unknown_schema".into()), "{route}");
        }
        for route in ["sizes", "history", "series", "growth", "forecast", "events", "tables/public/alone"] {
            let answer = service.get(&format!("/api/storage/{route}?database=nope")).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["code"]), (404, &"unknown_database".into()), "{route}");
        }
        // known, and no sample matches
        let none = service.json("/api/storage/series?table=alone&since=2100-01-01").await;
        assert_eq!(none["points"], Value::Array(Vec::new()));
        let none = service.json("/api/storage/series?schema=public&since=2100-01-01").await;
        assert_eq!(none["points"], Value::Array(Vec::new()));
        let none = service.json("/api/storage/history?table=alone&since=2100-01-01").await;
        assert_eq!((&none["total"], &none["samples"]), (&0.into(), &Value::Array(Vec::new())));
        // both names of one database
        let quoted = service.json("/api/storage/history?database=%22sets%22").await;
        assert_eq!(quoted["total"], 2);
    }

    async fn an_alias_that_is_kept_leads_to_the_databases_own_history(server: &Server) {
        server.sql("postgres", "create database own_name").unwrap();
        let service = Service::of(vec![watched("main", &server.url("own_name"))]).await;
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        let alias = DatabaseKey { instance: "main".into(), database: "alias".into() };
        service.store.keep_alias(&alias, "own_name").await.unwrap();
        service.store.keep_alias(&alias, "own_name").await.unwrap();
        assert_eq!(service.store.aliases().await.unwrap(), [(alias, "own_name".to_owned())]);
        // also where it is watched by its own name
        assert_eq!(service.json("/api/storage/history?database=alias").await["total"], 1);
        // another process, which is told the alias only
        let url = server.url("own_name").replace("/own_name", "/alias");
        let folder = std::sync::Arc::clone(&service.folder);
        let settings = plimsoll_server::settings::Settings::new("127.0.0.1:8000".parse().unwrap(), vec![watched("main", &url)]);
        let other = Service::sharing(settings, folder).await;
        other.watch.remember_identities().await.unwrap();
        for name in ["alias", "own_name"] {
            let history = other.json(&format!("/api/storage/history?database={name}")).await;
            assert_eq!((&history["total"], &history["database"]), (&1.into(), &"own_name".into()));
            assert!(other.json(&format!("/api/storage/series?database={name}")).await["points"][0].is_object());
        }
        assert_eq!(other.get("/api/storage/history?database=nope").await.status, 404);
    }
}
