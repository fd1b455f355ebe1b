//! Forecasts a `date,bytes` CSV from the command line: what the scorer runs.
//!
//! `forecast_csv forecast --input FILE [--horizons 7,30,90] [--capacity BYTES]`
//! `forecast_csv events --input FILE`
#![expect(clippy::print_stdout, reason = "a command line program")]

use std::error::Error;
use std::fs::read_to_string;

use jiff::Timestamp;
use plimsoll_core::events::shapes;
use plimsoll_core::forecast::{Point, Question, answer};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1).map(String::as_str)
    };
    let input = option("--input").ok_or("--input FILE is missing")?;
    let points = read(&read_to_string(input)?)?;
    let json = if arguments.first().is_some_and(|command| command == "events") {
        serde_json::json!({ "events": shapes(&points, &[]) })
    } else {
        let horizons = option("--horizons")
            .unwrap_or("7,30,90")
            .split(',')
            .map(str::parse)
            .collect::<Result<Vec<f64>, _>>()?;
        let limits: Vec<u64> = option("--capacity")
            .map(str::parse)
            .transpose()?
            .into_iter()
            .collect();
        serde_json::to_value(answer(
            &points,
            Question {
                horizons_days: &horizons,
                limits_bytes: &limits,
                known: &[],
            },
        ))?
    };
    println!("{json}");
    Ok(())
}

/// The lines of a CSV after its head; a bare date means midnight UTC.
fn read(text: &str) -> Result<Vec<Point>, Box<dyn Error>> {
    text.lines()
        .skip(1)
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (date, bytes) = line
                .split_once(',')
                .ok_or_else(|| format!("`{line}` is not `date,bytes`"))?;
            let at: Timestamp = if date.len() == 10 {
                format!("{date}T00:00:00Z").parse()?
            } else {
                date.parse()?
            };
            Ok(Point {
                at,
                bytes: bytes.trim().parse()?,
            })
        })
        .collect()
}
