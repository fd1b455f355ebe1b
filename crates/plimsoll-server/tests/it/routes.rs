//! What each route answers about a real database.

use serde_json::Value;
use throwaway_postgres::{Server, on_every_major};

use crate::service::{Service, watched};

/// Names that break whoever does not escape: in HTML, in JSON, in a path.
const HOSTILE: &str = r#"<script>alert("x")</script>&/?#%.'"#;

fn fill(server: &Server, database: &str) {
    server
        .sql("postgres", &format!("create database {database}"))
        .unwrap();
    let hostile = HOSTILE.replace('"', "\"\"");
    server
        .sql(
            database,
            &format!(
                "create schema a;
                 create schema b;
                 create table a.t (id int primary key, body text);
                 create table b.t (id int);
                 create table public.small (id int);
                 create table public.\"{hostile}\" (id int primary key);
                 create table public.parts (id int) partition by range (id);
                 create table public.parts_1 partition of parts for values from (0) to (10);
                 create table public.parts_2 partition of parts for values from (10) to (20) partition by range (id);
                 create table public.parts_2a partition of parts_2 for values from (10) to (15);
                 create materialized view public.sums as select 1 as one;
                 insert into a.t select n, repeat(md5(n::text), 4) from generate_series(1, 5000) n;
                 insert into b.t select generate_series(1, 1000);
                 insert into parts select n % 15 from generate_series(1, 2000) n;
                 analyze"
            ),
        )
        .unwrap();
}

fn table<'a>(sizes: &'a Value, schema: &str, name: &str) -> &'a Value {
    let tables = sizes["tables"].as_array().unwrap();
    tables
        .iter()
        .find(|t| t["schema_name"] == schema && t["table_name"] == name)
        .unwrap_or_else(|| panic!("no {schema}.{name} in {sizes:#}"))
}

