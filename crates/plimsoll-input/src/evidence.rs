//! What all cells of a series together say about how each is to be read.
//!
//! A file is read twice. The first time, every way of reading that a cell does not allow is struck
//! out. What is left is the reading, or, where two are left that differ, a question.

use crate::ReadOptions;
use crate::header::Says;
use crate::number::{self, Cell, Decimal, Number, STYLES};
use crate::refused::{Refused, beginning};
use crate::time::{self, DateOrder, FORMS, TimeForm};
use crate::unit::{Unit, Word};

/// Sizes below this, without a unit, are hardly bytes: no table or database is smaller than a page.
const LEAST_BYTES: u64 = 8192;
/// Bytes with a fraction are means, and those are of more than this.
const LEAST_MEAN: u64 = 1_000_000;

/// Which ways of reading are left.
#[derive(Debug)]
pub(crate) struct Evidence {
    options: ReadOptions,
    forms: Vec<TimeForm>,
    styles: Vec<Decimal>,
    /// A cell that two ways of reading dates read as different days.
    two_dates: Option<String>,
    /// A cell that two ways of reading numbers read as different numbers.
    two_numbers: Option<(u64, String)>,
    is_assumed_utc: bool,
    numbers: Numbers,
}

#[derive(Debug, Default)]
struct Numbers {
    /// The largest, as if it had no unit, in the way of reading of the same place.
    most: [u64; 2],
    has_fraction: [bool; 2],
    /// A word beside a number, and a number without one.
    word: Option<(u64, Word, String)>,
    without_word: Option<(u64, String)>,
    /// Units of which nobody says how far apart they are.
    either: Option<Word>,
    has_bytes_word: bool,
}

/// How each cell is to be read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    form: TimeForm,
    decimal: Decimal,
    /// What a number without a unit counts.
    unit_bytes: u64,
    apart: u64,
}

impl Evidence {
    pub(crate) fn new(options: &ReadOptions, is_json: bool) -> Self {
        let forms = FORMS
            .into_iter()
            .filter(|form| match (form, options.dates) {
                (TimeForm::Digits(order), Some(asked)) => *order == asked,
                _ => true,
            })
            .collect();
        let styles = STYLES
            .into_iter()
            .filter(|style| match options.decimal {
                Some(asked) => *style == asked,
                None => !is_json || *style == Decimal::Point,
            })
            .collect();
        Self {
            options: options.clone(),
            forms,
            styles,
            two_dates: None,
            two_numbers: None,
            is_assumed_utc: false,
            numbers: Numbers::default(),
        }
    }

    /// Takes a cell of the column of times in.
    pub(crate) fn time(&mut self, line: u64, text: &str) -> Result<(), Refused> {
        let reads: Vec<_> = self
            .forms
            .iter()
            .filter_map(|&form| Some((form, time::read(text, form)?)))
            .collect();
        let Some(&(_, first)) = reads.first() else {
            let seen = beginning(text.trim());
            return Err(Refused::line(
                line,
                if time::forms(text).next().is_some() {
                    format!("`{seen}` is a time, but written otherwise than those above it")
                } else {
                    format!(
                        "`{seen}` is no time that is known, such as 2026-01-31, 2026-01-31T03:00:00Z, \
                         31 Jan 2026 03:00 or 1769828400"
                    )
                },
            ));
        };
        if reads.iter().any(|(_, read)| *read != first) && self.two_dates.is_none() {
            self.two_dates = Some(text.trim().to_owned());
        }
        self.is_assumed_utc |= first.is_assumed_utc;
        self.forms = reads.into_iter().map(|(form, _)| form).collect();
        Ok(())
    }

    /// Takes a cell of the column of sizes in. Returns whether it has a number.
    pub(crate) fn number(&mut self, line: u64, text: &str) -> Result<bool, Refused> {
        let mut reads: Vec<(Decimal, Number)> = Vec::new();
        for &style in &self.styles {
            match number::read(text, style) {
                Cell::Missing => return Ok(false),
                Cell::Number(number) => reads.push((style, number)),
                Cell::Other => {}
            }
        }
        let seen = beginning(text.trim());
        let Some(&(_, first)) = reads.first() else {
            let otherwise = STYLES
                .iter()
                .any(|&style| matches!(number::read(text, style), Cell::Number(_)));
            return Err(Refused::line(
                line,
                if otherwise {
                    format!(
                        "`{seen}` has its decimal separator otherwise than the numbers above it"
                    )
                } else {
                    format!("`{seen}` is no number of bytes")
                },
            ));
        };
        if first.is_negative && !first.is_zero() {
            return Err(Refused::line(
                line,
                format!("`{seen}` is below zero, and no size is"),
            ));
        }
        if let [(_, point), (_, comma)] = &*reads
            && point.bytes(1_000_000) != comma.bytes(1_000_000)
            && self.two_numbers.is_none()
        {
            self.two_numbers = Some((line, text.trim().to_owned()));
        }
        for (style, number) in &reads {
            let place = usize::from(*style == Decimal::Comma);
            let bytes = number.bytes(1).ok_or_else(|| too_much(line, &seen))?;
            self.numbers.most[place] = self.numbers.most[place].max(bytes);
            self.numbers.has_fraction[place] |= number.has_fraction();
        }
        self.numbers.takes(line, first, text);
        self.styles = reads.into_iter().map(|(style, _)| style).collect();
        Ok(true)
    }

