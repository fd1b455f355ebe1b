//! What Grafana shows under Inspect, what its data sources answer, and its older lists of points.

use serde_json::Value;

use super::{JsonSeries, cell};
use crate::refused::Refused;
use crate::unit::Word;

pub(super) fn found(value: &Value) -> Result<Option<Vec<JsonSeries>>, Refused> {
    let mut frames: Vec<&Value> = Vec::new();
    collect(value, &mut frames);
    if frames.is_empty() {
        return Ok(targets(value));
    }
    let mut all = Vec::new();
    for frame in frames {
        all.extend(series(frame)?);
    }
    if all.is_empty() {
        return Err(Refused::Shape(
            "no frame of it has both times and numbers".to_owned(),
        ));
    }
    tell_apart(&mut all);
    Ok(Some(all))
}

/// The frames, wherever they lie: `[{schema, data}]`, `[{series: [...]}]`, `{results: {A: {frames}}}`.
fn collect<'a>(value: &'a Value, frames: &mut Vec<&'a Value>) {
    let is_frame = value["schema"]["fields"].is_array() || value["fields"].is_array();
    if is_frame {
        frames.push(value);
        return;
    }
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(value, frames)),
        Value::Object(object) => {
            for key in ["results", "frames", "series"] {
                match object.get(key) {
                    Some(Value::Object(results)) => {
                        results.values().for_each(|value| collect(value, frames));
                    }
                    Some(list) => collect(list, frames),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

fn series(frame: &Value) -> Result<Vec<JsonSeries>, Refused> {
    let no_fields = Vec::new();
    let fields = frame["schema"]["fields"]
        .as_array()
        .or(frame["fields"].as_array())
        .unwrap_or(&no_fields);
    let values = |place: usize| {
        let beside = &fields[place]["values"];
        let list = if beside.is_array() {
            beside
        } else {
            &frame["data"]["values"][place]
        };
        list.as_array().cloned().unwrap_or_default()
    };
    let of_type =
        |wanted: &'static str| (0..fields.len()).filter(move |&at| fields[at]["type"] == wanted);
    let mut times = of_type("time");
    let (Some(time), None) = (times.next(), times.next()) else {
        return Ok(Vec::new());
    };
    if of_type("string").any(|at| {
        let mut texts = values(at);
        texts.dedup();
        texts.len() > 1
    }) {
        return Err(Refused::Shape(
            "a frame of it has several series below each other: choose a format of time series in the panel".to_owned(),
        ));
    }
    let name = frame["schema"]["name"]
        .as_str()
        .or(frame["name"].as_str())
        .unwrap_or_default();
    Ok(of_type("number")
        .map(|at| {
            let field = &fields[at];
            let labels: Vec<String> = field["labels"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(_, value)| cell(value))
                .collect();
            let own = field["name"].as_str().unwrap_or_default();
            let given = [
                &field["config"]["displayName"],
                &field["config"]["displayNameFromDS"],
            ];
            let shown = given
                .into_iter()
                .find_map(Value::as_str)
                .unwrap_or(match own {
                    "Value" | "value" | "" if !name.is_empty() => name,
                    own => own,
                });
            let mut found =
                JsonSeries::new(shown.to_owned(), labels, unit(&field["config"]["unit"]));
            found.says.is_free |= crate::header::says(own).is_free;
            found.labels.push(own.to_owned());
            let times = values(time);
            found.cells = times
                .iter()
                .map(cell)
                .zip(values(at).iter().map(cell))
                .collect();
            found
        })
        .collect())
}

/// `[{target, datapoints: [[value, time]]}]`
fn targets(value: &Value) -> Option<Vec<JsonSeries>> {
    let list = value.as_array()?;
    let mut all = Vec::new();
    for one in list {
        let mut found = JsonSeries::new(cell(&one["target"]), Vec::new(), None);
        found.cells = one["datapoints"]
            .as_array()?
            .iter()
            .map(|pair| (cell(&pair[1]), cell(&pair[0])))
            .collect();
        all.push(found);
    }
    (!all.is_empty()).then_some(all)
}

/// Grafana's names of units. What a panel shows has one; its values are in it.
fn unit(unit: &Value) -> Option<Word> {
    let unit = unit.as_str()?;
    let power = |letter: &str| {
        ["k", "m", "g", "t", "p"]
            .iter()
            .position(|known| *known == letter)
    };
    let prefixed =
        |rest: &str| power(rest.strip_suffix("bytes")?).and_then(|at| u32::try_from(at + 1).ok());
    match unit {
        "bytes" | "decbytes" => Some(Word::Bytes),
        "short" | "none" | "" | "locale" | "sishort" => None,
        unit => match unit.strip_prefix("dec").and_then(prefixed) {
            Some(power) => Some(Word::Either(power)),
            None => prefixed(unit).map(Word::Binary).or(Some(Word::NotASize)),
        },
    }
}

/// Names that several series share are told apart by their labels.
fn tell_apart(all: &mut [JsonSeries]) {
    for place in 0..all.len() {
        let same = all
            .iter()
            .filter(|found| found.name == all[place].name)
            .count();
        if same > 1 && !all[place].labels.is_empty() {
            let own = all[place].labels[..all[place].labels.len() - 1].join(",");
            all[place].labels.push(own.clone());
            let name = format!("{}{{{own}}}", all[place].name);
            all[place].name = name;
        }
    }
}
