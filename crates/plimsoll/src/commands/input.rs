//! Series from a `date,bytes` CSV file.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use plimsoll_core::forecast::Point;
use plimsoll_store::transfer::csv::moment;

/// Reads a series from a file; `-` is standard input.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<Point>> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text))
    };
    read.with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| format!("{}", path.display()))
}

/// The lines of a CSV, with or without a head. A bare date means midnight UTC.
fn parse(text: &str) -> anyhow::Result<Vec<Point>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut points = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        match point(line) {
            Some(point) => points.push(point),
            // a head has no digits: `date,bytes`
            None if number == 0 && !line.contains(|c: char| c.is_ascii_digit()) => {}
            None => bail!(
                "line {}: `{line}` is not `date,bytes`, such as 2026-01-31,1048576 or 2026-01-31T03:00:00Z,1048576",
                number + 1
            ),
        }
    }
    Ok(points)
}

fn point(line: &str) -> Option<Point> {
    let mut fields = line
        .split([',', ';', '\t'])
        .map(|field| field.trim().trim_matches('"'));
    let (date, bytes) = (fields.next()?, fields.next()?);
    Some(Point {
        at: moment(date)?,
        bytes: bytes.parse().ok().or_else(|| whole(bytes))?,
    })
}

/// Bytes that a spreadsheet wrote as `1.5e9` or `1048576.0`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "held within the range first"
)]
fn whole(text: &str) -> Option<u64> {
    let bytes: f64 = text.parse().ok()?;
    (bytes.is_finite() && (0.0..1.8e19).contains(&bytes)).then(|| bytes.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_times_and_heads_are_read() {
        for text in [
            "date,bytes\n2026-01-31,10\n2026-02-01,11\n",
            "\u{feff}date,bytes\r\n2026-01-31,10\r\n2026-02-01,11\r\n\r\n",
            "2026-01-31T00:00:00Z,10\n2026-02-01T01:00:00+01:00,11",
            "\"day\";\"size\"\n\"2026-01-31 00:00:00\";10.0\n2026-02-01;1.1e1",
        ] {
            let points = parse(text).unwrap();
            let seconds: Vec<_> = points.iter().map(|p| (p.at.as_second(), p.bytes)).collect();
            assert_eq!(
                seconds,
                [(1_769_817_600, 10), (1_769_904_000, 11)],
                "{text}"
            );
        }
        assert_eq!(parse("date,bytes\n").unwrap(), []);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        for (text, expect) in [
            ("date,bytes\n2026-01-31,ten", "line 2"),
            ("date,bytes\n2026-01-31,-5", "line 2"),
            ("date,bytes\n\nyesterday,5", "line 3"),
            ("2026-13-31,5", "line 1"),
            ("date,bytes\n2026-01-31", "line 2"),
            ("date,bytes\n2026-01-31,NaN", "line 2"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expect), "{text}: {error}");
        }
    }
}
