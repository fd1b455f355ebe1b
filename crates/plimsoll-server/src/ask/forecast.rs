//! What a forecast is asked of: one size, or, with `by`, a ranking of what is in a database.

use super::params::{
    BY, CAPACITY, HORIZONS, RANKING_LIMIT, SCHEMA, SCOPE, TABLE_AND_BELOW, TABLESPACE,
};
use super::words::{AskError, horizons};
use super::{Ask, Given, Param, Refused};
use crate::forecasting::{DEFAULT_ROWS, ForecastOf, ForecastQuery, RankBy};

/// One forecast, or a ranking.
#[derive(Debug, Clone, PartialEq)]
pub enum Forecasts {
    /// Of one size.
    One(ForecastOf, ForecastQuery),
    /// Of what is in a database: at most so many rows.
    Ranked(RankBy, usize),
}

/// What names the one size, each at most beside none of the others.
static SUBJECTS: [&Param; 4] = [&TABLE_AND_BELOW, &SCHEMA, &TABLESPACE, &SCOPE];

impl Ask for Forecasts {
    fn params() -> Vec<&'static Param> {
        let others: [&Param; 4] = [&HORIZONS, &CAPACITY, &BY, &RANKING_LIMIT];
        SUBJECTS.into_iter().chain(others).collect()
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        let limit = given.number(&RANKING_LIMIT)?;
        let Some(by) = given.read(&BY, str::parse)? else {
            if limit.is_some() {
                return Err(Refused::beside(&RANKING_LIMIT, "`limit` goes with `by`"));
            }
            return Ok(Self::One(subject(given)?, query(given)?));
        };
        let others: Vec<&Param> = SUBJECTS.into_iter().chain([&HORIZONS, &CAPACITY]).collect();
        if others.iter().any(|param| given.has(param)) {
            let names: Vec<_> = others.iter().map(|param| param.name).collect();
            return Err(Refused::beside(
                &BY,
                format!(
                    "`by` ranks what is in the whole database: it goes without {}",
                    names.join(", ")
                ),
            ));
        }
        Ok(Self::Ranked(by, limit.unwrap_or(DEFAULT_ROWS)))
    }
}

fn subject(given: &Given) -> Result<ForecastOf, Refused> {
    if SUBJECTS.iter().filter(|param| given.has(param)).count() > 1 {
        return Err(Refused::beside(
            &TABLE_AND_BELOW,
            "only one of `table`, `schema`, `tablespace` and `scope` can be given; a table's schema is part of its name: sales.orders",
        ));
    }
    if let Some(table) = given.table(&TABLE_AND_BELOW)? {
        return Ok(ForecastOf::Table(table));
    }
    if let Some(schema) = given.owned(&SCHEMA)? {
        return Ok(ForecastOf::Schema(schema));
    }
    if let Some(tablespace) = given.owned(&TABLESPACE)? {
        return Ok(ForecastOf::Tablespace(tablespace));
    }
    let scope = given.read(&SCOPE, |text| match text {
        "instance" => Ok(ForecastOf::Instance),
        "database" => Ok(ForecastOf::Database),
        _ => Err(AskError::new(text, "instance or database")),
    })?;
    Ok(scope.unwrap_or(ForecastOf::Database))
}

fn query(given: &Given) -> Result<ForecastQuery, Refused> {
    Ok(ForecastQuery {
        horizons_days: given.read(&HORIZONS, horizons)?.unwrap_or_default(),
        capacity_bytes: given.bytes(&CAPACITY)?,
    })
}
