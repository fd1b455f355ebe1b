//! Breaks lines between words, so that a narrow terminal does not break them inside.

use std::io::{self, Write};

/// Whatever is written, in lines of a width. What follows in a line stands under its beginning. A word that is longer
/// than a line has one of its own.
pub(super) struct Wrapped<'a> {
    out: &'a mut dyn Write,
    width: usize,
    line: Vec<u8>,
}

impl<'a> Wrapped<'a> {
    pub(super) fn new(out: &'a mut dyn Write, width: usize) -> Self {
        Self {
            out,
            width,
            line: Vec::new(),
        }
    }

    /// Writes the line so far, without its end.
    fn write_line(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let indent = line.len() - line.trim_start_matches(' ').len();
        let mut length = 0;
        let mut is_first = true;
        for word in line.split_inclusive(' ') {
            let own = word.trim_end_matches(' ').chars().count();
            if length + own > self.width && !is_first && own > 0 {
                write!(self.out, "\n{:indent$}", "")?;
                length = indent;
            }
            self.out.write_all(word.as_bytes())?;
            length += word.chars().count();
            is_first = is_first && own == 0;
        }
        Ok(())
    }
}

impl Write for Wrapped<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        for part in text.split_inclusive(|byte| *byte == b'\n') {
            match part.strip_suffix(b"\n") {
                Some(end) => {
                    self.line.extend_from_slice(end);
                    self.write_line()?;
                    self.out.write_all(b"\n")?;
                }
                None => self.line.extend_from_slice(part),
            }
        }
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_line()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(width: usize, text: &str) -> String {
        let mut out = Vec::new();
        let mut lines = Wrapped::new(&mut out, width);
        // in pieces, as `writeln!` writes
        for piece in text.split_inclusive('o') {
            lines.write_all(piece.as_bytes()).unwrap();
        }
        lines.flush().unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_word_is_broken_and_what_follows_stands_under_its_beginning() {
        for (text, expect) in [
            ("short\n", "short\n"),
            ("one two three four\n", "one two \nthree four\n"),
            ("  one two three\n", "  one two \n  three\n"),
            ("averylongwordindeed\n", "averylongwordindeed\n"),
            ("a averylongwordindeed b", "a \naverylongwordindeed \nb"),
            ("a          b\n\n", "a          \nb\n\n"),
            ("  averylongwordindeed\n", "  averylongwordindeed\n"),
        ] {
            assert_eq!(wrapped(10, text), expect, "{text:?}");
        }
        let text = "one two\n\n  three  four\n";
        assert_eq!(wrapped(80, text), text);
    }
}
