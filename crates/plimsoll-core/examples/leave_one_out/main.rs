//! Tunes the forecaster's constants on all development series but one, and scores that one, for each in turn.
//!
//! `cargo run --profile fast -p plimsoll-core --example leave_one_out -- bench/growth SYNTHETIC...`
//!
//! Prints a Markdown table for `docs/FORECAST.md`. SYNTHETIC are folders that `synth.py` wrote. The search walks
//! over one constant at a time, twice over all of them; it begins at the lower end of every grid, not at the values
//! that are shipped, which were set with all series in view. One thread, some minutes.
#![expect(clippy::print_stdout, reason = "it prints its result")]

mod csv;
mod tasks;

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use plimsoll_core::forecast::Tuning;
use tasks::{Fared, HORIZONS, Record, Series};

/// The name of each constant and the values that are tried.
const GRIDS: [(&str, [f64; 4]); CONSTANTS] = [
    ("judged_half_life_days", [30.0, 60.0, 120.0, 240.0]),
    ("near", [0.7, 1.0, 1.5, 2.0]),
    ("power", [3.0, 6.0, 12.0, 18.0]),
    ("half_evidence", [1.5, 3.0, 6.0, 12.0]),
    ("trimmed", [0.0, 0.1, 0.2, 0.3]),
    ("still", [0.0, 0.5, 0.9, 1.4]),
    ("errors_half_life_days", [80.0, 150.0, 250.0, 500.0]),
    ("raised", [0.0, 0.5, 1.0, 1.5]),
    ("step_spreads", [8.0, 12.0, 20.0, 30.0]),
    ("turn_t", [4.0, 5.0, 6.0, 8.0]),
];
const CONSTANTS: usize = 10;
const SWEEPS: usize = 2;

/// For each constant, which of its values.
type Choice = [usize; CONSTANTS];

fn tuning(choice: Choice) -> Tuning {
    let mut values = [0.0; CONSTANTS];
    for ((value, (_, grid)), chosen) in values.iter_mut().zip(GRIDS).zip(choice) {
        *value = grid[chosen];
    }
    let [
        judged_half_life_days,
        near,
        power,
        half_evidence,
        trimmed,
        still,
        errors_half_life_days,
        raised,
        step_spreads,
        turn_t,
    ] = values;
    Tuning {
        judged_half_life_days,
        near,
        power,
        half_evidence,
        trimmed,
        still,
        errors_half_life_days,
        raised,
        step_spreads,
        turn_t,
    }
}

/// All series, and what was computed of them: searches for different left-out series share most of it.
struct Bench {
    development: Vec<Series>,
    synthetic: Vec<Series>,
    known: HashMap<Choice, (Vec<Record>, f64)>,
}

impl Bench {
    /// The records of the development series, and the loss on the synthetic ones.
    fn records(&mut self, choice: Choice) -> &(Vec<Record>, f64) {
        self.known.entry(choice).or_insert_with(|| {
            let all = |series: &[Series]| -> Vec<Record> {
                series.iter().map(|s| s.fare(tuning(choice))).collect()
            };
            (all(&self.development), loss(&all(&self.synthetic)))
        })
    }

    /// What the search makes small: the mean loss of development series, without the one left out, and synthetic ones.
    fn loss(&mut self, choice: Choice, left_out: Option<usize>) -> f64 {
        let (development, synthetic) = self.records(choice);
        let kept: Vec<Record> = development
            .iter()
            .enumerate()
            .filter(|(i, _)| Some(*i) != left_out)
            .map(|(_, record)| *record)
            .collect();
        f64::midpoint(loss(&kept), *synthetic)
    }

    fn search(&mut self, left_out: Option<usize>) -> Choice {
        let mut best = [0; CONSTANTS];
        let mut least = self.loss(best, left_out);
        for constant in (0..CONSTANTS).cycle().take(SWEEPS * CONSTANTS) {
            for value in 0..GRIDS[constant].1.len() {
                let mut choice = best;
                choice[constant] = value;
                let loss = self.loss(choice, left_out);
                if loss < least {
                    (best, least) = (choice, loss);
                }
            }
        }
        best
    }
}

