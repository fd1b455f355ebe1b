//! What is not certain is refused, with what was seen and how to say it.

use plimsoll_input::ReadOptions;
use proptest::prelude::*;

use crate::series::{date, lines, read};

#[test]
fn what_is_not_certain_is_refused_with_what_was_seen_and_what_to_say() {
    let series = |header: &str, cells: &[&str]| {
        let lines: Vec<String> = (1..)
            .zip(cells)
            .map(|(day, cell)| format!("2026-01-{day:02}{cell}"))
            .collect();
        format!("{header}\n{}\n", lines.join("\n"))
    };
    let cases: Vec<(&str, String, &str, &[&str])> = vec![
        ("empty", String::new(), "input_empty", &[]),
        (
            "two series",
            series("Time,shop,crm", &[",9000,9001"]),
            "input_several_series",
            &["`shop`, `crm`", "--column"],
        ),
        (
            "long form",
            "time,db,bytes\n2026-01-01,shop,9000\n2026-01-01,crm,9001\n".into(),
            "input_several_series",
            &["`crm`, `shop`"],
        ),
        (
            "several numbers without header",
            "2026-01-01,9000,9001\n".into(),
            "input_several_series",
            &["`column 2`"],
        ),
        (
            "free",
            series("Timestamp,FreeStorageSpace", &[",319905580765"]),
            "input_free_space",
            &["FreeStorageSpace", "--free --capacity"],
        ),
        (
            "free above the header",
            "Label,FreeStorageSpace\nUnit,Bytes\nTimestamp,m1\n2026-01-01,319905580765\n".into(),
            "input_free_space",
            &["--free"],
        ),
        (
            "ambiguous dates",
            "date,bytes\n01/02/2026,9000\n02/02/2026,9001\n".into(),
            "input_ambiguous",
            &["`01/02/2026`", "--dates dmy"],
        ),
        (
            "ambiguous thousands",
            series("date;size_mb", &[";180.094", ";181.095"]),
            "input_ambiguous",
            &["`180.094`", "--decimal"],
        ),
        (
            "quoted thousands of an unknown unit",
            series("date,size", &[",\"180,094\""]),
            "input_ambiguous",
            &["--decimal ,"],
        ),
        (
            "pretty sizes",
            series("date,size", &[",168 GB", ",169 GB"]),
            "input_ambiguous",
            &["`168 GB`", "--unit 1024"],
        ),
        (
            "small numbers",
            series("date,size", &[",180.09", ",181.6"]),
            "input_unit",
            &["`size`", "--unit"],
        ),
        (
            "du -h",
            series("date,used", &[",168G"]),
            "input_line",
            &["line 2", "--unit 1024"],
        ),
        (
            "letter in header",
            series("date,used_g", &[",168"]),
            "input_unit",
            &["--unit"],
        ),
        (
            "bits",
            series("date,size", &[",168 Gb"]),
            "input_line",
            &["bits"],
        ),
        (
            "percent",
            series("date,used_percent", &[",68.5"]),
            "input_unit",
            &["`used_percent`"],
        ),
        (
            "percent in cells",
            series("date,used", &[",68 %"]),
            "input_line",
            &["is no size"],
        ),
        (
            "rows",
            series("date,row_count", &[",168000000"]),
            "input_unit",
            &["`row_count`"],
        ),
        (
            "a unit here and there",
            series("date,size", &[",168.5 GB", ",169000000000"]),
            "input_line",
            &["line 3", "no unit"],
        ),
        (
            "negative",
            series("date,bytes", &[",9000", ",-5"]),
            "input_line",
            &["line 3", "below zero"],
        ),
        (
            "too large",
            series("date,bytes", &[",9223372036854775808"]),
            "input_line",
            &["line 2", "more bytes"],
        ),
        (
            "too large by its unit",
            series("date,size_tb", &[",9999999999.5"]),
            "input_line",
            &["line 2", "more bytes"],
        ),
        (
            "infinite",
            series("date,bytes", &[",+Inf"]),
            "input_line",
            &["`+Inf`"],
        ),
        (
            "no number",
            series("date,bytes", &[",9000", ",ten"]),
            "input_line",
            &["line 3", "`ten`"],
        ),
        (
            "separators without quotes",
            series("date,bytes", &[",180,094,419,235"]),
            "input_line",
            &["line 2", "5 fields", "in quotes"],
        ),
        (
            "a field too few",
            series("date,bytes", &[",9000", ""]),
            "input_line",
            &["line 3", "1 field,"],
        ),
        (
            "mixed decimal separators",
            series("date;size_gb", &[";1.234,5", ";1,234.5"]),
            "input_line",
            &["line 3", "decimal separator"],
        ),
        (
            "a time zone that is none",
            "time,bytes\n2026-01-01 03:00 CEST,9000\n".into(),
            "input_line",
            &["CEST"],
        ),
        (
            "two-digit years",
            "date,bytes\n31.12.26,9000\n".into(),
            "input_line",
            &["line 2", "`31.12.26`"],
        ),
        (
            "a spreadsheet's day",
            "date,bytes\n46053,9000\n".into(),
            "input_line",
            &["`46053`"],
        ),
        (
            "a time that a spreadsheet rounded",
            "time,bytes\n1.769828E+12,9000\n".into(),
            "input_line",
            &["line 2"],
        ),
        (
            "seconds and milliseconds",
            "time,bytes\n1769828400,9000\n1769914800000,9000\n".into(),
            "input_line",
            &["line 3", "otherwise"],
        ),
        (
            "dates of two kinds",
            "time,bytes\n31/01/2026,9000\n2026-02-01,9000\n".into(),
            "input_line",
            &["line 3", "otherwise"],
        ),
        (
            "absurd times",
            "time,bytes\n9999-01-01,9000\n".into(),
            "input_line",
            &["line 2"],
        ),
        (
            "two sizes at once",
            "time,bytes\n2026-01-01,9000\n2026-01-02,9000\n2026-01-01,9001\n".into(),
            "input_times",
            &["2026-01-01", "line 2", "line 4"],
        ),
        (
            "two columns of times",
            "created_at,updated_at,bytes\n2026-01-01,2026-01-02,9000\n".into(),
            "input_ambiguous",
            &["`created_at`, `updated_at`"],
        ),
        (
            "no times",
            "name,bytes\nshop,9000\n".into(),
            "input_shape",
            &["line 1", "2026-01-31"],
        ),
        (
            "prose",
            "the database grew a lot\nlast year\n".into(),
            "input_shape",
            &["line 1", "the database"],
        ),
        (
            "cut JSON",
            "{\"status\": \"success\", \"data\"".into(),
            "input_line",
            &["cut short"],
        ),
    ];
    for (what, text, code, says) in cases {
        let refused = read(&text, &ReadOptions::default());
        let refused = refused.err().unwrap_or_else(|| panic!("{what} was read"));
        assert_eq!(refused.code(), code, "{what}: {refused}");
        let told = refused.to_string();
        for part in says {
            assert!(told.contains(part), "{what}: no {part:?} in {told:?}");
        }
    }
}

