//! A parameter as it is declared, and the forms that its values have.

use regex_lite::Regex;

use super::words::AskError;

/// A parameter.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name in a query; on the command line with `-` for `_`.
    pub name: &'static str,
    /// What it asks for: a sentence without its full stop.
    pub text: &'static str,
    /// Its values.
    pub accepts: Accepts,
    /// The value that it has without being given.
    pub default: Option<&'static str>,
}

/// The values of a parameter.
#[derive(Debug, Clone, Copy)]
pub enum Accepts {
    /// Any text; what people call it.
    Text(&'static str),
    /// A whole number within bounds.
    Number {
        /// At least.
        least: u32,
        /// At most.
        most: u32,
    },
    /// One of some words.
    OneOf(&'static [&'static str]),
    /// `all`, or some of these words with commas between them.
    Several(&'static [&'static str]),
    /// A table as SQL names it.
    Table,
    /// A time, a date, or an age.
    Time,
    /// Numbers of days with commas between them.
    Days,
    /// A size: a number, with or without a unit.
    Bytes,
}

/// A date of the years 1000 to 2999: an hour in any zone is a time then.
const DATE: &str = concat!(
    "([12][0-9]{3}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)",
    "|02-(0[1-9]|1[0-9]|2[0-8]))",
    // of leap years
    "|([12][0-9](0[48]|[2468][048]|[13579][26])|(12|16|20|24|28)00)-02-29)"
);
/// A time of day, with its zone.
const TIME_OF_DAY: &str =
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
/// Whatever the unit, not before the year 1000.
const AGE: &str =
    "([0-9]{1,5} ?(ms|s|min|m|h|d|(second|minute|hour|day)s?)|[0-9]{1,4} ?(w|weeks?))";
/// Above 0 and up to 3650.
const DAYS: &str = r"(([1-9][0-9]{0,2}|[12][0-9]{3}|3[0-5][0-9]{2}|36[0-4][0-9])(\.[0-9]{1,3})?|3650|0\.[0-9]{0,2}[1-9])";
/// Above 0, and what 63 bits can count.
const SIZE: &str = concat!(
    "([1-9][0-9]{0,14} ?(B|kB|KB|KiB)?|[1-9][0-9]{0,11} ?(MB|MiB)|[1-9][0-9]{0,8} ?(GB|GiB)|[1-9][0-9]{0,5} ?(TB|TiB)",
    r"|(0|[1-9][0-9]{0,5})\.[0-9]{0,2}[1-9] ?(kB|KB|MB|GB|TB))"
);
/// A name as SQL writes it: bare, in quotes, or in quotes with escapes for characters, of which none are the halves of a
/// pair, or NUL.
const NAME: &str = concat!(
    r#"("([^"\x00]|"")+"|[Uu]&"([^"\\\x00]|""|\\\\|\\("#,
    "000[1-9A-Fa-f]|00[1-9A-Fa-f][0-9A-Fa-f]|0[1-9A-Fa-f][0-9A-Fa-f]{2}|[1-9A-CE-Fa-ce-f][0-9A-Fa-f]{3}",
    r"|[Dd][0-7][0-9A-Fa-f]{2})|\\\+(",
    "00000[1-9A-Fa-f]|0000[1-9A-Fa-f][0-9A-Fa-f]|000[1-9A-Fa-f][0-9A-Fa-f]{2}|00[1-9A-CE-Fa-ce-f][0-9A-Fa-f]{3}",
    r#"|00[Dd][0-7][0-9A-Fa-f]{2}|0[1-9A-Fa-f][0-9A-Fa-f]{4}|10[0-9A-Fa-f]{4}))+"|[^".\x00]+)"#
);

impl Accepts {
    /// A regular expression that the accepted values match, and no others; none for what is told by bounds or as
    /// a list of words. It means the same in ECMA 262, as the specification has it, and here.
    pub fn pattern(self) -> Option<String> {
        Some(match self {
            Self::Number { .. } | Self::OneOf(_) => return None,
            // neither a name in PostgreSQL nor what is looked for in one has such a character
            Self::Text(_) => r"^[^\x00]*$".to_owned(),
            Self::Several(words) => {
                let words = words.join("|");
                format!("^(all|({words})(, ?({words}))*)$")
            }
            Self::Table => format!(r"^{NAME}(\.{NAME})?$"),
            Self::Time => format!("^({DATE}(T{TIME_OF_DAY})?|{AGE})$"),
            Self::Days => format!("^{DAYS}(, ?{DAYS}){{0,31}}$"),
            Self::Bytes => format!("^{SIZE}$"),
        })
    }

    /// What a value must be that does not match it.
    const fn form(self) -> &'static str {
        match self {
            Self::Text(_) | Self::Number { .. } | Self::OneOf(_) => "text without a NUL character",
            Self::Several(_) => "all, or a list of words with commas between them",
            Self::Table => "a table's name such as orders, sales.orders or \"Sales\".\"Orders\"",
            Self::Time => {
                "a time such as 2026-01-31T00:00:00Z, a date such as 2026-01-31, or an age such as 7d or 12h; years \
                 are 1000 to 2999, ages have up to five digits, and up to four in weeks"
            }
            Self::Days => "1 to 32 numbers of days up to 3650, such as 7,30,90",
            Self::Bytes => {
                "a size above 0, in bytes or such as 500GB (1000 apart) or 500GiB (1024 apart)"
            }
        }
    }

    /// What is wrong with the form of a value, if anything is.
    pub(super) fn refuse_other_forms(self, value: &str) -> Result<(), AskError> {
        let Some(pattern) = self.pattern() else {
            return Ok(());
        };
        match Regex::new(&pattern) {
            Ok(pattern) if pattern.is_match(value) => Ok(()),
            _ => Err(AskError::new(value, self.form())),
        }
    }

    /// What stands for a value in a line that shows how an option is written.
    pub fn placeholder(self) -> String {
        match self {
            Self::Text(name) => name.to_owned(),
            Self::Number { .. } => "N".to_owned(),
            Self::OneOf(words) => words.join("|"),
            Self::Several(_) => "KINDS".to_owned(),
            Self::Table => "TABLE".to_owned(),
            Self::Time => "TIME".to_owned(),
            Self::Days => "DAYS".to_owned(),
            Self::Bytes => "BYTES".to_owned(),
        }
    }
}
