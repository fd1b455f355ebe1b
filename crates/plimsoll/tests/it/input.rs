//! Growth files through the program: the same answer whatever the shape, or a refusal that says how to ask.

use std::fmt::Write as _;
use std::process::{Command, Stdio};

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

#[test]
fn an_import_that_is_stopped_keeps_nothing_and_leaves_nothing_behind() {
    let home = Home::new();
    let url = "postgres://nobody@127.0.0.1:9/shop";
    let mut text = "time,schema,table,bytes\n".to_owned();
    for hour in 0..2000_u64 {
        for table in 0..200_u64 {
            writeln!(
                text,
                "{},public,t{table},{}",
                1_700_000_000 + hour * 3600,
                8192 * (hour + table)
            )
            .unwrap();
        }
    }
    let file = home.write("sizes.csv", &text);
    let temporary = home.path("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let mut command = home.on(url);
    let import = command
        .args(["import"])
        .arg(&file)
        .env("TMPDIR", &temporary);
    let mut running = import
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // as soon as it has begun to sort
    while std::fs::read_dir(&temporary).unwrap().next().is_none() {
        assert!(
            running.try_wait().unwrap().is_none(),
            "it ended before it began"
        );
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = running.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ran = Ran::from(running.wait_with_output().unwrap());
    ran.failed_saying(&["stopped before its end", "nothing of it is kept"]);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    home.run(url, &["history"])
        .failed_saying(&["there is no store"]);
}

#[test]
fn what_nobody_can_have_measured_yet_is_not_imported() {
    let home = Home::new();
    let url = "postgres://nobody@127.0.0.1:9/shop";
    for (text, says) in [
        (
            "time,bytes\n2026-01-01,9000\n2150-01-01,9001\n",
            "2150-01-01T00:00:00Z is still to come",
        ),
        (
            "time,schema,table,bytes\n2150-01-01,public,a,9001\n",
            "line 2: 2150-01-01T00:00:00Z is still to come",
        ),
        (
            "time,schema,table,bytes\n1907-01-01,public,a,9001\n",
            "line 2: `1907-01-01`",
        ),
    ] {
        let path = home.write("sizes.csv", text);
        home.run(url, &["import", path.to_str().unwrap()])
            .failed_saying(&[says]);
    }
    let path = home.write("all.ndjson", "");
    let sizes = home.write("sizes.csv", "time,bytes\n2026-01-01 03:00,9000\n");
    home.run(url, &["import", sizes.to_str().unwrap()]);
    home.run(url, &["export", "--overwrite", path.to_str().unwrap()]);
    let export = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        export.replace("\"tick\":1767236400", "\"tick\":5679428400"),
    )
    .unwrap();
    home.run(url, &["import", path.to_str().unwrap()])
        .failed_saying(&["line 2: its sample: ", "still to come"]);
}
