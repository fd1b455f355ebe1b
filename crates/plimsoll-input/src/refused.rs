//! Why a file is not read: what was seen, and how to say what is meant.

use std::io;

/// Why a file is not read. Every text says what was seen and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The file cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// There is nothing in it.
    #[error("there is nothing in it")]
    Empty,
    /// One line is not what it must be.
    #[error("line {number}: {reason}")]
    Line {
        /// The line's number, from 1.
        number: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// It is no table of times and sizes, and no answer that is known.
    #[error("{0}")]
    Shape(String),
    /// There are several series.
    #[error("there are several series: {names}; name one with --column")]
    SeveralSeries {
        /// The first of them.
        names: String,
    },
    /// There is no series of that name.
    #[error("there is no series `{asked}`; there is {names}")]
    NoSuchSeries {
        /// What was asked for.
        asked: String,
        /// What there is.
        names: String,
    },
    /// The numbers look like free space.
    #[error(
        "`{column}` looks like free space: say --free --capacity BYTES (how large the volume is) to have \
         what is used; if it is a size, call the column so"
    )]
    Free {
        /// What the series is called.
        column: String,
    },
    /// Something can be read in several ways.
    #[error("{0}")]
    Ambiguous(String),
    /// The numbers count something else than bytes, or nobody says what.
    #[error("{0}")]
    Unit(String),
    /// One moment has two sizes.
    #[error("{0}")]
    Times(String),
}

impl Refused {
    /// A stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "input_io",
            Self::Empty => "input_empty",
            Self::Line { .. } => "input_line",
            Self::Shape(_) => "input_shape",
            Self::SeveralSeries { .. } => "input_several_series",
            Self::NoSuchSeries { .. } => "input_no_such_series",
            Self::Free { .. } => "input_free_space",
            Self::Ambiguous(_) => "input_ambiguous",
            Self::Unit(_) => "input_unit",
            Self::Times(_) => "input_times",
        }
    }

    pub(crate) fn line(number: u64, reason: impl Into<String>) -> Self {
        Self::Line {
            number,
            reason: reason.into(),
        }
    }
}

/// How much of a text an error shows.
const SHOWN: usize = 40;

/// A text's beginning, such that a terminal shows it and does nothing else.
pub(crate) fn beginning(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .map(|c| if is_plain(c) { c } else { '\u{fffd}' })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// Neither a control character nor one that turns the order of what follows, or shows nothing.
fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Names for an error: the first few, each by its beginning.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const MOST: usize = 8;
    let mut names = names.into_iter();
    let mut shown: Vec<String> = names
        .by_ref()
        .take(MOST)
        .map(|name| format!("`{}`", beginning(name)))
        .collect();
    let more = names.count();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_a_beginning_that_does_nothing_to_a_terminal() {
        let shown = beginning(&format!("\u{1b}[31m\u{202e}abc\n{}", "x".repeat(1000)));
        assert_eq!(shown.chars().count(), SHOWN + 1, "{shown}");
        assert!(shown.chars().all(is_plain), "{shown:?}");
        assert!(listed(["a"; 100]).ends_with("and 92 more"));
    }
}
