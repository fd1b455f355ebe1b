//! The values that a request or a command line gives, read against what was declared.

use std::str::FromStr;

use jiff::Timestamp;
use plimsoll_store::TableName;

use super::param::{Accepts, Param};
use super::words::{self, AskError};

/// Values by the names of their parameters, each at most once, and the time at which they were given.
#[derive(Debug, Clone)]
pub struct Given {
    pairs: Vec<(String, String)>,
    now: Timestamp,
}

/// Why what was given cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The name of the parameter.
    pub parameter: String,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Its value.
    Value(AskError),
    /// That it was given, or was not, beside others.
    Beside(String),
}

impl Refused {
    /// A parameter that does not go with what else was given.
    pub fn beside(parameter: &Param, reason: impl Into<String>) -> Self {
        Self {
            parameter: parameter.name.to_owned(),
            reason: Reason::Beside(reason.into()),
        }
    }

    /// A table and a schema are both given.
    pub fn both_table_and_schema(schema: &Param) -> Self {
        Self::beside(
            schema,
            "`table` and `schema` are both given; a table's schema is part of its name: sales.orders",
        )
    }

    /// For people, with the parameter's name as it was written there.
    pub fn text(&self, name: &str) -> String {
        match &self.reason {
            Reason::Value(error) => {
                format!(
                    "`{name}` is `{}`; it must be {}",
                    error.given, error.expected
                )
            }
            Reason::Beside(reason) => reason.clone(),
        }
    }
}

impl Given {
    /// What was given, and when. Names must be declared ones, each at most once.
    pub fn new(pairs: Vec<(String, String)>, now: Timestamp) -> Self {
        Self { pairs, now }
    }

    /// When it was given.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether it was given.
    pub fn has(&self, param: &Param) -> bool {
        self.pairs.iter().any(|(name, _)| name == param.name)
    }

    /// The text that was given, or the default.
    pub fn text(&self, param: &Param) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(name, _)| name == param.name)
            .map(|(_, value)| value.as_str())
            .or(param.default)
    }

    /// The text that was given, or the default, to keep.
    pub fn owned(&self, param: &Param) -> Result<Option<String>, Refused> {
        self.read(param, |text| Ok(text.to_owned()))
    }

    /// What `parse` makes of it.
    pub fn read<T>(
        &self,
        param: &Param,
        parse: impl Fn(&str) -> Result<T, AskError>,
    ) -> Result<Option<T>, Refused> {
        let read = |text| {
            let value = parse(text)?;
            // what `parse` understands beyond what was declared is refused too
            if self.has(param) {
                param.accepts.refuse_other_forms(text)?;
            }
            Ok(value)
        };
        self.text(param)
            .map(read)
            .transpose()
            .map_err(|error| Refused {
                parameter: param.name.to_owned(),
                reason: Reason::Value(error),
            })
    }

    /// A word or a list of words.
    pub fn word<T>(&self, param: &Param) -> Result<T, Refused>
    where
        T: FromStr<Err = AskError> + Default,
    {
        self.read(param, str::parse).map(Option::unwrap_or_default)
    }

    /// A whole number within the declared bounds.
    pub fn number(&self, param: &Param) -> Result<Option<usize>, Refused> {
        let (least, most) = match param.accepts {
            Accepts::Number { least, most } => (least, most),
            _ => (0, u32::MAX),
        };
        self.read(param, |text| {
            let number: Option<u32> = text.parse().ok();
            number
                .filter(|number| (least..=most).contains(number))
                .and_then(|number| usize::try_from(number).ok())
                .ok_or_else(|| {
                    AskError::new(text, format!("a whole number from {least} to {most}"))
                })
        })
    }

    /// A size in bytes above 0.
    pub fn bytes(&self, param: &Param) -> Result<Option<u64>, Refused> {
        self.read(param, |text| {
            let bytes = plimsoll_input::bytes(text).ok();
            bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
                AskError::new(
                    text,
                    "a size above 0, in bytes or such as 500GB (1000 apart) or 500GiB (1024 apart)",
                )
            })
        })
    }

    /// A time, or an age before now.
    pub fn time(&self, param: &Param) -> Result<Option<Timestamp>, Refused> {
        self.read(param, |text| words::since(text, self.now))
    }

    /// The two ends of a period, or what there is of them: the second is not before the first. Where the
    /// first was not given, its default is an age at the second.
    pub fn period(
        &self,
        from: &Param,
        to: &Param,
    ) -> Result<(Option<Timestamp>, Option<Timestamp>), Refused> {
        let until = self.time(to)?;
        let since = if self.has(from) {
            self.time(from)?
        } else {
            let end = until.unwrap_or(self.now);
            self.read(from, |text| words::since(text, end))?
        };
        let ends = (since, until);
        match ends {
            (Some(since), Some(until)) if until < since => Err(Refused::beside(
                to,
                format!(
                    "`{}` is {until:.0}, before `{}`, {since:.0}: a period ends after it begins",
                    to.name, from.name
                ),
            )),
            _ => Ok(ends),
        }
    }

    /// A table.
    pub fn table(&self, param: &Param) -> Result<Option<TableName>, Refused> {
        self.read(param, words::table_name)
    }
}
