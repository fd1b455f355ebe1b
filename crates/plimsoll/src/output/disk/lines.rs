//! Text in lines of a width: the terminal's, or what is asked for.

use std::io::{self, IsTerminal as _, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

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
    /// When they are read.
    pub(super) now: Timestamp,
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

    /// A time; of another year with that.
    pub(super) fn moment(&self, at: Timestamp) -> String {
        let [at, now] = [at, self.now].map(|at| at.to_zoned(TimeZone::UTC));
        let format = match at.year() == now.year() {
            true => "%a %-d %b %H:%M UTC",
            false => "%a %-d %b %Y %H:%M UTC",
        };
        at.strftime(format).to_string()
    }

    /// For a heading: the time of a day that is less than one ago, else the day.
    pub(super) fn day(&self, at: Timestamp) -> String {
        let is_recent = (0..24).contains(&self.now.duration_since(at).as_hours());
        let [at, now] = [at, self.now].map(|at| at.to_zoned(TimeZone::UTC));
        let format = match (is_recent, at.year() == now.year()) {
            (true, _) => "%H:%M",
            (false, true) => "%-d %b",
            (false, false) => "%-d %b %Y",
        };
        at.strftime(format).to_string()
    }

    pub(super) fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }

    pub(super) fn is_narrow(&self) -> bool {
        self.width.is_some_and(|width| width < WIDE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_of_another_year_is_told_with_it() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let lines = Lines {
            out: &mut Vec::new(),
            width: None,
            now: at("2026-12-30T12:00:00Z"),
        };
        for (text, moment, day) in [
            ("2026-12-30T02:00:00Z", "Wed 30 Dec 02:00 UTC", "02:00"),
            ("2026-05-01T00:00:00Z", "Fri 1 May 00:00 UTC", "1 May"),
            (
                "2027-05-01T00:00:00Z",
                "Sat 1 May 2027 00:00 UTC",
                "1 May 2027",
            ),
            (
                "2025-05-01T00:00:00Z",
                "Thu 1 May 2025 00:00 UTC",
                "1 May 2025",
            ),
        ] {
            assert_eq!(
                (lines.moment(at(text)), lines.day(at(text))),
                (moment.to_owned(), day.to_owned())
            );
        }
    }
}
