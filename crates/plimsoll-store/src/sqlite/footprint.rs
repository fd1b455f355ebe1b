//! What the store takes, and making it take less.

use async_trait::async_trait;
use plimsoll_core::footprint::{KeptDatabase, KeptSample};
use plimsoll_core::sample::SampleKind;
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Wrong;
use super::{Access, SqliteStore, read, steps, thin};
use crate::StoreError;
use crate::footprint::{Footprint, Shrink, Shrinking};
use crate::sample::{from_millis, millis, signed, unsigned};

pub(super) fn footprint(connection: &Connection) -> Result<Footprint, Wrong> {
    Ok(Footprint {
        size_bytes: Some(read::size_bytes(connection)?),
        unknown: None,
        databases: kept(connection)?,
        last_shrink: last_shrink(connection)?,
    })
}

fn kept(connection: &Connection) -> Result<Vec<KeptDatabase>, Wrong> {
    let mut statement = connection.prepare_cached(
        "select d.instance_id, d.database_id, (
             select count(*) from relations as r
             where r.instance_id = d.instance_id and r.database_id = d.database_id
         )
         from databases as d order by d.instance_id, d.database_id",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(KeptDatabase {
            keys: (row.get(0)?, row.get(1)?),
            relations: unsigned(row.get(2)?),
            samples: Vec::new(),
        })
    })?;
    let mut databases: Vec<KeptDatabase> = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "select instance_id, database_id, id, sampled_at, kind, value_count from samples",
    )?;
    let rows = statement.query_map([], |row| {
        let keys: (i32, i32) = (row.get(0)?, row.get(1)?);
        let sample = KeptSample {
            id: row.get(2)?,
            sampled_at: from_millis(row.get(3)?),
            kind: row
                .get_ref(4)?
                .as_str()?
                .parse()
                .unwrap_or(SampleKind::Daily),
            values: unsigned(row.get(5)?),
        };
        Ok((keys, sample))
    })?;
    for row in rows {
        let (keys, sample) = row?;
        if let Ok(at) = databases.binary_search_by_key(&keys, |database| database.keys) {
            databases[at].samples.push(sample);
        }
    }
    Ok(databases)
}

fn last_shrink(connection: &Connection) -> Result<Option<Shrink>, Wrong> {
    let shrink = connection
        .query_row(
            "select shrunk_at, max_bytes, before_bytes, after_bytes, samples_dropped, dropped_until
             from last_shrink",
            [],
            |row| {
                Ok(Shrink {
                    at: from_millis(row.get(0)?),
                    max_bytes: unsigned(row.get(1)?),
                    before_bytes: unsigned(row.get(2)?),
                    after_bytes: unsigned(row.get(3)?),
                    samples_dropped: unsigned(row.get(4)?),
                    dropped_until: row.get::<_, Option<i64>>(5)?.map(from_millis),
                })
            },
        )
        .optional()?;
    Ok(shrink)
}

#[async_trait]
impl Shrinking for SqliteStore {
    async fn occupied_bytes(&self) -> Result<u64, StoreError> {
        crate::Upkeep::size_bytes(self).await
    }

    async fn kept(&self) -> Result<Vec<KeptDatabase>, StoreError> {
        self.read(|work| kept(&work.connection())).await
    }

    async fn drop_samples(&self, database: (i32, i32), ids: &[i64]) -> Result<u64, StoreError> {
        let all = ids.to_vec();
        let dropped = self
            .write(move |work| thin::drop_samples(work, database, &all))
            .await;
        match dropped {
            Err(StoreError::Full { .. }) => steps::drop_samples(self, database, ids).await,
            dropped => dropped,
        }
    }

    async fn drop_unneeded(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn loose_bytes(&self, _: &[KeptDatabase]) -> Result<u64, StoreError> {
        self.read(|work| {
            let free: i64 = work.connection().query_row(
                "select freelist_count * page_size from pragma_freelist_count(), pragma_page_size()",
                [],
                |row| row.get(0),
            )?;
            Ok(unsigned(free))
        })
        .await
    }

    async fn give_back(&self, enough_bytes: u64) -> Result<(), StoreError> {
        self.run(Access::Write, move |connection| {
            steps::give_back(connection, enough_bytes)
        })
        .await
    }

    async fn note(&self, shrink: &Shrink) -> Result<(), StoreError> {
        let shrink = shrink.clone();
        self.write(move |work| {
            work.connection().execute(
                "insert or replace into last_shrink (only_row, shrunk_at, max_bytes, before_bytes,
                     after_bytes, samples_dropped, dropped_until)
                 values (1, ?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    millis(shrink.at),
                    signed(shrink.max_bytes),
                    signed(shrink.before_bytes),
                    signed(shrink.after_bytes),
                    signed(shrink.samples_dropped),
                    shrink.dropped_until.map(millis),
                ],
            )?;
            Ok(())
        })
        .await?;
        self.run(Access::Write, |connection| steps::cut_log(connection))
            .await
    }
}
