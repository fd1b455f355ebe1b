//! Times as programs write them, each read in every way that it allows.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// Sizes lie between these years: what lies outside is no history.
const YEARS: std::ops::Range<i16> = 1990..2200;

/// In which order a date that is written in digits has day and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `31/01/2026`
    DayFirst,
    /// `01/31/2026`
    MonthFirst,
}

impl std::str::FromStr for DateOrder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "dmy" => Ok(Self::DayFirst),
            "mdy" => Ok(Self::MonthFirst),
            _ => Err("say dmy for 31/01/2026 or mdy for 01/31/2026".to_owned()),
        }
    }
}

/// A way of writing times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeForm {
    /// The year first, or the month by name.
    Unambiguous,
    Digits(DateOrder),
    Seconds,
    Millis,
    Micros,
    Nanos,
}

/// All of them.
pub(crate) const FORMS: [TimeForm; 7] = [
    TimeForm::Unambiguous,
    TimeForm::Digits(DateOrder::DayFirst),
    TimeForm::Digits(DateOrder::MonthFirst),
    TimeForm::Seconds,
    TimeForm::Millis,
    TimeForm::Micros,
    TimeForm::Nanos,
];

/// A time that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ParsedTime {
    pub(crate) at: Timestamp,
    /// Whether it had a time of day but no offset, so that UTC is assumed.
    pub(crate) is_assumed_utc: bool,
}

/// Reads a cell in one way.
pub(crate) fn read(text: &str, form: TimeForm) -> Option<ParsedTime> {
    let text = text.trim();
    let read = match form {
        TimeForm::Unambiguous => clear(text)?,
        TimeForm::Digits(order) => digits(text, order)?,
        TimeForm::Seconds => epoch(text, 1)?,
        TimeForm::Millis => epoch(text, 1_000)?,
        TimeForm::Micros => epoch(text, 1_000_000)?,
        TimeForm::Nanos => epoch(text, 1_000_000_000)?,
    };
    let year = read.at.to_zoned(TimeZone::UTC).year();
    YEARS.contains(&year).then_some(read)
}

/// The ways in which a cell can be read.
pub(crate) fn forms(text: &str) -> impl Iterator<Item = TimeForm> {
    FORMS
        .into_iter()
        .filter(move |&form| read(text, form).is_some())
}

/// Whether a cell is a date and not a number: one in digits alone counts only as `20260131` does.
pub(crate) fn is_date(text: &str) -> bool {
    let is_number = text
        .trim()
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    !is_number && FORMS[..3].iter().any(|&form| read(text, form).is_some())
        || is_number && read(text, TimeForm::Unambiguous).is_some()
        || text.contains('.') && read(text, FORMS[1]).is_some()
}

fn exact(at: Timestamp) -> ParsedTime {
    ParsedTime {
        at,
        is_assumed_utc: false,
    }
}

/// A time since 1970 in units of which `parts` make a second. The years that count leave each number one unit at most.
fn epoch(text: &str, parts: i64) -> Option<ParsedTime> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let at = Timestamp::from_second(number.div_euclid(parts)).ok()?;
    let rest = number.rem_euclid(parts) * (1_000_000_000 / parts);
    let mut at = at.checked_add(SignedDuration::from_nanos(rest)).ok()?;
    if parts == 1 && !fraction.is_empty() {
        let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
        at = at.checked_add(SignedDuration::from_nanos(nanos)).ok()?;
    }
    Some(exact(at))
}

fn clear(text: &str) -> Option<ParsedTime> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(exact(at));
    }
    let parts = Parts::of(text)?;
    let tokens = tokens(parts.date);
    let date = match &*tokens {
        [year, month, day] if year.len() == 4 => date(year, month_of(month)?, day)?,
        [day, month, year] if year.len() == 4 && !is_digits(month) => {
            date(year, month_of(month)?, day)?
        }
        [month, day, year] if year.len() == 4 && !is_digits(month) => {
            date(year, month_of(month)?, day)?
        }
        // 20260131
        [all] if all.len() == 8 && is_digits(all) => {
            date(&all[..4], all[4..6].parse().ok()?, &all[6..])?
        }
        _ => return None,
    };
    parts.at(date)
}

