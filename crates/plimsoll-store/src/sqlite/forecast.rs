//! Keeps forecasts, and reads the series that they are made from.

use futures_util::FutureExt;
use plimsoll_core::change::EventKind;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::sync::mpsc::Sender;

use super::error::Wrong;
use super::read::keys;
use super::reader::SqliteReader;
use crate::all_series::{AllSeries, SeriesBatch};
use crate::forecast::{ForecastHeader, ForecastPart, KeptForecast, PartKind, PartQuery};
use crate::sample::{from_millis, millis, signed, unsigned};
use crate::{DatabaseKey, SeriesQuery, TableName};

/// Sends the series of all tables until nobody listens any more.
pub(super) fn read_series(
    connection: &Connection,
    of: &DatabaseKey,
    query: &SeriesQuery,
    events: &[EventKind],
    to: &Sender<SeriesBatch>,
) -> Result<(), Wrong> {
    let Some(keys) = keys(connection, of)? else {
        return Ok(());
    };
    let reader = SqliteReader(connection);
    // its reads never wait
    let Some(pass) = AllSeries::begin(&reader, keys, query, events).now_or_never() else {
        return Ok(());
    };
    let mut pass = pass?;
    if to
        .blocking_send(SeriesBatch::Samples(pass.samples()))
        .is_err()
    {
        return Ok(());
    }
    while let Some(tables) = pass.next(&reader).now_or_never().transpose()?.flatten() {
        if to.blocking_send(SeriesBatch::Tables(tables)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Replaces what is kept of a database: false where that is of a newer sample, or the database is not
/// known.
pub(super) fn keep(
    connection: &Connection,
    of: &DatabaseKey,
    forecast: &KeptForecast,
) -> Result<bool, Wrong> {
    let Some((instance_id, database_id)) = keys(connection, of)? else {
        return Ok(false);
    };
    let header = &forecast.header;
    let kept = connection.execute(
        include_str!("forecast/keep.sql"),
        params![
            instance_id,
            database_id,
            header.sample_id,
            millis(header.sampled_at),
            millis(header.computed_at),
            signed(header.took_ms),
            signed(header.table_count),
            signed(header.young_count),
            header.unknown,
        ],
    )?;
    if kept == 0 {
        return Ok(false);
    }
    connection.execute(
        "delete from forecast_parts where instance_id = ?1 and database_id = ?2",
        (instance_id, database_id),
    )?;
    let mut add = connection.prepare_cached(
        "insert into forecast_parts (instance_id, database_id, kind, schema_name, relation_name,
             level_bytes, grown_bytes, horizons)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for part in &forecast.parts {
        add.execute(params![
            instance_id,
            database_id,
            part.kind.letter(),
            part.name.schema_name,
            part.name.table_name,
            signed(part.level_bytes),
            part.grown_bytes(),
            serde_json::to_string(&part.horizons).unwrap_or_default(),
        ])?;
    }
    Ok(true)
}

/// Forgets what is kept of a database: its history has changed.
pub(super) fn forget(connection: &Connection, keys: (i32, i32)) -> Result<(), Wrong> {
    for table in ["forecasts", "forecast_parts"] {
        connection.execute(
            &format!("delete from {table} where instance_id = ?1 and database_id = ?2"),
            keys,
        )?;
    }
    Ok(())
}

pub(super) fn kept(
    connection: &Connection,
    of: &DatabaseKey,
    query: &PartQuery,
) -> Result<Option<KeptForecast>, Wrong> {
    let Some((instance_id, database_id)) = keys(connection, of)? else {
        return Ok(None);
    };
    let header = connection
        .prepare_cached(
            "select sample_id, sampled_at, computed_at, took_ms, table_count, young_count, unknown
             from forecasts where instance_id = ?1 and database_id = ?2",
        )?
        .query_row((instance_id, database_id), |row| {
            Ok(ForecastHeader {
                sample_id: row.get(0)?,
                sampled_at: from_millis(row.get(1)?),
                computed_at: from_millis(row.get(2)?),
                took_ms: unsigned(row.get(3)?),
                table_count: unsigned(row.get(4)?),
                young_count: unsigned(row.get(5)?),
                unknown: row.get(6)?,
            })
        })
        .optional()?;
    let Some(header) = header else {
        return Ok(None);
    };
    let letters: Vec<&str> = query.kinds.iter().map(|kind| kind.letter()).collect();
    let letters = serde_json::to_string(&letters).unwrap_or_default();
    let name = query.name.as_ref();
    let limit = query
        .limit
        .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX));
    let mut statement = connection.prepare_cached(include_str!("forecast/parts.sql"))?;
    let rows = statement.query_map(
        params![
            instance_id,
            database_id,
            letters,
            name.map(|name| &name.schema_name),
            name.map(|name| &name.table_name),
            limit,
        ],
        part,
    )?;
    // what another version kept differently is computed again
    let parts: Option<Vec<ForecastPart>> = rows.collect::<Result<_, _>>()?;
    Ok(parts.map(|parts| KeptForecast { header, parts }))
}

fn part(row: &Row<'_>) -> rusqlite::Result<Option<ForecastPart>> {
    let kind = PartKind::from_letter(row.get_ref(0)?.as_str()?);
    let horizons = serde_json::from_str(row.get_ref(4)?.as_str()?).ok();
    let (Some(kind), Some(horizons)) = (kind, horizons) else {
        return Ok(None);
    };
    Ok(Some(ForecastPart {
        kind,
        name: TableName::new(row.get::<_, String>(1)?, row.get::<_, String>(2)?),
        level_bytes: unsigned(row.get(3)?),
        horizons,
    }))
}
