//! One log line for each request, with an id that the answer carries too, and every line that the request causes.

use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument as _;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Logs `http.request`. A client's or proxy's own id is kept if it is harmless in a log.
pub(in crate::http) async fn log(request: Request, next: Next) -> Response {
    let began = Instant::now();
    let given = request
        .headers()
        .get(&REQUEST_ID)
        .and_then(|id| id.to_str().ok());
    let id = given
        .filter(|id| is_harmless(id))
        .map_or_else(new_id, str::to_owned);
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    // Of the highest level, so that no filter of the log leaves the id out.
    let span = tracing::error_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span).await;
    tracing::info!(
        request_id = id,
        method = %method,
        path,
        status = response.status().as_u16(),
        took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        "http.request"
    );
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn is_harmless(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

fn new_id() -> String {
    // Tells requests apart in a log; nothing rests on it being hard to guess.
    format!("{:016x}", RandomState::new().hash_one(0_u8))
}
