//! The partitions of the values: one a week; and one a year of what is imported from long ago, as each takes
//! files, memory and time in planning, whether it holds much or little.

use std::collections::{HashMap, HashSet};
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

/// About a year, in ticks.
const YEAR: i64 = 366 * 86_400;

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
        self.make(pool, &[week_of(tick)], None).await
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
        if let Err(wrong) = self.make(pool, &ahead, None).await {
            *self
                .failed_ahead
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            tracing::warn!(reason = %wrong.on("the store"), "store.partition.not_made_ahead");
        }
    }

    /// Makes the partitions for all ticks from one to another, unless they are there: for each year that ended
    /// a year before the last one or earlier, one.
    pub(super) async fn ensure_all(
        &self,
        pool: &Pool,
        (first, last): (i64, i64),
    ) -> Result<(), Wrong> {
        let count = (week_of(last) - week_of(first)) / WEEK;
        let starts: Vec<i64> = (0..=count)
            .map(|week| week_of(first) + week * WEEK)
            .collect();
        self.make(pool, &starts, Some(last - YEAR)).await
    }

    /// Makes the partitions for weeks by their first ticks; weeks of a year that ended before `gathered_until`
    /// get one together, unless some of them have their own already.
    async fn make(
        &self,
        pool: &Pool,
        starts: &[i64],
        gathered_until: Option<i64>,
    ) -> Result<(), Wrong> {
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
        let mut there: HashMap<&str, Vec<Span>> = HashMap::new();
        for row in &rows {
            if let Some(span) = Span::named(row.try_get(1)?) {
                there.entry(row.try_get(0)?).or_default().push(span);
            }
        }
        for start in missing {
            for table in TABLES {
                let there = there.entry(table).or_default();
                if there.iter().any(|span| span.has(start)) {
                    continue;
                }
                let year = Span::year_of(start);
                let is_gathered = gathered_until.is_some_and(|until| year.end <= until)
                    && !there.iter().any(|span| span.overlaps(year));
                let span = if is_gathered { year } else { Span::week(start) };
                attach(&mut connection, table, span).await?;
                there.push(span);
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
            let Some(span) = Span::named(name) else {
                continue;
            };
            if span.end > this_week {
                continue;
            }
            let work = connection.write().await?;
            match drop_if_empty(&work, table, name, span).await {
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
async fn attach(connection: &mut Connection, table: &str, span: Span) -> Result<(), Wrong> {
    let mut attempt = 0;
    loop {
        match try_attach(connection, table, span).await {
            Err(wrong) if wrong.is_lock_timeout() && attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
}

async fn try_attach(connection: &mut Connection, table: &str, span: Span) -> Result<(), Wrong> {
    let work = connection.write().await?;
    work.batch("set local lock_timeout = '2s'").await?;
    work.execute("select pg_advisory_xact_lock($1)", &[&LOCK])
        .await?;
    let name = span.name(table);
    if !has_table(&work, &name).await? {
        let Span { start, end } = span;
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
    span: Span,
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
        let row = work
            .row(
                include_str!("partition/has_samples.sql"),
                &[&span.start, &span.end],
            )
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

/// Whether a partition, by its name, is of weeks before `now`'s.
pub(super) fn is_past(name: &str, now: Timestamp) -> bool {
    Span::named(name).is_some_and(|span| span.end <= week_of(now.as_second()))
}

/// The ticks that a partition is for: of a week, or of the weeks that begin in a year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: i64,
    /// The first tick after it.
    end: i64,
}

impl Span {
    const fn week(start: i64) -> Self {
        Self {
            start,
            end: start + WEEK,
        }
    }

    /// The year in which a week begins.
    fn year_of(week: i64) -> Self {
        let year = from_millis(week * 1000)
            .to_zoned(jiff::tz::TimeZone::UTC)
            .year();
        Self {
            start: first_monday(year),
            end: first_monday(year + 1),
        }
    }

    const fn has(self, tick: i64) -> bool {
        self.start <= tick && tick < self.end
    }

    const fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// A partition's name: its table, `year` where it is for one, and its first day.
    fn name(self, table: &str) -> String {
        let day = from_millis(self.start * 1000)
            .strftime("%Y%m%d")
            .to_string()
            .replace('-', "_");
        if self.end - self.start == WEEK {
            format!("{table}_{day}")
        } else {
            format!("{table}_year_{day}")
        }
    }

    /// What a partition is for, by its name.
    fn named(name: &str) -> Option<Self> {
        let (table, day) = name.rsplit_once('_')?;
        let day: jiff::civil::Date = jiff::civil::Date::strptime("%Y%m%d", day).ok()?;
        let start = day.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        let start = start.timestamp().as_second();
        Some(if table.ends_with("_year") {
            Self::year_of(start)
        } else {
            Self::week(start)
        })
    }
}

/// The first tick of the first week that begins in a year.
fn first_monday(year: i16) -> i64 {
    let first = jiff::civil::Date::new(year, 1, 1)
        .and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC))
        .map_or(0, |day| day.timestamp().as_second());
    week_of(first - 1) + WEEK
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
            let week = Span::week(week_of(at.as_second()));
            assert_eq!(week.name("table_values"), first_day);
            assert_eq!(Span::named(first_day), Some(week));
        }
    }

    #[test]
    fn years_are_made_of_whole_weeks_and_follow_each_other() {
        let mut end = first_monday(1996);
        for year in 1996..2060_i16 {
            let span = Span::year_of(end);
            assert_eq!((span.start, span.end), (end, first_monday(year + 1)));
            assert!(
                [52, 53].contains(&((span.end - span.start) / WEEK)),
                "{year}"
            );
            assert_eq!(Span::year_of(span.end - WEEK), span);
            assert_eq!(Span::named(&span.name("index_values")), Some(span));
            end = span.end;
        }
        let span = Span::year_of(week_of(
            "2018-06-01T00:00:00Z"
                .parse::<Timestamp>()
                .unwrap()
                .as_second(),
        ));
        assert_eq!(span.name("table_values"), "table_values_year_20180101");
        let tick = |day: &str| day.parse::<Timestamp>().unwrap().as_second();
        assert!(span.has(tick("2019-01-06T23:59:59Z")) && !span.has(tick("2019-01-07T00:00:00Z")));
    }
}
