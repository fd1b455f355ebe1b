//! Errors as RFC 9457 problem details, with a stable code and a text that says what to do.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use plimsoll_connect::ConnectError;
use plimsoll_postgres::VisitError;
use plimsoll_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::ask::Refused;
use crate::channels::TestError;
use crate::forecasting::ForecastError;
use crate::selection::{SelectionError, Unknown};
use crate::watch::{SelectError, VisitState, WatchError};

/// An error as clients read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(description = "An RFC 9457 problem: what went wrong, and what to do about it")]
pub struct Problem {
    /// `about:blank`: the status says what kind it is, `code` which one.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What was attempted, what went wrong, and what to do.
    detail: String,
    /// Stable: programs may rely on it.
    code: &'static str,
    /// The query parameter that is wrong, if one is.
    parameter: Option<String>,
}

impl Problem {
    /// What is said to people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// A problem with its status, stable code and text.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            code,
            parameter: None,
        }
    }

    /// A query parameter that cannot be used.
    pub fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail);
        Self {
            parameter: Some(name.to_owned()),
            ..problem
        }
    }

    /// Nothing is known yet: why the only visit failed, or that the first one has not ended.
    pub fn nothing_known(known: &VisitState) -> Self {
        if let Some(failure) = &known.failure {
            return failure.error.clone().into();
        }
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "no_sample_yet",
            "nothing was measured yet: the first visit has not ended; ask again in a few seconds",
        )
    }

    /// What should not happen.
    pub fn internal(error: &dyn std::error::Error) -> Self {
        tracing::error!(error = %error, "http.internal");
        let detail = "something went wrong in Plimsoll itself; the log has more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// The answer that carries it.
    pub fn response(&self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.response()
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        Self::parameter(&refused.parameter, refused.text(&refused.parameter))
    }
}

impl From<SelectError> for Problem {
    fn from(error: SelectError) -> Self {
        let (status, code) = match &error {
            SelectError::Unknown(unknown) => return unknown.clone().into(),
            SelectError::Ambiguous { .. } | SelectError::Crossed { .. } => {
                (StatusCode::CONFLICT, "ambiguous_database")
            }
            SelectError::AmbiguousInstance { .. } => (StatusCode::CONFLICT, "ambiguous_instance"),
            SelectError::NoneYet(_) => (StatusCode::SERVICE_UNAVAILABLE, "no_database_yet"),
        };
        Self::new(status, code, error.to_string())
    }
}

impl From<WatchError> for Problem {
    fn from(error: WatchError) -> Self {
        let status = match &error {
            WatchError::Visit(error) => visit_status(error),
            WatchError::Store(_) | WatchError::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            WatchError::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        WatchError::from(error).into()
    }
}

impl From<Unknown> for Problem {
    fn from(unknown: Unknown) -> Self {
        Self::new(StatusCode::NOT_FOUND, unknown.code(), unknown.to_string())
    }
}

impl From<SelectionError> for Problem {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::Unknown(unknown) => unknown.into(),
            SelectionError::Store(error) => error.into(),
        }
    }
}

impl From<TestError> for Problem {
    fn from(error: TestError) -> Self {
        let status = match error.code() {
            "unknown_channel" => StatusCode::NOT_FOUND,
            "channel_timed_out" => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<ForecastError> for Problem {
    fn from(error: ForecastError) -> Self {
        let (status, code) = match error {
            ForecastError::Store(error) => return error.into(),
            ForecastError::Panicked(panic) => return Self::internal(&panic),
            ForecastError::Unknown(unknown) => return unknown.into(),
            ForecastError::UnknownTablespace(_) => (StatusCode::NOT_FOUND, "unknown_tablespace"),
            ForecastError::NoVisit { .. } => (StatusCode::SERVICE_UNAVAILABLE, "no_snapshot"),
        };
        Self::new(status, code, error.to_string())
    }
}

/// 503 for what passes by itself, 504 for what took too long, 502 for what somebody must mend.
fn visit_status(error: &VisitError) -> StatusCode {
    match error {
        VisitError::Connect(
            ConnectError::Unreachable { .. }
            | ConnectError::TooManyConnections { .. }
            | ConnectError::ServerStarting { .. }
            | ConnectError::ServerShuttingDown { .. }
            | ConnectError::Refused { .. }
            | ConnectError::Lost { .. },
        )
        | VisitError::RecoveryConflict { .. } => StatusCode::SERVICE_UNAVAILABLE,
        VisitError::TimedOut { .. }
        | VisitError::StatementTimedOut { .. }
        | VisitError::LockTimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::BAD_GATEWAY,
    }
}

/// No route has this path.
pub(super) async fn unknown_route(uri: Uri) -> Problem {
    let detail = format!(
        "there is no {}; /api/openapi.json lists what there is",
        uri.path()
    );
    Problem::new(StatusCode::NOT_FOUND, "unknown_route", detail)
}

/// The route has no such method.
pub(super) async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!(
        "{} does not answer {method}; the Allow header and /api/openapi.json say what it answers",
        uri.path()
    );
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}
