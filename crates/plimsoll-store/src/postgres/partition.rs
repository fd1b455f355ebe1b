//! The weekly partitions of the values.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::error::Wrong;
use super::migrate::has_table;
use super::pool::{Connection, Pool, get};
use super::work::Work;
use crate::sample::from_millis;

/// The length of a partition in ticks: a week. Monday, because 1970 began on a Thursday.
pub(super) const WEEK: i64 = 7 * 86_400;
pub(super) const MONDAY: i64 = 4 * 86_400;

/// How many weeks after the present one have their partitions.
const AHEAD: i64 = 8;

/// How long is waited before weeks that could not be made ahead are tried again.
const PAUSE: Duration = Duration::from_secs(10 * 60);

/// How often a partition that could not be attached at once is tried again.
const ATTEMPTS: u32 = 10;

/// Guards the making and dropping of partitions: "plimsoll" in ASCII, and one more.
const LOCK: i64 = 0x706c_696d_736f_6c6d;

/// The tables that are partitioned.
const TABLES: [&str; 2] = ["table_values", "index_values"];

/// Weeks whose partitions this process knows to be there.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    known: Mutex<HashSet<i64>>,
    /// When those of weeks to come could last not be made.
    failed_ahead: Mutex<Option<Instant>>,
}

impl Partitions {
    /// Makes the partitions for a sample's tick, unless they are there.
    pub(super) async fn ensure(&self, pool: &Pool, tick: i64) -> Result<(), Wrong> {
        self.make(pool, &[week_of(tick)]).await
    }

    /// Makes those of the weeks after a tick, so that a new week meets neither a busy store nor a dead
    /// worker. There is time: where it fails it is not tried again at once.
    pub(super) async fn ensure_ahead(&self, pool: &Pool, tick: i64) {
        let tried = |failed: &Option<Instant>| failed.is_some_and(|at| at.elapsed() < PAUSE);
        if tried(
            &self
                .failed_ahead
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        ) {
            return;
        }
        let start = week_of(tick);
        let ahead: Vec<i64> = (1..=AHEAD).map(|week| start + week * WEEK).collect();
        if let Err(wrong) = self.make(pool, &ahead).await {
            *self
                .failed_ahead
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            tracing::warn!(reason = %wrong.on("the store"), "store.partition.not_made_ahead");
        }
    }

    /// Makes the partitions for all ticks from one to another, unless they are there.
    pub(super) async fn ensure_all(
        &self,
        pool: &Pool,
        (first, last): (i64, i64),
    ) -> Result<(), Wrong> {
        let count = (week_of(last) - week_of(first)) / WEEK;
        let starts: Vec<i64> = (0..=count)
            .map(|week| week_of(first) + week * WEEK)
            .collect();
        self.make(pool, &starts).await
    }

