//! Asks a route of a router in this process.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use tower::ServiceExt as _;

/// How many bytes a route answers.
pub(crate) async fn get(router: &Router, path: &str) -> usize {
    let request = Request::get(format!("/api/storage/{path}"))
        .body(Body::empty())
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    assert!(
        status == 200,
        "{path}: {status} {}",
        String::from_utf8_lossy(&body)
    );
    body.len()
}
