//! What happens to relations between two visits: one series each, and events that say what it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll_postgres::MethodChoice;
use plimsoll_server::settings::Settings;
use serde_json::Value;
use throwaway_postgres::{Server, on_every_major};

use crate::service::{NOON, Service, at, watched};

const LATER: &str = "2026-03-11T12:00:00Z";

/// Tables with a primary key, toast, and room that a rewrite gives back.
const FILLED: [&str; 19] = [
    "untouched",
    "renamed",
    "moved",
    "vacuumed",
    "clustered",
    "truncated",
    "reindexed",
    "repacked",
    "copied",
    "dropped",
    "swap_a",
    "swap_b",
    "two_at_once",
    "name_taken",
    "loose",
    "heir",
    "disowned",
    "with_indexes",
    "altered",
];

const BEFORE: &str = "
    create schema archive;
    create table parts (id int, body text) partition by range (id);
    create table parts_1 partition of parts for values from (0) to (1000);
    create table parts_2 partition of parts for values from (1000) to (2000);
    create table parts_3 partition of parts for values from (2000) to (3000);
    insert into parts select n, repeat('x', 100) from generate_series(0, 2999) n;
    create table ancestor (like disowned);
    alter table disowned inherit ancestor;
    create index dropped_index on with_indexes (body);
    create index renamed_index on with_indexes (id, body);
    create materialized view refreshed as select * from untouched";

/// Each is a transaction of its own: some of them cannot run within one.
const BETWEEN: [&str; 25] = [
    "alter table renamed rename to renamed_now",
    "alter table moved set schema archive",
    "vacuum full vacuumed",
    "cluster clustered using clustered_pkey",
    "truncate truncated",
    "reindex index reindexed_pkey",
    "reindex index concurrently with_indexes_pkey",
    "alter index renamed_index rename to renamed_index_now",
    "drop index dropped_index",
    "create index created_index on with_indexes (body)",
    "drop table dropped",
    "create table created as select n from generate_series(1, 5000) n",
    // swapped in by name, as migrations by hand do
    "create table copied_new (like copied including all);
     insert into copied_new select * from copied;
     drop table copied;
     alter table copied_new rename to copied;
     alter index copied_new_pkey rename to copied_pkey",
    // swapped in by file, as pg_repack does
    "create table repacked_new (like repacked including all);
     insert into repacked_new select * from repacked;
     with pairs as (
         select old.oid as a, new.oid as b, old.reltoastrelid as a_toast, new.reltoastrelid as b_toast
         from pg_class old, pg_class new
         where (old.relname, new.relname)
             in (values ('repacked', 'repacked_new'), ('repacked_pkey', 'repacked_new_pkey'))
     ), all_pairs as (
         select a, b from pairs
         union all select a_toast, b_toast from pairs where a_toast <> 0
         union all select i.indexrelid, j.indexrelid from pairs
             join pg_index i on i.indrelid = a_toast join pg_index j on j.indrelid = b_toast
     ), both_ways as (
         select a, b from all_pairs union all select b, a from all_pairs
     )
     update pg_class is_now set relfilenode = was.relfilenode
     from both_ways join pg_class was on was.oid = b where is_now.oid = a",
    "drop table repacked_new",
    "alter table swap_a rename to swap_c;
     alter table swap_b rename to swap_a;
     alter table swap_c rename to swap_b",
    "truncate two_at_once; alter table two_at_once rename to two_at_once_now",
    "alter table name_taken rename to name_taken_old; create table name_taken (id int)",
    "alter table parts attach partition loose for values from (10000) to (20000)",
    "create table parts_4 partition of parts for values from (3000) to (4000)",
    "alter table parts detach partition parts_2",
    "drop table parts_3",
    "alter table heir inherit ancestor; alter table disowned no inherit ancestor",
    "refresh materialized view refreshed",
    "alter table altered alter column id type bigint",
];

