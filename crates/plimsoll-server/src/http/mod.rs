//! The router: every route once, with its specification, and the layers around them.

mod cleanup;
mod databases;
mod events;
mod forecast;
mod growth;
mod guard;
mod health;
mod history;
mod instance;
mod jobs;
mod limits;
mod log;
mod openapi;
mod page;
mod params;
mod problem;
mod series;
mod serve;
mod sizes;
mod state;
mod store;
mod stream;
mod tables;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::settings::Settings;
use crate::watch::Watch;

pub use openapi::specification;
pub use problem::Problem;
pub(crate) use serve::serve;

/// What every handler works on.
pub struct App {
    /// What is watched.
    pub watch: Arc<Watch>,
    /// What the server was told.
    pub settings: Settings,
}

/// Shared by all requests.
pub type Shared = Arc<App>;

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(openapi::Document::openapi())
        .routes(routes!(sizes::sizes))
        .routes(routes!(history::history))
        .routes(routes!(history::take_sample))
        .routes(routes!(tables::table))
        .routes(routes!(series::series))
        .routes(routes!(growth::growth))
        .routes(routes!(forecast::forecast))
        .routes(routes!(state::state))
        .routes(routes!(events::events))
        .routes(routes!(instance::instance))
        .routes(routes!(databases::databases))
        .routes(routes!(jobs::jobs))
        .routes(routes!(store::store))
        .routes(routes!(cleanup::stats))
        .routes(routes!(cleanup::preview))
        .routes(routes!(cleanup::execute))
        .routes(routes!(cleanup::history))
        .routes(routes!(cleanup::status))
        .routes(routes!(openapi::openapi))
        .routes(routes!(page::page))
        .routes(routes!(page::style))
}

/// Not bounded like the others: a probe must be answered also under load.
fn probes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// The whole service.
pub fn router(app: Shared) -> Router {
    let limits = limits::Limits::new(&app.settings.requests);
    let (bounded, _) = routes().split_for_parts();
    let bounded = bounded
        .layer(DefaultBodyLimit::max(app.settings.requests.body_bytes))
        .layer(from_fn_with_state(limits, limits::bound));
    let (probes, _) = probes().split_for_parts();
    bounded
        .merge(probes)
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(Arc::clone(&app), guard::guard))
        .layer(CatchPanicLayer::custom(|_| {
            let text =
                "something went wrong in Plimsoll itself; the log has more under this request's id";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text).response()
        }))
        .layer(from_fn(guard::security_headers))
        .layer(from_fn(log::log))
        .with_state(app)
}
