//! Standard output: tables for people, JSON for programs. A closed pipe is not an error.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Row, Table};
use plimsoll_core::name::visible;
use serde::Serialize;

pub(crate) mod disk;
pub(crate) mod plot;

/// Writes to standard output and flushes it; what a reader that went away does not take is lost on
/// purpose (`plimsoll sizes | head`).
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says on standard error what went wrong. Only lines that we broke ourselves are broken.
pub(crate) fn complain(text: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    for line in text.lines() {
        writeln!(err, "{}", visible(line))?;
    }
    Ok(())
}

/// Prints an answer as JSON, indented for people who look at it on a terminal.
pub(crate) fn json(answer: &impl Serialize) -> io::Result<()> {
    print(|out| {
        if io::stdout().is_terminal() {
            serde_json::to_writer_pretty(&mut *out, answer)?;
        } else {
            serde_json::to_writer(&mut *out, answer)?;
        }
        writeln!(out)
    })
}

/// A column of a table: its heading and side.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column {
    Left(&'static str),
    Right(&'static str),
}

/// Prints rows under headings, wrapped to the terminal where there is one.
pub(crate) fn table(
    out: &mut dyn Write,
    columns: &[Column],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let side = |column: &Column| match column {
        Column::Left(_) => CellAlignment::Left,
        Column::Right(_) => CellAlignment::Right,
    };
    table.set_header(columns.iter().map(|column| {
        let (Column::Left(name) | Column::Right(name)) = column;
        Cell::new(name).set_alignment(side(column))
    }));
    for row in rows {
        table.add_row(Row::from(
            row.iter()
                .zip(columns)
                .map(|(text, column)| Cell::new(visible(text)).set_alignment(side(column)))
                .collect::<Vec<_>>(),
        ));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A number with commas between thousands.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_stays_in_its_line() {
        let mut out = Vec::new();
        let cell = "a\u{1b}[2Jb\nc\u{202e}\u{2028}";
        table(&mut out, &[Column::Left("x")], [vec![cell.into()]]).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out, "x\na\\u{1b}[2Jb\\nc\\u{202e}\\u{2028}\n");
    }

    #[test]
    fn thousands_are_told_apart() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn numbers_stand_on_the_right() {
        let mut out = Vec::new();
        table(
            &mut out,
            &[Column::Left("table"), Column::Right("size")],
            [
                vec!["events".into(), "10 MB".into()],
                vec!["a".into(), "8192 bytes".into()],
            ],
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "table         size\nevents       10 MB\na       8192 bytes\n"
        );
    }
}
