//! What can be asked: which instance, database, table, kind, time, horizon, and how much of it.
//!
//! Each parameter is declared once, in [`params`]: its name, text, what it accepts and its default. Routes read it, the
//! specification shows it, and the command line makes its option from it.

mod disk;
mod forecast;
mod given;
mod of;
mod param;
pub mod params;
mod words;

pub use disk::DiskQuery;
pub use forecast::Forecasts;
pub use given::{Given, Refused};
pub use of::{Fresh, OfDatabase, OfInstance, OfTable, table_or};
pub use param::{Accepts, Param};
pub use words::{AskError, Kinds, SampleKinds, Sort, horizons, since, step, table_name, time};

/// What is asked with some parameters.
pub trait Ask: Sized {
    /// The parameters, in the order in which they are shown.
    fn params() -> Vec<&'static Param>;

    /// Reads them.
    fn read(given: &Given) -> Result<Self, Refused>;
}

impl<A: Ask, B: Ask> Ask for (A, B) {
    fn params() -> Vec<&'static Param> {
        [A::params(), B::params()].concat()
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok((A::read(given)?, B::read(given)?))
    }
}

/// Nothing can be asked.
impl Ask for () {
    fn params() -> Vec<&'static Param> {
        Vec::new()
    }

    fn read(_given: &Given) -> Result<Self, Refused> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
