//! `GET` and `POST /api/storage/silences`, `DELETE /api/storage/silences/{id}`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::super::body::Body;
use super::super::path::Path;
use super::super::{Problem, Shared};
use crate::answer::silences::{self, SilenceAnswer, SilenceError, SilenceRequest, SilencesAnswer};

/// The silences that are not over.
#[utoipa::path(
    get, path = "/api/storage/silences", tag = "storage", operation_id = "storage_silences",
    responses(
        (status = 200, body = SilencesAnswer, description = "The silences, in the order in which they were made"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn silences(State(app): State<Shared>) -> Result<Json<SilencesAnswer>, Problem> {
    let now = app.watch.clock().now();
    Ok(Json(silences::silences(app.watch.store(), now).await?))
}

/// Makes a silence: until a time, or each time that a schedule names. What fires is kept and answered all the same.
#[utoipa::path(
    post, path = "/api/storage/silences", tag = "storage", operation_id = "make_silence",
    request_body = SilenceRequest,
    responses(
        (status = 201, body = SilenceAnswer, description = "The silence"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn add(
    State(app): State<Shared>,
    Body(request): Body<SilenceRequest>,
) -> Result<(StatusCode, Json<SilenceAnswer>), Problem> {
    let now = app.watch.clock().now();
    let made = silences::add(app.watch.store(), request, now).await;
    let silence = made.map_err(|error| match error {
        SilenceError::Refused(reason) => {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_silence", reason)
        }
        SilenceError::Store(error) => error.into(),
    })?;
    Ok((StatusCode::CREATED, Json(silence)))
}

/// Ends a silence.
#[utoipa::path(
    delete, path = "/api/storage/silences/{id}", tag = "storage", operation_id = "end_silence",
    params(("id" = i64, Path, description = "The silence's id")),
    responses(
        (status = 204, description = "It is ended"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn end(
    State(app): State<Shared>,
    Path(id): Path<i64>,
) -> Result<StatusCode, Problem> {
    if silences::end(app.watch.store(), id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::new(
        StatusCode::NOT_FOUND,
        "unknown_silence",
        format!("there is no silence {id}"),
    ))
}
