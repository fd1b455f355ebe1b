//! Reads sizes over time from the files that people have: text in, series out.
//!
//! A file is anything that tools export: CSV in the ways of programs and countries, the answers of
//! Prometheus, Grafana, CloudWatch and Datadog, a table that psql printed. What is certain is read;
//! what can be read in two ways is refused, with what was seen and what to say. Nothing is guessed
//! that would change a size.
//!
//! An input is read twice, so that what its last line says counts for its first; it is never held in
//! memory as a whole, but for JSON, which is short.

mod columns;
mod evidence;
mod header;
mod json;
mod layout;
mod number;
mod order;
mod records;
mod refused;
mod relations;
mod table;
mod text;
mod time;
mod unit;

use std::io::{Read, Seek};

use plimsoll_core::counted::{counted, either};
use plimsoll_core::forecast::Point;

use header::Says;
pub use number::{Decimal, bytes};
pub use refused::Refused;
pub use relations::{Kind, RelationSize, kind, relations};
pub use time::DateOrder;
pub use unit::Unit;

/// What is asked of a file, beyond what it says itself.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// Of several series, the one of this name: the name of a column, or a value of the column that tells series apart.
    pub column: Option<String>,
    /// The numbers are free bytes of [`ReadOptions::capacity_bytes`].
    pub is_free: bool,
    /// How large the volume is whose free bytes they are.
    pub capacity_bytes: Option<u64>,
    /// What numbers count.
    pub unit: Option<Unit>,
    /// What separates fractions.
    pub decimal: Option<Decimal>,
    /// Whether dates in digits begin with the day or the month.
    pub dates: Option<DateOrder>,
}

impl ReadOptions {
    fn check_free(&self, name: &str, says: Says) -> Result<(), Refused> {
        if self.is_free && self.capacity_bytes.is_none() {
            return Err(Refused::Unit(
                "--free needs --capacity: how large the volume is of which so much is free"
                    .to_owned(),
            ));
        }
        if says.is_free && !self.is_free {
            return Err(Refused::Free {
                column: refused::beginning(name),
            });
        }
        Ok(())
    }
}

/// One size over time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What the file calls it.
    pub name: String,
    /// Its sizes, oldest first, one for each time.
    pub points: Vec<Point>,
    /// What was assumed, and what was left out: for people.
    pub notes: Vec<String>,
}

impl Series {
    fn new(name: String, points: Vec<Point>, missing: u64, mut notes: Vec<String>) -> Self {
        if missing > 0 {
            notes.push(format!(
                "{} without a value {} left out",
                counted(missing, "line"),
                either(missing, "was", "were")
            ));
        }
        Self {
            name,
            points,
            notes,
        }
    }
}

/// Reads one series from the beginning of an input.
///
/// # Errors
/// [`Refused`], which says what was seen and what to do.
pub fn read(input: &mut (impl Read + Seek), options: &ReadOptions) -> Result<Series, Refused> {
    input.rewind()?;
    let result = if json::is_json(input)? {
        json::read(input, options)
    } else {
        table::read(input, options)
    };
    result.map_err(|refused| match refused {
        Refused::Io(error) => records::from_io(error),
        refused => refused,
    })
}
