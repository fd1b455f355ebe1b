//! What was measured against which bar: printed, and kept in `docs/PERFORMANCE.md`.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

/// One line of the table.
#[derive(Debug)]
struct Line {
    what: String,
    measured: String,
    bar: String,
    held: Option<bool>,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Report {
    lines: Vec<Line>,
}

impl Report {
    /// A number without a bar.
    pub(crate) fn tell(&mut self, what: &str, measured: String) {
        self.push(what, measured, String::new(), None);
    }

    /// A ratio of times that must not exceed a bar, which holds for `crate::TABLES` tables or more: with
    /// few of them it is the fixed cost of a visit that is measured.
    pub(crate) fn ratio_at_most(&mut self, what: &str, measured: f64, bar: f64, tables: u32) {
        if tables >= crate::TABLES {
            self.at_most(what, measured, bar, "");
        } else {
            self.tell(what, format!("{measured:.2}"));
        }
    }

    /// A number that must not exceed a bar.
    pub(crate) fn at_most(&mut self, what: &str, measured: f64, bar: f64, unit: &str) {
        let decimals = if unit.is_empty() { 2 } else { 1 };
        self.push(
            what,
            format!("{measured:.decimals$}{unit}"),
            format!("at most {bar}{unit}"),
            Some(measured <= bar),
        );
    }

    /// Something that must be as said.
    pub(crate) fn must(&mut self, what: &str, measured: String, bar: &str, held: bool) {
        self.push(what, measured, bar.to_owned(), Some(held));
    }

    fn push(&mut self, what: &str, measured: String, bar: String, held: Option<bool>) {
        let line = Line {
            what: what.to_owned(),
            measured,
            bar,
            held,
        };
        crate::say(&format!(
            "{:>4}  {:<64} {:>22}  {}",
            verdict(line.held),
            line.what,
            line.measured,
            line.bar
        ));
        self.lines.push(line);
    }

    /// The lines whose bar was missed.
    pub(crate) fn missed(&self) -> usize {
        self.lines
            .iter()
            .filter(|line| line.held == Some(false))
            .count()
    }

    fn markdown(&self) -> String {
        let mut text = String::from("| what | measured | bar | |\n| --- | ---: | --- | --- |\n");
        for line in &self.lines {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                line.what,
                line.measured,
                line.bar,
                verdict(line.held)
            );
        }
        text
    }

    /// Puts the table in place of the last one.
    pub(crate) fn write(&self, head: &str) -> Result<()> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/PERFORMANCE.md");
        let attempt = || format!("writing the table into {}", path.display());
        let text = std::fs::read_to_string(&path).with_context(attempt)?;
        let table = format!("{head}\n\n{}", self.markdown());
        let text = between_markers(&text, &table)
            .with_context(|| format!("looking for {BEGIN} and {END}"))
            .with_context(attempt)?;
        std::fs::write(&path, text).with_context(attempt)
    }
}

const fn verdict(held: Option<bool>) -> &'static str {
    match held {
        Some(true) => "ok",
        Some(false) => "MISS",
        None => "",
    }
}

const BEGIN: &str = "<!-- sizing: make bench writes from here -->";
const END: &str = "<!-- sizing: to here -->";

/// The text with something else between the markers; none where they are missing.
fn between_markers(text: &str, new: &str) -> Option<String> {
    let start = text.find(BEGIN)? + BEGIN.len();
    let end = start + text[start..].find(END)?;
    Some(format!(
        "{}\n{}\n{}",
        &text[..start],
        new.trim(),
        &text[end..]
    ))
}

/// Bytes as megabytes, for people.
#[expect(
    clippy::cast_precision_loss,
    reason = "a number to print, far below what a double holds exactly"
)]
pub(crate) fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_is_replaced() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(
            between_markers(&text, "new\n"),
            Some(format!("a\n{BEGIN}\nnew\n{END}\nb\n"))
        );
        assert_eq!(between_markers("a", "new"), None);
    }
}
