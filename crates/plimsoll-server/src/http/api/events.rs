//! `GET /api/storage/events`

use axum::Json;
use axum::extract::State;
use utoipa::IntoParams;

use super::super::params::{FromParams, Of, Params, Query, names_of};
use super::super::{Problem, Shared};
use crate::answer::ask;
use crate::answer::events::{self, EventsAnswer, EventsQuery};

/// Which events.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(
    dead_code,
    reason = "the specification is made from it; `EventsQuery` is what is read"
)]
pub(super) struct EventParams {
    /// Of this table and its indexes only: `orders`, `sales.orders`, `"Sales"."Orders"`.
    #[param(pattern = r#"^("([^"]|"")+"|[^".]+)(\.("([^"]|"")+"|[^".]+))?$"#)]
    table: Option<String>,
    /// A list of `rewrite`, `truncate`, `rename`, `reindex`, `create`, `drop`, `attach`, `detach`,
    /// `restore`, `recreate`, `failover`, `statistics_reset`, and of the shapes `level_up`, `level_down`,
    /// `slope_up`, `slope_down`, `burst`; `all` without it.
    #[param(
        pattern = "^(all|(rewrite|truncate|rename|reindex|create|drop|attach|detach|restore|recreate|failover|statistics_reset|level_up|level_down|slope_up|slope_down|burst)(,(rewrite|truncate|rename|reindex|create|drop|attach|detach|restore|recreate|failover|statistics_reset|level_up|level_down|slope_up|slope_down|burst))*)$"
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

impl FromParams for EventsQuery {
    fn names() -> Vec<String> {
        names_of::<EventParams>()
    }

    fn read(params: &Params) -> Result<Self, Problem> {
        Ok(Self {
            table: params.read("table", ask::table_name)?,
            kinds: params.word("kind")?,
            since: params.since("since")?,
            limit: params.number("limit", 1, 100_000)?.unwrap_or(100),
        })
    }
}

/// What happened to relations and is not growth, and what statistics see in the series, newest first.
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
    Query((of, query)): Query<(Of, EventsQuery)>,
) -> Result<Json<EventsAnswer>, Problem> {
    let database = app
        .watch
        .select_kept(of.instance.as_deref(), of.database.as_deref())
        .await??;
    Ok(Json(
        events::events(app.watch.store(), &database, &query).await?,
    ))
}