    async fn make(&self, pool: &Pool, starts: &[i64]) -> Result<(), Wrong> {
        let missing: Vec<i64> = {
            let known = self.known();
            let is_new = |start: &&i64| !known.contains(*start);
            starts.iter().filter(is_new).copied().collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let mut connection;
        let work = begin!(pool, connection, read);
        let rows = work
            .query(include_str!("partition/partitions.sql"), &[&&TABLES[..]])
            .await?;
        work.commit().await?;
        let there: Result<HashSet<String>, _> = rows.iter().map(|row| row.try_get(1)).collect();
        let there = there?;
        for start in missing {
            for table in TABLES {
                if !there.contains(&name(table, start)) {
                    attach(&mut connection, table, start).await?;
                }
            }
            self.known().insert(start);
        }
        Ok(())
    }

    /// Drops the partitions of weeks before `now`'s that hold nothing, and of which no sample is left:
    /// thinning has moved what is still needed out of them. Returns how many.
    ///
    /// Each in a transaction of its own, which gives way to whoever reads for long: then the partition
    /// goes the next time.
    pub(super) async fn drop_past(&self, pool: &Pool, now: Timestamp) -> Result<u32, Wrong> {
        let mut connection = get(pool).await?;
        let this_week = week_of(now.as_second());
        let work = connection.read().await?;
        let rows = work
            .query(include_str!("partition/partitions.sql"), &[&&TABLES[..]])
            .await?;
        work.commit().await?;
        let mut dropped = 0;
        for row in rows {
            let (table, name): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            let Some(start) = start_of(name) else {
                continue;
            };
            if start >= this_week {
                continue;
            }
            let work = connection.write().await?;
            match drop_if_empty(&work, table, name, start).await {
                Ok(false) => {}
                Ok(true) => {
                    work.commit().await?;
                    dropped += 1;
                    tracing::info!(partition = name, "store.partition.dropped");
                }
                Err(wrong) if wrong.is_lock_timeout() => {
                    tracing::debug!(partition = name, "store.partition.in_use");
                }
                Err(wrong) => return Err(wrong),
            }
        }
        if dropped > 0 {
            self.forget();
        }
        Ok(dropped)
    }

    /// Forgets what is there: another process may have dropped some.
    pub(super) fn forget(&self) {
        self.known().clear();
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashSet<i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a partition apart and attaches it, which neither waits for those who read or write values nor
/// makes them wait. Gives way, some times, to what it has to wait for: another process that makes or drops
/// partitions.
async fn attach(connection: &mut Connection, table: &str, start: i64) -> Result<(), Wrong> {
    let mut attempt = 0;
    loop {
        match try_attach(connection, table, start).await {
            Err(wrong) if wrong.is_lock_timeout() && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

async fn try_attach(connection: &mut Connection, table: &str, start: i64) -> Result<(), Wrong> {
    let work = connection.write().await?;
    work.batch("set local lock_timeout = '2s'").await?;
    work.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    let name = name(table, start);
    if !has_table(&work, &name).await? {
        let end = start + WEEK;
        // Citus takes one at a time
        for sql in [
            format!("create table plimsoll.{name} (like plimsoll.{table} including all)"),
            format!(
                "alter table plimsoll.{table} attach partition plimsoll.{name}
                 for values from ({start}) to ({end})"
            ),
        ] {
            work.batch(&sql).await?;
        }
    }
    work.commit().await
}

/// Drops a partition if it holds nothing and no sample is left that it could hold something for.
async fn drop_if_empty(
    work: &Work<'_>,
    table: &str,
    name: &str,
    start: i64,
) -> Result<bool, Wrong> {
    work.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    // the second look passes over all samples, so the one that mostly says no goes first
    let is_past = async || -> Result<bool, Wrong> {
        if !has_table(work, name).await? {
            return Ok(false);
        }
        let rows = work
            .query(&format!("select 1 from plimsoll.{name} limit 1"), &[])
            .await?;
        if !rows.is_empty() {
            return Ok(false);
        }
        let end = start + WEEK;
        let row = work
            .row(include_str!("partition/has_samples.sql"), &[&start, &end])
            .await?;
        Ok(!row.try_get::<_, bool>(0)?)
    };
    if !is_past().await? {
        return Ok(false);
    }
    // From here on nobody can write into it: who has will be seen, who has not yet will not find it and
    // make it anew.
    work.batch(&format!(
        "set local lock_timeout = '2s'; lock table plimsoll.{table} in access exclusive mode"
    ))
    .await?;
    if !is_past().await? {
        return Ok(false);
    }
    work.batch(&format!("drop table plimsoll.{name}")).await?;
    Ok(true)
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

/// The first tick of the week that a partition is for, by its name.
fn start_of(name: &str) -> Option<i64> {
    let (_, day) = name.rsplit_once('_')?;
    let day: jiff::civil::Date = jiff::civil::Date::strptime("%Y%m%d", day).ok()?;
    let start = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(start.timestamp().as_second())
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
            let start = week_of(at.as_second());
            assert_eq!(name("table_values", start), first_day);
            assert_eq!(start_of(first_day), Some(start));
        }
    }
}
