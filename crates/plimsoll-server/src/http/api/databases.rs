//! `GET /api/databases`

use axum::Json;
use axum::extract::State;

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::databases::{self, DatabasesAnswer};

/// What is watched, and how each database's last visit went.
#[utoipa::path(
    get, path = "/api/databases", tag = "watch", operation_id = "databases",
    responses(
        (status = 200, body = DatabasesAnswer, description = "What is watched"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn databases(
    State(app): State<Shared>,
    Query(()): Query<()>,
) -> Json<DatabasesAnswer> {
    Json(databases::databases(&app.watch))
}
