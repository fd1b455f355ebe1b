//! `GET /api/storage/series`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use plimsoll_store::{SeriesQuery, TableName};
use utoipa::IntoParams;

use super::super::params::{FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared};
use crate::answer::ask::{self, SampleKinds};
use crate::answer::series::{self, SeriesAnswer, SeriesOf};

/// At which samples a series is read.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `SeriesQuery` is what is read"
)]
pub(super) struct SeriesParams {
    /// Not older than this: `2026-01-31T00:00:00Z`, `2026-01-31`, or an age such as `7d`.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    since: Option<String>,
    /// Not newer than this.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    until: Option<String>,
    /// `all` (the default), or the last sample of each `hour` or `day`.
    #[param(pattern = "^(all|hour|day)$")]
    step: Option<String>,
    /// `all`, or a list of `daily`, `manual` (these two are the default), `watch`.
    #[param(pattern = "^(all|(daily|manual|watch)(,(daily|manual|watch))*)$")]
    kind: Option<String>,
}

impl FromParams for SeriesQuery {
    fn names() -> Vec<String> {
        names_of::<SeriesParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            kinds: params.word::<SampleKinds>("kind")?.0,
            since: params.since("since")?,
            until: params.since("until")?,
            step: params.read("step", ask::step)?.unwrap_or_default(),
        })
    }
}

/// What the series is of.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `SeriesOf` is what is read"
)]
pub(super) struct SeriesOfParams {
    /// Of this table, with what is below it: `orders`, `sales.orders`, `"Sales"."Orders"`.
    #[param(pattern = r#"^("([^"]|"")+"|[^".]+)(\.("([^"]|"")+"|[^".]+))?$"#)]
    table: Option<String>,
    /// Of all tables of this schema. Without both, of the database.
    schema: Option<String>,
}

impl FromParams for SeriesOf {
    fn names() -> Vec<String> {
        names_of::<SeriesOfParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        match (
            params.read("table", ask::table_name)?,
            params.owned("schema"),
        ) {
            (Some(_), Some(_)) => Err(Problem::parameter(
                "schema",
                "`table` and `schema` are both given; a table's schema is part of its name: sales.orders",
            )),
            (Some(table), None) => Ok(Self::Table(table)),
            (None, Some(schema)) => Ok(Self::Schema(schema)),
            (None, None) => Ok(Self::Database),
        }
    }
}

/// Sizes over time: of a table with its indexes and what is below it, of a schema, of a database.
#[utoipa::path(
    get, path = "/api/storage/series", tag = "storage", operation_id = "storage_series",
    params(Of, SeriesOfParams, SeriesParams),
    responses(
        (status = 200, body = SeriesAnswer, description = "The series, oldest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn series(
    State(app): State<Shared>,
    Query((of, (what, query))): Query<(Of, (SeriesOf, SeriesQuery))>,
) -> Result<Json<SeriesAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    let series = series::series(app.watch.store(), &database, &what, &query).await?;
    series.map(Json).ok_or_else(|| match what {
        SeriesOf::Table(table) => unknown_table(&table),
        SeriesOf::Schema(_) | SeriesOf::Database => Problem::new(
            StatusCode::NOT_FOUND,
            "no_history",
            "no sample has been taken yet",
        ),
    })
}

/// No sample shows the table.
pub(super) fn unknown_table(table: &TableName) -> Problem {
    let detail = format!(
        "no sample of the history shows a table {}; names fold to lower case unless they are quoted",
        table.key(18)
    );
    Problem::new(StatusCode::NOT_FOUND, "unknown_table", detail)
}
