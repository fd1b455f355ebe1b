//! Growth files through the program: the same answer whatever the shape, or a refusal that says how to ask.

use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{Home, Ran};

/// 60 days, with the free space of a volume of 500 GB beside the size.
fn days() -> impl Iterator<Item = (String, u64, u64)> {
    (0..60_u64).map(|day| {
        let bytes = 180_094_419_235 + day * 1_541_138_686 + day * 7919 % 11 * 10_000_000;
        let date = format!("2026-{:02}-{:02}", 1 + day / 28, 1 + day % 28);
        (date, bytes, 500_000_000_000 - bytes)
    })
}

fn file(header: &str, line: impl Fn(&str, u64, u64) -> String) -> String {
    let mut text = header.to_owned();
    for (date, bytes, free) in days() {
        writeln!(text, "{}", line(&date, bytes, free)).unwrap();
    }
    text
}

#[test]
fn every_shape_of_a_file_gives_the_same_forecast_or_says_how_to_ask() {
    let home = Home::new();
    let run = |text: &str, args: &[&str]| {
        let path = home.write("sizes", text);
        let mut command = home.plimsoll();
        let command = command.args([
            "--output",
            "json",
            "forecast",
            "--capacity",
            "500GB",
            "--input",
        ]);
        Ran::of(command.arg(path).args(args))
    };
    let answer = |text: &str, args: &[&str]| {
        let mut answer = run(text, args).json();
        let input = answer.as_object_mut().unwrap().remove("input").unwrap();
        (answer, input)
    };
    let plain = file("date,bytes\n", |date, bytes, _| format!("{date},{bytes}"));
    let (reference, input) = answer(&plain, &[]);
    assert_eq!(reference["limits"][0]["bytes"], 500_000_000_000_u64);
    assert_eq!(
        (&input["values"], &input["notes"]),
        (&60.into(), &serde_json::json!([]))
    );
    let wide = file("\"Time\",\"shop\",\"crm\"\n", |date, bytes, _| {
        format!("{date} 00:00:00,{bytes},40000000000")
    });
    run(&wide, &[]).failed_saying(&["`shop`, `crm`", "--column"]);
    assert_eq!(answer(&wide, &["--column", "shop"]).0, reference);
    let free = file("Timestamp,FreeStorageSpace\n", |date, _, free| {
        format!("{} 00:00,{free}", date.replace('-', "/"))
    });
    run(&free, &[]).failed_saying(&["looks like free space", "--free"]);
    assert_eq!(answer(&free, &["--free"]).0, reference);
    let gb = file("date,size_gb\n", |date, bytes, _| {
        format!(
            "{date},{}.{:03}",
            bytes / 1_000_000_000,
            bytes / 1_000_000 % 1000
        )
    });
    let (in_gb, input) = answer(&gb, &[]);
    let level = |answer: &Value| answer["level_bytes"].as_u64().unwrap();
    assert!(
        level(&in_gb).abs_diff(level(&reference)) < 1_000_000,
        "{in_gb}"
    );
    assert!(
        input["notes"][0]
            .as_str()
            .unwrap()
            .contains("1,000,000,000"),
        "{input}"
    );
    let (binary, _) = answer(&gb, &["--unit", "GiB"]);
    assert!(level(&binary) > level(&reference) / 100 * 107, "{binary}");
    run(&gb, &["--unit", "parsecs"]).failed_saying(&["`parsecs`", "GiB"]);
}

#[test]
fn what_was_assumed_or_left_out_is_said_below_the_answer() {
    let home = Home::new();
    let gaps = file("timestamp,size_mb\n", |date, bytes, _| match &date[8..] {
        "07" => format!("{date} 03:00,NaN"),
        _ => format!("{date} 03:00,{}", bytes / 1_000_000),
    });
    let path = home.write("gaps.csv", &gaps);
    for command in ["forecast", "events"] {
        let ran = Ran::of(home.plimsoll().args([command, "--input"]).arg(&path));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for note in [
            "Note: 2 lines without a value were left out.",
            "taken as UTC",
            "MB was read as 1,000,000 bytes",
        ] {
            assert!(ran.out.contains(note), "no {note:?} in {}", ran.out);
        }
    }
    let unread = Ran::of(
        home.plimsoll()
            .args(["events", "--input"])
            .arg(home.path("nowhere.csv")),
    );
    unread.failed_saying(&["cannot read", "nowhere.csv"]);
}

#[test]
fn a_databases_size_over_time_is_imported_from_any_tool() {
    let home = Home::new();
    // nobody listens there: what was imported needs no server
    let url = "postgres://nobody@127.0.0.1:9/shop";
    let free = file("Timestamp,FreeStorageSpace\n", |date, _, free| {
        format!("{date}T03:00:00Z,{free}")
    });
    let path = home.write("free.csv", &free);
    let path = path.to_str().unwrap();
    home.run(url, &["import", path])
        .failed_saying(&["--free --capacity"]);
    home.run(url, &["import", path, "--free"])
        .failed_saying(&["--capacity"]);
    let imported = home.run(url, &["import", path, "--free", "--capacity", "500GB"]);
    assert!(imported.out.contains("60 samples added"), "{imported:?}");
    let history = home
        .run(url, &["--output", "json", "history", "--limit", "100"])
        .json();
    assert_eq!(history["total"], 60);
    let (_, last, _) = days().last().unwrap();
    assert_eq!(history["samples"][0]["total_bytes"], last);
    let forecast = home
        .run(
            url,
            &["--output", "json", "forecast", "--capacity", "500GB"],
        )
        .json();
    assert_eq!(forecast["level_bytes"], last);
    assert!(
        forecast["slope_bytes_per_day"].as_i64().unwrap() > 1_000_000_000,
        "{forecast}"
    );
}
