//! `GET /api/storage/sizes`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;
use utoipa::IntoParams;

use super::super::params::{FreshOf, FromParams, Params, Query, names_of};
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::ask::Sort;
use crate::answer::growth_base::growth_base;
use crate::answer::sizes::{self, SizesAnswer, SizesQuery};

/// Which tables, and in which order.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `SizesQuery` is what is read"
)]
pub(super) struct SizesParams {
    /// At most so many tables; all of them without it.
    #[param(minimum = 1, maximum = 1_000_000)]
    limit: Option<u32>,
    /// Without the first so many.
    #[param(minimum = 0, maximum = 1_000_000_000)]
    offset: Option<u32>,
    /// Only tables of this schema.
    schema: Option<String>,
    /// Only tables in whose `schema.table` this text occurs, whatever its case.
    search: Option<String>,
    /// `size` (the default), `name`, `rows` or `growth` (since the daily sample of a week ago).
    #[param(pattern = "^(size|name|rows|growth)$")]
    sort: Option<String>,
    /// `all`, or a list of `table`, `matview`, `partitioned` (these three are the default),
    /// `catalog`, `sequence`, `temporary`.
    #[param(
        pattern = "^(all|(table|matview|partitioned|catalog|sequence|temporary)(,(table|matview|partitioned|catalog|sequence|temporary))*)$"
    )]
    kind: Option<String>,
}

impl FromParams for SizesQuery {
    fn names() -> Vec<String> {
        names_of::<SizesParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            limit: params.number("limit", 1, 1_000_000)?,
            offset: params.number("offset", 0, 1_000_000_000)?.unwrap_or(0),
            schema: params.owned("schema"),
            search: params.owned("search").filter(|text| !text.is_empty()),
            sort: params.word("sort")?,
            kinds: params.word("kind")?,
        })
    }
}

/// The size of every table of a database.
///
/// From the latest snapshot while that is fresh, otherwise from a new visit. Written as a stream.
#[utoipa::path(
    get, path = "/api/storage/sizes", tag = "storage", operation_id = "storage_sizes",
    params(FreshOf, SizesParams),
    responses(
        (status = 200, body = SizesAnswer, description = "Sizes, largest first unless asked otherwise"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn sizes(
    State(app): State<Shared>,
    Query((of, query)): Query<(FreshOf, SizesQuery)>,
) -> Result<Response, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let snapshot = app.watch.snapshot(&database, of.max_age()).await?;
    let growth = match query.sort {
        Sort::Growth => {
            growth_base(app.watch.store(), database.key(), snapshot.measured_at).await?
        }
        Sort::Size | Sort::Name | Sort::Rows => None,
    };
    let page = sizes::sizes(&Arc::clone(&snapshot), &query, growth);
    let json = page
        .into_json()
        .map_err(|error| Problem::internal(&error))?;
    Ok(pieces::json(stream::iter(json)))
}
