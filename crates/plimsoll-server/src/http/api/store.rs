//! `GET /api/store`

use axum::Json;
use axum::extract::State;

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::store::{self, StoreAnswer};

/// What the history itself takes, and what it is going to take at the configured retention.
#[utoipa::path(
    get, path = "/api/store", tag = "watch", operation_id = "store",
    responses(
        (status = 200, body = StoreAnswer, description = "What the history takes"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn store(
    State(app): State<Shared>,
    Query(()): Query<()>,
) -> Result<Json<StoreAnswer>, Problem> {
    let settings = &app.settings;
    let now = app.watch.clock().now();
    let answer = store::store(
        app.watch.store(),
        &settings.retention,
        settings.max_bytes,
        now,
    );
    Ok(Json(answer.await?))
}
