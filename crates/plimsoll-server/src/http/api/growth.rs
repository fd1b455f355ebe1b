//! `GET /api/storage/growth`

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use utoipa::IntoParams;

use super::super::params::{FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared};
use crate::answer::growth::{self, GrowthAnswer, GrowthQuery};

/// Between which times, and how much of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `GrowthQuery` is what is read"
)]
pub(super) struct GrowthParams {
    /// From the state at this time: `2026-01-31T00:00:00Z`, `2026-01-31`, or an age; `7d` without it.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    since: Option<String>,
    /// To the state at this time; now without it.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    until: Option<String>,
    /// At most so many rows in each list; 100 without it.
    #[param(minimum = 1, maximum = 1_000_000)]
    limit: Option<u32>,
    /// Tables of these kinds are listed (the sums are over all): `all`, or a list.
    #[param(
        pattern = "^(all|(table|matview|partitioned|catalog|sequence|temporary)(,(table|matview|partitioned|catalog|sequence|temporary))*)$"
    )]
    kind: Option<String>,
}

impl FromParams for GrowthQuery {
    fn names() -> Vec<String> {
        names_of::<GrowthParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        let week_ago = params.now() - SignedDuration::from_hours(7 * 24);
        let until: Timestamp = params.since("until")?.unwrap_or(params.now());
        Ok(Self {
            since: params.since("since")?.unwrap_or(week_ago),
            until,
            limit: params.number("limit", 1, 1_000_000)?.unwrap_or(100),
            kinds: params.word("kind")?,
        })
    }
}

/// What grew, by how much, a day: tables, schemas, partition sets, indexes, and the rest.
#[utoipa::path(
    get, path = "/api/storage/growth", tag = "storage", operation_id = "storage_growth",
    params(Of, GrowthParams),
    responses(
        (status = 200, body = GrowthAnswer, description = "What grew between two samples"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn growth(
    State(app): State<Shared>,
    Query((of, query)): Query<(Of, GrowthQuery)>,
) -> Result<Json<GrowthAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    Ok(Json(
        growth::growth(app.watch.store(), &database, &query).await?,
    ))
}
