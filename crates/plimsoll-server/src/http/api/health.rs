//! `GET /healthz`, `GET /readyz`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Shared;

/// Whether the process runs.
#[derive(Serialize, ToSchema)]
pub(super) struct Alive {
    /// Always `ok`: a process that does not run does not answer.
    status: &'static str,
    /// The version of Plimsoll.
    version: &'static str,
}

/// What is ready, and what is not.
#[derive(Serialize, ToSchema)]
pub(super) struct Ready {
    /// Whether everything is.
    ready: bool,
    /// The store first, then each watched database.
    checks: Vec<Check>,
}

/// One thing that must be ready.
#[derive(Serialize, ToSchema)]
pub(super) struct Check {
    /// `store`, or `instance/database`.
    name: String,
    /// Whether it is.
    ready: bool,
    /// Why it is not.
    reason: Option<String>,
}

/// Whether the process runs.
#[utoipa::path(
    get, path = "/healthz", tag = "probes", operation_id = "healthz",
    responses((status = 200, body = Alive, description = "It runs"))
)]
pub(super) async fn alive() -> Json<Alive> {
    Json(Alive {
        status: "ok",
        version: env!("CARGO_PKG_VERSION"),
    })
}

/// Whether the store answers and every watched database could be visited last time.
#[utoipa::path(
    get, path = "/readyz", tag = "probes", operation_id = "readyz",
    responses(
        (status = 200, body = Ready, description = "Everything is ready"),
        (status = 503, body = Ready, description = "Something is not, and why"),
    )
)]
pub(super) async fn ready(State(app): State<Shared>) -> (StatusCode, Json<Ready>) {
    let reason = app
        .watch
        .store()
        .ping()
        .await
        .err()
        .map(|error| error.to_string());
    let mut checks = vec![Check {
        name: "store".to_owned(),
        ready: reason.is_none(),
        reason,
    }];
    for database in app.watch.databases() {
        let reason = match (database.failure(), database.latest()) {
            (Some(failure), _) => Some(failure.error.to_string()),
            (None, None) => Some("the first visit has not ended yet".to_owned()),
            (None, Some(_)) => None,
        };
        let key = database.key();
        let name = format!("{}/{}", key.instance, key.database);
        checks.push(Check {
            name,
            ready: reason.is_none(),
            reason,
        });
    }
    let ready = checks.iter().all(|check| check.ready);
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Ready { ready, checks }))
}
