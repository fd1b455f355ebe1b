//! Months of daily snapshots that end at the present one: made up, and marked so in the store.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use plimsoll_core::instance::Figure;
use plimsoll_core::reconcile::reconcile;
use plimsoll_core::size::Size;
use plimsoll_core::snapshot::{Index, Snapshot, Storage, Table};

use super::past::{DAYS, Past, filled, mix, past_of, unit};

/// One day of the made-up history.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PastSample {
    /// The scheduled time that it stands for: 03:00 UTC of its day.
    pub(crate) scheduled_for: Timestamp,
    /// What a visit would have seen.
    pub(crate) snapshot: Snapshot,
}

/// OIDs and file numbers from here on are made up; a demo's server never gets so far.
const MADE_UP_OIDS: u32 = 3_000_000_000;

/// Months of measurements that are kept, the present one included.
const MONTHS_KEPT: i32 = 6;

/// The [`DAYS`] daily samples before the latest 03:00 UTC, oldest first.
///
/// The latest 03:00 itself is left out: the schedule takes that sample at once, of the real server.
/// A function of its arguments alone: the same snapshot has the same history.
pub(crate) fn history(present: &Snapshot, now: Timestamp) -> impl Iterator<Item = PastSample> {
    let today = day_number(now);
    (1..=DAYS).rev().map(move |days_ago| {
        let scheduled_for = at_three(today - i64::from(days_ago));
        let moment = Moment {
            days_ago,
            today,
            date: date_of(scheduled_for),
            today_date: date_of(now),
        };
        PastSample {
            scheduled_for,
            snapshot: snapshot_at(present, &moment, scheduled_for),
        }
    })
}

/// A day of the past, in the forms that the tables' pasts ask for.
struct Moment {
    days_ago: u16,
    today: i64,
    date: Date,
    today_date: Date,
}

fn snapshot_at(present: &Snapshot, moment: &Moment, scheduled_for: Timestamp) -> Snapshot {
    let block_size = u64::from(present.server.block_size);
    let mut tables: Vec<Table> = present
        .tables
        .iter()
        .filter_map(|table| table_at(table, moment, block_size))
        .collect();
    tables.extend(dropped_partitions(present, moment, block_size));

    let measured = |tables: &[Table]| -> u64 {
        tables
            .iter()
            .flat_map(Table::parts)
            .filter_map(|size| size.bytes)
            .sum()
    };
    let unattributed = present.totals.unattributed_bytes;
    // Everything was measured a moment ago, on a server of our own.
    let beside = present
        .totals
        .total_bytes
        .map_or(0, |bytes| bytes.saturating_sub(measured(&present.tables)));
    let total_bytes = measured(&tables) + beside;
    let totals = reconcile(&tables, Some(total_bytes), unattributed);

    let mut facts = present.facts.clone();
    for database in facts
        .databases
        .each_mut()
        .iter_mut()
        .filter(|other| other.oid == present.database_oid)
    {
        database.bytes = Figure::Known(total_bytes);
    }
    let chance = mix(scheduled_for.as_second().cast_unsigned());
    let measured_at =
        scheduled_for + SignedDuration::from_millis(i64::from(chance.to_le_bytes()[0]) * 9);
    Snapshot {
        measured_at,
        took_ms: 60 + u64::from(chance.to_le_bytes()[1]) / 4,
        full_sweep_at: Some(measured_at),
        tables,
        totals,
        facts,
        ..present.clone()
    }
}

/// A table as it was; none if it did not exist.
fn table_at(present: &Table, moment: &Moment, block_size: u64) -> Option<Table> {
    let (schema, name) = (present.schema_name.as_ref(), present.table_name.as_ref());
    if let Some(month) = month_of(schema, name) {
        let full = filled(month, moment.today_date);
        let share = if full > 0.0 {
            filled(month, moment.date) / full
        } else {
            1.0
        };
        return exists(month, moment.date).then(|| resized(present, share, share, block_size));
    }
    let Past {
        table,
        toast,
        rewrite,
    } = past_of(schema, name);
    let seed = seed_of(schema, name);
    let share = table.share(moment.days_ago, moment.today, seed)?;
    let toast_share = toast.share(moment.days_ago, moment.today, mix(seed))?;
    let mut past = resized(present, share, toast_share, block_size);
    if let Some(rewrite) = rewrite.filter(|rewrite| moment.days_ago > rewrite.days_ago) {
        for index in &mut past.indexes {
            undo(&mut index.storage, index.oid, rewrite.bloat, block_size);
        }
        if rewrite.whole_table {
            undo(&mut past.heap, past.oid, rewrite.bloat, block_size);
        }
    }
    Some(past)
}

