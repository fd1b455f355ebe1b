//! `GET /api/storage/history`, `POST /api/storage/samples`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use plimsoll_store::StoreError;

use super::super::gate::asker::Asker;
use super::super::gate::etag::{self, Made};
use super::super::params::Query;
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::chunks;
use crate::answer::history::{self, HistoryAnswer, HistoryPage, HistoryQuery, SampleAnswer};
use crate::ask::OfDatabase;
use crate::watch::record_on_request;

/// The history of a database: its samples, newest first.
///
/// Written as a stream, one sample at a time.
#[utoipa::path(
    get, path = "/api/storage/history", tag = "storage", operation_id = "storage_history",
    params(Query::<(OfDatabase, HistoryQuery)>),
    responses(
        (status = 200, body = HistoryAnswer, description = "Samples, newest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn history(
    State(app): State<Shared>,
    asker: Asker,
    Query((of, mut query)): Query<(OfDatabase, HistoryQuery)>,
) -> Result<Response, Problem> {
    let (instance, name) = (of.instance.as_deref(), of.database.as_deref());
    let database = app.watch.select_kept(instance, name).await??;
    // Versions differ in which words they quote; the newest one's way is the best guess.
    let watched = app.watch.select(instance, name).ok();
    if let Some(snapshot) = watched.and_then(|watched| watched.latest()) {
        query.major = snapshot.server.major();
    }
    let page = history::history(app.watch.store(), &database, &query).await?;
    let ids: Vec<i64> = page.headers.iter().map(|header| header.id).collect();
    let made = Made::of(&asker.question).and((ids, page.total));
    let mut made = made.and(query.major);
    if query.table.is_some() {
        // whether it is there still, and what a set consists of, samples of other kinds say too
        made = made.and(app.watch.stamp(&database).await?);
    }
    let tag = made.tag();
    if let Some(unchanged) = etag::unchanged(&asker.headers, &tag) {
        return Ok(unchanged);
    }
    let (before, after) =
        chunks::around(&page.head(), "samples").map_err(|error| Problem::internal(&error))?;
    let samples = stream::try_unfold(Some((before, 0)), move |state| {
        let (app, page, after) = (Arc::clone(&app), page.clone(), after.clone());
        async move { next_sample(&app, &page, state, &after).await }
    });
    Ok(etag::with(pieces::json(samples), &tag))
}

type Written = Option<(Vec<u8>, usize)>;

/// The text up to and including the next sample, and where to go on.
async fn next_sample(
    app: &Shared,
    page: &HistoryPage,
    state: Written,
    after: &[u8],
) -> Result<Option<(Vec<u8>, Written)>, StreamError> {
    let Some((mut piece, at)) = state else {
        return Ok(None);
    };
    let Some(header) = page.headers.get(at) else {
        piece.extend_from_slice(after);
        return Ok(Some((piece, None)));
    };
    if at > 0 {
        piece.push(b',');
    }
    let sample = page.sample(app.watch.store(), header).await?;
    serde_json::to_writer(&mut piece, &sample)?;
    Ok(Some((piece, Some((Vec::new(), at + 1)))))
}

/// Why a history could not be written to its end.
#[derive(Debug, thiserror::Error)]
enum StreamError {
    #[error("reading a sample: {0}")]
    Store(#[from] StoreError),
    #[error("writing a sample: {0}")]
    Json(#[from] serde_json::Error),
}

/// Takes a sample now.
#[utoipa::path(
    post, path = "/api/storage/samples", tag = "storage", operation_id = "take_sample",
    params(Query::<OfDatabase>),
    responses(
        (status = 201, body = SampleAnswer, description = "The sample"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn take_sample(
    State(app): State<Shared>,
    Query(of): Query<OfDatabase>,
) -> Result<(StatusCode, Json<SampleAnswer>), Problem> {
    let database = app
        .watch
        .select_uncrossed(of.instance.as_deref(), of.database.as_deref())
        .await?;
    let header = record_on_request(&app.watch, &database).await?;
    let sample = history::sample(app.watch.store(), &header).await?;
    Ok((StatusCode::CREATED, Json(sample)))
}
