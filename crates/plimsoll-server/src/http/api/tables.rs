//! `GET /api/storage/tables/{schema}/{table}`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use plimsoll_store::{SeriesQuery, TableName};

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
    let database = watch.select(of.instance.as_deref(), of.database.as_deref())?;
    let (store, key) = (watch.store(), database.key());
    let known = asker.look_current(watch, &database, fresh).await;
    let made = Made::of(&asker.question).and_known(&known);
    // an age such as `7d` begins later each time
    let made = made.and((query.since, query.until));
    let tag = made.and(watch.stamp(key).await?).tag();
    if let Some(unchanged) = etag::unchanged(&asker.headers, &tag) {
        return Ok(unchanged);
    }
    let table = TableName::new(schema, table);
    let what = SeriesOf::Table(table.clone());
    let history = match series(store, key, &what, &query).await {
        Ok(history) => Some(history),
        // made since the last sample
        Err(SelectionError::Unknown(_)) => None,
        Err(SelectionError::Store(error)) => return Err(error.into()),
    };
    let name = (&*table.schema_name, &*table.table_name);
    let currency = Currency::from(&known);
    let answer = if let Some(snapshot) = &known.snapshot {
        breakdown(snapshot, name, currency).map(|mut answer| {
            if let Some(history) = history {
                answer.add_history(history);
            }
            answer
        })
    } else {
        let state = store.state(key, watch.clock().now()).await?;
        let state = state.ok_or_else(|| Problem::nothing_known(&known))?;
        kept::breakdown(key, &state, name, history, currency)
    };
    let answer = answer.ok_or(Unknown::Table(table))?;
    Ok(etag::with(Json(answer).into_response(), &tag))
}