fn digits(text: &str, order: DateOrder) -> Option<ParsedTime> {
    let parts = Parts::of(text)?;
    let tokens = tokens(parts.date);
    let [first, second, year] = &*tokens else {
        return None;
    };
    if year.len() != 4 || !is_digits(first) || !is_digits(second) {
        return None;
    }
    let has_points = parts.date.contains('.');
    let (day, month) = match order {
        DateOrder::DayFirst => (first, second),
        // nobody writes the month first where points are between
        DateOrder::MonthFirst if has_points => return None,
        DateOrder::MonthFirst => (second, first),
    };
    parts.at(date(year, month.parse().ok()?, day)?)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The parts of a date, without the day of the week.
fn tokens(date: &str) -> Vec<&str> {
    const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    date.split(['-', '/', '.', ' ', ','])
        .filter(|token| !token.is_empty())
        .filter(|token| {
            let start = token
                .get(..3)
                .map(str::to_ascii_lowercase)
                .unwrap_or_default();
            !(token.ends_with("day") || token.len() == 3) || !WEEKDAYS.contains(&&*start)
        })
        .collect()
}

fn month_of(text: &str) -> Option<i8> {
    if is_digits(text) {
        return text.parse().ok();
    }
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = text.to_ascii_lowercase();
    (1..)
        .zip(MONTHS)
        .find(|(_, name)| {
            *name == lower || name[..3] == lower || lower == "sept" && name.starts_with("sept")
        })
        .map(|(number, _)| number)
}

fn date(year: &str, month: i8, day: &str) -> Option<Date> {
    if !is_digits(year) || !is_digits(day) || day.len() > 2 {
        return None;
    }
    Date::new(year.parse().ok()?, month, day.parse().ok()?).ok()
}

/// A text's date, time of day and offset.
struct Parts<'a> {
    date: &'a str,
    time: Option<Time>,
    offset: Option<Offset>,
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let mut rest = text.trim();
        let mut offset = None;
        for zone in ["UTC", "GMT", "Z"] {
            if let Some(before) = rest.strip_suffix(zone)
                && before.ends_with(|c: char| c.is_ascii_digit() || is_space(c) || c == '[')
            {
                rest = before.trim_end_matches(|c| is_space(c) || c == '[');
                offset = Some(Offset::UTC);
                break;
            }
        }
        let Some(colon) = rest.find(':') else {
            // a date alone: a zone after it is cut off by now
            return Some(Self {
                date: rest,
                time: None,
                offset,
            });
        };
        let begins = rest[..colon]
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |at| {
                at + rest[at..].chars().next().map_or(1, char::len_utf8)
            });
        let date = rest[..begins].trim_end_matches(|c| is_space(c) || matches!(c, 'T' | ','));
        let mut time = rest[begins..].trim();
        if let Some(at) = time.rfind(['+', '-']) {
            let (before, written) = time.split_at(at);
            let written_offset = offset_of(written)?;
            // "+0000 UTC" says it twice
            if offset.is_some_and(|known| known != written_offset) {
                return None;
            }
            offset = Some(written_offset);
            time = before.trim_end();
        }
        Some(Self {
            date,
            time: Some(time_of(time)?),
            offset,
        })
    }

    fn at(&self, date: Date) -> Option<ParsedTime> {
        let civil = DateTime::from_parts(date, self.time.unwrap_or(Time::MIN));
        let at = self
            .offset
            .unwrap_or(Offset::UTC)
            .to_timestamp(civil)
            .ok()?;
        Some(ParsedTime {
            at,
            is_assumed_utc: self.offset.is_none() && self.time.is_some(),
        })
    }
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}')
}

/// `+02`, `+0200`, `+02:00`
fn offset_of(text: &str) -> Option<Offset> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text[1..].chars().filter(|&c| c != ':').collect();
    if !is_digits(&digits) {
        return None;
    }
    let (hours, minutes): (i32, i32) = match digits.len() {
        2 => (digits.parse().ok()?, 0),
        4 => (digits[..2].parse().ok()?, digits[2..].parse().ok()?),
        _ => return None,
    };
    if hours > 15 || minutes > 59 {
        return None;
    }
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

