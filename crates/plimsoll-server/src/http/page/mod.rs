//! `GET /`: a plain page for people, made on the server; it works without scripts.

mod chart;
mod disk;
mod view;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use plimsoll_core::snapshot::Snapshot;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::gate::asker::Asker;
use super::params::Query;
use super::{Problem, Shared};
use crate::answer;
use crate::answer::disk::DiskAnswer;
use crate::answer::history::{HistoryQuery, history};
use crate::answer::sizes::{SizesQuery, sizes};
use crate::ask::params::{PAGE, PAGE_SORT, SEARCH};
use crate::ask::{Ask, DiskQuery, Given, OfDatabase, Param, Refused, Sort};
use crate::jobs::states;
use crate::watch::{WatchedDatabase, WatchedInstance};

/// The page and its style.
pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(page))
        .routes(routes!(style))
}

/// How many tables stand on a page.
const TABLES_A_PAGE: usize = 100;

/// How many samples the curve is drawn from.
const SAMPLES_DRAWN: usize = 90;

/// Which tables the page shows, and how.
#[derive(Debug, Clone)]
pub(super) struct PageQuery {
    /// Only tables in whose `schema.table` this text occurs.
    search: Option<String>,
    sort: Sort,
    /// Which page of tables, from 1.
    page: usize,
}

impl Ask for PageQuery {
    fn params() -> Vec<&'static Param> {
        vec![&SEARCH, &PAGE_SORT, &PAGE]
    }

    fn read(given: &Given) -> Result<Self, Refused> {
        Ok(Self {
            search: given.owned(&SEARCH)?.filter(|text| !text.is_empty()),
            sort: given.word(&PAGE_SORT)?,
            page: given.number(&PAGE)?.unwrap_or(1),
        })
    }
}

/// The page: sizes of a database's tables, its recent history, and the jobs.
#[utoipa::path(
    get, path = "/", tag = "page", operation_id = "page",
    params(Query::<(OfDatabase, PageQuery)>),
    responses(
        (status = 200, description = "A page for people", content_type = "text/html", body = String),
        (status = "default", body = Problem, content_type = "application/problem+json", description = "What went wrong"),
    )
)]
pub(super) async fn page(
    State(app): State<Shared>,
    asker: Asker,
    Query((of, asked)): Query<(OfDatabase, PageQuery)>,
) -> Result<Html<String>, Problem> {
    let all = app.watch.databases();
    let asks_for_one = of.instance.is_some() || of.database.is_some();
    let markup = match &*all {
        [only] if !asks_for_one => database_page(&app, &asker, only, &asked).await?,
        _ if !asks_for_one => {
            let mut disks = Vec::new();
            for instance in app.watch.instances() {
                disks.push(disk_of(&app, instance).await?);
            }
            view::list(&crate::answer::databases::databases(&app.watch), &disks)
        }
        _ => {
            let database = app
                .watch
                .select(of.instance.as_deref(), of.database.as_deref())?;
            database_page(&app, &asker, &database, &asked).await?
        }
    };
    Ok(Html(markup.into_string()))
}

/// What is kept of an instance's volumes.
async fn disk_of(app: &Shared, instance: &WatchedInstance) -> Result<DiskAnswer, Problem> {
    let (store, now) = (app.watch.store(), app.watch.clock().now());
    Ok(answer::disk::disk(instance, store, &DiskQuery::default(), now).await?)
}

async fn database_page(
    app: &Shared,
    asker: &Asker,
    database: &Arc<WatchedDatabase>,
    asked: &PageQuery,
) -> Result<maud::Markup, Problem> {
    let (snapshot, trouble) = look(app, asker, database).await;
    let offset = (asked.page - 1) * TABLES_A_PAGE;
    let query = SizesQuery {
        limit: Some(TABLES_A_PAGE),
        offset,
        search: asked.search.clone(),
        sort: asked.sort,
        ..SizesQuery::default()
    };
    let past = HistoryQuery {
        limit: SAMPLES_DRAWN,
        ..HistoryQuery::default()
    };
    let instance = app.watch.select_instance(Some(&database.key().instance))?;
    let page = view::Page {
        key: database.key(),
        disk: disk_of(app, instance).await?,
        several: app.watch.databases().len() > 1,
        sizes: match &snapshot {
            Some(snapshot) => Some(sizes(snapshot, &query, None)?.answer()),
            None => None,
        },
        largest_bytes: snapshot.as_deref().map_or(0, largest),
        trouble,
        asked,
        offset,
        history: history(app.watch.store(), database.key(), &past).await?,
        jobs: answer::jobs::jobs(&states(&app.watch, &app.settings.schedule).await?),
        now: app.watch.clock().now(),
    };
    Ok(view::database(&page))
}

/// The snapshot to show, and what is wrong with it.
async fn look(
    app: &Shared,
    asker: &Asker,
    database: &Arc<WatchedDatabase>,
) -> (Option<Arc<Snapshot>>, Option<String>) {
    let known = asker.look(&app.watch, database).await;
    let trouble = match (&known.failure, &known.snapshot) {
        (Some(failure), _) => Some(failure.error.to_string()),
        (None, None) if known.refreshing => {
            Some("A visit is under way; reload to see its result.".to_owned())
        }
        (None, _) => None,
    };
    (known.snapshot, trouble)
}

/// The size that bars are drawn against.
fn largest(snapshot: &Snapshot) -> u64 {
    let listed = snapshot
        .tables
        .iter()
        .filter(|table| table.kind.is_listed());
    listed
        .filter_map(|table| table.size().bytes)
        .max()
        .unwrap_or(0)
}

/// How the page looks.
#[utoipa::path(
    get, path = "/style.css", tag = "page", operation_id = "style",
    responses((status = 200, description = "The page's style", content_type = "text/css", body = String))
)]
pub(super) async fn style() -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "max-age=300"),
    ];
    (headers, include_str!("style.css"))
}