fn resized(present: &Table, share: f64, toast_share: f64, block_size: u64) -> Table {
    let mut past = present.clone();
    scale(&mut past.heap.size, share, block_size);
    if let Some(toast) = &mut past.toast {
        scale(&mut toast.heap.size, toast_share, block_size);
        scale(&mut toast.index.size, toast_share, block_size);
    }
    for index in &mut past.indexes {
        scale(&mut index.storage.size, share, block_size);
        // A B-tree has its first page even while it is empty.
        index.storage.size.bytes = index.storage.size.bytes.map(|bytes| bytes.max(block_size));
    }
    past.rows.count = past.rows.count.map(|rows| rounded(rows, share));
    past.rows.dead = past.rows.dead.map(|rows| rounded(rows, share));
    past
}

/// The relation before it was rewritten: larger, and in another file.
fn undo(storage: &mut Storage, oid: u32, bloat: f64, block_size: u64) {
    scale(&mut storage.size, bloat, block_size);
    storage.filenode = MADE_UP_OIDS + oid % 1_000_000;
}

/// The months that retention has dropped since, as large as the oldest one that is left.
fn dropped_partitions(present: &Snapshot, moment: &Moment, block_size: u64) -> Vec<Table> {
    let oldest = present
        .tables
        .iter()
        .filter_map(|table| {
            month_of(&table.schema_name, &table.table_name).map(|month| (month, table))
        })
        .min_by_key(|(month, _)| *month);
    let Some((oldest_month, model)) = oldest else {
        return Vec::new();
    };
    (1..MONTHS_KEPT)
        .filter_map(|before| oldest_month.checked_sub(before.months()).ok())
        .filter(|month| exists(*month, moment.date))
        .map(|month| {
            let number =
                u32::try_from(i32::from(month.year()) * 12 + i32::from(month.month())).unwrap_or(0);
            let share = 0.9 + 0.15 * unit(u64::from(number));
            let mut table = resized(model, share, share, block_size);
            let (old, new) = (suffix(oldest_month), suffix(month));
            let oid = MADE_UP_OIDS + 2_000_000 + number * 64;
            table.table_name = table.table_name.replace(&old, &new).into();
            table.oid = oid;
            table.heap.filenode = oid;
            for (
                at,
                Index {
                    oid: index_oid,
                    index_name,
                    storage,
                    ..
                },
            ) in (1..).zip(&mut table.indexes)
            {
                *index_name = index_name.replace(&old, &new).into();
                *index_oid = oid + at;
                storage.filenode = oid + at;
            }
            table
        })
        .collect()
}

/// Whether retention kept a month's partition on a date: those of [`MONTHS_KEPT`] months, and the next.
fn exists(month: Date, on: Date) -> bool {
    let number = |date: Date| i32::from(date.year()) * 12 + i32::from(date.month());
    let age = number(on) - number(month);
    (-1..MONTHS_KEPT).contains(&age)
}

/// The month of a partition of `metrics.measurements`, from its name.
fn month_of(schema: &str, table: &str) -> Option<Date> {
    let (year, month) = table.strip_prefix("measurements_")?.split_once('_')?;
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, 1).ok()?;
    (schema == "metrics").then_some(date)
}

fn suffix(month: Date) -> String {
    format!("{:04}_{:02}", month.year(), month.month())
}

/// Scales what was measured, in whole blocks; what has bytes keeps at least one while its share is above 0.
fn scale(size: &mut Size, share: f64, block_size: u64) {
    if let Some(bytes) = size.bytes.filter(|bytes| *bytes > 0) {
        let blocks = rounded(bytes / block_size, share);
        let least = u64::from(share > 0.0);
        size.bytes = Some(blocks.max(least) * block_size);
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a demo's sizes is positive and far below 2^53"
)]
fn rounded(number: u64, share: f64) -> u64 {
    (number as f64 * share).round() as u64
}

/// FNV-1a: the same for a name in every process.
fn seed_of(schema: &str, table: &str) -> u64 {
    let bytes = schema.bytes().chain([0]).chain(table.bytes());
    bytes.fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Days since 1970, counted from 03:00 UTC to 03:00 UTC.
fn day_number(at: Timestamp) -> i64 {
    (at.as_second() - 3 * 3600).div_euclid(86_400)
}

fn at_three(day: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(day * 24 + 3)
}

fn date_of(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests;
