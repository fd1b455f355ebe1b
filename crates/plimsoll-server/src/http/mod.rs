//! The router: every route once, with its specification, and the gate before them.

mod api;
mod body;
mod gate;
mod kept_answers;
mod page;
mod params;
mod path;
mod problem;
mod stream;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::alerting::Alerting;
use crate::forecasting::Forecasts;
use crate::jobs::Progress;
use crate::settings::Settings;
use crate::telling::Telling;
use crate::watch::Watch;
use gate::{etag, guard, limits, log};

pub use api::openapi::specification;
pub(crate) use gate::serve;
pub use kept_answers::KeptAnswers;
pub use problem::Problem;

/// What every handler works on.
pub struct App {
    /// What is watched.
    pub watch: Arc<Watch>,
    /// What it is expected to grow by.
    pub forecasts: Arc<Forecasts>,
    /// What fires.
    pub alerting: Arc<Alerting>,
    /// What is told of it.
    pub telling: Arc<Telling>,
    /// Answers that took long to make.
    pub kept_answers: KeptAnswers,
    /// Whether the schedule moves.
    pub progress: Arc<Progress>,
    /// What the server was told.
    pub settings: Settings,
}

/// Shared by all requests.
pub type Shared = Arc<App>;

fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(api::openapi::Document::openapi())
        .merge(api::routes())
        .merge(page::routes())
}

/// The whole service.
pub fn router(app: Shared) -> Router {
    let limits = limits::Limits::new(&app.settings.requests);
    let (bounded, _) = routes().split_for_parts();
    let bounded = bounded
        .layer(DefaultBodyLimit::max(app.settings.requests.body_bytes))
        .layer(from_fn_with_state(limits, limits::bound));
    let (probes, _) = api::probes().split_for_parts();
    bounded
        .merge(probes)
        .fallback(problem::unknown_route)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(from_fn_with_state(Arc::clone(&app), etag::validate))
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
