//! Scores the present pace on 200 made-up burns and 200 ordinary days, and writes the tables into a Markdown file.
//!
//! `make pace-score` has it do so with `docs/FORECAST.md`, between the two comments that say so. Half a minute.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "made-up numbers are small"
)]

mod dice;
mod generate;
mod score;

use std::error::Error;
use std::fmt::Write as _;

const BEGIN: &str = "<!-- pace scores: written by make pace-score -->\n";
const END: &str = "<!-- end of pace scores -->";

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: pace_score FILE.md")?;
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text
        .split_once(BEGIN)
        .ok_or("the file lacks the comment that begins the scores")?;
    let (_, after) = rest
        .split_once(END)
        .ok_or("the file lacks the comment that ends the scores")?;
    std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", tables()?))?;
    Ok(())
}

fn tables() -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "| burns | median error, at half | cover | not seen | median error, at three quarters | cover | not seen |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (half, later) in score::score_burns(0.5).iter().zip(score::score_burns(0.75)) {
        writeln!(
            text,
            "| {} | {:.2} | {:.2} | {} of {} | {:.2} | {:.2} | {} |",
            half.name,
            half.median_error,
            half.cover,
            half.not_seen,
            half.burns,
            later.median_error,
            later.cover,
            later.not_seen
        )?;
    }
    text += "\n| ordinary days | that said \"full within a day\" at two looks in a row |\n| --- | --- |\n";
    for day in score::score_days() {
        writeln!(
            text,
            "| {} | {} of {} |",
            day.name, day.false_alarms, day.days
        )?;
    }
    Ok(text)
}
