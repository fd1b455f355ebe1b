//! What the store takes, and making it take less.

use async_trait::async_trait;
use jiff::Timestamp;
use plimsoll_core::footprint::{KeptDatabase, KeptSample};
use plimsoll_core::sample::SampleKind;

use super::PostgresStore;
use super::error::Wrong;
use super::partition::is_past;
use super::pool::{Connection, get};
use super::work::Work;
use super::{read, thin};
use crate::StoreError;
use crate::footprint::{Footprint, Shrink, Shrinking};
use crate::jobs::Token;
use crate::sample::{signed, unsigned};

pub(super) async fn footprint(store: &PostgresStore) -> Result<Footprint, StoreError> {
    let last_shrink = transaction!(store, read, |work| last_shrink(&work))?;
    let (databases, silent) = kept(store).await?;
    let size = transaction!(store, read, |work| read::size_bytes(&work));
    let (size_bytes, unknown) = match size {
        Ok(bytes) => (Some(bytes), None),
        // the coordinator answers: a node does not
        Err(error @ StoreError::Unreachable { .. }) => (None, Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let unknown = match (silent, unknown) {
        (0, unknown) => unknown,
        (silent, _) => Some(format!(
            "{silent} instances have their history on nodes that do not answer: they are not counted"
        )),
    };
    Ok(Footprint {
        size_bytes: size_bytes.filter(|_| silent == 0),
        databases,
        last_shrink,
        unknown,
    })
}

/// What is kept of each database, instance by instance; and how many instances did not answer, because their
/// node does not.
async fn kept(store: &PostgresStore) -> Result<(Vec<KeptDatabase>, u64), StoreError> {
    let instances = transaction!(store, read, |work| read::instances(&work))?;
    let (mut databases, mut silent) = (Vec::new(), 0);
    for instance in instances {
        match transaction!(store, read, |work| kept_of(&work, instance)) {
            Ok(more) => databases.extend(more),
            Err(StoreError::Unreachable { .. }) => silent += 1,
            Err(error) => return Err(error),
        }
    }
    if silent > 0 {
        // or the server itself is gone
        crate::Upkeep::ping(store).await?;
    }
    Ok((databases, silent))
}

async fn kept_of(work: &Work<'_>, instance: i32) -> Result<Vec<KeptDatabase>, Wrong> {
    let rows = work
        .query(include_str!("footprint/relations.sql"), &[&instance])
        .await?;
    let databases = rows.iter().map(|row| {
        Ok(KeptDatabase {
            keys: (instance, row.try_get(0)?),
            relations: unsigned(row.try_get(1)?),
            samples: Vec::new(),
        })
    });
    let mut databases = databases.collect::<Result<Vec<KeptDatabase>, Wrong>>()?;
    let rows = work
        .query(include_str!("footprint/samples.sql"), &[&instance])
        .await?;
    for row in &rows {
        let keys: (i32, i32) = (instance, row.try_get(0)?);
        let sample = KeptSample {
            id: row.try_get(1)?,
            sampled_at: row.try_get(2)?,
            kind: row
                .try_get::<_, &str>(3)?
                .parse()
                .unwrap_or(SampleKind::Daily),
            values: unsigned(row.try_get(4)?),
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

/// More than what is kept takes, once nothing dead lies between: what it takes beyond that can be given back.
fn needed_bytes(databases: &[KeptDatabase]) -> u64 {
    /// A row with its entries in indexes, half full as these may be: of a value, and of a relation or a sample.
    const VALUE: u64 = 220;
    const OTHER: u64 = 600;
    /// Tables and indexes that hold next to nothing.
    const ALL: u64 = 1 << 20;
    let of_one = |database: &KeptDatabase| {
        let values: u64 = database.samples.iter().map(|sample| sample.values).sum();
        let others = database.relations + database.samples.len() as u64;
        values * VALUE + others * OTHER
    };
    ALL + databases.iter().map(of_one).sum::<u64>()
}

impl PostgresStore {
    /// Lets the room of dead rows be used again, and gives back what lies at the ends of tables.
    async fn vacuum(&self) -> Result<(), Wrong> {
        let mut connection = get(&self.pool).await?;
        let work = connection.read().await?;
        let rows = work
            .query(include_str!("footprint/tables.sql"), &[])
            .await?;
        work.commit().await?;
        for row in rows {
            let table: &str = row.try_get(0)?;
            match connection.vacuum(table).await {
                Err(wrong) if wrong.is_full() => {
                    tracing::debug!(table, reason = ?wrong, "store.table.not_vacuumed");
                }
                result => result?,
            }
        }
        Ok(())
    }

    /// Rewrites past weeks of which thinning has left less than half. Where one is in use, or finds no room,
    /// there is another time.
    pub(super) async fn rewrite_past(&self, now: Timestamp) -> Result<(), Wrong> {
        let mut connection = get(&self.pool).await?;
        let work = connection.read().await?;
        let rows = work
            .query(include_str!("footprint/half_empty.sql"), &[])
            .await?;
        work.commit().await?;
        for row in rows {
            let (name, key): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            if !is_past(name, now) {
                continue;
            }
            let rewritten = rewrite(&mut connection, &format!("plimsoll.{name}"), key).await;
            match rewritten {
                Ok(()) => tracing::info!(partition = name, "store.partition.rewritten"),
                Err(wrong) if wrong.is_lock_timeout() || wrong.is_full() => {}
                Err(wrong) => return Err(wrong),
            }
        }
        Ok(())
    }

    /// Rewrites the tables without their dead rows, the smallest first, until the store takes no more than is
    /// asked: each takes room for its living rows, and gives back what it took before, so that the next has
    /// more. What finds no room, or is being read for long, is left for the next time.
    async fn rewrite(&self, enough_bytes: u64) -> Result<(), Wrong> {
        let mut connection = get(&self.pool).await?;
        let work = connection.read().await?;
        let rows = work
            .query(include_str!("footprint/tables.sql"), &[])
            .await?;
        work.commit().await?;
        for row in rows {
            let (table, key): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            let work = connection.read().await?;
            if read::size_bytes(&work).await? <= enough_bytes {
                return Ok(());
            }
            drop(work);
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
        Ok(kept(self).await?.0)
    }

    async fn drop_unneeded(&self) -> Result<(), StoreError> {
        let dropped = self.partitions.drop_past(&self.pool, Timestamp::MAX).await;
        dropped.map(drop).map_err(|wrong| wrong.on(&self.name))
    }

    async fn loose_bytes(&self, databases: &[KeptDatabase]) -> Result<u64, StoreError> {
        let occupied = self.occupied_bytes().await?;
        Ok(occupied.saturating_sub(needed_bytes(databases)))
    }

    async fn drop_samples(&self, database: (i32, i32), ids: &[i64]) -> Result<u64, StoreError> {
        let dropped = transaction!(self, write, |work| thin::drop_samples(&work, database, ids));
        match dropped {
            Err(StoreError::Full { .. }) => {}
            dropped => return dropped,
        }
        // deleting takes no room, and what is deleted makes some for the rest
        let dropped = transaction!(self, write, |work| {
            thin::delete_samples(&work, database, ids)
        })?;
        let vacuumed = self.vacuum().await;
        vacuumed.map_err(|wrong| wrong.on(&self.name))?;
        match transaction!(self, write, |work| thin::carry(&work, database)) {
            Err(StoreError::Full { reason, .. }) => {
                tracing::debug!(reason, "store.values.not_carried");
            }
            carried => carried?,
        }
        Ok(dropped)
    }

    async fn give_back(&self, enough_bytes: u64) -> Result<(), StoreError> {
        let given = self.rewrite(enough_bytes).await;
        given.map_err(|wrong| wrong.on(&self.name))
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
