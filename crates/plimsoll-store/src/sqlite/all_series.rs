//! Reads the series that forecasts are made from.

use futures_util::FutureExt;
use plimsoll_core::change::EventKind;
use tokio::sync::mpsc::Sender;

use super::error::Wrong;
use super::read::keys;
use super::reader::SqliteReader;
use super::rows::SqliteTransaction;
use crate::all_series::{AllSeries, SeriesBatch};
use crate::{DatabaseKey, SeriesQuery};

/// Sends the series of all tables until nobody listens any more.
pub(super) fn read_series(
    work: &SqliteTransaction,
    of: &DatabaseKey,
    query: &SeriesQuery,
    events: &[EventKind],
    to: &Sender<SeriesBatch>,
) -> Result<(), Wrong> {
    let Some(keys) = keys(&work.connection(), of)? else {
        return Ok(());
    };
    let reader = SqliteReader(work);
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
