//! `GET /api/storage/disk`

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};

use super::super::gate::asker::Asker;
use super::super::gate::etag::{self, Made};
use super::super::params::Query;
use super::super::{Problem, Shared};
use crate::answer::disk::{DiskAnswer, disk};
use crate::ask::{DiskQuery, OfInstance};

/// The volumes of an instance: how full, by what, since when, when full, what would help. From what is kept.
#[utoipa::path(
    get, path = "/api/storage/disk", tag = "storage", operation_id = "storage_disk",
    params(Query::<(OfInstance, DiskQuery)>),
    responses(
        (status = 200, body = DiskAnswer, description = "The instance's volumes as they were looked at last"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn disk_of(
    State(app): State<Shared>,
    asker: Asker,
    Query((of, query)): Query<(OfInstance, DiskQuery)>,
) -> Result<Response, Problem> {
    let instance = app.watch.select_instance(of.instance.as_deref())?;
    let (store, now) = (app.watch.store(), app.watch.clock().now());
    let looked_at = instance.disk().looked_at(store, now).await?;
    // Ages of `since` are counted from now: such an answer is another each minute.
    let minute = query.since.map(|_| now.as_second() / 60);
    let tag = Made::of(&asker.question).and(looked_at).and(minute).tag();
    if let Some(unchanged) = etag::unchanged(&asker.headers, &tag) {
        return Ok(unchanged);
    }
    let answer = disk(instance, store, &query, now).await?;
    Ok(etag::with(Json(answer).into_response(), &tag))
}
