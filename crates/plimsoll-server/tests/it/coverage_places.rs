//! Trap 58 where a database lies in several tablespaces: another measure of the whole is one of each part, and what
//! comes into sight in one part is no growth of another.

use std::io::Cursor;

use jiff::SignedDuration;
use plimsoll_postgres::MethodChoice;
use plimsoll_store::DatabaseKey;
use plimsoll_store::transfer::csv::{Options, import};
use serde_json::Value;
use throwaway_postgres::{Server, test};

use crate::service::{NOON, Service, at, watched};

fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

/// A database with a table that grows, and a large one in another tablespace.
fn with_two_tablespaces(server: &Server, database: &str) {
    server
        .sql("postgres", &format!("create database {database}"))
        .unwrap();
    server
        .sql(
            database,
            "create table orders as select generate_series(1, 30000) n;
             create table quick tablespace fast as
                 select n, repeat(md5(n::text), 10) line from generate_series(1, 20000) n",
        )
        .unwrap();
}

fn bytes(server: &Server, database: &str, expression: &str) -> i64 {
    let rows = server.sql(database, &format!("select {expression}"));
    rows.unwrap()[0][0].as_ref().unwrap().parse().unwrap()
}

/// Own samples of these days, a day apart; the table grows by some pages between them.
async fn measure(service: &Service, server: &Server, database: &str, of: std::ops::Range<i64>) {
    for day in of {
        service.clock.set(at(NOON) + days(day));
        assert_eq!(service.post("/api/storage/samples").await.status, 201);
        server
            .sql(
                database,
                "insert into orders select generate_series(1, 3000)",
            )
            .unwrap();
    }
    service.settled().await;
}

async fn of_tablespace(service: &Service, name: &str) -> Value {
    let path = format!("/api/storage/forecast?tablespace={name}&capacity=500GB");
    service.json(&path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn trap_58_a_change_of_coverage_in_one_tablespace_is_no_growth_of_another() {
    // Where bytes lie is no matter of the server's version.
    let Some(installation) = test::installed(18) else {
        return;
    };
    let server = Server::start(&test::options(&installation)).unwrap();
    let folder = server.make_folder("space").unwrap();
    let sql = format!("create tablespace fast location '{}'", folder.display());
    server.sql("postgres", &sql).unwrap();
    another_tool_measured_the_whole_before(&server).await;
    what_lies_elsewhere_could_not_be_read_before(&server).await;
}

/// Totals that meet the database's own: of what is not in `fast` they are another measure.
async fn another_tool_measured_the_whole_before(server: &Server) {
    with_two_tablespaces(server, "imported");
    let service = Service::of(vec![watched("main", &server.url("imported"))]).await;
    let of = DatabaseKey {
        instance: "main".to_owned(),
        database: "imported".to_owned(),
    };
    let whole = bytes(server, "imported", "pg_database_size(current_database())");
    let text = (0..40).fold("date,bytes\n".to_owned(), |text, day| {
        let date = (at(NOON) - days(41 - day)).strftime("%Y-%m-%d").to_string();
        text + &format!("{date},{whole}\n")
    });
    let taken = import(&*service.store, &of, Cursor::new(text), &Options::default()).await;
    assert_eq!(taken.unwrap().history.samples, 40);
    measure(&service, server, "imported", 0..8).await;

    let all = service.json("/api/storage/forecast?capacity=500GB").await;
    assert_eq!(all["samples"], 48, "the totals meet: {all}");
    let here = of_tablespace(&service, "pg_default").await;
    assert!(here["coverage_changed_at"].is_string(), "{here}");
    assert_eq!(here["samples"], 8, "{here}");
    let there = of_tablespace(&service, "fast").await;
    assert_eq!(there["samples"], 8, "{there}");
    let level = |answer: &Value| answer["level_bytes"].as_i64().unwrap();
    assert_eq!(level(&here) + level(&there), level(&all));
    assert_eq!(
        level(&there),
        bytes(server, "imported", "pg_total_relation_size('quick')")
    );
    for answer in [&all, &here, &there] {
        let slope = answer["slope_bytes_per_day"].as_i64().unwrap();
        assert!((-10_000..400_000).contains(&slope), "{answer}");
    }
}

/// The server counts what a role cannot read: as that comes into sight in `fast`, it leaves the rest.
async fn what_lies_elsewhere_could_not_be_read_before(server: &Server) {
    with_two_tablespaces(server, "hidden");
    let mut main = watched("main", &server.url("hidden"));
    main.visit.method = MethodChoice::Functions;
    let service = Service::of(vec![main]).await;
    let mut session = server.session("hidden").unwrap();
    session
        .run("begin; lock table quick in access exclusive mode")
        .unwrap();
    measure(&service, server, "hidden", 0..7).await;
    session.run("rollback").unwrap();
    measure(&service, server, "hidden", 7..14).await;

    let events = service.json("/api/storage/events").await;
    assert_eq!(events["events"][0]["kind"], "coverage", "{events}");
    let hidden = bytes(server, "hidden", "pg_total_relation_size('quick')");
    for name in ["pg_default", "fast"] {
        let answer = of_tablespace(&service, name).await;
        let level = answer["level_bytes"].as_i64().unwrap();
        let month = answer["forecast"][1]["point"].as_i64().unwrap();
        assert!(
            (month - level).abs() < hidden / 2,
            "{name}: {hidden} bytes came into sight, which is no change: {answer}"
        );
    }
}
