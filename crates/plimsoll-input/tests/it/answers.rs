//! Answers in JSON, as monitoring tools give them.

use plimsoll_core::forecast::Point;
use plimsoll_input::{ReadOptions, Unit};

use crate::series::{CAPACITY, check, column, read, reference};

/// The points as JSON, one after the other.
fn each(point: impl Fn(&Point) -> String) -> String {
    reference().iter().map(point).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_same_series_is_read_from_whatever_a_tool_answers() {
    let pairs = each(|p| format!("[{}, \"{}\"]", p.at.as_second(), p.bytes));
    let times = each(|p| p.at.as_millisecond().to_string());
    let values = each(|p| p.bytes.to_string());
    let cases = [
        (
            "prometheus",
            format!(
                r#"{{"status": "success", "data": {{"resultType": "matrix", "result": [
                {{"metric": {{"__name__": "pg_database_size_bytes", "datname": "shop", "instance": "db:9187"}}, "values": [{pairs}]}}]}}}}"#
            ),
        ),
        (
            "victoriametrics",
            format!(
                r#"{{"metric": {{"__name__": "pg_database_size_bytes", "datname": "shop"}}, "values": [{values}], "timestamps": [{times}]}}"#
            ),
        ),
        (
            "cloudwatch statistics",
            format!(
                r#"{{"Label": "VolumeBytesUsed", "Datapoints": [{}]}}"#,
                // in no order
                (0..40)
                    .map(|i| reference()[i * 7 % 40])
                    .map(|p| format!(
                        r#"{{"Timestamp": "{}", "Average": {}.0, "Unit": "Bytes"}}"#,
                        p.at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
                        p.bytes
                    ))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
        ),
        (
            "cloudwatch data",
            format!(
                r#"{{"MetricDataResults": [{{"Id": "m1", "Label": "VolumeBytesUsed", "Timestamps": [{}], "Values": [{values}], "StatusCode": "Complete"}}], "Messages": []}}"#,
                each(|p| format!("\"{}\"", p.at.strftime("%Y-%m-%dT%H:%M:%S+00:00")))
            ),
        ),
        (
            "grafana frame",
            format!(
                r#"[{{"schema": {{"refId": "A", "fields": [{{"name": "Time", "type": "time"}}, {{"name": "Value", "type": "number", "labels": {{"datname": "shop"}}, "config": {{"unit": "bytes"}}}}]}}, "data": {{"values": [[{times}], [{values}]]}}}}]"#
            ),
        ),
        (
            "grafana data source",
            format!(
                r#"{{"results": {{"A": {{"status": 200, "frames": [{{"schema": {{"name": "shop", "fields": [{{"name": "Time", "type": "time", "typeInfo": {{"frame": "time.Time"}}}}, {{"name": "Value", "type": "number"}}]}}, "data": {{"values": [[{times}], [{values}]]}}}}]}}}}}}"#
            ),
        ),
        (
            "grafana panel",
            format!(
                r#"[{{"state": "Done", "series": [{{"refId": "A", "fields": [{{"name": "Time", "type": "time", "config": {{}}, "values": [{times}]}}, {{"name": "shop", "type": "number", "config": {{"unit": "decbytes"}}, "values": [{values}]}}], "length": 40}}]}}]"#
            ),
        ),
        (
            "grafana targets",
            format!(
                r#"[{{"target": "shop", "datapoints": [{}]}}]"#,
                each(|p| format!("[{}, {}]", p.bytes, p.at.as_millisecond()))
            ),
        ),
        (
            "datadog",
            format!(
                r#"{{"status": "ok", "res_type": "time_series", "series": [{{"metric": "postgresql.database_size", "scope": "db:shop", "unit": [{{"family": "bytes", "scale_factor": 1.0, "name": "byte"}}, null], "pointlist": [{}]}}]}}"#,
                each(|p| format!("[{}.0, {}.0]", p.at.as_millisecond(), p.bytes))
            ),
        ),
        (
            "json_agg",
            format!(
                "[{}]",
                each(|p| format!(r#"{{"date": "{}", "bytes": {}}}"#, p.at, p.bytes))
            ),
        ),
        (
            "json lines",
            reference()
                .iter()
                .map(|p| {
                    format!(
                        "{{\"time\": {}, \"bytes\": {}}}\n",
                        p.at.as_second(),
                        p.bytes
                    )
                })
                .collect(),
        ),
    ];
    for (what, text) in cases {
        check(what, read(&text, &ReadOptions::default()), 0);
        check(
            what,
            read(format!("\u{feff}\n{text}"), &ReadOptions::default()),
            0,
        );
        // cut short at any place it is an error, not a shorter series; lines are whole
        if what != "json lines" {
            for cut in [text.len() / 3, text.len() / 2, text.len() - 2] {
                assert!(
                    read(&text[..cut], &ReadOptions::default()).is_err(),
                    "{what} cut at {cut}"
                );
            }
        }
    }
}

#[test]
fn one_of_several_answers_is_chosen_by_a_label() {
    let series = |name: &str, add: u64| {
        format!(
            r#"{{"metric": {{"__name__": "pg_database_size_bytes", "datname": "{name}", "instance": "db:9187"}}, "values": [{}]}}"#,
            each(|p| format!("[{}, \"{}\"]", p.at.as_second(), p.bytes + add))
        )
    };
    let text = format!(
        r#"{{"status": "success", "data": {{"resultType": "matrix", "result": [{}, {}]}}}}"#,
        series("shop", 0),
        series("crm", 9)
    );
    let error = read(&text, &ReadOptions::default()).unwrap_err();
    assert_eq!(error.code(), "input_several_series");
    let error = error.to_string();
    assert!(
        error.contains("datname=\"shop\"")
            && error.contains("datname=\"crm\"")
            && !error.contains("9187"),
        "{error}"
    );
    check("label", read(&text, &column("shop")), 0);
    check(
        "name",
        read(&text, &column("pg_database_size_bytes{datname=\"shop\"}")),
        0,
    );
    let objects = format!(
        "[{}]",
        each(|p| format!(
            r#"{{"t": "{0}", "db": "shop", "bytes": {1}}}, {{"t": "{0}", "db": "crm", "bytes": 5}}"#,
            p.at, p.bytes
        ))
    );
    assert_eq!(
        read(&objects, &ReadOptions::default()).unwrap_err().code(),
        "input_several_series"
    );
    check("objects", read(&objects, &column("shop")), 0);
    let statistics = format!(
        r#"{{"Label": "VolumeBytesUsed", "Datapoints": [{}]}}"#,
        each(|p| format!(
            r#"{{"Timestamp": "{}", "Average": {}, "Maximum": {}, "Unit": "Bytes"}}"#,
            p.at,
            p.bytes,
            p.bytes + 1
        ))
    );
    assert_eq!(
        read(&statistics, &ReadOptions::default())
            .unwrap_err()
            .code(),
        "input_several_series"
    );
    check("statistics", read(&statistics, &column("Average")), 0);
}

#[test]
fn free_space_in_an_answer_is_noticed_and_turned() {
    let text = format!(
        r#"{{"Label": "FreeStorageSpace", "Datapoints": [{}]}}"#,
        each(|p| format!(
            r#"{{"Timestamp": "{}", "Minimum": {}, "Unit": "Bytes"}}"#,
            p.at,
            CAPACITY - p.bytes
        ))
    );
    assert_eq!(
        read(&text, &ReadOptions::default()).unwrap_err().code(),
        "input_free_space"
    );
    let options = ReadOptions {
        is_free: true,
        capacity_bytes: Some(CAPACITY),
        ..ReadOptions::default()
    };
    check("free", read(&text, &options), 0);
}

#[test]
fn answers_that_hold_no_sizes_over_time_are_refused_by_what_they_are() {
    for (text, says) in [
        (
            r#"{"status": "error", "errorType": "bad_data", "error": "parse error"}"#,
            "parse error",
        ),
        (
            r#"{"status": "success", "data": {"resultType": "vector", "result": []}}"#,
            "query_range",
        ),
        (
            r#"{"MetricDataResults": [{"Id": "m1", "Label": "V", "Timestamps": [], "Values": [], "StatusCode": "PartialData"}]}"#,
            "a part of the data",
        ),
        (
            r#"{"Label": "V", "Datapoints": [{"Timestamp": "2026-01-01T00:00:00Z", "Sum": 5.0}]}"#,
            "Average",
        ),
        (
            r#"{"Label": "V", "Datapoints": [{"Timestamp": "2026-01-01T00:00:00Z", "Average": 5.0, "Unit": "Percent"}]}"#,
            "names no size",
        ),
        (
            r#"{"series": [{"metric": "disk.write", "unit": [{"name": "byte", "scale_factor": 1.0}, {"name": "second"}], "pointlist": [[1787184000000.0, 99999.0]]}]}"#,
            "names no size",
        ),
        (
            r#"[{"schema": {"fields": [{"name": "Time", "type": "time"}, {"name": "db", "type": "string"}, {"name": "v", "type": "number"}]}, "data": {"values": [[1787184000000, 1787184000000], ["a", "b"], [1, 2]]}}]"#,
            "several series below each other",
        ),
        (r#"{"hello": 1}"#, "`hello`"),
        ("[1, 2, 3]", "a list"),
        (
            r#"{"status": "success", "data": {"resultType": "matrix", "result": []}}"#,
            "no series",
        ),
    ] {
        let error = read(text, &ReadOptions::default()).unwrap_err().to_string();
        assert!(error.contains(says), "no {says:?} in {error:?}");
    }
    let unit = |unit: &str| {
        format!(
            r#"[{{"schema": {{"fields": [{{"name": "Time", "type": "time"}}, {{"name": "v", "type": "number", "config": {{"unit": "{unit}"}}}}]}}, "data": {{"values": [[1787184000000], [3]]}}}}]"#
        )
    };
    for (named, expected) in [("gbytes", 3_u64 << 30), ("bytes", 3), ("mbytes", 3 << 20)] {
        assert_eq!(
            read(unit(named), &ReadOptions::default()).unwrap().points[0].bytes,
            expected,
            "{named}"
        );
    }
    assert_eq!(
        read(unit("decgbytes"), &ReadOptions::default())
            .unwrap()
            .points[0]
            .bytes,
        3_000_000_000
    );
    assert_eq!(
        read(unit("binBps"), &ReadOptions::default())
            .unwrap_err()
            .code(),
        "input_unit"
    );
    let asked = ReadOptions {
        unit: Some(Unit::Bytes(1000)),
        ..ReadOptions::default()
    };
    assert_eq!(read(unit("short"), &asked).unwrap().points[0].bytes, 3000);
}
