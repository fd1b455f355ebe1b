//! `GET /api/jobs`

use axum::Json;
use axum::extract::State;

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::jobs::{self as answer, JobsAnswer};
use crate::jobs::states;

/// The scheduled jobs: when each runs next, and how it went last.
#[utoipa::path(
    get, path = "/api/jobs", tag = "watch", operation_id = "jobs",
    responses(
        (status = 200, body = JobsAnswer, description = "The scheduled jobs"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn jobs(
    State(app): State<Shared>,
    Query(()): Query<()>,
) -> Result<Json<JobsAnswer>, Problem> {
    let states = states(&app.watch, &app.settings.schedule).await?;
    Ok(Json(answer::jobs(&states)))
}
