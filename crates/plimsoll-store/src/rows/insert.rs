//! Batches: many rows into one table.

use super::Value;

/// What rows go into, and how.
#[derive(Debug)]
pub(crate) struct Insert {
    /// With its schema.
    pub(crate) table: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// Whether a row whose key is there already is left as it is, instead of an error.
    pub(crate) skips_known: bool,
}

/// The type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Int4,
    Int8,
    Text,
    Time,
}

/// A row to insert: a value for each column.
pub(crate) type NewRow = Vec<Value>;

impl Kind {
    /// PostgreSQL's name of it.
    const fn postgres(self) -> &'static str {
        match self {
            Self::Int4 => "int4",
            Self::Int8 => "int8",
            Self::Text => "text",
            Self::Time => "timestamptz",
        }
    }
}

impl Insert {
    /// For PostgreSQL: each parameter is an array with a column's values, so that a batch of any size is
    /// one statement.
    pub(crate) fn of_arrays(&self) -> String {
        let arrays = (1..)
            .zip(self.columns)
            .map(|(at, (_, kind))| format!("unnest(${at}::{}[])", kind.postgres()));
        format!(
            "insert into {} ({}) select * from rows from ({}){}",
            self.table,
            self.names(),
            arrays.collect::<Vec<_>>().join(", "),
            self.conflict()
        )
    }

    /// For SQLite: a row at a time, which costs nothing there.
    pub(crate) fn of_one_row(&self) -> String {
        let params = (1..=self.columns.len()).map(|at| format!("${at}"));
        format!(
            "insert into {} ({}) values ({}){}",
            self.table,
            self.names(),
            params.collect::<Vec<_>>().join(", "),
            self.conflict()
        )
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    const fn conflict(&self) -> &'static str {
        if self.skips_known {
            " on conflict do nothing"
        } else {
            ""
        }
    }
}
