//! `GET /api/storage/growth`

use axum::Json;
use axum::extract::State;

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::growth::{self, GrowthAnswer, GrowthQuery};
use crate::ask::OfDatabase;

/// What grew, by how much, a day: tables, schemas, partition sets, indexes, and the rest.
#[utoipa::path(
    get, path = "/api/storage/growth", tag = "storage", operation_id = "storage_growth",
    params(Query::<(OfDatabase, GrowthQuery)>),
    responses(
        (status = 200, body = GrowthAnswer, description = "What grew between two samples"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn growth(
    State(app): State<Shared>,
    Query((of, query)): Query<(OfDatabase, GrowthQuery)>,
) -> Result<Json<GrowthAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    Ok(Json(
        growth::growth(app.watch.store(), &database, &query).await?,
    ))
}
