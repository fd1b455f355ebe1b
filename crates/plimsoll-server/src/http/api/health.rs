//! `GET /healthz`, `GET /readyz`

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::Shared;
use crate::answer::channels::{channels, with_waiting};

/// How long the store may take to say that it is there.
const LONGEST_PING: Duration = Duration::from_millis(1500);

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
    /// Whether Plimsoll is: the store and the schedule.
    ready: bool,
    /// The store, the schedule, then each watched database, and each channel.
    checks: Vec<Check>,
}

/// One thing that must be ready.
#[derive(Serialize, ToSchema)]
pub(super) struct Check {
    /// `store`, `schedule`, `instance/database`, or `channel NAME`.
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

/// Whether Plimsoll itself is ready: the store answers and takes what is measured, and the schedule moves.
///
/// A watched server that is down, a database that cannot be entered, or a channel that takes nothing is named and does not
/// count: no restart of Plimsoll mends it.
#[utoipa::path(
    get, path = "/readyz", tag = "probes", operation_id = "readyz",
    responses(
        (status = 200, body = Ready, description = "Plimsoll is ready; what is watched may not be"),
        (status = 503, body = Ready, description = "Plimsoll is not, and why"),
    )
)]
pub(super) async fn ready(State(app): State<Shared>) -> (StatusCode, Json<Ready>) {
    let ping = app.watch.store().ping();
    let store = match tokio::time::timeout(LONGEST_PING, ping).await {
        // What it cannot take is lost, though it answers.
        Ok(answer) => match answer {
            Ok(()) => app.watch.unwritten(),
            Err(error) => Some(error.to_string()),
        },
        Err(_) => Some(format!("no answer within {} s", LONGEST_PING.as_secs_f32())),
    };
    let stalled = app.progress.stalled(app.watch.clock().now());
    let schedule =
        (!stalled.is_empty()).then(|| format!("these jobs stand still: {}", stalled.join(", ")));
    let mut checks = vec![check("store", store), check("schedule", schedule)];
    let ready = checks.iter().all(|check| check.ready);
    for database in app.watch.databases() {
        let reason = match (database.failure(), database.latest()) {
            (Some(failure), _) => Some(failure.error.to_string()),
            (None, None) => Some("the first visit has not ended yet".to_owned()),
            (None, Some(_)) => None,
        };
        let key = database.key();
        checks.push(check(&format!("{}/{}", key.instance, key.database), reason));
    }
    // Without the store what is in memory only is known, and that is said above.
    let in_memory = app.telling.waiting_in_memory();
    let all = &app.settings.channels;
    let channels = channels(app.watch.store(), all, in_memory.clone());
    let answer = match tokio::time::timeout(LONGEST_PING, channels).await {
        Ok(Ok(answer)) => answer,
        _ => with_waiting(all, &in_memory),
    };
    for channel in answer.channels {
        let waits = channel.waiting.unwrap_or(0);
        let reason = channel
            .error
            .map(|error| format!("messages that wait: {waits}; {error}"));
        checks.push(check(&format!("channel {}", channel.name), reason));
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(Ready { ready, checks }))
}

fn check(name: &str, reason: Option<String>) -> Check {
    Check {
        name: name.to_owned(),
        ready: reason.is_none(),
        reason,
    }
}
