//! Standard output: tables for people, JSON for programs. A closed pipe is not an error.

use std::io::{self, IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Row, Table, Width};
use plimsoll_core::name::visible;
use serde::Serialize;

use wrap::Wrapped;

pub(crate) mod disk;
pub(crate) mod plot;
mod wrap;

/// Writes to standard output and flushes it; what a reader that went away does not take is lost on
/// purpose (`plimsoll sizes | head`).
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// As [`print()`], for sentences: on a terminal lines that are too long for it are broken between words.
pub(crate) fn prose(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let width = io::stdout().is_terminal().then(disk::width).flatten();
    print(|out| match width {
        Some(width) => {
            let mut lines = Wrapped::new(out, width);
            write(&mut lines)?;
            lines.flush()
        }
        None => write(out),
    })
}

/// Says on standard error what went wrong. Only lines that we broke ourselves are broken.
pub(crate) fn complain(text: &str) -> io::Result<()> {
    let mut err = io::stderr().lock();
    for line in text.lines() {
        writeln!(err, "{}", visible(line))?;
    }
    Ok(())
}

/// An error with its causes, each once: what one repeats of the cause below it is not said again.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
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

/// How many columns the terminal has that standard output is; none where it is no terminal, or does not say.
pub(crate) fn terminal_width() -> Option<u16> {
    Table::new().width()
}

/// A column of a table: its heading and side.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Column<'a> {
    Left(&'a str),
    Right(&'a str),
}

/// Prints rows under headings, wrapped to the terminal where there is one. A column without a single value is left out.
pub(crate) fn table(
    out: &mut dyn Write,
    columns: &[Column<'_>],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> io::Result<()> {
    table_within(terminal_width(), out, columns, rows)
}

/// The space between two columns.
const GAP: usize = 2;

fn table_within(
    width: Option<u16>,
    out: &mut dyn Write,
    columns: &[Column<'_>],
    rows: impl IntoIterator<Item = Vec<String>>,
) -> io::Result<()> {
    let mut rows: Vec<Vec<String>> = rows.into_iter().collect();
    let mut columns = columns.to_vec();
    for at in (0..columns.len()).rev() {
        let is_empty = rows
            .iter()
            .all(|row| row.get(at).is_none_or(String::is_empty));
        if is_empty && !rows.is_empty() {
            columns.remove(at);
            for row in &mut rows {
                if at < row.len() {
                    row.remove(at);
                }
            }
        }
    }
    let least = least_widths(&columns, &rows);
    if let Some(width) = width
        && least.iter().map(|width| width + GAP).sum::<usize>() > usize::from(width) + GAP
    {
        return blocks(out, &columns, &rows);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    }
    let side = |column: &Column<'_>| match column {
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
                .zip(&columns)
                .map(|(text, column)| Cell::new(visible(text)).set_alignment(side(column)))
                .collect::<Vec<_>>(),
        ));
    }
    for (column, least) in table.column_iter_mut().zip(least) {
        column.set_padding((0, 2));
        let least = u16::try_from(least + GAP).unwrap_or(u16::MAX);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// How narrow each column can be without a break inside a word, or inside a number with its unit.
fn least_widths(columns: &[Column<'_>], rows: &[Vec<String>]) -> Vec<usize> {
    let words = |column: &Column<'_>, text: &str| match column {
        Column::Left(_) => text
            .split(' ')
            .map(|word| word.chars().count())
            .max()
            .unwrap_or(0),
        Column::Right(_) => text.chars().count(),
    };
    columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let (Column::Left(name) | Column::Right(name)) = column;
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells
                .map(|text| words(column, &visible(text)))
                .chain([words(&Column::Left(name), name)])
                .max()
                .unwrap_or(0)
        })
        .collect()
}

/// Rows one below the other, for a terminal that is too narrow for columns: each begins with its first cell.
fn blocks(out: &mut dyn Write, columns: &[Column<'_>], rows: &[Vec<String>]) -> io::Result<()> {
    let names: Vec<&str> = columns
        .iter()
        .map(|column| {
            let (Column::Left(name) | Column::Right(name)) = column;
            *name
        })
        .collect();
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    for row in rows {
        let mut cells = names.iter().zip(row);
        if let Some((_, first)) = cells.next() {
            writeln!(out, "{}", visible(first))?;
        }
        for (name, text) in cells.filter(|(_, text)| !text.is_empty()) {
            writeln!(out, "  {name:width$}  {}", visible(text))?;
        }
    }
    Ok(())
}

pub(crate) use plimsoll_core::counted::{counted as count, thousands};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_each_cause_once() {
        let cause = || io::Error::other("the disk is full");
        for (error, expect) in [
            (
                anyhow::Error::new(cause()).context("writing the sample"),
                "writing the sample: the disk is full",
            ),
            (
                anyhow::Error::new(cause()).context("preparing: the disk is full"),
                "preparing: the disk is full",
            ),
            (anyhow::Error::new(cause()), "the disk is full"),
        ] {
            assert_eq!(chain(&error), expect);
        }
    }

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

    fn drawn(width: u16, rows: &[[&str; 3]]) -> String {
        let columns = [
            Column::Left("TABLE"),
            Column::Right("SIZE"),
            Column::Left("DETAIL"),
        ];
        let mut out = Vec::new();
        let rows = rows.iter().map(|row| row.map(str::to_owned).to_vec());
        table_within(Some(width), &mut out, &columns, rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_word_is_broken_on_a_narrow_terminal() {
        let rows = [
            [
                "order_items",
                "13 MB",
                "it was rewritten by somebody at night",
            ],
            ["metrics.measurements", "8192 bytes", ""],
        ];
        for width in [20, 40, 50, 60, 80] {
            let text = drawn(width, &rows);
            for word in [
                "order_items",
                "metrics.measurements",
                "8192 bytes",
                "rewritten",
                "somebody",
            ] {
                assert!(text.contains(word), "{word} at {width}:\n{text}");
            }
            if width >= 50 {
                assert!(
                    text.lines()
                        .all(|line| line.chars().count() <= usize::from(width)),
                    "{width}:\n{text}"
                );
            }
        }
        assert!(drawn(20, &rows).starts_with("order_items\n  SIZE    13 MB\n  DETAIL  it was"));
    }

    #[test]
    fn a_column_without_a_value_is_left_out_and_one_is_one() {
        assert_eq!(drawn(80, &[["a", "", "b"]]), "TABLE  DETAIL\na      b\n");
        assert_eq!(
            (count(1, "sample"), count(1200, "sample")),
            ("1 sample".to_owned(), "1,200 samples".to_owned())
        );
    }
}
