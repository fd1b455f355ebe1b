//! How much clients may ask: concurrency, time, size of the body.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;

use super::super::Problem;
use super::asker::Place;
use crate::settings::RequestLimits;

/// The limits, and how much of them is used.
#[derive(Clone)]
pub(in crate::http) struct Limits {
    places: Arc<Semaphore>,
    timeout: Duration,
    body_bytes: usize,
}

impl Limits {
    pub(in crate::http) fn new(limits: &RequestLimits) -> Self {
        Self {
            places: Arc::new(Semaphore::new(limits.concurrency)),
            timeout: limits.timeout,
            body_bytes: limits.body_bytes,
        }
    }
}

/// Turns away what is too much. Only what announces its length can be too large: no handler reads
/// a body without `DefaultBodyLimit`.
pub(in crate::http) async fn bound(
    State(limits): State<Limits>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > limits.body_bytes) {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the body is larger than {} bytes", limits.body_bytes),
        ));
    }
    let Ok(place) = Arc::clone(&limits.places).try_acquire_owned() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "overloaded",
            "too many requests are being worked on; ask again in a few seconds",
        ));
    };
    let place = Place::new(place);
    request.extensions_mut().insert(place.clone());
    let answer = tokio::time::timeout(limits.timeout, next.run(request)).await;
    drop(place);
    answer.map_err(|_| {
        Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "timed_out",
            format!(
                "no answer within {} s; a visit goes on, and /api/databases says when it has ended",
                limits.timeout.as_secs()
            ),
        )
    })
}
