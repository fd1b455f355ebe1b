//! `GET /api/storage/sizes`

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;

use super::super::params::Query;
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::growth_base::growth_base;
use crate::answer::sizes::{self, SizesAnswer, SizesQuery};
use crate::ask::{Fresh, Of, Sort};

/// The size of every table of a database.
///
/// From the latest snapshot while that is fresh, otherwise from a new visit. Written as a stream.
#[utoipa::path(
    get, path = "/api/storage/sizes", tag = "storage", operation_id = "storage_sizes",
    params(Query::<((Of, Fresh), SizesQuery)>),
    responses(
        (status = 200, body = SizesAnswer, description = "Sizes, largest first unless asked otherwise"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn sizes(
    State(app): State<Shared>,
    Query(((of, fresh), query)): Query<((Of, Fresh), SizesQuery)>,
) -> Result<Response, Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let snapshot = app.watch.snapshot(&database, fresh.max_age).await?;
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
