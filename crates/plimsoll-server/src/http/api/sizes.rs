//! `GET /api/storage/sizes`

use axum::extract::State;
use axum::response::Response;
use futures_util::stream;

use super::super::gate::asker::Asker;
use super::super::gate::etag::{self, Made};
use super::super::params::Query;
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::growth_base::growth_base;
use crate::answer::kept;
use crate::answer::sizes::{self, SizesAnswer, SizesQuery};
use crate::answer::visit::Currency;
use crate::ask::{Fresh, OfDatabase, Sort};

/// The size of every table of a database.
///
/// From the latest snapshot. One older than a hundred times what its visit took (1 second to 15 minutes)
/// begins a visit, which the answer waits for only as long as `wait` says. Written as a stream.
#[utoipa::path(
    get, path = "/api/storage/sizes", tag = "storage", operation_id = "storage_sizes",
    params(Query::<((OfDatabase, Fresh), SizesQuery)>),
    responses(
        (status = 200, body = SizesAnswer, description = "Sizes, largest first unless asked otherwise"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn sizes(
    State(app): State<Shared>,
    asker: Asker,
    Query(((of, fresh), query)): Query<((OfDatabase, Fresh), SizesQuery)>,
) -> Result<Response, Problem> {
    let watch = &app.watch;
    let database = watch
        .select_uncrossed(of.instance.as_deref(), of.database.as_deref())
        .await?;
    let known = asker.look_current(watch, &database, fresh).await;
    let made = Made::of(&asker.question).and_visit_state(&known);
    let by_growth = query.sort == Sort::Growth;
    let made = match &known.snapshot {
        Some(_) if !by_growth => made,
        _ => made.and(watch.stamp(database.key()).await?),
    };
    let tag = made.tag();
    if let Some(unchanged) = etag::unchanged(&asker.headers, &tag) {
        return Ok(unchanged);
    }
    let (store, key) = (watch.store(), database.key());
    let growth = if by_growth {
        growth_base(store, key, watch.clock().now()).await?
    } else {
        None
    };
    let answer = if let Some(snapshot) = &known.snapshot {
        let page = sizes::sizes(snapshot, &query, growth)?.known(Currency::from(&known));
        let json = page.into_json();
        pieces::json(stream::iter(
            json.map_err(|error| Problem::internal(&error))?,
        ))
    } else {
        let state = store.state(key, watch.clock().now()).await?;
        let state = state.ok_or_else(|| Problem::nothing_known(&known))?;
        let currency = Currency::from(&known);
        let answer = kept::sizes(key, &state, &query, growth.as_ref(), currency)?;
        let json = kept::into_json(answer);
        pieces::json(stream::iter(
            json.map_err(|error| Problem::internal(&error))?,
        ))
    };
    Ok(etag::with(answer, &tag))
}