/// What must have happened: kind | table | index | detail | the relation whose bytes stand before, by
/// its name of then | the one whose bytes stand after. Of what has no kind nothing may be said.
const HAPPENED: &str = "\
    rename | public.renamed_now | | public.renamed became public.renamed_now | renamed | renamed_now
    rename | archive.moved | | public.moved became archive.moved | moved | archive.moved
    rewrite | public.vacuumed | |  | vacuumed | vacuumed
    rewrite | public.clustered | |  | clustered | clustered
    truncate | public.truncated | |  | truncated | truncated
    reindex | public.reindexed | reindexed_pkey | | reindexed_pkey | reindexed_pkey
    reindex | public.with_indexes | with_indexes_pkey | | with_indexes_pkey | with_indexes_pkey
    rename | public.with_indexes | renamed_index_now | renamed_index became renamed_index_now | renamed_index | renamed_index_now
    drop | public.with_indexes | dropped_index | | dropped_index |
    create | public.with_indexes | created_index | |  | created_index
    drop | public.dropped | |  | dropped |
    create | public.created | |  | | created
    recreate | public.copied | | OID {was} became {is} | copied | copied
    rewrite | public.repacked | |  | repacked | repacked
    rename | public.swap_b | | public.swap_a became public.swap_b | swap_a | swap_b
    rename | public.swap_a | | public.swap_b became public.swap_a | swap_b | swap_a
    truncate | public.two_at_once_now | |  | two_at_once | two_at_once_now
    rename | public.two_at_once_now | | public.two_at_once became public.two_at_once_now | two_at_once | two_at_once_now
    rename | public.name_taken_old | | public.name_taken became public.name_taken_old | name_taken | name_taken_old
    create | public.name_taken | |  | | name_taken
    attach | public.loose | |  | loose | loose
    create | public.parts_4 | |  | | parts_4
    detach | public.parts_2 | |  | parts_2 | parts_2
    drop | public.parts_3 | |  | parts_3 |
    attach | public.heir | |  | heir | heir
    detach | public.disowned | |  | disowned | disowned
    rewrite | public.refreshed | |  | refreshed | refreshed
    rewrite | public.altered | |  | altered | altered
    - | public.untouched | |  | untouched | untouched
    - | public.parts_1 | |  | parts_1 | parts_1";

/// One line of [`HAPPENED`].
struct Happened {
    kind: &'static str,
    table: &'static str,
    index: Option<&'static str>,
    detail: Option<&'static str>,
    before: Option<&'static str>,
    after: Option<&'static str>,
}

fn happened() -> impl Iterator<Item = Happened> {
    HAPPENED.lines().map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let cell = |at: usize| cells.get(at).copied().filter(|text| !text.is_empty());
        Happened {
            kind: cells[0],
            table: cells[1],
            index: cell(2),
            detail: cell(3),
            before: cell(4),
            after: cell(5),
        }
    })
}

/// Each relation's OID and bytes as the server itself says, by name.
type Relations = BTreeMap<String, (u32, u64)>;

fn relations(server: &Server, database: &str) -> Relations {
    let sql = "select c.oid::regclass::text, c.oid::text, pg_total_relation_size(c.oid)::text
               from pg_class c join pg_namespace n on n.oid = relnamespace
               where nspname in ('public', 'archive') and relkind in ('r', 'm', 'i')";
    let rows = server.sql(database, sql).unwrap();
    let text = |value: &Option<String>| value.clone().unwrap();
    rows.iter()
        .map(|row| {
            let (oid, bytes) = (
                text(&row[1]).parse().unwrap(),
                text(&row[2]).parse().unwrap(),
            );
            (text(&row[0]), (oid, bytes))
        })
        .collect()
}

fn fill(server: &Server, database: &str) {
    server
        .sql("postgres", &format!("create database {database}"))
        .unwrap();
    let mut sql = String::new();
    for (number, table) in FILLED.iter().enumerate() {
        let rows = 3000 + number * 100;
        sql += &format!(
            "create table {table} (id int primary key, body text);
             insert into {table} select n + 10000, repeat('x', 100) from generate_series(1, {rows}) n;
             delete from {table} where id % 2 = 0;"
        );
    }
    // a partition must lie within its bounds, and reindexing one index must free something
    sql += "update reindexed set id = id + 100000; update with_indexes set id = id + 100000;";
    sql += BEFORE;
    server.sql(database, &sql).unwrap();
}

/// Samples before and after [`BETWEEN`], and checks every event, every series, and both names.
/// A time as answers write it.
fn answered(time: &str) -> String {
    time.replace('Z', ".000Z")
}

