//! `GET /api/cleanup/stats`, `GET /api/cleanup/history`

use axum::Json;
use axum::extract::State;

use super::super::gate::asker::Asker;
use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::cleanup::{self, CleanupHistory, CleanupStats, RunsQuery};
use crate::ask::OfDatabase;

/// Row counts of each table, most rows first.
#[utoipa::path(
    get, path = "/api/cleanup/stats", tag = "cleanup", operation_id = "cleanup_stats",
    params(Query::<OfDatabase>),
    responses(
        (status = 200, body = CleanupStats, description = "Row counts of each table"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn stats(
    State(app): State<Shared>,
    asker: Asker,
    Query(of): Query<OfDatabase>,
) -> Result<Json<CleanupStats>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let known = asker.look(&app.watch, &database).await;
    let snapshot = known.snapshot.as_deref();
    let snapshot = snapshot.ok_or_else(|| Problem::nothing_known(&known))?;
    Ok(Json(cleanup::stats(snapshot)))
}

/// Past runs, newest first.
#[utoipa::path(
    get, path = "/api/cleanup/history", tag = "cleanup", operation_id = "cleanup_history",
    params(Query::<(OfDatabase, RunsQuery)>),
    responses(
        (status = 200, body = CleanupHistory, description = "Past runs"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn history(
    State(app): State<Shared>,
    Query((of, query)): Query<(OfDatabase, RunsQuery)>,
) -> Result<Json<CleanupHistory>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let (runs, total) = app
        .watch
        .store()
        .cleanup_runs(database.key(), query.limit)
        .await?;
    Ok(Json(CleanupHistory {
        runs: runs.into_iter().map(cleanup::run).collect(),
        total,
    }))
}
