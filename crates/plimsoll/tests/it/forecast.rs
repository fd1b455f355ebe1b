//! Forecasts, growth and events on the command line: of any file, and of a database's history.

use std::fmt::Write as _;

use serde_json::Value;
use throwaway_postgres::on_every_major;

use crate::support::{Home, Ran, new_database};

/// A CSV of so many days, each 10 MB larger than the one before, with a load of 2 GB on the 60th.
fn csv(days: u64) -> String {
    let mut text = "date,bytes\n".to_owned();
    for day in 0..days {
        let bytes = 1_000_000_000 + day * 10_000_000 + u64::from(day >= 60) * 2_000_000_000;
        let noise = day * 7919 % 11 * 100_000;
        let (month, day) = (1 + day / 28, 1 + day % 28);
        writeln!(text, "2026-{month:02}-{day:02},{}", bytes + noise).unwrap();
    }
    text
}

fn keys(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn any_file_can_be_forecast_without_a_database() {
    let home = Home::new();
    let file = home.write("size.csv", &csv(84));
    let path = file.to_str().unwrap();
    let run = |args: &[&str]| Ran::of(home.plimsoll().args(args));
    let answer = run(&[
        "--output",
        "json",
        "forecast",
        "--input",
        path,
        "--horizons",
        "7,30,90",
        "--capacity",
        "4000000000",
    ])
    .json();
    let bands = answer["forecast"].as_array().unwrap();
    assert_eq!(bands.len(), 3);
    for (band, days) in bands.iter().zip([7.0, 30.0, 90.0]) {
        let number = |key: &str| band[key].as_f64().unwrap();
        assert_eq!(number("h"), days);
        let order = ["lo95", "lo80", "point", "hi80", "hi95"].map(number);
        assert!(order.is_sorted(), "{band}");
    }
    // a limit that is behind it is no date ahead
    let over = run(&["forecast", "--input", path, "--capacity", "2GB"]);
    let says = "Full: already, it has been above that since 2026-03-05\n";
    assert!(over.out.contains(says), "{over:?}");
    let limit = &answer["limits"][0];
    assert_eq!(limit["bytes"], 4_000_000_000_u64);
    for key in ["point", "lo80", "hi80", "lo95", "hi95"] {
        assert!(keys(limit).contains(&key), "{limit}");
    }
    // 170 MB are left at 10 MB a day: the load is no growth
    let days = limit["point"].as_f64().unwrap();
    assert!((12.0..22.0).contains(&days), "{limit}");
    assert_eq!(answer["full_on"], limit["full_on"]);
    assert_eq!(answer["capacity"]["source"], "asked");
    assert_eq!(answer["of"], "file");
    assert!(
        answer["backtest"][0]["naive_error_bytes"].is_u64(),
        "{answer}"
    );

    let events = run(&["--output", "json", "events", "--input", path]).json();
    let event = &events["events"][0];
    assert_eq!(
        (&event["kind"], &event["alert"]),
        (&"level_up".into(), &true.into()),
        "{events}"
    );
    assert!(
        event["t"].as_str().unwrap().starts_with("2026-03-0"),
        "{event}"
    );

    let shown = run(&["forecast", "--input", path, "--capacity", "4GB"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [
        "▒",
        "IN ",
        "80 % BETWEEN",
        "Full: 2026-",
        "Likely full within",
    ] {
        assert!(shown.out.contains(part), "no {part:?} in {}", shown.out);
    }
    assert!(!home.store_path().exists(), "a file needs no store");
}

#[test]
fn too_little_is_unknown_and_nonsense_is_an_error() {
    let home = Home::new();
    let forecast = |text: &str, args: &[&str]| {
        let file = home.write("size.csv", text);
        let mut command = home.plimsoll();
        Ran::of(command.args(["forecast", "--input"]).arg(file).args(args))
    };
    let short = forecast(&csv(3), &["--output", "json"]).json();
    assert_eq!(short["forecast"], serde_json::json!([]));
    assert!(
        short["insufficient_data"]["reason"]
            .as_str()
            .unwrap()
            .contains("5 samples"),
        "{short}"
    );
    assert_eq!(short["unknown"], short["insufficient_data"]["reason"]);
    let none = forecast("date,bytes\n", &["--output", "json"]).json();
    assert_eq!(none["level_bytes"], Value::Null);
    let same: String = (1..=20)
        .map(|day| format!("2026-01-{day:02},5\n"))
        .collect();
    let constant = forecast(
        &format!("date,bytes\n{same}"),
        &["--output", "json", "--capacity", "5"],
    )
    .json();
    assert_eq!(constant["forecast"][2]["hi95"], 5);
    assert_eq!(constant["limits"][0]["point"], 0.0, "it is full already");
    forecast("date,bytes\n2026-01-01,many\n", &[]).failed_saying(&["line 2", "many"]);
    forecast(&csv(9), &["--horizons", "soon"]).failed_saying(&["soon", "7,30,90"]);
    let mut both = home.plimsoll();
    let both = Ran::of(both.args(["forecast", "--input", "a.csv", "--table", "t"]));
    assert_eq!(both.code, Some(2), "{both:?}");
}

on_every_major! {
    fn growth_and_forecast_of_a_young_history_say_what_they_lack(server: &Server) {
        let database = new_database(server, "young");
        server.sql(&database, "create table t as select generate_series(1, 1000) i; create table gone as select 1").unwrap();
        let (home, url) = (Home::new(), server.url(&database));
        let run = |args: &[&str]| home.run(&url, args);
        // a command that reads makes no store
        for command in ["growth", "history", "events", "forecast", "export"] {
            run(&[command]).failed_saying(&["there is no store", "plimsoll.db yet", "plimsoll sample"]);
        }
        run(&["migrate"]);
        let nothing = run(&["growth"]);
        assert!(nothing.out.contains("no sample yet"), "{nothing:?}");
        run(&["sample"]);
        let one = run(&["--output", "json", "growth"]).json();
        assert!(one["insufficient_data"].as_str().unwrap().contains("only one sample"), "{one}");
        server.sql(&database, "insert into t select generate_series(1, 100000); drop table gone; create table fresh as select generate_series(1, 9000) i").unwrap();
        run(&["sample"]);

        let grown = run(&["--output", "json", "growth"]).json();
        let number = |of: &Value, key: &str| of[key].as_i64().unwrap_or_else(|| panic!("no {key} in {of}"));
        let name = |list: &str| grown[list][0]["table_name"].as_str().unwrap_or_default().to_owned();
        assert_eq!([name("tables"), name("new_tables"), name("vanished_tables")], ["t", "fresh", "gone"]);
        let relations = number(&grown, "relations_grown_bytes");
        assert_eq!(relations + number(&grown, "rest_grown_bytes"), number(&grown, "grown_bytes"));
        let parts = ["heap_grown_bytes", "toast_grown_bytes", "index_grown_bytes"].map(|key| number(&grown, key));
        assert_eq!(parts.iter().sum::<i64>(), relations);
        assert_eq!(number(&grown, "grown_bytes"), number(&grown["to"], "total_bytes") - number(&grown["from"], "total_bytes"));
        let shown = run(&["growth"]);
        for part in ["GREW", "NEW", "VANISHED", "in no relation"] {
            assert!(shown.out.contains(part), "no {part:?} in {}", shown.out);
        }

        let forecast = run(&["--output", "json", "forecast", "--table", "t"]).json();
        assert_eq!(forecast["of"], "table");
        assert!(forecast["insufficient_data"]["reason"].as_str().unwrap().contains("5 samples"), "{forecast}");
        assert_eq!(forecast["full_on"], Value::Null);
        assert_eq!(forecast["capacity"]["source"], "statvfs");
        let room = number(&forecast["capacity"], "available_bytes") + number(&forecast, "level_bytes");
        assert_eq!(number(&forecast["capacity"], "limit_bytes"), room);
        let shown = run(&["forecast"]);
        assert!(shown.out.contains("is not known: a forecast needs 5 samples"), "{shown:?}");
        run(&["forecast", "--table", "nope"]).failed_saying(&["nope"]);
        run(&["forecast", "--tablespace", "nope"]).failed_saying(&["nope"]);
        let events = run(&["events", "--kind", "drop,create"]);
        assert!(events.out.contains("drop") && events.out.contains("gone"), "{events:?}");
    }
}