fn names(sizes: &Value) -> Vec<&str> {
    sizes["tables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t["table_name"].as_str().unwrap())
        .collect()
}

on_every_major! {
    async fn sizes_are_the_servers_own_and_add_up(server: &Server) {
        fill(server, "sizes");
        let service = Service::of(vec![watched("main", &server.url("sizes"))]).await;
        let sizes = service.json("/api/storage/sizes").await;
        assert_eq!(sizes["instance"], "main");
        assert_eq!(sizes["database"], "sizes");
        assert_eq!(sizes["tables_total"], 9);
        for (schema, name) in [("a", "t"), ("b", "t"), ("public", "small"), ("public", HOSTILE)] {
            let row = table(&sizes, schema, name);
            let sql = format!(
                "select pg_total_relation_size(c.oid)::text from pg_class c
                 join pg_namespace n on n.oid = relnamespace
                 where nspname = '{schema}' and relname = '{}'", name.replace('\'', "''"));
            let expect: u64 = server.sql("sizes", &sql).unwrap()[0][0].as_ref().unwrap().parse().unwrap();
            assert_eq!(row["size_bytes"], expect, "{schema}.{name}");
            assert_eq!(row["status"], "ok");
            assert_eq!(row["size_source"], "measured");
        }
        let parent = table(&sizes, "public", "parts");
        assert_eq!(parent["size_bytes"], 0);
        let leaves = ["parts_1", "parts_2a"].map(|leaf| table(&sizes, "public", leaf)["size_bytes"].as_u64().unwrap());
        assert_eq!(parent["set_bytes"], leaves[0] + leaves[1]);
        assert_eq!(table(&sizes, "public", "parts_2")["set_bytes"], leaves[1]);
        assert_eq!(table(&sizes, "a", "t")["set_bytes"], Value::Null);
        let bytes = |field: &str| sizes[field].as_u64().unwrap();
        assert_eq!(
            bytes("total_bytes"),
            bytes("attributed_bytes") + bytes("unattributed_bytes") + bytes("unmeasured_bytes")
        );
        let sizes_in_order: Vec<_> = sizes["tables"].as_array().unwrap().iter().map(|t| t["size_bytes"].as_u64()).collect();
        assert!(sizes_in_order.is_sorted_by(|a, b| a >= b), "{sizes_in_order:?}");

        // a page, an order, a part
        let page = service.json("/api/storage/sizes?limit=2&offset=1&sort=name").await;
        assert_eq!(names(&page), ["t", HOSTILE]);
        assert_eq!(page["tables_total"], 9);
        for sort in ["size", "rows"] {
            let whole = service.json(&format!("/api/storage/sizes?kind=all&sort={sort}&max_age=900")).await;
            let mut paged = Vec::new();
            for offset in (0..200).step_by(7) {
                let page = format!("/api/storage/sizes?kind=all&sort={sort}&max_age=900&limit=7&offset={offset}");
                paged.extend(service.json(&page).await["tables"].as_array().unwrap().clone());
            }
            assert_eq!(whole["tables"].as_array().unwrap(), &paged, "pages by {sort}");
        }
        let page = service.json("/api/storage/sizes?schema=a").await;
        assert_eq!((names(&page), &page["tables_total"]), (vec!["t"], &Value::from(1)));
        let page = service.json("/api/storage/sizes?search=PARTS_2").await;
        assert_eq!(page["tables_total"], 2);
        let page = service.json("/api/storage/sizes?kind=matview,partitioned&sort=rows").await;
        assert_eq!(page["tables_total"], 3);
        let all = service.json("/api/storage/sizes?kind=all").await;
        let sum: u64 = all["tables"].as_array().unwrap().iter().filter_map(|t| t["size_bytes"].as_u64()).sum();
        assert_eq!(all["attributed_bytes"], sum, "every byte has one owner");
        assert_eq!(all["total_bytes"], sizes["total_bytes"]);
    }

    async fn a_sample_taken_now_is_the_newest_of_the_history(server: &Server) {
        fill(server, "history");
        let service = Service::of(vec![watched("main", &server.url("history"))]).await;
        assert_eq!(service.json("/api/storage/history").await["total"], 0);
        let taken = service.post("/api/storage/samples").await;
        assert_eq!(taken.status, 201, "{}", taken.text());
        let taken = taken.json();
        assert_eq!(taken["kind"], "manual");
        let sizes = service.json("/api/storage/sizes").await;
        assert_eq!(taken["table_sizes"]["a.t"], table(&sizes, "a", "t")["size_bytes"]);
        assert_eq!(taken["table_sizes"]["small"], 0);
        assert!(taken["table_sizes"].get("parts").is_none(), "parents have no bytes of their own");

        server.sql("history", "insert into b.t select generate_series(1, 50000)").unwrap();
        service.clock.set(crate::service::at("2026-03-11T13:00:00Z"));
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        let history = service.json("/api/storage/history").await;
        assert_eq!(history["total"], 2);
        assert_eq!(history["samples"][1], taken, "newest first, and as it was answered then");
        let of_table = service.json("/api/storage/history?table=B.T&limit=1").await;
        let sizes_of = of_table["samples"][0]["table_sizes"].as_object().unwrap();
        assert_eq!((sizes_of.len(), of_table["total"].as_u64()), (1, Some(2)));
        assert!(sizes_of["b.t"].as_u64() > taken["table_sizes"]["b.t"].as_u64());
        let largest = service.json("/api/storage/history?tables=2").await;
        assert_eq!(largest["samples"][0]["table_sizes"].as_object().unwrap().len(), 2);
        assert_eq!(service.json("/api/storage/history?since=1d").await["total"], 1);
        assert_eq!(service.json("/api/storage/history?kind=daily").await["total"], 0);

        let one = service.json("/api/storage/tables/b/t?wait=30").await;
        assert_eq!(one["series"].as_array().unwrap().len(), 2);
        assert_eq!(one["series"][0]["size_bytes"], taken["table_sizes"]["b.t"], "oldest first");
        assert_eq!(one["set_series"], Value::Null);
        let grown = service.json("/api/storage/sizes?sort=growth&wait=30").await;
        assert_eq!(grown["growth_since"], Value::Null, "there is no daily sample to count from");
    }

    async fn the_other_routes_answer_about_the_same_visit(server: &Server) {
        fill(server, "others");
        let service = Service::of(vec![watched("main", &server.url("others"))]).await;
        let hostile = "/api/storage/tables/public/%3Cscript%3Ealert(%22x%22)%3C%2Fscript%3E%26%2F%3F%23%25.%27";
        let one = service.json(hostile).await;
        assert_eq!(one["table_name"], HOSTILE);
        assert_eq!(one["indexes"].as_array().unwrap().len(), 1);
        assert_eq!(one["toast"], Value::Null);
        let part = service.json("/api/storage/tables/public/parts_2").await;
        assert_eq!(part["parent"], "parts");
        assert_eq!(part["children"][0]["table_name"], "parts_2a");
        let missing = service.get("/api/storage/tables/public/none").await;
        assert!(missing.problem(404, "unknown_table").contains("\"none\""));

        let stats = service.json("/api/cleanup/stats").await;
        assert_eq!(stats["tables"][0]["table_name"], "t");
        assert_eq!(stats["tables"][0]["row_count"], 5000);
        assert_eq!(service.json("/api/cleanup/history").await, serde_json::json!({"runs": [], "total": 0}));

        let instance = service.json("/api/storage/instance").await;
        let names: Vec<_> = instance["databases"].as_array().unwrap().iter().map(|d| d["name"].as_str().unwrap()).collect();
        assert!(names.contains(&"others") && names.contains(&"template0"), "{names:?}");
        assert!(instance["wal"]["wal_bytes"].as_u64() > Some(0));
        assert_eq!(instance["capacity"]["source"], "statvfs");

        let databases = service.json("/api/databases").await;
        assert_eq!(databases["count"], 1);
        assert_eq!(databases["databases"][0]["server_version"].as_u64().unwrap() / 10_000, u64::from(server.major()));
        assert_eq!(databases["databases"][0]["error"], Value::Null);
        let jobs = service.json("/api/jobs").await;
        let schedule: Vec<_> = jobs["jobs"].as_array().unwrap().iter()
            .map(|job| (job["name"].as_str().unwrap(), job["next_run_at"].as_str().unwrap())).collect();
        assert_eq!(schedule, [
            ("cleanup", "2026-03-11T02:00:00.000Z"),
            ("sample_storage_sizes", "2026-03-11T03:00:00.000Z"),
            ("watch", "2026-03-10T12:15:00.000Z"),
            ("look_at_disk", "2026-03-10T12:01:00.000Z"),
        ]);

        let page = service.get("/").await;
        assert_eq!(page.status, 200);
        let text = page.text();
        assert!(text.contains("&lt;script&gt;alert(&quot;&quot;x&quot;&quot;)&lt;/script&gt;"), "{text}");
        assert!(!text.contains("<script"), "a name must not become a script");
        assert!(!text.contains("style="), "the page's policy forbids inline styles");
        assert!(text.contains(hostile.split_at("/api/storage/tables/public/%3Cscript".len()).0));
        assert_eq!(service.get("/style.css").await.headers["content-type"], "text/css; charset=utf-8");
        assert_eq!(service.json("/readyz").await["ready"], true);
    }

    async fn several_databases_are_told_apart_and_new_ones_found(server: &Server) {
        for database in ["one", "two", "three"] {
            server.sql("postgres", &format!("create database {database}")).unwrap();
        }
        let mut all = watched("all", &server.url("postgres"));
        all.databases = plimsoll_server::settings::Databases::All;
        all.exclude = ["three".to_owned()].into();
        let service = Service::of(vec![all, watched("alone", &server.url("one"))]).await;
        let ambiguous = service.get("/api/storage/sizes").await;
        assert!(ambiguous.problem(409, "ambiguous_database").contains("alone/one"));
        let unknown = service.get("/api/storage/sizes?instance=all&database=two").await;
        unknown.problem(404, "unknown_database");
        service.get("/api/storage/sizes?instance=none").await.problem(404, "unknown_instance");

        // any visit sees which databases there are
        service.json("/api/storage/sizes?instance=all&database=postgres").await;
        assert_eq!(service.json("/api/storage/sizes?instance=all&database=two").await["database"], "two");
        service.get("/api/storage/sizes?instance=all&database=three").await.problem(404, "unknown_database");
        service.get("/api/storage/sizes?database=one").await.problem(409, "ambiguous_database");
        assert_eq!(service.json("/api/storage/sizes?instance=alone").await["instance"], "alone");
        service.get("/api/storage/instance").await.problem(409, "ambiguous_instance");

        server.sql("postgres", "drop database two").unwrap();
        let any = service.post("/api/storage/samples?instance=all&database=postgres").await;
        assert_eq!(any.status, 201, "{}", any.text());
        service.get("/api/storage/sizes?instance=all&database=two").await.problem(404, "unknown_database");
        assert!(service.get("/").await.text().contains("/?instance=all&amp;database=postgres"));
    }
}
