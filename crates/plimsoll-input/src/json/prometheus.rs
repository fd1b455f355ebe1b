//! Answers of Prometheus' `query_range` (and of what answers alike), and VictoriaMetrics' export.

use serde_json::{Map, Value};

use super::{JsonSeries, cell, telling};
use crate::refused::{Refused, beginning};

pub(super) fn found(value: &Value) -> Result<Option<Vec<JsonSeries>>, Refused> {
    if let (Some("error"), Some(error)) = (value["status"].as_str(), value["error"].as_str()) {
        return Err(Refused::Shape(format!(
            "it is an error: {}",
            beginning(error)
        )));
    }
    let Some(kind) = value["data"]["resultType"].as_str() else {
        return Ok(exported(std::slice::from_ref(value)));
    };
    if kind != "matrix" {
        return Err(Refused::Shape(format!(
            "it is Prometheus' answer to an instant query (`{}`): ask query_range, which answers with values \
             over time",
            beginning(kind)
        )));
    }
    let empty = Vec::new();
    let results = value["data"]["result"].as_array().unwrap_or(&empty);
    let labels: Vec<_> = results
        .iter()
        .map(|result| labels(&result["metric"]))
        .collect();
    let mut all = Vec::new();
    for (place, result) in results.iter().enumerate() {
        let Some(values) = result["values"].as_array() else {
            return Err(Refused::Shape(
                "its values are histograms, and no sizes".to_owned(),
            ));
        };
        let mut found = named(&labels, place);
        found.cells = values
            .iter()
            .map(|pair| (cell(&pair[0]), cell(&pair[1])))
            .collect();
        all.push(found);
    }
    Ok(Some(all))
}

/// A line for each series, with its values and times beside each other.
pub(super) fn exported(lines: &[Value]) -> Option<Vec<JsonSeries>> {
    let labels: Vec<_> = lines.iter().map(|line| labels(&line["metric"])).collect();
    let mut all = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        line["metric"].as_object()?;
        let (values, times) = (line["values"].as_array()?, line["timestamps"].as_array()?);
        let mut found = named(&labels, place);
        found.fill(times, values);
        all.push(found);
    }
    Some(all)
}

fn labels(metric: &Value) -> Vec<(String, String)> {
    metric
        .as_object()
        .unwrap_or(&Map::new())
        .iter()
        .map(|(name, value)| (name.clone(), cell(value)))
        .collect()
}

fn named(all: &[Vec<(String, String)>], place: usize) -> JsonSeries {
    let metric = all[place].iter().find(|(name, _)| name == "__name__");
    let metric = metric.map_or("", |(_, metric)| metric);
    let telling: Vec<String> = telling(all, place)
        .into_iter()
        .filter(|label| !label.starts_with("__name__="))
        .collect();
    let name = match (metric, &*telling) {
        ("", []) => "value".to_owned(),
        (metric, []) => metric.to_owned(),
        (metric, telling) => format!("{metric}{{{}}}", telling.join(",")),
    };
    JsonSeries::new(
        name,
        all[place].iter().map(|(_, value)| value.clone()).collect(),
        None,
    )
}
