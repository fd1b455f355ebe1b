//! Datadog's answer to a query of points.

use serde_json::Value;

use super::{JsonSeries, cell};
use crate::refused::Refused;
use crate::unit::Word;

pub(super) fn found(value: &Value) -> Result<Option<Vec<JsonSeries>>, Refused> {
    let Some(series) = value["series"].as_array() else {
        return Ok(None);
    };
    if !series.iter().all(|series| series["pointlist"].is_array()) {
        return Ok(None);
    }
    let mut all = Vec::new();
    for one in series {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let (unit, per) = (&one["unit"][0], &one["unit"][1]);
        let name = unit["name"]
            .as_str()
            .or(unit["plural"].as_str())
            .unwrap_or_default();
        // "bytes per second" has two of them
        let word = if per.is_object() {
            Some(Word::NotASize)
        } else {
            // Datadog's kilobytes are 1024 apart, as its scale_factor says
            match (Word::of(name), unit["scale_factor"].as_f64()) {
                (Some(Word::Either(power)), Some(scale))
                    if scale == 1024_f64.powi(power.try_into().unwrap_or(0)) =>
                {
                    Some(Word::Binary(power))
                }
                (Some(word), _) => Some(word),
                (None, _) if name.is_empty() => None,
                (None, _) => Some(Word::NotASize),
            }
        };
        let (metric, scope) = (text("metric"), text("scope"));
        let name = if series.len() > 1 && !scope.is_empty() {
            format!("{metric}{{{scope}}}")
        } else {
            metric
        };
        let labels = scope.split(',').map(|tag| {
            tag.split_once(':')
                .map_or(tag, |(_, value)| value)
                .to_owned()
        });
        let mut found = JsonSeries::new(name, labels.collect(), word);
        found.cells = one["pointlist"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|pair| (whole(&pair[0]), cell(&pair[1])))
            .collect();
        all.push(found);
    }
    Ok(Some(all))
}

/// Milliseconds, which come as `1787184000000.0`.
fn whole(value: &Value) -> String {
    let text = cell(value);
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
