//! Text in lines of a width: the terminal's, or what is asked for.

use std::io::{self, IsTerminal as _, Write};

use crate::output::terminal_width;

/// Below this width the reasons do not fit beside the parts.
const WIDE: usize = 90;

/// The terminal's width, or what `COLUMNS` says, or 80; without a terminal and `COLUMNS` no limit.
pub(crate) fn width() -> Option<usize> {
    let told = || std::env::var("COLUMNS").ok()?.parse().ok();
    let of_terminal = terminal_width().map(usize::from);
    let usual = io::stdout().is_terminal().then_some(80);
    of_terminal.or_else(told).or(usual)
}

/// Text in lines of a width.
pub(super) struct Lines<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) width: Option<usize>,
}

impl Lines<'_> {
    /// A text, broken between words where it is too long; what follows in it is under `indent`.
    pub(super) fn say(&mut self, text: &str, indent: usize) -> io::Result<()> {
        let width = self.width.unwrap_or(usize::MAX);
        let mut line = String::new();
        let mut length = 0;
        for word in text.split_inclusive(' ') {
            let own = word.trim_end().chars().count();
            if length > indent && length + own > width {
                writeln!(self.out, "{}", line.trim_end())?;
                line = " ".repeat(indent);
                length = indent;
            }
            line.push_str(word);
            length += word.chars().count();
        }
        writeln!(self.out, "{}", line.trim_end())
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.width.is_some_and(|width| width < WIDE)
    }
}