/// `3:00`, `03:00:00.25`, `3:00:00 PM`
fn time_of(text: &str) -> Option<Time> {
    let lower = text.to_ascii_lowercase();
    let (clock, half) = match lower.strip_suffix("am") {
        Some(rest) => (rest, Some(0)),
        None => match lower.strip_suffix("pm") {
            Some(rest) => (rest, Some(12)),
            None => (&*lower, None),
        },
    };
    let mut fields = clock.trim_end_matches(is_space).split(':');
    let mut hour: i8 = fields.next()?.parse().ok()?;
    let minute: i8 = fields.next()?.parse().ok()?;
    let (second, nanos) = match fields.next() {
        None => (0, 0),
        Some(second) => {
            let (second, fraction) = second.split_once(['.', ',']).unwrap_or((second, ""));
            if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            (
                second.parse().ok()?,
                format!("{fraction:0<9}").get(..9)?.parse().ok()?,
            )
        }
    };
    if fields.next().is_some() {
        return None;
    }
    if let Some(half) = half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + half;
    }
    Time::new(hour, minute, second, nanos).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_databases_and_programs_write_them() {
        for (text, expected) in [
            ("2026-01-31T03:00:00Z", "2026-01-31T03:00:00Z"),
            ("2026-01-31 03:00:00.25", "2026-01-31T03:00:00.25Z"),
            ("2026-01-31 03:00:00+00", "2026-01-31T03:00:00Z"),
            ("2026-01-31 03:00:00 UTC", "2026-01-31T03:00:00Z"),
            ("2026-01-31 03:00 UTC", "2026-01-31T03:00:00Z"),
            ("2026-01-31 05:00:00+02", "2026-01-31T03:00:00Z"),
            ("2026-01-31 05:00:00 +0200", "2026-01-31T03:00:00Z"),
            ("2026-01-31 03:00:00 +0000 UTC", "2026-01-31T03:00:00Z"),
            (
                "2026-01-31T05:00:00+02:00[Europe/Berlin]",
                "2026-01-31T03:00:00Z",
            ),
            ("2026/01/31 03:00", "2026-01-31T03:00:00Z"),
            ("20260131T030000Z", "2026-01-31T03:00:00Z"),
            ("2026-01-31", "2026-01-31T00:00:00Z"),
            ("20260131", "2026-01-31T00:00:00Z"),
            ("31 Jan 2026", "2026-01-31T00:00:00Z"),
            ("31-Jan-2026 03:00:00", "2026-01-31T03:00:00Z"),
            ("Jan 31, 2026, 3:00:00\u{202f}AM", "2026-01-31T03:00:00Z"),
            ("Saturday, January 31, 2026", "2026-01-31T00:00:00Z"),
            ("Sat, 31 Jan 2026 03:00:00 GMT", "2026-01-31T03:00:00Z"),
            ("31/01/2026 15:00", "2026-01-31T15:00:00Z"),
            ("1/31/2026, 3:00:00 PM", "2026-01-31T15:00:00Z"),
            ("31.01.2026", "2026-01-31T00:00:00Z"),
            ("31-01-2026", "2026-01-31T00:00:00Z"),
            ("1769828400", "2026-01-31T03:00:00Z"),
            ("1769828400.25", "2026-01-31T03:00:00.25Z"),
            ("1769828400000", "2026-01-31T03:00:00Z"),
            ("1769828400000000", "2026-01-31T03:00:00Z"),
            ("1769828400000000000", "2026-01-31T03:00:00Z"),
        ] {
            let expected: Timestamp = expected.parse().unwrap();
            let read: Vec<_> = forms(text).filter_map(|form| read(text, form)).collect();
            assert_eq!(
                read.iter().map(|read| read.at).collect::<Vec<_>>(),
                [expected],
                "{text}"
            );
        }
    }

    #[test]
    fn what_can_be_two_dates_is_read_as_both() {
        for text in ["01/02/2026", "1/2/2026 03:00", "01-02-2026"] {
            assert_eq!(forms(text).count(), 2, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "now",
            "yesterday",
            "9999-01-31",
            "1970-01-01",
            "2026-13-31",
            "2026-02-30",
            "31.01.26",
            "01/31/26",
            "2026-01-31 25:00",
            "2026-01-31 03:00 CEST",
            "2026-01-31 03:00:00 America/Lima",
            "1.769828E9",
            "46053",
            "2026",
            "2026-01",
            "-1769828400",
            "03:00",
            "13:00 PM",
            "31/31/2026",
        ] {
            assert_eq!(forms(text).count(), 0, "{text}");
        }
    }

    #[test]
    fn a_number_is_a_date_only_if_it_is_one() {
        for (text, expected) in [
            ("2026-01-31", true),
            ("31.01.2026", true),
            ("20260131", true),
            ("180094419235", false),
            ("1769828400", false),
            ("180.094", false),
        ] {
            assert_eq!(is_date(text), expected, "{text}");
        }
    }
}
