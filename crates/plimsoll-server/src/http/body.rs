//! The body of a request, as JSON; what cannot be read is an error like every other.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::de::DeserializeOwned;

use super::{Problem, Shared};

/// The body as JSON; none, and `null`, are as good as `{}`.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequest<Shared> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, app)
            .await
            .map_err(|error| problem(error.status(), &error.body_text()))?;
        let json: &[u8] = if [&b""[..], b"null"].contains(&bytes.trim_ascii()) {
            b"{}"
        } else {
            &bytes
        };
        let read = serde_json::from_slice(json);
        read.map(Self)
            .map_err(|error| problem(StatusCode::BAD_REQUEST, &error.to_string()))
    }
}

fn problem(status: StatusCode, reason: &str) -> Problem {
    let detail = format!("the body cannot be read as JSON: {reason}");
    Problem::new(status, "invalid_body", detail)
}
