//! `GET /api/storage/events`

use axum::Json;
use axum::extract::State;

use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::events::{self, EventsAnswer, EventsQuery};
use crate::ask::OfDatabase;

/// What happened to relations and is not growth, and what statistics see in the series, newest first.
#[utoipa::path(
    get, path = "/api/storage/events", tag = "storage", operation_id = "storage_events",
    params(Query::<(OfDatabase, EventsQuery)>),
    responses(
        (status = 200, body = EventsAnswer, description = "The events, newest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn events(
    State(app): State<Shared>,
    Query((of, query)): Query<(OfDatabase, EventsQuery)>,
) -> Result<Json<EventsAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    Ok(Json(
        events::events(app.watch.store(), &database, &query).await?,
    ))
}
