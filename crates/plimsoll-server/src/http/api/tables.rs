//! `GET /api/storage/tables/{schema}/{table}`

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use plimsoll_store::{SeriesQuery, TableName};

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::series::{SeriesOf, series};
use crate::answer::table::{TableBreakdown, breakdown};
use crate::ask::{Fresh, Of};

/// Where a table's bytes are: heap, toast, each index, what is below it, and its series.
#[utoipa::path(
    get, path = "/api/storage/tables/{schema}/{table}", tag = "storage", operation_id = "storage_table",
    params(
        ("schema" = String, Path, description = "The schema's name, raw, percent-encoded"),
        ("table" = String, Path, description = "The table's name, raw, percent-encoded"),
        Query::<((Of, Fresh), SeriesQuery)>,
    ),
    responses(
        (status = 200, body = TableBreakdown, description = "The table's parts and history"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn table(
    State(app): State<Shared>,
    Path((schema, table)): Path<(String, String)>,
    Query(((of, fresh), query)): Query<((Of, Fresh), SeriesQuery)>,
) -> Result<Json<TableBreakdown>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let snapshot = app.watch.snapshot(&database, fresh.max_age).await?;
    let mut answer = breakdown(&snapshot, &schema, &table).ok_or_else(|| {
        let detail = format!(
            "\"{}\" has no table \"{table}\" in schema \"{schema}\"; /api/storage/sizes?kind=all lists those there are",
            database.key().database
        );
        Problem::new(StatusCode::NOT_FOUND, "unknown_table", detail)
    })?;
    let what = SeriesOf::Table(TableName::new(schema, table));
    if let Some(history) = series(app.watch.store(), database.key(), &what, &query).await? {
        answer.add_history(history);
    }
    Ok(Json(answer))
}
