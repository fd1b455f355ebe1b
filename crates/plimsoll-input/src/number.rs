//! Numbers as programs and countries write them, each in every way in which it can be read.

use crate::unit::Word;

/// Which character separates whole numbers from fractions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal {
    /// `1,234.5`
    Point,
    /// `1.234,5`
    Comma,
}

impl std::str::FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "." => Ok(Self::Point),
            "," => Ok(Self::Comma),
            _ => Err("say . or , for what separates whole numbers from fractions".to_owned()),
        }
    }
}

/// The ways of reading a number.
pub(crate) const STYLES: [Decimal; 2] = [Decimal::Point, Decimal::Comma];

/// A number with what it counts, if that stands beside it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Number {
    /// Its digits as a whole number,
    digits: u128,
    /// and how often that is to be divided by ten.
    scale: i32,
    pub(crate) is_negative: bool,
    pub(crate) word: Option<Word>,
}

/// What a cell says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell {
    /// That nothing is known.
    Missing,
    /// A number.
    Number(Number),
    /// Something else.
    Other,
}

/// What programs write where they have no number.
pub(crate) fn is_missing(text: &str) -> bool {
    const WORDS: [&str; 10] = [
        "nan",
        "null",
        "none",
        "n/a",
        "na",
        "-",
        "--",
        "\\n",
        "undefined",
        "nil",
    ];
    text.is_empty() || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Reads a cell in one way.
pub(crate) fn read(text: &str, decimal: Decimal) -> Cell {
    let text = text.trim();
    if is_missing(text) {
        return Cell::Missing;
    }
    parse(text, decimal).map_or(Cell::Other, Cell::Number)
}

fn parse(text: &str, decimal: Decimal) -> Option<Number> {
    let (is_negative, text) = match text.chars().next()? {
        '-' | '\u{2212}' => (true, text.trim_start_matches(['-', '\u{2212}'])),
        '+' => (false, &text[1..]),
        _ => (false, text),
    };
    let end = text
        .char_indices()
        .find(|&(_, c)| !(c.is_ascii_digit() || matches!(c, '.' | ',') || is_group(c)))
        .map_or(text.len(), |(at, _)| at);
    let (number, mut rest) = text.split_at(end);
    let number = number.trim();
    let (whole, fraction) = match decimal {
        Decimal::Point => split(number, '.', ',')?,
        Decimal::Comma => split(number, ',', '.')?,
    };
    let mut scale = i32::try_from(fraction.len()).ok()?;
    if let Some(exponent) = exponent(rest) {
        scale -= exponent.parse::<i32>().ok()?;
        rest = &rest[1 + exponent.len()..];
    }
    let digits = whole + fraction;
    // 30 digits are more than any size needs
    if digits.trim_start_matches('0').len() > 30 || !(-30..=60).contains(&scale) {
        return None;
    }
    let rest = rest.trim();
    Some(Number {
        digits: digits.parse().ok()?,
        scale,
        is_negative,
        word: if rest.is_empty() {
            None
        } else {
            Some(Word::of(rest)?)
        },
    })
}

/// Reads bytes as people type them: `500GB` (1000 apart), `500GiB` (1024 apart), `1048576`.
///
/// # Errors
/// What is wrong with the text.
pub fn bytes(text: &str) -> Result<u64, String> {
    let known = match read(text, Decimal::Point) {
        Cell::Number(number) if !number.is_negative => match number.word {
            None => number.bytes(1),
            Some(word @ (Word::Bytes | Word::Either(_) | Word::Binary(_))) => {
                word.bytes(1000).and_then(|unit| number.bytes(unit))
            }
            Some(_) => None,
        },
        _ => None,
    };
    known.ok_or_else(|| {
        format!(
            "`{}` is not a size: write a number and one of B, kB, MB, GB, TB (1000 apart), KiB, MiB, GiB, TiB (1024 \
             apart), such as 500GB or 500GiB",
            crate::refused::beginning(text)
        )
    })
}

/// What separates groups of digits in either way of reading.
const fn is_group(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '\u{2019}' | '_'
    )
}

