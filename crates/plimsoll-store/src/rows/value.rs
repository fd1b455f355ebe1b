//! Values of columns and parameters, as both stores have them, and rows that are read with checks.

use jiff::Timestamp;

use crate::sample::{from_millis, millis};

/// The value of a column or a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
    /// To the millisecond: what both stores keep.
    Time(Timestamp),
    /// A parameter only: a list of numbers, or of texts, for `= any ($1)`.
    Ids(Vec<i32>),
    BigIds(Vec<i64>),
    Texts(Vec<String>),
}

/// A row of which every value is checked when it is read.
#[derive(Debug, Clone)]
pub(crate) struct Row(pub(crate) Vec<Value>);

/// A row that is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error(
    "column {column} of a row is {found}, which is no {wanted}; was the store changed by hand?"
)]
pub(crate) struct RowError {
    column: usize,
    found: String,
    wanted: &'static str,
}

impl Row {
    /// The value of a column, counted from 0.
    pub(crate) fn get<T: FromValue>(&self, column: usize) -> Result<T, RowError> {
        let value = self.0.get(column).unwrap_or(&Value::Null);
        T::from_value(value).ok_or_else(|| self.no(T::NAME, column))
    }

    /// The error that a column is not what was wanted.
    pub(crate) fn no(&self, wanted: &'static str, column: usize) -> RowError {
        let value = self.0.get(column).unwrap_or(&Value::Null);
        RowError {
            column,
            found: format!("{value:?}").chars().take(60).collect(),
            wanted,
        }
    }
}

/// What a value can be read as.
pub(crate) trait FromValue: Sized {
    /// What an error calls it.
    const NAME: &'static str;

    /// `None` where the value is something else.
    fn from_value(value: &Value) -> Option<Self>;
}

impl FromValue for i64 {
    const NAME: &'static str = "whole number";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }
}

impl FromValue for bool {
    const NAME: &'static str = "truth value";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Bool(is_so) => Some(*is_so),
            // SQLite's
            Value::Int(number @ (0 | 1)) => Some(*number == 1),
            _ => None,
        }
    }
}

impl FromValue for String {
    const NAME: &'static str = "text";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        }
    }
}

impl FromValue for Timestamp {
    const NAME: &'static str = "time";

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Time(at) => Some(*at),
            // SQLite's: milliseconds since 1970
            Value::Int(millis) => Some(from_millis(*millis)),
            _ => None,
        }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const NAME: &'static str = T::NAME;

    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

macro_rules! narrower_numbers {
    ($($type:ty),+) => {$(
        impl FromValue for $type {
            const NAME: &'static str = stringify!($type);

            fn from_value(value: &Value) -> Option<Self> {
                i64::from_value(value).and_then(|number| number.try_into().ok())
            }
        }
    )+};
}

narrower_numbers!(i32, u32, u64);

impl From<&[i32]> for Value {
    fn from(ids: &[i32]) -> Self {
        Self::Ids(ids.to_vec())
    }
}

impl From<&[i64]> for Value {
    fn from(ids: &[i64]) -> Self {
        Self::BigIds(ids.to_vec())
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        Self::Time(from_millis(millis(at)))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

macro_rules! values_of {
    ($($type:ty => $variant:ident),+) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

values_of!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, String => Text, &String => Text);

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_is_not_as_it_should_be_is_an_error_and_no_panic() {
        let row = Row(vec![
            Value::Null,
            Value::Int(-1),
            Value::Text("x".to_owned()),
            Value::Int(1),
        ]);
        assert!(row.get::<i64>(0).is_err(), "a null");
        assert_eq!(row.get::<Option<i64>>(0).unwrap(), None);
        assert!(row.get::<u64>(1).is_err(), "less than it can be");
        assert!(row.get::<bool>(1).is_err());
        assert!(row.get::<i32>(2).is_err(), "of another type");
        assert!(row.get::<Timestamp>(2).is_err());
        assert!(row.get::<String>(9).is_err(), "not there at all");
        assert!(row.get::<bool>(3).unwrap());
        let error = row.get::<i64>(2).unwrap_err().to_string();
        assert!(
            error.contains("column 2") && error.contains("whole number"),
            "{error}"
        );
    }

    #[test]
    fn times_are_kept_to_the_millisecond_in_both_stores() {
        let at: Timestamp = "2026-01-01T00:00:00.123456Z".parse().unwrap();
        let Value::Time(kept) = Value::from(at) else {
            panic!()
        };
        assert_eq!(kept.to_string(), "2026-01-01T00:00:00.123Z");
        assert_eq!(Timestamp::from_value(&Value::Int(millis(at))), Some(kept));
    }
}