    /// Decides how cells are read, given what the column's name says. Adds notes on what was assumed.
    pub(crate) fn decide(
        &self,
        name: &str,
        says: Says,
        prefers_point: bool,
        notes: &mut Vec<String>,
    ) -> Result<Reading, Refused> {
        let form = self.form()?;
        if self.is_assumed_utc {
            notes.push("times without an offset were taken as UTC".to_owned());
        }
        let decimal = self.decimal(says, prefers_point)?;
        let (unit_bytes, apart) = self.unit(name, says, decimal, notes)?;
        Ok(Reading {
            form,
            decimal,
            unit_bytes,
            apart,
        })
    }

    fn form(&self) -> Result<TimeForm, Refused> {
        let has = |order| self.forms.contains(&TimeForm::Digits(order));
        if let Some(seen) = &self.two_dates
            && has(DateOrder::DayFirst)
            && has(DateOrder::MonthFirst)
        {
            return Err(Refused::Ambiguous(format!(
                "`{}` can have its day or its month first, and no line tells: say --dates dmy or --dates mdy",
                beginning(seen)
            )));
        }
        Ok(self.forms.first().copied().unwrap_or(TimeForm::Unambiguous))
    }

    fn decimal(&self, says: Says, prefers_point: bool) -> Result<Decimal, Refused> {
        let (Some((line, seen)), [_, _]) = (&self.two_numbers, &*self.styles) else {
            return Ok(self.styles.first().copied().unwrap_or(Decimal::Point));
        };
        let [fraction_with_point, fraction_with_comma] = self.numbers.has_fraction;
        let are_bytes = says.word == Some(Word::Bytes) || self.numbers.has_bytes_word;
        match (are_bytes, fraction_with_point, fraction_with_comma) {
            // bytes are whole
            (true, false, true) => return Ok(Decimal::Point),
            (true, true, false) => return Ok(Decimal::Comma),
            // where commas separate cells, points separate fractions
            (_, true, false) if prefers_point => return Ok(Decimal::Point),
            _ => {}
        }
        let other = seen.replace([',', '.'], "");
        Err(Refused::Ambiguous(format!(
            "line {line}: `{}` can be {} or a number with three decimal places: say --decimal . or --decimal ,",
            beginning(seen),
            beginning(&other)
        )))
    }

    /// What a number without a unit counts, and how far apart units are.
    fn unit(
        &self,
        name: &str,
        says: Says,
        decimal: Decimal,
        notes: &mut Vec<String>,
    ) -> Result<(u64, u64), Refused> {
        let numbers = &self.numbers;
        let has_fraction = numbers.has_fraction[usize::from(decimal == Decimal::Comma)];
        let apart = match self.options.unit {
            Some(Unit::Base(apart)) => Some(apart),
            _ => None,
        };
        if let Some((line, word, seen)) = &numbers.word {
            self.check_words(*line, *word, seen, has_fraction, apart, notes)?;
        }
        let apart_or = apart.unwrap_or(1000);
        if let Some(Unit::Bytes(bytes)) = self.options.unit {
            if numbers.word.is_some() {
                return Err(Refused::Unit(
                    "the numbers have their units beside them: say --unit 1000 or --unit 1024 for how far \
                     apart those are"
                        .to_owned(),
                ));
            }
            return Ok((bytes, apart_or));
        }
        let Some((line, seen)) = &numbers.without_word else {
            return Ok((1, apart_or));
        };
        match says.word {
            Some(word @ (Word::Bits | Word::NotASize | Word::Letter(_))) => {
                Err(Refused::Unit(format!(
                    "`{}` {}: say what its numbers count with --unit, such as GB or GiB",
                    beginning(name),
                    match word {
                        Word::Letter(_) => "does not say whether its units are 1000 or 1024 apart",
                        Word::Bits => "names bits",
                        _ => "names no size",
                    }
                )))
            }
            Some(word) => {
                if let Word::Either(_) = word
                    && apart.is_none()
                {
                    notes.push(assumed(word));
                }
                Ok((word.bytes(apart_or).unwrap_or(1), apart_or))
            }
            None if numbers.word.is_some() => Err(Refused::line(
                *line,
                format!("`{}` has no unit, and others do", beginning(seen)),
            )),
            None if says.is_no_size && !says.is_size => Err(Refused::Unit(format!(
                "`{}` does not look like a size: say which column is one with --column, and --unit B if this is",
                beginning(name)
            ))),
            None => self
                .plain(name, decimal, has_fraction)
                .map(|()| (1, apart_or)),
        }
    }

