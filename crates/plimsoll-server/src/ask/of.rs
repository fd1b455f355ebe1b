//! Which instance and database are asked about, how fresh, and which part of them.

use std::time::Duration;

use jiff::SignedDuration;
use plimsoll_store::{SeriesQuery, TableName};

use super::params::{
    DATABASE, INSTANCE, MAX_AGE, SAMPLE_KIND, SCHEMA, SINCE, STEP, TABLE_AND_BELOW, UNTIL, WAIT,
};
use super::words::{SampleKinds, step};
use super::{Ask, Given, Param, Refused};

/// Which database is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfDatabase {
    /// The configured name of its instance.
    pub instance: Option<String>,
    /// Its name.
    pub database: Option<String>,
}

impl Ask for OfDatabase {
    fn params() -> Vec<&'static Param> {
        vec![&INSTANCE, &DATABASE]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok(Self {
            instance: given.owned(&INSTANCE)?,
            database: given.owned(&DATABASE)?,
        })
    }
}

/// Which instance is asked about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfInstance {
    /// Its configured name.
    pub instance: Option<String>,
}

impl Ask for OfInstance {
    fn params() -> Vec<&'static Param> {
        vec![&INSTANCE]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok(Self {
            instance: given.owned(&INSTANCE)?,
        })
    }
}

/// Which table or set is asked about; without one, all there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfTable(pub Option<TableName>);

impl Ask for OfTable {
    fn params() -> Vec<&'static Param> {
        vec![&TABLE_AND_BELOW]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        given.table(&TABLE_AND_BELOW).map(Self)
    }
}

/// How current an answer must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fresh {
    /// A snapshot up to this age does, though it be older than its cost says.
    pub max_age: Option<SignedDuration>,
    /// How long to wait for a visit.
    pub wait: Option<Duration>,
}

impl Ask for Fresh {
    fn params() -> Vec<&'static Param> {
        vec![&MAX_AGE, &WAIT]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let seconds = given.number(&MAX_AGE)?;
        Ok(Self {
            max_age: seconds
                .and_then(|seconds| i64::try_from(seconds).ok())
                .map(SignedDuration::from_secs),
            wait: given
                .number(&WAIT)?
                .and_then(|seconds| u64::try_from(seconds).ok())
                .map(Duration::from_secs),
        })
    }
}

/// A table or a schema, or else what `otherwise` is; both are one too many.
pub fn table_or<T>(
    given: &Given,
    table: impl Fn(TableName) -> T,
    schema: impl Fn(String) -> T,
    otherwise: T,
) -> Result<T, Refused> {
    match (given.table(&TABLE_AND_BELOW)?, given.owned(&SCHEMA)?) {
        (Some(_), Some(_)) => Err(Refused::both_table_and_schema(&SCHEMA)),
        (Some(name), None) => Ok(table(name)),
        (None, Some(name)) => Ok(schema(name)),
        (None, None) => Ok(otherwise),
    }
}

impl Ask for SeriesQuery {
    fn params() -> Vec<&'static Param> {
        vec![&SINCE, &UNTIL, &STEP, &SAMPLE_KIND]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let (since, until) = given.period(&SINCE, &UNTIL)?;
        Ok(Self {
            kinds: given.word::<SampleKinds>(&SAMPLE_KIND)?.0,
            since,
            until,
            step: given.read(&STEP, step)?.unwrap_or_default(),
        })
    }
}
