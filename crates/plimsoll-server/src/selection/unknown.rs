//! What is said where nothing has a name, and where a size is not known.

use plimsoll_core::name::{shown, shown_table};
use plimsoll_store::{Point, StoreError, TableName};

/// Nothing has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// Neither the history nor, where it was asked, the server shows the table.
    #[error(
        "no table is known as {}; names fold to lower case unless they are quoted",
        shown_table(&.0.schema_name, &.0.table_name)
    )]
    Table(TableName),
    /// The server shows it no more, and the history does.
    #[error(
        "{} is there no more, {text}; the history has its series",
        shown_table(&.name.schema_name, &.name.table_name)
    )]
    Dropped {
        /// The table.
        name: TableName,
        /// When it was last seen.
        text: String,
    },
    /// No instance has this name.
    #[error("no instance is named \"{name}\"; watched are: {}", .known.join(", "))]
    Instance {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Neither the history nor what is watched has a database of this name.
    #[error("no watched database is named \"{name}\"; watched are: {}", .known.join(", "))]
    Database {
        /// The name that was asked for.
        name: String,
        /// Those that there are, as `instance/database`.
        known: Vec<String>,
    },
    /// Neither shows a table of the schema.
    #[error("no table is known in a schema {}", shown(.0))]
    Schema(String),
}

impl Unknown {
    /// A stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Instance { .. } => "unknown_instance",
            Self::Database { .. } => "unknown_database",
            Self::Table(_) => "unknown_table",
            Self::Dropped { .. } => "dropped_table",
            Self::Schema(_) => "unknown_schema",
        }
    }
}

/// Why a name could not be resolved.
#[derive(Debug, thiserror::Error)]
pub enum SelectionError {
    /// Nothing has the name.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// The history could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the sum at a point is not known; none where it is.
pub fn unmeasured_reason(point: &Point) -> Option<String> {
    match (point.unmeasured, point.tables) {
        (0, _) => None,
        (_, 1) => Some("it was never measured until then".to_owned()),
        (some, all) => Some(format!("{} never measured until then", were(some, all))),
    }
}

fn were(some: u32, all: u32) -> String {
    let were = if some == 1 { "was" } else { "were" };
    format!("{some} of {all} tables {were}")
}
