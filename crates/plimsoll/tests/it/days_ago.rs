//! A history whose samples lie days apart, though they were taken just now: exported, dated back and imported.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::Home;

/// Fields that hold a place in the order of samples.
const TICKS: [&str; 7] = [
    "tick",
    "first_tick",
    "last_tick",
    "gone_tick",
    "until_tick",
    "from_tick",
    "last_good_tick",
];

/// Dates the samples of the store back so that the newest is of now, and each other a day older than the next.
pub(crate) fn date_back(home: &Home, url: &str) {
    let exported = home.run(url, &["export"]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let mut rows: Vec<Value> = exported
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|row: &Value| row["row"] != "disk" && row["row"] != "disk_look")
        .collect();
    let is_sample = |row: &&Value| row["row"] == "sample";
    let count = rows.iter().filter(is_sample).count();
    let mut ticks: BTreeMap<i64, i64> = BTreeMap::new();
    let mut times: BTreeMap<Timestamp, Timestamp> = BTreeMap::new();
    for (place, row) in rows.iter().filter(is_sample).enumerate() {
        let was: Timestamp = row["sampled_at"].as_str().unwrap().parse().unwrap();
        let days = i64::try_from(count - 1 - place).unwrap();
        let is = was - SignedDuration::from_hours(24 * days);
        let tick = row["tick"].as_i64().unwrap();
        ticks.insert(tick, tick - days * 86_400);
        times.insert(was, is);
    }
    for row in &mut rows {
        for name in TICKS {
            if let Some(is) = row[name].as_i64().and_then(|was| ticks.get(&was)) {
                row[name] = (*is).into();
            }
        }
        for name in ["sampled_at", "from_at", "to_at", "full_sweep_at"] {
            let was = row[name]
                .as_str()
                .and_then(|text| text.parse::<Timestamp>().ok());
            let is = was.and_then(|was| times.get(&was).copied().or_else(|| nearest(&times, was)));
            if let Some(is) = is {
                row[name] = is.to_string().into();
            }
        }
    }
    let text: String = rows.into_iter().map(line).collect();
    let file = home.write("dated_back.ndjson", &text);
    std::fs::remove_file(home.store_path()).unwrap();
    for ending in ["-wal", "-shm"] {
        let beside = home.store_path().with_extension(format!("db{ending}"));
        let _ = std::fs::remove_file(beside);
    }
    let imported = home.run(url, &["import", file.to_str().unwrap()]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
}

/// A line of an export begins with what it is.
fn line(mut row: Value) -> String {
    let kind = row.as_object_mut().unwrap().remove("row").unwrap();
    format!("{{\"row\":{kind},{}\n", &row.to_string()[1..])
}

/// Events know times to the second in some stores.
fn nearest(times: &BTreeMap<Timestamp, Timestamp>, was: Timestamp) -> Option<Timestamp> {
    let found = times
        .iter()
        .find(|(at, _)| at.as_second() == was.as_second());
    found.map(|(_, is)| *is)
}
