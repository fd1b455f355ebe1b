//! A parameter as it is declared, and the forms that its values have.

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

impl Accepts {
    /// A regular expression (ECMA 262) that every accepted value matches; none for any text and for numbers.
    pub fn pattern(self) -> Option<String> {
        match self {
            Self::Text(_) | Self::Number { .. } | Self::OneOf(_) => None,
            Self::Several(words) => {
                let words = words.join("|");
                Some(format!("^(all|({words})(,({words}))*)$"))
            }
            Self::Table => Some(r#"^("([^"]|"")+"|[^".]+)(\.("([^"]|"")+"|[^".]+))?$"#.to_owned()),
            Self::Time => Some(
                r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
                    .to_owned(),
            ),
            Self::Days => Some(r"^\d{1,4}(\.\d+)?(,\d{1,4}(\.\d+)?)*$".to_owned()),
            Self::Bytes => Some("^[0-9]{1,15} ?(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$".to_owned()),
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