#[test]
fn two_series_in_one_column_are_noticed() {
    let one_after_the_other = lines("time,bytes\n", |p| format!("{},{}", date(p), p.bytes))
        + &lines("", |p| format!("{}T00:00:07Z,{}", date(p), p.bytes / 4));
    let in_turn = lines("time,bytes\n", |p| {
        format!(
            "{0}T00:00:00Z,{1}\n{0}T00:00:07Z,{2}",
            date(p),
            p.bytes,
            p.bytes / 4
        )
    });
    for text in [one_after_the_other, in_turn] {
        let refused = read(&text, &ReadOptions::default()).unwrap_err();
        assert_eq!(refused.code(), "input_times", "{refused}");
    }
    // a line that came late is no second series
    let mut late: Vec<String> = lines("", |p| format!("{},{}", date(p), p.bytes))
        .lines()
        .map(str::to_owned)
        .collect();
    late.swap(10, 12);
    assert_eq!(
        read(late.join("\n"), &ReadOptions::default())
            .unwrap()
            .points
            .len(),
        40
    );
}

#[test]
fn an_error_shows_no_more_than_a_lines_beginning() {
    let secret = "x".repeat(500);
    for text in [
        format!("date,bytes\n2026-01-01,{secret}\n"),
        format!("date,bytes\n{secret},9000\n"),
        format!("{secret},bytes\n2026-01-01,9000,{secret}\n"),
        secret.clone(),
        format!("{{\"{secret}\": 1}}"),
        format!("Time,{secret}1,{secret}2\n2026-01-01,9000,9001\n"),
        format!("time,db,bytes\n2026-01-01,{secret}1,9000\n2026-01-01,{secret}2,9001\n"),
    ] {
        let told = read(&text, &ReadOptions::default())
            .unwrap_err()
            .to_string();
        assert!(!told.contains(&"x".repeat(60)), "{told}");
    }
}

proptest! {
    /// Whatever the bytes are, they are read or refused, and an error stays short and harmless.
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), line in 0..40_usize, cell in ".{0,40}") {
        for text in [bytes, {
            let mut text: Vec<String> = lines("date,bytes\n", |p| format!("{},{}", date(p), p.bytes)).lines().map(str::to_owned).collect();
            text[line] = cell.clone();
            text.join("\n").into_bytes()
        }, lines("date,bytes\n", |p| format!("{},{cell}", date(p))).into_bytes(),
           lines("date,bytes\n", |p| format!("{cell},{}", p.bytes)).into_bytes()] {
            match read(&text, &ReadOptions::default()) {
                Ok(series) => prop_assert!(series.points.windows(2).all(|pair| pair[0].at < pair[1].at)),
                Err(refused) => {
                    let told = refused.to_string();
                    prop_assert!(told.chars().count() < 600, "{}", told);
                    prop_assert!(!told.chars().any(char::is_control), "{:?}", told);
                }
            }
        }
    }
}