/// Means over series of the logarithms of error and interval score to naive, and over horizons.
fn loss(records: &[Record]) -> f64 {
    let at = |x: usize| {
        f64::midpoint(
            mean(records, x, |fared| fared.against_naive().ln()),
            mean(records, x, |fared| fared.interval_against_naive().ln()),
        )
    };
    (0..HORIZONS.len()).map(at).sum::<f64>() / HORIZONS.len() as f64
}

/// The mean of `what` over the series that have a record at a horizon.
fn mean(records: &[Record], x: usize, what: impl Fn(&Fared) -> f64) -> f64 {
    let values: Vec<f64> = records
        .iter()
        .filter_map(|r| r[x].as_ref().map(&what))
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn three(values: impl Fn(usize) -> f64) -> String {
    let text = |x: usize| {
        format!("{:.2}", values(x))
            .trim_start_matches('0')
            .to_owned()
    };
    [0, 1, 2].map(text).join(" ")
}

fn row(name: &str, records: [&[Record]; 3]) {
    let rel = records.map(|r| three(|x| mean(r, x, |fared| fared.against_naive().ln()).exp()));
    let covered = records.map(|r| three(|x| mean(r, x, |fared| fared.covered)));
    println!("| {name} | {} | {} |", rel.join(" | "), covered.join(" | "));
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut folders = std::env::args().skip(1);
    let growth = folders.next().ok_or("which folder holds dev_*.csv?")?;
    let mut synthetic = Vec::new();
    for folder in folders {
        synthetic.extend(tasks::read(Path::new(&folder), "synth_")?);
    }
    let mut bench = Bench {
        development: tasks::read(Path::new(&growth), "dev_")?,
        synthetic,
        known: HashMap::new(),
    };
    let shipped: Vec<Record> = bench
        .development
        .iter()
        .map(|s| s.fare(Tuning::default()))
        .collect();
    let everything = bench.search(None);
    let in_sample = bench.records(everything).0.clone();
    let mut left_out = Vec::new();
    let mut choices = Vec::new();
    for i in 0..bench.development.len() {
        let choice = bench.search(Some(i));
        left_out.push(bench.records(choice).0[i]);
        choices.push(choice);
    }
    println!(
        "| series | rel, shipped | rel, tuned on all | rel, left out | cov80, shipped | cov80, tuned on all | cov80, left out |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for (i, series) in bench.development.iter().enumerate() {
        let name = series.name.trim_start_matches("dev_");
        let one = |records: &[Record]| [records[i]];
        row(name, [&one(&shipped), &one(&in_sample), &one(&left_out)]);
    }
    row("**all eight**", [&shipped, &in_sample, &left_out]);
    println!("\n| constant | tried | shipped | tuned on all | left out, lowest to highest |");
    println!("| --- | --- | --- | --- | --- |");
    let shipped = Tuning::default();
    let shipped = [
        shipped.judged_half_life_days,
        shipped.near,
        shipped.power,
        shipped.half_evidence,
        shipped.trimmed,
        shipped.still,
        shipped.errors_half_life_days,
        shipped.raised,
        shipped.step_spreads,
        shipped.turn_t,
    ];
    for (c, (name, grid)) in GRIDS.iter().enumerate() {
        let chosen = || choices.iter().map(|choice| choice[c]);
        println!(
            "| `{name}` | {} | {} | {} | {} to {} |",
            grid.map(|value| value.to_string()).join(" "),
            shipped[c],
            grid[everything[c]],
            grid[chosen().min().unwrap_or(0)],
            grid[chosen().max().unwrap_or(0)],
        );
    }
    println!("\n{} choices were scored.", bench.known.len());
    Ok(())
}
