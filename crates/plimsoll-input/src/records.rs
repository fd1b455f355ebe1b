//! The records of a delimited file, none of them longer than fits.

use std::io::{self, Read};

use csv::ByteRecord;

use crate::refused::Refused;
use crate::text::Utf8;

/// No record is longer: a quote that is never closed would swallow the rest of the file.
const LONGEST: usize = 1 << 20;

/// Fails at a record that does not end.
pub(crate) struct Bounded<R> {
    input: R,
    is_quoted: bool,
    /// Whether quotes mean anything.
    has_quotes: bool,
    length: usize,
    line: u64,
    /// The line at which the present record begins.
    begins: u64,
    /// A carriage return that is passed on only if no line ends with it: the library would count
    /// the lines of such a file one too low.
    has_return: bool,
}

impl<R: Read> Bounded<R> {
    pub(crate) fn new(input: R, has_quotes: bool) -> Self {
        Self {
            input,
            is_quoted: false,
            has_quotes,
            length: 0,
            line: 1,
            begins: 1,
            has_return: false,
        }
    }

    fn count(&mut self, byte: u8) -> io::Result<()> {
        self.length += 1;
        match byte {
            b'"' if self.has_quotes => self.is_quoted = !self.is_quoted,
            b'\n' => {
                self.line += 1;
                if !self.is_quoted {
                    self.length = 0;
                    self.begins = self.line;
                }
            }
            _ => {}
        }
        if self.length <= LONGEST {
            return Ok(());
        }
        Err(io::Error::other(Refused::line(
            self.begins,
            "it does not end within 1 MB: is a quote left open, or is it no text?",
        )))
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut passed = 0;
        while passed == 0 && !buffer.is_empty() {
            // one place is kept for a carriage return that waits
            let room = buffer.len().div_ceil(2);
            let mut taken = vec![0; room];
            let read = self.input.read(&mut taken)?;
            let mut pass = |byte: u8| {
                if let Some(place) = buffer.get_mut(passed) {
                    *place = byte;
                    passed += 1;
                }
            };
            for &byte in &taken[..read] {
                if std::mem::take(&mut self.has_return) && (byte != b'\n' || self.is_quoted) {
                    pass(b'\r');
                }
                self.count(byte)?;
                if byte == b'\r' {
                    self.has_return = true;
                } else {
                    pass(byte);
                }
            }
            if read == 0 {
                if std::mem::take(&mut self.has_return) {
                    pass(b'\r');
                }
                break;
            }
        }
        Ok(passed)
    }
}

/// How a file's records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delimiter(pub(crate) u8);

impl Delimiter {
    /// psql's tables have bars, and no quotes.
    pub(crate) const fn has_quotes(self) -> bool {
        self.0 != b'|'
    }

    pub(crate) fn reader<R: Read>(self, input: R) -> csv::Reader<R> {
        csv::ReaderBuilder::new()
            .delimiter(self.0)
            .quoting(self.has_quotes())
            .flexible(true)
            .has_headers(false)
            .trim(if self.has_quotes() {
                csv::Trim::None
            } else {
                csv::Trim::All
            })
            .from_reader(input)
    }
}

/// The records of a file, one after the other.
pub(crate) struct Records<R> {
    reader: csv::Reader<Bounded<Utf8<R>>>,
    record: ByteRecord,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: R, delimiter: Delimiter) -> Result<Self, Refused> {
        let text = Bounded::new(Utf8::new(input)?, delimiter.has_quotes());
        Ok(Self {
            reader: delimiter.reader(text),
            record: ByteRecord::new(),
        })
    }

    /// The next record with the line at which it begins.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, &ByteRecord)>, Refused> {
        match self.reader.read_byte_record(&mut self.record) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = self.record.position().map_or(0, csv::Position::line);
                Ok(Some((line, &self.record)))
            }
            Err(error) => Err(refused(error)),
        }
    }
}

fn refused(error: csv::Error) -> Refused {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => from_io(error),
        kind => Refused::line(line, format!("it is no CSV: {kind:?}")),
    }
}

/// An error that passed through a reader, as what it was.
pub(crate) fn from_io(error: io::Error) -> Refused {
    match error.downcast::<Refused>() {
        Ok(refused) => refused,
        Err(error) => Refused::Io(error),
    }
}

/// A cell of a record as text; bytes that are no UTF-8 become U+FFFD, which no number or time has.
pub(crate) fn cell(record: &ByteRecord, at: usize) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(record.get(at).unwrap_or_default())
}

/// Whether a record has no data: an empty line, the rule below psql's header, its count of rows.
pub(crate) fn is_blank(record: &ByteRecord) -> bool {
    let is_rule = record
        .iter()
        .all(|cell| cell.iter().all(|byte| matches!(byte, b'-' | b'+' | b' ')));
    let is_count = record.len() == 1
        && record
            .get(0)
            .is_some_and(|cell| cell.starts_with(b"(") && cell.ends_with(b")"));
    let has_dashes = record.iter().any(|cell| cell.starts_with(b"--"));
    let is_empty = record
        .iter()
        .all(|cell| cell.iter().all(u8::is_ascii_whitespace));
    is_empty && record.len() == 1 || is_rule && has_dashes || is_count
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    #[test]
    fn a_record_that_does_not_end_is_refused_at_the_line_where_it_begins() {
        let open_quote = format!(
            "date,bytes\n2026-01-31,\"10\n{}",
            "2026-02-01,11\n".repeat(100_000)
        );
        let no_lines = format!("date,bytes\n{}", "x".repeat(3 << 20));
        for text in [open_quote, no_lines] {
            let mut records = Records::new(Cursor::new(text), Delimiter(b',')).unwrap();
            let error = loop {
                match records.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it ended"),
                    Err(error) => break error.to_string(),
                }
            };
            assert!(
                error.starts_with("line 2: it does not end within 1 MB"),
                "{error}"
            );
        }
    }
}
