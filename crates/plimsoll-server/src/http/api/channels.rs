//! `GET /api/channels`, `POST /api/channels/{name}/test`

use axum::Json;
use axum::extract::State;

use super::super::params::Query;
use super::super::path::Path;
use super::super::{Problem, Shared};
use crate::answer::channels::{self as answer, ChannelTestAnswer, ChannelsAnswer};
use crate::channels;

/// Where messages about alerts go, and what waits to be sent there.
#[utoipa::path(
    get, path = "/api/channels", tag = "watch", operation_id = "channels",
    responses(
        (status = 200, body = ChannelsAnswer, description = "The channels that are configured"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn channels(
    State(app): State<Shared>,
    Query(()): Query<()>,
) -> Result<Json<ChannelsAnswer>, Problem> {
    let in_memory = app.telling.waiting_in_memory();
    let answer = answer::channels(app.watch.store(), &app.settings.channels, in_memory).await?;
    Ok(Json(answer))
}

/// Sends a message that says only that the channel works.
#[utoipa::path(
    post, path = "/api/channels/{name}/test", tag = "watch", operation_id = "test_channel",
    params(("name" = String, Path, pattern = "^[^\\x00]+$", description = "The channel's name")),
    responses(
        (status = 200, body = ChannelTestAnswer, description = "The channel took it"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn test_channel(
    State(app): State<Shared>,
    Path(name): Path<String>,
    Query(()): Query<()>,
) -> Result<Json<ChannelTestAnswer>, Problem> {
    let now = app.watch.clock().now();
    let channel = channels::test(&app.settings.channels, &name, now).await?;
    Ok(Json(answer::tested(channel, now)))
}
