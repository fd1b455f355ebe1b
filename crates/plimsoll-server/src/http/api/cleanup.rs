//! `GET /api/cleanup/stats`, `GET /api/cleanup/history`

use axum::Json;
use axum::extract::State;
use utoipa::IntoParams;

use super::super::params::{FreshOf, FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared};
use crate::answer::cleanup::{self, CleanupHistory, CleanupStats};

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
