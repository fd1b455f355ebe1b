//! Alerts about schemas, sets and tables: only where a pattern names them.

use std::sync::Arc;

use plimsoll_core::alert::AlertType;
use plimsoll_core::alert::rules::growth::GrowthWarning;
use plimsoll_core::alert::rules::size::SizeCritical;
use plimsoll_core::alert::settings::{Borders, Rule, Settings as Rules};
use plimsoll_server::settings::Settings;
use serde_json::{Value, json};
use throwaway_postgres::test;

use crate::alert_steps::{number, sample_at, settings, told};
use crate::service::{Service, watched};

/// Rules for what a pattern names: growth of more than 20 % and 1 MB, and a limit.
fn naming(pattern: &str, limit: u64) -> Vec<(plimsoll_core::alert::pattern::Pattern, Rule)> {
    let growth = Rule {
        borders: Borders::GrowthWarning(GrowthWarning {
            floor_bytes: 1 << 20,
            ..GrowthWarning::default()
        }),
        ..Rule::default_of(AlertType::GrowthWarning)
    };
    let size = Rule {
        borders: Borders::SizeCritical(SizeCritical {
            default_bytes: limit,
            ..SizeCritical::default()
        }),
        ..Rule::default_of(AlertType::SizeCritical)
    };
    let pattern: plimsoll_core::alert::pattern::Pattern = pattern.parse().unwrap();
    [growth, size].map(|rule| (pattern.clone(), rule)).to_vec()
}

/// What fires or did, as `schema.table` or `schema` with its state, in order.
async fn parts(service: &Service, alert_type: &str) -> Vec<(String, String)> {
    let name = |alert: &Value| {
        let schema = alert["schema_name"].as_str().unwrap_or("none");
        let name = match alert["table_name"].as_str() {
            Some(table) => format!("{schema}.{table}"),
            None => schema.to_owned(),
        };
        let state = match alert["resolved_by"].as_str() {
            Some(by) => by.to_owned(),
            None => alert["severity"].as_str().unwrap().to_owned(),
        };
        (name, state)
    };
    let mut all: Vec<_> = told(service, alert_type).await.iter().map(name).collect();
    all.sort();
    all
}

fn expected(parts: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, state): &(&str, &str)| ((*name).to_owned(), (*state).to_owned());
    parts.iter().map(owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pattern_names_is_judged_by_its_own_rules_and_nothing_else_is() {
    let Some(server) = test::shared_if_installed(18) else {
        return;
    };
    server.sql("postgres", "create database parts").unwrap();
    let sql = |sql: &str| server.sql("parts", sql).unwrap();
    sql("create schema sales; create schema other;
         create table sales.orders as select n, repeat('x', 100) as text from generate_series(1, 20000) n;
         create table other.orders as select * from sales.orders;
         create table sales.days (day int, text text) partition by range (day);
         create table sales.days_1 partition of sales.days for values from (0) to (100);
         insert into sales.days select 1, repeat('x', 100) from generate_series(1, 20000);
         create table sales.days_2 as select 100 as day, repeat('x', 100) as text from generate_series(1, 60000)");
    let main = |overrides| Settings {
        alerts: Arc::new(Rules::new(&[], overrides)),
        ..settings(vec![watched("main", &server.url("parts"))])
    };
    let named = || {
        let mut all = naming("main/parts/sales.orders", 4 << 20);
        all.extend(naming("main/parts/sales.days", 1 << 40));
        all.extend(naming("main/parts/sales", 1 << 40));
        all
    };
    let service = Service::with(main(named())).await;
    sample_at(&service, 0, "parts").await;
    let day = 24 * 60;
    for table in ["sales.orders", "other.orders"] {
        sql(&format!(
            "insert into {table} select n, repeat('y', 100) from generate_series(1, 40000) n"
        ));
    }
    sql("create index orders_by_n on sales.orders (n)");
    // What is attached was there before: no growth of the set, nor of the schema.
    sql("alter table sales.days attach partition sales.days_2 for values from (100) to (200)");
    sample_at(&service, day, "parts").await;
    assert_eq!(
        parts(&service, "size_critical").await,
        expected(&[("sales.orders", "critical")])
    );
    assert_eq!(
        parts(&service, "growth_warning").await,
        expected(&[("sales", "warning"), ("sales.orders", "warning")])
    );
    let growth = told(&service, "growth_warning").await;
    let orders = growth
        .iter()
        .find(|it| it["table_name"] == "orders")
        .unwrap();
    let size = number(
        server,
        "parts",
        "select pg_total_relation_size('sales.orders')",
    );
    assert_eq!(orders["current_bytes"], json!(size));
    let shares = orders["contributors"].as_array().unwrap();
    let named_parts: Vec<_> = shares
        .iter()
        .map(|share| share["part"].as_str().unwrap())
        .collect();
    assert_eq!(named_parts, ["heap", "index"], "{orders}");
    let sum: i64 = shares
        .iter()
        .map(|share| share["bytes"].as_i64().unwrap())
        .sum();
    assert_eq!(sum, size - orders["previous_bytes"].as_i64().unwrap());
    let message = orders["message"].as_str().unwrap();
    for part in [
        "sales.orders in parts on main grew by",
        "index orders_by_n",
        "--table sales.orders",
    ] {
        assert!(message.contains(part), "no {part}: {message}");
    }

    // Under another name it is the same table, and its alert the same alert.
    let id = &told(&service, "size_critical").await[0]["id"].clone();
    sql("alter table sales.orders rename to orders_old");
    let mut renamed = named();
    renamed.extend(naming("main/parts/sales.orders_*", 4 << 20));
    let folder = Arc::clone(&service.folder);
    let service = Service::sharing(main(renamed), folder).await;
    sample_at(&service, day + 10, "parts").await;
    assert_eq!(
        parts(&service, "size_critical").await,
        expected(&[("sales.orders_old", "critical")])
    );
    assert_eq!(&told(&service, "size_critical").await[0]["id"], id);
    sql("alter table sales.orders_old rename to orders");
    sample_at(&service, day + 12, "parts").await;

    // A table that is dropped is gone; what no pattern names any more is judged by no rule.
    sql("drop table sales.orders");
    sample_at(&service, day + 15, "parts").await;
    assert_eq!(
        parts(&service, "size_critical").await,
        expected(&[("sales.orders", "gone")])
    );
    let folder = Arc::clone(&service.folder);
    let service = Service::sharing(main(naming("main/parts/sales.days", 1 << 10)), folder).await;
    sample_at(&service, day + 30, "parts").await;
    assert_eq!(
        parts(&service, "growth_warning").await,
        expected(&[("sales", "condition"), ("sales.orders", "gone")])
    );
    assert_eq!(
        parts(&service, "size_critical").await,
        expected(&[("sales.days", "critical"), ("sales.orders", "gone")])
    );
    let folder = Arc::clone(&service.folder);
    let service = Service::sharing(main(Vec::new()), folder).await;
    sample_at(&service, day + 45, "parts").await;
    assert_eq!(
        parts(&service, "size_critical").await,
        expected(&[("sales.days", "rule_disabled"), ("sales.orders", "gone")])
    );
}
