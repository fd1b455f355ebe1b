//! `GET /api/storage/tables/{schema}/{table}`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use plimsoll_store::{SeriesQuery, TableName};
use tokio::time::Instant;

use super::super::gate::asker::Asker;
use super::super::gate::etag::{self, Made};
use super::super::params::Query;
use super::super::path::Path;
use super::super::{Problem, Shared};
use crate::answer::kept;
use crate::answer::series::{SeriesOf, series};
use crate::answer::table::{TableBreakdown, breakdown};
use crate::answer::visit::Currency;
use crate::ask::{Fresh, OfDatabase};
use crate::selection::{SelectionError, Unknown};

/// How long beyond the wait that is asked for the history may hold up what is known without it.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where a table's bytes are: heap, toast, each index, what is below it, and its series.
#[utoipa::path(
    get, path = "/api/storage/tables/{schema}/{table}", tag = "storage", operation_id = "storage_table",
    params(
        ("schema" = String, Path, pattern = "^[^\\x00]+$", description = "The schema's name, raw, percent-encoded"),
        ("table" = String, Path, pattern = "^[^\\x00]+$", description = "The table's name, raw, percent-encoded"),
        Query::<((OfDatabase, Fresh), SeriesQuery)>,
    ),
    responses(
        (status = 200, body = TableBreakdown, description = "The table's parts and history"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn table(
    State(app): State<Shared>,
    Path((schema, table)): Path<(String, String)>,
    asker: Asker,
    Query(((of, fresh), query)): Query<((OfDatabase, Fresh), SeriesQuery)>,
) -> Result<Response, Problem> {
    let watch = &app.watch;
    let database = watch
        .select_uncrossed(of.instance.as_deref(), of.database.as_deref())
        .await?;
    let (store, key) = (watch.store(), database.key());
    let known = asker.look_current(watch, &database, fresh).await;
    let made = Made::of(&asker.question).and_visit_state(&known);
    // an age such as `7d` begins later each time
    let made = made.and((query.since, query.until));
    let patience = known.snapshot.is_some().then(|| {
        let wait = fresh.wait.unwrap_or(Duration::from_secs(1));
        Instant::now() + wait + PATIENCE
    });
    let stamp = in_time(patience, watch.stamp(key)).await;
    let stamp = stamp.and_then(|stamp| stamp.map_err(Problem::from));
    let tag = match stamp {
        Ok(stamp) => Some(made.and(stamp).tag()),
        Err(_) if known.snapshot.is_some() => None,
        Err(error) => return Err(error),
    };
    if let Some(tag) = &tag
        && let Some(unchanged) = etag::unchanged(&asker.headers, tag)
    {
        return Ok(unchanged);
    }
    let table = TableName::new(schema, table);
    let what = SeriesOf::Table(table.clone());
    let history = match in_time(patience, series(store, key, &what, &query)).await {
        Ok(Ok(history)) => Ok(Some(history)),
        // made since the last sample
        Ok(Err(SelectionError::Unknown(_))) => Ok(None),
        Ok(Err(SelectionError::Store(error))) => Err(error.into()),
        Err(late) => Err(late),
    };
    let gone = match &history {
        Ok(Some(history)) => history.gone.as_ref().map(|gone| gone.text.clone()),
        _ => None,
    };
    let name = (&*table.schema_name, &*table.table_name);
    let currency = Currency::from(&known);
    let answer = if let Some(snapshot) = &known.snapshot {
        breakdown(snapshot, name, currency).map(|mut answer| {
            match history {
                Ok(Some(history)) => answer.add_history(history),
                Ok(None) => {}
                Err(problem) => answer.history_error = Some(problem.detail().to_owned()),
            }
            answer
        })
    } else {
        let now = watch.clock().now();
        let state = store.table_state(key, now, &table).await?;
        let state = state.ok_or_else(|| Problem::nothing_known(&known))?;
        kept::breakdown(key, &state, name, history?, currency)
    };
    let answer = answer.ok_or(match gone {
        Some(text) => Unknown::Dropped { name: table, text },
        None => Unknown::Table(table),
    })?;
    let answer = Json(answer).into_response();
    Ok(match tag {
        Some(tag) => etag::with(answer, &tag),
        None => answer,
    })
}

/// What the store says, by a time if there is one.
async fn in_time<T>(until: Option<Instant>, asking: impl Future<Output = T>) -> Result<T, Problem> {
    let Some(until) = until else {
        return Ok(asking.await);
    };
    tokio::time::timeout_at(until, asking).await.map_err(|_| {
        Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store_busy",
            "the store did not answer in time: ask again, or with a longer wait",
        )
    })
}
