//! Series in the JSON that monitoring tools answer with.

mod cloudwatch;
mod datadog;
mod grafana;
mod objects;
mod prometheus;

use std::io::{self, Read, Seek};

use serde_json::Value;

use crate::evidence::Evidence;
use crate::header::{self, Says};
use crate::order::{MOST_POINTS, ordered};
use crate::refused::{Refused, beginning, listed};
use crate::text::Utf8;
use crate::unit::Word;
use crate::{ReadOptions, Series};

/// JSON is held in memory, several times its size, so a longer one is not read.
const LONGEST: u64 = 64 << 20;

/// A series of an answer.
#[derive(Debug, Default)]
struct JsonSeries {
    /// What it is called, with what tells it apart.
    name: String,
    /// The values of its labels, by any of which it can be asked for.
    labels: Vec<String>,
    says: Says,
    /// Times and sizes.
    cells: Vec<(String, String)>,
}

impl JsonSeries {
    fn new(name: String, labels: Vec<String>, word: Option<Word>) -> Self {
        let mut says = header::says(&name);
        says.word = word.or(says.word);
        Self {
            name,
            labels,
            says,
            cells: Vec::new(),
        }
    }

    /// Takes times and values that stand in two lists.
    fn fill(&mut self, times: &[Value], values: &[Value]) {
        let values = values.iter().map(cell);
        self.cells = times.iter().map(cell).zip(values).collect();
    }
}

/// Whether an input is JSON; rewinds it.
pub(crate) fn is_json(input: &mut (impl Read + Seek)) -> io::Result<bool> {
    let mut start = Vec::new();
    Utf8::new(&mut *input)?
        .take(1 << 12)
        .read_to_end(&mut start)?;
    input.rewind()?;
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    Ok(matches!(first, Some(b'{' | b'[')))
}

/// Reads one series.
pub(crate) fn read(input: &mut impl Read, options: &ReadOptions) -> Result<Series, Refused> {
    let mut text = String::new();
    let read = Utf8::new(input)?
        .take(LONGEST + 1)
        .read_to_string(&mut text);
    read.map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Refused::Shape("it is neither UTF-8 nor UTF-16".to_owned()),
        _ => Refused::Io(error),
    })?;
    if text.len() as u64 > LONGEST {
        return Err(Refused::Shape(format!(
            "it is longer than {} MB, which is much for one series as JSON: ask the tool for a larger step, \
             or for CSV",
            LONGEST >> 20
        )));
    }
    let found = found(&values(&text)?)?;
    let names = || listed(found.iter().map(|found| &*found.name));
    let wanted: Vec<&JsonSeries> = match &options.column {
        None => found.iter().collect(),
        Some(asked) => {
            let named: Vec<_> = found.iter().filter(|found| found.name == *asked).collect();
            if named.is_empty() {
                found
                    .iter()
                    .filter(|found| found.labels.contains(asked))
                    .collect()
            } else {
                named
            }
        }
    };
    let wanted = match (&*wanted, &options.column) {
        ([wanted], _) => *wanted,
        ([], Some(asked)) => {
            return Err(Refused::NoSuchSeries {
                asked: beginning(asked),
                names: names(),
            });
        }
        ([], None) => return Err(Refused::Shape("there is no series in it".to_owned())),
        (several, _) => {
            return Err(Refused::SeveralSeries {
                names: listed(several.iter().map(|found| &*found.name)),
            });
        }
    };
    series(wanted, options)
}

fn series(found: &JsonSeries, options: &ReadOptions) -> Result<Series, Refused> {
    options.check_free(&found.name, found.says)?;
    if found.cells.len() > MOST_POINTS {
        return Err(Refused::Shape(format!(
            "it has more than {MOST_POINTS} values"
        )));
    }
    // where a table has lines, an answer has values
    let as_value = |refused: Refused| match refused {
        Refused::Line { number, reason } => Refused::Shape(format!(
            "value {number} of `{}`: {reason}",
            beginning(&found.name)
        )),
        refused => refused,
    };
    let mut evidence = Evidence::new(options, true);
    for (number, (time, value)) in (1..).zip(&found.cells) {
        evidence.time(number, time).map_err(as_value)?;
        evidence.number(number, value).map_err(as_value)?;
    }
    let mut notes = Vec::new();
    let reading = evidence.decide(&found.name, found.says, true, &mut notes)?;
    let mut seen = Vec::new();
    let mut missing = 0;
    for (number, (time, value)) in (1..).zip(&found.cells) {
        match options
            .seen(&reading, number, time, value)
            .map_err(as_value)?
        {
            Some(point) => seen.push(point),
            None => missing += 1,
        }
    }
    // answers come in any order, but never as two series in one
    seen.sort_by_key(|seen| seen.at);
    let points = ordered(seen, &mut notes)?;
    Ok(Series::new(found.name.clone(), points, missing, notes))
}

/// The values of a text: one, or one on each line.
fn values(text: &str) -> Result<Vec<Value>, Refused> {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter() {
        values.push(value.map_err(|error| {
            Refused::line(
                error.line() as u64,
                format!("it is no JSON, or was cut short: {error}"),
            )
        })?);
    }
    Ok(values)
}

fn found(values: &[Value]) -> Result<Vec<JsonSeries>, Refused> {
    if let [value] = values {
        if let Some(found) = prometheus::found(value)? {
            return Ok(found);
        }
        if let Some(found) = cloudwatch::found(value)? {
            return Ok(found);
        }
        if let Some(found) = datadog::found(value)? {
            return Ok(found);
        }
        if let Some(found) = grafana::found(value)? {
            return Ok(found);
        }
        if let Value::Array(rows) = value
            && let Some(found) = objects::found(rows)?
        {
            return Ok(found);
        }
    } else {
        if let Some(found) = prometheus::exported(values) {
            return Ok(found);
        }
        if let Some(found) = objects::found(values)? {
            return Ok(found);
        }
    }
    Err(Refused::Shape(format!(
        "it is JSON, but no answer that is known of Prometheus (query_range), Grafana, CloudWatch or Datadog, \
         nor a list of objects with a time and a size; it has {}",
        match values.first() {
            Some(Value::Object(object)) => listed(object.keys().map(String::as_str)),
            Some(Value::Array(_)) => "a list".to_owned(),
            _ => "neither an object nor a list".to_owned(),
        }
    )))
}

/// A value as a cell of a table.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The labels that not all of several metrics have alike, as `a="b"`.
fn telling(all: &[Vec<(String, String)>], of: usize) -> Vec<String> {
    all[of]
        .iter()
        .filter(|label| all.iter().any(|other| !other.contains(label)))
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect()
}
