//! `GET /api/storage/events`

use axum::Json;
use axum::extract::State;
use plimsoll_core::change::EventKind;
use plimsoll_store::EventQuery;
use utoipa::IntoParams;

use super::params::{FromParams, Of, Params, Query, names_of};
use super::{Problem, Shared};
use crate::answer::ask::{self, AskError};
use crate::answer::events::{self, EventsAnswer};

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `EventQuery` is what is read"
)]
pub(super) struct EventParams {
    /// Of this table and its indexes only: `orders`, `sales.orders`, `"Sales"."Orders"`.
    #[param(pattern = r#"^("([^"]|"")+"|[^".]+)(\.("([^"]|"")+"|[^".]+))?$"#)]
    table: Option<String>,
    /// A list of `rewrite`, `truncate`, `rename`, `reindex`, `create`, `drop`, `attach`, `detach`,
    /// `restore`, `failover`, `statistics_reset`; `all` without it.
    #[param(
        pattern = "^(all|(rewrite|truncate|rename|reindex|create|drop|attach|detach|restore|failover|statistics_reset)(,(rewrite|truncate|rename|reindex|create|drop|attach|detach|restore|failover|statistics_reset))*)$"
    )]
    kind: Option<String>,
    /// Which ended not before this: `2026-01-31T00:00:00Z`, `2026-01-31`, or an age such as `7d`.
    #[param(
        pattern = r"^(\d{4}-\d{2}-\d{2}(T[0-9:.]+(Z|[+-]\d{2}:\d{2}))?|\d{1,4} ?(ms|s|m|h|d|w))$"
    )]
    since: Option<String>,
    /// At most so many, newest first; 100 without it.
    #[param(minimum = 1, maximum = 100_000)]
    limit: Option<u32>,
}

impl FromParams for EventQuery {
    fn names() -> Vec<String> {
        names_of::<EventParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            table: params.read("table", ask::table_name)?,
            kinds: params.read("kind", kinds)?.unwrap_or_default(),
            since: params.since("since")?,
            limit: Some(params.number("limit", 1, 100_000)?.unwrap_or(100)),
        })
    }
}

fn kinds(text: &str) -> Result<Vec<EventKind>, AskError> {
    if text == "all" {
        return Ok(Vec::new());
    }
    let kind = |word: &str| {
        word.parse().map_err(|_| {
            let known = EventKind::ALL.map(EventKind::as_str).join(", ");
            AskError::new(word, format!("all, or a list of {known}"))
        })
    };
    text.split(',').map(|word| kind(word.trim())).collect()
}

/// What happened to relations and is not growth, newest first.
#[utoipa::path(
    get, path = "/api/storage/events", tag = "storage", operation_id = "storage_events",
    params(Of, EventParams),
    responses(
        (status = 200, body = EventsAnswer, description = "The events, newest first"),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn events(
    State(app): State<Shared>,
    Query((of, query)): Query<(Of, EventQuery)>,
) -> Result<Json<EventsAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    Ok(Json(
        events::events(app.watch.store(), &database, &query).await?,
    ))
}
