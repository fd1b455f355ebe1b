//! What the store takes, and making it take less.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::footprint::{Holding, Weighed};
use plimsoll_core::sample::SampleKind;

use super::PostgresStore;
use super::error::Wrong;
use super::pool::{Work, get, take};
use super::{read, thin};
use crate::StoreError;
use crate::footprint::{Footprint, Shrink, Shrinking};
use crate::sample::{signed, unsigned};

/// Of several processes that find the store too large, one makes it smaller: "plimsoll" in ASCII, and
/// three more.
const LOCK: i64 = 0x706c_696d_736f_6c6f;

pub(super) async fn footprint(work: &Work<'_>) -> Result<Footprint, Wrong> {
    Ok(Footprint {
        size_bytes: read::size_bytes(work).await?,
        holdings: holdings(work).await?,
        last_shrink: last_shrink(work).await?,
    })
}

async fn holdings(work: &Work<'_>) -> Result<Vec<Holding>, Wrong> {
    let rows = work
        .query(include_str!("footprint/relations.sql"), &[])
        .await?;
    let holdings = rows.iter().map(|row| {
        Ok(Holding {
            database: (row.try_get(0)?, row.try_get(1)?),
            relations: unsigned(row.try_get(2)?),
            samples: Vec::new(),
        })
    });
    let mut holdings = holdings.collect::<Result<Vec<Holding>, Wrong>>()?;
    let rows = work
        .query(include_str!("footprint/samples.sql"), &[])
        .await?;
    for row in &rows {
        let database: (i32, i32) = (row.try_get(0)?, row.try_get(1)?);
        let sample = Weighed {
            id: row.try_get(2)?,
            sampled_at: row.try_get(3)?,
            kind: row
                .try_get::<_, &str>(4)?
                .parse()
                .unwrap_or(SampleKind::Daily),
            values: unsigned(row.try_get(5)?),
        };
        if let Ok(at) = holdings.binary_search_by_key(&database, |holding| holding.database) {
            holdings[at].samples.push(sample);
        }
    }
    Ok(holdings)
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
    let name = &store.name;
    // Of a session of its own, which ends with it: a transaction would keep its snapshot, and that the
    // dead rows from going.
    let turn = take(&store.pool).await.map_err(|wrong| wrong.on(name))?;
    if !turn.try_lock(LOCK).await.map_err(|wrong| wrong.on(name))? {
        return Ok(None);
    }
    let shrink = crate::footprint::shrink(store, max_bytes, now).await?;
    // The server may notice only after our next turn began that this connection has ended.
    turn.unlock(LOCK).await.map_err(|wrong| wrong.on(name))?;
    Ok(shrink)
}

impl PostgresStore {
    /// Rewrites the tables without their dead rows; first those whose partitions can go as they are.
    async fn rewrite(&self) -> Result<(), Wrong> {
        self.partitions
            .drop_past(&self.pool, Timestamp::MAX)
            .await?;
        let mut connection = get(&self.pool).await?;
        let work = connection.read().await?;
        let rows = work
            .query(include_str!("footprint/tables.sql"), &[])
            .await?;
        work.commit().await?;
        for row in rows {
            let name: &str = row.try_get(0)?;
            match connection.alone(&format!("vacuum (full) {name}")).await {
                // somebody reads for long: the next time
                Err(wrong) if wrong.is_lock_timeout() => {
                    tracing::debug!(table = name, "store.table.in_use");
                }
                result => result?,
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Shrinking for PostgresStore {
    async fn occupied_bytes(&self) -> Result<u64, StoreError> {
        crate::Upkeep::size_bytes(self).await
    }

    async fn holdings(&self) -> Result<Vec<Holding>, StoreError> {
        transaction!(self, read, |work| holdings(&work))
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
