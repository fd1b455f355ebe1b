//! Reads the series that forecasts are made from.

use plimsoll_core::change::EventKind;
use tokio::sync::mpsc::Sender;

use super::error::Wrong;
use super::read::keys;
use super::work::Work;
use crate::all_series::{AllSeries, SeriesBatch};
use crate::{DatabaseKey, SeriesQuery};

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
