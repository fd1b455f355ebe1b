//! Trap 58: an import of totals alone tells nothing of tables, and no command counts them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::Home;

#[test]
fn trap_58_of_totals_alone_no_command_knows_the_tables() {
    let home = Home::new();
    // nobody listens there: what was imported needs no server
    let url = "postgres://nobody@127.0.0.1:1/shop";
    let mut text = "date,bytes\n".to_owned();
    for day in 1..10 {
        writeln!(text, "2026-01-0{day},{}", 5_000_000_000_u64 + day).unwrap();
    }
    let file = home.write("totals.csv", &text);
    let imported = home.run(url, &["import", file.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let json = |args: &[&str]| {
        home.run(url, &[&["--output", "json"], args].concat())
            .json()
    };

    let shown = home.run(url, &["history"]);
    let rows: Vec<&str> = shown
        .out
        .lines()
        .filter(|line| line.contains("2026-01-0"))
        .collect();
    assert_eq!(rows.len(), 9, "{shown:?}");
    assert!(
        rows.iter().all(|row| row.trim_end().ends_with("unknown")),
        "{shown:?}"
    );
    let history = json(&["history"]);
    assert_eq!(history["samples"][0]["table_count"], Value::Null);
    let growth = json(&["growth", "--since", "2026-01-01"]);
    assert_eq!(growth["grown_bytes"], 8, "{growth}");
    assert_eq!(growth["tables_total"], Value::Null, "{growth}");
    let ranked = json(&["forecast", "--by", "table"]);
    assert_eq!(ranked["tables"], Value::Null, "{ranked}");
    let shown = home.run(url, &["forecast", "--by", "table"]);
    let names: Vec<&str> = shown.out.lines().skip(3).collect();
    assert!(
        names.len() == 1 && names[0].starts_with("database "),
        "the whole, and nothing of what it is made of: {shown:?}"
    );

    // of some tables it is known how many there were
    let home = Home::new();
    let some = home.write(
        "tables.csv",
        "time,table,bytes\n2026-02-01,orders,9000\n2026-02-02,orders,9000\n",
    );
    let elsewhere = "postgres://nobody@127.0.0.1:1/other";
    let imported = home.run(elsewhere, &["import", some.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    // and how large each was, but not what of it was which part
    let exported = home.run(elsewhere, &["export", "--table", "orders"]);
    let last = exported.out.lines().last().unwrap();
    assert_eq!(last, "2026-02-02T00:00:00Z,public,orders,9000,,,,");
    let shown = home.run(elsewhere, &["history"]);
    let last = shown.out.lines().last().unwrap();
    assert!(
        last.trim_end().ends_with('1') && last.contains("unknown"),
        "{shown:?}"
    );
}
