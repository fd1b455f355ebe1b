//! Making the file smaller in steps that find room on a disk that is full but for a few pages.
//!
//! What a transaction changes is written beside the file first, page by page. So a step changes few pages,
//! and what it made free is given back before the next.

use rusqlite::{Connection, ErrorCode};

use super::error::Wrong;
use super::file::{INCREMENTAL, be_incremental};
use super::{Access, SqliteStore, read, thin};
use crate::StoreError;

/// How many pages are given back in one step, at most.
const PAGES: u32 = 1024;

/// How many samples, and the values of how many relations, are deleted in one step, at most.
const SAMPLES: usize = 64;
const RELATIONS: usize = 512;

/// Gives unused pages back to the file system until the file takes no more than `enough_bytes`, or nothing is
/// unused, or there is no room for another step.
pub(super) fn give_back(connection: &Connection, enough_bytes: u64) -> Result<(), Wrong> {
    let mode: i64 = connection.query_row("pragma auto_vacuum", [], |row| row.get(0))?;
    if mode != INCREMENTAL {
        // a file of an earlier version: rewritten once, where there is room
        be_incremental(connection)?;
        if let Err(error) = connection.execute_batch("vacuum") {
            return if is_full(&error) {
                cut_log(connection)
            } else {
                Err(error.into())
            };
        }
    }
    let mut pages = PAGES;
    cut_log(connection)?;
    while pages > 0 && read::size_bytes(connection)? > enough_bytes {
        let free: i64 = connection.query_row("pragma freelist_count", [], |row| row.get(0))?;
        if free == 0 {
            break;
        }
        match move_pages(connection, pages) {
            Ok(()) => cut_log(connection)?,
            Err(error) if is_full(&error) => pages /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn move_pages(connection: &Connection, pages: u32) -> Result<(), rusqlite::Error> {
    // each row is a page: the work is done while they are read
    let mut statement = connection.prepare(&format!("pragma incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Writes the log's pages into the file, and makes the log empty, unless somebody is reading.
pub(super) fn cut_log(connection: &Connection) -> Result<(), Wrong> {
    connection.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))?;
    Ok(())
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

/// Drops samples by id: first these, a few at a time, then what nothing needs without them, a few relations at
/// a time. Whatever ends it, what the samples that are left show is right; the rest goes the next time.
pub(super) async fn drop_samples(
    store: &SqliteStore,
    database: (i32, i32),
    ids: &[i64],
) -> Result<u64, StoreError> {
    let mut dropped = 0;
    let mut steps = Steps::of(ids.len(), SAMPLES);
    while let Some((from, to)) = steps.next() {
        let few = ids[from..to].to_vec();
        let step = store
            .write(move |work| thin::delete_samples(&work.connection(), database, &few))
            .await;
        dropped += steps.after(step)?.unwrap_or(0);
        give_back_some(store).await?;
    }
    let relations = store
        .read(move |work| thin::relations(&work.connection(), database))
        .await?;
    let mut steps = Steps::of(relations.len(), RELATIONS);
    while let Some((from, to)) = steps.next() {
        let range = (relations[from], relations[to - 1]);
        let step = store
            .write(move |work| thin::delete_unneeded(&work.connection(), database, range))
            .await;
        steps.after(step)?;
        give_back_some(store).await?;
    }
    store.write(move |work| thin::tidy(work, database)).await?;
    Ok(dropped)
}

/// What was made free so far makes room for the next step.
async fn give_back_some(store: &SqliteStore) -> Result<(), StoreError> {
    store
        .run(Access::Write, |connection| give_back(connection, 0))
        .await
}

/// Goes over so many things in steps, which become smaller where they find no room.
struct Steps {
    count: usize,
    at: usize,
    size: usize,
    to: usize,
}

impl Steps {
    const fn of(count: usize, size: usize) -> Self {
        Self {
            count,
            at: 0,
            size,
            to: 0,
        }
    }

    fn next(&mut self) -> Option<(usize, usize)> {
        self.to = self.count.min(self.at + self.size);
        (self.at < self.count).then_some((self.at, self.to))
    }

    /// What a step came to; `None` where a smaller one is to be tried.
    fn after<T>(&mut self, step: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
        match step {
            Err(StoreError::Full { .. }) if self.to - self.at > 1 => {
                self.size = (self.to - self.at) / 2;
                Ok(None)
            }
            Ok(done) => {
                self.at = self.to;
                Ok(Some(done))
            }
            Err(error) => Err(error),
        }
    }
}
