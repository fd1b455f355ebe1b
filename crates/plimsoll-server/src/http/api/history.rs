//! `GET /api/storage/history`, `POST /api/storage/samples`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures_util::stream;
use plimsoll_store::StoreError;
use utoipa::IntoParams;

use super::super::params::{FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared, stream as pieces};
use crate::answer::ask;
use crate::answer::chunks;
use crate::answer::history::{
    self, DEFAULT_LIMIT, HistoryAnswer, HistoryPage, HistoryQuery, LARGEST_LIMIT, SampleAnswer,
};
use crate::watch::record_on_request;

/// Which samples, and how much of each.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `HistoryQuery` is what is read"
)]
pub(super) struct HistoryParams {
    /// At most so many samples, newest first; 30 without it.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// `all`, or a list of `daily`, `manual` (these two are the default), `watch`.
    #[param(pattern = "^(all|(daily|manual|watch)(,(daily|manual|watch))*)$")]
    kind: Option<String>,
    /// Only this table in `table_sizes`: `orders`, `sales.orders`, `"Sales"."Orders"`.
    #[param(pattern = r#"^("([^"]|"")+"|[^".]+)(\.("([^"]|"")+"|[^".]+))?$"#)]
    table: Option<String>,
    /// Not older than this: `2026-01-31T00:00:00Z`, `2026-01-31`, or an age such as `7d`.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    since: Option<String>,
    /// `all` (the default), or the last sample of each `hour` or `day`.
    #[param(pattern = "^(all|hour|day)$")]
    step: Option<String>,
    /// Only the so many largest tables of each sample.
    #[param(minimum = 0, maximum = 1_000_000)]
    tables: Option<u32>,
}

/// `HistoryQuery` whose table is still as it was written: its key depends on the server's version.
pub(super) struct HistoryAsked(pub(super) HistoryQuery);

impl FromParams for HistoryAsked {
    fn names() -> Vec<String> {
        names_of::<HistoryParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self(HistoryQuery {
            limit: params
                .number("limit", 1, LARGEST_LIMIT)?
                .unwrap_or(DEFAULT_LIMIT),
            kinds: params.word("kind")?,
            since: params.since("since")?,
            step: params.read("step", ask::step)?.unwrap_or_default(),
            // Read once here so that what is malformed is an error, and again with the version.
            table: params.read("table", |text| {
                ask::table_key(text, 18).map(|_| text.to_owned())
            })?,
            tables: params.number("tables", 0, 1_000_000)?,
        }))
    }
}

/// The history of a database: its samples, newest first.
///
/// Written as a stream, one sample at a time.
#[utoipa::path(
    get, path = "/api/storage/history", tag = "storage", operation_id = "storage_history",
    params(Of, HistoryParams),
    responses(
        (status = 200, body = HistoryAnswer, description = "Samples, newest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn history(
    State(app): State<Shared>,
    Query((of, HistoryAsked(mut query))): Query<(Of, HistoryAsked)>,
) -> Result<Response, Problem> {
    let (instance, name) = (of.instance.as_deref(), of.database.as_deref());
    let database = app.watch.select_kept(instance, name).await??;
    if let Some(text) = &query.table {
        // Versions differ in which words they quote; the newest one's way is the best guess.
        let watched = app.watch.select(instance, name).ok();
        let major = watched
            .and_then(|watched| watched.latest())
            .map_or(18, |snapshot| snapshot.server.major());
        let key = ask::table_key(text, major).map_err(|error| Problem::asked("table", &error))?;
        query.table = Some(key);
    }
    let page = history::history(app.watch.store(), &database, &query).await?;
    let (before, after) =
        chunks::around(&page.head(), "samples").map_err(|error| Problem::internal(&error))?;
    let samples = stream::try_unfold(Some((before, 0)), move |state| {
        let (app, page, after) = (Arc::clone(&app), page.clone(), after.clone());
        async move { next_sample(&app, &page, state, &after).await }
    });
    Ok(pieces::json(samples))
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
    params(Of),
    responses(
        (status = 201, body = SampleAnswer, description = "The sample"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn take_sample(
    State(app): State<Shared>,
    Query(of): Query<Of>,
) -> Result<(StatusCode, Json<SampleAnswer>), Problem> {
    let database = app
        .watch
        .select(of.instance.as_deref(), of.database.as_deref())?;
    let header = record_on_request(&app.watch, &database).await?;
    let sample = history::sample(app.watch.store(), &header).await?;
    Ok((StatusCode::CREATED, Json(sample)))
}
