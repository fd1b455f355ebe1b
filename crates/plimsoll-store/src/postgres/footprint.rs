//! What the store takes, and making it take less.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::footprint::{KeptDatabase, KeptSample};
use plimsoll_core::sample::SampleKind;

use super::PostgresStore;
use super::error::Wrong;
use super::pool::{Connection, get};
use super::work::Work;
use super::{read, thin};
use crate::StoreError;
use crate::footprint::{Footprint, Shrink, Shrinking};
use crate::jobs::Token;
use crate::sample::{signed, unsigned};

pub(super) async fn footprint(work: &Work<'_>) -> Result<Footprint, Wrong> {
    Ok(Footprint {
        size_bytes: read::size_bytes(work).await?,
        databases: kept(work).await?,
        last_shrink: last_shrink(work).await?,
    })
}

async fn kept(work: &Work<'_>) -> Result<Vec<KeptDatabase>, Wrong> {
    let rows = work
        .query(include_str!("footprint/relations.sql"), &[])
        .await?;
    let databases = rows.iter().map(|row| {
        Ok(KeptDatabase {
            keys: (row.try_get(0)?, row.try_get(1)?),
            relations: unsigned(row.try_get(2)?),
            samples: Vec::new(),
        })
    });
    let mut databases = databases.collect::<Result<Vec<KeptDatabase>, Wrong>>()?;
    let rows = work
        .query(include_str!("footprint/samples.sql"), &[])
        .await?;
    for row in &rows {
        let keys: (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        let sample = KeptSample {
            id: row.try_get(2)?,
            sampled_at: row.try_get(3)?,
            kind: row
                .try_get::<_, &str>(4)?
                .parse()
                .unwrap_or(SampleKind::Daily),
            values: unsigned(row.try_get(5)?),
        };
        if let Ok(at) = databases.binary_search_by_key(&keys, |database| database.keys) {
            databases[at].samples.push(sample);
        }
    }
    Ok(databases)
}

async fn last_shrink(work: &Work<'_>) -> Result<Option<Shrink>, Wrong> {
    let row = work
        .optional(
            "select shrunk_at, max_bytes, before_bytes, after_bytes, samples_dropped, dropped_until
             from plimsoll.last_shrink",
            &[],
        )
        .await?;
    row.map(|row| {
        Ok(Shrink {
            at: row.try_get(0)?,
            max_bytes: unsigned(row.try_get(1)?),
            before_bytes: unsigned(row.try_get(2)?),
            after_bytes: unsigned(row.try_get(3)?),
            samples_dropped: unsigned(row.try_get(4)?),
            dropped_until: row.try_get(5)?,
        })
    })
    .transpose()
}

/// As [`crate::Upkeep::shrink`]; nothing while another process is at it.
pub(super) async fn shrink(
    store: &PostgresStore,
    max_bytes: u64,
    now: Timestamp,
) -> Result<Option<Shrink>, StoreError> {
    let token = Token::new().map_err(|error| StoreError::Failed {
        store: store.name.clone(),
        reason: format!("no randomness: {error}"),
    })?;
    let token = token.as_str();
    let taken = transaction!(store, write, |work| async {
        work.execute(include_str!("footprint/take_turn.sql"), &[&token])
            .await
    })?;
    if taken == 0 {
        return Ok(None);
    }
    let shrink = crate::footprint::shrink(store, max_bytes, now).await;
    let given_back = transaction!(store, write, |work| async {
        let sql = "delete from plimsoll.shrink_turn where token = $1";
        work.execute(sql, &[&token]).await
    });
    let shrink = shrink?;
    given_back?;
    Ok(shrink)
}

impl PostgresStore {
    /// Rewrites the tables without their dead rows, the smallest first: each takes room for its living rows,
    /// and gives back what it took before, so that the next has more. What finds no room, or is being read
    /// for long, is left for the next time.
    async fn rewrite(&self) -> Result<(), Wrong> {
        let mut connection = get(&self.pool).await?;
        let work = connection.read().await?;
        let rows = work
            .query(include_str!("footprint/tables.sql"), &[])
            .await?;
        work.commit().await?;
        for row in rows {
            let (table, key): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            match rewrite(&mut connection, table, key).await {
                Err(wrong) if wrong.is_lock_timeout() || wrong.is_full() => {
                    tracing::debug!(table, reason = ?wrong, "store.table.not_rewritten");
                }
                result => result?,
            }
        }
        Ok(())
    }
}

/// Rewrites a table along its key, in a transaction, so that its limits are no session's.
async fn rewrite(connection: &mut Connection, table: &str, key: &str) -> Result<(), Wrong> {
    let mut work = connection.write().await?;
    work.may_take_long().await?;
    // sorted in memory where that is enough: a full disk has no room for sorting either
    work.batch("set local lock_timeout = '2s'; set local maintenance_work_mem = '256MB'")
        .await?;
    work.batch(&format!("cluster {table} using {key}")).await?;
    work.commit().await
}

#[async_trait]
impl Shrinking for PostgresStore {
    async fn occupied_bytes(&self) -> Result<u64, StoreError> {
        crate::Upkeep::size_bytes(self).await
    }

    async fn kept(&self) -> Result<Vec<KeptDatabase>, StoreError> {
        transaction!(self, read, |work| kept(&work))
    }

    async fn drop_samples(&self, database: (i32, i32), ids: &[i64]) -> Result<u64, StoreError> {
        transaction!(self, write, |work| thin::drop_samples(&work, database, ids))
    }

    async fn give_back(&self) -> Result<(), StoreError> {
        self.rewrite().await.map_err(|wrong| wrong.on(&self.name))
    }

    async fn note(&self, shrink: &Shrink) -> Result<(), StoreError> {
        transaction!(self, write, |work| async {
            work.execute(
                include_str!("footprint/keep_shrink.sql"),
                &[
                    &shrink.at,
                    &signed(shrink.max_bytes),
                    &signed(shrink.before_bytes),
                    &signed(shrink.after_bytes),
                    &signed(shrink.samples_dropped),
                    &shrink.dropped_until,
                ],
            )
            .await?;
            Ok(())
        })
    }
}
