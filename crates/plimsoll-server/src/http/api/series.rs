//! `GET /api/storage/series`

use axum::Json;
use axum::extract::State;
use plimsoll_store::SeriesQuery;

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::series::{self, SeriesAnswer, SeriesOf};
use crate::ask::OfDatabase;

/// Sizes over time: of a table with its indexes and what is below it, of a schema, of a database.
#[utoipa::path(
    get, path = "/api/storage/series", tag = "storage", operation_id = "storage_series",
    params(Query::<(OfDatabase, (SeriesOf, SeriesQuery))>),
    responses(
        (status = 200, body = SeriesAnswer, description = "The series, oldest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn series(
    State(app): State<Shared>,
    Query((of, (what, query))): Query<(OfDatabase, (SeriesOf, SeriesQuery))>,
) -> Result<Json<SeriesAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    Ok(Json(
        series::series(app.watch.store(), &database, &what, &query).await?,
    ))
}
