//! `GET /api/storage/alerts`, `POST /api/storage/alerts/{id}/resolve`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::body::Body;
use super::super::params::Query;
use super::super::path::Path;
use super::super::{Problem, Shared};
use crate::answer::alerts::{self, AlertAnswer, AlertsAnswer, AlertsQuery, ResolveRequest};
use crate::ask::OfDatabase;

/// What fires, and what did, newest first.
#[utoipa::path(
    get, path = "/api/storage/alerts", tag = "storage", operation_id = "storage_alerts",
    params(Query::<(OfDatabase, AlertsQuery)>),
    responses(
        (status = 200, body = AlertsAnswer, description = "The alerts, newest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn alerts(
    State(app): State<Shared>,
    Query((of, query)): Query<(OfDatabase, AlertsQuery)>,
) -> Result<Json<AlertsAnswer>, Problem> {
    let of = named(&app, of).await?;
    let now = app.watch.clock().now();
    let answer = alerts::alerts(app.watch.store(), &of, query, now).await?;
    Ok(Json(answer))
}

/// Closes an alert: it is silent until its condition was false once, or is worse. Closing it twice is fine.
#[utoipa::path(
    post, path = "/api/storage/alerts/{id}/resolve", tag = "storage", operation_id = "resolve_alert",
    params(("id" = i64, Path, description = "The alert's id")),
    request_body(content = Option<ResolveRequest>),
    responses(
        (status = 200, body = AlertAnswer, description = "The alert, closed"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn resolve(
    State(app): State<Shared>,
    Path(id): Path<i64>,
    Body(request): Body<ResolveRequest>,
) -> Result<Json<AlertAnswer>, Problem> {
    if request
        .comment
        .as_deref()
        .is_some_and(|comment| comment.contains('\0'))
    {
        let detail = "a comment has no NUL character";
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_body",
            detail,
        ));
    }
    let alert = app.alerting.resolve(id, request.comment.as_deref()).await?;
    let alert = alert.ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "unknown_alert",
            format!("there is no alert {id}"),
        )
    })?;
    Ok(Json(alerts::resolved(app.watch.store(), alert).await?))
}

/// What is asked about by its own name, where it is named at all: an alias stands for its database.
async fn named(app: &Shared, of: OfDatabase) -> Result<OfDatabase, Problem> {
    if let Some(instance) = &of.instance {
        app.watch.select_instance(Some(instance))?;
    }
    if of.database.is_none() {
        return Ok(of);
    }
    let (instance, database) = (of.instance.as_deref(), of.database.as_deref());
    let key = app.watch.select_kept(instance, database).await??;
    Ok(OfDatabase {
        instance: Some(key.instance),
        database: Some(key.database),
    })
}
