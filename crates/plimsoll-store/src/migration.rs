//! The numbered migrations of both stores.
//!
//! An own runner of a few lines, because refinery holds rusqlite back at 0.41 and takes neither
//! SQLite's `begin immediate` nor PostgreSQL's advisory lock, without which two processes that start
//! at once collide.

use plimsoll_core::name::visible;

use crate::StoreError;

/// One numbered file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Its number; they are applied in this order, without gaps.
    pub(crate) number: u32,
    /// Its file's name without the ending.
    pub(crate) name: &'static str,
    /// Its statements.
    pub(crate) sql: &'static str,
}

/// Those of SQLite.
pub(crate) const SQLITE: &[Migration] = &[
    Migration {
        number: 1,
        name: "001_history",
        sql: include_str!("../migrations/sqlite/001_history.sql"),
    },
    Migration {
        number: 2,
        name: "002_forecasts",
        sql: include_str!("../migrations/sqlite/002_forecasts.sql"),
    },
    Migration {
        number: 3,
        name: "003_claims",
        sql: include_str!("../migrations/sqlite/003_claims.sql"),
    },
    Migration {
        number: 4,
        name: "004_unknown_totals",
        sql: include_str!("../migrations/sqlite/004_unknown_totals.sql"),
    },
    Migration {
        number: 5,
        name: "005_disk",
        sql: include_str!("../migrations/sqlite/005_disk.sql"),
    },
    Migration {
        number: 6,
        name: "006_fleets",
        sql: include_str!("../migrations/sqlite/006_fleets.sql"),
    },
    Migration {
        number: 7,
        name: "007_aliases",
        sql: include_str!("../migrations/sqlite/007_aliases.sql"),
    },
    Migration {
        number: 8,
        name: "008_alerts",
        sql: include_str!("../migrations/sqlite/008_alerts.sql"),
    },
    Migration {
        number: 9,
        name: "009_messages",
        sql: include_str!("../migrations/sqlite/009_messages.sql"),
    },
    Migration {
        number: 10,
        name: "010_unknown_tables",
        sql: include_str!("../migrations/sqlite/010_unknown_tables.sql"),
    },
    Migration {
        number: 11,
        name: "011_disk_rows",
        sql: include_str!("../migrations/sqlite/011_disk_rows.sql"),
    },
];

/// Those of PostgreSQL.
pub(crate) const POSTGRES: &[Migration] = &[
    Migration {
        number: 1,
        name: "001_history",
        sql: include_str!("../migrations/postgres/001_history.sql"),
    },
    Migration {
        number: 2,
        name: "002_forecasts",
        sql: include_str!("../migrations/postgres/002_forecasts.sql"),
    },
    Migration {
        number: 3,
        name: "003_claims",
        sql: include_str!("../migrations/postgres/003_claims.sql"),
    },
    Migration {
        number: 4,
        name: "004_unknown_totals",
        sql: include_str!("../migrations/postgres/004_unknown_totals.sql"),
    },
    Migration {
        number: 5,
        name: "005_disk",
        sql: include_str!("../migrations/postgres/005_disk.sql"),
    },
    Migration {
        number: 6,
        name: "006_fleets",
        sql: include_str!("../migrations/postgres/006_fleets.sql"),
    },
    Migration {
        number: 7,
        name: "007_aliases",
        sql: include_str!("../migrations/postgres/007_aliases.sql"),
    },
    Migration {
        number: 8,
        name: "008_alerts",
        sql: include_str!("../migrations/postgres/008_alerts.sql"),
    },
    Migration {
        number: 9,
        name: "009_messages",
        sql: include_str!("../migrations/postgres/009_messages.sql"),
    },
    Migration {
        number: 10,
        name: "010_unknown_tables",
        sql: include_str!("../migrations/postgres/010_unknown_tables.sql"),
    },
    Migration {
        number: 11,
        name: "011_disk_rows",
        sql: include_str!("../migrations/postgres/011_disk_rows.sql"),
    },
];

/// This program's version, which the store keeps beside each migration that it applied.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// How far a store's schema has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The number of the last one; 0 before the first.
    pub(crate) number: u32,
    /// The version of the program that applied it, where it said so.
    pub(crate) program: Option<String>,
}

/// A store that a newer program has been at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Newer {
    applied: Applied,
    known: u32,
}

impl Applied {
    pub(crate) fn of(number: i32, program: Option<String>) -> Self {
        Self {
            number: u32::try_from(number).unwrap_or(0),
            program,
        }
    }

    /// Those of `migrations` that a store lacks, unless it has some that this program does not know.
    pub(crate) fn missing(
        self,
        migrations: &'static [Migration],
    ) -> Result<&'static [Migration], Newer> {
        let known = newest(migrations);
        if self.number > known {
            return Err(Newer {
                applied: self,
                known,
            });
        }
        Ok(after(migrations, self.number))
    }
}

impl Newer {
    /// The error, on this store.
    pub(crate) fn on(self, store: String) -> StoreError {
        let program = self.applied.program.as_deref();
        StoreError::Newer {
            store,
            found: format!(
                "{}, migration {}",
                program.unwrap_or("a version that it does not name"),
                self.applied.number
            ),
            known: format!("{PROGRAM}, migration {}", self.known),
        }
    }
}

/// What is said of a place that holds something else: the first of the tables there.
pub(crate) fn tables_text(names: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| visible(name)).collect();
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    let tables = if names.len() == 1 { "table" } else { "tables" };
    format!("the {tables} {}{more}", shown.join(", "))
}

/// The number of the last one.
pub(crate) fn newest(migrations: &[Migration]) -> u32 {
    migrations.last().map_or(0, |migration| migration.number)
}

/// Those that come after number `applied`.
pub(crate) fn after(migrations: &'static [Migration], applied: u32) -> &'static [Migration] {
    let at = migrations.partition_point(|migration| migration.number <= applied);
    &migrations[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_without_gaps_and_alike_in_both_stores() {
        for migrations in [SQLITE, POSTGRES] {
            for (number, migration) in (1..).zip(migrations) {
                assert_eq!(migration.number, number);
                assert!(migration.name.starts_with(&format!("{number:03}_")));
            }
        }
        let names = |all: &[Migration]| all.iter().map(|m| m.name).collect::<Vec<_>>();
        assert_eq!(names(SQLITE), names(POSTGRES));
        assert!(after(SQLITE, newest(SQLITE)).is_empty());
        assert_eq!(after(SQLITE, 0).len(), SQLITE.len());
    }
}
