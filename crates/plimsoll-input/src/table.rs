//! Series and relations' sizes in delimited files.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use csv::ByteRecord;

use plimsoll_core::counted::{counted, either};

use crate::columns::Columns;
use crate::evidence::{Evidence, Reading};
use crate::layout::Layout;
use crate::order::{MOST_POINTS, Measured, ordered};
use crate::records::{Records, cell, is_blank};
use crate::refused::{Refused, listed};
use crate::{ReadOptions, Series};

/// How many names of series are remembered to be told.
const NAMES: usize = 50;

/// Reads one series.
pub(crate) fn read(
    input: &mut (impl Read + Seek),
    options: &ReadOptions,
) -> Result<Series, Refused> {
    let layout = Layout::find(input)?;
    let columns = Columns::choose(&layout, options)?;
    options.check_free(&columns.name, columns.says)?;
    let mut evidence = Evidence::new(options, false);
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut unwanted: BTreeSet<String> = BTreeSet::new();
    let mut lines = 0_usize;
    each(input, &layout, |line, record| {
        if !columns.is_wanted(record) {
            remember(&mut unwanted, columns.series(record));
            return Ok(());
        }
        remember(&mut names, columns.series(record));
        check_width(line, record, &layout)?;
        evidence.time(line, &cell(record, columns.time))?;
        evidence.number(line, &cell(record, columns.value))?;
        lines += 1;
        if lines > MOST_POINTS {
            return Err(Refused::Shape(format!(
                "it has more than {MOST_POINTS} values: one an hour, or one a day, is enough"
            )));
        }
        Ok(())
    })?;
    if names.len() > 1 {
        return Err(Refused::SeveralSeries {
            names: listed(names.iter().map(String::as_str)),
        });
    }
    if let (Some(asked), true) = (&columns.label, names.is_empty()) {
        return Err(Refused::NoSuchSeries {
            asked: asked.clone(),
            names: listed(unwanted.iter().map(String::as_str).chain([&*columns.name])),
        });
    }
    let mut notes = Vec::new();
    let prefers_point = layout.delimiter.0 == b',';
    let reading = evidence.decide(&columns.name, columns.says, prefers_point, &mut notes)?;
    let mut seen = Vec::new();
    let mut missing = 0_u64;
    each(input, &layout, |line, record| {
        if columns.is_wanted(record) {
            let cells = (cell(record, columns.time), cell(record, columns.value));
            match options.seen(&reading, line, &cells.0, &cells.1)? {
                Some(point) => seen.push(point),
                None => missing += 1,
            }
        }
        Ok(())
    })?;
    let points = ordered(seen, &mut notes)?;
    let name = names.pop_first().filter(|name| !name.is_empty());
    Ok(Series::new(
        name.unwrap_or(columns.name),
        points,
        missing,
        notes,
    ))
}

impl ReadOptions {
    /// One line's size; none where it has no number.
    pub(crate) fn seen(
        &self,
        reading: &Reading,
        line: u64,
        time: &str,
        value: &str,
    ) -> Result<Option<Measured>, Refused> {
        let at = reading.time(line, time)?;
        let Some(bytes) = reading.bytes(line, value)? else {
            return Ok(None);
        };
        let bytes = match (self.is_free, self.capacity_bytes) {
            (true, Some(capacity)) => capacity.checked_sub(bytes).ok_or_else(|| {
                Refused::line(
                    line,
                    format!(
                        "{} {} free, and the capacity is {capacity}",
                        counted(bytes, "byte"),
                        either(bytes, "is", "are")
                    ),
                )
            })?,
            _ => bytes,
        };
        Ok(Some(Measured { at, bytes, line }))
    }
}

/// Calls `take` with each record of data.
pub(crate) fn each(
    input: &mut (impl Read + Seek),
    layout: &Layout,
    mut take: impl FnMut(u64, &ByteRecord) -> Result<(), Refused>,
) -> Result<(), Refused> {
    input.rewind()?;
    let mut records = Records::new(&mut *input, layout.delimiter)?;
    while let Some((line, record)) = records.next()? {
        if line > layout.head_lines && !is_blank(record) {
            take(line, record)?;
        }
    }
    Ok(())
}

pub(crate) fn check_width(line: u64, record: &ByteRecord, layout: &Layout) -> Result<(), Refused> {
    if record.len() == layout.columns {
        return Ok(());
    }
    let hint = if record.len() > layout.columns {
        "; are there separators in a number that is not in quotes?"
    } else {
        ""
    };
    Err(Refused::line(
        line,
        format!(
            "it has {}, and {} {}{hint}",
            counted(record.len() as u64, "field"),
            if layout.header.is_some() {
                "the header"
            } else {
                "the first line"
            },
            layout.columns
        ),
    ))
}

fn remember(names: &mut BTreeSet<String>, name: String) {
    if names.len() < NAMES {
        names.insert(name);
    }
}