/// Whole digits and fraction, both without separators.
fn split(number: &str, point: char, comma: char) -> Option<(String, &str)> {
    let (whole, fraction) = number.split_once(point).unwrap_or((number, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let separator = whole.chars().find(|&c| c == comma || is_group(c));
    let Some(separator) = separator else {
        let is_number = !(whole.is_empty() && fraction.is_empty());
        return is_number.then(|| (whole.to_owned(), fraction));
    };
    let mut groups = whole.split(separator);
    let first = groups.next()?;
    let all_digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    let is_grouped = (1..=3).contains(&first.len())
        && all_digits(first)
        && groups.all(|group| group.len() == 3 && all_digits(group));
    is_grouped.then(|| (whole.replace(separator, ""), fraction))
}

/// The exponent that a rest of a number begins with, without its `e`.
fn exponent(rest: &str) -> Option<&str> {
    let after = rest.strip_prefix(['e', 'E'])?;
    let digits = after.strip_prefix(['+', '-']).unwrap_or(after);
    let count = digits.bytes().take_while(u8::is_ascii_digit).count();
    (count > 0).then(|| &after[..after.len() - digits.len() + count])
}

impl Number {
    /// The number as so many bytes, rounded; none above what a size can be.
    pub(crate) fn bytes(self, unit_bytes: u64) -> Option<u64> {
        let bytes = if self.scale <= 0 {
            10_u128
                .checked_pow(self.scale.unsigned_abs())
                .and_then(|factor| factor.checked_mul(self.digits))
                .and_then(|number| number.checked_mul(u128::from(unit_bytes)))?
        } else {
            let number = self.digits.checked_mul(u128::from(unit_bytes))?;
            let Some(divisor) = 10_u128.checked_pow(self.scale.unsigned_abs()) else {
                return Some(0);
            };
            number / divisor + u128::from(number % divisor >= divisor.div_ceil(2))
        };
        i64::try_from(bytes).ok().map(i64::unsigned_abs)
    }

    /// Whether it has a fraction that is not zero.
    pub(crate) fn has_fraction(self) -> bool {
        self.scale > 0
            && 10_u128
                .checked_pow(self.scale.unsigned_abs())
                .is_none_or(|divisor| !self.digits.is_multiple_of(divisor))
    }

    pub(crate) const fn is_zero(self) -> bool {
        self.digits == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_bytes(text: &str, decimal: Decimal) -> Option<u64> {
        match read(text, decimal) {
            Cell::Number(number) => {
                number.bytes(number.word.map_or(Some(1), |word| word.bytes(1000))?)
            }
            Cell::Missing | Cell::Other => None,
        }
    }

    #[test]
    fn typed_bytes_are_exact_about_their_unit() {
        for (text, expected) in [
            ("500GB", Some(500_000_000_000)),
            ("500 GiB", Some(500 << 30)),
            ("1.5TB", Some(1_500_000_000_000)),
            ("1048576", Some(1 << 20)),
            ("0", Some(0)),
            ("-1", None),
            ("500G", None),
            ("500Gb", None),
            ("", None),
            ("much", None),
        ] {
            assert_eq!(super::bytes(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_read_as_countries_write_them() {
        use Decimal::{Comma, Point};
        for (text, decimal, expected) in [
            ("180,094,419,235", Point, Some(180_094_419_235)),
            ("180.094.419.235", Comma, Some(180_094_419_235)),
            ("180.094.419.235", Point, None),
            ("180 094 419 235", Comma, Some(180_094_419_235)),
            ("180\u{202f}094\u{202f}419", Point, Some(180_094_419)),
            ("180'094'419", Point, Some(180_094_419)),
            ("180.094", Point, Some(180)),
            ("180.094", Comma, Some(180_094)),
            ("1,5 GB", Comma, Some(1_500_000_000)),
            ("1.5GiB", Point, Some(1_610_612_736)),
            ("1.80094e11", Point, Some(180_094_000_000)),
            ("1.5E+9", Point, Some(1_500_000_000)),
            ("1.5EB", Point, Some(1_500_000_000_000_000_000)),
            ("5e-1", Point, Some(1)),
            ("1048576.0", Point, Some(1 << 20)),
            ("9223372036854775807", Point, Some(i64::MAX.unsigned_abs())),
            ("9223372036854775808", Point, None),
            ("1e400", Point, None),
            ("18,00,94", Point, None),
            ("1,2345", Point, None),
            ("1,234'567", Point, None),
            ("0", Point, Some(0)),
            (".5 GB", Point, Some(500_000_000)),
            ("", Point, None),
            ("8192 bytes", Point, Some(8192)),
            ("12 parsecs", Point, None),
            ("1.2.3", Point, None),
        ] {
            assert_eq!(in_bytes(text, decimal), expected, "{text} {decimal:?}");
        }
        for text in ["", " NaN ", "null", "N/A", "\\N", "-"] {
            assert_eq!(read(text, Point), Cell::Missing, "{text}");
        }
        for text in ["ten", "Infinity", "inf", "0x10", "1-2", "٣"] {
            assert_eq!(read(text, Point), Cell::Other, "{text}");
        }
        assert!(matches!(read("-5", Point), Cell::Number(number) if number.is_negative));
    }
}
