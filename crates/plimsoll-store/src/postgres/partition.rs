//! The weekly partitions of the values.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::error::Wrong;
use super::migrate::has_table;
use super::pool::{Pool, get};
use crate::sample::from_millis;

/// The length of a partition in ticks: a week. Monday, because 1970 began on a Thursday.
const WEEK: i64 = 7 * 86_400;
const MONDAY: i64 = 4 * 86_400;

/// Guards the making and dropping of partitions: "plimsoll" in ASCII, and one more.
pub(super) const LOCK: i64 = 0x706c_696d_736f_6c6d;

/// The tables that are partitioned.
pub(super) const TABLES: [&str; 2] = ["table_values", "index_values"];

/// Weeks whose partitions this process knows to be there.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    known: Mutex<HashSet<i64>>,
}

impl Partitions {
    /// Makes the partitions for a tick, unless they are there.
    ///
    /// In a transaction of its own: it locks the whole table against reading and writing, for the
    /// moment that making an empty table takes.
    pub(super) async fn ensure(&self, pool: &Pool, tick: i64) -> Result<(), Wrong> {
        let start = week_of(tick);
        if self.known().contains(&start) {
            return Ok(());
        }
        let mut connection = get(pool).await?;
        let work = connection.write().await?;
        work.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
            .await?;
        for table in TABLES {
            let name = name(table, start);
            if !has_table(&work, &name).await? {
                work.batch(&format!(
                    "create table plimsoll.{name} partition of plimsoll.{table}
                     for values from ({start}) to ({})",
                    start + WEEK
                ))
                .await?;
            }
        }
        work.commit().await?;
        self.known().insert(start);
        Ok(())
    }

    /// Forgets what is there: another process may have dropped some.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first tick of the week.
pub(super) const fn week_of(tick: i64) -> i64 {
    (tick - MONDAY).div_euclid(WEEK) * WEEK + MONDAY
}

/// A partition's name: its table and its first day.
fn name(table: &str, start: i64) -> String {
    let day = from_millis(start * 1000).strftime("%Y%m%d").to_string();
    format!("{table}_{}", day.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday() {
        for (at, first_day) in [
            ("2026-11-22T23:59:59Z", "table_values_20261116"),
            ("2026-11-23T00:00:00Z", "table_values_20261123"),
            ("1969-12-31T00:00:00Z", "table_values_19691229"),
        ] {
            let at: jiff::Timestamp = at.parse().unwrap();
            assert_eq!(name("table_values", week_of(at.as_second())), first_day);
        }
    }
}
