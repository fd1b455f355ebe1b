//! CloudWatch's `get-metric-statistics` and `get-metric-data`.

use serde_json::Value;

use super::{JsonSeries, cell};
use crate::refused::{Refused, beginning};
use crate::unit::Word;

pub(super) fn found(value: &Value) -> Result<Option<Vec<JsonSeries>>, Refused> {
    if let Some(points) = value["Datapoints"].as_array() {
        return statistics(value["Label"].as_str().unwrap_or("value"), points).map(Some);
    }
    let Some(results) = value["MetricDataResults"].as_array() else {
        return Ok(None);
    };
    let mut all = Vec::new();
    for result in results {
        if result["StatusCode"] == "PartialData" || value["NextToken"].is_string() {
            return Err(Refused::Shape(
                "CloudWatch says that it is a part of the data only (StatusCode, NextToken): ask for the rest, \
                 or for a longer period"
                    .to_owned(),
            ));
        }
        let text = |key: &str| result[key].as_str().unwrap_or_default().to_owned();
        let (times, values) = (result["Timestamps"].as_array(), result["Values"].as_array());
        let (Some(times), Some(values)) = (times, values) else {
            return Err(Refused::Shape(
                "a result of it has no Timestamps and Values".to_owned(),
            ));
        };
        let name = if text("Label").is_empty() {
            text("Id")
        } else {
            text("Label")
        };
        let mut found = JsonSeries::new(name, vec![text("Id")], None);
        found.fill(times, values);
        all.push(found);
    }
    Ok(Some(all))
}

/// A point has one value for each statistic that was asked for.
fn statistics(label: &str, points: &[Value]) -> Result<Vec<JsonSeries>, Refused> {
    let mut all = Vec::new();
    for statistic in ["Average", "Minimum", "Maximum"] {
        let with = || points.iter().filter(|point| point.get(statistic).is_some());
        let Some(first) = with().next() else { continue };
        let mut units: Vec<&str> = with().filter_map(|point| point["Unit"].as_str()).collect();
        units.dedup();
        if let [one, other, ..] = &*units {
            return Err(Refused::Unit(format!(
                "its points are in different units: `{}` and `{}`",
                beginning(one),
                beginning(other)
            )));
        }
        let unit = first["Unit"]
            .as_str()
            .filter(|unit| *unit != "None")
            .and_then(Word::of);
        let mut found = JsonSeries::new(label.to_owned(), vec![statistic.to_owned()], unit);
        found.cells = with()
            .map(|point| (cell(&point["Timestamp"]), cell(&point[statistic])))
            .collect();
        all.push(found);
    }
    if all.is_empty() && !points.is_empty() {
        return Err(Refused::Shape(
            "its points have no Average, Minimum or Maximum: a sum, or a number of samples, is no size".to_owned(),
        ));
    }
    // of several statistics each is called by what it is
    if all.len() > 1 {
        for found in &mut all {
            found.name = found.labels[0].clone();
        }
    }
    if all.is_empty() {
        all.push(JsonSeries::new(
            label.to_owned(),
            Vec::new(),
            Some(Word::Bytes),
        ));
    }
    Ok(all)
}
