//! `GET /api/storage/tables/{schema}/{table}`

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use utoipa::IntoParams;

use super::params::{FreshOf, FromParams, Params, Query, names_of};
use super::{Problem, Shared};
use crate::answer::ask::SampleKinds;
use crate::answer::history::{HistoryQuery, LARGEST_LIMIT};
use crate::answer::table::{TableBreakdown, breakdown, series};

/// How far back the series goes.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `SeriesAsked` is what is read"
)]
pub(super) struct SeriesParams {
    /// At most so many points, the newest ones; 90 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Not older than this: `2026-01-31T00:00:00Z`, `2026-01-31`, or an age such as `7d`.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    since: Option<String>,
    /// `all`, or a list of `daily`, `manual` (these two are the default), `watch`.
    #[param(pattern = "^(all|(daily|manual|watch)(,(daily|manual|watch))*)$")]
    kind: Option<String>,
}

pub(super) struct SeriesAsked(HistoryQuery);

impl FromParams for SeriesAsked {
    fn names() -> Vec<String> {
        names_of::<SeriesParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self(HistoryQuery {
            limit: params.number("limit", 1, LARGEST_LIMIT)?.unwrap_or(90),
            since: params.since("since")?,
            kinds: params.word::<SampleKinds>("kind")?,
            ..HistoryQuery::default()
        }))
    }
}

/// Where a table's bytes are: heap, toast, each index, what is below it, and its series.
#[utoipa::path(
    get, path = "/api/storage/tables/{schema}/{table}", tag = "storage", operation_id = "storage_table",
    params(
        ("schema" = String, Path, description = "The schema's name, raw, percent-encoded"),
        ("table" = String, Path, description = "The table's name, raw, percent-encoded"),
        FreshOf, SeriesParams,
    ),
    responses(
        (status = 200, body = TableBreakdown, description = "The table's parts and history"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn table(
    State(app): State<Shared>,
    Path((schema, table)): Path<(String, String)>,
    Query((of, SeriesAsked(query))): Query<(FreshOf, SeriesAsked)>,
) -> Result<Json<TableBreakdown>, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let snapshot = app.watch.snapshot(&database, of.max_age()).await?;
    let mut answer = breakdown(&snapshot, &schema, &table).ok_or_else(|| {
        let detail = format!(
            "\"{}\" has no table \"{table}\" in schema \"{schema}\"; /api/storage/sizes?kind=all lists those there are",
            database.key().database
        );
        Problem::new(StatusCode::NOT_FOUND, "unknown_table", detail)
    })?;
    answer.series = series(app.watch.store(), database.key(), &answer.table_key, &query).await?;
    Ok(Json(answer))
}