    /// Numbers without any unit are bytes if they can be.
    fn plain(&self, name: &str, decimal: Decimal, has_fraction: bool) -> Result<(), Refused> {
        let most = self.numbers.most[usize::from(decimal == Decimal::Comma)];
        if most == 0 && !has_fraction
            || most
                >= if has_fraction {
                    LEAST_MEAN
                } else {
                    LEAST_BYTES
                }
        {
            return Ok(());
        }
        Err(Refused::Unit(format!(
            "`{}` does not say what its numbers count, and {most} is the largest: say --unit B, MB, GB, MiB, GiB, ...",
            beginning(name)
        )))
    }

    fn check_words(
        &self,
        line: u64,
        word: Word,
        seen: &str,
        has_fraction: bool,
        apart: Option<u64>,
        notes: &mut Vec<String>,
    ) -> Result<(), Refused> {
        let wrong = |what: &str| Err(Refused::line(line, format!("`{}` {what}", beginning(seen))));
        match word {
            Word::Bits => return wrong("is in bits, or a byte's unit written like a bit's"),
            Word::NotASize => return wrong("is no size"),
            Word::Letter(_) if apart.is_none() => {
                return wrong(
                    "has a unit that is 1000 apart to some and 1024 to others: say --unit 1000 or --unit 1024",
                );
            }
            _ => {}
        }
        let Some(word) = self.numbers.either.filter(|_| apart.is_none()) else {
            return Ok(());
        };
        if !has_fraction {
            return Err(Refused::Ambiguous(format!(
                "line {line}: `{}` can be PostgreSQL's (units 1024 apart) or another program's (1000 apart): \
                 say --unit 1024 or --unit 1000",
                beginning(seen)
            )));
        }
        notes.push(assumed(word));
        Ok(())
    }
}

impl Numbers {
    fn takes(&mut self, line: u64, number: Number, text: &str) {
        match number.word {
            // the worst of them is the one to be told of
            Some(word) => {
                let is_worse = matches!(word, Word::Bits | Word::NotASize | Word::Letter(_));
                if let Word::Either(_) = word {
                    self.either = Some(word);
                }
                self.has_bytes_word |= word == Word::Bytes;
                let is_either = matches!(word, Word::Either(_));
                let is_first = self.word.as_ref().is_none_or(|(_, known, _)| {
                    is_either && matches!(known, Word::Bytes | Word::Binary(_))
                });
                let has_worse = matches!(
                    self.word,
                    Some((_, Word::Bits | Word::NotASize | Word::Letter(_), _))
                );
                if is_first || is_worse && !has_worse {
                    self.word = Some((line, word, text.trim().to_owned()));
                }
            }
            None if self.without_word.is_none() && !number.is_zero() => {
                self.without_word = Some((line, text.trim().to_owned()));
            }
            None => {}
        }
    }
}

fn assumed(word: Word) -> String {
    let grouped = |bytes: u64| {
        let digits = bytes.to_string();
        let mut shown = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                shown.push(',');
            }
            shown.push(digit);
        }
        shown
    };
    let (decimal, binary) = (word.bytes(1000).unwrap_or(0), word.bytes(1024).unwrap_or(0));
    let name = match word {
        Word::Either(1) => "kB",
        Word::Either(2) => "MB",
        Word::Either(3) => "GB",
        Word::Either(4) => "TB",
        _ => "the unit",
    };
    format!(
        "{name} was read as {} bytes; say --unit 1024 if it is {}",
        grouped(decimal),
        grouped(binary)
    )
}

fn too_much(line: u64, seen: &str) -> Refused {
    Refused::line(line, format!("`{seen}` is more bytes than there can be"))
}

impl Reading {
    /// A cell of the column of times.
    pub(crate) fn time(&self, line: u64, text: &str) -> Result<jiff::Timestamp, Refused> {
        time::read(text, self.form)
            .map(|read| read.at)
            .ok_or_else(|| Refused::line(line, format!("`{}` is no time", beginning(text.trim()))))
    }

    /// A cell of the column of sizes, in bytes; none where it has no number.
    pub(crate) fn bytes(&self, line: u64, text: &str) -> Result<Option<u64>, Refused> {
        let seen = || beginning(text.trim());
        match number::read(text, self.decimal) {
            Cell::Missing => Ok(None),
            Cell::Other => Err(Refused::line(
                line,
                format!("`{}` is no number of bytes", seen()),
            )),
            Cell::Number(number) => {
                if number.is_negative && !number.is_zero() {
                    return Err(Refused::line(
                        line,
                        format!("`{}` is below zero, and no size is", seen()),
                    ));
                }
                let unit = match number.word {
                    None => Some(self.unit_bytes),
                    Some(word) => word.bytes(self.apart),
                };
                let Some(unit) = unit else {
                    return Err(Refused::line(line, format!("`{}` is no size", seen())));
                };
                number
                    .bytes(unit)
                    .map(Some)
                    .ok_or_else(|| too_much(line, &seen()))
            }
        }
    }
}
