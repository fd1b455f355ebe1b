//! `plimsoll sample`: measures a database now and keeps the result in the history.

use plimsoll_core::name::shown;
use plimsoll_core::sample::{SampleHeader, SampleKind};
use plimsoll_core::size_text;
use plimsoll_server::answer::history::sample;
use plimsoll_server::clock::SystemClock;
use plimsoll_server::forecasting::refresh;
use plimsoll_server::watch::log_recorded;
use plimsoll_store::{DatabaseKey, Store};

use super::Finding;
use crate::context::Context;
use crate::output;

pub(crate) async fn run(context: &Context) -> anyhow::Result<Finding> {
    // A store that cannot be written is better noticed before the server is visited.
    let store = context.migrated_store().await?;
    let snapshot = context.visit().await?;
    let recorded = store
        .record_sample(&snapshot, SampleKind::Manual, None)
        .await?;
    log_recorded(&recorded, snapshot.took_ms);
    let header = recorded.header();
    if context.wants_json() {
        output::json(&sample(&*store, header).await?)?;
    } else {
        output::prose(|out| {
            writeln!(
                out,
                "Sample {} of {} at {}: {} in {}",
                header.id,
                shown(&header.database),
                header.sampled_at.strftime("%Y-%m-%d %H:%M:%S UTC"),
                header
                    .total_bytes
                    .map_or_else(|| "an unknown size".to_owned(), size_text::pretty),
                header.table_count.map_or_else(
                    || "an unknown number of tables".to_owned(),
                    |count| output::count(count, "table")
                ),
            )
        })?;
    }
    forecast(&*store, header).await;
    Ok(Finding::None)
}

/// Makes the forecasts as of the sample. The sample is kept and said by then: it does not fail with them.
async fn forecast(store: &dyn Store, header: &SampleHeader) {
    let of = DatabaseKey {
        instance: header.instance.clone(),
        database: header.database.clone(),
    };
    if let Err(error) = refresh(store, &of, &SystemClock).await {
        tracing::warn!(
            instance = of.instance,
            database = of.database,
            error = %error,
            "storage.forecast.failed"
        );
    }
}
