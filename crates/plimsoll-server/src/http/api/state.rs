//! `GET /api/storage/state`

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use jiff::Timestamp;
use utoipa::IntoParams;

use super::super::params::{FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::ask::Kinds;
use crate::answer::state::{self, StateAnswer};

/// The state at which time, and how much of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `StateAsked` is what is read"
)]
pub(super) struct StateParams {
    /// At this time: `2026-01-31T00:00:00Z`, `2026-01-31`, or an age such as `7d`; now without it.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    at: Option<String>,
    /// At most so many tables, largest first; all of them without it.
    #[param(minimum = 1, maximum = 1_000_000)]
    limit: Option<u32>,
    /// `all`, or a list of `table`, `matview`, `partitioned` (these three are the default),
    /// `catalog`, `sequence`.
    #[param(
        pattern = "^(all|(table|matview|partitioned|catalog|sequence|temporary)(,(table|matview|partitioned|catalog|sequence|temporary))*)$"
    )]
    kind: Option<String>,
}

pub(super) struct StateAsked {
    at: Timestamp,
    limit: Option<usize>,
    kinds: Kinds,
}

impl FromParams for StateAsked {
    fn names() -> Vec<String> {
        names_of::<StateParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            at: params.since("at")?.unwrap_or(params.now()),
            limit: params.number("limit", 1, 1_000_000)?,
            kinds: params.word("kind")?,
        })
    }
}

/// Every table as the last sample up to a past time saw it.
#[utoipa::path(
    get, path = "/api/storage/state", tag = "storage", operation_id = "storage_state",
    params(Of, StateParams),
    responses(
        (status = 200, body = StateAnswer, description = "The state, largest table first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn state(
    State(app): State<Shared>,
    Query((of, asked)): Query<(Of, StateAsked)>,
) -> Result<Response, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    let state = app
        .watch
        .store()
        .state(&database, asked.at)
        .await?
        .ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "no_history",
                "no sample has been taken yet",
            )
        })?;
    let json = state::into_json(&database, state, &asked.kinds, asked.limit)
        .map_err(|error| Problem::internal(&error))?;
    Ok(pieces::json(stream::iter(json)))
}
