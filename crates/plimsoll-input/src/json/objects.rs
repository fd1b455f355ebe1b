//! A list of objects with a time and a size each, as `json_agg` and many scripts write it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{JsonSeries, cell};
use crate::header;
use crate::number::{self, Cell, Decimal};
use crate::refused::{Refused, listed};
use crate::time;

pub(super) fn found(rows: &[Value]) -> Result<Option<Vec<JsonSeries>>, Refused> {
    let Some(Value::Object(first)) = rows.first() else {
        return Ok(None);
    };
    let is_time = |key: &str, value: &Value| {
        time::is_date(&cell(value))
            || header::is_time(key) && time::forms(&cell(value)).next().is_some()
    };
    let times: Vec<&String> = first
        .iter()
        .filter(|(key, value)| is_time(key, value))
        .map(|(key, _)| key)
        .collect();
    let time = match &*times {
        [time] => *time,
        [] => return Ok(None),
        several => {
            return Err(Refused::Ambiguous(format!(
                "several values have times: {}",
                listed(several.iter().map(|name| name.as_str()))
            )));
        }
    };
    let is_number = |key: &str| {
        let mut cells = rows
            .iter()
            .map(|row| number::read(&cell(&row[key]), Decimal::Point));
        cells
            .find(|cell| *cell != Cell::Missing)
            .is_some_and(|cell| matches!(cell, Cell::Number(_)))
    };
    let keys: Vec<&String> = first.keys().filter(|key| *key != time).collect();
    let (values, labels): (Vec<&String>, Vec<&String>) =
        keys.into_iter().partition(|key| is_number(key));
    let mut all: BTreeMap<(String, String), JsonSeries> = BTreeMap::new();
    for row in rows {
        let label: Vec<String> = labels.iter().map(|key| cell(&row[key.as_str()])).collect();
        for value in &values {
            let found = all
                .entry((label.join("/"), (*value).clone()))
                .or_insert_with(|| {
                    let mut found = JsonSeries::new((*value).clone(), label.clone(), None);
                    found.labels.push(label.join("/"));
                    found
                });
            found
                .cells
                .push((cell(&row[time.as_str()]), cell(&row[value.as_str()])));
        }
    }
    let is_labelled = all
        .keys()
        .any(|(label, _)| all.keys().any(|(other, _)| other != label));
    let several_values = values.len() > 1;
    Ok(Some(
        all.into_iter()
            .map(|((label, value), mut found)| {
                if is_labelled {
                    found.name = if several_values {
                        format!("{label}/{value}")
                    } else {
                        label
                    };
                }
                found
            })
            .collect(),
    ))
}
