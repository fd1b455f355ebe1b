//! `GET /api/openapi.json`: the specification, made from the handlers.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use utoipa::OpenApi;

/// What stands above the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Plimsoll",
        description = "How much disk a PostgreSQL server uses, and what grows. Bytes are integers, times RFC 3339 UTC, \
                       absent values null. Errors are RFC 9457 problems with a stable `code`.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    tags(
        (name = "storage", description = "Sizes and their history"),
        (name = "watch", description = "What is watched, and when"),
        (name = "cleanup", description = "What may be deleted, and what was"),
        (name = "probes", description = "Liveness and readiness"),
        (name = "page", description = "For people"),
    ),
)]
pub(in crate::http) struct Document;

/// The specification as pretty JSON, as the repository's `openapi.json` has it.
pub fn specification() -> String {
    let (_, document) = super::super::routes()
        .merge(super::probes())
        .split_for_parts();
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

/// This specification.
#[utoipa::path(
    get, path = "/api/openapi.json", tag = "page", operation_id = "openapi",
    responses((status = 200, description = "The OpenAPI specification", content_type = "application/json", body = serde_json::Value))
)]
pub(super) async fn openapi() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], specification())
}
