//! `GET /`: a plain page for people.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};

/// The page.
#[utoipa::path(
    get, path = "/", tag = "page", operation_id = "page",
    responses((status = 200, description = "A page for people", content_type = "text/html", body = String))
)]
pub(super) async fn page() -> Html<String> {
    Html("<!doctype html><title>Plimsoll</title>".to_owned())
}

/// How it looks.
#[utoipa::path(
    get, path = "/style.css", tag = "page", operation_id = "style",
    responses((status = 200, description = "The page's style", content_type = "text/css", body = String))
)]
pub(super) async fn style() -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "text/css; charset=utf-8"),
            (CACHE_CONTROL, "max-age=3600"),
        ],
        "",
    )
}
