//! Keeps forecasts, and reads the series that they are made from.

use std::pin::pin;

use plimsoll_core::change::EventKind;
use tokio::sync::mpsc::Sender;
use tokio_postgres::Row;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;

use super::error::Wrong;
use super::pool::Work;
use super::read::keys;
use crate::all_series::{AllSeries, SeriesBatch};
use crate::forecast::{ForecastHeader, ForecastPart, KeptForecast, PartKind, PartQuery};
use crate::sample::{signed, unsigned};
use crate::{DatabaseKey, SeriesQuery, TableName};

/// Sends the series of all tables until nobody listens any more.
pub(super) async fn read_series(
    work: &Work<'_>,
    of: &DatabaseKey,
    query: &SeriesQuery,
    events: &[EventKind],
    to: &Sender<SeriesBatch>,
) -> Result<(), Wrong> {
    let Some(keys) = keys(work, of).await? else {
        return Ok(());
    };
    let mut pass = AllSeries::begin(work, keys, query, events).await?;
    if to.send(SeriesBatch::Samples(pass.samples())).await.is_err() {
        return Ok(());
    }
    while let Some(tables) = pass.next(work).await? {
        if to.send(SeriesBatch::Tables(tables)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Replaces what is kept of a database: false where that is of a newer sample, or the database is not
/// known.
pub(super) async fn keep(
    work: &Work<'_>,
    of: &DatabaseKey,
    forecast: &KeptForecast,
) -> Result<bool, Wrong> {
    let Some((instance_id, database_id)) = keys(work, of).await? else {
        return Ok(false);
    };
    let header = &forecast.header;
    let kept = work
        .execute(
            include_str!("forecast/keep.sql"),
            &[
                &instance_id,
                &database_id,
                &header.sample_id,
                &header.sampled_at,
                &header.computed_at,
                &signed(header.took_ms),
                &signed(header.table_count),
                &signed(header.young_count),
                &header.unknown,
            ],
        )
        .await?;
    if kept == 0 {
        return Ok(false);
    }
    work.execute(
        "delete from plimsoll.forecast_parts where instance_id = $1 and database_id = $2",
        &[&instance_id, &database_id],
    )
    .await?;
    let sink = work
        .copy_in(
            "copy plimsoll.forecast_parts (instance_id, database_id, kind, schema_name, relation_name,
                 level_bytes, grown_bytes, horizons)
             from stdin (format binary)",
        )
        .await?;
    let types = [
        Type::INT4,
        Type::INT4,
        Type::TEXT,
        Type::TEXT,
        Type::TEXT,
        Type::INT8,
        Type::INT8,
        Type::TEXT,
    ];
    let mut rows = pin!(BinaryCopyInWriter::new(sink, &types));
    for part in &forecast.parts {
        rows.as_mut()
            .write(&[
                &instance_id,
                &database_id,
                &part.kind.letter(),
                &part.name.schema_name,
                &part.name.table_name,
                &signed(part.level_bytes),
                &part.grown_bytes(),
                &serde_json::to_string(&part.horizons).unwrap_or_default(),
            ])
            .await?;
    }
    rows.finish().await?;
    Ok(true)
}

/// Forgets what is kept of a database: its history has changed.
pub(super) async fn forget(work: &Work<'_>, keys: (i32, i32)) -> Result<(), Wrong> {
    for sql in [
        "delete from plimsoll.forecasts where instance_id = $1 and database_id = $2",
        "delete from plimsoll.forecast_parts where instance_id = $1 and database_id = $2",
    ] {
        work.execute(sql, &[&keys.0, &keys.1]).await?;
    }
    Ok(())
}

pub(super) async fn kept(
    work: &Work<'_>,
    of: &DatabaseKey,
    query: &PartQuery,
) -> Result<Option<KeptForecast>, Wrong> {
    let Some((instance_id, database_id)) = keys(work, of).await? else {
        return Ok(None);
    };
    let header = work
        .optional(
            "select sample_id, sampled_at, computed_at, took_ms, table_count, young_count, unknown
             from plimsoll.forecasts where instance_id = $1 and database_id = $2",
            &[&instance_id, &database_id],
        )
        .await?;
    let Some(row) = header else {
        return Ok(None);
    };
    let header = ForecastHeader {
        sample_id: row.get(0),
        sampled_at: row.get(1),
        computed_at: row.get(2),
        took_ms: unsigned(row.get(3)),
        table_count: unsigned(row.get(4)),
        young_count: unsigned(row.get(5)),
        unknown: row.get(6),
    };
    let letters: Vec<&str> = query.kinds.iter().map(|kind| kind.letter()).collect();
    let name = query.name.as_ref();
    let limit = query
        .limit
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let rows = work
        .query(
            include_str!("forecast/parts.sql"),
            &[
                &instance_id,
                &database_id,
                &letters,
                &name.map(|name| &name.schema_name),
                &name.map(|name| &name.table_name),
                &limit,
            ],
        )
        .await?;
    // what another version kept differently is computed again
    let parts: Option<Vec<ForecastPart>> = rows.iter().map(part).collect();
    Ok(parts.map(|parts| KeptForecast { header, parts }))
}

fn part(row: &Row) -> Option<ForecastPart> {
    Some(ForecastPart {
        kind: PartKind::from_letter(row.get(0))?,
        name: TableName::new(row.get::<_, String>(1), row.get::<_, String>(2)),
        level_bytes: unsigned(row.get(3)),
        horizons: serde_json::from_str(row.get(4)).ok()?,
    })
}