async fn every_event_is_told(server: &Server, database: &str, service: &Service) {
    let was = relations(server, database);
    let first = service.post("/api/storage/samples").await;
    assert_eq!(first.status, 201, "{}", first.text());
    for sql in BETWEEN {
        server
            .sql(database, sql)
            .unwrap_or_else(|e| panic!("{sql}: {e}"));
    }
    let is = relations(server, database);
    service.clock.set(at(LATER));
    let second = service.post("/api/storage/samples").await;
    assert_eq!(second.status, 201, "{}", second.text());

    let bytes = |of: &Relations, name: Option<&str>| name.map(|name| of[name].1);
    let [copied_was, copied_is] = [&was, &is].map(|of| of["copied"].0.to_string());
    let mut expect: Vec<_> = happened()
        .filter(|one| one.kind != "-")
        .map(|one| {
            let detail = one.detail.map(|text| {
                text.replace("{was}", &copied_was)
                    .replace("{is}", &copied_is)
            });
            let (schema, name) = one.table.split_once('.').unwrap();
            serde_json::json!({
                "kind": one.kind, "schema_name": schema, "table_name": name, "index_name": one.index,
                "from": answered(NOON), "to": answered(LATER), "detail": detail,
                "bytes_before": bytes(&was, one.before), "bytes_after": bytes(&is, one.after),
            })
            .to_string()
        })
        .collect();
    let answer = service.json("/api/storage/events?limit=1000").await;
    let mut told: Vec<_> = answer["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| {
            let mut event = event.clone();
            // what follows from the rest, or belongs to shapes only
            for key in [
                "t",
                "alert",
                "delta_bytes",
                "rate_before",
                "rate_after",
                "found_at",
            ] {
                event.as_object_mut().unwrap().remove(key).unwrap();
            }
            event.to_string()
        })
        .collect();
    expect.sort();
    told.sort();
    let missing: Vec<_> = expect
        .iter()
        .filter(|event| !told.contains(event))
        .collect();
    let too_many: Vec<_> = told
        .iter()
        .filter(|event| !expect.contains(event))
        .collect();
    assert!(
        missing.is_empty() && too_many.is_empty() && told.len() == expect.len(),
        "missing: {missing:#?}\ntoo many: {too_many:#?}"
    );

    for one in happened() {
        let Happened {
            kind, table, index, ..
        } = one;
        let path = format!("/api/storage/series?table={table}");
        let series = service.json(&path).await;
        let events = series["events"].as_array().unwrap();
        let is_told =
            |event: &Value| event["kind"] == kind && event["index_name"] == Value::from(index);
        if kind == "-" {
            assert_eq!(events.len(), 0, "{table}: {series:#}");
        } else {
            assert!(
                events.iter().any(is_told),
                "{kind} is not told with {table}: {series:#}"
            );
        }
        let points = match index {
            None => &series["points"],
            Some(index) => {
                let indexes = series["indexes"].as_array().unwrap();
                let found = indexes.iter().find(|one| one["index_name"] == index);
                &found.unwrap_or_else(|| panic!("no {index}: {series:#}"))["points"]
            }
        };
        let points: Vec<_> = points
            .as_array()
            .unwrap()
            .iter()
            .map(|p| p["size_bytes"].as_u64())
            .collect();
        let both = [bytes(&was, one.before), bytes(&is, one.after)];
        let expect: Vec<_> = both.into_iter().filter(Option::is_some).collect();
        assert_eq!(points, expect, "{kind} {table} {index:?}");
        let is_gone = index.is_none() && one.after.is_none();
        assert_eq!(series["is_gone"], Value::from(is_gone), "{table}");
    }
    // who asks for a name that nobody has any more is led to who had it
    for (old, schema, now) in [
        ("renamed", "public", "renamed_now"),
        ("moved", "archive", "moved"),
    ] {
        let series = service
            .json(&format!("/api/storage/series?table={old}"))
            .await;
        assert_eq!(
            (&series["schema_name"], &series["table_name"]),
            (&schema.into(), &now.into())
        );
        assert_eq!(series["points"].as_array().unwrap().len(), 2);
    }
    let size = |of: &Relations, names: &[&str]| names.iter().map(|name| of[*name].1).sum::<u64>();
    let set = service.json("/api/storage/series?table=parts").await;
    assert_eq!(
        set["set_points"][0]["size_bytes"],
        size(&was, &["parts_1", "parts_2", "parts_3"])
    );
    assert_eq!(
        set["set_points"][1]["size_bytes"],
        size(&is, &["parts_1", "loose", "parts_4"])
    );
    let set = service.json("/api/storage/series?table=ancestor").await;
    assert_eq!(
        set["set_points"][0]["size_bytes"],
        size(&was, &["ancestor", "disowned"])
    );
    assert_eq!(
        set["set_points"][1]["size_bytes"],
        size(&is, &["ancestor", "heir"])
    );

    // and nothing happens again
    service.clock.set(at("2026-03-12T12:00:00Z"));
    assert_eq!(service.post("/api/storage/samples").await.status, 201);
    let answer = service.json("/api/storage/events?limit=1000").await;
    assert_eq!(answer["count"], expect.len(), "{answer:#}");
}

on_every_major! {
    async fn relations_keep_their_series_and_every_event_is_told(server: &Server) {
        fill(server, "identity_files");
        let mut main = watched("main", &server.url("identity_files"));
        main.visit.method = MethodChoice::Files;
        let service = Service::of(vec![main]).await;
        every_event_is_told(server, "identity_files", &service).await;
    }

    async fn the_same_by_changes_and_in_a_postgresql_store(server: &Server) {
        fill(server, "identity_changes");
        server.sql("postgres", "create database identity_store").unwrap();
        let mut main = watched("main", &server.url("identity_changes"));
        main.visit.method = MethodChoice::Changes;
        let settings = Settings::new("127.0.0.1:8000".parse().unwrap(), vec![main]);
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let service = Service::on_store(settings, &server.url("identity_store"), folder).await;
        every_event_is_told(server, "identity_changes", &service).await;
    }
}
