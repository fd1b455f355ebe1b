//! Files that a command is given: opened once, read by `plimsoll-input`.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use anyhow::Context as _;
use plimsoll_connect::folder::of_file;
use plimsoll_input::{ReadOptions, Series};
use serde::Serialize;

/// What was read and how, beside the answer about it.
#[derive(Debug, Serialize)]
pub(crate) struct InputAnswer {
    /// What the file calls the series.
    series: String,
    /// How many sizes it has.
    values: usize,
    /// What was assumed, and what was left out.
    notes: Vec<String>,
}

/// An answer about a file's series: the API's, and what was read.
#[derive(Debug, Serialize)]
pub(crate) struct OfFile<'a, T> {
    input: &'a InputAnswer,
    #[serde(flatten)]
    answer: &'a T,
}

/// Reads a series from a file; `-` is standard input.
pub(crate) fn read(path: &Path, options: &ReadOptions) -> anyhow::Result<(Series, InputAnswer)> {
    let mut file = open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let series = plimsoll_input::read(&mut file, options)
        .with_context(|| format!("cannot read sizes over time from {}", path.display()))?;
    let answer = InputAnswer {
        series: series.name.clone(),
        values: series.points.len(),
        notes: series.notes.clone(),
    };
    Ok((series, answer))
}

/// The file, or what comes through a pipe in a file without a name: it is read twice.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut piped: Box<dyn Read> = if path == Path::new("-") {
        Box::new(io::stdin())
    } else {
        let file = File::open(path).map_err(|error| of_file(path, error))?;
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Box::new(file)
    };
    let mut file = tempfile::tempfile()?;
    io::copy(&mut piped, &mut file)?;
    file.rewind()?;
    Ok(file)
}

impl InputAnswer {
    pub(crate) const fn with<'a, T>(&'a self, answer: &'a T) -> OfFile<'a, T> {
        OfFile {
            input: self,
            answer,
        }
    }

    /// For people, below the answer.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        for note in &self.notes {
            writeln!(out, "Note: {note}.")?;
        }
        Ok(())
    }
}
