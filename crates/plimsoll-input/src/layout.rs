//! Where a delimited file has what: its delimiter, the lines above its header, its header.

use std::io::{Read, Seek};

use csv::ByteRecord;

use crate::header::{self, Says};
use crate::records::{Bounded, Delimiter, cell, is_blank};
use crate::refused::{Refused, beginning};
use crate::text::Utf8;
use crate::time;
use crate::unit::Word;

/// How much of a file is looked at for its layout.
const LOOKED_AT: u64 = 1 << 16;
/// How many records of it.
const RECORDS: usize = 200;

/// A record with the line at which it begins.
type Line = (u64, ByteRecord);

/// A file's layout, and its first records.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) delimiter: Delimiter,
    /// Lines up to and with the header.
    pub(crate) head_lines: u64,
    /// What the columns are called; none where there is no header.
    pub(crate) header: Option<Vec<String>>,
    /// What stands above the header: names with what is said of them.
    pub(crate) above: Vec<(String, String)>,
    /// The first records of data.
    pub(crate) first: Vec<Line>,
    pub(crate) columns: usize,
}

impl Layout {
    /// Finds the layout and rewinds the input.
    pub(crate) fn find(input: &mut (impl Read + Seek)) -> Result<Self, Refused> {
        let mut text = Vec::new();
        Utf8::new(&mut *input)?
            .take(LOOKED_AT)
            .read_to_end(&mut text)?;
        input.rewind()?;
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(Refused::Empty);
        }
        // what was cut off would look like a record with too few fields
        if text.len() as u64 == LOOKED_AT
            && let Some(end) = text.iter().rposition(|&byte| byte == b'\n')
        {
            text.truncate(end + 1);
        }
        let said = said_delimiter(&text);
        let candidates = said.map_or_else(|| vec![b',', b';', b'\t', b'|'], |said| vec![said]);
        let mut best: Option<(usize, Vec<Line>, Delimiter)> = None;
        for byte in candidates {
            let delimiter = Delimiter(byte);
            let records = records(&text, delimiter, said.is_some());
            let score = score(&records);
            let names_a_time = records.first().is_some_and(|(_, record)| {
                record.len() > 1 && names(record).iter().any(|name| header::is_time(name))
            });
            // without data the header tells
            let score = 2 * score + usize::from(names_a_time);
            if best.as_ref().is_none_or(|(most, ..)| score > *most) {
                best = Some((score, records, delimiter));
            }
        }
        let (score, records, delimiter) = best.ok_or(Refused::Empty)?;
        let data = match score {
            0 | 1 => 1.min(records.len()),
            _ => records
                .iter()
                .position(|(_, record)| record.len() > 1 && has_time(record))
                .unwrap_or(0),
        };
        let width = records
            .get(data)
            .or(records.last())
            .map_or(0, |(_, record)| record.len());
        let head = &records[..data];
        // the header is the record above the data that is as wide, or else the last above it, which then is wrong
        let place = head
            .iter()
            .rposition(|(_, record)| record.len() > 1 && record.len() == width)
            .or_else(|| {
                head.last()
                    .filter(|(_, record)| record.len() > 1)
                    .map(|_| head.len() - 1)
            });
        let header = place.map(|place| names(&head[place].1));
        let columns = header.as_ref().map_or(width, Vec::len);
        if score == 0 {
            let first = records.first().map_or(String::new(), |(_, record)| {
                record
                    .iter()
                    .map(|cell| String::from_utf8_lossy(cell).into_owned())
                    .collect::<Vec<_>>()
                    .join(",")
            });
            return Err(Refused::Shape(format!(
                "line {}: no column of it has times that are known, such as 2026-01-31, 2026-01-31T03:00:00Z \
                 or 1769828400; it begins with `{}`",
                records.first().map_or(1, |(line, _)| *line),
                beginning(&first)
            )));
        }
        let above = head[..place.unwrap_or(data.min(head.len()))]
            .iter()
            .filter(|(_, record)| record.len() > 1)
            .map(|(_, record)| (cell(record, 0).into_owned(), cell(record, 1).into_owned()))
            .collect();
        let head_lines = match records.get(data) {
            Some((line, _)) => line - 1,
            None => u64::MAX,
        };
        Ok(Self {
            delimiter,
            head_lines,
            header,
            above,
            columns,
            first: records.into_iter().skip(data).collect(),
        })
    }

    /// What a column is called.
    pub(crate) fn name(&self, column: usize) -> String {
        self.header
            .as_ref()
            .and_then(|names| names.get(column))
            .filter(|name| !name.is_empty())
            .cloned()
            .unwrap_or_else(|| format!("column {}", column + 1))
    }
}

impl Layout {
    /// What a column's name says, and what stands above the header about all of it.
    pub(crate) fn says(&self, name: &str) -> Says {
        let mut says = header::says(name);
        for (what, value) in &self.above {
            match what
                .trim()
                .trim_end_matches(':')
                .to_ascii_lowercase()
                .as_str()
            {
                "unit" | "units" => says.word = says.word.or(Word::of(value.trim())),
                "label" | "full label" | "metric" | "metric name" | "name" | "metricname" => {
                    says.is_free |= header::says(value).is_free;
                }
                _ => {}
            }
        }
        says
    }
}

/// `sep=;`, as Excel has it.
fn said_delimiter(text: &[u8]) -> Option<u8> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let line = String::from_utf8_lossy(line)
        .trim()
        .trim_matches('"')
        .to_ascii_lowercase();
    match line.strip_prefix("sep=")?.as_bytes() {
        [byte] => Some(*byte),
        // the tab itself was trimmed
        [] => Some(b'\t'),
        _ => None,
    }
}

fn records(text: &[u8], delimiter: Delimiter, has_said: bool) -> Vec<Line> {
    let mut reader = delimiter.reader(Bounded::new(text, delimiter.has_quotes()));
    let mut records = Vec::new();
    for record in reader.byte_records().take(RECORDS) {
        let Ok(record) = record else { break };
        let line = record.position().map_or(0, csv::Position::line);
        if !(is_blank(&record) || has_said && line == 1) {
            records.push((line, record));
        }
    }
    records
}

/// How many records are as wide as the first that has a time, and have one too.
fn score(records: &[Line]) -> usize {
    let with_time = || {
        records
            .iter()
            .map(|(_, record)| record)
            .filter(|record| has_time(record))
    };
    let Some(width) = with_time().map(ByteRecord::len).find(|&width| width > 1) else {
        return 0;
    };
    with_time().filter(|record| record.len() == width).count()
}

fn has_time(record: &ByteRecord) -> bool {
    (0..record.len()).any(|at| time::forms(&cell(record, at)).next().is_some())
}

fn names(record: &ByteRecord) -> Vec<String> {
    (0..record.len())
        .map(|at| {
            cell(record, at)
                .trim()
                .trim_start_matches('#')
                .trim()
                .to_owned()
        })
        .collect()
}
