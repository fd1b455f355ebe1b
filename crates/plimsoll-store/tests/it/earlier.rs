//! A store that an earlier version wrote opens, and what it holds is there.
//!
//! `earlier/` holds the same eventful history as version 59fdbfb wrote it to a file and to a schema (PostgreSQL 15), and
//! what it exported of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll_core::sample::SampleKind;
use plimsoll_core::size::Size;
use plimsoll_store::{DatabaseKey, Held, PartQuery, Recorded, SeriesQuery, Store, TableName, open};
use serde_json::Value;

use crate::transfer::exported;
use crate::world::World;

/// What that version exported, a row a line.
const EXPORTED: &str = include_str!("earlier/history.ndjson");

/// The migrations of the version before claims, for each store.
const SQLITE: [&str; 2] = [
    include_str!("../../migrations/sqlite/001_history.sql"),
    include_str!("../../migrations/sqlite/002_forecasts.sql"),
];
const POSTGRES: [&str; 2] = [
    include_str!("../../migrations/postgres/001_history.sql"),
    include_str!("../../migrations/postgres/002_forecasts.sql"),
];

/// One job ended, and one was under way.
async fn has_its_jobs(store: &dyn Store) {
    let applied = store.migrate().await.unwrap();
    assert_eq!(applied.first().map(String::as_str), Some("003_claims"));
    let jobs = store.jobs().await.unwrap();
    let names: Vec<_> = jobs
        .iter()
        .map(|job| (&*job.name, job.is_running))
        .collect();
    assert_eq!(names, [("ended", false), ("running", true)]);
    let ran_for: Timestamp = "2026-01-01T03:00:00Z".parse().unwrap();
    for job in &jobs {
        assert_eq!(job.last_scheduled_for, Some(ran_for));
    }
    let again = store
        .claim("ended", ran_for, Duration::from_secs(60))
        .await
        .unwrap();
    assert!(again.is_none(), "it ran");
    let dead = store
        .claim("running", ran_for, Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(store.finish(dead, "ok", "").await.unwrap(), Held::Ours);
}

/// Everything that was written is there as it was, and what comes next joins it.
async fn has_its_history(store: &dyn Store) {
    let applied = store.migrate().await.unwrap();
    assert_eq!(applied.first().map(String::as_str), Some("003_claims"));
    let rows = |text: &str| -> Vec<Value> {
        let lines = text.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    };
    let (then, now) = (rows(EXPORTED), rows(&exported(store).await));
    assert_eq!(then.len(), now.len());
    for (then, now) in then.iter().zip(&now) {
        for (name, value) in then.as_object().unwrap() {
            assert_eq!(&now[name], value, "{name} of {now}");
        }
    }

    let shop = DatabaseKey {
        instance: "pri,\"mary\"\n".to_owned(),
        database: "shop".to_owned(),
    };
    let all = SeriesQuery::default();
    let orders = TableName::new("public", "orders");
    let series = store.table_series(&shop, &orders, &all).await.unwrap();
    let heap = series.unwrap().points;
    let heap: Vec<_> = heap
        .iter()
        .map(|point| point.sizes.heap_bytes.unwrap())
        .collect();
    // thinned: the daily samples, and the last one
    assert_eq!(heap.last(), Some(&(100_000 + 11 * 8192)));
    assert!(heap.is_sorted() && heap.len() >= 6, "{heap:?}");
    let renamed = TableName::new("public", "select");
    let series = store
        .table_series(&shop, &renamed, &all)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (&*series.name.table_name, series.is_gone),
        ("renamed", true)
    );

    let other = DatabaseKey {
        database: "o'ther".to_owned(),
        ..shop.clone()
    };
    let kept = store
        .kept_forecast(&other, &PartQuery::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((kept.header.sample_id, kept.header.took_ms), (2, 15));
    let jobs = store.jobs().await.unwrap();
    let jobs: Vec<_> = jobs
        .iter()
        .map(|job| (&*job.name, job.is_running))
        .collect();
    assert_eq!(jobs, [("ended", false), ("running", true)]);

    let mut world = World::new(&shop.instance, &shop.database);
    world.add(20000, "public", "orders", 500_000);
    let now = "2026-01-13T03:00:00.25Z".parse().unwrap();
    let recorded = store
        .record_sample(&world.snapshot(now), SampleKind::Daily, Some(now))
        .await
        .unwrap();
    let Recorded::New(header) = recorded else {
        panic!("nobody took it before");
    };
    assert_eq!(header.id, 16, "ids go on where they were");
    world.table(20000).heap.size = Size::measured(600_000);
    let later = now + SignedDuration::from_hours(1);
    store
        .record_sample(&world.snapshot(later), SampleKind::Watch, None)
        .await
        .unwrap();
    let series = store
        .table_series(&shop, &orders, &all)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        series.points.last().unwrap().sizes.heap_bytes,
        Some(600_000)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_version_59fdbfb_wrote_opens_with_its_history() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(include_str!("earlier/sqlite.sql"))
        .unwrap();
    drop(connection);
    has_its_history(&*open(&format!("sqlite:{}", path.display())).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_version_before_claims_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    for sql in SQLITE {
        connection.execute_batch(sql).unwrap();
    }
    let at = 1_767_236_400_000_i64;
    connection
        .execute_batch(&format!(
            "create table migrations (number integer primary key, name text not null,
                 applied_at text not null default '2026-01-01T00:00:00Z') strict;
             insert into migrations (number, name) values (1, '001_history'), (2, '002_forecasts');
             insert into jobs values ('ended', {at}, {at}, 'ok', 'x', {at}, {at}),
                 ('running', {at}, null, null, null, {at}, {at});"
        ))
        .unwrap();
    drop(connection);
    has_its_jobs(&*open(&format!("sqlite:{}", path.display())).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_66_a_file_keeps_its_samples_and_their_ids_when_totals_may_be_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    for sql in SQLITE {
        connection.execute_batch(sql).unwrap();
    }
    let columns = "instance_id, database_id, tick, kind, sampled_at, took_ms, method, total_bytes,
        attributed_bytes, estimated_bytes, unattributed_bytes, unmeasured_bytes, table_count, unread_count,
        is_demo";
    let sample = |id: i64| {
        format!(
            "insert into samples (id, {columns}) values ({id}, 1, 1, {id}, 'daily', {id}000, 5, 'files', 100, 90, 0, 10, 0, 0, 0, 0);"
        )
    };
    connection
        .execute_batch(&format!(
            "create table migrations (number integer primary key, name text not null,
                 applied_at text not null default '2026-01-01T00:00:00Z') strict;
             insert into migrations (number, name) values (1, '001_history'), (2, '002_forecasts');
             insert into instances values (1, 'main');
             insert into databases values (1, 1, 'app', 5, null, null, 0, 180000, null, 7, 1);
             {}{} delete from samples where id = 9;",
            sample(7),
            sample(9)
        ))
        .unwrap();
    let store = open(&format!("sqlite:{}", path.display())).unwrap();
    store.migrate().await.unwrap();
    let kept = "select group_concat(concat_ws(' ', id, database, total_bytes, unattributed_bytes)) from storage_samples";
    let text = |sql: &str| {
        connection
            .query_row::<String, _, _>(sql, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!(text(kept), "7 app 100 10");
    connection
        .execute_batch(&format!("insert into samples ({columns}) values (1, 1, 11, 'watch', 11, 5, 'functions', null, 90, 0, null, null, 0, 0, 0);"))
        .unwrap();
    assert_eq!(text(kept), "7 app 100 10,10 app", "9 is not used again");
}

throwaway_postgres::on_every_major! {
    async fn a_schema_that_version_59fdbfb_wrote_opens_with_its_history(server: &Server) {
        server.sql("postgres", "create database earlier").unwrap();
        server
            .sql("earlier", include_str!("earlier/postgres.sql"))
            .unwrap();
        has_its_history(&*open(&server.url("earlier")).unwrap()).await;
    }

    async fn a_schema_of_the_version_before_claims_opens(server: &Server) {
        server.sql("postgres", "create database earlier").unwrap();
        let begin = "create schema plimsoll; create table plimsoll.migrations (
            number integer primary key, name text not null, applied_at timestamptz not null default now())";
        let rows = "insert into plimsoll.migrations values (1, '001_history'), (2, '002_forecasts');
            insert into plimsoll.jobs
            select name, at, case name when 'ended' then at end, null, null, at, at
            from unnest(array['ended', 'running']) as name,
                (select timestamptz '2026-01-01 03:00:00+00') as t (at)";
        for sql in [begin, POSTGRES[0], POSTGRES[1], rows] {
            server.sql("earlier", sql).unwrap();
        }
        has_its_jobs(&*open(&server.url("earlier")).unwrap()).await;
    }
}
