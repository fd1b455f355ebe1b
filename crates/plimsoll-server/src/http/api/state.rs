//! `GET /api/storage/state`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;

use super::super::gate::asker::Asker;
use super::super::gate::etag::{self, Made};
use super::super::params::Query;
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::state::{self, StateAnswer, StateQuery};
use crate::ask::OfDatabase;

/// Every table as the last sample up to a past time saw it.
#[utoipa::path(
    get, path = "/api/storage/state", tag = "storage", operation_id = "storage_state",
    params(Query::<(OfDatabase, StateQuery)>),
    responses(
        (status = 200, body = StateAnswer, description = "The state, largest table first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn state(
    State(app): State<Shared>,
    asker: Asker,
    Query((of, query)): Query<(OfDatabase, StateQuery)>,
) -> Result<Response, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    let state = app
        .watch
        .store()
        .state(&database, query.at)
        .await?
        .ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "no_history",
                "no sample has been taken yet",
            )
        })?;
    let tag = Made::of(&asker.question).and(state.sample.id).tag();
    if let Some(unchanged) = etag::unchanged(&asker.headers, &tag) {
        return Ok(unchanged);
    }
    let json = state::into_json(&database, state, &query.kinds, query.limit)
        .map_err(|error| Problem::internal(&error))?;
    Ok(etag::with(pieces::json(stream::iter(json)), &tag))
}
