//! Names in a path, percent-decoded; what cannot be decoded is an error like every other.

use axum::extract::{FromRequestParts, rejection::PathRejection};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::{Problem, Shared};

/// The names in a path.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Shared> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        if parts.uri.path().contains("%00") {
            let detail = "the path cannot be read: no name has a NUL character";
            return Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_path",
                detail,
            ));
        }
        let read = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        read.map(|path| Self(path.0))
            .map_err(|error| problem(&error))
    }
}

fn problem(error: &PathRejection) -> Problem {
    let detail = format!(
        "the path cannot be read: {}; names in it are UTF-8, percent-encoded",
        error.body_text()
    );
    Problem::new(StatusCode::BAD_REQUEST, "invalid_path", detail)
}
