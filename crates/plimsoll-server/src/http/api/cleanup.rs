//! `/api/cleanup/...`: what there is of cleanup while no policy can be written.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa::IntoParams;

use super::super::params::{FreshOf, FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared};
use crate::answer::cleanup::{
    self, CleanupHistory, CleanupPreview, CleanupStats, CleanupStatus, NO_POLICY,
};

/// Row counts of each table, most rows first.
#[utoipa::path(
    get, path = "/api/cleanup/stats", tag = "cleanup", operation_id = "cleanup_stats",
    params(FreshOf),
    responses(
        (status = 200, body = CleanupStats, description = "Row counts of each table"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn stats(
    State(app): State<Shared>,
    Query(of): Query<FreshOf>,
) -> Result<Json<CleanupStats>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let snapshot = app.watch.snapshot(&database, of.max_age()).await?;
    Ok(Json(cleanup::stats(&snapshot)))
}

/// What a run would delete: nothing while no policy is configured.
#[utoipa::path(
    get, path = "/api/cleanup/preview", tag = "cleanup", operation_id = "cleanup_preview",
    params(Of),
    responses(
        (status = 200, body = CleanupPreview, description = "The plan"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn preview(
    State(app): State<Shared>,
    Query(of): Query<Of>,
) -> Result<Json<CleanupPreview>, Problem> {
    app.watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    Ok(Json(cleanup::preview()))
}

/// Runs a plan: refused while no policy is configured.
#[utoipa::path(
    post, path = "/api/cleanup/execute", tag = "cleanup", operation_id = "cleanup_execute",
    params(Of),
    responses(
        (status = 409, body = Problem, content_type = "application/problem+json", description = "No policy is configured"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn execute(
    State(app): State<Shared>,
    Query(of): Query<Of>,
) -> Result<(), Problem> {
    app.watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    Err(Problem::new(StatusCode::CONFLICT, "no_policy", NO_POLICY))
}

/// How many runs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsParams {
    /// At most so many runs, newest first; 30 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl FromParams for RunsParams {
    fn names() -> Vec<String> {
        names_of::<Self>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            limit: params.number("limit", 1, 1000)?,
        })
    }
}

/// Past runs, newest first.
#[utoipa::path(
    get, path = "/api/cleanup/history", tag = "cleanup", operation_id = "cleanup_history",
    params(Of, RunsParams),
    responses(
        (status = 200, body = CleanupHistory, description = "Past runs"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn history(
    State(app): State<Shared>,
    Query((of, asked)): Query<(Of, RunsParams)>,
) -> Result<Json<CleanupHistory>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let limit = asked.limit.unwrap_or(30);
    let (runs, total) = app
        .watch
        .store()
        .cleanup_runs(database.key(), limit)
        .await?;
    Ok(Json(CleanupHistory {
        runs: runs.into_iter().map(cleanup::run).collect(),
        total,
    }))
}

/// Whether a run is under way.
#[utoipa::path(
    get, path = "/api/cleanup/status", tag = "cleanup", operation_id = "cleanup_status",
    params(Of),
    responses(
        (status = 200, body = CleanupStatus, description = "What runs now"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn status(
    State(app): State<Shared>,
    Query(of): Query<Of>,
) -> Result<Json<CleanupStatus>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let (runs, _) = app.watch.store().cleanup_runs(database.key(), 1).await?;
    Ok(Json(cleanup::status(runs.into_iter().next())))
}
