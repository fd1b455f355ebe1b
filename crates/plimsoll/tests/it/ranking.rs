//! `plimsoll forecast --by`, of a history that other tools measured.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::Home;

/// Sixty days of three tables that grow at their own pace, one that never moves and one that was dropped.
fn sizes() -> String {
    let mut text = "time,schema,table,bytes\n".to_owned();
    for day in 0..60_u64 {
        let date = format!("2026-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
        let noise = day * 7919 % 11;
        for (schema, table, bytes) in [
            (
                "public",
                "orders",
                1_000_000_000 + day * 10_000_000 + noise * 300_000,
            ),
            (
                "public",
                "logs",
                500_000_000 + day * 3_000_000 + noise % 4 * 900_000,
            ),
            (
                "sales",
                "events",
                200_000_000 + day * 1_000_000 + noise % 3 * 500_000,
            ),
            ("sales", "still", 77_000_000),
        ] {
            writeln!(text, "{date},{schema},{table},{bytes}").unwrap();
        }
        if day < 40 {
            writeln!(text, "{date},sales,gone,{}", 9_000_000).unwrap();
        }
    }
    text
}

#[test]
fn an_import_of_some_tables_is_ranked_by_expected_growth_and_its_whole_is_unknown() {
    let home = Home::new();
    // nobody listens there: what was imported needs no server
    let url = "postgres://nobody@127.0.0.1:1/shop";
    let file = home.write("sizes.csv", &sizes());
    let imported = home.run(url, &["import", file.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let json = |args: &[&str]| {
        home.run(url, &[&["--output", "json", "forecast"], args].concat())
            .json()
    };

    let tables = json(&["--by", "table"]);
    let names: Vec<&str> = tables["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["table_name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["orders", "logs", "events"]);
    let grown = |row: &Value| row["forecast"][2]["grown_bytes"].as_i64().unwrap();
    let near = |row: &Value, wanted: i64| {
        let apart = (grown(row) - wanted).abs();
        assert!(apart < wanted / 5, "{row} is far from {wanted}");
    };
    near(&tables["rows"][0], 900_000_000);
    near(&tables["rows"][1], 270_000_000);
    // of a database the sum of some tables is not the size, nor its growth
    for part in ["total", "others", "rest"] {
        assert!(tables[part].is_null(), "{tables}");
    }
    assert!(tables["rows"][0]["share_percent"].is_null(), "{tables}");
    assert!(tables["insufficient_data"].is_null(), "{tables}");
    let reason = tables["total_unknown"].as_str().unwrap();
    assert!(reason.contains("no sample knows the size"), "{reason}");

    let alone = json(&["--table", "orders", "--capacity", "1TB"]);
    assert_eq!(
        alone["reconciled"]["sample_id"], tables["sample_id"],
        "{alone}"
    );
    let apart = alone["forecast"][2]["point"].as_i64().unwrap()
        - tables["rows"][0]["forecast"][2]["bytes"].as_i64().unwrap();
    assert!(apart.abs() <= 2, "{alone}");
    let schemas = json(&["--by", "schema", "--limit", "1"]);
    assert_eq!(schemas["rows"].as_array().unwrap().len(), 1);
    assert_eq!(schemas["computed_at"], tables["computed_at"], "it is kept");

    let shown = home.run(url, &["forecast", "--by", "table"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [
        "TABLE",
        "IN 90 DAYS",
        "orders",
        "sales.events",
        "How the whole of shop will go on is not known: no sample knows",
    ] {
        assert!(shown.out.contains(part), "no {part:?} in {}", shown.out);
    }
    for part in ["all others", "in no table", "100.0 %"] {
        assert!(!shown.out.contains(part), "{part:?} in {}", shown.out);
    }
    home.run(url, &["forecast", "--by", "planet"])
        .failed_saying(&["planet", "schema"]);
    let both = home.run(url, &["forecast", "--by", "table", "--table", "orders"]);
    assert_eq!(both.code, Some(2), "{both:?}");

    // an earlier part of the history makes what was computed from it obsolete
    let earlier = home.write(
        "earlier.csv",
        "time,schema,table,bytes\n2025-12-01,public,orders,900000000\n",
    );
    let imported = home.run(url, &["import", earlier.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let alone = json(&["--table", "orders", "--capacity", "1TB"]);
    let again = json(&["--by", "table"]);
    assert_ne!(again["computed_at"], tables["computed_at"]);
    assert_eq!(
        alone["reconciled"]["sample_id"], again["sample_id"],
        "and it is computed anew at once: {alone}"
    );
}
